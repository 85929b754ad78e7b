"""The group: help, version, statuses, interrupts, pipes."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from pvm.errors import EngineError
from pvm.version import __version__
from wasm_host.cli import cli
from wasm_host.cli.engines import TIERS, make_engine
from wasm_host.cli.failures import guarded


def test_without_arguments_it_shows_help(pvm):
    result = pvm()
    assert result.status == 0 and "pvm demo" in result.text


def test_version(pvm):
    assert pvm("--version").text == f"pvm {__version__}\n"


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_has_help_with_examples(pvm, command):
    result = pvm(command, "--help")
    assert result.status == 0
    assert f"Usage: pvm {command}" in result.text and f"Examples:\n    pvm {command}" in result.text


def test_commands(pvm):
    assert set(cli.commands) >= {"demo", "run", "inspect", "asm", "disasm", "vectors", "replay", "isa", "wat"}


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (("nonsense",), ("no such command 'nonsense'",)),
        (("--nonsense",), ("--nonsense: no such option",)),
        (("run",), ("PROGRAM: missing",)),
        (("run", "a", "b"), ("unexpected extra argument",)),
        (("run", "a", "--jsn"), ("--jsn: no such option", "--json")),
        (("run", "a", "--gas"), ("--gas: a value must follow",)),
        (("vectors",), ("PATH...: missing",)),
    ],
)
def test_wrong_usage(bad_input, args, parts):
    bad_input(args, *parts)


def test_a_tier_is_one_of_the_tuple():
    assert [make_engine(tier, "0.8.0", "block").tier for tier in TIERS] == list(TIERS)


def test_an_engine_error_asks_for_a_report(capsys):
    def fail() -> int:
        raise EngineError("trap: unreachable")

    assert guarded(fail) == 70
    error = capsys.readouterr().err
    assert "report" in error and "trap: unreachable" in error and error.count("\n") == 1


def test_an_unexpected_error_is_one_line_too(capsys, monkeypatch):
    monkeypatch.delenv("PVM_TRACEBACK", raising=False)
    assert guarded(lambda: 1 // 0) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.setenv("PVM_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 // 0)


def test_standard_output_that_cannot_be_written(capsys):
    def fail() -> int:
        raise OSError(28, "No space left on device")

    assert guarded(fail) == 2
    assert capsys.readouterr().err == "pvm: error: standard output: no space left on device\n"


@pytest.mark.parametrize("tier", TIERS)
def test_interrupt(pvm_process, tmp_path, tier):
    source = tmp_path / "loop.pvmasm"
    source.write_text("main: ecalli 100\n jump loop\nloop: jump loop\n")
    process = pvm_process("run", source, "--gas", "0xffffffffffffffff", "--tier", tier)
    assert process.stderr.readline().startswith(b"log ")  # it runs
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert re.fullmatch(rb"pvm: interrupted at pc 4 \(jump 4\): [\d,]+ gas used, [\d,]+ left\n", err)


@pytest.mark.parametrize("args", [("isa",), ("wat",), ("run", "example:fibonacci", "--json"), ("--help",)])
def test_a_broken_pipe_is_quiet(pvm_process, args):
    process = pvm_process(*args)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_under_standard_output(bad_input, tmp_path):
    bad_input(("disasm", "example:hello", "-o", "/dev/full"), "/dev/full: cannot be written")
