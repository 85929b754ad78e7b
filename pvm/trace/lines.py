"""Reading traces of any engine a line at a time: instructions, host calls, the start and the end.

In: the lines of a file. Out: `Record`s, whose `fields` are read only when they are asked for: lines that are the same
need no reading. A line of instructions is ours (`FORMAT.md`), or any line that says `pc` and a number and names an
instruction, gas or registers, as other engines print them. All other lines are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pvm.errors import TraceError
from pvm.isa import SPECS
from pvm.lazy import lazy
from pvm.registers import REGISTER_COUNT
from pvm.trace.ecalli import find_event
from pvm.trace.steps import STEP

Fields = dict[str, "int | str"]

START, INSTRUCTION, CALL, END = "start", "instruction", "host call", "end"
LONGEST_LINE = 1 << 26  # characters: twice the digits of the largest program or memory that a call may write
_STATE = ("pc", "gas", *(f"r{number}" for number in range(REGISTER_COUNT)))
# What records can say. What is loaded and stored is numbered from the second on: `load 2`.
FIELDS: tuple[str, ...] = (
    *_STATE, "name", "operands", "load", "store", "call", "read", "written", *(f"{name} after" for name in _STATE[1:]),
    "program", "memory", "end", "argument",
)  # fmt: skip

_REGISTER_LIMIT = 1 << 64

_AFTER = frozenset(_STATE[1:])  # what an instruction changes
_NAMES = frozenset(row.name for spec in SPECS.values() for row in spec.rows)
_ENDS = re.compile(r"(?:^|\s)(STOP) (pc=.*)$")
_EFFECTS = ("memwrite 0x", "memread 0x", "setreg r", "setgas <-")
_HEADS = {"start pc=": START, "ecalli=": CALL, "program 0x": START}

_OURS = re.compile(
    r"pc=(?P<pc>\d{1,20}) (?P<name>[\w.]+)(?: (?P<operands>.*?))? gas=(?P<gas>\d{1,20})"
    r"(?P<registers>(?: r\d{1,2}=0x[0-9a-fA-F]{1,16})*)(?P<accesses>(?: (?:load|store) 0x.*)?)"
)
_ACCESS = re.compile(r" (load|store) 0x([0-9a-fA-F]+) len=(\d+) (?:->|<-) 0x([0-9a-fA-F]*)")
_PC = re.compile(r"\bpc\b[\s=:]*(0x[0-9a-fA-F]{1,16}|\d{1,20})\b", re.IGNORECASE)
_GAS = re.compile(r"\b(?:gas|g)\b[\s=:]*(-?\d{1,20}|0x[0-9a-fA-F]{1,16})\b", re.IGNORECASE)
_REGISTERS = re.compile(r"\breg\w*\b[\s=:]*[\[({]([^\])}]*)[\])}]", re.IGNORECASE)
_REGISTER = re.compile(r"\br(\d{1,2})[=:]\s*(0x[0-9a-fA-F]{1,16}|-?\d{1,20})\b", re.IGNORECASE)
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}|-?\d{1,20}")
_WORD = re.compile(r"[A-Za-z][\w]*")
_CALL = re.compile(r"(\d{1,20}) (.*)")
_CHUNK = re.compile(r"([0-9a-fA-F]{1,16}) len=\d+ (?:->|<-) 0x([0-9a-fA-F]*)")
_SETREG = re.compile(r"(\d{1,2}) <- 0x([0-9a-fA-F]{1,16})")


@dataclass(frozen=True)
class Record:
    """One thing that a trace tells: its lines as they are, the first one's number, and which kind it is.

    `after` is the record that has the gas and registers after an instruction whose own line has those before it.
    """

    kind: str
    line: int
    text: tuple[str, ...]
    after: Record | None = None

    @lazy
    def fields(self) -> Fields:
        """What it says, by name. A field that is not there is unknown. Raises TraceError for a malformed line."""
        try:
            fields = _READERS[self.kind](self)
        except ValueError as error:
            if isinstance(error, TraceError):
                raise
            raise TraceError(f"line {self.line}: {error}") from None
        if self.after is None:
            return fields
        return {name: value for name, value in fields.items() if name not in _AFTER} | {
            name: value for name, value in self.after.fields.items() if name in _AFTER
        }


def with_states_after(before: Iterable[Record]) -> Iterator[Record]:
    """The records of a trace whose lines have gas and registers before the instruction, turned into those after it."""
    last: Record | None = None
    for record in before:
        if last is not None:
            yield replace(last, after=record) if last.kind == INSTRUCTION else last
        last = record
    if last is not None:
        yield replace(last, after=Record(last.kind, last.line, ())) if last.kind == INSTRUCTION else last


def records(lines: Iterable[str]) -> Iterator[Record]:
    """The records of a trace, one after the other; the effects of a host call belong to the call's."""
    kind, first, text = "", 0, list[str]()
    for number, line in enumerate(lines, 1):
        if line.startswith(STEP):
            head = INSTRUCTION
        else:
            head = _kind_of(line)
            if not head:
                continue
            if head in _EFFECTS:
                if kind in (CALL, START):
                    text.append(line.rstrip())
                continue
            if head == START == kind:  # `program` and `start` are one
                text.append(line.rstrip())
                continue
        if kind:
            yield Record(kind, first, tuple(text))
        kind, first, text = head, number, [line.rstrip()]
    if kind:
        yield Record(kind, first, tuple(text))


def _kind_of(line: str) -> str:
    """The kind of record that a line begins, or the effect that it is; "" for any other line."""
    event = find_event(line)
    if event is not None:
        keyword = event[1]
        return keyword if keyword in _EFFECTS else _HEADS.get(keyword, END)
    if _ENDS.search(line):
        return END
    if _PC.search(line) and (_GAS.search(line) or _REGISTERS.search(line) or _name_in(line)):
        return INSTRUCTION
    return ""


def _name_in(line: str) -> str | None:
    return next((word for found in _WORD.findall(line) if (word := found.lower()) in _NAMES), None)


def _number(text: str) -> int:
    value = int(text, 16 if text[:2].lower() == "0x" else 10)
    if not -(_REGISTER_LIMIT >> 1) <= value < _REGISTER_LIMIT:
        raise ValueError(f"{text} does not fit 64 bits")
    return value % _REGISTER_LIMIT


def _instruction(record: Record) -> Fields:
    if not record.text:
        return {}  # after the last line of a trace
    text = record.text[0]
    ours = _OURS.fullmatch(text)
    if ours is not None:
        fields: Fields = {"pc": _number(ours["pc"]), "name": ours["name"].lower(), "operands": ours["operands"] or ""}
        fields["gas"] = _number(ours["gas"])
        _take_registers(fields, ours["registers"])
        for number, (what, address, length, data) in enumerate(_ACCESS.findall(ours["accesses"])):
            name = what if not number else f"{what} {number + 1}"
            fields[name] = f"0x{int(address, 16):08x} len={length} 0x{data.lower()}"
        return fields
    pc, gas, listed, name = _PC.search(text), _GAS.search(text), _REGISTERS.search(text), _name_in(text)
    fields = {"pc": _number(pc[1])} if pc else {}
    if name is not None:
        fields["name"] = name
    if gas is not None:
        fields["gas"] = _number(gas[1])
    if listed is not None and "=" not in listed[1] and ":" not in listed[1]:
        for number, value in enumerate(_NUMBER.findall(listed[1])[:REGISTER_COUNT]):
            fields[f"r{number}"] = _number(value)
    else:
        _take_registers(fields, text)
    return fields


def _take_registers(fields: Fields, text: str) -> None:
    for number, value in _REGISTER.findall(text):
        if int(number) < REGISTER_COUNT:
            fields[f"r{int(number)}"] = _number(value)


def _state(fields: Fields, text: str) -> None:
    """pc, gas and registers of an ecalli trace's line, which leaves registers out that are zero."""
    pc, gas = _PC.search(text), _GAS.search(text)
    if pc is None or gas is None:
        raise ValueError(f"malformed: {text[:60]!r}")
    fields["pc"], fields["gas"] = _number(pc[1]), _number(gas[1])
    fields.update({f"r{number}": 0 for number in range(REGISTER_COUNT)})
    _take_registers(fields, text)


def _start(record: Record) -> Fields:
    fields: Fields = {}
    chunks = _Chunks()
    for line in record.text:
        event = find_event(line)
        assert event is not None
        if event[1] == "program 0x":
            fields["program"] = event[2].strip().lower()
        elif event[1] == "memwrite 0x":
            chunks.add("memory", event[2])
        else:
            _state(fields, f"pc={event[2]}")
    return {**fields, **chunks.fields()}


def _call(record: Record) -> Fields:
    event = find_event(record.text[0])
    assert event is not None
    found = _match(_CALL, event[2])
    fields: Fields = {"call": _number(found[1])}
    _state(fields, found[2])
    if len(record.text) == 1:
        return fields  # a trace that records no effects says nothing of them
    after = {f"r{number} after": fields[f"r{number}"] for number in range(REGISTER_COUNT)}
    after["gas after"] = fields["gas"]
    chunks = _Chunks()
    for line in record.text[1:]:
        event = find_event(line)
        assert event is not None
        if event[1] == "setreg r":
            register = _match(_SETREG, event[2])
            if int(register[1]) < REGISTER_COUNT:
                after[f"r{int(register[1])} after"] = int(register[2], 16)
        elif event[1] == "setgas <-":
            after["gas after"] = _number(event[2].strip())
        else:
            chunks.add("read" if event[1] == "memread 0x" else "written", event[2])
    return {**fields, "written": "nothing", **chunks.fields(), **after}


class _Chunks:
    """Bytes at addresses by name; those that follow on what came before are one with it."""

    def __init__(self) -> None:
        self._parts: dict[str, list[tuple[int, list[str]]]] = {}
        self._ends: dict[str, int] = {}

    def add(self, name: str, text: str) -> None:
        found = _match(_CHUNK, text)
        address, digits = int(found[1], 16), found[2].lower()
        parts = self._parts.setdefault(name, [])
        if parts and self._ends[name] == address:
            parts[-1][1].append(digits)
        else:
            parts.append((address, [digits]))
        self._ends[name] = address + len(digits) // 2

    def fields(self) -> Fields:
        return {
            name: " ".join(f"{address:#010x}:0x{''.join(digits)}" for address, digits in parts)
            for name, parts in self._parts.items()
        }


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"malformed: {text.strip()[:60]!r}")
    return found


def _end(record: Record) -> Fields:
    text = record.text[0]
    event = find_event(text)
    if event is None:
        found = _ENDS.search(text)
        assert found is not None
        fields: Fields = {"end": found[1]}
        _state(fields, found[2])
        return fields
    keyword, rest = event[1], event[2].strip()
    fields = {"end": keyword.removesuffix(" pc=").removesuffix("=")}
    if keyword.endswith(" pc="):
        _state(fields, f"pc={rest}")
    else:
        found = _match(_CALL, rest)
        fields["argument"] = _number(found[1])
        _state(fields, found[2])
    return fields


_READERS: dict[str, Callable[[Record], Fields]] = {START: _start, INSTRUCTION: _instruction, CALL: _call, END: _end}
