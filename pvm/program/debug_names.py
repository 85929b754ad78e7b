"""Names of functions from the debug sections of PolkaVM blobs.

In: the strings, the line programs and their ranges. Out: `Function` values, by pc.

A range is three numbers of four octets: a first pc, the pc after the last, and where its line program begins. Line
programs are instructions of one octet and at most one number (E) for a machine with a stack of frames, of which the
lowest is the function that the code stands in and those above were inlined. A frame's name is an offset to a string,
which is its length (E) and its octets. Nothing here is needed to run a program, so nothing raises: what cannot be read
is left out.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pvm.errors import ProgramError
from pvm.program.codec import read_natural, take

_VERSION = 1  # the first octet of the line programs
_RANGE = 12  # octets
_SET_DEPTH, _SET_NAMESPACE, _SET_FUNCTION = 1, 5, 6
_WITH_NUMBER = frozenset((_SET_DEPTH, _SET_NAMESPACE, _SET_FUNCTION, 7, 8, 9, 10, 12, 13))
_WITHOUT_NUMBER = frozenset((2, 3, 4, 11))
# Any other ends the program or the description of an instruction; the lowest frame is named by then.
_MOST_STEPS = 8  # of a line program: polkatool names the lowest frame by the fourth
_LONGEST = 200  # octets of a namespace or a name that are kept


@dataclass(frozen=True)
class Function:
    """Code from `pc` to before `end` that was written for the function `name`, which may contain anything."""

    pc: int
    end: int
    name: str


def read_functions(strings: bytes, programs: bytes, ranges: bytes) -> tuple[Function, ...]:
    """The functions, by pc; neighbours of the same name are one. Time and memory grow with the sections' size."""
    if programs[:1] != bytes([_VERSION]):
        return ()
    names = _Names(strings)
    found: list[Function] = []
    for at in range(0, len(ranges) - _RANGE + 1, _RANGE):
        pc, end, offset = (int.from_bytes(ranges[at + i : at + i + 4], "little") for i in (0, 4, 8))
        with suppress(ProgramError):
            name = _name(programs, offset, names)
            if name and pc < end:
                found.append(Function(pc, end, name))
    return tuple(_joined(sorted(found, key=lambda function: (function.pc, function.end))))


def _joined(functions: list[Function]) -> list[Function]:
    joined: list[Function] = []
    for function in functions:
        last = joined[-1] if joined else None
        if last is not None and last.end == function.pc and last.name == function.name:
            joined[-1] = Function(last.pc, function.end, last.name)
        else:
            joined.append(function)
    return joined


class _Names:
    """The strings that were asked for, each read once. Long ones are cut: offsets may lead into others."""

    def __init__(self, strings: bytes) -> None:
        self._strings, self._known = strings, dict[int, str]()

    def at(self, offset: int) -> str:
        """The string at an offset. Raises ProgramError where there is none."""
        if offset not in self._known:
            length, start = read_natural(self._strings, offset, "string")
            octets, _ = take(self._strings, start, min(length, _LONGEST + 1), "string")
            text = octets[:_LONGEST].decode("utf-8", "replace")
            self._known[offset] = text + "…" * (length > _LONGEST)
        return self._known[offset]


def _name(programs: bytes, offset: int, names: _Names) -> str:
    """The full name of the lowest frame at the first instruction of a line program, "" if it has none."""
    depth = namespace = function = 0
    for _ in range(_MOST_STEPS):
        step = programs[offset] if offset < len(programs) else 0
        offset += 1
        if step in _WITH_NUMBER:
            number, offset = read_natural(programs, offset, "line program")
            if step == _SET_DEPTH:
                depth = number
            elif step == _SET_NAMESPACE and not depth:
                namespace = number
            elif step == _SET_FUNCTION and not depth:
                function = number
        elif step not in _WITHOUT_NUMBER:
            break
    prefix, suffix = names.at(namespace), names.at(function)
    return f"{prefix}::{suffix}" if prefix and suffix else suffix
