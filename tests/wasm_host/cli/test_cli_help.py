"""Help on terminals of any width, `pvm help`, and what is said of names that do not exist."""

from __future__ import annotations

import click
import pytest

from wasm_host.cli import cli
from wasm_host.cli.help import Commands, first_paragraph

WIDTHS = (40, 60, 80, 120)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_commands_leaves_nothing_out(pvm, width):
    text = pvm("--help", columns=width).text
    words = " ".join(text.split())
    assert "..." not in text.partition("Commands:")[2]
    assert all(len(line) <= width for line in text.splitlines())
    for name, command in cli.commands.items():
        assert f"{name} {first_paragraph(command)}" in words


@pytest.mark.parametrize("command", sorted(cli.commands))
@pytest.mark.parametrize("width", WIDTHS)
def test_help_of_commands_fits(pvm, width, command):
    """Examples stay as they are, to be copied."""
    text = pvm("help", command, columns=width).text
    assert text == pvm(command, "--help", columns=width).text
    before, _, after = text.partition("Examples:")
    examples, _, options = after.partition("Options:")
    assert all(len(line) <= width for line in (before + options).splitlines())
    kept = pvm("help", command, columns=100).text.partition("Examples:")[2].partition("Options:")[0]
    assert examples == kept


def test_groups_show_their_help_alone(pvm):
    for name, command in cli.commands.items():
        if isinstance(command, click.Group):
            assert isinstance(command, Commands) and pvm(name).text == pvm("help", name).text


def test_help_names_commands(pvm, bad_input):
    assert pvm("help").text == pvm("--help").text == pvm().text
    assert pvm("help", "web", "build").text == pvm("web", "build", "--help").text
    bad_input(("help", "rn"), "no such command 'rn'; did you mean run?")
    bad_input(("help", "web", "biuld"), "pvm web: no such command 'biuld'; did you mean build?")
    bad_input(("help", "run", "more"), "pvm run: it has no commands of its own")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("rn",), "no such command 'rn'; did you mean run?"),
        (("inspekt", "x"), "did you mean inspect?"),
        (("web", "sevre"), "pvm web: no such command 'sevre'; did you mean serve?"),
        (("nonsense",), "no such command 'nonsense'; `pvm help` lists them"),
        (("web", "nonsense"), "`pvm help web` lists them"),
        (("run", "example:hello", "--default-answer", "NON"), "LOW, HUH; did you mean NONE?"),
        (("version",), "`pvm --version` says which this is"),
        (("trace", "dif", "a", "b"), "pvm trace: no such command 'dif'; did you mean diff?"),
        (("run", "hello"), "no such file or directory; `example:hello` is the example"),
        (("run", "example:hello", "Jam"), "unexpected extra argument (Jam) (`pvm help run` says what it takes)"),
        (("example:hello",), "`pvm run example:hello` runs a program"),
        (("run", "x", "--halp"), "--halp: no such option; did you mean --help?\n"),
        (("run", "x", "--no_cash"), "did you mean --no-cache?"),
        (("run", "x", "-json"), "-j: no such option; did you mean --json?"),
        (("--verison",), "did you mean --version?"),
        (("run", "x", "--tier", "interpeter"), "did you mean interpreter?"),
        (("run", "x", "--spec", "0.8"), "did you mean 0.8.0?"),
        (("run", "x", "--format", "jem"), "did you mean jam?"),
        (("run", "example:hallo"), "unknown example 'hallo': did you mean hello? choose one of"),
        (("compare", "example:hello", "--only", "anas"), "did you mean anan-as? choose of"),
        (("bench", "--example", "seive"), "did you mean sieve?"),
        (("run",), "PROGRAM: missing (`pvm help run` says what it takes)"),
    ],
)
def test_did_you_mean(bad_input, args, message):
    bad_input(args, message)


def test_files_that_may_have_been_meant(bad_input, tmp_path):
    (tmp_path / "service.jam").write_bytes(b"")
    bad_input(("run", tmp_path / "servise.jam"), "no such file or directory; did you mean service.jam?")
    bad_input(("vectors", tmp_path / "servise.jam"), "no such file or directory; did you mean service.jam?")
    bad_input(("run", tmp_path / "no" / "where.jam"), "no such file or directory\n")
    (tmp_path / "answers").write_text("fetc -> NONE\n")
    bad_input(
        ("run", "example:hello", "--answers", tmp_path / "answers"),
        "answers: line 1: 'fetc' is no host call of 0.7.2: did you mean fetch? give a number, *",
    )
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    bad_input(("run", tmp_path / "broken"), "broken: cannot be read: no such file or directory\n")
