"""Every relocation that is linked, what the linker does with names and sections, and what it refuses."""

from __future__ import annotations

import time

import pytest

import pvm
from pvm.errors import InputError
from pvm.link import Linked, Options, link
from pvm.link.relocations import NAMES
from tests.pvm.link import elves
from tests.pvm.link.elves import CODE, DATA, JR_T0, RET, RODATA, Elf, i_type, j_type, words

LUI_A0, AUIPC_A0, ADDI_A0, CALL = 0x37 | 10 << 7, 0x17 | 10 << 7, i_type(0x13, 10, 10, 0), (0x97, i_type(0x67, 1, 1, 0))
LD_A0 = i_type(0x3003, 10, 10, 0)
HALT = 0xFFFF0000


def linked(*elfs: Elf, entry: str = "start", **options: object) -> Linked:
    files = [(f"{number}.o", elf.encode()) for number, elf in enumerate(elfs)]
    return link(files, Options((entry,), **options))  # type: ignore[arg-type]


def run(found: Linked, **registers: int) -> pvm.Machine:
    """After a run to the halt at a `ret`."""
    program = pvm.Program.parse(found.program.encode())
    machine = pvm.ReferenceEngine().instantiate(program, gas=10_000)
    machine.registers[2] = HALT
    for name, value in registers.items():
        machine.registers[int(name[1:])] = value
    exit = machine.run()
    assert exit.reason is pvm.Reason.HALT, exit
    return machine


def result(found: Linked) -> int:
    return run(found).registers[7]


def with_start(*code: int) -> tuple[Elf, int]:
    elf = Elf()
    return elf, elf.add(".text.start", CODE, words(*code), "start")


DATA_AT = 0x20000


def test_hi20_and_lo12() -> None:
    elf, start = with_start(LUI_A0, ADDI_A0, LD_A0, RET)
    elf.add(".data", DATA, bytes(0x1800) + (77).to_bytes(8, "little"), "data")
    elf.relocate(start, 0, "HI20", "data", 0x1800)
    elf.relocate(start, 4, "LO12_I", "data", 0x1800)
    elf.relocate(start, 8, "NONE", "data")
    assert result(linked(elf)) == 77


def test_lo12_of_a_store() -> None:
    elf, start = with_start(LUI_A0, elves.s_type(0x3023, 10, 5, 0), RET)
    elf.add(".data", DATA, bytes(0x900), "data")
    elf.relocate(start, 0, "HI20", "data", 0x8F8)
    elf.relocate(start, 4, "LO12_S", "data", 0x8F8)
    assert int.from_bytes(run(linked(elf)).memory.read(DATA_AT + 0x8F8, 8), "little") == HALT


@pytest.mark.parametrize("low", ["PCREL_LO12_I", "PCREL_LO12_S"])
def test_pcrel(low: str) -> None:
    last = LD_A0 if low.endswith("I") else elves.s_type(0x3023, 10, 5, 0)
    elf, start = with_start(AUIPC_A0, last, RET)
    elf.symbols.append(("here", start, 0, 0))
    elf.add(".data", DATA, bytes(16) + (99).to_bytes(8, "little"), "data")
    elf.relocate(start, 0, "PCREL_HI20", "data", 16)
    elf.relocate(start, 4, low, "here")
    machine = run(linked(elf))
    if low.endswith("I"):
        assert machine.registers[7] == 99
    else:
        assert int.from_bytes(machine.memory.read(DATA_AT + 16, 8), "little") == HALT


def test_got_hi20() -> None:
    elf, start = with_start(AUIPC_A0, LD_A0, LD_A0, RET)
    elf.symbols.append(("here", start, 0, 0))
    elf.add(".data", DATA, (123).to_bytes(8, "little"), "data")
    elf.relocate(start, 0, "GOT_HI20", "data")
    elf.relocate(start, 4, "PCREL_LO12_I", "here")
    assert result(linked(elf)) == 123


@pytest.mark.parametrize("kind", ["CALL", "CALL_PLT"])
def test_calls(kind: str) -> None:
    elf, start = with_start(i_type(0x13, 9, 1, 0), *CALL, i_type(0x13, 10, 10, 1), i_type(0x67, 0, 9, 0))
    elf.relocate(start, 4, kind, "callee")
    other = Elf()
    other.add(".text.callee", CODE, words(i_type(0x13, 10, 0, 41), RET), "callee")
    assert result(linked(elf, other)) == 42


def test_a_call_that_the_assembler_resolved() -> None:
    """Inside a section there is no relocation when code is not to be relaxed."""
    again = 0x97, i_type(0x67, 1, 1, 20)  # to `li a0, 6`
    elf, _ = with_start(i_type(0x13, 9, 1, 0), *again, i_type(0x13, 10, 10, 1), i_type(0x67, 0, 9, 0), 0, i_type(
        0x13, 10, 0, 6), RET)  # fmt: skip
    assert result(linked(elf)) == 7


@pytest.mark.parametrize(("kind", "word"), [
    ("JAL", words(j_type(0, 0))), ("BRANCH", words(elves.b_type(0x63, 0, 0, 0))),
    ("RVC_JUMP", (0xA001).to_bytes(2, "little")), ("RVC_BRANCH", b"\x01\x45" + (0xC101).to_bytes(2, "little")),
])  # fmt: skip
def test_jumps(kind: str, word: bytes) -> None:
    elf = Elf()
    start = elf.add(".text.start", CODE, word + b"\0\0\0\0", "start")
    elf.add(".text.there", CODE, words(i_type(0x13, 10, 0, 7), RET), "there")
    elf.relocate(start, 2 if kind == "RVC_BRANCH" else 0, kind, "there")
    assert result(linked(elf)) == 7


def test_pointers_to_code_and_data() -> None:
    """Jumps through a table of data: of 64 and of 32 bits, and by differences."""
    for kind, load, size in (("64", 0x3003, 8), ("32", 0x2003, 4)):
        elf, start = with_start(LUI_A0, i_type(load, 10, 10, 0), i_type(0x67, 0, 10, 0))
        table = elf.add(".rodata", RODATA, bytes(size), "table")
        elf.add(".text.there", CODE, words(i_type(0x13, 10, 0, 9), RET), "there")
        elf.relocate(start, 0, "HI20", "table")
        elf.relocate(start, 4, "LO12_I", "table")
        elf.relocate(table, 0, kind, "there")
        assert result(linked(elf)) == 9


@pytest.mark.parametrize("kinds", [
    (("ADD32", "there"), ("SUB32", "table")), (("32_PCREL", "there"),), (("PLT32", "there"),),
])  # fmt: skip
def test_relative_tables(kinds: tuple[tuple[str, str], ...]) -> None:
    load = i_type(0x2003, 11, 10, 0)
    add = 0x33 | 10 << 7 | 10 << 15 | 11 << 20
    elf, start = with_start(LUI_A0, ADDI_A0, load, add, i_type(0x67, 0, 10, 0))
    table = elf.add(".rodata", RODATA, bytes(4), "table")
    elf.add(".text.there", CODE, words(i_type(0x13, 10, 0, 9), RET), "there")
    elf.relocate(start, 0, "HI20", "table")
    elf.relocate(start, 4, "LO12_I", "table")
    for kind, symbol in kinds:
        elf.relocate(table, 0, kind, symbol)
    assert result(linked(elf)) == 9


@pytest.mark.parametrize(("kind", "before", "after"), [
    ("ADD8", 5, 8), ("ADD16", 5, 8), ("ADD32", 5, 8), ("ADD64", 5, 8), ("SUB8", 5, 2), ("SUB16", 5, 2), ("SUB32", 5, 2),
    ("SUB64", 5, 2), ("SET8", 5, 3), ("SET16", 5, 3), ("SET32", 5, 3), ("32", 5, 3), ("64", 5, 3),
])  # fmt: skip
def test_sums_in_data(kind: str, before: int, after: int) -> None:
    elf, start = with_start(LUI_A0, i_type(0x3003, 10, 10, 0), RET)
    table = elf.add(".rodata", RODATA, before.to_bytes(8, "little"), "table")
    elf.symbols.append(("three", 0xFFF1, 3, 1))
    elf.relocate(start, 0, "HI20", "table")
    elf.relocate(start, 4, "LO12_I", "table")
    elf.relocate(table, 0, kind, "three")
    assert result(linked(elf)) == after


TESTED = {
    "NONE", "HI20", "LO12_I", "LO12_S", "PCREL_HI20", "PCREL_LO12_I", "PCREL_LO12_S", "GOT_HI20", "CALL", "CALL_PLT",
    "JAL", "BRANCH", "RVC_JUMP", "RVC_BRANCH", "64", "32", "ADD8", "ADD16", "ADD32", "ADD64", "SUB8", "SUB16", "SUB32",
    "SUB64", "SET8", "SET16", "SET32", "32_PCREL", "PLT32", "RELAX", "ALIGN", "TPREL_HI20", "TPREL_ADD",
    "TPREL_LO12_I", "TPREL_LO12_S", "TLS_GOT_HI20", "TLS_GD_HI20",  # test_threads
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(set(NAMES.values()) - TESTED))
@pytest.mark.parametrize("place", ["code", "data"])
def test_others_are_refused_by_name(kind: str, place: str) -> None:
    elf, start = with_start(LUI_A0, ADDI_A0, RET)
    table = elf.add(".rodata", RODATA, bytes(16), "table")
    elf.relocate(start, 0, "HI20", "table")
    elf.relocate(start if place == "code" else table, 4, kind, "table")
    with pytest.raises(InputError, match=f"R_RISCV_{kind}") as error:
        linked(elf)
    assert "\n" not in str(error.value)


def test_relax_and_align_are_nothing() -> None:
    elf, start = with_start(i_type(0x13, 10, 0, 5), 0x13, RET)
    elf.relocate(start, 0, "RELAX", "start")
    elf.relocate(start, 4, "ALIGN", "start", 4)
    assert result(linked(elf)) == 5


def test_weak_symbols() -> None:
    elf, start = with_start(i_type(0x13, 9, 1, 0), *CALL, i_type(0x67, 0, 9, 0))
    elf.relocate(start, 4, "CALL_PLT", "callee")
    weak, strong = Elf(), Elf()
    weak.add(".text.callee", CODE, words(i_type(0x13, 10, 0, 1), RET), "callee", binding=2)
    strong.add(".text.callee", CODE, words(i_type(0x13, 10, 0, 2), RET), "callee")
    assert result(linked(elf, weak)) == 1
    assert result(linked(elf, weak, strong)) == result(linked(elf, strong, weak)) == 2
    with pytest.raises(InputError, match=r"callee is defined already in 1\.o"):
        linked(elf, strong, strong)
    with pytest.raises(InputError, match=r"0\.o: callee is defined nowhere"):
        linked(elf)


def test_an_undefined_weak_symbol_is_0() -> None:
    elf, start = with_start(LUI_A0, ADDI_A0, RET)
    elf.symbols.append(("absent", 0, 0, 2))
    elf.relocate(start, 0, "HI20", "absent")
    elf.relocate(start, 4, "LO12_I", "absent")
    assert result(linked(elf)) == 0


def test_common_symbols_are_one_and_the_largest() -> None:
    elf, start = with_start(LUI_A0, ADDI_A0, RET)
    elf.relocate(start, 0, "HI20", "shared", 64)
    elf.relocate(start, 4, "LO12_I", "shared", 64)
    elf.symbols.append(("shared", 0xFFF2, 64, 1))
    assert result(linked(elf)) == DATA_AT + 64


def test_zeros_take_no_octets() -> None:
    elf, start = with_start(LUI_A0, ADDI_A0, RET)
    elf.add(".bss", DATA, 1 << 20, "zeros")
    elf.relocate(start, 0, "HI20", "zeros")
    elf.relocate(start, 4, "LO12_I", "zeros")
    found = linked(elf)
    assert len(found.program.encode()) < 100
    machine = run(found)
    assert machine.memory.is_readable(DATA_AT, 1 << 20)


def test_what_nobody_needs_is_left_out() -> None:
    elf, _ = with_start(i_type(0x13, 10, 0, 5), RET)
    unused = elf.add(".text.unused", CODE, words(*CALL, RET), "unused")
    elf.add(".rodata.unused", RODATA, bytes(10_000), "nothing")
    elf.relocate(unused, 0, "CALL_PLT", "defined_nowhere")
    assert len(linked(elf).program.encode()) < 60


def test_constructors_are_kept_in_order() -> None:
    elf, start = with_start(LUI_A0, ADDI_A0, RET)
    for name in (".init_array", ".init_array.20", ".init_array.5"):
        elf.add(name, DATA, int(name.rpartition(".")[2] if name[-1].isdigit() else 99).to_bytes(8, "little"))
    elf.relocate(start, 0, "HI20", "__init_array_start")
    elf.relocate(start, 4, "LO12_I", "__init_array_start")
    machine = run(linked(elf))
    octets = machine.memory.read(machine.registers[7], 24)
    assert [octets[at] for at in (0, 8, 16)] == [5, 20, 99]


@pytest.mark.parametrize(("code", "text"), [
    ((i_type(0x13, 3, 0, 0), RET), "gp and tp have no register"),
    ((i_type(0x13, 16, 0, 0), RET), "RV64E has x0 to x15"),
    ((0x73, RET), "ecall: host calls have numbers of their own"),
    ((AUIPC_A0, RET), "auipc without a relocation"),
    ((0xFFFFFFFF,), "0xffffffff is no instruction"),
    ((0x00053007, RET), "is no instruction"),  # fld
    ((j_type(0, 0x1000),), "a jump to there"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(code: tuple[int, ...], text: str) -> None:
    elf, _ = with_start(*code)
    with pytest.raises(InputError, match=text) as error:
        linked(elf)
    assert "start+0x0 (" in str(error.value) or "start+0x1000: a jump" in str(error.value)


def test_a_jump_to_the_end_of_a_section_panics() -> None:
    """Compilers let code end so that is never reached."""
    elf, _ = with_start(elves.b_type(0x1063, 10, 0, 8), RET)
    found = linked(elf)
    run(found, r7=0)
    with pytest.raises(AssertionError, match="PANIC"):
        run(found, r7=1)


def test_entry_points() -> None:
    elf, _ = with_start(i_type(0x13, 10, 0, 1), RET)
    elf.add(".text.refine", CODE, words(i_type(0x13, 10, 0, 2), RET), "refine")
    elf.add(".text.accumulate", CODE, words(i_type(0x13, 10, 0, 3), RET), "accumulate")
    elf.add(".data", DATA, b"1", "no_code")
    found = link([("x.o", elf.encode())])
    assert found.entries == (("refine", 0), ("accumulate", 5)) and found.program.format == "jam"
    program = pvm.Program.parse(found.program.encode())
    for pc, value in ((0, 2), (5, 3)):
        machine = pvm.ReferenceEngine().instantiate(program, gas=100, pc=pc)
        assert machine.run().reason is pvm.Reason.HALT and machine.registers[7] == value
    with pytest.raises(InputError, match="entry point strat: defined nowhere; did you mean start"):
        linked(elf, entry="strat")
    with pytest.raises(InputError, match="entry point no_code: it is no code"):
        linked(elf, entry="no_code")


def test_a_plain_program_has_no_data() -> None:
    elf, _ = with_start(i_type(0x13, 10, 0, 1), RET)
    assert linked(elf, format="plain").program.format == "plain"
    elf, start = with_start(LUI_A0, RET)
    elf.add(".rodata", RODATA, b"1", "data")
    elf.relocate(start, 0, "HI20", "data")
    with pytest.raises(InputError, match="a plain program has no data"):
        linked(elf, format="plain")


def test_linking_takes_linear_time() -> None:
    """200,000 symbols, and as many instructions, in a chain that needs each section after the other."""
    elf = Elf()
    count = 4000
    for number in range(count):
        section = elf.add(f".text.{number}", CODE, words(*[i_type(0x13, 10, 10, 1)] * 4, j_type(0, 0)), f"f{number}")
        if number + 1 < count:
            elf.relocate(section, 16, "JAL", f"f{number + 1}")
    elf.sections[-1] = (elf.sections[-1][0], CODE, words(JR_T0))
    elf.symbols += [(f"symbol{number}", 0xFFF1, number, 1) for number in range(200_000)]
    began = time.perf_counter()
    found = linked(elf, entry="f0")
    assert time.perf_counter() - began < 60
    assert len(found.program.code) > 4 * count
