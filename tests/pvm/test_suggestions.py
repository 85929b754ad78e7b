"""Names close to one that nobody knows."""

from __future__ import annotations

import pytest

from pvm.examples import EXAMPLES
from pvm.isa import BY_NAME
from pvm.suggestions import close_names, did_you_mean, unknown


@pytest.mark.parametrize(
    ("word", "names", "close"),
    [
        ("rn", ["run", "isa"], ["run"]),
        ("--halp", ["--pc", "--help", "-h"], ["--help"]),
        ("--no_cache", ["--no-cache", "--json"], ["--no-cache"]),
        ("ADD_64", list(BY_NAME), ["add_64"]),
        ("load_ind", list(BY_NAME), ["load_ind_u8"]),
        ("int", ["auto", "interpreter"], ["interpreter"]),  # its beginning
        ("halo", [one.name for one in EXAMPLES], ["hello"]),
        ("i", ["interpreter"], []),
        ("", ["a"], []),
        ("--", ["--pc"], []),
        ("xyz", ["run"], []),
    ],
)
def test_close_names(word: str, names: list[str], close: list[str]) -> None:
    assert close_names(word, names)[: len(close)] == close
    assert bool(close_names(word, names)) == bool(close)


def test_messages() -> None:
    assert did_you_mean("ab", ["abc", "abd"]) == "did you mean abd or abc?"
    assert did_you_mean(5, ["a"]) == did_you_mean("nothing", ["a"]) == ""
    assert unknown("tier", "atuo", ("auto", "reference")) == (
        "unknown tier 'atuo': did you mean auto? choose one of auto, reference"
    )
    assert unknown("tier", None, ("auto",)) == "unknown tier None: choose one of auto"


def test_hostile_words_cost_little() -> None:
    assert len(unknown("tier", "x" * 10_000_000, ("auto",))) < 100
    assert did_you_mean("x" * 1000, ("y" * 1000 for _ in range(1_000_000))) == ""
