"""What is known about programs beyond their formats: conventions of JAM's tools, and names that programs bring.

In: programs and their parts. Out: names, numbers and text for people.
"""

from __future__ import annotations

from contextlib import suppress

from pvm.errors import InputError, ProgramError
from pvm.isa import Spec
from pvm.jam.host_calls.table import call_name
from pvm.printable import as_text, escaped
from pvm.program.codec import read_fixed, read_natural, take
from pvm.program.program import Program
from pvm.program.recognise import Recognised, recognise
from pvm.suggestions import did_you_mean

# Where JAM enters services and authorizers.
ENTRY_POINTS: tuple[tuple[int, str], ...] = ((0, "refine, is-authorized"), (5, "accumulate"))
_JAM_ENTRIES: tuple[tuple[str, int], ...] = (("refine", 0), ("is_authorized", 0), ("accumulate", 5))
_LISTED, _LONGEST = 12, 80  # names in an error, and characters of one


def entries_of(program: Program) -> tuple[tuple[str, int], ...]:
    """Names by which a program can be entered, each with its pc: a PolkaVM blob's exports; else JAM's, if not plain."""
    if program.polkavm is not None:
        return tuple((export.name, export.pc) for export in program.polkavm.exports)
    return () if program.sections is None else _JAM_ENTRIES


def find_entry(program: Program, name: str) -> int:
    """The pc of the entry called `name`; "-" is as good as "_". Raises InputError, which lists the names there are."""
    entries = dict(reversed(entries_of(program)))  # of several with one name the first counts
    if not entries:
        raise InputError(f"{shown_name(name)}: a {program.format} program has no named entries: give a pc")
    plain = name.replace("-", "_")
    found = entries.get(name, entries.get(plain))
    if found is not None:
        return found
    near = did_you_mean(plain, map(shown_name, entries), 1)
    hint = f"; {near}" if near else ""
    raise InputError(f"{shown_name(name)}: no entry of this program, which has {_listed(program)}{hint}")


def default_entry(program: Program) -> int:
    """Where a program starts unless that is said: at 0, a PolkaVM blob at its export.

    Raises InputError when it has several exports, none of which is the one to take.
    """
    exports = () if program.polkavm is None else program.polkavm.exports
    if len({export.pc for export in exports}) > 1:
        raise InputError(f"it has several exports: give an entry or a pc ({_listed(program)})")
    return exports[0].pc if exports else 0


def _listed(program: Program) -> str:
    names = list(dict(entries_of(program)))
    listed = ", ".join(map(shown_name, names[:_LISTED]))
    return listed if len(names) <= _LISTED else f"{listed} and {len(names) - _LISTED} more"


def shown_name(name: str) -> str:
    """A name that a program brings, made safe to show and cut: it may contain anything, and be as long as the file."""
    text = escaped(name[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def identify(data: bytes) -> Recognised | None:
    """What a file is, as `recognise` says, or that it is a program. None where neither can be told."""
    with suppress(ProgramError):
        article = {"jam": "a service (jam)", "polkavm": "a PolkaVM blob"}
        format = Program.parse(data).format
        return Recognised("program", article.get(format, f"a {format} program"), "`pvm run` and `pvm inspect` take it")
    return recognise(data)


def check_numbering(program: Program, spec: Spec) -> None:
    """Raises InputError when the program itself says that its opcodes are another version's: PolkaVM blobs do."""
    found = program.polkavm
    if found is not None and found.spec != spec.name:
        name = found.instruction_set.name
        raise InputError(f"its instruction set, {name}, has the opcodes of {found.spec}, not of {spec.name}")


def call_symbol(program: Program, call: int | None, spec: Spec) -> str | None:
    """What a host call's number means: a PolkaVM blob's import, JAM's call for others. None where neither is known."""
    if call is None:
        return None
    return call_name(call, spec) if program.polkavm is None else program.polkavm.symbol(call)


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
