"""Engine memories of programs that were decoded before, so that a program's next machine need not decode it again.

In: a program, and what its first machine's engine memory holds. Out: `Images`. Several threads may use it. A service of
137 kB takes 1.3 ms to decode and 0.3 ms to copy.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from pvm import abi
from pvm.program import Program
from wasm_host.forks import follow_forks
from wasm_host.machine.memory import EngineState

KEPT = 16  # programs, the last ones used
LARGEST = 1 << 25  # bytes that are kept of a program; ten times what the largest of the recorded services takes



@dataclass(frozen=True)
class Image:
    """An engine memory just after a program was decoded: `low` has the state, the opcode tables and scratch, from
    address 0; `high` the program, from `abi.PROGRAM`."""

    low: bytes
    high: bytes

    def restore(self, state: EngineState) -> None:
        """Make an engine memory that was never used the same."""
        state.reserve(abi.PROGRAM + len(self.high))
        state.write(0, self.low)
        state.write(abi.PROGRAM, self.high)


class Images:
    """The images of an engine's programs. A program gets one with its second machine: many have only one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._images: dict[bytes, Image | None] = {}
        follow_forks(self)

    def was_forked(self) -> None:
        """Go on in the copy of a process."""
        self._lock = threading.RLock()

    def find(self, program: Program) -> Image | None:
        """A program's image, None if there is none yet."""
        with self._lock:
            return self._images.get(program.encoded_blob)

    def note(self, program: Program, state: EngineState) -> None:
        """A machine has just decoded a program."""
        size = state.field["records_end"].value - abi.PROGRAM
        if size > LARGEST:
            return
        key = program.encoded_blob
        with self._lock:
            is_second = key in self._images
            self._images.pop(key, None)
            self._images[key] = None
            if is_second:
                self._images[key] = Image(state.read(0, abi.SCRATCH_END), state.read(abi.PROGRAM, size))
            while len(self._images) > KEPT:
                del self._images[next(iter(self._images))]
