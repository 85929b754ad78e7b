"""Differential fuzzing: random programs whose whole course must be the same on every engine.

In: a seed. Out: a `Case` (program, page map, registers, gas, pc), and its `transcript` on an engine: everything that
can be observed at every exit, with faults repaired, host calls answered and gas refilled in between. Two engines agree
when their transcripts are equal.

There are two families. `random_case` makes programs of any octets and rows, most of which end soon. `memory_case` makes
programs that work: loops over pages until these end, copies, pointers in memory, calls with a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from pvm.isa import GP_072, GP_080, Row, Spec
from pvm.isa.expr import DynamicJump, HostCall, Imm, Jump, Load, SetReg, Store, walk
from pvm.machine import REGISTER_COUNT, AnyEngine, Exit, Machine, Reason
from pvm.program import PAGE_SIZE, Blob, Program, assemble, pack_bitmask
from pvm.program.assembly_syntax import encode_instruction
from pvm.program.standard import HALT_ADDRESS

ROUNDS = 12  # exits that a transcript goes past at most
ANSWERED = 5  # the host call that has a handler, where the host changes pages
_BLANK = bytes(PAGE_SIZE)
_PAGES = (0x0F000, 0x10000, 0x20000, 0x21000, 0x7FFFF000, 0x80000000, 0xFFFFE000, 0xFFFFF000)
_VALUES = (0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
           1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 2, HALT_ADDRESS)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A program and its start. `pages` are (address, access); `seed` decides what happens between exits.

    `contents` are (address, octets), written over the random contents of the pages. When gas has run out there are
    fewer than `refill` more. The host changes the access to `remapped` pages at host calls, of which it answers number
    `ANSWERED` by a handler.
    """

    seed: int
    kind: str
    program: bytes
    spec: str
    metering: str
    pc: int
    gas: int
    registers: tuple[int, ...]
    pages: tuple[tuple[int, str], ...]
    contents: tuple[tuple[int, bytes], ...] = ()
    refill: int = 40
    remapped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Observation:
    """What a host sees at an exit (None: after a step). `memory` holds the pages that are not all zero."""

    exit: Exit | None
    pc: int
    gas: int
    registers: tuple[int, ...]
    memory: tuple[tuple[int, bytes], ...]
    accesses: tuple[str | None, ...]


def random_case(seed: int) -> Case:
    """The case of a seed: one of four kinds of program, under either spec and metering."""
    random = Random(seed)
    spec = random.choice((GP_072, GP_072, GP_080))
    kind, make = random.choice(tuple(_KINDS.items()))
    blob = make(random, spec)
    pages = tuple((page, random.choice(("r", "rw", "rw"))) for page in _PAGES if random.random() < 0.5)
    # r0 often holds the address that halts, as in a standard program.
    first = HALT_ADDRESS if random.random() < 0.5 else _value(random)
    registers = (first, *(_value(random) for _ in range(REGISTER_COUNT - 1)))
    pc = 0 if random.random() < 0.8 else random.randrange(len(blob.code) + 3)
    gas = random.choice((random.randrange(12), random.randrange(100), 1000, 5000))
    metering = random.choice(("instruction", "block"))
    return Case(seed, kind, blob.encode(), spec.name, metering, pc, gas, registers, pages)


def transcript(case: Case, engine: AnyEngine) -> list[Observation]:
    """Run the case on an engine that was made for its spec and metering."""
    random = Random(case.seed)
    return list(_observations(case, start(case, engine, random=random), random))


def start(case: Case, engine: AnyEngine, gas: int | None = None, random: Random | None = None) -> Machine:
    """A machine at the case's start, with its handler, and its gas or other gas; `random` fills the pages."""
    remapped, random = case.remapped, random or Random(case.seed)

    def answer(machine: Machine) -> None:
        """Change a page's rights and a register, as the registers say: the same on every engine."""
        choice = machine.registers[8] ^ machine.registers[9]
        page = remapped[choice % len(remapped)]
        machine.memory.map(page, PAGE_SIZE, ("rw", "r", None, "rw")[choice >> 8 & 3])
        machine.memory.write(page + (choice >> 16 & 0xFFF), b"\x5a")
        machine.registers[7] = machine.memory.read(page, 8)[choice & 7]

    program, host = Program.parse(case.program, format="plain"), {ANSWERED: answer} if remapped else None
    machine = engine.instantiate(program, gas=case.gas if gas is None else gas, pc=case.pc, host=host)
    for address, access in case.pages:
        machine.memory.map(address, PAGE_SIZE, access)
        machine.memory.write(address, random.randbytes(PAGE_SIZE))
    for address, data in case.contents:
        machine.memory.write(address, data)
    machine.registers[:] = case.registers
    return machine


def _observations(case: Case, machine: Machine, random: Random) -> Iterator[Observation]:
    pages = observed_pages(case)
    for _ in range(ROUNDS):
        exit = machine.step() if random.random() < 0.3 else machine.run()
        yield observe(machine, exit, pages)
        if exit is None:
            continue
        if not _go_on(case, machine, exit, random):
            return


def observed_pages(case: Case) -> list[int]:
    """The pages that are looked at: those that may be mapped, and those behind them."""
    mapped = (*_PAGES, 0, *(address for address, _ in case.pages), *case.remapped)
    return sorted({page for address in mapped for page in (address, (address + PAGE_SIZE) % (1 << 32))})


def observe(machine: Machine, exit: Exit | None, pages: list[int]) -> Observation:
    """All that a host can see now."""
    contents = ((page, machine.memory.read(page, PAGE_SIZE)) for page in pages)
    accesses = tuple(machine.memory.access(page) for page in pages)
    memory = tuple((page, data) for page, data in contents if data != _BLANK)
    return Observation(exit, machine.pc, machine.gas, tuple(machine.registers), memory, accesses)


def _go_on(case: Case, machine: Machine, exit: Exit, random: Random) -> bool:
    """Do what a host might do at an exit; False to end there."""
    match exit.reason:
        case Reason.HOST_CALL:
            machine.registers[7] = _value(random)
            if random.random() < 0.3:
                machine.gas = random.randrange(50)
            if case.remapped:
                machine.memory.map(random.choice(case.remapped), PAGE_SIZE, random.choice(("rw", "r", None)))
        case Reason.PAGE_FAULT if exit.address is not None:
            repairs = ("rw", "rw", "rw", "rw", "r", None) if case.remapped else ("r", "rw", "rw", None)
            machine.memory.map(exit.address, PAGE_SIZE, random.choice(repairs))
        case Reason.OUT_OF_GAS:
            machine.gas = random.randrange(case.refill)
        case _:
            if random.random() < 0.5:
                return False
            machine.pc = random.randrange(64)
    return True


def _value(random: Random) -> int:
    choice = random.random()
    if choice < 0.4:
        return random.choice(_VALUES)
    if choice < 0.75:  # near a page's edge
        return (random.choice(_PAGES) + random.choice((0, 1, 8, PAGE_SIZE - 4, PAGE_SIZE - 1, PAGE_SIZE))) % (1 << 32)
    if choice < 0.9:  # a jump table address
        return random.randrange(24)
    return random.getrandbits(64)


# --- programs of any octets and rows ---------------------------------------------------------------------------------


def _noise(random: Random, spec: Spec) -> Blob:
    """Random octets under a random bitmask, dense or sparse."""
    length = random.randrange(120)
    density = random.choice((0.02, 0.2, 0.5, 1.0))
    starts = bytes(random.random() < density for _ in range(length))
    opcodes = list(spec.opcodes.values())
    code = bytes(
        random.choice(opcodes) if start and random.random() < 0.9 else random.getrandbits(8) for start in starts
    )
    return _blob(code, starts, tuple(random.randrange(length + 4) for _ in range(random.randrange(8))))


def _structured(random: Random, spec: Spec) -> Blob:
    """Basic blocks that jump to each other, with a jump table to them."""
    blocks = [
        [random.choice(_straight(spec)) for _ in range(random.randrange(6))] + [random.choice(_ends(spec))]
        for _ in range(random.randrange(1, 10))
    ]
    return _assembled(random, spec, blocks)


def _one_row(random: Random, spec: Spec) -> Blob:
    """One row again and again, so that its operands meet many values."""
    row = random.choice(_straight(spec))
    return _assembled(random, spec, [[row] * random.randrange(1, 12) + [random.choice(_ends(spec))]])


def _mutated(random: Random, spec: Spec) -> Blob:
    """A structured program with a few octets or marks changed."""
    blob = _structured(random, spec)
    code, starts = bytearray(blob.code), bytearray(blob.starts)
    for _ in range(random.randrange(1, 4)):
        place = random.randrange(len(code))
        if random.random() < 0.5:
            code[place] = random.getrandbits(8)
        else:
            starts[place] ^= 1
    return _blob(bytes(code), bytes(starts), blob.jump_table)


_KINDS: dict[str, Callable[[Random, Spec], Blob]] = {
    "noise": _noise,
    "structured": _structured,
    "one row": _one_row,
    "mutated": _mutated,
}


def _blob(code: bytes, starts: bytes, jump_table: tuple[int, ...]) -> Blob:
    return Blob(code, pack_bitmask(starts), jump_table, 4 if jump_table else 0)


def _straight(spec: Spec) -> list[Row]:
    return [row for row in spec.rows if not row.ends_block]


def _ends(spec: Spec) -> list[Row]:
    return [row for row in spec.rows if row.ends_block]


def _assembled(random: Random, spec: Spec, blocks: list[list[Row]]) -> Blob:
    """Encode blocks. Offsets take two octets, so that places are known before targets are."""
    plans = [[(row, _widths(random, row)) for row in block] for block in blocks]
    place = 0
    starts_of_blocks = []
    for plan in plans:
        starts_of_blocks.append(place)
        for row, widths in plan:
            place += len(encode_instruction(row.format, 0, dict.fromkeys(row.format.fields, 0), widths))
    code, starts = bytearray(), bytearray()
    for plan in plans:
        for row, widths in plan:
            values = {field.name: random.randrange(REGISTER_COUNT) for field in row.format.registers}
            returns = any(isinstance(effect, DynamicJump) for effect in row.effects) and random.random() < 0.4
            if returns:
                values = dict.fromkeys(values, 0)
            for field in row.format.immediates:
                target = random.choice(starts_of_blocks) if random.random() < 0.9 else random.randrange(place + 4)
                immediate = 0 if returns else _immediate(random, row)
                values[field.name] = target - len(code) if field.offset else immediate
            octets = encode_instruction(row.format, spec.opcodes[row.name], values, widths)
            starts += b"\1" + bytes(len(octets) - 1)
            code += octets
    targets = tuple(random.choice(starts_of_blocks) for _ in range(random.randrange(6)))
    return _blob(bytes(code), bytes(starts), targets)


def _widths(random: Random, row: Row) -> tuple[int, ...]:
    return tuple(8 if f.wide else 2 if f.offset else random.choice((1, 2, 4, 4)) for f in row.format.immediates)


def _immediate(random: Random, row: Row) -> int:
    """A signed immediate: small where it is added to an address, a page's edge where it is one."""
    uses_address = any(isinstance(node, Load | Store | DynamicJump) for e in row.effects for node in walk(e))
    if uses_address and any(isinstance(effect, Store | SetReg) for effect in row.effects):
        is_absolute = any(
            isinstance(node, Load | Store) and isinstance(node.address, Imm) for e in row.effects for node in walk(e)
        )
        if is_absolute:
            return _signed(_value(random))
    if any(isinstance(effect, HostCall | Jump) for effect in row.effects) or random.random() < 0.5:
        return random.choice((0, 1, 2, 4, -1, -8, 8, 100))
    return _signed(_value(random))


def _signed(value: int) -> int:
    """The low 32 bits as a signed number."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


# --- programs that work on memory ------------------------------------------------------------------------------------

_AREAS = (0x10000, 0x20000, 0x3FFFE000, 0x7FFFE000, 0xFFFFA000)
_STACK, _TABLE = 0x50000, 0x60000  # pages of the stack, and of addresses that programs load
_STRIDES = (1, 2, 3, 4, 7, 8, 8, 16, 31, 64, 256, 1000, 2047, 4088, 4095, 4096, 4097)
_TYPES, _STORED = ("u8", "i8", "u16", "i16", "u32", "i32", "u64", "u64"), ("u8", "u16", "u32", "u64", "u64")
_OPERATIONS = ("add_64", "xor", "sub_64", "mul_64", "or", "rot_l_64", "cmov_nz", "max_u", "add_32", "set_lt_u")
# What registers are for. r5 points to the table, r7 is what host calls change, r10 an index, r11 a stride.
_POINTERS, _VALUES_IN, _COUNTERS = ("r2", "r3", "r4"), ("r8", "r9"), ("r6", "r12")


def memory_case(seed: int) -> Case:
    """The case of a seed: a program that works on memory, under either spec and metering."""
    random = Random(f"memory {seed}")
    spec = random.choice((GP_072, GP_072, GP_080))
    pages = {_TABLE: random.choice(("r", "rw")), _STACK - PAGE_SIZE: "rw"}
    if random.random() < 0.5:
        pages[_STACK - 2 * PAGE_SIZE] = "rw"
    for area in random.sample(_AREAS, random.randrange(1, 4)):
        for number in range(random.randrange(1, 6)):
            if access := random.choice(("rw", "rw", "rw", "rw", "rw", "r", "")):
                pages[area + number * PAGE_SIZE] = access
    places = [page for page in pages if page not in (_TABLE, _STACK - PAGE_SIZE)] or [_TABLE]
    source = _Writer(random, spec, places).source()
    registers = [0] * REGISTER_COUNT
    registers[:2] = [HALT_ADDRESS, _STACK]
    registers[2:6] = [*(_place(random, places) for _ in _POINTERS), _TABLE]
    registers[6], registers[12] = random.randrange(1, 30), random.randrange(1, 30)
    registers[7:11] = [_value(random), random.getrandbits(64), random.getrandbits(8), random.randrange(16)]
    registers[11] = random.choice((1, -1)) * random.choice(_STRIDES) % (1 << 64)
    table = b"".join(_place(random, places).to_bytes(8, "little") for _ in range(32))
    remapped = (*places, (places[-1] + PAGE_SIZE) % (1 << 32))
    gas = random.choice((random.randrange(20), random.randrange(300), 1500, 1500))
    metering, program = random.choice(("instruction", "block")), assemble(source, spec).encode()
    return Case(
        seed, "memory", program, spec.name, metering, 0, gas, tuple(registers), tuple(pages.items()),
        ((_TABLE, table),), random.choice((20, 400)), remapped,
    )  # fmt: skip


def _place(random: Random, places: list[int]) -> int:
    """An address in a page, often near its edges."""
    offset = random.choice((0, 1, 8, random.randrange(PAGE_SIZE), PAGE_SIZE - 64, PAGE_SIZE - 8, PAGE_SIZE - 4))
    return random.choice(places) + offset


class _Writer:
    """Writes a program's assembly: statements that nest, functions behind them, labels in the jump table."""

    def __init__(self, random: Random, spec: Spec, places: list[int]) -> None:
        self.random, self.spec, self.places = random, spec, places
        self.lines: list[str] = []
        self.labels = 0
        self.dynamic: list[str] = []  # labels in the jump table
        self.functions = [f"function{number}" for number in range(random.randrange(3))]
        self.depth = 0  # of loops
        self.left = random.choice((6, 12, 25))  # statements
        self.simple = random.sample(_SIMPLE, random.randrange(2, len(_SIMPLE)))

    def source(self) -> str:
        self.body(self.random.randrange(2, 9))
        self.write(self.random.choice(("trap", f"load_imm_64 r0, {HALT_ADDRESS}\njump_ind r0", "fallthrough\ntrap")))
        for name in self.functions:
            self.write(f"{name}:\nadd_imm_64 r1, r1, -8\nstore_ind_u64 [r1], r0")
            self.functions = self.functions[1:]  # a function calls only those behind it
            self.body(self.random.randrange(1, 4))
            self.write("load_ind_u64 r0, [r1]\nadd_imm_64 r1, r1, 8\njump_ind r0")
        return "\n".join([".code", *self.lines, *(f".jump_table {name}" for name in self.dynamic), ""])

    def write(self, text: str) -> None:
        self.lines.append(text)

    def new_label(self) -> str:
        self.labels += 1
        return f"label{self.labels}"

    def put(self, name: str) -> str:
        """A label here, often one that may be entered dynamically."""
        self.write(f"fallthrough\n{name}:")
        if self.random.random() < 0.25:
            self.dynamic.append(name)
        return name

    def body(self, count: int) -> None:
        for _ in range(count):
            if self.left <= 0 or self.random.random() < 0.55:
                self.straight(self.random.choice((1, 2, 3, 3, 6)))
                continue
            self.left -= 1
            choices: list[Callable[[], None]] = [self.branch, self.entry, self.long]
            if self.depth < len(_COUNTERS):
                choices += [self.loop, self.loop, self.loop, self.irreducible, self.walk]
            if self.functions:
                choices += [self.call, self.call]
            if self.dynamic:
                choices.append(self.jump)
            if "sbrk" in self.spec.opcodes:
                choices.append(self.sbrk)
            self.random.choice(choices)()

    def straight(self, count: int) -> None:
        self.lines += [self.filled(self.random.choice(self.simple)) for _ in range(count)]

    def filled(self, text: str) -> str:
        """A statement's text with its holes filled: p, q pointers, v, w values, t, s types, o an offset, ..."""
        choice = self.random.choice
        small = choice((0, 0, 0, 8, 16, -8, -1, 1, 4, 4088, -4096, self.random.randrange(-300, 300)))
        address = _signed(_place(self.random, self.places))
        return text.format(
            p=choice(_POINTERS), q=choice(_POINTERS), v=choice(_VALUES_IN), w=choice(_VALUES_IN), t=choice(_TYPES),
            s=choice(_STORED), o=small, a=address, n=choice(_STRIDES) * choice((1, 1, -1)), f=choice(_OPERATIONS),
            k=8 * self.random.randrange(32), i=self.random.randrange(-128, 128), c=choice((ANSWERED, ANSWERED, 1)),
            e=choice((*_VALUES_IN, "r7", "r10")),
        )  # fmt: skip

    def test(self, target: str) -> str:
        test = self.random.choice(("eq", "ne", "lt_u", "ge_u", "lt_s", "gt_s"))
        return f"branch_{test}_imm {self.random.choice(_VALUES_IN)}, {self.random.choice((0, 1, 127, -1))}, {target}"

    def branch(self) -> None:
        self.write(self.test(behind := self.new_label()))
        self.body(2)
        self.put(behind)

    def entry(self) -> None:
        self.dynamic.append(self.put(self.new_label()))

    def long(self) -> None:
        self.straight(self.random.choice((20, 40, 80, 80, 1100 if self.random.random() < 0.1 else 30)))

    def loop(self) -> None:
        counter, turns = _COUNTERS[self.depth], self.random.choice((1, 2, 3, 5, 9, 40))
        self.write(f"load_imm {counter}, {turns}")
        head = self.put(self.new_label())
        self.depth += 1
        self.body(self.random.randrange(1, 4))
        self.depth -= 1
        self.again(counter, head)

    def again(self, counter: str, head: str) -> None:
        self.write(f"add_imm_64 {counter}, {counter}, -1\nbranch_ne_imm {counter}, 0, {head}")

    def irreducible(self) -> None:
        """A loop that is entered at its head and in its middle."""
        counter = _COUNTERS[self.depth]
        head, middle = self.new_label(), self.new_label()
        self.write(f"load_imm {counter}, {self.random.choice((2, 3, 9))}\n{self.test(middle)}")
        self.depth += 1
        self.put(head)
        self.body(2)
        self.put(middle)
        self.body(2)
        self.depth -= 1
        self.again(counter, head)

    def walk(self) -> None:
        """A small loop over memory, until a page that the guest may not access or a count."""
        counter = _COUNTERS[self.depth]
        chance = self.random.random()
        self.write(f"load_imm {counter}, {self.random.choice((3, 20, 200))}")
        if chance < 0.6:  # loads of what the loop will overwrite
            self.write(self.filled("load_ind_{t} {v}, [r2 + {o}]\nload_ind_u64 {w}, [r2]\n{f} {v}, {w}, {e}"))
        elif chance < 0.9:  # nothing but registers changes between a store and the loop
            self.write(self.filled("store_ind_u64 [r5 + {k}], {v}\nadd_imm_64 {v}, {v}, {i}\n{f} r10, {w}, {e}"))
        head = self.put(self.new_label())
        for text in self.random.choice(_WALKS):
            self.write(self.filled(text))
        self.again(counter, head)
        if self.random.random() < 0.4:
            self.write(self.filled("load_ind_{t} {v}, [r5 + {k}]\nstore_ind_u64 [r5 + {k}], r6\nload_ind_u8 r9, [r2]"))

    def call(self) -> None:
        self.write(f"call {self.random.choice(self.functions)}")

    def jump(self) -> None:
        """To a label that the program finds in memory, or knows."""
        found = self.filled("load_ind_u8 r10, [{p} + {o}]\nand_imm r10, r10, 6\nadd_imm_64 r10, r10, 2")
        known = f"load_imm r10, {2 * self.random.randrange(1, len(self.dynamic) + 3)}"
        self.write(f"{self.random.choice((found, known))}\njump_ind r10")
        self.put(self.new_label())

    def sbrk(self) -> None:
        """Into the pages above 2^16, where the heap of a plain program is of use."""
        amount = self.random.choice((0, 1, 100, 4096, 5000, 0x10000, 0x12000, 0x30000, 1 << 40))
        pointer = self.random.choice(_POINTERS)
        self.write(f"load_imm_64 r10, {amount}\nsbrk r9, r10")
        self.write(self.random.choice((f"move_reg {pointer}, r9", f"add_64 {pointer}, r9, r10", "add_64 r8, r9, r10")))


_SIMPLE = (
    "load_ind_{t} {v}, [{p} + {o}]",
    "store_ind_{s} [{p} + {o}], {e}",
    "load_ind_{t} {v}, [{p} + {o}]\n{f} {v}, {v}, {e}\nstore_ind_{s} [{p} + {o}], {v}",
    "load_ind_{t} {v}, [{p}]\nstore_ind_{s} [{q}], {v}\nadd_imm_64 {p}, {p}, 8\nadd_imm_64 {q}, {q}, 8",
    "load_{t} {v}, [{a}]",
    "store_{s} [{a}], {e}",
    "store_imm_ind_{s} [{p} + {o}], {i}",
    "store_imm_{s} [{a}], {i}",
    "load_ind_u64 {p}, [r5 + {k}]",
    "load_ind_u8 r10, [{p} + {o}]\nadd_64 {q}, {q}, r10",
    "{f} {v}, {w}, {e}",
    "add_imm_64 {p}, {p}, {n}",
    "add_64 {p}, {p}, r11",
    "move_reg {p}, {q}",
    "store_ind_u64 [r5 + {k}], {p}",
    "ecalli {c}",
    "ecalli {c}",
)
_WALKS = (
    ("load_ind_{t} r8, [{p}]", "add_64 r9, r9, r8", "add_imm_64 r2, r2, {n}", "add_64 {p}, {p}, r11"),
    ("store_ind_{s} [r2], {e}", "add_imm_64 r2, r2, {n}"),
    ("store_ind_{s} [r2], r6", "add_imm_64 r2, r2, {n}", "add_64 {v}, {v}, r2"),
    ("store_ind_{s} [r2 + {o}], r6", "add_64 r2, r2, r11", "store_ind_{s} [r3], r12", "add_imm_64 r3, r3, {n}"),
    ("load_ind_u64 r8, [r3]", "store_ind_u64 [r2], r8", "add_imm_64 r2, r2, 8", "add_imm_64 r3, r3, 8"),
    ("load_ind_{t} r8, [r2]", "add_64 r8, r8, r6", "store_ind_{s} [r2], r8", "add_imm_64 r2, r2, {n}"),
    ("store_imm_ind_{s} [r4], {i}", "load_ind_{t} r9, [r4 + {o}]", "add_imm_64 r4, r4, {n}"),
    ("load_ind_u64 r4, [r5 + {k}]", "store_ind_{s} [r4], r6", "store_ind_u64 [r5 + {k}], r4"),
)
