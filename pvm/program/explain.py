"""Why a program panics where it does: for people, not for machines.

In: a program, a version and the pc of a panic. Out: one sentence.
"""

from __future__ import annotations

from collections.abc import Iterable

from pvm.isa.expr import DynamicJump, Jump
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program.blob import Blob
from pvm.program.decode import Instruction, block_starts, decode_at, invalid_at


def why_panic(blob: Blob, spec: Spec | str, pc: int) -> str:
    """Why executing the instruction at `pc` panicked."""
    spec = find_spec(spec)
    if spec.validates and (found := invalid_at(blob, spec)) is not None:
        return f"the program is invalid in {spec.name}: {found}"
    if pc >= len(blob.code):
        return "execution went past the end of the code"
    if not blob.starts[pc]:
        return f"no instruction begins at pc {pc}: the bitmask does not mark it"
    instruction = decode_at(blob, spec, pc)
    if not instruction.valid:
        return f"the opcode {blob.code[pc]} is invalid"
    target = jump_target(instruction)
    if target is not None:
        starts = block_starts(blob, spec)
        if target in starts:
            return f"no block starts at pc {instruction.next_pc}, where the branch goes on"
        return f"no block starts at pc {target}, where it jumps (put fallthrough before it)"
    if any(isinstance(effect, DynamicJump) for effect in instruction.row.effects):
        return "the address leads to no block start by the jump table"
    return "it accessed memory below 2^16" if instruction.row.accesses_memory else "it is a trap"


def jump_target(instruction: Instruction) -> int | None:
    """The pc that a static jump or branch leads to; None for any other instruction."""
    for effect in instruction.row.effects:
        if isinstance(effect, Jump):
            target: int = getattr(instruction, effect.target.field)
            return target
    return None


def jumps_to_no_block(
    blob: Blob, spec: Spec | str, instructions: Iterable[Instruction]
) -> list[tuple[Instruction, int]]:
    """The static jumps that can only panic, with their targets."""
    starts = block_starts(blob, spec)
    targets = ((instruction, jump_target(instruction)) for instruction in instructions)
    return [(instruction, target) for instruction, target in targets if target is not None and target not in starts]
