"""What is known about programs beyond their formats: conventions of JAM's tools.

In: a program's parts. Out: text for people.
"""

from __future__ import annotations

from pvm.errors import ProgramError
from pvm.printable import as_text
from pvm.program.codec import read_fixed, read_natural, take

# Where JAM enters services and authorizers.
ENTRY_POINTS: tuple[tuple[int, str], ...] = ((0, "refine, is-authorized"), (5, "accumulate"))


def metadata_text(metadata: bytes) -> str | None:
    """The metadata as text, when it is printable or has the form that JAM's Rust tools write; else None."""
    return as_text(metadata) or conventional_text(metadata)


def conventional_text(metadata: bytes) -> str | None:
    """The metadata that JAM's Rust tools write, as "name version, license, author, …"; None when it has another form.

    A zero octet, then name, version, license and the number of authors with each of them, as counted strings.
    """
    try:
        variant, offset = read_fixed(metadata, 0, 1, "variant")
        strings: list[str] = []
        wanted = 3
        while len(strings) < wanted:
            length, offset = read_natural(metadata, offset, "length")
            data, offset = take(metadata, offset, length, "string")
            strings.append(data.decode("utf-8"))
            if len(strings) == 3:
                authors, offset = read_natural(metadata, offset, "authors")
                wanted += authors
    except (ProgramError, UnicodeDecodeError):
        return None
    if variant != 0 or offset != len(metadata) or not "".join(strings).isprintable():
        return None
    return ", ".join((f"{strings[0]} {strings[1]}", *strings[2:]))
