"""The text of one region of a translated program, and which of its lines a block became.

In: what `recompile` takes, and a region or a pc. Out: text, the same as in the whole module's (`pvm.wasm.text`). Only
that region is made: the others are empty in the module that is written.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from pvm.emit.recompiler.module import context_of, module_of, regions_of
from pvm.emit.recompiler.region import REGION_TYPE, Region
from pvm.errors import InputError
from pvm.flow import Block, Flow, Shape, flow_of
from pvm.gas import Costs
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program.blob import Blob
from pvm.wasm import Function, encode, to_text
from pvm.wasm.code import op
from pvm.wasm.text_code import instruction_offsets


@dataclass(frozen=True)
class RegionText:
    """`text` is the function's; its lines [first_line, end_line) are those of the block of the pcs [first_pc, end_pc).

    Lines count from 0.
    """

    text: str
    region: int
    first_pc: int
    end_pc: int
    first_line: int
    end_line: int


class _Noted(Region):
    """Keeps where in `out` each block begins and ends."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.spans: dict[int, tuple[int, int]] = {}

    def _block(self, number: int, current: Block) -> None:
        first = len(self.out)
        super()._block(number, current)
        self.spans[number] = first, len(self.out)


def region_text(
    blob: Blob, spec: Spec | str, metering: str, protection: str, region: int, costs: Costs | None = None
) -> str:
    """The text of a region's function. Raises InputError when there is no such region, and for unknown names."""
    spec = find_spec(spec)
    flow, shapes = regions_of(flow_of(blob, spec), spec)
    text, _, _ = _region_text(blob, flow, shapes, spec, metering, protection, region, costs)
    return text


def region_at(
    blob: Blob, spec: Spec | str, metering: str, protection: str, pc: int, costs: Costs | None = None
) -> RegionText:
    """The region and the block around a pc. Raises InputError for a pc beyond the code, and for unknown names."""
    spec = find_spec(spec)
    if pc > len(blob.code):
        raise InputError(f"pc {pc}: the code ends at {len(blob.code)}")
    flow, shapes = regions_of(flow_of(blob, spec), spec)
    starts = sorted(flow.index)
    number = flow.index[starts[bisect_right(starts, pc) - 1]]
    region = bisect_right([shape.first for shape in shapes], number) - 1
    text, made, body = _region_text(blob, flow, shapes, spec, metering, protection, region, costs)
    offsets, pieces = instruction_offsets(body), [*accumulate(map(len, made.out), initial=made.start)]
    head = text.count("\n") - len(offsets) - 1  # lines before the first instruction; one is after the last
    first_line, end_line = (head + bisect_left(offsets, pieces[place]) for place in made.spans[number])
    end = flow.blocks[number].end
    end_pc = flow.pcs[end] if end < len(flow.pcs) else flow.pcs[-1] + 1
    return RegionText(text, region, flow.blocks[number].pc, end_pc, first_line, end_line)


def _region_text(
    blob: Blob, flow: Flow, shapes: Sequence[Shape], spec: Spec, metering: str, protection: str, region: int,
    costs: Costs | None,
) -> tuple[str, _Noted, bytes]:  # fmt: skip
    """The function's text, what made it, and its body."""
    if not 0 <= region < len(shapes):
        raise InputError(f"no region {region}: the program's are 0 to {len(shapes) - 1}")
    made = _Noted(context_of(blob, flow, spec, metering, protection, shapes, costs=costs), shapes[region], region)
    function = made.function()
    functions = [Function(REGION_TYPE, (), op("unreachable"))] * len(shapes)
    functions[region] = function
    text = to_text(encode(module_of(functions)))
    found = re.search(rf"(?ms)^  \(func \${function.name} .*?^  \)\n", text)
    assert found is not None
    return "".join(line[2:] for line in found[0].splitlines(keepends=True)), made, function.body
