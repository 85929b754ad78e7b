"""What the README says is true: its code runs, its commands and places exist, its figures are the project's."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pvm.isa import GP_072, GP_080
from pvm.program import assemble, disassemble
from wasm_host import Engine
from wasm_host.cli import cli

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


@pytest.mark.parametrize("source", blocks("python"), ids=["run", "fault", "many"])
def test_python_examples_run(source: str) -> None:
    subprocess.run([sys.executable, "-c", source], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_the_assembly_example_assembles_runs_and_round_trips() -> None:
    [source] = blocks("asm")
    program = assemble(source)
    machine = Engine().instantiate(program, args=bytes(range(10)))
    machine.run()
    assert machine.result() == (1000 + 45).to_bytes(8, "little")
    assert assemble(disassemble(program)) == program


def test_ci_runs_the_readme_s_test_command() -> None:
    commands = [text.strip() for text in blocks("sh")]
    assert commands[0].endswith("pvm demo")
    assert commands[1].endswith("-m pytest")
    assert commands[1] in (ROOT / ".ci/run").read_text()


def test_every_command_is_listed_with_the_first_paragraph_of_its_help() -> None:
    listed = re.findall(r"^\| `pvm (\w+)` \| (.*?) \|$", TEXT, re.MULTILINE)
    assert listed == [
        (name, " ".join((command.help or "").split("\n\n")[0].split())) for name, command in cli.commands.items()
    ]


def test_command_lines_parse() -> None:
    for line in "\n".join(blocks("sh")).splitlines():
        words = shlex.split(line.partition(" > ")[0])
        if words[:1] == ["pvm"]:
            command = cli.commands[words[1]]
            command.make_context(words[1], words[2:], resilient_parsing=False)


def test_places_exist_and_all_are_named() -> None:
    table = re.findall(r"^\| `((?:pvm|wasm_host|web|tests)[\w/.]*)` \|", TEXT, re.MULTILINE)
    for place in table:
        assert (ROOT / place).exists(), place
    parts = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "pvm").iterdir()
        if not path.name.startswith("_") and path.name not in ("errors.py", "version.py", "py.typed")
    }
    assert parts <= set(table)


def test_the_demo_s_table_is_what_demo_prints() -> None:
    """Times aside."""
    printed = subprocess.run(
        [sys.executable, "-c", "from wasm_host.cli import main; main(['demo'])"],
        capture_output=True, text=True, check=True, cwd=ROOT,
        env={"COLUMNS": "100", "PYTHONIOENCODING": "utf-8", "PVM_CACHE_DIR": ""},
    ).stdout  # fmt: skip
    [table] = [text for text in blocks("text") if text.startswith("Program ")]
    for line in table.splitlines()[2:]:
        known = re.split(r"\s{2,}", line.strip())
        name, result, gas = known[0], known[2], known[3].split()[0]
        [row] = [row for row in printed.splitlines() if row.startswith(f"{name} ")]
        assert result in row
        assert f" {gas} " in row


def test_figures_of_the_instruction_set() -> None:
    assert "139 instructions" in TEXT
    assert len(GP_072.rows) == len(GP_080.rows) == 139


def test_exit_statuses_are_those_of_the_command_line() -> None:
    help_text = cli.help or ""
    for status in re.findall(r"^\s+(\d+)\s", help_text, re.MULTILINE):
        assert re.search(rf"\b{status}\b", TEXT)
    assert isinstance(cli, click.Group)
