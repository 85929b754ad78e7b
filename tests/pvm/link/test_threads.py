"""Thread-local storage, as data of a single hart; functions that are chosen at run time; tables of destructors."""

from __future__ import annotations

import pytest

from pvm.errors import InputError
from pvm.link import Options, link
from pvm.link import elf as elf_format
from tests.pvm.link.elves import CODE, DATA, RET, Elf, i_type, s_type
from tests.pvm.link.test_relocations import AUIPC_A0, CALL, DATA_AT, LD_A0, LUI_A0, linked, result, run, with_start

THREAD = DATA | elf_format.TLS
ADD_TP = 0x33 | 10 << 7 | 10 << 15 | 4 << 20  # add a0, a0, tp
ADDI_A0 = i_type(0x13, 10, 10, 0)


def with_variables(*code: int) -> tuple[Elf, int]:
    """`first` is 7, `second` 8, `zero` nothing yet, among other data."""
    elf, start = with_start(*code)
    elf.add(".data", DATA, bytes(24), "other")
    section = elf.add(".tdata", THREAD, b"".join(n.to_bytes(8, "little") for n in (7, 8)), "first")
    elf.symbols.append(("second", section, 8, 1))
    elf.add(".tbss", THREAD, 16, "zero")
    return elf, start


@pytest.mark.parametrize(("name", "value"), [("first", 7), ("second", 8), ("zero", 0)])
def test_local_exec(name: str, value: int) -> None:
    elf, start = with_variables(LUI_A0, ADD_TP, LD_A0, RET)
    elf.relocate(start, 0, "TPREL_HI20", name)
    elf.relocate(start, 4, "TPREL_ADD", name)
    elf.relocate(start, 8, "TPREL_LO12_I", name)
    assert result(linked(elf)) == value


def test_a_store() -> None:
    elf, start = with_variables(i_type(0x13, 11, 0, 99), LUI_A0, ADD_TP, s_type(0x3023, 10, 11, 0), RET)
    elf.relocate(start, 4, "TPREL_HI20", "zero", 8)
    elf.relocate(start, 8, "TPREL_ADD", "zero")
    elf.relocate(start, 12, "TPREL_LO12_S", "zero", 8)
    memory = run(linked(elf)).memory
    assert [int.from_bytes(memory.read(DATA_AT + 8 * n, 8), "little") for n in range(2)] == [0, 99]


@pytest.mark.parametrize(("kind", "code"), [
    ("TLS_GOT_HI20", (AUIPC_A0, LD_A0, ADD_TP, LD_A0, RET)),
    ("TLS_GD_HI20", (i_type(0x13, 9, 1, 0), AUIPC_A0, ADDI_A0, *CALL, LD_A0, i_type(0x67, 0, 9, 0))),
])  # fmt: skip
def test_through_the_global_offset_table(kind: str, code: tuple[int, ...]) -> None:
    elf, start = with_variables(*code)
    at = 4 * code.index(AUIPC_A0)
    elf.symbols.append(("here", start, at, 0))
    elf.relocate(start, at, kind, "second")
    elf.relocate(start, at + 4, "PCREL_LO12_I", "here")
    if CALL[0] in code:
        elf.relocate(start, 12, "CALL_PLT", "__tls_get_addr")
        sum = i_type(0x3003, 11, 10, 0), i_type(0x3003, 10, 10, 8), 0x33 | 10 << 7 | 10 << 15 | 11 << 20, RET
        elf.add(".text.get", CODE, b"".join(word.to_bytes(4, "little") for word in sum), "__tls_get_addr")
    assert result(linked(elf)) == 8


def test_tp_is_0_and_nobody_sets_it() -> None:
    elf, _ = with_start(i_type(0x13, 10, 4, 5), RET)
    assert result(linked(elf)) == 5
    elf, _ = with_start(i_type(0x13, 4, 10, 5), RET)
    with pytest.raises(InputError, match=r"0\.o: start\+0x0 \(00550213\): register x4: gp and tp have no register"):
        linked(elf)


def test_what_is_defined_nowhere_says_who_needs_it() -> None:
    elf, start = with_start(0x13, *CALL, RET)
    elf.relocate(start, 4, "CALL_PLT", "absent")
    with pytest.raises(InputError, match=r"0\.o: absent is defined nowhere \(needed by start\+0x4 \(00000097\)\)"):
        linked(elf)


def test_functions_that_are_chosen_at_run_time_are_refused() -> None:
    elf, start = with_start(0x13, *CALL, RET)
    elf.relocate(start, 4, "CALL_PLT", "chosen")
    elf.add(".text.chosen", CODE, RET.to_bytes(4, "little"), "chosen")
    data = bytearray(elf.encode())
    symbols = next(section for section in elf_format.read_elf(bytes(data), "x").sections if section.name == ".symtab")
    place = data.index(symbols.data) + 24 * 2 + 4  # the kind of the second symbol
    data[place] = data[place] & 0xF0 | elf_format.INDIRECT_SYMBOL
    with pytest.raises(InputError, match=r"chosen is found when the program runs \(IFUNC\).*needed by start\+0x4"):
        link([("x.o", bytes(data))], Options(("start",)))


def test_tables_of_destructors_are_kept_behind_the_constructors() -> None:
    elf, start = with_start(LUI_A0, ADDI_A0, RET)
    for name, value in ((".fini_array", 3), (".init_array", 1), (".fini_array.7", 2)):
        elf.add(name, DATA, value.to_bytes(8, "little"))
    elf.relocate(start, 0, "HI20", "__fini_array_start")
    elf.relocate(start, 4, "LO12_I", "__fini_array_start")
    machine = run(linked(elf))
    octets = machine.memory.read(machine.registers[7] - 8, 24)
    assert [octets[at] for at in (0, 8, 16)] == [1, 2, 3]
