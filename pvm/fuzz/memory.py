"""The second family: programs that work on memory. Loops over pages until these end, copies, pointers in memory, calls
with a stack.

In: a seed. Out: a `Case`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from pvm.fuzz.cases import ANSWERED, Case, signed, value
from pvm.isa import GP_072, GP_080, Spec
from pvm.program import PAGE_SIZE, assemble
from pvm.program.standard import HALT_ADDRESS
from pvm.registers import REGISTER_COUNT

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
    registers[7:11] = [value(random), random.getrandbits(64), random.getrandbits(8), random.randrange(16)]
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
        address = signed(_place(self.random, self.places))
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
