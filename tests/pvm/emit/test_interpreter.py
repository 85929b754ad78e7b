"""The generated interpreter: its records against the Python decoder, its handlers against the rows, its text."""

from __future__ import annotations

from random import Random

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

import wasm_host
from pvm import ReferenceEngine, abi
from pvm.emit.interpreter import interpreter_bytes, interpreter_module
from pvm.emit.interpreter.dispatch import FIRST_PAIR, HANDLER_OF, TRAP, dispatch_function
from pvm.emit.interpreter.fused import PAIRS
from pvm.emit.interpreter.opcode_tables import opcode_tables
from pvm.gas import block_costs
from pvm.isa import BY_NAME, GP_072, GP_080, ROWS, Row
from pvm.isa.expr import Load, Store, walk
from pvm.program import Blob, Program, block_starts, decode, pack_bitmask
from pvm.program.assembly_syntax import encode_instruction
from pvm.wasm import encode, to_text
from wasm_host.machine.interpreted import WasmMachine

RECORD = abi.RECORD
EDGES = (0, 1, 2, 0x1F, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32,
         1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 0x123456789ABCDEF0)  # fmt: skip


def test_every_row_has_a_handler_and_every_pair_fits() -> None:
    assert set(HANDLER_OF) == {row.name for row in ROWS}
    assert FIRST_PAIR + len(PAIRS) <= abi.BREAK
    assert len(set(PAIRS)) == len(PAIRS)
    assert not [first for first, _ in PAIRS if BY_NAME[first].ends_block]


def test_no_handler_has_the_number_of_a_break() -> None:
    most = abi.BREAK - FIRST_PAIR
    pairs = (PAIRS * (most // len(PAIRS) + 1))[: most + 1]
    assert dispatch_function(pairs[:most]).body
    with pytest.raises(ValueError, match=f"{abi.BREAK + 1} handlers: their numbers lie below {abi.BREAK}"):
        dispatch_function(pairs)


def test_the_module_is_valid_and_its_text_assembles() -> None:
    text = to_text(interpreter_bytes())
    assert "(memory $guest" in text
    assert "(func $dispatch" in text
    wasmtime.Module.validate(wasmtime.Engine(), wasmtime.wat2wasm(text))


def test_the_module_is_the_same_every_time_and_smaller_without_pairs() -> None:
    assert encode(interpreter_module()) == interpreter_bytes()
    assert len(encode(interpreter_module(pairs=()))) < 16_000 < len(interpreter_bytes()) < 30_000


# --- decoding ------------------------------------------------------------------------------------------------------


def records(machine: WasmMachine) -> list[dict[str, int]]:
    """The decoded records of a machine, by their fields."""
    field = machine._field
    start, end = field["records"].value, field["records_end"].value
    raw = machine._state.read(start, end - start)

    def number(at: int, offset: int, size: int) -> int:
        return int.from_bytes(raw[at + offset : at + offset + size], "little")

    return [
        {
            **{name: number(at, getattr(RECORD, name), 1) for name in ("handler", "a", "b", "d")},
            **{name: number(at, getattr(RECORD, name), 4) for name in ("x", "y", "pc", "charge")},
            "wide": number(at, RECORD.wide, 8),
        }
        for at in range(0, len(raw), RECORD.size)
    ]


blobs = st.tuples(
    st.lists(st.tuples(st.integers(0, 255), st.booleans()), max_size=90), st.lists(st.integers(0, 100), max_size=4)
).map(
    lambda drawn: Blob(
        bytes(octet for octet, _ in drawn[0]), pack_bitmask(bytes(mark for _, mark in drawn[0])), tuple(drawn[1]), 4
    )
)


@settings(deadline=None)
@given(blobs, st.sampled_from([GP_072, GP_080]), st.sampled_from(["instruction", "block"]))
def test_records_are_what_python_decodes(blob: Blob, spec: object, metering: str) -> None:
    spec = GP_080 if spec is GP_080 else GP_072
    machine = wasm_host.Engine(spec=spec.name, metering=metering).instantiate(Program(blob))
    decoded, found = list(decode(blob, spec)), records(machine)
    assert [record["pc"] for record in found] == [i.pc for i in decoded] + [len(blob.code)]
    starts = block_starts(blob, spec)
    place = {record["pc"]: machine._field["records"].value + RECORD.size * n for n, record in enumerate(found)}
    costs = block_costs(blob, spec, metering)
    for record, instruction in zip(found, decoded, strict=False):
        format = instruction.row.format
        for register in format.registers:
            assert record[register.name] == 8 * getattr(instruction, register.name)
        for immediate in format.immediates:
            value = getattr(instruction, immediate.name)
            if immediate.offset:
                assert record["y"] == (place[value] if value in starts else 0)
            elif immediate.wide:
                assert record["wide"] == value
            else:
                assert record[immediate.name] == value & 0xFFFFFFFF
        if metering == "block":
            assert record["charge"] == costs.at(record["pc"])
    jumps = machine._state.read(machine._field["jump_table"].value, 4 * len(blob.jump_table))
    expected = [place[pc] if pc in starts else 0 for pc in blob.jump_table]
    assert [int.from_bytes(jumps[i : i + 4], "little") for i in range(0, len(jumps), 4)] == expected


def test_invalid_opcodes_trap() -> None:
    for spec in (GP_072, GP_080):
        handlers = dict(opcode_tables(spec))[abi.HANDLERS]
        assert all(handlers[opcode] == TRAP for opcode in range(256) if spec.by_opcode[opcode] is None)


# --- rows ----------------------------------------------------------------------------------------------------------


def program_of(row: Row, immediates: dict[str, int]) -> Program:
    """`row` with operands a=r1, b=r2, d=r3, then a host call."""
    fields = {"a": 1, "b": 2, "d": 3, **immediates}
    widths = [8 if f.wide else 4 for f in row.format.immediates]
    spec = GP_072 if row.opcode_072 is not None else GP_080
    code = encode_instruction(row.format, spec.opcodes[row.name], fields, widths)
    after = b"\x0a\x63"
    starts = b"\1" + bytes(len(code) - 1) + b"\1\0\1"
    return Program(Blob(code + after + b"\0", pack_bitmask(starts)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_row_agrees_with_the_reference_at_the_edges(row: Row) -> None:
    random = Random(row.name)
    spec = "0.7.2" if row.opcode_072 is not None else "0.8.0"
    tiers = ("interpreter", "recompiler")
    engines = [ReferenceEngine(spec=spec), *(wasm_host.Engine(spec=spec, tier=tier) for tier in tiers)]
    accesses = any(isinstance(node, Load | Store) for effect in row.effects for node in walk(effect))
    for _ in range(3):
        immediates = {
            f.name: 0 if f.offset else random.choice(EDGES) if f.wide else random.choice(EDGES) & 0xFFFFFFFF
            for f in row.format.immediates
        }
        if accesses and row.format.immediates:
            immediates["x"] = 0x20FFC if row.format.name in ("imm_imm", "reg_imm") else 4
        program = program_of(row, immediates)
        machines = [engine.instantiate(program, gas=1 << 20) for engine in engines]
        for machine in machines:
            machine.memory.map(0x20000, 0x2000, "rw")
            machine.memory.write(0x20000, Random(1).randbytes(0x2000))
        pairs = [(a, b) for a in EDGES for b in EDGES] if not accesses else [(EDGES[4], 0x20FF8), (0x20FF9, EDGES[-1])]
        for a, b in pairs:
            outcomes = []
            for machine in machines:
                machine.pc, machine.gas = 0, 50
                machine.registers[1:4] = [a, b, 0x5555555555555555]
                exit = machine.run()
                outcomes.append((exit, list(machine.registers), machine.memory.read(0x20000, 0x2000)))
            assert outcomes[0] == outcomes[1] == outcomes[2], (row.name, immediates, hex(a), hex(b))
