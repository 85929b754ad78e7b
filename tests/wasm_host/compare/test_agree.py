"""What counts as agreement, and what the tables say of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from pvm.errors import InputError
from pvm.program import assemble
from wasm_host.compare.agree import judge
from wasm_host.compare.contestants import ALL, choose
from wasm_host.compare.isolation import Isolation
from wasm_host.compare.outcome import Ending, Missing, Outcome, Task
from wasm_host.compare.run import Compared, Rules, results, task
from wasm_host.compare.table import as_dict, markdown, renderables, summary
from wasm_host.jobs import run

TASK = Task("program.pvm", b"", "plain")
ENDING = Ending("halt", 7, 90, (1,) * 13, None, None, "result", "memory")
GOOD = Outcome(ENDING, 10, 0.5, 0.25)


def shown(compared: Compared) -> str:
    out = Console(width=200)
    with out.capture() as captured:
        out.print(*renderables(compared))
    return captured.get()


def test_equal_endings_agree() -> None:
    assert judge({"one": GOOD, "other": replace(GOOD, cold=9.0, warm=8.0)}).is_good


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"reason": "panic"}, "exit panic, one has halt"),
        ({"pc": 8}, "pc 8, one has 7"),
        ({"gas": 89}, "gas 89, one has 90"),
        ({"registers": (*(1,) * 12, 2)}, "r12 0x2, one has 0x1"),
        ({"address": 4096}, "address of the fault 4096, one has None"),
        ({"call": 3}, "host call 3, one has None"),
        ({"result": "other"}, "result other, one has result"),
        ({"memory": "other"}, "memory other, one has memory"),
    ],
)
def test_whatever_differs_is_named(wrong, text) -> None:
    compared = Compared(TASK, {"one": GOOD, "two": GOOD, "liar": Outcome(replace(ENDING, **wrong), 10, 1.0, 1.0)})
    verdict = compared.verdict
    assert not verdict.is_good and verdict.differences == {"liar": (text,)}
    assert f"differs: liar: {text}" in shown(compared)
    assert as_dict(compared)["engines"]["liar"]["differences"] == [text]
    assert "| liar | 4.0 | no |" in markdown([compared])
    assert summary([compared]).startswith("1 of 1 input: not all agree")


def test_what_is_not_seen_is_not_compared() -> None:
    blind = Outcome(Ending("halt", 7, 90, (1,) * 13), 10)
    compared = Compared(TASK, {"blind": blind, "one": GOOD, "other": GOOD})
    assert compared.verdict.is_good
    assert "not seen" in shown(compared)
    assert "memory" in as_dict(compared)["engines"]["blind"]["not_seen"]
    # The first that sees it is the yardstick.
    liar = Outcome(replace(ENDING, memory="other"), 10)
    assert judge({"blind": blind, "one": GOOD, "liar": liar}).differences == {"liar": ("memory other, one has memory",)}


def test_the_absent_are_no_disagreement_the_failed_are() -> None:
    absent, late = Missing("absent", "none here"), Missing("no end", "stopped")
    assert judge({"one": GOOD, "other": absent, "third": late}).is_good
    assert not judge({"one": late, "other": absent}).is_good
    assert not judge({"recorded": replace(GOOD, cold=None, warm=None), "one": late}).is_good
    failed = Compared(TASK, {"one": GOOD, "other": Missing("failed", "its process\nended")})
    assert not failed.verdict.is_good
    assert "failed: other: its process\\nended" in shown(failed)


def test_slow_contestants_come_last_and_get_short_runs_only() -> None:
    contestants = choose(("reference", "interpreter"), ())
    nobody = dict.fromkeys(one.name for one in contestants)
    long = list(results(TASK, contestants, nobody, lambda one, task: GOOD, limit=9))
    assert long[0] == ("interpreter", GOOD)
    assert long[1] == ("reference", Missing("left out", "10 instructions, more than 9 (--limit)"))
    short = list(results(TASK, contestants, nobody, lambda one, task: GOOD, limit=10))
    assert short == [("interpreter", GOOD), ("reference", GOOD)]


def test_results_are_in_the_order_of_the_contestants() -> None:
    rules = Rules(tuple(choose(("reference", "interpreter"), ())), 10**6, 60)
    program = Task("trap", assemble("trap").encode(), "plain", gas=5, rounds=1, patience=0)
    told: list[float] = []
    with Isolation(60) as isolation:
        [(_, compared)] = run(task(rules, isolation, lambda _, share: told.append(share)), [program])
    assert list(compared.results) == ["reference", "interpreter"] and compared.verdict.is_good
    assert told == sorted(told) and len(told) == 2


def test_what_never_ends_is_given_up_after_some_engines() -> None:
    late = Missing("no end", "stopped")
    ours = choose(("reference", "interpreter", "recompiler", "auto"), ())
    nobody = dict.fromkeys(one.name for one in ours)
    found = [result for _, result in results(TASK, ours, nobody, lambda one, task: late, limit=9)]
    assert found[:2] == [late, late]
    assert {result.text for result in found[2:]} == {"it had no end on 2 engines already"}


def test_choosing() -> None:
    assert [one.name for one in choose(("node",), ("node-recompiler",))] == ["recorded", "node-interpreter"]
    assert choose((), ()) == list(ALL)
    for only, skip in ((("none",), ()), ((), ("inter",)), (("auto",), ("auto",)), (("recorded",), ())):
        with pytest.raises(InputError, match=r"^--"):
            choose(only, skip)
