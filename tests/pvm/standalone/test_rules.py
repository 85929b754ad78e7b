"""Rules of which standalone modules have copies: A.1's blobs, A.2's tables, A.7's start, A.8's results.

What they print is compared with the reference engine; what that does is held by `tests/pvm`.
"""

from __future__ import annotations

import json

import pytest

import pvm
from pvm.errors import ProgramError
from pvm.isa import GP_072, GP_080
from pvm.program import Blob, Program, Sections, assemble, pack_bitmask
from pvm.program.codec import encode_natural

HALTS = Blob(b"\x32\x00", pack_bitmask(b"\1\0"))
STANDARD = Sections(b"abc", b"de", 1, 5).encode(HALTS.encode())
LONG = (b"\1" * 300, b"\xff" * 37 + b"\x0f")  # code and its bitmask
LONGER = (b"\1" * 0x2008, b"\xff" * 0x401)


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        (b"\0\0\1\0\1", True), (b"\0\0\0", True), (b"\0\x09\1\0\1", True),
        (b"\0\0\1\0\1\0", False), (b"\0\0\1\0", False), (b"\0\0\2\0\1", False),  # left over, missing
        (b"\0\0\1\0\3", False), (b"\0\0\1\0\x80", False), (b"\0\0\x09" + bytes(9) + b"\1\2", False),  # beyond the code
        (b"\0\0\x09" + bytes(9) + b"\1\1", True), (b"\0\0\x08" + bytes(8) + b"\xff", True),
        (b"\2\1\1\5\6\0\1", True), (b"\3\1\1\5\6\0\1", False),
        (b"\0\0\x81\x2c" + LONG[0] + LONG[1], True), (b"\0\0\xc0\x2c\1" + LONG[0] + LONG[1], False),
        (b"\0\0\xa0\x08" + LONGER[0] + LONGER[1], True), (b"\0\0\x80\x08" + LONGER[0] + LONGER[1], False),
        (b"\0\0\x80\1\0\1", False), (b"\x80\0\0\1\0\1", False), (b"\0\0\xff" + b"\1" + bytes(7) + b"\0\1", False),
    ],
)  # fmt: skip
def test_what_is_no_program(data, fits, run_core):
    """A blob, and a standard program with it: what one reader refuses, the other does with the same words."""
    wrapped = Sections(b"abc", b"de", 1, 5).encode(data)
    changed = ((wrapped, fits), (wrapped + b"\0", False), (wrapped[:-1], False), (wrapped[3:], False))
    for octets, is_good, format in ((data, fits, "plain"), *((*one, "standard") for one in changed)):
        ended = run_core(octets, GP_072, "instruction", format=format)
        if is_good:
            Program.parse(octets, format)
            assert (ended.status, ended.stderr) == (3, "")
            continue
        with pytest.raises(ProgramError) as refused:
            Program.parse(octets, format)
        assert ended.status == 2
        assert str(refused.value) in ended.stderr


@pytest.mark.parametrize("width", [0, 1, 2, 3, 4, 5, 8, 9, 255])
def test_jump_tables_of_any_width(width, run_core, expect):
    """load_imm r1, ADDRESS; jump_ind r1 | ecalli 1 | 256 times fallthrough | ecalli 2 | trap: entries that are good,
    too large, and cut off would be good."""
    most = 256**width
    others = (7 + 2 + 0x102, *(7 + (1 << bits) for bits in (8, 16, 32, 64)), 7 + most - 256)
    entries = [7, *(entry for entry in others if 7 < entry < most)]
    counts = (0, 1, 7, (1 << 31) - 1, (1 << 64) - 1) if width == 0 else (len(entries),)
    for count in counts:
        for address in (*range(2 * len(entries) + 4), -2, -0x10000):
            load = b"\x33\1" + address.to_bytes(3, "little", signed=True)
            code = load + b"\x32\1\x0a\1" + b"\1" * 0x102 + b"\x0a\2\0"
            marks = b"\1\0\0\0\0\1\0\1\0" + b"\1" * 0x102 + b"\1\0\1"
            table = b"".join(entry.to_bytes(width, "little") for entry in entries) if width else b""
            head = encode_natural(count), bytes([width]), encode_natural(len(code))
            blob = b"".join((*head, table, code, pack_bitmask(marks)))
            machine = pvm.ReferenceEngine().instantiate(Program.parse(blob, "plain"), gas=9)
            status, text = expect(machine, 9, "interpreter", GP_072, "instruction", "plain")
            ended = run_core(blob, GP_072, "instruction", "--gas", 9, format="plain")
            assert (ended.status, ended.stdout) == (status, text), (count, address)


@pytest.mark.parametrize(
    ("code", "marks"), [("330507", "100"), ("0a03", "10"), ("33050700", "1001"), ("01ff01", "111")]
)
def test_the_bitmask_and_the_end_of_the_code(code, marks, run_core, expect):
    """Which bit is whose, and that all are set behind the last."""
    blob = Blob(bytes.fromhex(code), pack_bitmask(bytes(map(int, marks)))).encode()
    machine = pvm.ReferenceEngine().instantiate(Program.parse(blob, "plain"), gas=9)
    status, text = expect(machine, 9, "interpreter", GP_072, "instruction", "plain")
    ended = run_core(blob, GP_072, "instruction", "--gas", 9, format="plain")
    assert (ended.status, ended.stdout) == (status, text)


@pytest.mark.parametrize(
    ("read_only", "read_write", "heap", "stack", "arguments"),
    [(0, 0, 0, 0, 0), (3, 2, 1, 5, 4), (0x1000, 0x1000, 0, 0x1000, 0x1000), (0x10001, 0x1001, 2, 0x1001, 0x1001)],
)
def test_the_start_of_a_standard_program(read_only, read_write, heap, stack, arguments, run_core, expect):
    """Registers, and what is readable and writable around the ends of each section."""
    sections = Sections(b"\1" * read_only, b"\2" * read_write, heap, stack)
    data = b"\3" * arguments
    begin = sections.heap_end - heap * 4096 - -(-read_write // 4096) * 4096
    ends = {
        0x10000, 0x10000 + read_only, 0x10000 + -(-read_only // 4096) * 4096, begin, begin + read_write,
        sections.heap_end, 0xFEFE0000 - -(-stack // 4096) * 4096, 0xFEFE0000, 0xFEFF0000, 0xFEFF0000 + arguments,
        0xFEFF0000 + -(-arguments // 4096) * 4096,
    }  # fmt: skip
    for end in sorted(ends):
        for address in (end - 1, end):
            for name in ("load_ind_u8", "store_ind_u8"):
                access = f"{name} r3, [r2]" if name.startswith("load") else f"{name} [r2], r3"
                source = f".code\nload_imm_64 r2, {address}\n{access}\necalli 1\n"
                program = Program(assemble(source).blob, sections)
                machine = pvm.ReferenceEngine().instantiate(program, data, gas=9)
                status, text = expect(machine, 9, "interpreter", GP_072, "instruction", "standard")
                options = ("--gas", 9, "--args", data.hex())
                ended = run_core(program.encode(), GP_072, "instruction", *options, format="standard")
                assert (ended.status, ended.stdout) == (status, text), (name, hex(address))


@pytest.mark.parametrize(
    ("address", "length", "result"),
    [
        (0xFEFF0000, 4, b"JAM!"), (0xFEFF0001, 2, b"AM"), (0xFEFF0000, 0, b""), (0x10000, 3, b"abc"),
        (0xFEFF0000, 0x1001, b""), (0xFEFEFFFF, 2, b""), (0xFEFF0000 + (1 << 32), 4, b""),
        (0xFEFF0000, (1 << 32) + 4, b""), ((1 << 64) - 1, (1 << 64) - 1, b""), (0x8000, 4, b""),
        (0xFEFF0000, (1 << 64) - 1, b""), (0xFEFF0002, (1 << 64) - 1, b""),
    ],
)  # fmt: skip
def test_the_result(address, length, result, run_core):
    source = f".code\nload_imm_64 r7, {address}\nload_imm_64 r8, {length}\njump_ind r0\n"
    program = Program(assemble(source).blob, Sections(b"abc", b"de", 1, 5))
    for gas, status in ((9, 0), (3, 0), (2, 4)):
        options = ("--gas", gas, "--args", b"JAM!".hex())
        ended = run_core(program.encode(), GP_072, "instruction", *options, format="standard")
        found = json.loads(ended.stdout)
        assert ended.status == status
        assert (found["gas_used"], found["gas"]) == (min(gas, 3), max(0, gas - 3))
        assert bytes.fromhex(found["result"]) == (b"" if status else result)


@pytest.mark.parametrize(("address", "result"), [(0x1000, ""), (0xFFFF, ""), (0x10000, "00")])
def test_no_result_from_low_memory(address, result, run_core):
    """A plain program's heap begins there."""
    source = f"load_imm r2, 0x12000\nsbrk r3, r2\nload_imm r7, {address}\nload_imm r8, 1\n"
    source += "load_imm r0, -0x10000\njump_ind r0"
    ended = run_core(assemble(f".code\n{source}\n").encode(), GP_072, "instruction", "--gas", 9, format="plain")
    found = json.loads(ended.stdout)
    assert (found["status"], found["result"]) == ("halt", result)


@pytest.mark.parametrize(
    ("code", "marks", "pc", "gas"),
    [
        ("00", "1", 0, 8), ("01", "1", 0, 8), ("02 00", "1 1", 0, 7), ("330105 00", "100 1", 0, 7),
        ("", "", 0, 9), ("00", "0", 0, 9), ("01 00", "0 1", 1, 9), ("330105", "100", 0, 9), ("02", "1", 0, 9),
        ("ff 00", "1 1", 1, 9), ("00 ff 00", "1 1 1", 0, 9), ("00" + 24 * "00", "1" + "0" * 24, 0, 8),
        ("00" + 25 * "00", "1" + "0" * 25, 0, 9), ("01" + 25 * "02" + "00", "1" + "0" * 25 + "1", 0, 9),
        ("330105 00", "100 1", 1, 9), ("330105 00", "100 1", 3, 8), ("330105 00", "100 1", 4, 9),
        ("330105 00", "100 1", 0xFFFFFFFF, 9),
    ],
)  # fmt: skip
def test_validity_in_0_8_0(code, marks, pc, gas, run_core):
    blob = Blob(bytes.fromhex(code), pack_bitmask(bytes(map(int, marks.replace(" ", "")))))
    ended = run_core(blob.encode(), GP_080, "instruction", "--gas", 9, "--pc", pc, format="plain")
    found = json.loads(ended.stdout)
    assert (ended.status, found["status"], found["gas"]) == (3, "panic", gas)
