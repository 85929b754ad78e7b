"""What the page opens, and what it says of what it cannot. One tab with Python for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

HELLO = "Greet and log"
TRACE = """\
program 0x0000050a640a640015
start pc=0 gas=1000 r07=0x5
ecalli=100 pc=0 gas=999 r07=0x5
setreg r07 <- 0xfffffffffffffffe
ecalli=100 pc=2 gas=998 r07=0xfffffffffffffffe
"""


def give(page: Page, name: str, data: bytes, wanted: str = "Ready") -> None:
    page.set_input_files("#file", [{"name": name, "mimeType": "application/octet-stream", "buffer": data}])
    expect(page.locator("#listing-title")).to_have_text(name)
    expect(page.locator("#state")).to_have_text(wanted)


def test_assembly_with_errors_can_be_mended(python_page: Page) -> None:
    text = ".code\n  trap\n  foo r1\n"
    python_page.set_input_files("#file", [{"name": "bad.pvmasm", "mimeType": "text/plain", "buffer": text.encode()}])
    expect(python_page.locator("#message")).to_contain_text("bad.pvmasm\u201d, line 3: unknown instruction 'foo'")
    expect(python_page.locator("#source")).to_have_value(text)
    expect(python_page.locator(".errors")).to_contain_text("line 3")


def test_a_test_vector_is_run_and_compared(python_page: Page, shared: Path) -> None:
    path = shared / "vectors" / "pvm-0.7.2" / "inst_add_64.json"
    give(python_page, path.name, path.read_bytes())
    python_page.click("#run")
    expect(python_page.locator("#result")).to_contain_text("Every call and the end are as recorded")
    wrong = path.read_bytes().replace(b'"expected-pc": ', b'"expected-pc": 1')
    give(python_page, "wrong.json", wrong)
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Divergence")


def test_a_trace_that_stops_in_the_middle(python_page: Page) -> None:
    give(python_page, "cut.log", TRACE.encode())
    python_page.click('[role=tab][data-panel="calls"]')
    expect(python_page.locator("#panel-calls .empty")).to_contain_text("1 recorded call.")
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Panicked")  # the second log has an answer of its own
    rows = python_page.locator(".calls .row:not([hidden])")
    expect(rows).to_have_count(2)
    rows.nth(0).dblclick()
    expect(python_page.locator("#state")).to_have_text("Host call")
    expect(rows.nth(1)).to_contain_class("later")
    expect(python_page.locator("#result")).to_contain_text("is answered as you go on")


def test_a_divergence_is_not_forgotten(python_page: Page) -> None:
    other = TRACE.replace("ecalli=100 pc=2", "ecalli=3 pc=2") + "PANIC=0 pc=4 gas=7\n"
    give(python_page, "other.log", other.encode())
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Divergence")
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Panicked")
    expect(python_page.locator("#result")).to_contain_text("had parted from the recorded run")


def test_a_trace_without_program_is_that_of_the_program_that_is_open(python_page: Page) -> None:
    rest = TRACE.partition("\n")[2].encode()
    python_page.set_input_files("#file", [{"name": "half.log", "mimeType": "text/plain", "buffer": rest}])
    expect(python_page.locator("#message")).to_contain_text("a recorded run without its program")
    give(python_page, "whole.log", TRACE.encode())
    python_page.click('[role=tab][data-panel="calls"]')
    with python_page.expect_file_chooser() as chooser:
        python_page.click("#compare-trace")
    chooser.value.set_files([{"name": "half.log", "mimeType": "text/plain", "buffer": rest}])
    expect(python_page.locator("#listing-title")).to_have_text("half.log")
    expect(python_page.locator("#state")).to_have_text("Ready")


def pasted(page: Page, text: str) -> None:
    page.click("#open")
    page.fill("#paste", text)
    page.click("#open-text")


def from_clipboard(page: Page, text: str) -> None:
    page.evaluate(
        """(text) => {
        const clipboardData = new DataTransfer();
        clipboardData.setData('text/plain', text);
        document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true}));
    }""",
        text,
    )


@pytest.mark.parametrize("way", [pasted, from_clipboard])
def test_text_that_is_pasted(python_page: Page, way: Callable[[Page, str], None]) -> None:
    give(python_page, "cut.log", TRACE.encode())
    way(python_page, "0x0000 050a640a640015")
    expect(python_page.locator("#listing-title")).to_have_text("pasted")
    expect(python_page.locator("#listing .row:not([hidden])")).to_have_count(3)


def test_a_program_from_a_url(python_page: Page, page_server: str) -> None:
    python_page.click("#open")
    python_page.fill("#open-url", f"{page_server}data/abi.json")
    python_page.click("#open-url-go")
    expect(python_page.locator("#message")).to_contain_text("abi.json\u201d: JSON, but no test vector")


def test_a_server_that_is_gone_is_said(page: Page, tolerated: list[str]) -> None:
    tolerated.append("ERR_FAILED")
    page.goto("#example=hello")
    expect(page.locator("#listing-title")).to_have_text(HELLO)
    page.route("**/data/examples/life.json", lambda route: route.abort())
    page.select_option("#example", "life")
    expect(page.locator("#message")).to_contain_text("server does not answer")
    expect(page.locator("#example")).to_have_value("hello")
