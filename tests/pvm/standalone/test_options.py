"""The command line of standalone modules: what it takes, and one line for what it does not."""

from __future__ import annotations

import json

import click
import pytest

from pvm.examples import example
from pvm.isa import GP_072
from pvm.program import Program, assemble
from pvm.standalone import Defaults, interpreter_command, program_command
from wasm_host.cli.inputs import number_type

ECHO = assemble(".standard stack=4096 heap=0\n.code\njump_ind r0\n")  # returns its arguments
COMMAND = program_command(ECHO, GP_072, "instruction", Defaults(b"\x01\x02", 77))
PLAIN = program_command(assemble(".code\ntrap\n"), GP_072, "instruction")


def refuse(found, *parts):
    assert found.status == 2 and found.stdout == "", found
    assert found.stderr.startswith("pvm: error: ") and found.stderr.count("\n") == 1
    assert all(part in found.stderr for part in parts), found.stderr


def test_defaults_hold_unless_given(run_module):
    found = json.loads(run_module(COMMAND).stdout)
    assert found["result"] == "0102" and found["gas"] + found["gas_used"] == 77
    found = json.loads(run_module(COMMAND, "--args=0xAbcD", "--gas", "0x10", "--gas=5_0", "--pc=0").stdout)
    assert found["result"] == "abcd" and found["gas"] + found["gas_used"] == 50
    assert json.loads(run_module(COMMAND, "--args", "").stdout)["result"] == ""


NUMBERS = (
    "0", "1", "00", "4294967295", "4294967296", "18446744073709551615", "18446744073709551616", "0xffffffffffffffff",
    "0xFFFF_FFFF", "0x10000000000000000", "0x_1", "0x1_", "0x", "0x_", "1_", "_1", "1__0", "-0", "-1", "-0x0", "-", "",
    "1.0", "1e3", "abc", "0xg", "0b1", " 1", "+1", "9" * 80, "0" * 80, "0" * 81, "0x" + "0" * 78, "0x" + "0" * 79,
    "x" * 50, "99999999999999999999", "0X1F", "-0x", "0x-1", "é", "\x1b",
)  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize(("option", "bits"), [("--gas", 64), ("--pc", 32)])
def test_numbers_are_those_of_pvm_run(text, option, bits, run_module):
    found = run_module(COMMAND, option, text)
    try:
        number = number_type(bits)(text)
    except click.BadParameter as error:
        if text.isascii() and text.isprintable():
            assert found.stderr == f"pvm: error: {option}: {error.message}\n"
        refuse(found, f"{option}: ")
        return
    report = json.loads(found.stdout)
    assert (report["pc"] if option == "--pc" else report["gas"] + report["gas_used"]) == number


def test_bad_arguments(run_module, tmp_path):
    wrong = "--args: 'g' at character 4 is no hexadecimal digit (a file is @FILE)"
    refuse(run_module(COMMAND, "--args", "0x0g"), wrong)
    refuse(run_module(COMMAND, "--args", "\x1b"), r"--args: '\x1b' at character 1")
    refuse(run_module(COMMAND, "--args", "123"), "--args: 3 hexadecimal digits, but each byte takes two")
    refuse(run_module(COMMAND, "--args", "@"), "cannot be read")
    refuse(run_module(COMMAND, "--args", "@none"), "none: cannot be read: no folder with it was given to the module")
    refuse(run_module(COMMAND, "--args", "@none", folders={".": tmp_path}), "none: cannot be read: no such file")
    refuse(run_module(PLAIN, "--args", "00"), "arguments: a plain program takes none")


def test_arguments_from_files(run_module, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    data = bytes(range(256)) * 300
    (inside / "data").write_bytes(data)
    for name, folders in (
        ("data", {".": inside}), ("./data", {".": inside}), ("inside/data", {".": tmp_path}),
        ("/x/data", {"/x": inside}),
        ("/data", {"/": inside}), ("x/y/data", {"x/y": inside}), ("/a/data", {"/b": tmp_path, "/a": inside}),
        ("data", {"other": tmp_path, ".": inside}),
    ):  # fmt: skip
        found = run_module(COMMAND, "--args", f"@{name}", folders=folders)
        assert found.status == 0 and json.loads(found.stdout)["result"] == data.hex(), name
    assert json.loads(run_module(COMMAND, "--args", "@-", stdin=data).stdout)["result"] == data.hex()
    assert json.loads(run_module(COMMAND, "--args", "@-").stdout)["result"] == ""
    for name, folders in (
        ("../inside/data", {".": inside}), ("/xdata", {"/x": inside}), ("/x", {"/x": inside}),
        ("inside", {".": tmp_path}), ("/x/../data", {"/x": inside}), ("", {".": inside}), (".", {".": inside}),
    ):  # fmt: skip
        refuse(run_module(COMMAND, "--args", f"@{name}", folders=folders), "cannot be read: ")


def test_too_many_arguments(run_module, tmp_path):
    (tmp_path / "large").write_bytes(bytes((1 << 24) + 1))
    refuse(run_module(COMMAND, "--args", "@large", folders={".": tmp_path}),
           "arguments: 16777217 bytes, but at most 16777216 fit")  # fmt: skip
    (tmp_path / "large").write_bytes(bytes([7]) * (1 << 24))
    found = run_module(COMMAND, "--args", "@large", folders={".": tmp_path})
    assert json.loads(found.stdout)["result"] == "07" * (1 << 24)


@pytest.mark.parametrize("words", [("--gas",), ("--args",), ("--gas", "1", "--pc")])
def test_a_value_must_follow(words, run_module):
    refuse(run_module(COMMAND, *words), f"{words[-1]}: a value must follow")


@pytest.mark.parametrize("word", ["--gass", "--ga", "-x", "--", "--gas:1", "-\x1b"])
def test_unknown_options(word, run_module):
    refuse(run_module(COMMAND, word, "1"), ": no such option")


def test_other_words(run_module):
    refuse(run_module(COMMAND, "more"), "more: an argument too many")
    refuse(run_module(COMMAND, ""), ": an argument too many")
    core = interpreter_command(GP_072, "instruction")
    refuse(run_module(core), "program: missing")
    refuse(run_module(core, "a", "b"), "b: an argument too many")
    for module in (COMMAND, core):
        found = run_module(module, "--help")
        assert found.status == 0 and "--gas N" in found.stdout and found.stderr == ""
        assert run_module(module, "-h") == found


def test_the_program_comes_from_standard_input(run_module):
    data = assemble(example("hello").source).encode()
    found = run_module(interpreter_command(GP_072, "instruction"), "-", "--args", "4a", stdin=data)
    assert found.status == 0 and bytes.fromhex(json.loads(found.stdout)["result"]) == b"Hello, J!"
    assert found.stderr == "log info [hello]: Hello, J!\n"
    assert Program.parse(data).format == json.loads(found.stdout)["format"]
