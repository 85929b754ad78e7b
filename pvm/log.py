"""Host call 100, `log` (JIP-1), for programs run by hand: each entry becomes a line of text."""

from __future__ import annotations

from collections.abc import Callable

from pvm.jam.host_calls.table import LOG_CALL, LOG_LEVELS
from pvm.jam.host_calls.table import WHAT as WHAT
from pvm.machine import Handler, Machine, Memory
from pvm.printable import escaped

LONGEST = 4096  # bytes of a message that are shown


def log_handlers(write: Callable[[str], None]) -> dict[int, Handler]:
    """Handlers for a machine. `write` gets each entry as one line of printable text.

    Registers: r7 the level, r8 and r9 the target's address and length, r10 and r11 those of the message.
    """

    def log(machine: Machine) -> None:
        level, target, target_length, message, message_length = machine.registers[7:12]
        where = _text(machine.memory, target, target_length)
        level_name = LOG_LEVELS[level] if level < len(LOG_LEVELS) else f"level {level}"
        prefix = f"log {level_name}{f' [{where}]' if where else ''}: "
        write(prefix + _text(machine.memory, message, message_length))
        machine.registers[7] = WHAT  # always: JIP-1

    return {LOG_CALL: log}


def _text(memory: Memory, address: int, length: int) -> str:
    """What the guest logs, made safe for a terminal."""
    if not length:
        return ""
    if not memory.is_readable(address, length):
        return f"<{length} byte{'s' * (length != 1)} at {address:#x}, which the guest may not read>"
    text = escaped(memory.read(address, min(length, LONGEST)).decode("utf-8", "backslashreplace"))
    return text if length <= LONGEST else f"{text}… ({length} bytes)"
