"""What is known about programs beyond their formats: conventions of JAM's tools.

In: a program's parts. Out: text for people.
"""

from __future__ import annotations

from pvm.errors import InputError, ProgramError
from pvm.printable import as_text
from pvm.program.codec import read_fixed, read_natural, take
from pvm.program.program import Program
from pvm.suggestions import did_you_mean

# Where JAM enters services and authorizers.
ENTRY_POINTS: tuple[tuple[int, str], ...] = ((0, "refine, is-authorized"), (5, "accumulate"))
_JAM_ENTRIES: tuple[tuple[str, int], ...] = (("refine", 0), ("is_authorized", 0), ("accumulate", 5))
_LISTED = 12  # names in an error


def entries_of(program: Program) -> tuple[tuple[str, int], ...]:
    """Names by which a program can be entered, each with its pc: JAM's for standard programs and services."""
    return () if program.sections is None else _JAM_ENTRIES


def find_entry(program: Program, name: str) -> int:
    """The pc of the entry called `name`; "-" is as good as "_". Raises InputError, which lists the names there are."""
    entries = entries_of(program)
    if not entries:
        raise InputError(f"{name}: a {program.format} program has no named entries: give a pc")
    plain = name.replace("-", "_")
    found = dict(reversed(entries)).get(name, dict(reversed(entries)).get(plain))
    if found is not None:
        return found
    names = list(dict(entries))
    near = did_you_mean(plain, names, 1)
    hint = f"; {near}" if near else ""
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    raise InputError(f"{name}: no entry of this program, which has {listed}{hint}")


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
