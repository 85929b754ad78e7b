"""`pvm asm`, `pvm disasm`, `pvm inspect` and `pvm isa`."""

from __future__ import annotations

import json
import os
import re
import stat

import pytest

from pvm.examples import EXAMPLES, example
from pvm.isa import GP_072, GP_080, ROWS
from pvm.program import Blob, Program, assemble


@pytest.mark.parametrize("name", [known.name for known in EXAMPLES])
def test_asm_and_disasm_are_inverse(pvm, tmp_path, name):
    binary, text = tmp_path / "p.pvm", tmp_path / "p.pvmasm"
    result = pvm("asm", f"example:{name}", "-o", binary)
    assert result.status == 0 and "instructions" in result.text and "p.pvm: " in result.text
    written = pvm("disasm", binary, "-o", text)
    assert written.stdout == b"" and written.stderr.endswith(f" bytes, assembly of {binary}, opcodes of 0.7.2\n")
    assert pvm("asm", text, "-o", "-").stdout == binary.read_bytes() == assemble(example(name).source).encode()
    assert pvm("disasm", "-", stdin=binary.read_bytes()).stdout == text.read_bytes()


def test_asm_writes_beside_the_source(pvm, tmp_path):
    source = tmp_path / "some.pvmasm"
    source.write_text("trap")
    assert pvm("asm", source).status == 0
    assert Program.parse((tmp_path / "some.pvm").read_bytes(), "plain").code == b"\0"
    assert sorted(os.listdir(tmp_path)) == ["some.pvm", "some.pvmasm"]


def test_asm_from_standard_input_writes_to_standard_output(pvm):
    result = pvm("asm", "-", stdin=b"trap")
    assert Program.parse(result.stdout).code == b"\0"


def test_asm_keeps_links_and_modes(pvm, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert pvm("asm", "example:hello", "-o", link).status == 0
    assert link.is_symlink() and len(target.read_bytes()) > 100
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_asm_and_disasm_refuse_bad_input(bad_input, tmp_path):
    source, out, binary = tmp_path / "source.pvmasm", tmp_path / "out", tmp_path / "latin.pvmasm"
    source.write_text("trap\n load_imm r99, 1\n")
    binary.write_bytes(b"\xff")
    out.write_bytes(b"old")
    bad_input(("asm", source, "-o", out), "source.pvmasm: line 2: ")
    bad_input(("asm", binary, "-o", out), "latin.pvmasm: not UTF-8 at byte 0")
    bad_input(("asm", tmp_path, "-o", out), "is a directory")
    bad_input(("asm", tmp_path / "missing", "-o", out), "no such file")
    bad_input(("disasm", source, "-o", out), "source.pvmasm: line 2: ")
    assert out.read_bytes() == b"old"
    bad_input(("asm", "example:hello", "-o", tmp_path / "no" / "where"), "where: cannot be written: no such file")
    bad_input(("asm", "example:hello", "-o", tmp_path), "cannot be written: is a directory")
    source.write_text("trap")
    bad_input(("asm", source, "-o", source), "--output: ", "is the input itself")
    assert source.read_text() == "trap"
    assert sorted(os.listdir(tmp_path)) == ["latin.pvmasm", "out", "source.pvmasm"]


def test_asm_shows_every_error_with_its_line(pvm):
    result = pvm("asm", "-", stdin=b"trap\n  lod_imm r7, 5\n\tload_imm r99, \x1b[31m\njump x\n")
    assert result.status == 2 and result.stdout == b""
    assert result.stderr == (
        "pvm: error: standard input: line 2: unknown instruction 'lod_imm': did you mean load_imm? "
        "(column 3: lod_imm r7, 5)\n"
        "pvm: error: standard input: line 3: expected a register in load_imm rA, x, found 'r99' "
        "(column 11: load_imm r99, \\x1b[31m)\n"
    )
    many = pvm("run", "-", "--format", "asm", stdin=b"x\n" * 1021)
    assert many.status == 2 and many.stderr.count("\n") == 21
    assert many.stderr.endswith("pvm: error: standard input: and 1,001 more errors\n")
    assert pvm("asm", "-", stdin=b"x\n" * 20_000).stderr.endswith("and at least 9,980 more errors\n")


def test_versions_number_opcodes_differently(pvm):
    codes = [pvm("asm", "-", "--spec", spec, stdin=b"sign_extend_8 r1, r2\ntrap").stdout for spec in ("0.7.2", "0.8.0")]
    assert codes[0] != codes[1]
    assert b"sign_extend_8" in pvm("disasm", "-", "--spec", "0.8.0", stdin=codes[1]).stdout


def test_inspect_json(pvm):
    source = b""".standard
.metadata "a test"
.rodata
.u32 7
.code
    ecalli 3
    ecalli 3
    ecalli 100
    trap
.jump_table 1
"""
    found = json.loads(pvm("inspect", "-", "--format", "asm", "--json", stdin=source).text)
    assert set(found) == {
        "format", "spec", "size", "metadata", "sections", "segments", "heap", "entry_points", "code_bytes",
        "instructions", "basic_blocks", "jump_table", "instruction_mix", "invalid_opcodes", "unmarked", "host_calls",
        "host_call_names", "polkavm", "valid_080", "invalid_080",
    }  # fmt: skip
    assert found["format"] == "jam" and found["metadata"] == {"hex": b"a test".hex(), "text": "a test"}
    assert found["host_calls"] == {"3": 2, "100": 1}
    assert found["host_call_names"] == {"3": "read", "100": "log"}
    assert found["instruction_mix"] == {"ecalli": 3, "trap": 1} and found["instructions"] == 4
    assert found["jump_table"] == {"entries": 1, "entry_size": 1, "no_block_starts": [1]}
    assert found["segments"][0] == {"name": "read-only", "address": 0x10000, "length": 4096, "access": "r", "data": 4}
    assert [entry["pc"] for entry in found["entry_points"]] == [0, 5]
    assert found["entry_points"][0]["instruction"] == "ecalli 3" and found["entry_points"][1]["instruction"] is None
    assert found["valid_080"] is True and found["invalid_opcodes"] == []


@pytest.mark.parametrize("name", [known.name for known in EXAMPLES])
def test_inspect_for_people(pvm, name):
    result = pvm("inspect", f"example:{name}")
    assert result.status == 0
    for part in (f"example:{name}", "Memory at the start", "Entry points", "Instructions", "stack", "add_imm_64"):
        assert part in result.text


def test_inspect_a_plain_program_with_invalid_opcodes(pvm):
    result = pvm("inspect", "-", stdin=Program.parse(bytes([0, 0, 2, 255, 255, 3])).encode())
    assert result.status == 0
    assert "plain" in result.text and "2, at pc 0, 1" in result.text and "(invalid opcode)" in result.text
    assert "no, it panics at once: the opcode" in result.text


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
def test_inspect_and_run_tell_what_no_bit_marks(pvm, spec):
    """load_imm r7, 5, entered in its middle; and 33 octets of which only the last is marked."""
    middle = Program(Blob(bytes([51, 7, 5, 0]), b"\x09")).encode()
    found = pvm("run", "-", "--pc", 1, "--spec", spec, stdin=middle).text
    assert "panic: no instruction begins at pc 1: the bitmask does not mark it\n" in found
    assert re.search(r"^pc +1   \(no instruction begins here\)$", found, re.MULTILINE)
    stray = Program(Blob(bytes(34), b"\0\0\0\0\2")).encode()
    found = pvm("inspect", "-", "--spec", spec, stdin=stray).text
    for line in (
        "Invalid opcodes  none", "Not marked       2, at pc 0, 25, where execution gets to and panics",
        "Valid in 0.8.0   no, it panics at once: the bitmask marks no instruction at pc 0",
        " 0  refine, is-authorized  (no instruction begins here)", "(not marked)      2  66.7 %",
    ):  # fmt: skip
        assert f"{line}\n" in found
    facts = json.loads(pvm("inspect", "-", "--spec", spec, "--json", stdin=stray).text)
    assert (facts["unmarked"], facts["invalid_opcodes"]) == ([0, 25], [])
    assert facts["entry_points"][0]["instruction"] is None


def test_inspect_refuses_bad_input(bad_input, tmp_path):
    bad_input(("inspect", tmp_path), "is a directory")
    bad_input(("inspect", "-", "--format", "standard"), "standard input: ", stdin=b"123")


def test_isa(pvm):
    result = pvm("isa")
    assert result.status == 0 and all(row.name in result.text for row in ROWS)
    assert f"{len(ROWS)} instructions" in result.last_line
    found = json.loads(pvm("isa", "--json").text)["instructions"]
    assert len(found) == len(ROWS)
    assert found[0] == {
        "name": "trap", "opcode_072": 0, "opcode_080": 0, "format": "none", "ends_block": True, "reads": [],
        "writes": [], "meaning": "panic",
    }  # fmt: skip


def test_isa_of_some(pvm):
    found = json.loads(pvm("isa", "add_64", "load_ind_*", "--json").text)["instructions"]
    assert [row["name"] for row in found][-1] == "add_64" and len(found) == 8
    assert found[-1]["meaning"] == "rD' = rA + rB" and found[-1]["reads"] == ["a", "b"]
    assert "rD' = rA + rB" in pvm("isa", "add_64").text
    new = json.loads(pvm("isa", "--spec", "0.8.0", "--json").text)["instructions"]
    assert "unlikely" in {row["name"] for row in new} and "sbrk" not in {row["name"] for row in new}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("200",), ["add_64"]),
        (("0xC8", "--spec", "0.7.2"), ["add_64"]),
        (("2",), ["unlikely"]),
        (("101", "--spec", "0.7.2"), ["sbrk"]),
        (("branch_eq",), ["branch_eq"]),  # the name itself comes before what it is a part of
        (("rem_s",), ["rem_s_32", "rem_s_64"]),
        (("REM_U_*",), ["rem_u_32", "rem_u_64"]),
        (("offset",), ["jump"]),
        (("reg_reg_imm_imm",), ["load_imm_jump_ind"]),
    ],
)
def test_isa_finds_by_opcode_format_and_part_of_a_name(pvm, words, names):
    found = json.loads(pvm("isa", *words, "--json").text)["instructions"]
    assert sorted(row["name"] for row in found) == names


def test_isa_by_an_opcode_with_two_meanings(pvm):
    both = [
        opcode for opcode in range(256)
        if GP_072.by_opcode[opcode] and GP_080.by_opcode[opcode]
        and GP_072.by_opcode[opcode] is not GP_080.by_opcode[opcode]
    ]  # fmt: skip
    assert len(json.loads(pvm("isa", str(both[0]), "--json").text)["instructions"]) == 2
    [one] = json.loads(pvm("isa", str(both[0]), "--spec", "0.8.0", "--json").text)["instructions"]
    assert one["opcode_080"] == both[0]


def test_isa_refuses_unknown_names(bad_input):
    bad_input(("isa", "ad_64"), "ad_64: no such instruction; did you mean add_64")
    bad_input(("isa", "reg_reg_im_imm"), "did you mean reg_reg_imm_imm")
    bad_input(("isa", ""), ": no such instruction\n")
    bad_input(
        ("isa", "sbrk", "--spec", "0.8.0"), "sbrk: this version has no such instruction; 0.7.2 has it (--spec 0.7.2)"
    )
    bad_input(("isa", "256"), "256: an opcode is from 0 to 255")
    bad_input(("isa", "255"), "255: no instruction of 0.7.2 or 0.8.0 has this opcode\n")
    bad_input(("isa", "2", "--spec", "0.7.2"), "of 0.7.2 has this opcode; in 0.8.0 it is unlikely (--spec 0.8.0)")


@pytest.mark.parametrize(("spec", "name"), [("0.7.2", "fetch"), ("0.8.0", "grow_heap")])
def test_inspect_names_host_calls_by_the_version(pvm, spec, name):
    found = pvm("inspect", "-", "--format", "asm", "--spec", spec, stdin=b".code\n ecalli 1\n ecalli 77\n trap\n").text
    table = found.split("Host calls")[1]
    assert name in table and "(unknown)" in table
