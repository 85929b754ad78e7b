"""Why a block costs what it costs: its simulation as rows of text, the same as `pvm gas --block` draws.

In: a pc. Out: the `Timeline` object for the page.
"""

from __future__ import annotations

from typing import Any

from pvm.errors import InputError
from pvm.gas.costs import block_at
from pvm.gas.timeline_text import check_drawable, deciding, drawable, timeline_lines
from pvm_web.bridge.listing import text_of
from pvm_web.bridge.opened import Loaded
from pvm_web.bridge.values import Params

_RULERS = 2  # lines above the first instruction's


def timeline_value(loaded: Loaded, params: Params) -> dict[str, Any]:
    """The block around a pc: its cost and its lines, of which `marked` is that of the instruction that decides.

    It is the block that gas is charged for, so that an opcode that is undefined ends it. Raises InputError for a pc at
    which no instruction is, and for a block that is too large to be drawn.
    """
    pc, index = params.number("pc", 32), loaded.index
    blob, spec = loaded.program.blob, loaded.spec
    number = index.find(pc)
    if number is None:
        raise InputError(f"no instruction begins at pc {pc}")
    first, end = index.block_around(number)
    check_drawable(end - first)
    block = block_at(blob, spec, index.pcs[first])
    while block[-1].pc < pc:
        block = block_at(blob, spec, block[-1].next_pc)
    timeline = drawable(block, blob, spec)
    decides = deciding(timeline).pc
    lines = list(timeline_lines(timeline, {instruction.pc: text_of(instruction) for instruction in block}))
    return {
        "first_pc": block[0].pc, "instructions": len(block), "cost": timeline.cost, "cycles": timeline.cycles,
        "decides": decides, "lines": lines,
        "marked": _RULERS + next(place for place, one in enumerate(block) if one.pc == decides),
    }  # fmt: skip
