"""A file of answers to host calls, written by hand: a line an answer.

In: text. Out: `Listed`. A line is `CALL [CONDITION…] [xN] -> EFFECT…`, or `default EFFECT…`:

- CALL: a name of the version's host calls, a number, or `*`
- CONDITION: `r10=1`, or a parameter of the call by its name, such as `kind=1`
- xN: for N calls, then no more; without it, for every call
- EFFECT: a result for r7, by name (NONE, WHAT, …) or number; `r8=5`; `[0x32000]=BYTES` or `[r7+8]=BYTES`, memory;
  `out=BYTES`, which does what `fetch`, `read` and `lookup` do: the part that the parameters offset and length ask for
  goes to out, the whole length to r7; `cost=N`, gas in place of the call's price; `gas=N`, what remains;
  `halt`, `panic` and `out-of-gas` end the run; `stop` leaves the call unanswered
- BYTES: 0x and hexadecimal, "text", or @FILE. A # begins a comment.

The first line that fits a call, and has not been used up, answers it. Calls that no line fits get the default, which is
`stop` unless the file says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pvm.errors import InputError
from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.jam.host_calls.table import LOG_CALL, RESULTS, UNKNOWN_GAS, WHAT, HostCallRow, by_number
from pvm.machine import Machine, Reason
from pvm.memory import Memory
from pvm.program.standard import ADDRESS_SPACE, PAGE_SIZE
from pvm.registers import REGISTER_COUNT
from pvm.suggestions import did_you_mean
from pvm.trace.answers import FIRST_PARAMETER, UNANSWERED, Answer, charged, parameters_of, price
from pvm.trace.ecalli import MemoryChunk

ReadFile = Callable[[str], bytes]

_WORD = re.compile(r'(?:[^\s"#]|"(?:[^"\\]|\\.)*")+|#.*|"')
_REGISTER = re.compile(r"r(\d{1,2})")
_PLACE = re.compile(r"\[(?:r(\d{1,2})([+-]\w+)?|(\w+))\]")
_COUNT = re.compile(r"x(\d{1,18})")
_REGISTER_LIMIT = 1 << 64
_LONGEST_NUMBER = 80
_ENDS = {"halt": Reason.HALT, "panic": Reason.PANIC, "out-of-gas": Reason.OUT_OF_GAS}
_ANY = -1  # the call of a line that fits any


@dataclass(frozen=True)
class _Write:
    """Memory to write: at `offset` from a register's value, or from 0."""

    register: int | None
    offset: int
    data: bytes


@dataclass(frozen=True)
class Effects:
    """The right side of a line. `out` is what a call like `fetch` hands out."""

    registers: tuple[tuple[int, int], ...] = ()
    writes: tuple[_Write, ...] = ()
    out: bytes | None = None
    cost: int | None = None
    gas: int | None = None
    end: Reason | None = None
    stops: bool = False


@dataclass
class _Rule:
    """A line: when it fits, what it does, and how often yet (None: always)."""

    conditions: tuple[tuple[int, int], ...]
    effects: Effects
    left: int | None
    line: int

    def fits(self, machine: Machine) -> bool:
        return all(machine.registers[register] == value for register, value in self.conditions)


@dataclass
class Listed:
    """Answers by the lines of a file. `default` is what calls get that no line fits; None: nothing."""

    spec: Spec
    rules: dict[int, list[_Rule]] = field(default_factory=dict)
    default: Effects | None = None

    def find(self, machine: Machine, number: int) -> Answer | None:
        found = [rule for call in (number, _ANY) if (rule := self._first(machine, call)) is not None]
        if found:
            rule = min(found, key=lambda each: each.line)
            if rule.left is not None:
                rule.left -= 1
            return answer_of(machine, number, rule.effects, self.spec)
        if self.default is None or number == LOG_CALL:  # which has an answer of its own
            return None
        return answer_of(machine, number, self.default, self.spec)

    def _first(self, machine: Machine, call: int) -> _Rule | None:
        rules = self.rules.get(call, [])
        while rules and rules[-1].left == 0:
            rules.pop()
        return next((rule for rule in reversed(rules) if rule.left != 0 and rule.fits(machine)), None)


def answer_of(machine: Machine, number: int, effects: Effects, spec: Spec) -> Answer:
    """The effects as an answer to the call that the machine stands at: a panic where memory cannot be written."""
    if effects.stops:
        return UNANSWERED
    row = by_number(spec).get(number)
    registers = effects.registers if effects.out is None else ((FIRST_PARAMETER, len(effects.out)), *effects.registers)
    writes = _chunks(machine, effects, row)
    answer = Answer(end=Reason.PANIC) if writes is None else Answer(registers, writes, end=effects.end)
    if effects.gas is not None:
        return replace(answer, gas=effects.gas)
    cost = effects.cost
    if cost is None:
        cost = UNKNOWN_GAS[spec.name] if (FIRST_PARAMETER, WHAT) in registers else price(machine, number, spec)
    return charged(machine, cost, answer)


def _chunks(machine: Machine, effects: Effects, row: HostCallRow | None) -> tuple[MemoryChunk, ...] | None:
    """What is written; None where that cannot be done."""
    chunks = []
    for write in effects.writes:
        base = 0 if write.register is None else machine.registers[write.register]
        chunks.append(MemoryChunk((base + write.offset) % ADDRESS_SPACE, write.data))
    if effects.out is not None and row is not None:
        values = parameters_of(machine, row)
        first = min(values["offset"], len(effects.out))
        part = effects.out[first : first + values["length"]]
        if part and not _is_writable(machine.memory, values["out"], len(part)):
            return None
        if part:
            chunks.append(MemoryChunk(values["out"], part))
    is_within = all(chunk.address + len(chunk.data) <= ADDRESS_SPACE for chunk in chunks)
    return tuple(chunks) if is_within else None


def _is_writable(memory: Memory, address: int, length: int) -> bool:
    if not memory.is_readable(address, length):
        return False
    first, last = address // PAGE_SIZE, (address + length - 1) // PAGE_SIZE
    return all(memory.access(page * PAGE_SIZE) == "rw" for page in range(first, last + 1))


# --- reading -------------------------------------------------------------------------------------------------------


def parse_answers(text: str, spec: Spec | str, read: ReadFile) -> Listed:
    """The answers in a file's text. `read` yields the bytes of the files that it names.

    Raises InputError that names the line, and what `read` raises.
    """
    listed = Listed(find_spec(spec))
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = _words(line)
            if words:
                _take(listed, words, number, read)
        except InputError as error:
            raise InputError(f"line {number}: {error}") from None
    for rules in listed.rules.values():
        rules.reverse()  # those used up are taken off the end
    return listed


def parse_default(text: str, spec: Spec | str, read: ReadFile) -> Listed:
    """Answers with nothing but a default, such as "NONE" or "r7=0 cost=100". Raises InputError."""
    return Listed(find_spec(spec), default=_effects(_words(text), None, read))


def _words(line: str) -> list[str]:
    words = [word for word in _WORD.findall(line) if not word.startswith("#")]
    if '"' in words:
        raise InputError('a " that is not closed')
    return words


def _take(listed: Listed, words: list[str], line: int, read: ReadFile) -> None:
    if words[0] == "default":
        if listed.default is not None:
            raise InputError("a second default")
        listed.default = _effects([word for word in words[1:] if word != "->"], None, read)
        return
    if "->" not in words:
        raise InputError("`CALL -> EFFECT …` or `default EFFECT …` is expected")
    arrow = words.index("->")
    if not arrow:
        raise InputError("no host call is named before ->")
    number = _call(words[0], listed.spec)
    row = None if number == _ANY else by_number(listed.spec).get(number)
    left, conditions = None, []
    for word in words[1:arrow]:
        count = _COUNT.fullmatch(word)
        if count:
            left = int(count[1])
        else:
            conditions.append(_condition(word, row))
    effects = _effects(words[arrow + 1 :], row, read)
    listed.rules.setdefault(number, []).append(_Rule(tuple(conditions), effects, left, line))


def _call(word: str, spec: Spec) -> int:
    if word == "*":
        return _ANY
    if word[:1].isdigit() or word[:1] == "-":
        return parse_value(word)
    names = {row.name: number for number, row in by_number(spec).items()}
    if word.lower() not in names:
        hint = did_you_mean(word, names, 1)
        known = f"give a number, * or one of {', '.join(names)}"
        raise InputError(f"{word[:40]!r} is no host call of {spec.name}: {hint and hint + ' '}{known}")
    return names[word.lower()]


def _condition(word: str, row: HostCallRow | None) -> tuple[int, int]:
    name, equals, value = word.partition("=")
    if not equals:
        raise InputError(f"{word[:40]!r} is no condition such as r10=1, and no count such as x3")
    register = _register(name)
    names = [parameter.partition("@")[0] for parameter in row.parameters] if row else []
    if register is None and name in names:
        register = FIRST_PARAMETER + names.index(name)
    if register is None:
        known = f"a register or one of {', '.join(names)}" if names else "a register"
        raise InputError(f"{name[:40]!r} is no parameter: give {known}")
    return register, result_value(value)


def _effects(words: list[str], row: HostCallRow | None, read: ReadFile) -> Effects:
    if not words:
        raise InputError("an effect is missing: a result such as NONE, or `stop`")
    effects = Effects()
    for word in words:
        effects = _effect(effects, word, row, read)
    return effects


def _effect(effects: Effects, word: str, row: HostCallRow | None, read: ReadFile) -> Effects:
    name, equals, value = word.partition("=")
    if not equals:
        if word in _ENDS:
            return replace(effects, end=_ENDS[word])
        if word == "stop":
            return replace(effects, stops=True)
        return replace(effects, registers=(*effects.registers, (FIRST_PARAMETER, result_value(word))))
    if name in ("gas", "cost"):
        number = parse_value(value)
        return replace(effects, gas=number) if name == "gas" else replace(effects, cost=number)
    if name == "out":
        names = {parameter.partition("@")[0] for parameter in row.parameters} if row else set()
        if not {"out", "offset", "length"} <= names:
            raise InputError("out= is for calls with the parameters out, offset and length, such as fetch and read")
        return replace(effects, out=_bytes(value, read))
    place = _PLACE.fullmatch(name)
    if place:
        return replace(effects, writes=(*effects.writes, _write(place, _bytes(value, read))))
    register = _register(name)
    if register is None:
        known = "a result, rN=, [ADDRESS]=, out=, cost=, gas=, halt, panic, out-of-gas or stop"
        raise InputError(f"{word[:40]!r} is no effect: give {known}")
    return replace(effects, registers=(*effects.registers, (register, result_value(value))))


def _write(place: re.Match[str], data: bytes) -> _Write:
    if place[3] is not None:
        address = parse_value(place[3])
        if address + len(data) > ADDRESS_SPACE:
            raise InputError(f"{len(data)} bytes at {place[3]} do not lie within the 4 GiB")
        return _Write(None, address, data)
    register = _register(f"r{place[1]}")
    if register is None:
        raise InputError(f"r{place[1]} is no register")
    offset = place[2] or "+0"
    return _Write(register, parse_value(offset[1:]) * (-1 if offset[0] == "-" else 1), data)


def _register(name: str) -> int | None:
    found = _REGISTER.fullmatch(name)
    return int(found[1]) if found and int(found[1]) < REGISTER_COUNT else None


def _bytes(text: str, read: ReadFile) -> bytes:
    if text.startswith("@"):
        return read(text[1:])
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1]).encode("utf-8", "surrogatepass")
    digits = text[2:] if text[:2].lower() == "0x" else "?"
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", digits):
        raise InputError(f'{text[:40]!r} are no bytes: give 0x and pairs of hexadecimal digits, "text", or @FILE')
    return bytes.fromhex(digits)


def result_value(text: str) -> int:
    """A result by its name (NONE, WHAT, …) or number. Raises InputError for anything else."""
    found = RESULTS.get(text.upper())
    return parse_value(text) if found is None else found


def parse_value(text: str) -> int:
    """A 64-bit value, decimal (it may be negative) or hexadecimal with 0x. Raises InputError for anything else."""
    digits = text.removeprefix("-")
    is_number = re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", digits)
    if not is_number or len(digits) > _LONGEST_NUMBER:
        names, hint = ", ".join(RESULTS), did_you_mean(text, RESULTS)
        what = f"{text[:40]!r} is no number (decimal, or hexadecimal with 0x) and none of {names}"
        raise InputError(f"{what}{hint and '; ' + hint}")
    value = int(digits, 16 if digits[:2].lower() == "0x" else 10)
    value = -value if text.startswith("-") else value
    if not -(_REGISTER_LIMIT >> 1) <= value < _REGISTER_LIMIT:
        raise InputError(f"{text[:40]} does not fit 64 bits")
    return value % _REGISTER_LIMIT
