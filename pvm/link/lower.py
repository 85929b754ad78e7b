"""RISC-V to PVM, an instruction at a time: exact, and not yet short.

In: the sections of code in a `Layout`. Out: `Op`s with labels, in the order of the sections. Registers map one to one;
x0 becomes `ZERO`, which `fuse` replaces. Raises InputError with the function, the octet in it and the word of what
cannot be linked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pvm.errors import InputError
from pvm.isa.spec import Spec
from pvm.link import relocations as kinds
from pvm.link.compressed import expand
from pvm.link.elf import Relocation
from pvm.link.expansions import atomic, bit, or_combine, shift_add, zero_if
from pvm.link.layout import Key, Layout, Pointers
from pvm.link.ops import LABEL, ZERO, Op
from pvm.link.places import described
from pvm.link.polkavm import POINTERS, Metadata, number_imports
from pvm.link.relocations import name_of
from pvm.link.resolve import Place
from pvm.link.riscv import Decoded, decode

# x0 to x15; gp and tp have no place among the PVM's 13 registers; tp is read as 0.
TP = 4
REGISTERS: tuple[int | None, ...] = (ZERO, 0, 1, None, None, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)


class Found(NamedTuple):
    """An instruction and the relocations at its octet."""

    offset: int
    decoded: Decoded
    relocations: tuple[Relocation, ...]


class Code(NamedTuple):
    """What `lower` makes. `entries` are labels of what was asked for, `sections` number the `at` of `Op`s."""

    ops: list[Op]
    sections: tuple[tuple[int, int], ...]
    imports: tuple[Metadata, ...]


class _Section:
    """One section of code: its instructions, and where it jumps."""

    def __init__(self, layout: Layout, number: int, pointers: Pointers) -> None:
        self.layout, self.number, self.pointers = layout, number, pointers
        self.file, self.index = layout.code[number]
        self.section = layout.resolved.files[self.file].sections[self.index]
        self.found: list[Found] = []
        self.high: dict[int, int] = {}  # values that `auipc` begins, by its octet
        self.imports: dict[int, Place] = {}  # metadata of imported functions, by the octet of the call

    def error(self, offset: int, text: str) -> InputError:
        """The error about the instruction at an octet."""
        file = self.layout.resolved.files[self.file]
        return InputError(f"{file.name}: {described(file, self.index, offset)}: {text}")

    def read(self) -> None:
        """Decode all of it, and note what `auipc` begins."""
        data, size = self.section.data, len(self.section.data)
        relocations, next_one = self.section.relocations, 0
        offset = 0
        while offset < size:
            here = []
            while next_one < len(relocations) and relocations[next_one].offset <= offset:
                relocation = relocations[next_one]
                next_one += 1
                if relocation.kind not in kinds.IGNORED:
                    if relocation.offset < offset:
                        raise self.error(relocation.offset, f"{name_of(relocation.kind)} inside an instruction")
                    here.append(relocation)
            if size - offset < 2:
                raise self.error(offset, "the section ends inside an instruction")
            low = int.from_bytes(data[offset : offset + 2], "little")
            try:
                if low & 3 == 3:
                    if size - offset < 4:
                        raise InputError("the section ends inside an instruction")
                    decoded = decode(low | int.from_bytes(data[offset + 2 : offset + 4], "little") << 16)
                else:
                    decoded = expand(low)
            except InputError as error:
                raise self.error(offset, str(error)) from None
            if decoded.row.rule == "import":
                relocation = relocations[next_one] if next_one < len(relocations) else Relocation(0, 0, 0, 0)
                if relocation.offset != offset + 4 or relocation.kind not in POINTERS:
                    raise self.error(offset, "an import without a pointer to its metadata")
                next_one += 1
                self.imports[offset] = self.place(relocation)
            self.found.append(Found(offset, decoded, tuple(here)))
            for relocation in here:
                if relocation.kind in kinds.PC_HIGH:
                    place = self.place(relocation)
                    is_pair = relocation.kind == kinds.PAIR_HIGH
                    is_slot = is_pair or relocation.kind in kinds.GOT_HIGH
                    value = self.pointers.value(place)
                    self.high[offset] = self.pointers.slot(place, is_pair) if is_slot else value
            offset += decoded.size

    def place(self, relocation: Relocation) -> Place:
        """What a relocation is about."""
        return self.layout.place(self.file, relocation)


def lower(layout: Layout, pointers: Pointers, entries: tuple[Key, ...], spec: Spec) -> Code:
    """All code as PVM instructions; imported host calls get the version's numbers.

    Adds to `pointers` what the code points to. Raises InputError.
    """
    numbers = {key: number for number, key in enumerate(layout.code)}
    sections = [_Section(layout, number, pointers) for number in range(len(layout.code))]
    for section in sections:
        section.read()
    imported = number_imports(
        layout.resolved, (place for section in sections for place in section.imports.values()), spec
    )
    writers = [_Writer(section, numbers, imported) for section in sections]
    targets: set[str] = {label(numbers, entry) for entry in entries}
    for writer in writers:
        writer.write()
        targets |= writer.targets
    targets |= {label(numbers, key) for key in pointers.indices}
    ops: list[Op] = []
    for writer in writers:
        writer.put_labels(targets, ops)
    if targets:
        number, _, offset = min(targets).partition("+")
        raise sections[int(number)].error(int(offset, 16), "a jump to there, which is no start of an instruction")
    found = sorted(set(imported.values()), key=lambda one: (one.number or 0, one.symbol))
    return Code(ops, layout.code, tuple(found))


def label(numbers: dict[tuple[int, int], int], key: Key | Place) -> str:
    """The label of a place in code. Raises InputError for one that is in no section of code."""
    number = numbers.get((key.file, key.section))
    if number is None:
        raise InputError("a jump to what is no code")
    return f"{number}+{key.offset:#x}"


class _Writer:
    """Makes the ops of one section."""

    def __init__(
        self, section: _Section, numbers: dict[tuple[int, int], int], imported: Mapping[Place, Metadata]
    ) -> None:
        self._section, self._numbers, self._imported = section, numbers, imported
        self.targets: set[str] = set()
        self._ops: list[Op] = []
        self._starts: list[tuple[int, int]] = []  # octet, number of ops before it
        self._offset = 0

    def write(self) -> None:
        """Make the ops."""
        skip = False
        for index, found in enumerate(self._section.found):
            self._offset = found.offset
            self._starts.append((found.offset, len(self._ops)))
            if skip:
                skip = False
                continue
            calls = [relocation for relocation in found.relocations if relocation.kind in kinds.CALLS]
            after = self._section.found[index + 1] if index + 1 < len(self._section.found) else None
            try:
                if calls:
                    skip = self._call(calls[0], found.decoded, after)
                elif found.decoded.row.rule == "auipc" and not found.relocations and _is_pair(found.decoded, after):
                    assert after is not None
                    at = found.offset + found.decoded.imm + after.decoded.imm
                    target = self._target(Place(self._section.file, self._section.index, at))
                    self._jump(register(after.decoded.rd), target)
                    skip = True
                else:
                    self._one(found)
            except InputError as error:
                raise self._section.error(found.offset, str(error)) from None

    def put_labels(self, targets: set[str], ops: list[Op]) -> None:
        """Append the ops with those of `targets` that are here, which are taken out of the set."""
        done = 0
        base = self._section.number << 32
        for offset, count in self._starts:
            name = f"{self._section.number}+{offset:#x}"
            if name in targets:
                targets.discard(name)
                ops += self._ops[done:count]
                done = count
                ops.append(Op(LABEL, x=name, at=base | offset))
        ops += self._ops[done:]
        name = f"{self._section.number}+{len(self._section.section.data):#x}"
        if name in targets:  # where compilers let code end that is never reached
            targets.discard(name)
            ops.append(Op(LABEL, x=name, at=base | self._offset))
        elif self._ops and self._ops[-1].name == "trap":
            return
        ops.append(Op("trap", at=base | self._offset))  # nothing comes after a section

    def emit(self, name: str, a: int = 0, b: int = 0, d: int = 0, x: int | str = 0, y: int | str = 0) -> None:
        """Append an op."""
        self._ops.append(Op(name, a, b, d, x, y, self._section.number << 32 | self._offset))

    def _target(self, place: Place) -> str:
        name = label(self._numbers, place)
        self.targets.add(name)
        return name

    def _call(self, relocation: Relocation, first: Decoded, second: Found | None) -> bool:
        """Make a call; whether it took both instructions."""
        if first.row.rule == "jal":  # the linker that kept the relocation has made the call short
            self._jump(register(first.rd), self._target(self._section.place(relocation)))
            return False
        if first.row.rule != "auipc" or second is None or second.decoded.row.rule != "jalr":
            raise InputError(f"{name_of(relocation.kind)} belongs to auipc and jalr")
        place = self._section.place(relocation)
        if place.file == -1 and not place.offset:
            self.emit("trap")  # a call of a weak symbol that is defined nowhere
        else:
            self._jump(register(second.decoded.rd), self._target(place))
        return True

    def _jump(self, link: int, target: str) -> None:
        if link == ZERO:
            self.emit("jump", x=target)
        else:
            self.emit("load_imm_jump", a=link, x="", y=target)

    def _one(self, found: Found) -> None:
        decoded, imm, target = found.decoded, found.decoded.imm, None
        section = self._section
        for relocation in found.relocations:
            kind = relocation.kind
            if kind in kinds.HIGH:
                imm = high(section.pointers.value(section.place(relocation)))
            elif kind in kinds.LOW:
                imm = low(section.pointers.value(section.place(relocation)))
            elif kind in kinds.PC_HIGH:
                imm = high(section.high[found.offset])
            elif kind in kinds.PC_LOW:
                imm = low(self._begun(section.place(relocation)))
            elif kind in kinds.TARGETS:
                target = self._target(section.place(relocation))
            else:
                raise InputError(f"{name_of(kind)} is not linked")
        if TP in (decoded.rs1, decoded.rs2):  # it is 0: thread-local storage has addresses of its own
            rs1, rs2 = (0 if number == TP else number for number in (decoded.rs1, decoded.rs2))
            decoded = decoded._replace(rs1=rs1, rs2=rs2)
        rule = decoded.row.rule
        if rule == "auipc" and not any(relocation.kind in kinds.PC_HIGH for relocation in found.relocations):
            raise InputError("auipc without a relocation: code has no address on the PVM")
        if rule == "lui" and not -(1 << 31) <= imm < 1 << 31:
            raise InputError(f"{imm:#x} does not fit lui")
        if rule in ("branch", "jal") and target is None:
            target = self._target(Place(section.file, section.index, found.offset + imm))
        _RULES[rule](self, decoded, imm, target or "")

    def _begun(self, place: Place) -> int:
        """The value that an `auipc` begins, for the instruction that adds the rest."""
        section = self._section
        if (place.file, place.section) != (section.file, section.index) or place.offset not in section.high:
            raise InputError("its auipc is not there")
        return section.high[place.offset]


def _is_pair(first: Decoded, second: Found | None) -> bool:
    """Whether `auipc` and `jalr` are a call inside the section, which the assembler has resolved itself."""
    if second is None or second.relocations or second.decoded.row.rule != "jalr":
        return False
    return second.decoded.rs1 == first.rd and (second.decoded.rd == first.rd or first.rd in (5, 6, 7))


def high(value: int) -> int:
    """What `lui` loads of a value: its upper 20 bits, rounded."""
    return (value + 0x800 >> 12) << 12


def low(value: int) -> int:
    """The rest, from -2,048 to 2,047."""
    return (value + 0x800 & 0xFFF) - 0x800


def register(number: int) -> int:
    """The PVM's register. Raises InputError for one that there is not."""
    found = REGISTERS[number] if number < len(REGISTERS) else None
    if found is None:
        why = "gp and tp have no register on the PVM" if number in (3, TP) else "RV64E has x0 to x15"
        raise InputError(f"register x{number}: {why}")
    return found


_Rule = Callable[[_Writer, Decoded, int, str], None]


def _constant(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit("load_imm", a=register(it.rd), x=imm)


def _jal(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out._jump(register(it.rd), target)


def _jalr(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    link = register(it.rd)
    if link == ZERO:
        out.emit("jump_ind", a=register(it.rs1), x=imm)
    else:
        out.emit("load_imm_jump_ind", a=link, b=register(it.rs1), x="", y=imm)


def _branch(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit(it.row.to, a=register(it.rs1), b=register(it.rs2), x=target)


def _load(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit(it.row.to, a=register(it.rd), b=register(it.rs1), x=imm)


def _store(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit(it.row.to, a=register(it.rs2), b=register(it.rs1), x=imm)


def _registers(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit(it.row.to, a=register(it.rs1), b=register(it.rs2), d=register(it.rd))


def _unary(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit(it.row.to, a=register(it.rs1), d=register(it.rd))


def _ecalli(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit("ecalli", x=imm & 0xFFF)


def _import(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit("ecalli", x=out._imported[out._section.imports[out._offset]].number or 0)


def _heap_base(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit("load_imm", a=register(it.rd), x=out._section.layout.names["__heap_base"])


def _memset(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    """a2 octets at a0 become a1's low one; then a0 is behind them, and a2 is 0."""
    again, after = (f"{out._section.number}{mark}{out._offset:#x}" for mark in "<>")
    a0, a1, a2 = 7, 8, 9
    out.emit(LABEL, x=again)
    out.emit("branch_eq_imm", a=a2, x=0, y=after)
    out.emit("store_ind_u8", a=a1, b=a0)
    out.emit("add_imm_64", a=a0, b=a0, x=1)
    out.emit("add_imm_64", a=a2, b=a2, x=-1)
    out.emit("jump", x=again)
    out.emit(LABEL, x=after)


def _conditional(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    if it.rd:
        out.emit(it.row.to, a=register(it.rs1), b=register(it.rs2), d=register(it.rd))


def _trap(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit("trap")


def _nothing(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    pass


def _refused(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    raise InputError("ecall: host calls have numbers of their own (pvm.h)")


def _expanded(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    rd, rs1, rs2 = register(it.rd), register(it.rs1), ZERO if it.row.rule == "orc_b" else 0
    if it.row.rule in ("atomic", "sc", "shift_add", "zero_if", "bit"):
        rs2 = register(it.rs2)
    scratch = out._section.layout.scratch
    match it.row.rule:
        case "lr":
            steps = [Op(it.row.to, a=rd, b=rs1)]
        case "sc":
            steps = [Op("store_ind_u32" if it.row.name.endswith("w") else "store_ind_u64", a=rs2, b=rs1)]
            steps.append(Op("load_imm", a=rd))
        case "atomic":
            steps = atomic(it.row.name, rd, rs1, rs2, scratch)
        case "shift_add":
            steps = shift_add(it.row.to, rd, rs1, rs2, scratch)
        case "shift_word":
            steps = [Op("shlo_l_imm_64", a=rd, b=rs1, x=32), Op("shlo_r_imm_64", a=rd, b=rd, x=32)]
            steps.append(Op("shlo_l_imm_64", a=rd, b=rd, x=imm))
        case "bit" | "bit_immediate":
            steps = bit(it.row.to, rd, rs1, imm if it.row.rule == "bit_immediate" else None, rs2, scratch)
        case "zero_if":
            steps = zero_if(it.row.to, rd, rs1, rs2)
        case _:
            steps = or_combine(rd, rs1, scratch)
    for step in steps:
        out.emit(*step[:6])


def _immediate(out: _Writer, it: Decoded, imm: int, target: str) -> None:
    out.emit(it.row.to, a=register(it.rd), b=register(it.rs1), x=imm)


_RULES: dict[str, _Rule] = {
    "lui": _constant, "auipc": _constant, "jal": _jal, "jalr": _jalr, "branch": _branch, "load": _load,
    "store": _store, "registers": _registers, "unary": _unary, "immediate": _immediate, "ecalli": _ecalli,
    "trap": _trap, "import": _import, "heap_base": _heap_base, "memset": _memset,
    "conditional": _conditional, "nothing": _nothing, "refused": _refused,
    **dict.fromkeys(("lr", "sc", "atomic", "shift_add", "shift_word", "bit", "bit_immediate", "zero_if", "orc_b"),
                    _expanded),
}  # fmt: skip
