"""Samples, ratios and their targets, and how a report shows them."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from wasm_host.bench.measure import background_ended
from wasm_host.bench.report.figures import BYTES, COUNT, Ratio, Report, Section
from wasm_host.bench.report.tables import renderables


def shown(report: Report) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120)
    for renderable in renderables(report):
        console.print(renderable)
    return out.getvalue()


def test_ratios_pair_the_samples_of_a_round() -> None:
    section = Section("s", "title", [Ratio("a / b", "a", ("b",)), Ratio("a / (b + c)", "a", ("b", "c"))])
    section.samples = {"a": [6.0, 12.0, 7.0], "b": [2.0, 3.0]}
    assert section.known_ratios() == {"a / b": [3.0, 4.0]}
    section.samples["c"] = [1.0]
    assert section.known_ratios()["a / (b + c)"] == [2.0]


def test_subjects_take_turns() -> None:
    order: list[str] = []
    section = Report().section("s", "title")

    def subject(name: str) -> float:
        order.append(name)
        return len(order)

    section.measure({"a": lambda: subject("a"), "b": lambda: subject("b")}, 2)
    assert "".join(order) == "ababab"
    assert section.samples == {"a": [3.0, 5.0], "b": [4.0, 6.0]}, "the round to warm up does not count"


def test_a_subject_may_have_several_figures() -> None:
    section = Report().section("s", "title")
    section.measure({"a": lambda: {"x": 1.0, "y": 2.0}, "b": lambda: 3.0}, 2)
    assert section.samples == {"a: x": [1.0, 1.0], "a: y": [2.0, 2.0], "b": [3.0, 3.0]}


def test_targets_and_the_worst_ratio() -> None:
    report = Report()
    section = report.section("s", "title")
    section.ratios += [
        Ratio("good", "a", ("b",), 1.5), Ratio("bad", "c", ("b",), 1.5), Ratio("high, no target", "d", ("b",)),
    ]  # fmt: skip
    section.samples = {"a": [2.0], "b": [2.0], "c": [4.0], "d": [20.0]}
    assert section.worst() == "bad"
    found = report.as_json()["sections"]["s"]
    assert found["worst ratio"] == "bad"
    assert found["ratios"]["bad"]["target"] == 1.5 and "target" not in found["ratios"]["high, no target"]
    assert "bad (≤ 1.5), highest" in shown(report) and "good (≤ 1.5) " in shown(report)
    assert Section("s", "title").worst() is None


def test_figures_in_other_units() -> None:
    report = Report()
    section = report.section("s", "title")
    section.samples = {"time": [1500.0], "memory": [3.0 * 2**20], "maps": [6.0]}
    section.units = {"memory": BYTES, "maps": COUNT}
    figures = report.as_json()["sections"]["s"]["figures"]
    assert [figure["unit"] for figure in figures.values()] == ["ns", "bytes", "count"]
    for text in ("1.5 µs", "3 MiB", " 6 "):
        assert text in shown(report)


def test_threads_started_meanwhile_are_waited_for() -> None:
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        done.set()

    with background_ended():
        threading.Thread(target=work).start()
        go.set()
    assert done.is_set()
