"""What files are told to be by their octets, and hexadecimal text."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random

import pytest

from pvm import Program, ProgramError
from pvm.examples import EXAMPLES
from pvm.program import assemble, from_hex, recognise
from pvm.program.facts import identify

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\x00\xf3\x00" + bytes(40)
TRACE = "TRACE [ecalli] program 0x0001\nTRACE [ecalli] start pc=5 gas=100\n"


@pytest.mark.parametrize(
    ("data", "kind", "part"),
    [
        (b"PVM\0\1", "polkavm", "PolkaVM blob"),
        (ELF, "elf", "an ELF file of 64 bits for RISC-V: `pvm link` makes"),
        (ELF.replace(b"\xf3", b"\x3e"), "elf", "for x86-64"),
        (b"\x7fELF", "elf", "another machine"),
        (b"\0asm\1\0\0\0", "wasm", "WebAssembly module: `pvm wat` shows it"),
        (b"\0asm\x0d\0\1\0", "wasm", "component"),
        (b'{ "name": "x", "initial-regs": [] }', "vector", "`pvm vectors` runs it"),
        (b'{"repeat": "pvm fuzz", "found_by": "pvm fuzz"}', "case", "`pvm fuzz --repeat` runs it"),
        (b'{"status": "halt", "page_fault_address": null}', "report", "`pvm run --json`"),
        (b'{"input": {}, "pre_state": {}}', "stf", "JAM's state transition"),
        (b'\xef\xbb\xbf\n{"a": 1}', "json", "JSON"),
        (b'[{"a": 1}]', "json", "JSON"),
        (TRACE.encode(), "trace", "`pvm replay` verifies it"),
        (b"\x1b[31mTRACE\x1b[0m ecalli=12 pc=17 gas=9\n", "trace", "recorded run"),
        (b"start pc=0 gas=9\npc=0 jump 5 gas=8 r00=0x0\n", "steps", "`pvm trace diff` compares two"),
        (b"0x00 01\n", "hex", "hexadecimal text"),
        (b"abc", "hex", "it has 3 digits, but each byte takes two"),
        (b"00000000: 5056 4d00 0034 3a0b  PVM.\n", "hexdump", "`xxd -r`"),
        (b"; a comment\nstart: load_imm r7, 5\n\tjump start\n", "asm", "--format asm"),
        (b".code\nwhat is this\nand this\n\nand.this", "text", "text"),
        (b"\x1f\x8b\x08\0\0", "archive", "gzip"),
        (b"\xfd7zXZ\0\0", "archive", "xz"),
        (b"\x28\xb5\x2f\xfd\0", "archive", "zstd"),
        (b"BZh91AY", "archive", "bzip2"),
        (b"PK\3\4\0", "archive", "zip"),
        (b"name".ljust(257, b"\0") + b"ustar\x0000", "archive", "tar"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "pointer", "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "page", "a web page"),
        (b"(module $m (func))", "wat", "WebAssembly as text"),
        (b"dear all", "text", "text"),
    ],
)
def test_kinds(data: bytes, kind: str, part: str) -> None:
    found = recognise(data)
    assert found is not None and found.kind == kind and part in str(found)
    assert str(found).startswith("this is ") and str(found).isprintable() and len(str(found)) < 120
    if kind != "polkavm":
        with pytest.raises(ProgramError) as caught:
            Program.parse(data)
        assert str(caught.value) == str(found)


@pytest.mark.parametrize("data", [b"", b" \n", b"\0\0\0", b"\xff\xfe\0", b"a\0b", b"caf\xe9", bytes(300)])
def test_what_cannot_be_told(data: bytes) -> None:
    assert recognise(data) is None


def test_programs_are_told_from_all_else() -> None:
    source = ".standard\n.metadata 0x01\n.code\ntrap"
    for text, what in (("trap", "a plain"), (".standard\n.code\ntrap", "a standard"), (source, "a service (jam)")):
        data = assemble(text).encode()
        assert identify(data).kind == "program" and identify(data).what.startswith(what) and recognise(data) is None
    assert identify(b"\0asm").kind == "wasm" and identify(b"\0\0") is None


def test_the_examples_are_assembly() -> None:
    assert {recognise(example.source.encode()).kind for example in EXAMPLES} == {"asm"}


def test_public_files(shared: Path) -> None:
    for path in sorted((shared / "vectors").rglob("*.json"))[::40]:
        assert recognise(path.read_bytes()).kind == "vector", path
    for path in sorted((shared / "traces").rglob("*.log"))[::10]:
        assert recognise(path.read_bytes()).kind == "trace", path


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        (b"00ff", b"\0\xff"), (b"0x00FF", b"\0\xff"), (b" 0X00\n f f\t", b"\0\xff"), (b"0 0", b"\0"),
        (b"", None), (b"0x", None), (b"000", None), (b"0g", None), (b"0x0x00", None), (b"00,01", None),
    ],
)  # fmt: skip
def test_hexadecimal_text(text: bytes, octets: bytes | None) -> None:
    assert from_hex(text) == octets


def test_any_octets() -> None:
    random = Random(3)
    beginnings = [b"PVM\0", ELF, b"\0asm", b"{", b'{"', b"program 0x", b"0x", b"\x1f\x8b\x08", b".code\n", b"a: "]
    for _ in range(4000):
        data = random.choice(beginnings)[: random.randrange(9)] + random.randbytes(random.randrange(40))
        for one in (data, bytes(octet & 0x7F for octet in data), data.hex().encode()):
            found = recognise(one)
            assert found is None or str(found).isprintable()
            try:
                Program.parse(one)
            except ProgramError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize("text", ["a: ", "a:", "program ", "program 0x", " ", "[", "{", '"', "0x", "a" * 9 + " ", "00"])
def test_no_text_takes_long(text: str) -> None:
    began = time.perf_counter()
    for end in ("", "g", "\n", "é"):
        recognise((text * (1 << 20))[: 1 << 20].encode() + end.encode())
        recognise((("\n" + text) * (1 << 15)).encode())
    assert time.perf_counter() - began < 30


def test_json_that_nests_deeply() -> None:
    assert recognise(b"[" * 100_000).kind == "json"
    assert recognise(json.dumps({"x": [[]]}).encode()).kind == "json"
