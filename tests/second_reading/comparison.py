"""What the package makes of a program, against the second reading: as data, and run on every engine.

In: octets, or a fuzz case. Out: the first difference as text, or None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pvm import InputError, PvmError
from pvm.flow import flow_of
from pvm.fuzz import Case, Make, compare, corner_case
from pvm.fuzz.compare import reference
from pvm.gas import block_costs
from pvm.isa import spec as find_spec
from pvm.program import Program, assemble, block_starts, decode, decode_at, disassemble, is_entry, is_valid
from pvm.program.decode import skip
from tests.second_reading.code import Code, deblob
from tests.second_reading.engine import second_engine
from tests.second_reading.operands import operands
from wasm_host.fuzzing import engines
from wasm_host.jobs import Task

_ENTRIES = 300  # of a jump table are compared: of entries without octets there may be 2^64 - 1


@dataclass(frozen=True)
class Compared:
    """A seed's program, and where something differs from the second reading."""

    family: str
    seed: int
    difference: str | None


def static_difference(octets: bytes, spec: str) -> str | None:
    """The first difference in what the octets mean: A.1 to A.3, and A.5's operands at every pc of the code."""
    code = deblob(octets, spec)
    try:
        program = Program.parse(octets, format="plain")
    except InputError as error:
        return None if code is None else f"refused: {error}"
    if code is None:
        return "accepted, but deblob is an error"
    return next(_differences(octets, code, program), None)


def _differences(octets: bytes, code: Code, program: Program) -> Iterator[str]:
    blob, spec, end = program.blob, find_spec(code.version), len(code.octets)

    def differ(what: str, found: object, expected: object) -> Iterator[str]:
        if found != expected:
            yield f"{what}: {found}, not {expected}"

    yield from differ("code", blob.code, code.octets)
    yield from differ("bitmask", tuple(map(bool, blob.starts)), code.marks)
    yield from differ("jump table's length", blob.jump_count, code.table.count)
    count = min(_ENTRIES, code.table.count)
    entries = [code.table.entry(number) for number in range(count)]
    yield from differ("jump table", [blob.jump_table[number] for number in range(count)], entries)
    for pc in (*range(end + 3), (1 << 32) - 1):
        one, name, length = decode_at(blob, spec, pc), code.opcode(pc), 1 + code.skip(pc)
        if pc < end:
            yield from differ(f"skip({pc})", skip(blob.starts, pc), code.skip(pc))
            is_one = code.is_instruction(pc)
            yield from differ(f"is_entry({pc})", is_entry(blob, spec, pc), spec.name == "0.7.2" or is_one)
            yield from differ(f"whether opcode({pc}) is defined", one.valid, is_one)
        yield from differ(f"opcode and next at {pc}", (one.row.name, one.next_pc), (name, pc + length))
        given = operands(code, pc)
        expected = tuple(value or 0 for value in (given.a, given.b, given.d, given.x, given.y))
        yield from differ(f"operands at {pc}", (one.a, one.b, one.d, one.x, one.y), expected)
    visited = list(_visited(code))
    yield from differ("instructions", [one.pc for one in decode(blob, spec)], visited)
    yield from differ("block starts", block_starts(blob, spec), code.block_starts)
    yield from differ("validity", is_valid(blob, spec), code.whole_is_valid)
    yield from differ("costs of blocks", dict(block_costs(blob, spec, "block")), code.block_lengths)
    flow = flow_of(blob, spec)
    yield from differ("block starts of the flow", flow.starts, code.block_starts)
    yield from differ("instructions of the flow", list(flow.pcs), [*visited, end])
    try:
        again = assemble(disassemble(program, spec), spec).encode()
    except InputError as error:
        yield f"its assembly cannot be assembled: {error}"
    else:
        yield from differ("assembly, assembled", again, octets)


def _visited(code: Code) -> Iterator[int]:
    """0, 0 + 1 + skip(0), ... within the code."""
    n = 0
    while n < len(code.octets):
        yield n
        n += 1 + code.skip(n)


def all_engines() -> dict[str, Make]:
    """The reference engine and all others."""
    return {"reference": reference, **engines()}


def difference(case: Case, makers: dict[str, Make]) -> str | None:
    """The first difference of a case, in what its program means or in its course on an engine."""
    found = static_difference(case.program, case.spec)
    if found is not None:
        return found
    disagreement = compare(case, makers, second_engine)
    return None if disagreement is None else str(disagreement)


def task() -> Task[tuple[str, int], Compared]:
    """The work on families and seeds, which workers can do."""
    return Task(_makers, _work, None, _lost)


def _makers(nothing: None) -> dict[str, Make]:
    return all_engines()


def _work(makers: dict[str, Make], which: tuple[str, int]) -> Compared:
    try:
        found = difference(corner_case(*which), makers)
    except PvmError as error:  # a refusal, which the search outlives
        found = f"{type(error).__name__}: {error}"
    return Compared(*which, found)


def _lost(which: tuple[str, int]) -> Compared:
    return Compared(*which, "the process that ran it died")
