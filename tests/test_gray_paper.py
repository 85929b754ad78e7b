"""What `pvm/GRAY_PAPER.md` names exists, every rule there has a test, and a mutant that breaks it in the code."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


def load(name: str) -> ModuleType:
    """A module of `tests/mutation`, which is run as a script."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tests/mutation")
        return importlib.import_module(name)


rules = load("rules")
mutants = load("mutants")
RULES = rules.rules()
names_in = cache(rules.names_in)


def test_the_document_has_all_sections() -> None:
    there = [rule for rule in RULES.values() if rule.is_there]
    assert len(RULES) > 100
    assert {id.partition(".")[0] for id in RULES} == {
        *(f"A{number}" for number in range(1, 9)), *(f"B{number}" for number in (1, 3, 4, 5, 6, 9, 10)), "D"
    }  # fmt: skip
    assert all(id.startswith(("B9.", "B10.")) for id in RULES.keys() - {rule.id for rule in there})


@pytest.mark.parametrize("id", [id for id, rule in RULES.items() if rule.is_there])
def test_what_a_rule_names_exists(id: str) -> None:
    rule = RULES[id]
    assert rule.code and rule.tests
    for path, name in (*rule.code, *rule.tests):
        assert (ROOT / path).is_file(), path
        assert name in names_in(ROOT / path), f"{path} has no {name}"


def test_every_rule_has_a_mutant() -> None:
    assert {one.rule for one in mutants.MUTANTS} == {id for id, rule in RULES.items() if rule.is_there}


@pytest.mark.parametrize("path", sorted({one.path for one in mutants.MUTANTS}))
def test_the_text_of_each_mutant_is_there_once(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    for one in mutants.MUTANTS:
        if one.path == path:
            assert text.count(one.old) == 1, f"{one}: {one.old!r} is there {text.count(one.old)} times"
            assert one.old != one.new


def test_no_two_mutants_are_the_same() -> None:
    assert len(set(mutants.MUTANTS)) == len(mutants.MUTANTS)
