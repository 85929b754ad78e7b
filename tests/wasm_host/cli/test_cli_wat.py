"""`pvm wat`. What is in the folder golden was written by the command itself: `pvm wat FILE.pvmasm -o FILE.wat`."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from pvm.emit.interpreter import interpreter_bytes
from pvm.emit.recompiler import recompile
from pvm.examples import example
from pvm.isa import GP_072, GP_080
from pvm.program import assemble
from pvm.wasm.text import to_text

GOLDEN = Path(__file__).parent / "golden"


def test_wat(pvm, tmp_path):
    expected = to_text(interpreter_bytes())
    assert pvm("wat").text == expected
    module, out = tmp_path / "module.wasm", tmp_path / "module.wat"
    module.write_bytes(interpreter_bytes())
    written = pvm("wat", module, "-o", out)
    assert written.stdout == b"" and written.stderr.startswith(f"{out}: {out.stat().st_size:,} bytes, ")
    assert out.read_text() == expected
    assert pvm("wat", "-", stdin=b"\0asm\1\0\0\0").text.startswith("(module")


def test_wat_of_a_program(pvm, tmp_path):
    source = example("hello").source
    for spec, metering, protection in (
        (GP_072, "instruction", "hardware"), (GP_080, "block", "software"),
    ):  # fmt: skip
        blob = assemble(source, spec).blob
        expected = to_text(recompile(blob, spec, metering, protection).module)
        options = ("--spec", spec.name, "--metering", metering, "--protection", protection)
        assert pvm("wat", "example:hello", *options).text == expected
        assert pvm("wat", "-", "--format", "asm", *options, stdin=source.encode()).text == expected
        wasmtime.Module.validate(wasmtime.Engine(), wasmtime.wat2wasm(expected))
    file, binary = tmp_path / "hello.pvmasm", tmp_path / "hello"
    file.write_text(source)
    binary.write_bytes(assemble(source).encode())
    expected = pvm("wat", "example:hello").text
    assert pvm("wat", file).text == pvm("wat", binary).text == expected
    assert pvm("wat", "-", stdin=binary.read_bytes()).text == expected


def test_wat_of_a_tiny_program_is_as_it_was(pvm):
    found = pvm("wat", GOLDEN / "tiny.pvmasm").text.splitlines()
    # Its last section names the version.
    assert found[:-2] == (GOLDEN / "tiny.wat").read_text().splitlines()[:-2]


def test_wat_of_a_region(pvm):
    source = b"fallthrough\n" * 400 + b"trap"
    whole = pvm("wat", "-", "--format", "asm", stdin=source).text
    for region in range(2):
        found = pvm("wat", "-", "--format", "asm", "--region", region, stdin=source).text
        assert found.startswith(f"(func $region_{region} ") and found.endswith("\n)\n")
        assert "".join(f"  {line}\n" for line in found.splitlines()) in whole


def test_wat_warns_of_what_never_runs(pvm):
    result = pvm("wat", "-", "--format", "asm", "--spec", "0.8.0", stdin=b"load_imm r1, 1")
    assert result.status == 0 and result.text.startswith("(module")
    assert "standard input: never used, because in 0.8.0 the program panics at once: the last" in result.stderr


@pytest.mark.parametrize("data", [b"(module)", b"", b"\0as"])
def test_wat_refuses_other_files(bad_input, data):
    bad_input(("wat", "-"), "standard input: ", stdin=data)


def test_wat_refuses_bad_input(bad_input, tmp_path):
    bad_input(("wat", "-"), "standard input: ", "byte offset", stdin=b"\0asm\1\0\0\0\1")
    bad_input(("wat", "-", "--format", "asm"), "standard input: not UTF-8 at byte 0", stdin=b"\xff")
    bad_input(("wat", tmp_path / "missing"), "no such file")
    bad_input(("wat", "--region", 0), "--region: only what the recompiler makes of a program has regions")
    bad_input(("wat", "example:hello", "--region", 1), "--region: no region 1: the program's are 0 to 0")
