"""The JSON object that says how a run ended: its keys and their order, for whoever prints one.

In: values, or for those who generate code that prints them, placeholders. Out: text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """`result` is hexadecimal, `status` a `pvm.Reason`'s text; what does not apply is None."""

    status: str
    pc: int | str
    gas: int | str
    gas_used: int | str
    registers: Sequence[int | str]
    result: str
    page_fault_address: int | str | None
    host_call: int | str | None
    tier: str
    spec: str
    metering: str
    format: str

    def as_json(self) -> str:
        """The text, as `pvm run --json` prints it, without the line's end."""
        return json_text(asdict(self))


def json_text(value: Mapping[str, Any]) -> str:
    """An object as text for people and machines."""
    return "".join(json_pieces(value))


def json_pieces(value: Mapping[str, Any]) -> Iterator[str]:
    """The same text in small pieces: it may be large."""
    return json.JSONEncoder(indent=2).iterencode(value)
