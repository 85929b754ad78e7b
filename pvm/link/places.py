"""What messages call a place in an object: the function or datum, its octets, its source line.

In: an `ElfFile`, a section and an octet in it. Out: text. Takes time linear in the object, so that only errors ask.
"""

from __future__ import annotations

from bisect import bisect_right

from pvm.link.elf import FUNCTION_SYMBOL, SECTION_SYMBOL, ElfFile
from pvm.link.lines import line_rows


def described(file: ElfFile, section: int, offset: int) -> str:
    """`function+0x4 (00b50533), file.c:7`; the line is there if the object was compiled with -g."""
    content = file.sections[section]
    kinds = (FUNCTION_SYMBOL,) if content.is_code else (0, 1)
    named = sorted(
        (symbol.value, symbol.name) for symbol in file.symbols
        if symbol.section == section and symbol.kind in kinds and symbol.kind != SECTION_SYMBOL and symbol.name
    )  # fmt: skip
    at = bisect_right(named, (offset, "\U0010ffff")) - 1
    start, name = named[at] if at >= 0 else (0, content.name)
    octets = content.data[offset : offset + 4]
    shown = f" ({octets[::-1].hex()})" if content.is_code and octets else ""
    return f"{name}+{offset - start:#x}{shown}{_line(file, section, offset)}"


def _line(file: ElfFile, section: int, offset: int) -> str:
    rows = [row for row in line_rows(file) if row.section == section and row.offset <= offset]
    return f", {rows[-1].file}:{rows[-1].line}" if rows and rows[-1].line else ""
