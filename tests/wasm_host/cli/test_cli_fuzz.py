"""`pvm fuzz`, and options that do not go together."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from wasm_host.cli import fuzz


def test_engines_agree(pvm: Callable[..., Any]) -> None:
    done = pvm("fuzz", "--count", 20)
    assert (done.status, done.last_line) == (0, "20 passed, 0 failed")


def test_json(pvm: Callable[..., Any]) -> None:
    done = pvm("fuzz", "--count", 5, "--seed", 7, "--json")
    assert json.loads(done.text) == {"programs": 5, "seed": 7, "disagreements": [], "interrupted": False}


def test_a_disagreement_is_told_with_its_program(pvm: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = fuzz.transcript, []

    def lying(case: Any, engine: Any) -> Any:
        calls.append(1)
        seen = real(case, engine)
        return seen[:-1] if len(calls) == 2 else seen

    monkeypatch.setattr(fuzz, "transcript", lying)
    done = pvm("fuzz", "--count", 1, "--seed", 11)
    assert done.status == 1
    assert done.text.startswith("seed 11: ")
    assert ".code" in done.text
    assert done.last_line == "0 passed, 1 failed"


def test_interrupting_keeps_the_count(pvm: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    real = fuzz.random_case

    def interrupted(seed: int) -> Any:
        if seed == 3:
            raise KeyboardInterrupt
        return real(seed)

    monkeypatch.setattr(fuzz, "random_case", interrupted)
    done = pvm("fuzz", "--count", 100)
    assert done.status == 130
    assert done.text.splitlines() == ["interrupted; the next seed would be 3", "3 passed, 0 failed"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("isa", "--html", "x.html", "add_64"), "--html: the page has all"),
        (("isa", "--html", "x.html", "--json"), "--html: the page has all"),
        (("asm", "example:hello", "-o", ""), "the name of the output file is empty"),
        (("wat", "-o", ""), "the name of the output file is empty"),
    ],
)
def test_bad_combinations(pvm: Callable[..., Any], args: tuple[str, ...], message: str) -> None:
    done = pvm(*args)
    assert done.status == 2
    assert message in done.stderr
