"""Source maps beside programs: where a run failed, and source lines among the instructions.

In: a program's file, a machine. Out: rows and lines of text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from pvm.errors import InputError
from pvm.link.source_map import Place, SourceMap
from pvm.machine import Machine
from pvm.program import Program
from wasm_host.cli.inputs import read_text

MAP_SUFFIX = ".map"
_MOST_FRAMES = 32
_FRAME_POINTER, _STACK_POINTER, _RETURN_ADDRESS = 5, 1, 0  # registers s0, sp, ra
_PC = re.compile(r"; (\d+)$")


def map_beside(source: str, program: Program) -> SourceMap | None:
    """The map of a program in a file: the file's name with .map, if it is there and made for this program."""
    path = source + MAP_SUFFIX
    if not os.path.isfile(path):
        return None
    try:
        found = SourceMap.parse(read_text(path))
    except InputError:
        return None
    return found if found.belongs_to(program.encode()) else None


def frames(found: SourceMap, program: Program, machine: Machine, pc: int) -> list[Place]:
    """Where the program is and who called it, innermost first, as far as frame pointers lead (code with -g).

    A caller is the instruction before the one to which its callee returns.
    """
    places = [found.place(pc)]
    frame, below = machine.registers[_FRAME_POINTER], machine.registers[_STACK_POINTER]
    while len(places) < _MOST_FRAMES and frame > below and frame % 8 == 0 and frame < 1 << 32:
        if not machine.memory.is_readable(frame - 16, 16):
            break
        octets = machine.memory.read(frame - 16, 16)
        after = _pc_of(program, int.from_bytes(octets[8:], "little"))
        if after is None:
            break
        places.append(found.place(after - 1))
        frame, below = int.from_bytes(octets[:8], "little"), frame
    return places


def _pc_of(program: Program, address: int) -> int | None:
    """What a dynamic address leads to."""
    index = address // 2 - 1
    if address % 2 or not 0 <= index < len(program.jump_table):
        return None
    return program.jump_table[index] or None


def with_source(lines: Iterable[str], found: SourceMap) -> Iterator[str]:
    """Lines of a disassembly, with comments before the instructions of each function and source line."""
    last: Place | None = None
    texts: dict[str, list[str]] = {}
    for line in lines:
        at = _PC.search(line)
        if at is not None:
            place = found.place(int(at[1]))
            if place != last and place.line:
                text = _line_of(texts, place)
                yield f"; {place}{f': {text}' if text else ''}"
            elif place.function and (last is None or place.function != last.function):
                yield f"; {place.function}"
            last = place
        yield line


def _line_of(texts: dict[str, list[str]], place: Place) -> str:
    if place.file not in texts:
        try:
            with open(place.file, encoding="utf-8", errors="replace") as file:
                texts[place.file] = file.read(1 << 24).splitlines()
        except OSError:
            texts[place.file] = []
    lines = texts[place.file]
    shown = lines[place.line - 1].strip()[:100] if place.line <= len(lines) else ""
    return "".join(c if c.isprintable() else " " for c in shown)
