"""The interpreter's module reads program files as `pvm.Program.parse` does, with the same errors."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import pytest
import wasmtime

from pvm import ReferenceEngine, abi
from pvm.errors import ProgramError
from pvm.examples import example
from pvm.isa import GP_072, GP_080
from pvm.program import Blob, Program, assemble, is_valid, pack_bitmask
from pvm.program.codec import encode_natural
from pvm.program.decode import MAX_SKIP
from pvm.standalone import INTERPRETED, interpreter_command, program_command

HELLO = assemble(example("hello").source)
SMALL = assemble(".code\nstart: load_imm r7, 5\njump_ind r7\n.jump_table start")


def _blob(count, size, length, rest):
    return encode_natural(count) + bytes([size]) + encode_natural(length) + rest


BAD = (
    b"", b"\0", b"\0\0", b"\xff", b"\x80", b"\x80\x01\0\0", b"\xff" * 9, b"\xff" + bytes(8), b"\xfe" * 9,
    _blob(0, 0, 2**64 - 1, b""), _blob(2**64 - 1, 8, 0, b""), _blob(2**64 - 1, 7, 0, b"12345"), _blob(2**61, 8, 1, b""),
    _blob(2**64 - 1, 0, 0, b""), _blob(3, 0, 0, b""), _blob(1, 9, 0, bytes(9)), _blob(1, 255, 0, b""),
    _blob(3, 255, 0, b""), _blob(2**64 - 1, 255, 0, b""), _blob(10**19 + 7, 201, 0, b""), _blob(1000, 1, 0, b""),
    _blob(0, 255, 1, b"\0\1"), _blob(0, 0, 1, b"\0\2"), _blob(0, 0, 1, b"\0\1more"), _blob(0, 0, 8, bytes(8)),
    SMALL.encode()[:-1], SMALL.encode() + b"\0", HELLO.encode()[:-1], HELLO.encode() + b"x", HELLO.encode()[:20],
    b"\xff\xff\xff" * 5, b"\0\0\0\0\0\0" + b"\xff\xff" + b"\0\0\0" + b"\0\0\0\0",
    b"\0" * 6 + b"\xff" * 5 + b"\x03" + bytes(6),
    _blob(1, 1, 0, b""), _blob(1, 2, 0, b"x"), _blob(2, 1, 0, b"x"), _blob(0, 0, 1, b""), _blob(0, 0, 1, b"\0"),
)  # fmt: skip


def _message(data, format):
    try:
        Program.parse(data, format)
    except ProgramError as error:
        return str(error)
    return None


def _check(run_core, data, format):
    found = run_core(data, GP_072, "instruction", "--gas", 0, format=format)
    message = _message(data, format)
    if message is None:
        assert found.status in (3, 4) and f'"format": "{Program.parse(data, format).format}"' in found.stdout
    else:
        assert (found.status, found.stdout, found.stderr) == (2, "", f"pvm: error: program.pvm: {message}\n")


@pytest.mark.parametrize("format", INTERPRETED)
def test_bad_files(format, run_core):
    for data in BAD:
        _check(run_core, data, format)


def test_damaged_files(run_core):
    random = Random(5)
    jam = Program(HELLO.blob, HELLO.sections, b"name").encode()
    for data in (SMALL.encode(), HELLO.encode(), jam):
        for _ in range(60):
            damaged = bytearray(data)
            for _ in range(random.randrange(1, 4)):
                octet = random.choice((0, 1, 0x7F, 0x80, 0xC0, 0xFF, random.randrange(256)))
                damaged[random.randrange(min(len(damaged), 40))] = octet
            _check(run_core, bytes(damaged), random.choice(INTERPRETED))


@pytest.mark.parametrize("size", [*range(10), 16, 255])
def test_jump_tables(size, run_core, expect):
    """Of entries of any size, those beyond 32 bits included; the first leads to a halt, the others panic."""
    largest = (1 << 8 * size) - 1
    for entry in {0, largest, largest >> 1, min(largest, 1 << 32), min(largest, (1 << 32) + 3)}:
        program = Program(Blob(SMALL.code, SMALL.blob.bitmask, (entry, 0) if size else (0, 0), size))
        machine = ReferenceEngine().instantiate(program, gas=50)
        status, text = expect(machine, 50, "interpreter", GP_072, "instruction", "plain")
        found = run_core(program.encode(), GP_072, "instruction", "--gas", 50, format="plain")
        assert (found.status, found.stdout) == (status, text)


@pytest.mark.parametrize("count", [1, 4, 2**31 - 1, 2**64 - 1])
def test_jump_tables_of_no_octets(count, run_core, expect):
    """All entries are 0. The address is 2, as in the other tests, or that of an entry which few tables have."""
    for address in (2, 4, 10, 2**31 - 2):
        source = f".code\nload_imm r7, {address}\njump_ind r7\n.jump_table entry_size=0 count={count}"
        program = assemble(source)
        machine = ReferenceEngine().instantiate(program, gas=50)
        status, text = expect(machine, 50, "interpreter", GP_072, "instruction", "plain")
        found = run_core(program.encode(), GP_072, "instruction", "--gas", 50, format="plain")
        assert (found.status, found.stdout) == (status, text)


@pytest.mark.parametrize("count", [1 << 24, (1 << 24) + 1, (1 << 25) + 1, (1 << 64) - 1])
def test_how_large_a_jump_table_may_be_in_0_8_0(count, run_core, expect):
    """Entries of no octets count, too."""
    program = Program.parse(encode_natural(count) + b"\0\1\0\1", "plain")
    machine = ReferenceEngine("0.8.0").instantiate(program, gas=50)
    status, text = expect(machine, 50, "interpreter", GP_080, "pipeline", "plain")
    found = run_core(program.encode(), GP_080, "pipeline", "--gas", 50, format="plain")
    assert (found.status, found.stdout) == (status, text)
    assert machine.gas == (48 if count == 1 << 24 else 50)


CORNERS = (
    ".unmarked 0x330705\ntrap", ".unmarked 0x0a07\ntrap", ".raw 0xff\ntrap", "jump 2\ntrap\n.unmarked 0x00",
    "jump pc + 5", "jump pc + 200", "jump pc - 9", "jump pc + 5\n.raw 0xff", "jump pc + 5\n.unmarked 0x01\ntrap",
    "load_imm_jump r7, 9, pc + 1", "branch_eq r1, r1, pc + 1\ntrap", "load_imm r3, 2\njump_ind r3\n.jump_table 1",
    "load_imm r7, 9\n" + ".unmarked 0x0000000000000000000000000000\n" * 2 + "trap",
)  # fmt: skip


@pytest.mark.parametrize("source", CORNERS)
def test_opcodes_and_targets_that_are_none(source, run_core, run_module, expect):
    """As the engines have it, read from a file and translated ahead, from pc 0 and from an octet in the middle."""
    program = assemble(f".code\n{source}\n")
    for metering in ("instruction", "block"):
        for pc in (0, 1):
            expected = expect(
                ReferenceEngine(metering=metering).instantiate(program, gas=2, pc=pc),
                2, "interpreter", GP_072, metering, "plain",
            )  # fmt: skip
            found = run_core(program.encode(), GP_072, metering, "--gas", 2, "--pc", pc, format="plain")
            assert (found.status, found.stdout) == expected
            found = run_module(program_command(program, GP_072, metering), "--gas", 2, "--pc", pc)
            assert (found.status, found.stdout.replace("recompiler", "interpreter")) == expected


def test_programs_that_0_8_0_refuses(run_core, expect):
    sources = (
        "trap", "add_64 r1, r2, r3", ".unmarked 0x00\ntrap", "fallthrough\n.raw 0xff\ntrap", "trap\n.unmarked 0x01",
        "fallthrough\n" + ".unmarked 0x0000000000000000000000000000\n" * 2 + "trap",
    )  # fmt: skip
    seen = set()
    for source in sources:
        program = assemble(f".code\n{source}\n", GP_080)
        for pc in (0, 1, 2, 5):
            machine = ReferenceEngine("0.8.0", "instruction").instantiate(program, gas=9, pc=pc)
            status, text = expect(machine, 9, "interpreter", GP_080, "instruction", "plain")
            found = run_core(program.encode(), GP_080, "instruction", "--gas", 9, "--pc", pc)
            assert (found.status, found.stdout) == (status, text)
        seen.add(is_valid(program.blob, GP_080))
    assert seen == {True, False}


@pytest.mark.parametrize("length", [1000, 300_000])
def test_engine_memory_grows_by_no_more_than_a_program_needs(length):
    program = Program(Blob(bytes([1]) * length, pack_bitmask(b"\1" * length)))
    engine = wasmtime.Engine()
    linker, store, config = wasmtime.Linker(engine), wasmtime.Store(engine), wasmtime.WasiConfig()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "program.pvm").write_bytes(program.encode())
        config.argv = ["module.wasm", "program.pvm"]
        config.preopen_dir(folder, ".")
        store.set_wasi(config)
        linker.define_wasi()
        module = wasmtime.Module(engine, interpreter_command("0.7.2", "instruction", "plain"))
        exports = linker.instantiate(store, module).exports(store)
        before = exports[abi.ENGINE_MEMORY].size(store)
        with pytest.raises(wasmtime.ExitTrap):
            exports["_start"](store)
    records = length + length // (MAX_SKIP + 1) + 2
    needed = -(-abi.program_layout(length, 0, records)[1] // abi.WASM_PAGE)
    assert exports[abi.ENGINE_MEMORY].size(store) == max(before, needed)
