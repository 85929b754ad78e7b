"""Files that are no program, PolkaVM blobs, and programs as hexadecimal text, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvm.program import Program, assemble
from tests.pvm.program.polkavm_writer import code, container, debug, exports, imports, memory

SOURCE = """.plain
.code
add:
    add_64 r7, r7, r8
    ret
call:
    ecalli 1
    ecalli 7
    ret
read:
    load_ind_u8 r9, [r7]
    load_imm r8, 1
    ret
"""
BLOB = assemble(SOURCE).blob
EXPORTED = [(0, b"add"), (5, b"call"), (11, b"read")]
FILE = container(
    0, memory(10, 5000, 4096), imports([b"zero", b"one\x1b"]), exports(EXPORTED), code(BLOB),
    debug([(0, 5, b"", b"add"), (5, 11, b"guest", b"call")]),
)  # fmt: skip


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "guest.polkavm"
    path.write_bytes(FILE)
    return path


def test_run_by_entry(pvm, bad_input, blob):
    for tier in ("interpreter", "recompiler", "reference"):
        found = json.loads(pvm("run", blob, "--entry", "read", "--args", "2a", "--json", "--tier", tier).text)
        assert (found["status"], found["result"], found["format"]) == ("halt", "2a", "polkavm")
    result = pvm("run", blob, "--entry", "call")
    assert result.status == 1 and "host-call 1 (one\\x1b), which nothing answers" in result.text
    bad_input(("run", blob, "--entry", "cal"), "--entry: cal: no entry of this program, which has add, call, read; d")
    bad_input(("run", blob), "guest.polkavm: it has several exports: give an entry or a pc (add, call, read)")
    bad_input(("run", blob, "--pc", "0", "--spec", "0.8.0"), "--spec: its instruction set, revive_v1, has the opcodes")


def test_inspect(pvm, blob):
    text = pvm("inspect", blob).text
    for part in ("revive_v1, opcodes of 0.7.2", "exports 18", "Exports", "Imports", "guest::call", "one\\x1b", "stack"):
        assert part in text, part
    found = json.loads(pvm("inspect", blob, "--json").text)
    assert found["format"] == "polkavm" and found["size"] == len(FILE)
    assert [entry["purpose"] for entry in found["entry_points"]] == ["add", "call", "read"]
    container = found["polkavm"]
    assert container["imports"] == [
        {"number": 0, "symbol": "zero", "calls": 0}, {"number": 1, "symbol": "one\x1b", "calls": 1}
    ]  # fmt: skip
    assert container["functions"][1] == {"pc": 5, "end": 11, "name": "guest::call"}
    assert [section["number"] for section in container["sections"]] == [1, 4, 5, 6, 128, 129, 130]
    assert found["host_call_names"] == {"1": "one\x1b", "7": None}
    assert json.loads(pvm("inspect", "example:hello", "--json").text)["polkavm"] is None


def test_inspect_shows_what_the_version_lacks(pvm, tmp_path):
    path = tmp_path / "odd.polkavm"
    path.write_bytes(container(2, code(assemble(".plain\n.code\n.raw 0x02\ntrap").blob)))
    assert "latest64, opcodes of 0.7.2; 1 memset, which 0.7.2 has no opcode for: traps" in pvm("inspect", path).text


def test_other_commands_take_it(pvm, blob, tmp_path):
    text = pvm("disasm", blob).text
    assert "; function guest::call\ncall" not in text and "; 5 one\\x1b" in text and "; export add" in text
    (tmp_path / "again.pvmasm").write_text(text)
    assert "standard" in pvm("asm", tmp_path / "again.pvmasm", "-o", tmp_path / "again.pvm").text
    assert Program.parse((tmp_path / "again.pvm").read_bytes()).blob == BLOB
    for command in ("shape", "wat"):
        assert pvm(command, blob).status == 0
    assert pvm("build", blob, "-o", tmp_path / "guest.wasm", "--pc", "11").status == 0
    assert pvm("compare", blob, "--only", "interpreter", "--only", "recompiler").status == 0


def test_bad_blobs(bad_input, tmp_path):
    path = tmp_path / "bad.polkavm"
    for data, part in (
        (FILE[:-1], f"PolkaVM blob: it has {len(FILE) - 1} bytes, not {len(FILE)}"),
        (container(1, code(BLOB)), "latest32, has registers of 32 bits"),
        (b"PVM\0", "PolkaVM blob: version"),
    ):
        path.write_bytes(data)
        for command in ("run", "inspect", "disasm", "shape", "wat"):
            bad_input((command, path), f"bad.polkavm: {part}" if part[0] == "P" else part)


OTHERS = {
    "module.wasm": (b"\0asm\1\0\0\0", "this is a WebAssembly module: `pvm wat` shows it"),
    "guest.elf": (b"\x7fELF\2\1\1" + bytes(9) + b"\1\0\xf3\0", "the object: an ELF file of 20 octets"),
    "host.elf": (b"\x7fELF\2\1\1" + bytes(9) + b"\1\0\x3e\0", "this is an ELF file of 64 bits for x86-64"),
    "vector.json": (b'{"initial-regs": []}', "this is a test vector: `pvm vectors` runs it"),
    "case.json": (b'{"found_by": "x"}', "this is a case that `pvm fuzz` saved: `pvm fuzz --repeat` runs it"),
    "run.log": (b"program 0x00\nstart pc=0 gas=1\n", "this is a recorded run (an ecalli trace): `pvm replay` verifies"),
    "code": (b"trap\n", "this is assembly: --format asm assembles it"),
    "text": (b"dear all", "this is text: "),
    "packed": (b"\x1f\x8b\x08\0", "this is a gzip archive: unpack it first"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_that_are_no_program(bad_input, tmp_path, name):
    data, text = OTHERS[name]
    (tmp_path / name).write_bytes(data)
    for command in ("run", "inspect", "disasm", "shape"):
        bad_input((command, tmp_path / name), f"{name}: {text}")
    bad_input(("run", "-"), f"standard input: {text}", stdin=data)


def test_each_command_says_what_it_was_given(bad_input, tmp_path):
    program, module = tmp_path / "program.pvm", tmp_path / "module.wasm"
    program.write_bytes(assemble(".standard\n.code\ntrap").encode())
    module.write_bytes(b"\0asm\1\0\0\0")
    vector, trace, case = (tmp_path / name for name in ("vector.json", "run.log", "case.json"))
    for path in (vector, trace, case):
        path.write_bytes(OTHERS[path.name][0])
    for command in (("asm",), ("vectors",), ("replay",), ("fuzz", "--repeat")):
        bad_input((*command, program), "program.pvm: this is a standard program: `pvm run` and `pvm inspect` take it")
        bad_input((*command, module), "module.wasm: this is a WebAssembly module")
    bad_input(("vectors", trace), "run.log: this is a recorded run")
    bad_input(("replay", vector), "vector.json: this is a test vector: `pvm vectors` runs it")
    bad_input(("fuzz", "--repeat", vector), "vector.json: this is a test vector")
    bad_input(("asm", case), "case.json: this is a case that `pvm fuzz` saved")
    bad_input(("vectors", vector), "vector.json: not a test vector: neither")  # nearly one: what is missing is told
    bad_input(("fuzz", "--repeat", case), "case.json: not a case")


def test_hexadecimal_programs(pvm, bad_input, tmp_path):
    octets = assemble("trap").encode()
    spelt = octets.hex()
    (tmp_path / "program.hex").write_text(f"0x{spelt[:3]} \n {spelt[3:].upper()}\n")
    for source, options, stdin in (
        (f"hex:{spelt}", (), b""), (f"hex: 0x{spelt[:4]} {spelt[4:]}", (), b""),
        (f"hex:{spelt}", ("--format", "plain"), b""),
        ("-", (), spelt.encode() + b"\n"), ("-", ("--format", "hex"), b"0x" + spelt.encode()), ("-", (), octets),
        (tmp_path / "program.hex", (), b""), (tmp_path / "program.hex", ("--format", "hex"), b""),
    ):  # fmt: skip
        found = json.loads(pvm("run", source, "--json", *options, stdin=stdin).text)
        assert (found["status"], found["format"]) == ("panic", "plain"), source
    assert "trap" in pvm("disasm", f"hex:{spelt}").text
    assert pvm("wat", f"hex:{spelt}").text.startswith("(module")
    assert pvm("wat", "-", stdin=spelt.encode()).text.startswith("(module")
    bad_input(("run", "hex:00g0"), "hex:00g0: 'g' at character 3 is no hexadecimal digit")
    bad_input(("run", "hex:000"), "hex:000: 3 hexadecimal digits, but each byte takes two")
    bad_input(("run", "hex:"), "hex:: empty: a program has at least 3 bytes")
    bad_input(("inspect", "hex:" + "ff" * 40_000), "hex:ffffffffffffffff…: no format fits")
    bad_input(("compare", "hex:" + "ff" * 40_000), "hex:ffffffffffffffff…: no format fits")
    bad_input(("run", "-"), "standard input: this is hexadecimal text: it has 3 digits", stdin=b"000")
    bad_input(("run", "-"), "standard input: as hexadecimal text: no format fits", stdin=b"0000")
    bad_input(("run", "-", "--format", "hex"), "standard input: not hexadecimal: two digits a byte", stdin=b"trap")
    bad_input(("run", "-", "--format", "plain"), "standard input: ", stdin=spelt.encode())
    bad_input(("run", "-", "--format", "polkavm"), "standard input: PolkaVM blob: it does not begin", stdin=octets)
    bad_input(("build", "--interpreter", "--format", "hex", "-o", "-"), "--format: the module does not read hex")


def test_octets_that_are_a_program_come_first(pvm):
    """A plain blob of hexadecimal digits: 0x30 entries of 0x30 octets are more than a jump table of ours has."""
    blob = b"0" + b"0" + b"0" + b"0" * (0x30 * 0x30) + b"0" * 0x30 + b"0" * 6
    result = pvm("run", "-", "--json", stdin=blob)
    assert result.status in (1, 2)  # whichever it is read as, it is no bug
