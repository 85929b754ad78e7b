"""A.7 and A.8 on each engine: the memory and registers in which a standard program starts, and what it leaves."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Program, Reason
from pvm.errors import InputError, ProgramError
from pvm.program import Blob, Sections, assemble, pack_bitmask, standard

# jump_ind r0: the program halts at once, with r7 and r8 naming the arguments.
HALTS = Blob(b"\x32\x00", pack_bitmask(b"\1\0"))


def started(engine: Any, sections: Sections, arguments: bytes = b"") -> Any:
    return engine.instantiate(Program.parse(sections.encode(HALTS.encode()), "standard"), arguments, gas=10)


def mapped(machine: Any) -> list[tuple[int, int, str]]:
    """Address, end and access of the accessible stretches."""
    merged: list[tuple[int, int, str]] = []
    for address, length, access in machine.memory.mapped():
        end = address + length
        if merged and merged[-1][1] == address and merged[-1][2] == access:
            address = merged.pop()[0]
        merged.append((address, end, access))
    return merged


@pytest.mark.parametrize(
    ("read_only", "read_write", "heap", "stack", "arguments", "expected"),
    [
        (0, 0, 0, 0, 0, []),
        (1, 1, 0, 1, 1, [
            (0x10000, 0x11000, "r"), (0x30000, 0x31000, "rw"), (0xFEFDF000, 0xFEFE0000, "rw"),
            (0xFEFF0000, 0xFEFF1000, "r"),
        ]),
        (0x1000, 0x1000, 1, 0x1000, 0x1000, [
            (0x10000, 0x11000, "r"), (0x30000, 0x32000, "rw"), (0xFEFDF000, 0xFEFE0000, "rw"),
            (0xFEFF0000, 0xFEFF1000, "r"),
        ]),
        (0x10000, 0x1001, 2, 0x1001, 0x1001, [
            (0x10000, 0x20000, "r"), (0x30000, 0x34000, "rw"), (0xFEFDE000, 0xFEFE0000, "rw"),
            (0xFEFF0000, 0xFEFF2000, "r"),
        ]),
        (0x10001, 0, 1, 0, 0, [(0x10000, 0x21000, "r"), (0x40000, 0x41000, "rw")]),
        (0, 5, 0, 0, 0, [(0x20000, 0x21000, "rw")]),
    ],
)  # fmt: skip
def test_memory(
    make_engine: Any, read_only: int, read_write: int, heap: int, stack: int, arguments: int,
    expected: list[tuple[int, int, str]],
) -> None:  # fmt: skip
    """What is accessible, and what it holds: the sections, and zeros up to the end of their pages."""
    parts = [bytes((place * seed + 1) & 0xFF for place in range(size))
             for seed, size in ((3, read_only), (5, read_write), (7, arguments))]  # fmt: skip
    machine = started(make_engine(), Sections(parts[0], parts[1], heap, stack), parts[2])
    assert mapped(machine) == expected
    begins = {0x10000: parts[0], 0xFEFF0000: parts[2]}
    for address, end, access in expected:
        data = begins.get(address, b"" if address > 0xFE000000 else parts[1])
        assert machine.memory.read(address, end - address) == data + bytes(end - address - len(data)), (address, access)


def test_registers(make_engine: Any) -> None:
    machine = started(make_engine(), Sections(b"abc", b"de", 1, 5000), b"four")
    assert machine.registers == [0xFFFF0000, 0xFEFE0000, 0, 0, 0, 0, 0, 0xFEFF0000, 4, 0, 0, 0, 0]
    assert (machine.pc, machine.gas) == (0, 10)


def test_arguments_of_2_24_octets_and_no_more(make_engine: Any) -> None:
    machine = started(make_engine(), Sections(), bytes(1 << 24))
    assert mapped(machine) == [(0xFEFF0000, 0xFFFF0000, "r")]
    assert machine.registers[8] == 1 << 24
    with pytest.raises(InputError, match="at most 16777216"):
        started(make_engine(), Sections(), bytes((1 << 24) + 1))


def test_the_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """5 zones, three sections in zones and the arguments have to fit. No program is as large as 2^32 needs."""
    sizes = {"read_only": bytes(0x10001), "read_write": bytes(0xF001), "heap_pages": 1, "stack_size": 0x10001}
    needed = 5 * 0x10000 + 0x20000 + 0x20000 + 0x20000 + (1 << 24)
    monkeypatch.setattr(standard, "ADDRESS_SPACE", needed)
    Sections(**sizes)  # type: ignore[arg-type]
    monkeypatch.setattr(standard, "ADDRESS_SPACE", needed - 1)
    with pytest.raises(ProgramError, match=f"they need {needed} bytes"):
        Sections(**sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize("tail", [b"\0", b"", None], ids=["left over", "whole", "missing"])
def test_nothing_is_missing_or_left_over(tail: bytes | None) -> None:
    data = Sections(b"abc", b"de", 1, 5).encode(HALTS.encode())
    assert data.hex() == "030000 020000 0100 050000 616263 6465 06000000 00000232 0001".replace(" ", "")
    if tail == b"":
        assert Program.parse(data, "standard").sections == Sections(b"abc", b"de", 1, 5)
        return
    with pytest.raises(ProgramError):
        Program.parse(data[:-1] if tail is None else data + tail, "standard")


@pytest.mark.parametrize(
    ("address", "length", "result"),
    [
        (0xFEFF0000, 4, b"JAM!"), (0xFEFF0001, 2, b"AM"), (0xFEFF0000, 0, b""), (0, 0, b""),
        (0x10000, 3, b"abc"), (0x30000, 2, b"de"),
        (0xFEFF0000, 0x1000, b"JAM!" + bytes(0xFFC)),
        (0xFEFF0000, 0x1001, b""), (0xFEFEFFFF, 2, b""), (0x20000, 1, b""),  # not all of it may be read
        (0xFEFF0000 + (1 << 32), 4, b""), (0xFEFF0000, (1 << 32) + 4, b""), (0, (1 << 64) - 1, b""),
        ((1 << 64) - 1, (1 << 64) - 1, b""), (0x8000, 4, b""), (0xFEFF0002, (1 << 64) - 1, b""),
    ],
)  # fmt: skip
def test_the_result(make_engine: Any, address: int, length: int, result: bytes) -> None:
    machine = started(make_engine(), Sections(b"abc", b"de", 1, 5), b"JAM!")
    machine.registers[7], machine.registers[8] = address, length
    assert machine.run() == Exit(Reason.HALT, 0, 9)
    assert machine.result() == result


def test_where_it_is_entered(make_engine: Any) -> None:
    """A.8 takes the pc: 0 to refine, 5 to accumulate."""
    program = assemble(".standard stack=4096\n.code\nload_imm r7, 1\nfallthrough\nfallthrough\nret\n")
    for pc, gas in ((0, 96), (3, 97), (5, 99)):
        machine = make_engine().instantiate(program, gas=100, pc=pc)
        exit = machine.run()
        assert (exit.reason, exit.gas) == (Reason.HALT, gas)


def test_how_far_the_heap_grows(make_engine: Any) -> None:
    """To one zone below the stack, octet for octet; a plain program's to 2^32. Else `sbrk` returns 0."""
    source = ".standard stack={}\n.code\nsbrk r2, r1\nsbrk r4, r3\nload_imm r5, 0\nsbrk r6, r5\necalli 1\n"
    for program, begin, end in (
        (assemble(source.format(4096)), 0x20000, 0xFEFE0000 - 0x1000 - 0x10000),
        (assemble(source.format(5000)), 0x20000, 0xFEFE0000 - 0x2000 - 0x10000),
        (Program(assemble(source.format(1)).blob), 0, 1 << 32),
    ):
        for first, second, found in (
            (end - begin + 1, 0, (0, begin, begin)), ((1 << 64) - 1, 5, (0, begin, begin + 5)),
            (end - begin, 1, (begin, 0, end)), (end - begin - 1, 1, (begin, end - 1, end)),
        ):  # fmt: skip
            machine = make_engine().instantiate(program, gas=99)
            machine.registers[1], machine.registers[3] = first, second
            assert machine.run().reason is Reason.HOST_CALL
            assert tuple(machine.registers[n] for n in (2, 4, 6)) == found, (hex(first), second)
            grown = found[2] > begin
            assert machine.memory.access(max(begin, found[2] - 1)) == ("rw" if grown else None)
            if end < 1 << 32:
                assert machine.memory.access(end) is None
