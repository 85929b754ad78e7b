"""What the page has opened: programs and recorded runs.

In: bytes or text, and what they are said to be. Out: a frozen `Loaded`, and the `Opened` object of it for the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import compress
from typing import Any

from pvm.emit.recompiler import Recompiled, why_interpreted
from pvm.errors import InputError, ProgramError, TraceError
from pvm.examples import EXAMPLES, Example
from pvm.flow.index import CALL, JUMP, TRAP, Index, index_of
from pvm.gas import Costs
from pvm.isa import SPEC_NAMES, SPECS, Spec
from pvm.isa import spec as find_spec
from pvm.lazy import lazy
from pvm.link import Options, is_linkable, link
from pvm.machine import Start
from pvm.printable import counted, escaped
from pvm.program import FORMAT_NAMES, Program, Survey, from_hex, invalid_at, recognise, survey
from pvm.program.facts import ENTRY_POINTS, check_numbering, metadata_text, shown_name
from pvm.trace import Trace, is_trace, parse_unfinished
from pvm.vectors import parse_vector
from pvm_web.bridge.recorded import trace_value
from pvm_web.bridge.values import Big, Params, Progress, Refused, pairs, words
from pvm_web.bridge.vectors import looks_like_vector, run_of_vector

FORMATS: tuple[str, ...] = (*FORMAT_NAMES, "asm", "trace", "vector")
MAX_SOURCE = 1 << 22  # characters of assembly: 800,000 short lines, which take Pyodide some 30 s
MAX_CODE = 1 << 24  # bytes of code; a listing takes ten times as much memory, JAM's services have at most 4,000,000
KEPT_LABELS = 20_000  # of jump targets that the source does not name
_SHOWN = 5  # pcs in a note
_FIRST = 400  # bytes in which a JSON object begins
_LONGEST_NAME = 200  # characters of a file's name that are kept
_TRACE_MARK = b"program 0x"
# Not refused when recognised: traces are told by their mark, and of text the errors of assembly say more.
_READ_FURTHER = frozenset(("trace", "asm", "text", "hex"))
MOST_ENTRIES = 1000  # of a PolkaVM blob's exports that the page shows


@dataclass(frozen=True, eq=False)
class Loaded:
    """A program, where it comes from, and what has been worked out about it since. Raises InputError when it is large.

    `source` is there for assembly, `trace` for a recorded run, whose program it is, and which `is_cut` if it stops in
    the middle; `start` where that is not told by program and arguments.
    """

    handle: str
    name: str
    spec: Spec
    program: Program
    source: str | None = None
    survey: Survey | None = None
    trace: Trace | None = None
    start: Start | None = None
    is_cut: bool = False
    is_paid: bool = False  # an inner machine that stands in a block which is charged
    translations: dict[str, Recompiled] = field(default_factory=dict)  # by metering
    costs: list[Costs | None] = field(default_factory=list)  # by the pipeline model, once they were asked for

    def __post_init__(self) -> None:
        size = len(self.program.code)
        if size > MAX_CODE:
            raise InputError(f"{counted(size, 'byte')} of code: the page takes at most {MAX_CODE:,}")

    @lazy
    def data(self) -> bytes:
        """The program's own bytes in its format."""
        return self.program.encode() if self.trace is None else self.trace.program

    @lazy
    def index(self) -> Index:
        """Where its instructions are."""
        return self.indexed(int)

    def indexed(self, progress: Callable[[float], object]) -> Index:
        """The same, the first time with reports of how much is done, from 0 to 1: it takes a while for millions."""
        found: Index | None = self.__dict__.get("index")
        if found is None:
            found = self.__dict__["index"] = index_of(self.program.blob, self.spec, progress)
        return found

    @lazy
    def labels(self) -> dict[int, str]:
        """Names of pcs: the source's, and the disassembler's for jump targets, of which there are limited many."""
        named: dict[int, str] = {}
        if self.survey is not None:
            for pc, name in self.survey.labels:
                named.setdefault(pc, name)
        index, size = self.index, len(self.program.code)
        targets = {target for target in index.targets if 0 <= target < size}.union(self.program.blob.jump_targets)
        for pc in sorted(targets):
            if len(named) >= KEPT_LABELS:
                break
            if pc not in named and index.find(pc) is not None:
                named[pc] = f"l{pc}"
        return named

    @lazy
    def example(self) -> Example | None:
        """The example that it is."""
        return next((example for example in EXAMPLES if example.source == self.source), None)


def load(params: Params) -> Loaded:
    """What `open` was given. Raises InputError for whatever it is not."""
    name, data = params.text("name", "")[:_LONGEST_NAME], params.octets("data")
    spec = find_spec(params.choice("spec", tuple(SPECS), SPEC_NAMES[0]))
    format = params.choice("format", FORMATS, "auto")
    if format == "auto":
        format, program = _detect(data, name, spec)
    else:
        program = None if format in ("asm", "trace", "vector") else Program.parse(data, format)
    handle = handle_of(data + (params.octets("program") if params.has("program") else b""), format, spec)
    if format == "asm":
        return assembled(name, text_of(data), spec)
    if format == "trace":
        trace, is_cut = parse_unfinished(data, params.octets("program") if params.has("program") else None)
        try:
            return Loaded(handle, name, spec, Program.parse(trace.program), trace=trace, is_cut=is_cut)
        except ProgramError as error:
            raise TraceError(f"program: {error}") from None
    if format == "vector":
        start, expected = run_of_vector(parse_vector(data))
        return Loaded(handle, name, spec, Program.parse(expected.program, "plain"), trace=expected, start=start)
    assert program is not None
    check_numbering(program, spec)
    return Loaded(handle, name, spec, program)


def assembled(name: str, source: str, spec: Spec, found: Survey | None = None) -> Loaded:
    """Assembly that has been assembled. Raises its first AssemblyError, InputError when it is too long."""
    found = surveyed(source, spec) if found is None else found
    if found.program is None:
        raise found.errors[0]
    handle = handle_of(source.encode("utf-8", "surrogatepass"), "asm", spec)
    return Loaded(handle, name, spec, found.program, source, found)


def surveyed(source: str, spec: Spec) -> Survey:
    """`survey`. Raises InputError for more text than the page takes."""
    if len(source) > MAX_SOURCE:
        raise InputError(f"{len(source):,} characters of assembly: the page takes at most {MAX_SOURCE:,}")
    return survey(source, spec)


def text_of(data: bytes) -> str:
    """Assembly as it lies in files. Raises InputError unless it is UTF-8."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 at byte {error.start}") from None


def handle_of(data: bytes, format: str, spec: Spec) -> str:
    """The same for the same content, so that what was opened before can be named again."""
    digest = hashlib.blake2b(data, digest_size=12, person=spec.name.encode()[:16], salt=format.encode()[:16])
    return digest.hexdigest()


def _detect(data: bytes, name: str, spec: Spec) -> tuple[str, Program | None]:
    """The format of a file by its content: a program that reads to its last byte, in octets or spelt in hexadecimal
    digits, a recorded run, assembly; an object of RISC-V is linked. Raises InputError, which says what else it is where
    that can be told."""
    if is_linkable(data):
        program = link([(name or "the object", data)], Options(spec=spec.name)).program
        return program.format, program
    try:
        program = Program.parse(data)
        return program.format, program
    except ProgramError as error:
        failure = error
    octets = from_hex(data)
    if octets is not None:
        program = Program.parse(octets)
        return program.format, program
    if _TRACE_MARK in data:
        return "trace", None
    if looks_like_vector(data):
        return "vector", None
    if is_trace(data.decode("utf-8", "replace")):
        raise InputError(
            "a recorded run without its program: open the program, and then the trace with “Compare with trace” "
            "under Host calls"
        )
    if data[:_FIRST].lstrip().startswith(b"{"):
        raise InputError("JSON, but no test vector: neither 'steps' nor 'expected-status' is there")
    found = recognise(data)
    if found is not None and found.kind not in _READ_FURTHER:
        raise failure
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise failure from None
    if not data or any(not c.isprintable() and c not in "\t\n\r\f\ufeff" for c in text):
        raise failure
    return "asm", None


# --- for the page --------------------------------------------------------------------------------------------------


def opened_value(loaded: Loaded, progress: Progress) -> dict[str, Any]:
    """The `Opened` object."""
    program, index = loaded.program, loaded.indexed(lambda fraction: progress({"fraction": fraction}))
    found = loaded.survey
    return {
        "handle": loaded.handle, "kind": "program" if loaded.trace is None else "trace", "name": loaded.name,
        "format": program.format, "spec": loaded.spec.name, "metadata": _metadata(program.metadata),
        "code_length": len(program.code), "instructions": len(index.pcs), "blocks": index.blocks.count(1),
        "jump_table": program.blob.jump_count, "entry_points": _entry_points(loaded),
        "segments": [
            {"name": s.name, "address": s.address, "length": s.length, "access": s.access}
            for s in (() if program.sections is None else program.sections.segments())
        ],
        "hash": hashlib.blake2b(loaded.data, digest_size=32).hexdigest(), "data": loaded.data,
        "notes": list(_notes(loaded)), "source": loaded.source,
        "source_lines": None if found is None else pairs(found.lines),
        "example": None if loaded.example is None else example_value(loaded.example),
        "trace": None if loaded.trace is None else trace_value(loaded.trace), "imports": _imports(program),
        "start": None if loaded.start is None else {"gas": Big(loaded.start.gas), "pc": loaded.start.pc},
    }  # fmt: skip


def assembled_value(params: Params, keep: Callable[[Loaded], object], progress: Progress) -> dict[str, Any]:
    """The result of `assemble`: errors are values here. `keep` gets what could be assembled."""
    spec = find_spec(params.choice("spec", SPEC_NAMES, SPEC_NAMES[0]))
    source, name = params.text("text", ""), params.text("name", "")[:_LONGEST_NAME]
    found = surveyed(source, spec)
    errors = [{"line": e.line, "column": e.column, "message": escaped(e.message)} for e in found.errors]
    if found.program is None:
        return {"opened": None, "errors": errors, "labels": [], "lines": words(())}
    loaded = assembled(name, source, spec, found)
    keep(loaded)
    return {
        "opened": opened_value(loaded, progress), "errors": [], "labels": [list(label) for label in found.labels],
        "lines": pairs(found.lines),
    }  # fmt: skip


def index_value(loaded: Loaded) -> dict[str, Any]:
    """The `Index` object."""
    index = loaded.index
    return {
        "pcs": index.pcs, "block": index.blocks, "targets": index.targets, "kinds": index.kinds,
        "labels": [[pc, name] for pc, name in sorted(loaded.labels.items())],
    }  # fmt: skip


def example_value(example: Example) -> dict[str, Any]:
    """An example's own arguments and gas, and where it draws."""
    return {
        "name": example.name, "title": example.title, "args": example.args.hex(), "gas": Big(example.gas),
        "pixels": None if example.pixels is None else asdict(example.pixels),
    }  # fmt: skip


def _metadata(metadata: bytes | None) -> str | None:
    return None if metadata is None else escaped(metadata_text(metadata) or metadata[:64].hex())


def _imports(program: Program) -> list[str] | None:
    """Names of host calls by number that are the program's own, not JAM's: a PolkaVM blob's, "" where one has none."""
    found = program.polkavm
    return None if found is None else [shown_name(symbol) for symbol in found.imports]


def _entry_points(loaded: Loaded) -> list[dict[str, Any]]:
    """Where the program can be entered: by JAM, at block starts, when it is more than a plain blob."""
    if loaded.program.sections is None:
        return [{"pc": 0, "name": "start"}]
    index, polkavm = loaded.index, loaded.program.polkavm
    if polkavm is not None and polkavm.exports:
        return [{"pc": one.pc, "name": shown_name(one.name)} for one in polkavm.exports[:MOST_ENTRIES]]
    found = [{"pc": pc, "name": name} for pc, name in ENTRY_POINTS if index.starts_block(pc)]
    return found if len(found) > 1 else [{"pc": 0, "name": "start"}]


def _notes(loaded: Loaded) -> list[str]:
    """What is wrong or worth knowing, a sentence each."""
    program, spec, index = loaded.program, loaded.spec, loaded.index
    blob, notes = program.blob, []
    if loaded.is_cut and loaded.trace is not None:
        notes.append(f"The trace stops in the middle: recorded up to call {len(loaded.trace.calls)}.")
    if spec.validates and (found := invalid_at(blob, spec)) is not None:
        notes.append(f"Invalid in {spec.name}, it panics at once: {found}.")
    lost = [
        pc for pc, target in compress(zip(index.pcs, index.targets, strict=True), index.kinds.translate(_IS_JUMP))
        if not index.starts_block(target)
    ]  # fmt: skip
    if lost:
        notes.append(f"{_counted(lost, 'jump')} to where no block starts, and so {_panic(lost)}.")
    wrong = [pc for pc in program.blob.jump_targets if not index.starts_block(pc)]
    if wrong:
        notes.append(f"{len(wrong):,} of the jump table's targets are no block starts.")
    invalid = [
        pc for pc in compress(index.pcs, index.kinds.translate(_IS_TRAP))
        if spec.by_opcode[blob.code[pc]] is None
    ]  # fmt: skip
    if invalid:
        notes.append(f"{_counted(invalid, 'invalid opcode')}: {_panic(invalid)}.")
    reason = why_interpreted(blob, spec)
    if reason is not None:
        notes.append(f"{reason.capitalize()}: the interpreter runs it, it is not translated.")
    if program.polkavm is not None:
        notes.append(f"Its instruction set is {program.polkavm.instruction_set.name}.")
        notes += [f"{count:,} {name}, which {spec.name} lacks: traps." for name, count in program.polkavm.foreign]
    calls = index.kinds.count(CALL)
    if calls:
        notes.append(f"{counted(calls, 'host call')} in the code.")
    return notes


# What `bytes.translate` makes of kinds: 1 for the one that is looked for.
_IS_JUMP, _IS_TRAP = (bytes(kind == wanted for kind in range(256)) for wanted in (JUMP, TRAP))


def _counted(pcs: list[int], noun: str) -> str:
    shown = ", ".join(map(str, pcs[:_SHOWN])) + ("…" if len(pcs) > _SHOWN else "")
    return f"{counted(len(pcs), noun)} (pc {shown})"


def _panic(pcs: list[int]) -> str:
    return "panics" if len(pcs) == 1 else "panic"


def unknown_handle() -> Refused:
    """The error for a program that is not kept any more."""
    return Refused("handle", "this program is not open any more: open it again")
