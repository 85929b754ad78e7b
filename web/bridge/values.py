"""Values at the border between Python and the page.

Out: None, bool, int, float, str, bytes, list, dict with text keys, `Big` (a BigInt) and arrays of type "I", "i", "Q"
(typed arrays of 32 and 64 bits). In: the same, where a whole float counts as an int; `Params` checks what comes in.
"""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pvm.errors import InputError

MAX_FILE = 1 << 26  # bytes of one file or text that the page hands over
Progress = Callable[[dict[str, Any]], object]
"""Takes reports while a request lasts: `{"fraction": …}`."""

LARGE = 1 << 53  # integers from here on are BigInts
ARRAYS = {"I": "$u32", "i": "$i32", "Q": "$u64"}  # type of an array -> its key in JSON


@dataclass(frozen=True, slots=True)
class Big:
    """An integer that the page gets as a BigInt, however small it is."""

    value: int


class Refused(InputError):
    """Bad input, and which of the parameters it is about."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


def words(values: Iterable[int]) -> array[int]:
    """Numbers below 2^32."""
    return array("I", values)


def pairs(values: Iterable[tuple[int, int]]) -> array[int]:
    """Pairs of numbers below 2^32, one after the other."""
    return array("I", (number for pair in values for number in pair))


def registers(values: Iterable[int]) -> array[int]:
    """Unsigned 64-bit numbers."""
    return array("Q", values)


class Params:
    """The parameters of one request. Every method raises `Refused` for a value that is missing or wrong."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        value = self._take(name, default)
        if not isinstance(value, str):
            raise Refused(name, f"{name}: text is needed")
        if len(value) > MAX_FILE:
            raise Refused(name, f"{name}: longer than {MAX_FILE >> 20} MiB")
        return value

    def octets(self, name: str, default: bytes | None = None) -> bytes:
        value = self._take(name, default)
        if not isinstance(value, bytes | bytearray | memoryview):
            raise Refused(name, f"{name}: bytes are needed")
        if len(value) > MAX_FILE:
            raise Refused(name, f"{name}: longer than {MAX_FILE >> 20} MiB, more than is read")
        return bytes(value)

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self._take(name, default)
        if value not in choices:
            raise Refused(name, f"{name}: choose one of {', '.join(choices)}")
        return str(value)

    def number(self, name: str, bits: int, default: int | None = None) -> int:
        """An integer below 2^`bits`."""
        return checked(name, self._take(name, default), bits)

    def has(self, name: str) -> bool:
        """Whether there is such a parameter, and it is not null."""
        return self._values.get(name) is not None

    def object(self, name: str) -> Params:
        value = self._take(name, None)
        if not isinstance(value, Mapping):
            raise Refused(name, f"{name}: an object is needed")
        return Params(value)

    def objects(self, name: str) -> list[Params]:
        """A list of objects; none when the parameter is left out."""
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise Refused(name, f"{name}: a list of objects is needed")
        return [Params(item) for item in value]

    def lists(self, name: str) -> list[list[Any]]:
        """A list of lists; none when the parameter is left out."""
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(item, list) for item in value):
            raise Refused(name, f"{name}: a list of lists is needed")
        return value

    def numbers(self, name: str, bits: int, count: int) -> tuple[int, ...]:
        """So many integers below 2^`bits`."""
        value = self._take(name, None)
        if not isinstance(value, list | array) or len(value) != count:
            raise Refused(name, f"{name}: {count} numbers are needed")
        return tuple(checked(name, item, bits) for item in value)

    def _take(self, name: str, default: Any) -> Any:
        value = self._values.get(name)
        if value is None:
            value = default
        if value is None:
            raise Refused(name, f"{name}: missing")
        return value


def checked(name: str, value: Any, bits: int) -> int:
    """`value` as an integer below 2^`bits`. Raises `Refused`."""
    if isinstance(value, Big):
        value = value.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
        raise Refused(name, f"{name}: no integer from 0 to 2^{bits} - 1")
    return int(value)


# --- as JSON, for the files that the build writes ------------------------------------------------------------------


def to_json(value: Any) -> str:
    """A result as text, which `revive` of `shared/workers.mjs` reads back."""
    return json.dumps(_tagged(value), separators=(",", ":"), ensure_ascii=False)


def _tagged(value: Any) -> Any:
    match value:
        case Big(number):
            return {"$int": str(number)}
        case int() if abs(value) >= LARGE and not isinstance(value, bool):
            return {"$int": str(value)}
        case bytes() | bytearray():
            return {"$bytes": _base64(value)}
        case array():
            return {ARRAYS[value.typecode]: _base64(value.tobytes())}  # little-endian wherever Python runs today
        case dict():
            return {name: _tagged(item) for name, item in value.items()}
        case list() | tuple():
            return [_tagged(item) for item in value]
        case _:
            return value


def _base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode("ascii")
