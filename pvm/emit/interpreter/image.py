"""A program as a host puts it into the engine memory, before it calls `prepare`.

In: a program, a spec and a metering. Out: a frozen `ProgramImage`, the same for every host (`pvm.abi`).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from pvm import abi
from pvm.emit.interpreter.costs import latency_table
from pvm.emit.interpreter.opcode_tables import opcode_tables
from pvm.errors import InputError
from pvm.gas.metering import INSTRUCTION, PIPELINE
from pvm.isa import Spec
from pvm.program import Program

_MAX_MEMORY = 1 << 32  # bytes


@dataclass(frozen=True)
class ProgramImage:
    """What the engine memory has to hold.

    It must be `size` bytes long. `pieces` are addresses and what to write there, `numbers` values of `pvm.abi.STATE`.
    """

    size: int
    pieces: tuple[tuple[int, bytes], ...]
    numbers: dict[str, int]


def program_image(program: Program, spec: Spec, metering: str) -> ProgramImage:
    """The program's place in the engine memory. Raises InputError for more code than the interpreter can hold."""
    blob = program.blob
    length, starts = len(blob.code), blob.starts
    # At most this many records: one a marked opcode, one in 25 unmarked octets, the first, the implicit trap.
    records = starts.count(1) + length // 25 + 2
    entries = blob.stored_entries
    addresses, size = abi.program_layout(length, len(entries), records)
    if size > _MAX_MEMORY:
        raise InputError(f"program: {length} bytes of code are more than the interpreter can hold")
    pieces = (
        (addresses["code"], blob.code),
        (addresses["starts"], starts + bytes([1]) * abi.PADDING),
        (addresses["jump_table"], _words(entries)),
        *metered_tables(spec, metering),
    )
    numbers = {
        **addresses, "code_length": length, "jump_count": len(entries), "zero_entries": blob.zero_entries,
        "metering": int(metering != INSTRUCTION), "pipeline": int(metering == PIPELINE),
        "read_only_panics": int(spec.read_only_panics), "validates": int(spec.validates), "protects": 0,
    }  # fmt: skip
    return ProgramImage(size, pieces, numbers)


def metered_tables(spec: Spec, metering: str) -> tuple[tuple[int, bytes], ...]:
    """The tables by opcode that the interpreter needs, with their addresses."""
    tables = opcode_tables(spec)
    return (*tables, (abi.LATENCIES, latency_table(spec))) if metering == PIPELINE else tables


def _words(entries: tuple[int, ...]) -> bytes:
    """Jump table entries as 4 bytes each; larger ones lead nowhere all the same."""
    try:
        return array("I", entries).tobytes()
    except OverflowError:
        return array("I", (min(entry, 0xFFFFFFFF) for entry in entries)).tobytes()
