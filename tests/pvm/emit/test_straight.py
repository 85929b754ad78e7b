"""Codes: filling templates with octets yields what lowering an instruction with its operands does."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pvm.emit.lower import condition, low, value
from pvm.emit.recompiler.instructions import codes_of
from pvm.emit.recompiler.templates import ADDRESS, Operands, effect_code
from pvm.flow import flow_of
from pvm.isa import GP_072, GP_080, Spec
from pvm.isa.expr import DynamicJump, HostCall, Jump, Sbrk
from pvm.program import Blob, assemble, pack_bitmask
from pvm.program.decode import Instruction, decode
from pvm.wasm.code import i32_const, i64_const, local_set


class Bound(Operands):
    """Operands of an instruction, immediates included."""

    def __init__(self, instruction: Instruction) -> None:
        super().__init__({"a": instruction.a, "b": instruction.b, "d": instruction.d}, False)
        self.instruction = instruction

    def immediate(self, field: str) -> bytes:
        return i64_const(getattr(self.instruction, field))

    def immediate_low(self, field: str) -> bytes:
        return i32_const(getattr(self.instruction, field) & 0xFFFFFFFF)


def lowered(instruction: Instruction) -> tuple[bytes, bytes, int]:
    """`Codes.texts`, `rest` and `written`."""
    bound, effects = Bound(instruction), instruction.row.effects
    straight = b"".join(effect_code(effect, bound) for effect in effects)
    text, rest = straight, b""
    match effects[-1] if effects else None:
        case Jump(_, test) if test is not None:
            text = condition(test, bound)
        case HostCall(number):
            text = value(number, bound)
        case DynamicJump(address):
            text, rest = low(address, bound) + local_set(ADDRESS), straight
        case Sbrk(field, amount):
            text, rest = value(amount, bound), bound.set_register(field)
    return text, rest, sum(1 << number for number in bound.written)


@settings(deadline=None)
@given(st.sampled_from([GP_072, GP_080]), st.data())
def test_codes_are_what_lowering_yields(spec: Spec, data: st.DataObject) -> None:
    """Also where operands lie beyond an instruction's own octets, and where 24 octets are not marked."""
    opcodes = st.sampled_from([opcode for opcode, row in enumerate(spec.by_opcode) if row])
    octets = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]), opcodes)
    code = bytes(data.draw(st.lists(octets, max_size=60)))
    every = data.draw(st.sampled_from([2, 4, 41]))
    draws = data.draw(st.binary(min_size=len(code), max_size=len(code)))
    blob = Blob(code, pack_bitmask(bytes(draw % every == 0 for draw in draws)))
    flow = flow_of(blob, spec)
    codes = codes_of(blob, flow, spec)
    for number, instruction in enumerate(decode(blob, spec)):
        text, rest, written = lowered(instruction)
        assert (codes.texts[number], codes.rest(number), codes.written[number]) == (text, rest, written)
        assert bool(codes.accesses[number]) == instruction.row.accesses_memory
        if instruction.row.accesses_memory:
            [guarded] = codes.guarded([number])
            if guarded.reach is not None:
                offset = instruction.x - (instruction.x >> 63 << 64)
                assert guarded.reach[:2] == (codes.templates[number].base, offset)


def test_equal_octets_share_a_text() -> None:
    blob = assemble(".code\nadd_imm_64 r1, r2, 3\nadd_imm_64 r1, r2, 3\nadd_imm_64 r1, r2, 4\ntrap\n").blob
    codes = codes_of(blob, flow_of(blob, GP_072), GP_072)
    assert codes.texts[0] is codes.texts[1]
    assert codes.texts[1] != codes.texts[2] and codes.templates[1] is codes.templates[2]
