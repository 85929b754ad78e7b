"""Identifiers for the text format, from the name section: WebAssembly specification, section 6.3.5
and the appendix "Custom Sections"."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pvm.wasm import custom
from pvm.wasm.cursor import Cursor
from pvm.wasm.errors import WasmError

IDENTIFIER_LIMIT: Final = 128
"""The most characters of an identifier, so that text stays in proportion to the module."""

_ILLEGAL: Final = re.compile(r"[^0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]")

Names = Mapping[int, str]
"""Identifiers, each with its `$`, by index."""


@dataclass(frozen=True, slots=True)
class ModuleNames:
    """The identifiers of a module, by index space."""

    module: str | None = None
    locals: Mapping[int, Names] = field(default_factory=dict)  # by function, then local
    spaces: Mapping[int, Names] = field(default_factory=dict)  # by subsection number, as in `custom`

    def space(self, subsection: int) -> Names:
        """The identifiers of the index space named by a subsection."""
        return self.spaces.get(subsection, {})


def refer(names: Names, index: int) -> str:
    """An item's identifier, or its index when it has none."""
    return names.get(index) or str(index)


def define(names: Names, index: int) -> str:
    """What stands where an item is defined: its identifier if any, and its index as a comment."""
    name = names.get(index)
    return f"{name} (;{index};)" if name else f"(;{index};)"


def read_names(cursor: Cursor) -> ModuleNames:
    """Read a name section's content. Raises WasmError when it is malformed; labels are not kept."""
    module = None
    locals_: dict[int, Names] = {}
    spaces: dict[int, Names] = {}
    last = -1
    while not cursor.done():
        start = cursor.offset
        subsection = cursor.byte()
        if subsection <= last:
            raise WasmError(f"name subsection {subsection} after subsection {last}", start)
        last = subsection
        content = cursor.part(cursor.u32())
        if subsection == custom.MODULE:
            module = _legal(content.string()) or None
        elif subsection == custom.LOCAL:
            for _ in content.vector():
                function = content.u32()
                locals_[function] = _name_map(content)
        elif subsection in (
            custom.FUNCTION,
            custom.TYPE,
            custom.TABLE,
            custom.MEMORY,
            custom.GLOBAL,
            custom.ELEMENT,
            custom.DATA,
        ):
            spaces[subsection] = _name_map(content)
        else:
            continue
        content.finish("name subsection")
    return ModuleNames(module, locals_, spaces)


def _name_map(cursor: Cursor) -> Names:
    """A name map as identifiers made legal and, by adding the index, unique."""
    names: dict[int, str] = {}
    used: set[str] = set()
    for _ in cursor.vector():
        start = cursor.offset
        index = cursor.u32()
        if index in names:
            raise WasmError(f"two names for index {index}", start)
        name = _legal(cursor.string())
        if not name:
            continue
        base, suffix = name, ""
        while name in used:
            suffix += f".{index}"
            # Within the limit, so that reading the text's own names back changes nothing.
            name = base[: max(1, IDENTIFIER_LIMIT - len(suffix))] + suffix
        used.add(name)
        names[index] = name
    return names


def _legal(name: str) -> str:
    """The name as an identifier; "" for the empty name, which no identifier can stand for."""
    return "$" + _ILLEGAL.sub("_", name[: IDENTIFIER_LIMIT - 1]) if name else ""
