"""Translations of instructions, a `Code` for each form of the program.

In: a form and the kind of protection. Out: a frozen `Code`. Instructions that go straight on are made from templates
with holes for what differs between two of a kind, because programs use the same rows on the same registers again and
again: lowering takes 5 to 9 microseconds, filling a template 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from pvm import abi
from pvm.emit.guest import guest_load, guest_store, is_refused, is_refused_at
from pvm.emit.helpers import LOCALS, sequence
from pvm.emit.lower import condition, low, value
from pvm.emit.state import ENGINE
from pvm.flow import Form
from pvm.isa.expr import Binary, DynamicJump, Effect, HostCall, Imm, Jump, Load, Reg, Sbrk, SetReg, Store, walk
from pvm.isa.table import Row
from pvm.machine import REGISTER_COUNT
from pvm.program.decode import Instruction
from pvm.wasm import I32, I64
from pvm.wasm.code import i32_const, i64_const, load, local_get, local_set, op, store

# Locals of a region's function.
ENTRY, CODE, PC, ADDRESS, GAS, SCRATCH = range(6)
FIRST_REGISTER = SCRATCH + LOCALS
LOCAL_TYPES = (I32,) * 3 + (I64,) * (1 + LOCALS + REGISTER_COUNT)

# `Code.access`
READS, WRITES = abi.READABLE, abi.WRITABLE

# Holes: markers that no instruction's encoding contains by chance.
_MARK = b"\xff\xff\xff\xff\xff"
_GUARD = _MARK + b"g"
_HOLES = re.compile(re.escape(_MARK) + rb"([xyXY])")


class Code(NamedTuple):
    """One form of instruction as WebAssembly.

    `text` is all of it, or for a control instruction what comes before the jump or call: the test of a branch, the
    address of a dynamic jump, the number of a host call, the amount of an sbrk. Where `guard` is not None, an
    instruction that nobody has checked is `guard`, which pushes whether to leave it to the interpreter, and then
    `rest`. The `rest` of a dynamic jump or an sbrk sets registers. `used` and `written` are sets of registers as bits,
    `access` is READS, WRITES or 0, and `reach` the octets off a register that it accesses.
    """

    form: Form
    text: bytes
    guard: bytes | None
    rest: bytes
    used: int
    written: int
    access: int
    reach: Reach | None


class Reach(NamedTuple):
    """Octets [low, high) off the register `base`, which need the page table's `bit`."""

    base: int
    low: int
    high: int
    bit: int


class Codes(dict[Form, Code]):
    """The codes made so far. `checks` is whether accesses are checked in the code."""

    def __init__(self, checks: bool) -> None:
        super().__init__()
        self._checks = checks

    def __missing__(self, form: Form) -> Code:
        code = self[form] = _code_of(form, self._checks)
        return code


# A format of `bytes` and what fills its holes: operands x and y as i64, X and Y as their low halves. Without holes it
# is the bytes.
Holed = tuple[bytes, str]


@dataclass(frozen=True, eq=False)
class Template:
    """A `Code` with holes for immediates. `width` is how many octets are accessed, off the register `base` if any."""

    text: Holed
    guard: Holed | None
    rest: Holed
    used: int
    written: int
    access: int
    base: int | None
    width: int


def _code_of(form: Form, checks: bool) -> Code:
    instruction = form.instruction
    template = template_of(instruction.row, instruction.a, instruction.b, instruction.d, checks)
    text, rest, guard, reach = _filled(template.text, instruction), _filled(template.rest, instruction), None, None
    access, base = template.access, template.base
    if checks and access:
        if base is None:
            guard, rest = is_refused_at(instruction.x & 0xFFFFFFFF, template.width, access), text
        else:
            offset = instruction.x - (1 << 64) if instruction.x >> 63 else instruction.x
            reach = Reach(base, offset, offset + template.width, access)
    if guard is None and template.guard is not None:
        guard = _filled(template.guard, instruction)
    return Code(form, text, guard, rest, template.used, template.written, access, reach)


@cache
def template_of(row: Row, a: int, b: int, d: int, checks: bool) -> Template:
    """The template of a row with the operand registers a, b and d."""
    free = Operands({"a": a, "b": b, "d": d}, False)
    effects = row.effects
    guarded: tuple[bytes, ...] = ()
    after = b""
    match effects[-1] if effects else None:
        case Jump(_, test) if test is not None:
            text = condition(test, free)
        case HostCall(number):
            text = value(number, free)
        case DynamicJump(address):
            # Computed before registers change: load_imm_jump_ind may set the one it reads.
            text = low(address, free) + local_set(ADDRESS)
            after = b"".join(effect_code(effect, free) for effect in effects)
        case Sbrk(field, amount):
            text, after = value(amount, free), free.set_register(field)
        case _:
            text = b"".join(effect_code(effect, free) for effect in effects)
            if checks and row.accesses_memory:
                careful = Operands(free.registers, True)
                code = b"".join(effect_code(effect, careful) for effect in effects)
                before, _, behind = code.partition(_GUARD)
                guarded = before, behind
    access, field, width = _access(row)
    return Template(
        _format(text), _format(guarded[0]) if guarded else None, _format(guarded[1] if guarded else after),
        _bits(free.used), _bits(free.written), access, free.registers[field] if field else None, width,
    )  # fmt: skip


def _format(text: bytes) -> Holed:
    parts = _HOLES.split(text)
    if len(parts) == 1:
        return text, ""
    return b"%b".join(part.replace(b"%", b"%%") for part in parts[::2]), b"".join(parts[1::2]).decode()


def _filled(holed: Holed, instruction: Instruction) -> bytes:
    format, names = holed
    if not names:
        return format
    if len(names) == 1:
        return format % _IMMEDIATES[names](instruction)
    return format % tuple([_IMMEDIATES[name](instruction) for name in names])


_IMMEDIATES: dict[str, Callable[[Instruction], bytes]] = {
    "x": lambda instruction: i64_const(instruction.x),
    "y": lambda instruction: i64_const(instruction.y),
    "X": lambda instruction: i32_const(instruction.x & 0xFFFFFFFF),
    "Y": lambda instruction: i32_const(instruction.y & 0xFFFFFFFF),
}


def _bits(registers: set[int]) -> int:
    return sum(1 << number for number in registers)


def _access(row: Row) -> tuple[int, str, int]:
    """How a row accesses memory (0: not at all), the base register's field, "" for an absolute address, the width."""
    for effect in row.effects:
        for node in walk(effect):
            if isinstance(node, Load | Store):
                access = READS if isinstance(node, Load) else WRITES
                match node.address:
                    case Binary("add", Reg(field), Imm("x")):
                        return access, field, node.width
                    case Imm("x"):
                        return access, "", node.width
                    case _:
                        raise NotImplementedError(f"{row.name}: an address other than an immediate, or off a register")
    return 0, "", 0


class Operands:
    """Operands of a template: `pvm.emit.lower.Binding` for the recompiler.

    Registers are locals, immediates holes. The marker `_GUARD` stands behind what tells whether an access is refused,
    when accesses are checked.
    """

    def __init__(self, registers: dict[str, int], checks: bool) -> None:
        self.registers, self.checks = registers, checks
        self.used: set[int] = set()
        self.written: set[int] = set()

    def register(self, field: str) -> bytes:
        number = self.registers[field]
        self.used.add(number)
        return local_get(FIRST_REGISTER + number)

    def register_low(self, field: str) -> bytes:
        return self.register(field) + op("i32.wrap_i64")

    def set_register(self, field: str) -> bytes:
        """Set the register to what is on the stack."""
        number = self.registers[field]
        self.written.add(number)
        return local_set(FIRST_REGISTER + number)

    def immediate(self, field: str) -> bytes:
        return _MARK + field.encode()

    def immediate_low(self, field: str) -> bytes:
        return _MARK + field.upper().encode()

    def load(self, width: int, signed: bool, address: bytes) -> bytes:
        return self.checked(address, width, READS) + guest_load(width, signed)

    def checked(self, address: bytes, width: int, bit: int) -> bytes:
        """Push the address; before that, when accesses are checked, whether the guest has no access there."""
        if not self.checks:
            return address
        return address + local_set(ADDRESS) + is_refused(ADDRESS, width, bit) + _GUARD + local_get(ADDRESS)

    def helper(self, name: str) -> bytes:
        return sequence(name, SCRATCH)


def effect_code(effect: Effect, bind: Operands) -> bytes:
    """A straight effect; nothing for any other."""
    match effect:
        case SetReg(field, expr):
            return value(expr, bind) + bind.set_register(field)
        case Store(width, address, expr):
            return bind.checked(low(address, bind), width, WRITES) + value(expr, bind) + guest_store(width)
        case _:
            return b""


def load_register(number: int) -> bytes:
    """From the state into its local."""
    return i32_const(0) + load("i64.load", abi.REGISTERS + 8 * number, ENGINE) + local_set(FIRST_REGISTER + number)


def store_register(number: int) -> bytes:
    """From its local into the state."""
    return i32_const(0) + local_get(FIRST_REGISTER + number) + store("i64.store", abi.REGISTERS + 8 * number, ENGINE)
