"""Accesses to memory, rule by rule, on each engine (A.4)."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Reason
from pvm.program import assemble

MAX = (1 << 64) - 1
PAGE = 0x20000


@pytest.mark.parametrize(
    ("base", "reason", "address"),
    [
        (PAGE, None, None),
        (PAGE + (1 << 32), None, None), (PAGE + (0xFFFFFFFF << 32), None, None),  # mod 2^32
        (PAGE + 0xFF9, Reason.PAGE_FAULT, 0x21000),
        (PAGE - 1, Reason.PAGE_FAULT, 0x1F000),
        (0xFFFF, Reason.PANIC, None), (0xFFF8, Reason.PANIC, None), (0xF800, Reason.PANIC, None),
        (0, Reason.PANIC, None),
        (0x1_0000_8000, Reason.PANIC, None),
        (0xFFFFFFF9, Reason.PAGE_FAULT, 0xFFFFF000),  # the first octet decides, not the one that wraps around
        (0xFFFFFFF8, Reason.PAGE_FAULT, 0xFFFFF000),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["load_ind_u64 r1, [r2]", "store_ind_u64 [r2], r1", "store_imm_ind_u64 [r2], 5"])
def test_accesses_off_a_register(
    make_engine: Any, run_source: Any, name: str, base: int, reason: Reason | None, address: int | None
) -> None:
    """Also what is mapped below 2^16 panics. Nothing changes but gas."""
    exit, machine = run_source(
        make_engine(), f"{name}\necalli 1", pages={PAGE: "rw", 0: "rw", 0x8000: "rw", 0xF000: "rw"},
        registers={1: 0x1122334455667788, 2: base},
    )  # fmt: skip
    assert (exit.reason, exit.address) == (reason or Reason.HOST_CALL, address)
    assert exit.gas == (998 if reason is None else 999)
    if reason is not None:
        assert exit.pc == 0
        assert machine.registers[1:3] == [0x1122334455667788, base]
        assert not any(machine.memory.read(0, 0x11000)) and not any(machine.memory.read(PAGE, 0x2000))


@pytest.mark.parametrize("name", ["store_u16 [0x20fff], r1", "store_ind_u64 [r2], r1", "store_imm_u32 [0x20ffd], 7"])
@pytest.mark.parametrize("first", ["r", "rw", None])
@pytest.mark.parametrize("second", ["r", "rw", None])
def test_stores_need_more_than_loads(
    make_engine: Any, run_source: Any, name: str, first: str | None, second: str | None
) -> None:
    """Across two pages: the first of them that refuses is the fault's; each is repaired, then the other."""
    for source, needed in ((f"{name}\necalli 1", ("rw",)), ("load_u16 r1, [0x20fff]\necalli 1", ("r", "rw"))):
        exit, machine = run_source(
            make_engine(), source, pages={PAGE: first, 0x21000: second}, registers={2: 0x20FFF}
        )  # fmt: skip
        for page, access in ((PAGE, first), (0x21000, second)):
            if access not in needed:
                assert (exit.reason, exit.address) == (Reason.PAGE_FAULT, page)
                machine.memory.map(page, 4096, needed[0])
                exit = machine.run()
        assert exit.reason is Reason.HOST_CALL


def test_loads_and_stores_of_every_width(make_engine: Any, run_source: Any) -> None:
    """Off a register and at a constant; at a page's end, and across it."""
    data = bytes(range(0x78, 0x88))
    kinds = {"u8": (1, False), "i8": (1, True), "u16": (2, False), "i16": (2, True), "u32": (4, False),
             "i32": (4, True), "u64": (8, False)}  # fmt: skip
    for kind, (width, is_signed) in kinds.items():
        for address in (PAGE + 0xFFC, PAGE + 0x1000 - width, PAGE + 0x1001):
            place = address - (PAGE + 0xFF8)
            value = int.from_bytes(data[place : place + width], "little", signed=is_signed) & MAX
            for operand in (f"_{kind} r1, [{address}]", f"_ind_{kind} r1, [r2 + 4]"):
                machine = make_engine().instantiate(assemble(f".code\nload{operand}\ntrap\n"), gas=9)
                machine.memory.map(PAGE, 0x2000, "r")
                machine.memory.write(PAGE + 0xFF8, data)
                machine.registers[2] = address - 4
                assert machine.run().reason is Reason.PANIC
                assert machine.registers[1] == value, (operand, hex(address))
            if is_signed:
                continue
            for operand in (f"_{kind} [{address}], r1", f"_ind_{kind} [r2 + 4], r1", f"_imm_{kind} [{address}], -2",
                            f"_imm_ind_{kind} [r2 + 4], -2"):  # fmt: skip
                machine = make_engine().instantiate(assemble(f".code\nstore{operand}\ntrap\n"), gas=9)
                machine.memory.map(PAGE, 0x2000, "rw")
                machine.registers[1], machine.registers[2] = 0x8877665544332211, address - 4
                assert machine.run().reason is Reason.PANIC
                stored = (MAX - 1 if "imm" in operand else 0x8877665544332211).to_bytes(8, "little")[:width]
                expected = bytearray(32)
                expected[address - PAGE - 0xFF0 : address - PAGE - 0xFF0 + width] = stored
                assert machine.memory.read(PAGE + 0xFF0, 32) == expected, operand


@pytest.mark.parametrize(
    ("base", "pages", "place", "fault"),
    [
        (0x20000, {0x20000: "rw"}, 4, None), (0x20001, {0x20000: "rw", 0x21000: "r"}, 4, None),
        (0x20001, {0x20000: "rw"}, 1, 0x21000), (0x20800, {0x20000: "rw", 0x21000: "r"}, 2, 0x21000),
        (0x20800, {0x20000: "r", 0x21000: "rw"}, 4, None), (0x20800, {0x20000: "r", 0x21000: "r"}, 2, 0x21000),
        (0x20800, {0x21000: "rw"}, 0, 0x20000), (0x1FFFF, {0x20000: "rw"}, 0, 0x1F000),
        (0x207FF, {0x20000: "r", 0x21000: "rw"}, 2, 0x20000), (0xFFFF, {0xF000: "rw", 0x10000: "rw"}, 0, "panic"),
    ],
)  # fmt: skip
def test_accesses_that_share_a_check(
    make_engine: Any, run_source: Any, base: int, pages: dict[int, str], place: int, fault: int | str | None
) -> None:
    """A page's span off one register: what comes before the refused access has happened, what comes after has not."""
    source = """
        load_ind_u8 r3, [r2]
        load_ind_u8 r4, [r2 + 0xfff]
        store_ind_u8 [r2 + 0x800], r1
        load_ind_u8 r5, [r2 + 0x800]
        ecalli 1
    """
    machine = make_engine().instantiate(assemble(f".code\n{source}\n"), gas=9)
    for page, access in pages.items():
        machine.memory.map(page, 4096, access)
        machine.memory.write(page, b"\3" * 4096)
    machine.registers[1], machine.registers[2] = 5, base
    exit = machine.run()
    assert exit.gas == 9 - place - 1
    if fault is None:
        assert exit.reason is Reason.HOST_CALL
    elif fault == "panic":
        assert exit == Exit(Reason.PANIC, 0, 8)
    else:
        assert (exit.reason, exit.address) == (Reason.PAGE_FAULT, fault)
    assert machine.registers[3:6] == [3 * (place > 0), 3 * (place > 1), 5 * (place > 3)]


@pytest.mark.parametrize(
    ("source", "pages", "exit"),
    [
        # Two pages and what lies between: one check of the ends is not enough.
        ("load_ind_u8 r3, [r2]\nload_ind_u8 r3, [r2 + 0x1800]\nload_ind_u8 r3, [r2 + 0x2000]\ntrap",
         {0x20000: "r", 0x22000: "r"}, Exit(Reason.PAGE_FAULT, 2, 7, 0x21000)),
        ("load_ind_u8 r3, [r2]\nload_ind_u8 r3, [r2 + 0x1000]\ntrap", {0x20000: "r"},
         Exit(Reason.PAGE_FAULT, 2, 7, 0x21000)),
        # A store among loads needs its own right.
        ("store_ind_u8 [r2], r3\nload_ind_u8 r3, [r2 + 8]\ntrap", {0x20000: "r"}, Exit(Reason.PAGE_FAULT, 0, 8, PAGE)),
        ("load_ind_u8 r3, [r2 + 8]\nstore_ind_u8 [r2], r3\ntrap", {0x20000: "r"}, Exit(Reason.PAGE_FAULT, 3, 7, PAGE)),
        # The base changes in between.
        ("load_ind_u8 r3, [r2]\nadd_imm_64 r2, r2, 0x5000\nload_ind_u8 r3, [r2]\ntrap", {0x20000: "r"},
         Exit(Reason.PAGE_FAULT, 6, 6, 0x25000)),
        ("load_ind_u8 r3, [r2]\nload_ind_u16 r2, [r2 + 1]\nload_ind_u8 r3, [r2]\ntrap", {0x20000: "r"},
         Exit(Reason.PANIC, 5, 6)),
    ],
)
def test_accesses_that_must_not_share_a_check(
    make_engine: Any, run_source: Any, source: str, pages: dict[int, str], exit: Exit
) -> None:
    assert run_source(make_engine(), source, gas=9, pages=pages, registers={2: PAGE})[0] == exit


def test_gas_vectors_panic_on_read_only_pages(make_engine: Any, run_source: Any) -> None:
    engine = make_engine(spec="gas-vectors")
    for name, reason, address in (
        ("store_u8 [0x20000], r1", Reason.PANIC, None), ("store_u8 [0x22000], r1", Reason.PAGE_FAULT, 0x22000),
        ("store_u16 [0x1ffff], r1", Reason.PANIC, None), ("load_u8 r1, [0x20000]", Reason.HOST_CALL, None),
        ("store_u16 [0x20fff], r1", Reason.PANIC, None), ("load_u8 r1, [0x22000]", Reason.PAGE_FAULT, 0x22000),
    ):
        exit, _ = run_source(engine, f"{name}\necalli 1", pages={0x1F000: "rw", PAGE: "r", 0x21000: "rw"})
        assert (exit.reason, exit.address) == (reason, address), name
