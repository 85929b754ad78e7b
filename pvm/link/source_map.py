"""Which function and source line a pc belongs to: what is kept beside a linked program.

In: a `Linked`, or the text of such a file. Out: a `SourceMap`, and its text. Raises InputError for text that is none.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pvm.errors import InputError
from pvm.lazy import lazy

_FORMAT = "pvm-source-map-1"


class Place(NamedTuple):
    """`function` and `file` are "" and `line` is 0 where nothing is known."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else ""
        return f"{self.function} ({where})" if self.function and where else self.function or where


@dataclass(frozen=True)
class SourceMap:
    """`functions` are (first pc, name), `lines` (first pc, number in `files`, line), both by pc.

    `program` is the SHA-256 of the program's octets, in hexadecimal.
    """

    program: str
    functions: tuple[tuple[int, str], ...]
    files: tuple[str, ...]
    lines: tuple[tuple[int, int, int], ...]

    @lazy
    def _starts(self) -> tuple[list[int], list[int]]:
        return [pc for pc, _ in self.functions], [pc for pc, _, _ in self.lines]

    def place(self, pc: int) -> Place:
        """Where an instruction came from."""
        function_at, line_at = (bisect_right(starts, pc) - 1 for starts in self._starts)
        function = self.functions[function_at][1] if function_at >= 0 else ""
        if line_at < 0 or not self.lines[line_at][2]:
            return Place(function, "", 0)
        _, file, line = self.lines[line_at]
        return Place(function, self.files[file], line)

    def belongs_to(self, data: bytes) -> bool:
        """Whether it was made for this program."""
        return self.program == hashlib.sha256(data).hexdigest()

    def to_text(self) -> str:
        """JSON, a line."""
        return json.dumps({
            "format": _FORMAT, "program": self.program, "functions": self.functions, "files": self.files,
            "lines": self.lines,
        }, separators=(",", ":")) + "\n"  # fmt: skip

    @staticmethod
    def parse(text: str) -> SourceMap:
        """Raises InputError."""
        try:
            found = json.loads(text)
            functions = tuple((int(pc), str(name)) for pc, name in found["functions"])
            files = tuple(str(name) for name in found["files"])
            lines = tuple((int(pc), int(file), int(line)) for pc, file, line in found["lines"])
            program = str(found["program"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise InputError("no source map") from None
        if found.get("format") != _FORMAT or any(not 0 <= file < len(files) for _, file, _ in lines):
            raise InputError("no source map of a kind that is known")
        return SourceMap(program, functions, files, lines)


def make_map(
    program: bytes, functions: Sequence[tuple[int, str]], lines: Sequence[tuple[int, str, int]]
) -> SourceMap:
    """The map of a program's octets from (pc, name) and (pc, file, line); what repeats itself is left out."""
    numbers: dict[str, int] = {}
    kept: list[tuple[int, int, int]] = []
    for pc, file, line in lines:
        number = numbers.setdefault(file, len(numbers))
        if not kept or kept[-1][1:] != (number, line):
            kept.append((pc, number, line))
    return SourceMap(hashlib.sha256(program).hexdigest(), tuple(functions), tuple(numbers), tuple(kept))
