"""Verdicts: what counts as better and worse, at which pace, and what the command says of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pvm.errors import InputError
from wasm_host.bench.report.baseline import compare
from wasm_host.bench.report.figures import BYTES, COUNT, Ratio, Report, Section
from wasm_host.bench.report.page import report_page
from wasm_host.bench.report.saved import report_from_json
from wasm_host.bench.report.tables import renderables

THEN = [100.0, 101.0, 99.0, 100.0, 102.0]


def report(samples: list[float], pace: float = 10.0, unit: str | None = None, **about: Any) -> Report:
    found = Report(about)
    section = found.section("s", "title")
    section.samples["figure"] = samples
    section.pace["figure"] = [pace] * len(samples)
    if unit is not None:
        section.units["figure"] = unit
    return found


def word(before: Report, now: Report, tolerance: float = 0.1) -> str:
    [verdict] = compare(before, now, tolerance).verdicts
    return verdict.word


@pytest.mark.parametrize(
    ("factor", "expected"), [(1.0, "same"), (1.05, "same"), (0.95, "same"), (1.2, "worse"), (0.8, "better")]
)
def test_a_median_that_has_moved(factor: float, expected: str) -> None:
    assert word(report(THEN), report([sample * factor for sample in THEN])) == expected


def test_what_overlaps_has_not_moved() -> None:
    wide = [80.0, 90.0, 130.0, 140.0, 150.0]  # a higher median, of samples that lie everywhere
    assert word(report([70.0, 95.0, 100.0, 120.0, 125.0]), report(wide)) == "same"


def test_one_sample_far_off_does_not_hide_a_change() -> None:
    assert word(report([*THEN, 500.0]), report([130.0, 131.0, 129.0, 130.0, 20.0, 132.0])) == "worse"


def test_the_tolerance() -> None:
    slower = report([sample * 1.2 for sample in THEN])
    assert word(report(THEN), slower, 0.3) == "same" and word(report(THEN), slower, 0.0) == "worse"


def test_times_are_judged_at_the_machine_s_pace() -> None:
    slow_machine = report([sample * 1.5 for sample in THEN], pace=15.0)
    assert word(report(THEN), slow_machine) == "same"
    comparison = compare(report(THEN), report(THEN, pace=15.0), 0.1)
    [verdict] = comparison.verdicts
    assert (verdict.word, verdict.before, verdict.now, verdict.pace) == ("better", 100.0, 100.0, 1.5)
    assert verdict.change == pytest.approx(1 / 1.5)


def test_each_figure_has_the_pace_of_where_it_was_measured() -> None:
    """Parts of a section may come from a fast and from a slow machine, and the next time the other way round."""

    def measured(first: float, second: float) -> Report:
        found = Report()
        for name, pace in (("one", first), ("two", second)):
            part = Report()
            section = part.section("s", "title")
            section.samples[name], section.pace[name] = [sample * pace for sample in THEN], [pace] * len(THEN)
            found.add(part)
        return found

    comparison = compare(measured(1.0, 2.0), measured(2.0, 1.0), 0.1)
    assert [(verdict.word, verdict.pace) for verdict in comparison.verdicts] == [("same", 2.0), ("same", 0.5)]


def test_where_nobody_asked_for_the_pace_there_is_none() -> None:
    before, now = report(THEN), report(THEN)
    now.sections[0].pace.clear()
    [verdict] = compare(before, now, 0.1).verdicts
    assert (verdict.word, verdict.pace, verdict.change) == ("same", None, 1.0)


def test_bytes_have_no_pace_and_next_to_nothing_is_no_difference() -> None:
    large = [sample * 2**20 for sample in THEN]
    assert word(report(large, unit=BYTES), report(large, pace=15.0, unit=BYTES)) == "same"
    assert word(report([0.001] * 3, unit=COUNT), report([0.002] * 3, unit=COUNT)) == "same"
    assert word(report([100.0] * 3, unit=BYTES), report([900.0] * 3, unit=BYTES)) == "same"
    assert word(report([6.0] * 3, unit=COUNT), report([7.0] * 3, unit=COUNT)) == "worse"
    # What is left of machines that were dropped may be less than nothing, or much where there was nothing.
    assert word(report([-4096.0, 0.0, -9e6], unit=BYTES), report([0.0] * 3, unit=BYTES)) == "same"
    assert word(report([0.0] * 3, unit=BYTES), report([9e6] * 3, unit=BYTES)) == "worse"


def test_ratios_with_a_target_are_judged_others_are_not() -> None:
    def ratios(top: float) -> Report:
        found = Report()
        section = found.section("s", "title")
        section.ratios += [Ratio("a / b", "a", ("b",), 1.5), Ratio("b / a", "b", ("a",))]
        section.samples = {"a": [top] * 3, "b": [10.0] * 3}
        return found

    comparison = compare(ratios(10.0), ratios(20.0), 0.1)
    assert {verdict.figure: verdict.word for verdict in comparison.verdicts} == {
        "a": "worse", "b": "same", "a / b": "worse"
    }  # fmt: skip


def test_figures_of_one_report_alone() -> None:
    other = Report()
    other.sections.append(Section("s", "title", samples={"another": [1.0]}))
    comparison = compare(report(THEN), other, 0.1)
    assert {verdict.figure: verdict.word for verdict in comparison.verdicts} == {"another": "new", "figure": "gone"}
    assert not comparison.worse
    assert word(report(THEN), Report()) == "gone" and word(Report(), report(THEN)) == "new"
    assert {one.word for one in compare(report(THEN), report(THEN, unit=BYTES), 0.1).verdicts} == {"new"}


def test_what_else_differs_is_told() -> None:
    before, now = report(THEN, wasmtime="49.0.0", python="3.11"), report(THEN, wasmtime="50.0.1", python="3.11")
    assert compare(before, now, 0.1).differences == ("wasmtime: 49.0.0 then, 50.0.1 now",)
    half = report(THEN)
    half.interrupted = True
    assert compare(half, report(THEN, workers=2), 0.1).differences == (
        "workers: none then, 2 now", "the baseline was interrupted"
    )  # fmt: skip


def test_a_report_comes_back_from_json() -> None:
    found = Report({"python": "3.11"}, absent={"gcc": "not installed"}, interrupted=True, failed=["step: why"])
    section = found.section("s", "title")
    section.samples = {"a": [6.0, 12.0], "b": [2.0, 3.0], "size": [5.0]}
    section.units, section.facts, section.pace = {"size": BYTES}, {"bytes": 3}, {"a": [1.0, 2.0]}
    section.ratios += [Ratio("a / b", "a", ("b",), 1.5), Ratio("b / a", "b", ("a",))]
    section.problems.append("wrong")
    found.section("empty", "title").problems.append("all failed")
    plain = json.loads(json.dumps(found.as_json()))
    again = report_from_json(plain)
    assert again.as_json() == plain
    assert again.sections[0].known_ratios() == section.known_ratios() and again.problems == [
        "step: why", "s: wrong", "empty: all failed"
    ]  # fmt: skip


def test_reports_of_before_there_were_samples() -> None:
    plain = report(THEN).as_json()
    figure = plain["sections"]["s"]["figures"]["figure"]
    del figure["pace"], figure["samples"], plain["failed"]
    assert report_from_json(plain).sections[0].samples == {"figure": [99.0, 100.0, 102.0]}


def full() -> Any:
    """A report as plain data, of two sections that are shown in ways of their own."""
    found = report(THEN, python="3.11")
    section = found.section("sieve", "a program")
    section.samples = {"interpreter": [1.0, 2.0], "gcc -O1": [1.0]}
    section.ratios.append(Ratio("a / b", "interpreter", ("gcc -O1",), 1.5))
    section.facts = {"instructions": 5_000_000, "anan-as": {"version": "1", "build": "release", "agrees": True}}
    found.failed.append("why")
    section.problems.append("what")
    return json.loads(json.dumps(found.as_json()))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all that is in plain data."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        yield from leaves(one, (*path, key))


NONSENSE = (
    "NaN", "Infinity", "-Infinity", "1e308", "-1e308", "5e-324", "9" * 400, "0", "-1", "true", "null", "[]", "{}",
    "[" * 900 + "]" * 900, '"\\u001b[31m"', '"text"', '"\\ud800"', '"<script>"',
)  # fmt: skip


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_whatever_a_file_has_is_shown_or_refused(nonsense: str, tmp_path: Path) -> None:
    """Each value of a report replaced by nonsense, then shown in every way, against a good one and the other way."""
    for path in leaves(full()):
        data = full()
        place = data
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = "NONSENSE"
        text = json.dumps(data).replace('"NONSENSE"', nonsense)
        try:
            found = report_from_json(json.loads(text))
        except InputError as error:
            assert str(error).startswith("not a report of `pvm bench --json`: ") and "\n" not in str(error)
            continue
        good = report_from_json(full())
        for before, now in ((found, good), (good, found), (found, found)):
            comparison = compare(before, now, 0.1)
            json.dumps([comparison.as_json(), now.as_json()], allow_nan=False)
            shown = io.StringIO()
            Console(file=shown, width=200).print(*renderables(now, comparison))
            page = report_page(now, comparison)
            assert "<script" not in page and "\x1b" not in page + shown.getvalue()


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"sections": 3}', "[" * 100_000, '"\\ud800"'])
def test_files_that_are_no_report(bad_input: Any, tmp_path: Path, text: str) -> None:
    tmp_path.joinpath("r.json").write_text(text)
    for option in ("--baseline", "--input"):
        bad_input(("bench", option, tmp_path / "r.json"), "r.json: not ")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("figures", "interpreter", "samples"), "123"), (("figures", "interpreter", "samples"), []),
        (("figures", "interpreter", "samples"), [True]), (("figures", "interpreter", "samples"), [float("nan")]),
        (("figures", "interpreter", "unit"), "miles"), (("figures", "interpreter", "pace"), 0),
        (("ratios", "a / b", "target"), "much"), (("problems",), "text"), (("title",), None), (("facts",), []),
    ],
)  # fmt: skip
def test_each_value_that_is_something_else_is_refused(path: tuple[str, ...], value: Any) -> None:
    data = full()
    place = data["sections"]["sieve"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InputError, match="not a report of"):
        report_from_json(data)


def test_nonsense_is_refused_by_the_library_too() -> None:
    with pytest.raises(InputError, match="not a report"):
        report_from_json(None)


def test_the_command_judges_what_was_saved(pvm: Any, bad_input: Any, tmp_path: Path) -> None:
    before, now = tmp_path / "before.json", tmp_path / "now.json"
    before.write_text(json.dumps(report(THEN, python="3.11").as_json()))
    now.write_text(json.dumps(report([sample * 2 for sample in THEN], python="3.12").as_json()))
    same = pvm("bench", "--input", before, "--baseline", before)
    assert same.status == 0 and same.last_line == "against the baseline: 1 same"
    worse = pvm("bench", "--input", now, "--baseline", before)
    assert worse.status == 1 and worse.last_line == "against the baseline: 1 worse"
    for part in ("s: figure", "100 ns", "200 ns", "not the same: python: 3.11 then, 3.12 now"):
        assert part in worse.text
    found = json.loads(pvm("bench", "--input", now, "--baseline", before, "--json").stdout)["baseline"]
    assert found["counts"] == {"worse": 1, "better": 0, "same": 0, "new": 0, "gone": 0}
    assert found["verdicts"][0] == {
        "section": "s", "figure": "figure", "unit": "ns", "word": "worse", "before": 100.0, "now": 200.0, "change": 2.0,
        "pace": 1.0,
    }  # fmt: skip
    assert pvm("bench", "--input", now, "--baseline", before, "--tolerance", "150").status == 0
    bad_input(("bench", "--input", now, "--tolerance", "nan"), "--tolerance: 'nan' is no finite number")
    bad_input(("bench", "--input", tmp_path / "none.json"), "none.json: cannot be read")
    bad_input(("bench", "--input", "-", "--baseline", "-"), "--baseline: standard input is the report already")
    for words in (("--workers", "2"), ("--cluster", "x"), ("--only", "process"), ("--repeat", "3"), ("--quick",)):
        bad_input(("bench", "--input", now, *words), f"{words[0]}: nothing is measured with --input")


def test_an_interrupted_report_is_shown_as_any(pvm: Any, tmp_path: Path) -> None:
    half = report(THEN)
    half.interrupted = True
    tmp_path.joinpath("half.json").write_text(json.dumps(half.as_json()))
    found = pvm("bench", "--input", tmp_path / "half.json")
    assert found.status == 0 and "interrupted: these are the figures up to there" in found.text


def test_missing_files(bad_input: Any, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    before.write_text(json.dumps(report(THEN).as_json()))
    bad_input(("bench", "--input", before, "--baseline", tmp_path / "none.json"), "none.json: cannot be read")
