"""The recompiler: one WebAssembly module a program.

In: a program, a spec and a metering. Out: a frozen `Recompiled`: the module's bytes and how to enter it. It shares the
interpreter's memories and its state, so that either can go on where the other stopped (`pvm.abi`).

The blocks of a program are split into regions, a function each, with the registers and gas in locals. Inside a region
jumps forward leave nested blocks, single-entry loops are loops, and whatever is dynamic goes through the region's
dispatcher. Regions tail-call each other through a table. Whatever is rare - gas that does not reach to the next place
where it is looked at, a page without access, a bad jump, a halt - leaves with the exact state and the code BAIL, and
the interpreter carries it out.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress, pairwise

from pvm import abi
from pvm.emit.recompiler.instructions import accesses_of, codes_of
from pvm.emit.recompiler.region import NO_TARGET, REGION_TYPE, Region
from pvm.emit.recompiler.unit import Context, costs_of
from pvm.emit.state import get_state, set_state
from pvm.errors import InputError
from pvm.flow import (
    AFTER_CALL,
    BASIC_BLOCK,
    HEAVIEST,
    MAX_WEIGHT,
    Flow,
    Limits,
    Shape,
    arranged,
    flow_of,
    shape_of,
    visited_code,
    weights_of,
)
from pvm.gas import Costs, block_costs, check_metering
from pvm.gas.metering import INSTRUCTION, PIPELINE
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program.blob import Blob
from pvm.suggestions import unknown
from pvm.version import __version__
from pvm.wasm import (
    I32,
    I64,
    ElementSegment,
    Export,
    ExternalKind,
    Function,
    FunctionType,
    Import,
    Memory,
    Module,
    Table,
    encode,
)
from pvm.wasm.code import call_indirect, i32_const, local_get, local_set, local_tee, op

# A function's size: time and memory to compile it grow faster than linearly with it.
REGION_BLOCKS = 384
REGION_WEIGHT = MAX_WEIGHT
REGION_ACCESSES = 1024  # each may be checked, and then it leaves the function, too

# Of programs that are translated: instructions, each of which costs some 25 microseconds, and their weight. That of
# compiled ones is 1.0 to 1.1 an instruction.
MAX_INSTRUCTIONS = 1 << 18
MAX_PROGRAM_WEIGHT = 3 << 17

_PROTECTIONS = ("software", "hardware", "bare")
_SBRK_TYPE = FunctionType((I64,), (I64,))
_RUN_TYPE = FunctionType((), (I32,))
_SBRK, _RUN = range(2)  # function indices: the imported sbrk; regions follow


@dataclass(frozen=True)
class Translation:
    """`regions` are the functions that the table of their module has; the rest is that of `Recompiled`."""

    regions: tuple[Function, ...]
    entries: dict[int, int]
    resumes: dict[int, int]
    jumps: bytes


@dataclass(frozen=True)
class Recompiled:
    """`module` is the binary module.

    `entries` maps pcs to entries, `resumes` the pcs of host calls and sbrks to those after them; `jumps` has the entry
    of each jump table entry, 4 bytes.
    """

    module: bytes
    entries: dict[int, int]
    resumes: dict[int, int]
    jumps: bytes


def is_translatable(blob: Blob, spec: Spec) -> bool:
    """Whether hosts should have a program translated: larger and heavier ones are left to the interpreter."""
    return why_interpreted(blob, spec) is None


def why_interpreted(blob: Blob, spec: Spec) -> str | None:
    """Why a program is left to the interpreter, None if it is not."""
    at_most = instructions_at_most(blob)
    if at_most > MAX_INSTRUCTIONS:
        return f"more than {MAX_INSTRUCTIONS:,} instructions"
    if at_most * HEAVIEST > MAX_PROGRAM_WEIGHT and weight_of_program(blob, spec) > MAX_PROGRAM_WEIGHT:
        return f"instructions that are as much to compile as {MAX_PROGRAM_WEIGHT:,} moves"
    return None


def instructions_at_most(blob: Blob) -> int:
    """At least as many as a program's instructions: its marks, and one in 25 unmarked octets."""
    return blob.starts.count(1) + len(blob.code) // 25


@lru_cache(maxsize=16)
def weight_of_program(blob: Blob, spec: Spec) -> int:
    """What the instructions of a program weigh. Remembered for the last programs: every machine asks for it."""
    return sum(bytes(compress(*visited_code(blob, spec))).translate(weights_of(spec)))


def recompile(
    blob: Blob,
    spec: Spec | str,
    metering: str,
    protection: str = "software",
    region_blocks: int = REGION_BLOCKS,
    pause: Callable[[], object] = int,
    costs: Costs | None = None,
) -> Recompiled:
    """Translate a program, in regions of at most `region_blocks` blocks.

    `protection` is "software", where the code checks its accesses, "hardware", where a refused access traps, or
    "bare", where it traps and nothing is kept, so that whoever runs it has to begin again elsewhere: see
    `checkpoints`. Where `spec` validates programs, the caller has to see that an invalid one never runs.
    `pause` is called every few blocks, so that a translation in the background can let other threads run. `costs` are
    what blocks cost by the pipeline model, where the caller knows them: to work them out here takes about as long as to
    translate. Raises InputError for unknown names.
    """
    made = translate(blob, spec, metering, protection, region_blocks, pause, costs=costs)
    return Recompiled(encode(module_of(made.regions)), made.entries, made.resumes, made.jumps)


def translate(
    blob: Blob,
    spec: Spec | str,
    metering: str,
    protection: str = "software",
    region_blocks: int = REGION_BLOCKS,
    pause: Callable[[], object] = int,
    sbrk: int = _SBRK,
    costs: Costs | None = None,
) -> Translation:
    """The same without a module around the regions, in which `sbrk` is a function's index."""
    spec = find_spec(spec)
    flow, shapes = regions_of(flow_of(blob, spec, pause), spec, region_blocks)
    program = context_of(blob, flow, spec, metering, protection, shapes, pause, sbrk, costs)
    ids = program.ids
    regions = tuple(Region(program, shape, region).function() for region, shape in enumerate(shapes))
    entries = {
        flow.blocks[number].pc: entry for number, entry in ids.items() if flow.blocks[number].follows is BASIC_BLOCK
    }
    resumes = {
        flow.pcs[flow.blocks[number].first - 1]: entry
        for number, entry in ids.items()
        if flow.blocks[number].follows is AFTER_CALL
    }
    jumps = array("I", (ids[flow.index[pc]] if pc in flow.starts else NO_TARGET for pc in blob.stored_entries))
    if sys.byteorder == "big":
        jumps.byteswap()
    return Translation(regions, entries, resumes, jumps.tobytes())


def module_of(regions: Sequence[Function]) -> Module:
    """The module of a program whose regions became these functions."""
    return Module(
        imports=(
            Import("pvm", abi.GUEST_MEMORY, Memory(abi.GUEST_PAGES, abi.GUEST_PAGES, name="guest")),
            Import("pvm", abi.ENGINE_MEMORY, Memory(1, abi.GUEST_PAGES, name="engine")),
            Import("pvm", abi.SBRK, _SBRK_TYPE),
        ),
        functions=(run_function(), *regions),
        tables=(Table(len(regions), len(regions)),),
        elements=(ElementSegment(0, i32_const(0), tuple(range(_RUN + 1, _RUN + 1 + len(regions)))),),
        types=(REGION_TYPE,),
        exports=(Export(abi.RUN, ExternalKind.FUNCTION, _RUN),),
        name="pvm program",
        producers=(("pvm-wasm", __version__),),
    )


def context_of(
    blob: Blob,
    flow: Flow,
    spec: Spec,
    metering: str,
    protection: str,
    shapes: Sequence[Shape],
    pause: Callable[[], object] = int,
    sbrk: int = _SBRK,
    costs: Costs | None = None,
) -> Context:
    """What the regions of a program share; `shapes` are all of theirs, `costs` as for `recompile`."""
    ids = {
        number: region << 16 | place
        for region, shape in enumerate(shapes)
        for place, number in enumerate(shape.places)
    }
    if protection not in _PROTECTIONS:
        raise InputError(unknown("protection", protection, _PROTECTIONS))
    checks, by_block = protection == "software", check_metering(metering) != INSTRUCTION
    costs = costs or block_costs(blob, spec, metering) if metering == PIPELINE else None
    jump_count = len(blob.stored_entries)
    addresses, _ = abi.program_layout(len(blob.code), jump_count, 0)
    is_bare = protection == "bare"
    return Context(
        flow, spec, by_block, checks, codes_of(blob, flow, spec, is_bare), costs_of(flow, spec, by_block, costs), ids,
        jump_count, addresses["entries"], sbrk, pause, is_bare,
    )  # fmt: skip


def regions_of(flow: Flow, spec: Spec, region_blocks: int = REGION_BLOCKS) -> tuple[Flow, tuple[Shape, ...]]:
    """A program's flow, arranged, and the shapes of its regions, each of at most `region_blocks` blocks."""
    accesses, weights = flow.opcodes.translate(accesses_of(spec)), flow.opcodes.translate(weights_of(spec))
    flow, bounds = arranged(flow, spec, Limits(region_blocks, REGION_WEIGHT, REGION_ACCESSES), weights, accesses)
    region_of = [region for region, (first, end) in enumerate(pairwise(bounds)) for _ in range(first, end)]
    crossings = frozenset(
        to for block, region in zip(flow.blocks, region_of, strict=True)
        for to in (block.target, block.onto) if to is not None and region_of[to] != region
    )  # fmt: skip
    return flow, tuple(shape_of(flow, first, end, crossings) for first, end in pairwise(bounds))


def run_function() -> Function:
    """() -> exit code: run what the state's entry names. In the module the regions' type and table are the first."""
    return Function(_RUN_TYPE, (I32, I32), _run(), abi.RUN, ("code", "entry"))


def _run() -> bytes:
    """Call the region that the state's entry names, which may call others, and keep what the last leaves with."""
    code, entry = 0, 1
    # To leave the block's rest to the interpreter is no exit that a host could lose: it would be left again.
    exit = i32_const(0) + local_get(code) + local_get(code) + i32_const(abi.BAIL) + op("i32.eq") + op("select")
    return (
        get_state("entry") + local_tee(entry) + i32_const(0xFFFF) + op("i32.and")
        + local_get(entry) + i32_const(16) + op("i32.shr_u") + call_indirect(0) + local_set(code)
        + set_state("exit", exit) + local_get(code)
    )  # fmt: skip
