"""The contract between generated WebAssembly and every host: memories, offsets, exports, exit codes.

In: nothing. Out: constants, also as JSON for hosts that are no Python. The engine memory (memory 1 of the interpreter)
holds registers, gas, pc, page table and the decoded program; the guest memory (memory 0) is the guest's 4 GiB and
nothing else. All numbers are little-endian.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pvm.jam.host_calls.table import as_dict as host_calls_as_dict
from pvm.machine import Reason
from pvm.registers import REGISTER_COUNT

# --- exports -------------------------------------------------------------------------------------------------------

GUEST_MEMORY = "guest"
ENGINE_MEMORY = "engine"
PREPARE = "prepare"  # () -> (): decode the program whose place the state names
RUN = "run"  # () -> i32 exit code
STEP = "step"  # () -> i32 exit code
SBRK = "sbrk"  # (i64 amount) -> i64 old end of the heap, or 0
FINISH = "finish"  # () -> i32 exit code: run to the end of the basic block

WASM_PAGE = 1 << 16  # bytes
GUEST_PAGES = 1 << 16  # WebAssembly pages: all of 4 GiB

# --- exit codes ----------------------------------------------------------------------------------------------------

STOPPED = 0  # a step is done; or, where the spec validates, pc is no entry any more (the host says: a panic)
BAIL = 7  # a recompiled program leaves the rest of the block to the interpreter
GREW = 8  # sbrk has mapped pages which the host has to make accessible (`protects`); to be gone past as a host call
BREAKPOINT = 9  # the record where the interpreter stands has the handler BREAK
EXIT_CODES: dict[Reason, int] = {
    Reason.HALT: 1,
    Reason.PANIC: 2,
    Reason.OUT_OF_GAS: 3,
    Reason.PAGE_FAULT: 4,
    Reason.HOST_CALL: 5,
}
REASONS: dict[int, Reason] = {code: reason for reason, code in EXIT_CODES.items()}

# --- state, at the start of the engine memory ----------------------------------------------------------------------

REGISTERS = 0  # 13 of 8 bytes
REGISTER_SIZE = 8


@dataclass(frozen=True)
class Field:
    """A number in the state: its offset and size in bytes."""

    offset: int
    size: int


def _fields(*sizes: tuple[str, int]) -> dict[str, Field]:
    fields, offset = {}, REGISTERS + REGISTER_COUNT * REGISTER_SIZE
    for name, size in sizes:
        fields[name] = Field(offset, size)
        offset += size
    return fields


STATE: dict[str, Field] = _fields(
    ("gas", 8),
    ("call", 8),  # number of the last host call
    ("heap_end", 8),  # where sbrk starts; beyond heap_limit it fails
    ("heap_limit", 8),
    ("pc", 4),
    ("at_entry", 4),  # behind pc. 1 while pc is stale: the state is that of the recompiled program's `entry`
    ("address", 4),  # of the last page fault
    ("charged", 4),  # 1 when the block around pc is paid for (0.8.0's flag; block metering)
    ("called", 4),  # 1 when the instruction at pc was a host call that has been made, or an sbrk (GREW)
    ("metering", 4),  # 0 instruction, 1 block
    ("read_only_panics", 4),
    ("validates", 4),
    ("protects", 4),  # 1 when the host protects the guest's pages, and has to learn of those that sbrk maps
    ("grew", 4),  # 1 when sbrk has mapped pages, until the host has seen to it
    # The program, written by the host before PREPARE. Addresses are in the engine memory.
    ("code", 4),  # address of the instruction data, which 32 zero bytes follow
    ("code_length", 4),  # bytes
    ("starts", 4),  # address of the bitmask, one byte for each octet of code, which 32 ones follow
    ("jump_table", 4),  # address of 4-byte entries: pcs, then (prepared) records or 0
    ("jump_count", 4),  # entries there
    ("index", 4),  # address of 4 zero bytes for each pc from 0 to code_length: its record, plus 1 at block starts
    ("records", 4),  # address of the decoded instructions, which end the memory
    ("zero_entries", 4),  # jump table entries of no octets that can be reached: each is the pc 0, and none is in memory
    ("records_end", 4),  # address after the last one
    ("exit", 4),  # code of the last exit, until the host has taken it: a host interrupted in between loses none
    ("entry", 4),  # of the recompiled program: where it is entered, or goes on after a host call
    ("entries", 4),  # address of 4-byte entries of the recompiled program, one for each jump table entry
    ("record", 4),  # where the interpreter's hot loop begins and ended
    ("counts", 4),  # address of 8 zero bytes for each pc from 0 to code_length, for the interpreter that counts
    ("pipeline", 4),  # 1 when blocks cost what 0.8.0's pipeline model says, and LATENCIES is there; by block only
)
PADDING = 32  # bytes after the code and after the starts

# Tables of 256 bytes, by opcode, written by the host from the rows of the machine's spec.
HANDLERS = 0x400  # opcode -> handler
OPERANDS = 0x500  # opcode -> operand format, plus the flags below
TRAITS = 0x600  # opcode -> octets that a load or store accesses, plus the flags below
FORMAT_MASK = 0x1F
VALID = 0x20  # the opcode is valid
TERMINATES = 0x40  # it is in the paper's set T: block starts follow it
ENDS = 0x80  # gas is charged anew after it: T and the invalid opcodes
WIDTH_MASK = 0x0F
CONDITIONAL = 0x40  # a branch
STORES = 0x80
# A handler that the host may put into a record for the time of a `run`, so that it stops there with BREAKPOINT: before
# the instruction, and at a block's start before the block is paid. The record before it must not be a pair with it.
BREAK = 0xFF
# Scratch of the interpreter.
LEAD_IN = 0x700  # a record that costs nothing and leads to the one where a run begins without a charge
TRAP_RECORD = 0x720  # the trap at a pc that has no record: beyond the code, or not marked and not visited from 0
PATCHED = 0x740  # address, handler, and handler before it, of the record where a run is made to stop
SCRATCH_END = 0x760
# What the pipeline model needs, while it works out what blocks cost (`pvm.emit.interpreter.costs`): by opcode 8 bytes,
# a reorder buffer of 32 entries, and by register's offset the number of the instruction that writes it last.
LATENCIES = 0x800
BUFFER = 0x1000
PRODUCERS = 0x1400
# Handler pairs that one handler carries out: 256 * 256 bytes, first * 256 + second -> handler, 0 for none.
PAIRS = 0x10000
PAGE_TABLE = 0x20000  # one byte for each of the guest's 2^20 pages
PROGRAM = 0x120000  # where hosts put the program

READABLE = 1  # page table bits; pages below 2^16, which never grant access, have them shifted by LOW_SHIFT
WRITABLE = 2
LOW_PAGES = 16
LOW_SHIFT = 4
GUEST_PAGE_BITS = 12

# --- decoded instructions ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """Offsets within a decoded instruction. Registers are given as their offset in the state."""

    handler: int = 0  # 1 byte
    a: int = 1  # 1 byte each
    b: int = 2
    d: int = 3
    y: int = 4  # 4 bytes: immediate y, or the record that a jump goes to (0: none, panic)
    x: int = 8  # 4 bytes: immediate x
    wide: int = 4  # 8 bytes, over y and x: the immediate of an extended-width format
    pc: int = 12  # 4 bytes
    charge: int = 16  # 4 bytes: gas when a block is entered here
    size: int = 20


RECORD = Record()


def program_layout(code_length: int, jump_count: int, records: int) -> tuple[dict[str, int], int]:
    """Where a host puts a program: the state's addresses of its parts, and the address after the last one.

    `records` is at most how many instructions are decoded. Translations know these addresses, too.
    """
    place, addresses = PROGRAM, {}
    for name, size in (
        ("code", code_length + PADDING), ("starts", code_length + PADDING), ("jump_table", 4 * jump_count),
        ("entries", 4 * jump_count), ("index", 4 * (code_length + 1)), ("records", records * RECORD.size),
    ):  # fmt: skip
        addresses[name] = place
        place += (size + 7) & ~7
    return addresses, place


# --- for hosts in other languages ----------------------------------------------------------------------------------


def as_dict() -> dict[str, Any]:
    """All constants by name: numbers and strings; STATE and RECORD as objects, EXIT_CODES by the reason's text.

    HOST_CALLS is the table of host calls, which generated code knows nothing of but hosts name and answer.
    """
    plain = {name: value for name, value in globals().items() if name.isupper() and isinstance(value, int | str)}
    return {
        **plain,
        "STATE": {name: asdict(field) for name, field in STATE.items()},
        "RECORD": asdict(RECORD),
        "EXIT_CODES": {reason.value: code for reason, code in EXIT_CODES.items()},
        "HOST_CALLS": host_calls_as_dict(),
    }


def as_json() -> str:
    """The same as one JSON object."""
    return json.dumps(as_dict(), indent=1) + "\n"
