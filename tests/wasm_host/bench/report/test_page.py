"""The report as a page: what is on it, that it needs nothing else, and that a browser and people can use it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from wasm_host.bench.report.baseline import compare
from wasm_host.bench.report.figures import BYTES, Ratio, Report
from wasm_host.bench.report.page import report_page
from wasm_host.bench.sections import programs, replays, translating

EVIL = "<script>alert(1)</script>"
VOID = "meta"


def made(factor: float = 1.0) -> Report:
    """A report of everything that is drawn in a way of its own."""
    report = Report(
        {"python": "3.11.7", "wasmtime": "50.0.1", "repeat": 3, "date": "2026-11-29", "gcc": EVIL},
        absent={"anan-as": f"no {EVIL}"}, failed=["host-call: node has ended"],
    )  # fmt: skip
    for name in ("fibonacci", "sieve"):
        section = report.section(name, f"{name}: a PVM instruction")
        section.facts["instructions"] = 63_000_000
        section.samples = {
            programs.INTERPRETER: [1.5 * factor, 1.6, 1.7], programs.BY_HARDWARE: [0.3, 0.31, 0.32],
            programs.REFERENCE: [2_500.0, 2_600.0, 2_700.0], "gcc -O1": [0.15, 0.15, 0.16],
        }  # fmt: skip
        section.ratios.append(Ratio(f"{programs.BY_HARDWARE} / gcc -O1", programs.BY_HARDWARE, ("gcc -O1",)))
    section = report.section("replay", "Replaying the traces, verifying them")
    section.samples = {f"auto: {phase}": [5e6 * factor, 6e6, 5e6] for phase in replays.PHASES}
    section = report.section("compile", "Translating, a PVM instruction")
    section.samples = {
        f"doom: {figure.format(protection)}": [3e3 * factor] * 3
        for figure in (translating.RECOMPILE, translating.COMPILE)
        for protection in ("software", "hardware")
    }
    section = report.section("memory", "A machine, one of so many alive")
    resident = "hello, recompiler: resident, of 1,000"
    section.samples = {resident: [54e3 * factor] * 3, "hello, recompiler: time": [2e5] * 3}
    section.units = {resident: BYTES}
    section = report.section("cold", "A program never seen")
    section.samples = {"life: auto": [2e6 * factor] * 3, "life: interpreter": [2e6] * 3}
    section.ratios.append(Ratio("life: auto / interpreter", "life: auto", ("life: interpreter",), 1.2))
    section.problems.append(EVIL)
    return report


class Tags(HTMLParser):
    """Whether what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        return None

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag


@pytest.mark.parametrize("report", [Report(), made(), Report(interrupted=True)], ids=["empty", "full", "interrupted"])
def test_the_page_is_whole_and_needs_no_other_file(report: Report) -> None:
    page = report_page(report)
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!#)|url\(|@import|https?:", page)
    assert EVIL not in page and "<script" not in page


def test_everything_is_on_it() -> None:
    page = report_page(made())
    for text in (
        "2026-11-29", "wasmtime 50.0.1", "63 million instructions", "recompiled, an instruction", "0.31 ns",
        "wasmtime: compile", "host calls", "52.7 KiB", "Something proved wrong", "node has ended",
        "at most 1.2 ✓", "as long as gcc -O1", "<b>anan-as</b>: no &lt;script",
    ):  # fmt: skip
        assert text in page, text
    assert "Against the baseline" not in page


def test_verdicts_are_on_it() -> None:
    before, now = made(), made(2.0)
    page = report_page(now, compare(before, now, 0.1))
    for text in ("compile: doom: recompile, software", '<span class="worse">', "2 \N{MULTIPLICATION SIGN}", "1.2 ✗"):
        assert text in page, text
    assert "+50 %" in report_page(made(1.5), compare(before, made(1.5), 0.1))
    assert "\N{MINUS SIGN}33 %" in report_page(before, compare(made(1.5), before, 0.1))
    same = report_page(before, compare(before, before, 0.1))
    assert "same</span>." in same and '<td class="word">worse' not in same
