"""Host call 100, `log` (JIP-1), for programs run by hand: each entry becomes a line of text."""

from __future__ import annotations

from collections.abc import Callable

from pvm.jam.host_calls.table import LOG_CALL, LOG_LEVELS
from pvm.jam.host_calls.table import WHAT as WHAT
from pvm.machine import Handler, Machine, Reason
from pvm.memory import Memory
from pvm.printable import escaped

LONGEST = 4096  # bytes of a message that are shown
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
