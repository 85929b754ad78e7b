"""Tables on terminals of any width: every word is there, and none is cut."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pvm.isa import ROWS
from wasm_host.cli.output import new_table
from wasm_host.cli.tables import fitted

WIDTHS = (40, 60, 80, 120)
BORDERS = re.compile(r"[─━│┃┏┓┗┛┳┻╇╪┡┩├┤┼└┘┴╭╮╰╯]+")


def words(text: str) -> list[str]:
    return sorted(set(BORDERS.sub(" ", text).split()))


def printed(table: Table, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    console.print(fitted(table, width))
    return console.file.getvalue()


def memory_table(title: str | None = "Memory at the start") -> Table:
    table = new_table(title)
    table.add_column("Segment")
    for name in ("Address", "End", "Length"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("What it is for")
    table.add_row("read-only", "0x00010000", "0x00011000", "4,096", "constants that the program never changes")
    table.add_row("(heap may grow)", "0x00053000", "0xfefcf000", "4,277,649,408", "")
    table.add_row("", "1", "2", "3", Text("two\nlines"))
    return table


@pytest.mark.parametrize("width", [20, 30, *WIDTHS])
def test_no_word_is_lost_or_cut(width):
    text = printed(memory_table(), width)
    assert set(words(text)) - {"-"} == set(words(printed(memory_table(), 1000)))  # a heading may be "-"
    assert all(len(line) <= width for line in text.splitlines())


def test_layouts():
    assert "Segment" in printed(memory_table(), 80).splitlines()[1]
    assert re.sub(" +\n", "\n", printed(memory_table(), 40)) == """\
Memory at the start
Segment read-only
  Address         0x00010000
  End             0x00011000
  Length          4,096
  What it is for  constants that the
                  program never changes
Segment (heap may grow)
  Address         0x00053000
  End             0xfefcf000
  Length          4,277,649,408
Segment -
  Address         1
  End             2
  Length          3
  What it is for  two lines
"""


def test_facts_share_lines_where_there_is_room():
    table = new_table()
    for name in ("Engine", "Exit", "pc", "Gas left", "Registers", "Memory", "Cold", "Warm"):
        table.add_column(name, no_wrap=True)
    table.add_row("recompiler-hardware", "halt", "66", "99,959", "e2151478", "0bca4c59", "2.71 ms", "146 µs")
    assert re.sub(" +\n", "\n", printed(table, 60)) == """\
Engine recompiler-hardware
  Exit       halt        pc         66
  Gas left   99,959      Registers  e2151478
  Memory     0bca4c59    Cold       2.71 ms
  Warm       146 µs
"""


def test_a_word_wider_than_the_terminal_is_folded():
    table = new_table()
    table.add_column("Name", no_wrap=True)
    table.add_column("Value")
    table.add_row("x" * 50, "y" * 90)
    text = printed(table, 40)
    assert re.sub(r"\s|─", "", text) == "Name" + "x" * 50 + "Value" + "y" * 90 and "…" not in text


COMMANDS = (
    ("inspect", "example:life"),
    ("inspect", "example:mandelbrot", "--spec", "0.8.0"),
    ("isa",),
    ("isa", "load_ind_*", "--spec", "0.8.0"),
    ("shape", "example:hello"),
    ("run", "example:hello"),
    ("run", "example:matrix"),
    ("run", "-", "--format", "asm"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("width", WIDTHS)
def test_commands(pvm, command, width):
    """Against what goes into a pipe, where nothing is wrapped; hexadecimal of any length may be folded."""
    source = b".code\nload_imm_64 r1, 0xffffffffffffffff\nstore_u8 [0xfffffff0], r1\n"
    wide, narrow = (pvm(*command, stdin=source, columns=columns).text for columns in (None, width))
    whole = re.sub(r"\s", "", narrow)
    dropped = {"Operands", "Reads", "Writes", "Ends", *(row.format.name for row in ROWS), *"abd"}
    for word in set(words(wide)) - (dropped if command[0] == "isa" else set()):
        is_time = re.fullmatch(r"[\d.]+", word) or word in ("µs", "ms", "s")
        assert is_time or word in words(narrow) or (len(word) > 24 and word in whole), word
    if command[0] != "shape":  # plain lines, which the terminal wraps
        assert all(len(line) <= width for line in narrow.splitlines())


@pytest.mark.parametrize("width", WIDTHS)
def test_commands_whose_figures_change(pvm, width):
    """What they cut on purpose, such as hashes in the demo, is cut in pipes, too."""
    compare = ("compare", "example:hello", "--only", "interpreter", "--only", "reference")
    for command in (("demo",), compare, ("cache",)):
        wide, narrow = (pvm(*command, columns=columns).text for columns in (None, width))
        assert narrow.count("…") == wide.count("…") and all(len(line) <= width for line in narrow.splitlines())
        for word in words(wide):
            assert re.search(r"\d|s$|▀|▄|█|^╭|generation|Conway|Life|…", word) or word in words(narrow), word
