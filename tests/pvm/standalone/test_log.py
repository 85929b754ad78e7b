"""Host call 100 in standalone modules writes what `pvm.log` does, whatever the guest logs."""

from __future__ import annotations

from random import Random

import pytest

from pvm import ReferenceEngine
from pvm.isa import GP_072
from pvm.log import LOG_LINES, LONGEST, WHAT, log_handlers
from pvm.program import assemble
from pvm.standalone import program_command

# Logs its arguments: 8 octets the level, 8 and 8 the target's address and length, 8 and 8 the message's; 0 for the
# message's address stands for what follows these. Returns what the call returned.
SOURCE = """
.standard stack=4096 heap=0
.code
    move_reg r6, r7
    load_ind_u64 r7, [r6]
    load_ind_u64 r8, [r6 + 8]
    load_ind_u64 r9, [r6 + 16]
    load_ind_u64 r10, [r6 + 24]
    load_ind_u64 r11, [r6 + 32]
    branch_ne_imm r10, 0, given
text:
    add_imm_64 r10, r6, 40
    fallthrough
given:
    ecalli 100
    ecalli 1
"""
PROGRAM = assemble(SOURCE)
COMMAND = program_command(PROGRAM, GP_072, "instruction")

TEXTS = (
    b"plain", "Grüße, 世界 🎉".encode(), b"\x1b[31m\x07\x00\x7f\t\r\n", b"\xff\xfe\xc0\x80\xe0\x80\x80\xed\xa0\x80",
    b"\xf0\x90\x80A\xf4\x90\x80\x80\xe2\x82", "\x85\xa0\xad\u200b\u202e\ue000\U000e0001\U0010ffff".encode(), b"\\n 'x'",
    b"x" * LONGEST, b"y" * (LONGEST + 1), b"z" * (LONGEST - 1) + "é".encode(),
)  # fmt: skip


def _arguments(level=2, target=(0, 0), message=(0, 0), text=b""):
    return b"".join(number.to_bytes(8, "little") for number in (level, *target, *message)) + text


def _check(run_module, args):
    lines = []
    machine = ReferenceEngine().instantiate(PROGRAM, args, host=log_handlers(lines.append))
    assert machine.run().call == 1 and machine.registers[7] == WHAT
    found = run_module(COMMAND, "--args", args.hex())
    assert found.status == 6
    assert found.stderr == "".join(f"{line}\n" for line in lines)
    assert f"    {WHAT},\n" in found.stdout


@pytest.mark.parametrize("text", TEXTS)
def test_text(text, run_module):
    _check(run_module, _arguments(message=(0, len(text)), text=text))


def test_random_octets(run_module):
    random = Random(1)
    characters = (chr(random.randrange(0xD800)).encode() for _ in range(200))
    pieces = (*TEXTS[:7], *(random.randbytes(4) for _ in range(20)), *characters)
    for _ in range(20):
        text = b"".join(random.choices(pieces, k=40))
        _check(run_module, _arguments(message=(0, len(text)), text=text))


@pytest.mark.parametrize("level", [0, 4, 5, 2**32, 2**64 - 1])
def test_levels(level, run_module):
    _check(run_module, _arguments(level, message=(0, 2), text=b"ok"))


STACK_END = PROGRAM.sections.segments()[-1].address + 4096


@pytest.mark.parametrize("place", [
    (0, 0), (7, 1), (0x10000, 1), (0xFFFF, 5), (2**32 - 1, 1), (2**32 - 1, 2), (2**32, 1), (2**64 - 1, 1),
    (STACK_END - 4096, 4096), (STACK_END - 4096, 4097), (STACK_END - 1, 1), (STACK_END - 4, 2**64 - 1), (1, 2**64 - 1),
    (2**63, 2**63),
])  # fmt: skip
def test_places(place, run_module):
    """Also those that the guest may not read."""
    _check(run_module, _arguments(target=place, message=(0, 0)))
    if place[0]:
        _check(run_module, _arguments(message=place))


def test_lines_are_limited_and_the_run_goes_on(run_module):
    clear = "".join(f"load_imm r{register}, 0\n" for register in range(7, 12))
    source = f"load_imm r2, {LOG_LINES + 50}\nfallthrough\nagain:\n{clear}ecalli 100\nadd_imm_64 r2, r2, -1\n"
    program = assemble(f".code\n{source}branch_ne_imm r2, 0, again\necalli 1\n")
    found = run_module(program_command(program, GP_072, "instruction"))
    lines = found.stderr.splitlines()
    assert found.status == 6 and f'"gas_used": {3 + 18 * (LOG_LINES + 50)},' in found.stdout
    assert lines[:-1] == ["log fatal: "] * LOG_LINES
    assert lines[-1] == f"pvm: {LOG_LINES:,} lines of log shown, the others are not"
