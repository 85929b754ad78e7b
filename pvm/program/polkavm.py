"""PolkaVM blobs: the `.polkavm` files that polkatool links, read into the same parts as standard programs.

In: the bytes of a container: `PVM\\0`, a version octet, E_8 of its length, then sections, which are a number, their
length (E) and contents, up to section 0. Out: a frozen `PolkavmBlob`.

The version says which instruction set the code is in, and so which version of the Gray Paper numbers its opcodes:

    0  revive_v1   0.7.2, without sbrk
    1  latest32    registers of 32 bits: refused
    2  latest64    0.7.2, with memset and unlikely in places that 0.7.2 leaves empty: there both are traps
    3  jam_v1      0.8.0

Memory is laid out as A.7 lays it out. That is PolkaVM's own layout for a host that reserves 2^24 octets of auxiliary
data, which is where JAM's arguments lie; with less of them only the stack is elsewhere. Two differences are left: sizes
are limited as those of standard programs are, and the heap starts at a page, not right after the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pvm.errors import ProgramError
from pvm.lazy import lazy
from pvm.program.blob import Blob
from pvm.program.codec import in_bytes, read_fixed, read_natural, take
from pvm.program.debug_names import Function, read_functions
from pvm.program.standard import PAGE_SIZE, Sections, round_up

MAGIC = b"PVM\0"
MOST_IMPORTS = 1024  # PolkaVM takes no more
MOST_EXPORTS = 1 << 16  # ours: a list of more would cost a hundred times its bytes
_HEADER = len(MAGIC) + 1 + 8
_END, _MEMORY, _READ_ONLY, _READ_WRITE, _IMPORTS, _EXPORTS, _CODE = range(7)
_OPTIONAL = 128  # sections from here on need not be understood
_STRINGS, _LINE_PROGRAMS, _LINE_RANGES = range(_OPTIONAL, _OPTIONAL + 3)
_NAMES = {
    _MEMORY: "memory", _READ_ONLY: "read-only data", _READ_WRITE: "read-write data", _IMPORTS: "imports",
    _EXPORTS: "exports", _CODE: "code and jump table", _STRINGS: "debug strings",
    _LINE_PROGRAMS: "debug line programs", _LINE_RANGES: "debug line program ranges",
}  # fmt: skip


@dataclass(frozen=True)
class InstructionSet:
    """What a container's version octet says. `spec` has the opcodes' numbers, `others` what it has at none of them."""

    version: int
    name: str
    spec: str | None
    others: tuple[tuple[int, str], ...] = ()


INSTRUCTION_SETS: tuple[InstructionSet, ...] = (
    InstructionSet(0, "revive_v1", "0.7.2"),
    InstructionSet(1, "latest32", None),
    InstructionSet(2, "latest64", "0.7.2", ((2, "memset"), (3, "unlikely"))),
    InstructionSet(3, "jam_v1", "0.8.0"),
)


@dataclass(frozen=True)
class Part:
    """A section of the container: `size` octets of contents from `offset` on."""

    number: int
    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Export:
    """A pc at which the host may enter, by name."""

    name: str
    pc: int


@dataclass(frozen=True)
class PolkavmBlob:
    """A container's contents.

    `imports` are symbols by the number with which `ecalli` calls them; "" where a number is left out. Symbols that are
    no UTF-8 are hexadecimal with 0x. They may contain anything: escape them before they are shown.
    """

    data: bytes
    instruction_set: InstructionSet
    parts: tuple[Part, ...]
    sections: Sections
    blob: Blob
    imports: tuple[str, ...] = ()
    exports: tuple[Export, ...] = ()

    def __repr__(self) -> str:
        return f"<PolkavmBlob {self.instruction_set.name}: {self.blob!r}>"

    @property
    def spec(self) -> str:
        """The version of the Gray Paper that numbers its opcodes."""
        assert self.instruction_set.spec is not None
        return self.instruction_set.spec

    @lazy
    def functions(self) -> tuple[Function, ...]:
        """Where the debug sections say which function the code is of, by pc; nothing of it that cannot be read."""
        return read_functions(*(self._contents(number) for number in (_STRINGS, _LINE_PROGRAMS, _LINE_RANGES)))

    @lazy
    def foreign(self) -> tuple[tuple[str, int], ...]:
        """Instructions that no version of the Gray Paper has at their opcode, and how often the code has them."""
        counts = ((name, _count(self.blob, opcode)) for opcode, name in self.instruction_set.others)
        return tuple((name, count) for name, count in counts if count)

    def symbol(self, call: int | None) -> str | None:
        """The import that a host call's number means, None for one without a name."""
        return self.imports[call] or None if call is not None and call < len(self.imports) else None

    def _contents(self, number: int) -> bytes:
        return next((self.data[p.offset : p.offset + p.size] for p in self.parts if p.number == number), b"")


def parse_polkavm(data: bytes) -> PolkavmBlob:
    """Read a container. Raises ProgramError for what is no such container, and for instruction sets of 32 bits."""
    try:
        return _parse(data)
    except ProgramError as error:
        raise ProgramError(f"PolkaVM blob: {error}") from None


def _parse(data: bytes) -> PolkavmBlob:
    if not data.startswith(MAGIC):
        raise ProgramError("it does not begin with PVM\\0")
    version, offset = read_fixed(data, len(MAGIC), 1, "version")
    instruction_set = next((known for known in INSTRUCTION_SETS if known.version == version), None)
    if instruction_set is None:
        raise ProgramError(f"version {version} is unknown")
    if instruction_set.spec is None:
        raise ProgramError(f"its instruction set, {instruction_set.name}, has registers of 32 bits; only 64 can be run")
    length, _ = read_fixed(data, offset, 8, "length")
    if length != len(data):
        raise ProgramError(f"it has {in_bytes(len(data))}, not {length} as its header says")
    parts = tuple(_parts(data))
    contents: dict[int, bytes] = {}
    for part in parts:
        contents.setdefault(part.number, data[part.offset : part.offset + part.size])
    if not contents.get(_CODE):
        raise ProgramError("it has no code")
    sections = _sections(contents)
    try:
        blob = Blob.parse(contents[_CODE])
    except ProgramError as error:
        raise ProgramError(f"code and jump table: {error}") from None
    imports, exports = _imports(contents.get(_IMPORTS, b"")), _exports(contents.get(_EXPORTS, b""))
    return PolkavmBlob(data, instruction_set, parts, sections, blob, imports, exports)


def _parts(data: bytes) -> Iterator[Part]:
    """The sections, in the order of their numbers; those that need not be understood come last, in any order."""
    offset, before = _HEADER, _END
    while True:
        number, offset = read_fixed(data, offset, 1, "section number")
        if number == _END:
            break
        if number < _OPTIONAL and (number not in _NAMES or number <= before):
            wrong = "out of order" if number in _NAMES else "unknown"
            raise ProgramError(f"section {number} at offset {offset - 1} is {wrong}")
        before = min(number, _OPTIONAL)
        name = _NAMES.get(number, f"section {number}")
        size, offset = read_natural(data, offset, f"length of {name}")
        if offset + size > len(data):
            raise ProgramError(f"{name}: needs {in_bytes(size)} at offset {offset}, but only {len(data) - offset} left")
        yield Part(number, name, offset, size)
        offset += size
    if offset != len(data):
        raise ProgramError(f"{in_bytes(len(data) - offset)} left over after offset {offset}")


def _sections(contents: dict[int, bytes]) -> Sections:
    """What A.7 lays out: zeros after the data of the file become zeros of the section and heap pages."""
    memory, read_only, read_write = (contents.get(number, b"") for number in (_MEMORY, _READ_ONLY, _READ_WRITE))
    sizes, offset = [0, 0, 0], 0
    if memory:
        for index, what in enumerate(("read-only data size", "read-write data size", "stack size")):
            sizes[index], offset = read_natural(memory, offset, what)
    if offset != len(memory):
        raise ProgramError(f"memory: {in_bytes(len(memory) - offset)} left over")
    for data, size, what in ((read_only, sizes[0], "read-only data"), (read_write, sizes[1], "read-write data")):
        if len(data) > size:
            raise ProgramError(f"{what}: {in_bytes(len(data))}, more than its size, {size}")
    pages = (round_up(sizes[1], PAGE_SIZE) - round_up(len(read_write), PAGE_SIZE)) // PAGE_SIZE
    return Sections(read_only, read_write, pages, sizes[2], sizes[0] - len(read_only))


def _imports(data: bytes) -> tuple[str, ...]:
    """E(count), an offset of four octets for each symbol, and the symbols, which end where the next one begins."""
    if not data:
        return ()
    count, offset = read_natural(data, 0, "imports")
    if count > MOST_IMPORTS:
        raise ProgramError(f"imports: {count} are more than {MOST_IMPORTS}")
    table, offset = take(data, offset, 4 * count, "imports")
    symbols = data[offset:]
    starts = [int.from_bytes(table[at : at + 4], "little") for at in range(0, 4 * count, 4)]
    ends = [*starts[1:], len(symbols)]
    if any(start > end for start, end in zip(starts, ends[:count], strict=True)):
        raise ProgramError("imports: symbols are out of order, or beyond the section")
    return tuple(_symbol(symbols[start:end]) for start, end in zip(starts, ends[:count], strict=True))


def _exports(data: bytes) -> tuple[Export, ...]:
    """E(count), then a pc and a symbol with its length each. What follows them is ignored."""
    if not data:
        return ()
    count, offset = read_natural(data, 0, "exports")
    if count > MOST_EXPORTS:
        raise ProgramError(f"exports: {count} are more than {MOST_EXPORTS}")
    found: list[Export] = []
    for _ in range(count):
        pc, offset = read_natural(data, offset, "export")
        if pc >> 32:
            raise ProgramError(f"exports: the pc {pc} is not below 2^32")
        length, offset = read_natural(data, offset, "export")
        symbol, offset = take(data, offset, length, "export")
        found.append(Export(_symbol(symbol), pc))
    return tuple(found)


def _symbol(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return "0x" + octets.hex()


def _count(blob: Blob, opcode: int) -> int:
    """How many instructions have the opcode."""
    found, at = 0, blob.code.find(opcode)
    while at >= 0:
        found += blob.starts[at]
        at = blob.code.find(opcode, at + 1)
    return found
