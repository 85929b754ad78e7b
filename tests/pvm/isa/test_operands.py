"""How each format of A.5 finds its operands, on every engine: examples worked out by hand from the text.

An instruction stands at pc 1, between a `fallthrough` and a `trap`. What it does tells what its operands were.
"""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Program, Reason
from pvm.program import Blob, pack_bitmask

PAGE = 0x20000
MAX = (1 << 64) - 1

Registers = dict[int, int]


def run(make_engine: Any, octets: str, before: Registers, gas: int = 3) -> tuple[Exit, Any]:
    code = bytes.fromhex(octets)
    starts = b"\1\1" + bytes(len(code) - 1) + b"\1"
    program = Program(Blob(b"\1" + code + b"\0", pack_bitmask(starts), (len(code) + 1,), 1))
    machine = make_engine().instantiate(program, gas=gas)
    machine.memory.map(PAGE, 4096, "rw")
    for register, value in before.items():
        machine.registers[register] = value
    return machine.run(), machine


def changed(machine: Any, before: Registers) -> Registers:
    return {n: value for n, value in enumerate(machine.registers) if value != before.get(n, 0)}


@pytest.mark.parametrize(
    ("octets", "before", "after"),
    [
        # A.5.3, one register, eight octets: load_imm_64
        ("14 05 0102030405060708", {}, {5: 0x0807060504030201}),
        ("14 f5 ffffffffffffffff", {}, {5: MAX}),  # the upper half of the octet says nothing
        ("14 0c 01000000000000ff", {}, {12: 0xFF00000000000001}),
        ("14 0d 0100000000000000", {}, {12: 1}), ("14 0f 0100000000000000 02", {}, {12: 1}),  # 12 at most
        ("14 05 0102", {}, {5: 0x0201}), ("14", {}, {}),  # beyond the code there are zeros
        # A.5.6, one register, one immediate of what the skip leaves: load_imm
        ("33 05", {5: 9}, {5: 0}), ("33", {0: 9}, {0: 0}),
        ("33 05 7f", {}, {5: 0x7F}), ("33 05 80", {}, {5: MAX - 0x7F}),
        ("33 05 ff7f", {}, {5: 0x7FFF}), ("33 05 0080", {}, {5: MAX - 0x7FFF}),
        ("33 05 ffff7f", {}, {5: 0x7FFFFF}), ("33 05 000080", {}, {5: MAX - 0x7FFFFF}),
        ("33 05 ffffff7f", {}, {5: 0x7FFFFFFF}), ("33 05 00000080", {}, {5: MAX - 0x7FFFFFFF}),
        ("33 05 01000000 ff", {}, {5: 1}), ("33 05 01000000 ffffffffff", {}, {5: 1}),  # four octets at most
        ("33 fc 07", {}, {12: 7}), ("33 0d 07", {}, {12: 7}), ("33 1f 07", {}, {12: 7}),
        # A.5.9, two registers, of which the first is D: move_reg
        ("64 21", {2: 5}, {1: 5}), ("64 0c", {0: 5}, {12: 5}), ("64 c0", {12: 5}, {0: 5}),
        ("64 d1", {12: 5}, {1: 5}), ("64 1e", {1: 5}, {12: 5}), ("64 ff", {12: 5}, {}),
        ("64", {0: 5}, {}),
        # A.5.10, two registers, one immediate: add_imm_64
        ("95 21", {2: 5}, {1: 5}), ("95 21 03", {2: 5}, {1: 8}), ("95 21 ff", {2: 5}, {1: 4}),
        ("95 21 00000080", {2: 5}, {1: MAX - 0x7FFFFFFF + 5}), ("95 21 01000000 ff", {2: 5}, {1: 6}),
        ("95 dc 03", {12: 5}, {12: 8}), ("95 0e 03", {0: 5}, {12: 8}), ("95 f1 03", {12: 5}, {1: 8}),
        # A.5.13, three registers, of which the last has an octet of its own: sub_64
        ("c9 21 03", {1: 9, 2: 5}, {3: 4}), ("c9 21 0c", {1: 9, 2: 5}, {12: 4}),
        ("c9 21 0d", {1: 9, 2: 5}, {12: 4}), ("c9 21 10", {1: 9, 2: 5}, {12: 4}), ("c9 21 ff", {1: 9, 2: 5}, {12: 4}),
        ("c9 2d 03", {12: 9, 2: 5}, {3: 4}), ("c9 e1 03", {1: 9, 12: 5}, {3: 4}), ("c9 21", {0: 7, 1: 9, 2: 5}, {0: 4}),
    ],
)  # fmt: skip
def test_registers(make_engine: Any, octets: str, before: Registers, after: Registers) -> None:
    exit, machine = run(make_engine, octets, before)
    assert exit == Exit(Reason.PANIC, 1 + len(bytes.fromhex(octets)), 0)
    assert changed(machine, before) == after


@pytest.mark.parametrize("length", range(1, 30))
@pytest.mark.parametrize("is_last", [False, True], ids=["inside", "at the end"])
def test_skips(make_engine: Any, length: int, is_last: bool) -> None:
    """load_imm r5 and octets that are not marked: up to the next mark, or 25 on, where a trap stands for them. Behind
    the code all bits count as set."""
    code = (b"\x33\x05\x07" + b"\1" * 30)[:length]
    rest = b"" if is_last else b"\1\0"
    blob = Blob(code + rest, pack_bitmask(b"\1" + bytes(length - 1) + b"\1" * len(rest)))
    machine = make_engine().instantiate(Program(blob), gas=9)
    if length > 25:
        assert machine.run() == Exit(Reason.PANIC, 25, 7)
    elif is_last:
        assert machine.run() == Exit(Reason.PANIC, length, 7)
    else:
        assert machine.run() == Exit(Reason.PANIC, length + 1, 6)


@pytest.mark.parametrize(
    ("octets", "marks", "before", "after"),
    [
        ("140501 330709 00", "100 100 1", {}, {5: 0x09073301, 7: 9}),  # load_imm_64 takes eight octets
        ("33 3301 00", "1 10 1", {3: 8, 1: 8}, {3: 0, 1: 0}),  # the octet 0x33 names the register, 3
        ("95 95a107 00", "1 100 1", {5: 6, 9: 4}, {5: 4, 1: 7}),  # 0x95 names 5 and 9
        ("c9 21 c92103 00", "10 100 1", {1: 9, 2: 5}, {12: 4, 3: 4}),  # D is in the octet 0xc9: 12 at most
    ],
)
def test_operands_beyond_the_skip(
    make_engine: Any, octets: str, marks: str, before: Registers, after: Registers
) -> None:
    """What a format needs is read also where the next instruction has begun."""
    starts = bytes(map(int, marks.replace(" ", "")))
    machine = make_engine().instantiate(Program(Blob(bytes.fromhex(octets), pack_bitmask(starts))), gas=3)
    for register, value in before.items():
        machine.registers[register] = value
    assert machine.run() == Exit(Reason.PANIC, len(starts) - 1, 0)
    assert changed(machine, before) == after


@pytest.mark.parametrize(
    ("octets", "before", "address", "stored"),
    [
        # A.5.4, two immediates: store_imm_u64
        ("21 03 080002", {}, PAGE + 8, 0), ("21 03 080002 7f", {}, PAGE + 8, 0x7F),
        ("21 0b 080002 ff", {}, PAGE + 8, MAX),  # the length is mod 8
        ("21 04 08000200 0080", {}, PAGE + 8, MAX - 0x7FFF),
        ("21 05 08000200 01", {}, PAGE + 8, 1), ("21 07 08000200 01020304", {}, PAGE + 8, 0x04030201),  # and 4 at most
        ("21 f7 08000200 01020384", {}, PAGE + 8, MAX - 0x7BFCFDFE),
        ("21 03 080002 01000000 ff", {}, PAGE + 8, 1),
        # A.5.7, one register, two immediates: store_imm_ind_u64
        ("49 02", {2: PAGE + 8}, PAGE + 8, 0), ("49 02 7f", {2: PAGE + 8}, PAGE + 8, 0x7F),
        ("49 12 f8 ff", {2: PAGE + 16}, PAGE + 8, MAX), ("49 22 0800 0080", {2: PAGE}, PAGE + 8, MAX - 0x7FFF),
        ("49 32 080000 01", {2: PAGE}, PAGE + 8, 1), ("49 42 08000000 01", {2: PAGE}, PAGE + 8, 1),
        ("49 72 08000000 01", {2: PAGE}, PAGE + 8, 1), ("49 92 08 01", {2: PAGE}, PAGE + 8, 1),
        ("49 1e 08 01000000 ff", {12: PAGE}, PAGE + 8, 1),
        # A.5.6 and A.5.10 with an address: store_u64, store_ind_u64
        ("3e 05 080002", {5: 77}, PAGE + 8, 77), ("3e 0f 08000200", {12: 77}, PAGE + 8, 77),
        ("7b 21", {1: 77, 2: PAGE + 8}, PAGE + 8, 77), ("7b de f8", {12: PAGE + 16}, PAGE + 8, PAGE + 16),
    ],
)  # fmt: skip
def test_stores(make_engine: Any, octets: str, before: Registers, address: int, stored: int) -> None:
    exit, machine = run(make_engine, octets, before)
    assert exit == Exit(Reason.PANIC, 1 + len(bytes.fromhex(octets)), 0)
    assert changed(machine, before) == {}
    expected = bytearray(4096)
    expected[address - PAGE : address - PAGE + 8] = stored.to_bytes(8, "little")
    assert machine.memory.read(PAGE, 4096) == expected


@pytest.mark.parametrize(
    ("octets", "before", "after", "to"),
    [
        # A.5.5, one offset: jump, to itself, to pc 0, behind itself
        ("28", {}, {}, 1), ("28 00", {}, {}, 1), ("28 ff", {}, {}, 0), ("28 02", {}, {}, 3), ("28 ffff", {}, {}, 0),
        ("28 040000", {}, {}, 5), ("28 ffffff", {}, {}, 0), ("28 05000000", {}, {}, 6), ("28 ffffffff", {}, {}, 0),
        ("28 06000000 ff", {}, {}, 7), ("28 07000080 0000", {}, {}, None), ("28 07000000 0000", {}, {}, 8),
        # A.5.8, one register, one immediate, one offset: load_imm_jump
        ("50 02", {2: 9}, {2: 0}, 1), ("50 02 ff", {2: 9}, {2: 0}, 0), ("50 12 7f ff", {}, {2: 0x7F}, 0),
        ("50 12 80 04", {}, {2: MAX - 0x7F}, 5), ("50 4e 01000080 06", {}, {12: MAX - 0x7FFFFFFE}, None),
        ("50 4e 01000080 07", {}, {12: MAX - 0x7FFFFFFE}, 8), ("50 7e 01000000 ffffffff", {}, {12: 1}, 0),
        ("50 a2 0102 ff", {}, {2: 0x0201}, 0),
        # A.5.11, two registers, one offset: branch_eq
        ("aa 21", {}, {}, 1), ("aa 21 ff", {1: 7, 2: 7}, {}, 0), ("aa 21 03", {}, {}, 4),
        ("aa ed ffff", {12: 7}, {}, 0), ("aa 1d ff", {12: 7, 1: 7}, {}, 0), ("aa e1 ff", {12: 7, 1: 7}, {}, 0),
        ("aa 21 07000000 00", {}, {}, 8), ("aa 21 ffffffff 00", {}, {}, 0),
        # A.5.12, two registers, two immediates: load_imm_jump_ind, through the one entry of the table
        ("b4 21 00", {1: 9, 2: 2}, {1: 0}, 4), ("b4 21 01 05", {2: 2}, {1: 5}, 5),
        ("b4 21 01 05 fc", {2: 6}, {1: 5}, 6), ("b4 21 09 85 fc", {2: 6}, {1: MAX - 0x7A}, 6),
        ("b4 de 02 0101 01", {12: 1}, {12: 0x0101}, 7),
        ("b4 21 07 01000080 01000000 ff", {2: 1}, {1: MAX - 0x7FFFFFFE}, 13),
        # A.5.6 again: jump_ind
        ("32 05", {5: 2}, {}, 3), ("32 05 fc", {5: 6}, {}, 4), ("32 0f 01000000 07", {12: 1}, {}, 8),
    ],
)  # fmt: skip
def test_jumps(make_engine: Any, octets: str, before: Registers, after: Registers, to: int | None) -> None:
    exit, machine = run(make_engine, octets, before, gas=2)
    assert changed(machine, before) == after
    assert exit == (Exit(Reason.PANIC, 1, 0) if to is None else Exit(Reason.OUT_OF_GAS, to, 0))


@pytest.mark.parametrize(
    ("octets", "call"),
    [
        ("0a", 0), ("0a 7f", 0x7F), ("0a 80", MAX - 0x7F), ("0a ff00", 0xFF), ("0a 00ff", MAX - 0xFF),
        ("0a 000080", MAX - 0x7FFFFF), ("0a 010203f4", MAX - 0x0BFCFDFE), ("0a 01020304 ff", 0x04030201),
    ],
)  # fmt: skip
def test_host_calls(make_engine: Any, octets: str, call: int) -> None:
    """A.5.2, one immediate."""
    assert run(make_engine, octets, {})[0] == Exit(Reason.HOST_CALL, 1, 1, call=call)
