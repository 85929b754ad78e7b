"""Host call 100, `log` (JIP-1), for programs run by hand: each entry becomes a line of text."""

from __future__ import annotations

from collections.abc import Callable

from pvm.jam.host_calls.table import LOG_CALL, LOG_LEVELS
from pvm.jam.host_calls.table import WHAT as WHAT
from pvm.machine import Handler, Machine, Reason
from pvm.memory import Memory
from pvm.printable import escaped

LONGEST = 4096  # bytes of a message that are shown
LONGEST_OUTPUT = 1 << 16  # bytes of an entry that is output of a program
LOG_LINES = 10_000  # lines that commands show of a run, unless they are asked for more


def log_handlers(write: Callable[[str], None], cost: int = 0) -> dict[int, Handler]:
    """Handlers for a machine. `write` gets each entry as one line of printable text.

    Each call takes `cost` gas (`UNKNOWN_GAS` of a version on the network); where that does not suffice, nothing is
    written, and the run ends out of gas (B.5).
    """

    def log(machine: Machine) -> Reason | None:
        if cost:
            gas = machine.gas
            machine.gas = max(gas - cost, 0)
            if gas < cost:
                return Reason.OUT_OF_GAS
        write(log_text(machine))
        machine.registers[7] = WHAT  # always: JIP-1
        return None

    return {LOG_CALL: log}


def log_text(machine: Machine) -> str:
    """What a machine that stands at the call logs, as one line of printable text.

    Registers: r7 the level, r8 and r9 the target's address and length, r10 and r11 those of the message.
    """
    level, target, target_length, message, message_length = machine.registers[7:12]
    where = _text(machine.memory, target, target_length)
    level_name = LOG_LEVELS[level] if level < len(LOG_LEVELS) else f"level {level}"
    prefix = f"log {level_name}{f' [{where}]' if where else ''}: "
    return prefix + _text(machine.memory, message, message_length)


def _text(memory: Memory, address: int, length: int) -> str:
    """What the guest logs, made safe for a terminal."""
    if not length:
        return ""
    if not memory.is_readable(address, length):
        return f"<{length} byte{'s' * (length != 1)} at {address:#x}, which the guest may not read>"
    text = escaped(memory.read(address, min(length, LONGEST)).decode("utf-8", "backslashreplace"))
    return text if length <= LONGEST else f"{text}… ({length} bytes)"


def program_output(machine: Machine) -> tuple[str, bytes] | None:
    """What an ordinary C program prints or leaves (`pvm cc`), at the call: its target and the message.

    Targets are "stdout", "stderr" and "exit_code". None for other entries, and for what the guest may not read.
    """
    _, target, target_length, message, message_length = machine.registers[7:12]
    memory = machine.memory
    if target_length not in (6, 9) or not memory.is_readable(target, target_length):
        return None
    name = memory.read(target, target_length)
    if name not in (b"stdout", b"stderr", b"exit_code"):
        return None
    if message_length > LONGEST_OUTPUT or (message_length and not memory.is_readable(message, message_length)):
        return None
    return name.decode(), memory.read(message, message_length) if message_length else b""
