"""The name, producers and branch hint custom sections: WebAssembly specification, appendix "Custom Sections",
the tool conventions' ProducersSection, and the branch hinting proposal."""

from collections.abc import Mapping, Sequence

from pvm.wasm.code import index
from pvm.wasm.leb128 import unsigned

# Subsections of the name section, by what they name. 3 (labels) is left out.
MODULE = 0
FUNCTION = 1
LOCAL = 2
TYPE = 4
TABLE = 5
MEMORY = 6
GLOBAL = 7
ELEMENT = 8
DATA = 9


def sized(content: bytes) -> bytes:
    """The content after its length in bytes."""
    return index(len(content)) + content


def string(text: str) -> bytes:
    """A name, section 5.2.4: UTF-8 after its length. ValueError for text that has no UTF-8 (a lone surrogate)."""
    return sized(text.encode())


def vector(items: Sequence[bytes]) -> bytes:
    """A list, section 5.1.3: the items after their number."""
    return index(len(items)) + b"".join(items)


def custom_section(name: str, content: bytes) -> bytes:
    """A whole custom section, section 5.5.3."""
    return b"\x00" + sized(string(name) + content)


def branch_hint_section(unlikely: Mapping[int, Sequence[int]]) -> bytes:
    """The section metadata.code.branch_hint of the branch hinting proposal, or b"" without hints.

    By function index, the offsets of branches that are seldom taken, counted from where the function's locals are.
    """
    if not unlikely:
        return b""
    functions = [
        index(number) + vector([unsigned(offset) + b"\x01\x00" for offset in offsets])
        for number, offsets in sorted(unlikely.items())
    ]
    return custom_section("metadata.code.branch_hint", vector(functions))


def name_map(names: Mapping[int, str]) -> bytes:
    """A name map: names by index, in increasing order."""
    return vector([index(i) + string(name) for i, name in sorted(names.items())])


def name_section(
    module: str | None, names: Mapping[int, Mapping[int, str]], locals_: Mapping[int, Mapping[int, str]]
) -> bytes:
    """The name section, or b"" when nothing has a name.

    `names` maps a subsection to its names by index, `locals_` a function's index to its locals' names.
    """
    subsections = {kind: name_map(by_index) for kind, by_index in names.items() if by_index}
    if module is not None:
        subsections[MODULE] = string(module)
    if locals_:
        subsections[LOCAL] = vector([index(i) + name_map(by_index) for i, by_index in sorted(locals_.items())])
    if not subsections:
        return b""
    return custom_section("name", b"".join(bytes([kind]) + sized(c) for kind, c in sorted(subsections.items())))


def producers_section(processed_by: Sequence[tuple[str, str]]) -> bytes:
    """The producers section with one field, processed-by, of (tool, version); b"" when there is none."""
    if not processed_by:
        return b""
    tools = vector([string(tool) + string(version) for tool, version in processed_by])
    return custom_section("producers", unsigned(1) + string("processed-by") + tools)
