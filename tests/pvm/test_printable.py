"""What messages show of a stranger's values: one line, of bounded length, whatever they are."""

from __future__ import annotations

import pytest

from pvm.printable import counted, shown


class Hostile:
    def __repr__(self) -> str:
        raise OSError("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"), ("a\nb", "'a\\nb'"), (None, "None"), (Hostile(), "a Hostile"),
        (10**5000, "an integer of 16610 bits"), (-(10**5000), "an integer of 16610 bits"),
        ("x" * 100, "'" + "x" * 56 + "..."),
    ],
    ids=["int", "text", "none", "hostile", "huge", "negative", "long"],
)  # fmt: skip
def test_shown(value: object, text: str) -> None:
    assert shown(value) == text


def test_counted() -> None:
    assert [counted(count, "byte") for count in (0, 1, 2000)] == ["0 bytes", "1 byte", "2,000 bytes"]
    assert counted(2, "entry", "entries") == "2 entries" and counted(1, "entry", "entries") == "1 entry"
