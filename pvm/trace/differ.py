"""Comparing two traces, line by line, to their first difference.

In: the lines of two traces: of instructions, of host calls (ecalli traces), or one of each. Out: a `Comparison`.
Compared is what both tell: the kinds of records that both have, and of each record the fields that both have.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from pvm.errors import InputError, TraceError
from pvm.suggestions import did_you_mean
from pvm.trace.lines import CALL, END, FIELDS, INSTRUCTION, START, Fields, Record, records, with_states_after

CONTEXT = 3  # records before the difference that are shown
_NUMBERED = re.compile(r" [0-9]+$")  # what is loaded and stored, from the second on
_MISSING = "(nothing)"
_LONGEST_VALUE, _LONGEST_TEXT = 200, 1000  # characters that are shown
# Kinds of records that a trace may do without, and at which records it then stands. A trace with instructions begins
# with one, so that what has a host call first has none.
_OPTIONAL: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    (START, (INSTRUCTION, CALL, END, None)),
    (INSTRUCTION, (CALL, END)),
    (CALL, (INSTRUCTION, END, None)),
    (END, (None,)),
)


@dataclass(frozen=True)
class Side:
    """One trace at the difference: the line, what it says of the field, and the line's text; line 0 is its end."""

    line: int
    value: int | str
    text: str


@dataclass(frozen=True)
class Difference:
    """Where two traces differ first.

    `field` is a record's field, "record" where the records are of other kinds, or "end" where one trace has ended.
    `others` are the record's other fields that differ. `instruction` is the one at which the traces stand, `context`
    the lines before, as the first trace has them.
    """

    field: str
    first: Side
    second: Side
    others: tuple[str, ...]
    instruction: str | None
    context: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """`compared` counts records by kind, `left_out` are the kinds that one trace does without.

    `fields` are those that both have and that were compared.
    """

    difference: Difference | None
    compared: dict[str, int]
    left_out: tuple[str, ...]
    fields: tuple[str, ...]


def compare_traces(
    first: Iterable[str], second: Iterable[str], ignored: Collection[str] = (), context: int = CONTEXT,
    before: Collection[int] = (), names: tuple[str, str] = ("the first", "the second"),
) -> Comparison:  # fmt: skip
    """Compare the lines of two traces. `ignored` fields are not compared.

    `before` are the traces, 0 and 1, whose lines have gas and registers before the instruction.

    Raises TraceError for a malformed line and InputError for what is no trace, with the trace's name before it, and
    InputError for a field that no line can have.
    """
    for name in ignored:
        if _NUMBERED.sub("", name) not in FIELDS:
            raise InputError(f"no line has a field {name[:40]!r}: {_known(name)}")
    one, other = (
        with_states_after(records(lines)) if side in before else records(lines)
        for side, lines in enumerate((first, second))
    )
    return _Comparer((one, other), names, frozenset(ignored), context).run()


def _known(name: str) -> str:
    hint = did_you_mean(name, FIELDS)
    return hint or "there are pc, name, operands, gas, r0 to r12, load, store, call, read, written and others"


class _Comparer:
    def __init__(
        self, sides: tuple[Iterator[Record], Iterator[Record]], names: tuple[str, str], ignored: frozenset[str],
        context: int,
    ) -> None:  # fmt: skip
        self._sides, self._names = sides, names
        self._ignored = ignored
        self._context: deque[str] = deque(maxlen=context)
        self._compared: dict[str, int] = {}
        self._fields: dict[str, None] = {}
        self._without: tuple[set[str], set[str]] = (set(), set())  # kinds that a side does not have
        self._seen: tuple[set[str], set[str]] = (set(), set())
        self._last: Record | None = None  # the last instruction

    def run(self) -> Comparison:
        one, other = self._next(0), self._next(1)
        for name, record in zip(self._names, (one, other), strict=True):
            if record is None:
                raise InputError(f"{name}: no trace, for no line has an instruction or a host call")
        while one is not None or other is not None:
            if one is not None and other is not None and one.kind == other.kind:
                difference = self._difference(one, other)
                if difference is not None:
                    return self._done(difference)
                self._compared[one.kind] = self._compared.get(one.kind, 0) + 1
                self._note(one)
                one, other = self._next(0), self._next(1)
                continue
            kinds = (one.kind if one else None, other.kind if other else None)
            side = self._skipped(kinds)
            if side is None:
                return self._done(self._unequal(one, other))
            record = one if side == 0 else other
            assert record is not None
            self._without[1 - side].add(record.kind)
            self._note(record)
            if side == 0:
                one = self._next(0)
            else:
                other = self._next(1)
        return self._done(None)

    def _next(self, side: int) -> Record | None:
        """The next record of a side, of a kind that the other has, too."""
        for record in self._sides[side]:
            if record.kind not in self._without[1 - side]:
                self._seen[side].add(record.kind)
                return record
            self._note(record)
        return None

    def _skipped(self, kinds: tuple[str | None, str | None]) -> int | None:
        """Of sides that stand at records of other kinds, the one whose kind the other does without; None: neither."""
        for kind, beside in _OPTIONAL:
            for side in (0, 1):
                if kinds[side] == kind and kinds[1 - side] in beside and kind not in self._seen[1 - side]:
                    return side
        return None

    def _note(self, record: Record) -> None:
        if record.kind == INSTRUCTION:
            self._last = record
        self._context.append(record.text[0][:_LONGEST_TEXT])

    def _difference(self, one: Record, other: Record) -> Difference | None:
        if one.text == other.text and one.after is other.after is None:
            if one.kind not in self._compared:  # the first of a kind tells what is compared
                self._fields.update(dict.fromkeys(name for name in self._read(0, one) if name not in self._ignored))
            return None
        left, right = self._read(0, one), self._read(1, other)
        shared = [name for name in left if name in right and name not in self._ignored]
        self._fields.update(dict.fromkeys(shared))
        different = [name for name in shared if left[name] != right[name]]
        if not different:
            return None
        name = different[0]
        sides = (_side(one, left, right, name), _side(other, right, left, name))
        return self._found(name, *sides, tuple(different[1:]), one if one.kind == INSTRUCTION else self._last)

    def _read(self, side: int, record: Record) -> Fields:
        try:
            return record.fields
        except TraceError as error:
            raise TraceError(f"{self._names[side]}: {error}") from None

    def _unequal(self, one: Record | None, other: Record | None) -> Difference:
        field = "end" if one is None or other is None else "record"
        return self._found(field, _whole(one), _whole(other), (), self._last)

    def _found(
        self, field: str, first: Side, second: Side, others: tuple[str, ...], record: Record | None
    ) -> Difference:
        return Difference(field, first, second, others, _name(record), tuple(self._context))

    def _done(self, difference: Difference | None) -> Comparison:
        left_out = tuple(sorted(self._without[0] | self._without[1]))
        return Comparison(difference, self._compared, left_out, tuple(self._fields))


def _side(record: Record, fields: Fields, others: Fields, name: str) -> Side:
    value = fields[name]
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        other = str(others[name])
        shorter = min(len(value), len(other))
        at = next((i for i in range(shorter) if value[i] != other[i]), shorter)
        begin = max(0, at - 16)
        value = f"{'…' if begin else ''}{value[begin : begin + 64]}… ({len(value)} characters)"
    return Side(record.line, value, record.text[0][:_LONGEST_TEXT])


def _whole(record: Record | None) -> Side:
    return Side(0, _MISSING, "") if record is None else Side(record.line, record.kind, record.text[0][:_LONGEST_TEXT])


def _name(record: Record | None) -> str | None:
    """The instruction of a record: its pc, name and operands."""
    if record is None:
        return None
    fields = record.fields
    words = (fields.get("name", ""), fields.get("operands", ""))
    return " ".join(str(word) for word in (f"pc {fields.get('pc', '?')}", *words) if word)
