"""What two states differ in, decoded: component, field, the value of each.

In: two states of the same parameters. Out: differences in the order of state keys, values as JSON has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pvm.errors import CodecError
from pvm.jam import merkle
from pvm.jam.codec import codec
from pvm.jam.constants import Constants
from pvm.jam.state import COMPONENTS, State
from pvm.jam.state_keys import owner_of, service_of
from pvm.jam.types import ServiceInfo

_BY_KEY = {row.key: row for row in COMPONENTS.values()}


@dataclass(frozen=True)
class Difference:
    """One field. `expected` or `got` is None where that state has nothing there."""

    where: str
    expected: Any
    got: Any


def differences(expected: State, got: State) -> Iterator[Difference]:
    """All fields that differ. Costs what differs."""
    for key, old, new in merkle.differences(expected.trie, got.trie):
        name, kind = described(key)
        before, after = _value(kind, old, got.constants), _value(kind, new, got.constants)
        yield from _fields(name, before, after)


def described(key: bytes) -> tuple[str, Any]:
    """What a state key of 31 octets stands for, and the type of its value; None for raw octets."""
    if key in _BY_KEY:
        return _BY_KEY[key].name.rstrip("_"), _BY_KEY[key].kind
    service = service_of(key)
    if service is not None:
        return f"service {service}", ServiceInfo
    return f"service {owner_of(key)}, item {key.hex()}", None


def _value(kind: Any, data: bytes | None, constants: Constants) -> Any:
    if data is None or kind is None:
        return None if data is None else "0x" + data.hex()
    each = codec(kind, constants)
    try:
        return each.to_json(each.decode(data))
    except CodecError:
        return "0x" + data.hex()


def _fields(where: str, expected: Any, got: Any) -> Iterator[Difference]:
    """Fields that differ in two values of JSON. They nest as deep as types do."""
    if expected == got:
        return
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in {**expected, **got}:
            yield from _fields(f"{where}.{name}", expected.get(name), got.get(name))
    elif isinstance(expected, list) and isinstance(got, list):
        for index in range(max(len(expected), len(got))):
            pair = (each[index] if index < len(each) else None for each in (expected, got))
            yield from _fields(f"{where}[{index}]", *pair)
    else:
        yield Difference(where, expected, got)
