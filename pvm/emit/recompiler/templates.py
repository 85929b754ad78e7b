"""Templates: the instructions of a row with the same registers as WebAssembly, with holes for their immediates.

In: a row, registers. Out: a frozen `Template`. Programs use the same rows on the same registers again and again: to
lower one takes 5 to 9 microseconds, to fill its template half of one. An immediate is never a number here: whatever its
length and use, WebAssembly has it as the LEB128 of its octets, read as a signed number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pvm import abi
from pvm.emit.guest import guest_load, guest_store, is_refused
from pvm.emit.helpers import LOCALS, sequence
from pvm.emit.lower import condition, low, value
from pvm.emit.state import ENGINE
from pvm.isa.expr import Binary, DynamicJump, Effect, HostCall, Imm, Jump, Load, Reg, Sbrk, SetReg, Store, walk
from pvm.isa.formats import Format
from pvm.isa.spec import Spec
from pvm.isa.table import Row
from pvm.lazy import lazy
from pvm.program.decode import decode_octets, immediate_length
from pvm.registers import REGISTER_COUNT
from pvm.wasm import I32, I64
from pvm.wasm.code import i32_const, i64_const, load, local_get, local_set, op, store

# Locals of a region's function.
ENTRY, CODE, PC, ADDRESS, GAS, SCRATCH = range(6)
FIRST_REGISTER = SCRATCH + LOCALS
LOCAL_TYPES = (I32,) * 3 + (I64,) * (1 + LOCALS + REGISTER_COUNT)

# `Template.access`
READS, WRITES = abi.READABLE, abi.WRITABLE

_UNLIKE = 8  # any offset below the first pages that a guest may access

# Holes: markers that no instruction's encoding contains by chance.
_MARK = b"\xff\xff\xff\xff\xff"
_GUARD = _MARK + b"g"
_HOLES = re.compile(re.escape(_MARK) + rb"([xy])")
_I32_CONST, _I64_CONST = i32_const(0)[:-1], i64_const(0)[:-1]

# A format of `bytes`, and for each of its holes where an instruction's octets have what fills it. Without holes it is
# the bytes.
Holed = tuple[bytes, tuple[slice, ...]]


@dataclass(frozen=True, eq=False)
class Template:
    """The instructions of a row with the same registers.

    `text` is all of it, or for a control instruction what comes before the jump or call: the test of a branch, the
    address of a dynamic jump, the number of a host call, the amount of an sbrk. The `rest` of a dynamic jump or an sbrk
    sets registers. `used` and `written` are sets of registers as bits. `access` is READS, WRITES or 0, `width` how many
    octets are accessed, off the register `base` if any. The octets of immediates are at `x` and `y`; with fewer octets
    than `length`, operands lie beyond them.
    """

    row: Row
    registers: dict[str, int]
    text: Holed
    rest: Holed
    used: int
    written: int
    access: int
    base: int | None
    width: int
    x: slice
    y: slice
    length: int

    @lazy
    def guarded(self) -> tuple[Holed, Holed]:
        """An access off a register that is checked: what pushes whether it is refused, and what accesses."""
        careful = Operands(self.registers, True)
        guard, _, rest = b"".join(effect_code(effect, careful) for effect in self.row.effects).partition(_GUARD)
        return _holed(guard, self.x, self.y), _holed(rest, self.x, self.y)


    @lazy
    def bare(self) -> Holed:
        """A store that nothing checks and no checkpoint comes before.

        Its address is written otherwise than a load's. Where compilers see that a store puts back what was loaded from
        the same address, they leave it out: memory of WebAssembly that can be read can be written, but not the guest's.
        """
        unlike = Operands(self.registers, False, _UNLIKE)
        return _holed(b"".join(effect_code(effect, unlike) for effect in self.row.effects), self.x, self.y)


@lru_cache(maxsize=1 << 15)
def template_of(head: bytes, spec: Spec) -> Template:
    """The template of the instructions that begin with `head` (`head_length`). Octets that it lacks count as 0."""
    _, _, row, a, b, d, *_ = decode_octets(head, len(head), spec)
    named = [field for field in row.format.immediates if field.length_octet is not None]
    length = immediate_length(head + bytes(2), 0, named[0], 0) if named else 0
    free = Operands({"a": a, "b": b, "d": d}, False)
    effects = row.effects
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
    x, y, end = _places(row.format, length)
    access, base, width = access_of(row)
    return Template(
        row, free.registers, _holed(text, x, y), _holed(after, x, y), _bits(free.used), _bits(free.written),
        access, free.registers[base] if base else None, width, x, y, end,
    )  # fmt: skip


def head_length(format: Format) -> int:
    """How many octets name the row, its registers and the lengths of immediates. They come first."""
    lengths = [field.length_octet for field in format.immediates if field.length_octet is not None]
    return 1 + max([0, *(field.octet for field in format.registers), *lengths])


def _places(format: Format, length: int) -> tuple[slice, slice, int]:
    """Where the octets of x and y are, and how many octets operands take however long the instruction is."""
    x, y, end = slice(0), slice(0), head_length(format)
    for field in format.immediates:
        if field.wide:
            end = field.start + 8
            x = slice(field.start, end)
        elif field.length_octet is not None:
            end = field.start + length
            x = slice(field.start, end)
        elif field.name == "x":
            x = slice(field.start, field.start + 4)
        else:
            y = slice(field.start + length, field.start + length + 4)
    return x, y, end


def _holed(text: bytes, x: slice, y: slice) -> Holed:
    parts = _HOLES.split(text)
    if len(parts) == 1:
        return text, ()
    return b"%b".join(part.replace(b"%", b"%%") for part in parts[::2]), tuple(
        x if name == b"x" else y for name in parts[1::2]
    )


def _bits(registers: set[int]) -> int:
    return sum(1 << number for number in registers)


def access_of(row: Row) -> tuple[int, str, int]:
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
    when accesses are checked. Stores have `offset` in the instruction, and their address is that much lower; so it
    may be beyond the memory when it should be in its first octets, which no guest may access.
    """

    def __init__(self, registers: dict[str, int], checks: bool, offset: int = 0) -> None:
        self.registers, self.checks, self.offset = registers, checks, offset
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
        return _I64_CONST + _MARK + field.encode()

    def immediate_low(self, field: str) -> bytes:
        return _I32_CONST + _MARK + field.encode()

    def load(self, width: int, signed: bool, address: bytes) -> bytes:
        return self.checked(address, width, READS) + guest_load(width, signed)

    def checked(self, address: bytes, width: int, bit: int) -> bytes:
        """Push the address; before that, when accesses are checked, whether the guest has no access there."""
        if not self.checks:
            return address + i32_const(-self.offset) + op("i32.add") if self.offset and bit == WRITES else address
        return address + local_set(ADDRESS) + is_refused(ADDRESS, width, bit) + _GUARD + local_get(ADDRESS)

    def helper(self, name: str) -> bytes:
        return sequence(name, SCRATCH)


def effect_code(effect: Effect, bind: Operands) -> bytes:
    """A straight effect; nothing for any other."""
    match effect:
        case SetReg(field, expr):
            return value(expr, bind) + bind.set_register(field)
        case Store(width, address, expr):
            return bind.checked(low(address, bind), width, WRITES) + value(expr, bind) + guest_store(width, bind.offset)
        case _:
            return b""


def load_register(number: int) -> bytes:
    """From the state into its local."""
    return i32_const(0) + load("i64.load", abi.REGISTERS + 8 * number, ENGINE) + local_set(FIRST_REGISTER + number)


def store_register(number: int) -> bytes:
    """From its local into the state."""
    return i32_const(0) + local_get(FIRST_REGISTER + number) + store("i64.store", abi.REGISTERS + 8 * number, ENGINE)
