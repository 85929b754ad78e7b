"""Objects made for polkatool: exported functions become entry points, imported ones host calls."""

from __future__ import annotations

import pytest

import pvm
from pvm.errors import InputError
from pvm.link import Linked, Options, link
from pvm.link.elf import Relocation, _without_sums
from pvm.link.relocations import NUMBERS
from pvm.link.riscv import decode
from tests.pvm.link.elves import CODE, DATA, JR_T0, RET, Elf, i_type, r_type, words
from tests.pvm.link.test_relocations import run, with_start

IMPORT = 0x0B


def metadata(name: str, index: int | None = None) -> bytes:
    """With a pointer of 0 in octets 9 to 16."""
    head = bytes([1 if index is None else 2]) + bytes(4) + len(name).to_bytes(4, "little") + bytes(8) + b"\2\1"
    return head if index is None else head + b"\1" + index.to_bytes(4, "little")


def describe(elf: Elf, name: str, index: int | None = None) -> str:
    """Metadata of a function in the object; the symbol that points to it."""
    section = elf.add(".polkavm_metadata", DATA, metadata(name, index) + name.encode(), f"meta {name}")
    elf.symbols.append((f"name {name}", section, len(metadata(name, index)), 0))
    elf.relocate(section, 9, "64", f"name {name}")
    return f"meta {name}"


def export(elf: Elf, name: str, symbol: str) -> None:
    section = elf.add(".polkavm_exports", 0, b"\1" + bytes(16))
    elf.relocate(section, 1, "64", describe(elf, name))
    elf.relocate(section, 9, "64", symbol)


def calling(*imports: tuple[str, int | None], pointer: str = "64") -> Elf:
    """`start` calls them all and returns; each call has a pointer of 64 bits behind it."""
    elf, start = with_start(*[word for _ in imports for word in (IMPORT, 0, 0)], RET)
    for number, (name, index) in enumerate(imports):
        elf.relocate(start, 12 * number + 4, pointer, describe(elf, name, index))
    return elf


def linked(elf: Elf, *entries: str, spec: str = "0.7.2") -> Linked:
    return link([("x.o", elf.encode())], Options(entries, spec=spec))


def numbers(found: Linked) -> list[int]:
    """The host calls that it makes."""
    machine = pvm.ReferenceEngine().instantiate(pvm.Program.parse(found.program.encode()), gas=1000)
    made = []
    while (exit := machine.run()).call is not None:
        made.append(exit.call)
    assert exit.reason is pvm.Reason.HALT
    return made


@pytest.mark.parametrize("pointer", ["64", "PCREL_HI20"])
def test_imports_with_an_index(pointer: str) -> None:
    found = linked(calling(("one", 77), ("two", 3), ("one ", 5), pointer=pointer), "start")
    assert numbers(found) == [77, 3, 5]
    assert [(one.symbol, one.number) for one in found.imports] == [("two", 3), ("one ", 5), ("one", 77)]


@pytest.mark.parametrize(("spec", "wanted"), [("0.7.2", [1, 4, 9]), ("0.8.0", [2, 5, 9])])
def test_imports_of_host_calls_by_their_names(spec: str, wanted: list[int]) -> None:
    found = linked(calling(("fetch", None), ("write", None), ("mine", 9)), "start", spec=spec)
    assert numbers(found) == wanted


def test_imports_without_any_index_count_in_order_of_their_names() -> None:
    assert numbers(linked(calling(("zebra", None), ("ant", None), ("bee", None)), "start")) == [2, 0, 1]


def test_a_name_that_means_nothing_beside_others_is_refused() -> None:
    with pytest.raises(InputError, match=r"x\.o: strange is imported without an index, and no host call of 0\.7\.2"):
        linked(calling(("fetch", None), ("strange", None)), "start")


def test_exports_are_the_entry_points() -> None:
    elf = Elf()
    for number, name in enumerate(("accumulate_ext", "other", "refine_ext"), 1):
        elf.add(f".text.f{number}", CODE, words(i_type(0x13, 10, 0, number), RET), f"f{number}")
        export(elf, name, f"f{number}")
    found = linked(elf)
    assert found.entries == (("refine_ext", 0), ("accumulate_ext", 5)) and found.program.format == "jam"
    assert run(found).registers[7] == 3
    assert run(linked(elf, "other")).registers[7] == 2
    assert run(linked(elf, "f1")).registers[7] == 1
    with pytest.raises(InputError, match="entry point othr: defined nowhere; did you mean other"):
        linked(elf, "othr")
    elf = Elf()
    elf.add(".text.f", CODE, words(RET), "f")
    for name in ("one", "two", "three"):
        export(elf, name, "f")
    assert linked(elf).entries == (("one", 0), ("two", 5), ("three", 10))


def test_the_stack_that_is_asked_for() -> None:
    elf, _ = with_start(RET)
    elf.add(".polkavm_min_stack_size", 0, (0x20000).to_bytes(4, "little") + (0x40000).to_bytes(4, "little"))
    sections = linked(elf, "start").program.sections
    assert sections is not None and sections.stack_size == 0x40000


def test_its_instructions() -> None:
    """th.mveqz, th.mvnez, memset, and where the heap begins."""
    for word, condition, wanted in ((0x4000100B, 0, 5), (0x4000100B, 1, 6), (0x4200100B, 0, 6), (0x4200100B, 1, 5)):
        move = r_type(word, 10, 11, 12)
        assert decode(move).row.name == ("th.mvnez" if word >> 25 & 1 else "th.mveqz")
        elf, _ = with_start(i_type(0x13, 10, 0, 6), i_type(0x13, 11, 0, 5), move, JR_T0)
        assert run(linked(elf, "start"), r9=condition, r2=0xFFFF0000).registers[7] == wanted
    heap = 0x300B | 10 << 7
    elf, _ = with_start(heap, i_type(0x13, 11, 0, 0x55), i_type(0x13, 12, 0, 20), 0x200B, RET)
    machine = run(linked(elf, "start"))
    address = machine.registers[7] - 20
    assert machine.registers[9] == 0 and machine.memory.read(address, 21) == b"\x55" * 20 + b"\0"
    with pytest.raises(InputError, match="an import without a pointer to its metadata"):
        linked(with_start(IMPORT, 0, 0, RET)[0], "start")


def test_sums_in_the_data_of_an_executable_are_not_added_again() -> None:
    listed = (Relocation(4, NUMBERS["ADD32"], 0, 0), Relocation(4, NUMBERS["SUB32"], 0, 0), Relocation(0, 2, 0, 0))
    assert _without_sums(bytes(range(12)), listed) == bytes(range(4)) + bytes(4) + bytes(range(8, 12))


@pytest.mark.parametrize(("data", "text"), [
    (b"\3" + bytes(18), "neither of version 1 nor 2"), (b"\1" + bytes(10), "neither of version 1 nor 2, or cut off"),
    (b"\1\1" + bytes(17), "flags, or a symbol of 0 octets"), (metadata("name"), "its symbol is cut off"),
    (b"\1" + bytes(4) + b"\xff\xff\xff\xff" + bytes(10), "a symbol of 4294967295 octets"), (b"", "cut off"),
])  # fmt: skip
def test_hostile_metadata_is_a_line(data: bytes, text: str) -> None:
    elf, start = with_start(IMPORT, 0, 0, RET)
    section = elf.add(".polkavm_metadata", DATA, data, "meta")
    if len(data) >= 19:
        elf.relocate(section, 9, "64", "meta", 16)
    elf.relocate(start, 4, "64", "meta")
    with pytest.raises(InputError, match=text) as error:
        linked(elf, "start")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"\2" + bytes(16), b"\1" + bytes(8), b"\1" + bytes(16), b"\1"])
def test_hostile_exports_are_a_line(data: bytes) -> None:
    elf, _ = with_start(RET)
    elf.add(".polkavm_exports", 0, data)
    with pytest.raises(InputError, match=r"x\.o: \.polkavm_exports\+0x0: no re") as error:
        linked(elf, "start")
    assert "\n" not in str(error.value)
