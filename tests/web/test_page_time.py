"""The line of time in the page, and what is kept on going back. One tab for all."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import tab

ASSEMBLY = """
.standard stack=4096 heap=0
.code
main:
    load_imm a0, 5
    ecalli 7
    add_imm_64 s0, a0, 1
    load_imm a0, 0x20000
    load_imm a1, 0
    ret
"""


@pytest.fixture(scope="module")
def one(browser: Browser, page_server: str) -> Iterator[Page]:
    with tab(browser, page_server, []) as page:
        yield page


def state(page: Page, text: str) -> None:
    expect(page.locator("#state")).to_have_text(text)


def opened(page: Page, name: str = "hello") -> None:
    page.goto("about:blank")
    page.goto(f"#example={name}")
    state(page, "Ready")


def at(page: Page) -> str:
    return page.locator("#timeline").get_attribute("aria-valuetext") or ""


def goes(page: Page, text: str) -> None:
    expect(page.locator("#timeline")).to_have_attribute("aria-valuetext", text)


def test_the_run_is_a_line_that_is_dragged_and_walked_along(one: Page) -> None:
    opened(one)
    one.click("#run")
    state(one, "Halted")
    goes(one, "41 of 41 gas, call 1 of 1")
    place = one.locator("#timeline").bounding_box()
    assert place is not None
    one.mouse.move(place["x"] + place["width"] - 20, place["y"] + 12)
    one.mouse.down()
    one.mouse.move(place["x"] + place["width"] / 2, place["y"] + 12, steps=4)
    one.mouse.up()
    goes(one, "20 of 41 gas, call 0 of 1")
    state(one, "Paused")
    for key, where in (("ArrowRight", "38 of 41"), ("End", "41 of 41"), ("ArrowLeft", "38 of 41"), ("Home", "0 of 41")):
        one.locator("#timeline").press(key)
        expect(one.locator("#timeline")).to_have_attribute("aria-valuetext", re.compile(f"^{where} gas"))
    state(one, "Ready")
    one.click("#run")
    state(one, "Halted")


def test_marks_of_what_changed_are_against_where_the_run_began(one: Page) -> None:
    opened(one, "mandelbrot")
    before = one.locator("#registers td.hex").all_inner_texts()
    one.click("#run")
    state(one, "Halted")
    after = one.locator("#registers td.hex").all_inner_texts()
    marked = [row.get_attribute("class") or "" for row in one.locator("#registers tr").all()]
    for old, new, names in zip(before, after, marked, strict=True):
        assert ("changed" in names.split()) == (old != new)


def test_a_wrong_setting_is_not_run_with(one: Page) -> None:
    opened(one)
    one.fill("#args", "zz")
    one.click("#run")  # the field loses focus, and is found wrong
    state(one, "Not started")
    expect(one.locator("#args")).to_have_attribute("aria-invalid", "true")
    expect(one.locator("#result")).to_contain_text("Hex digits are needed")
    one.click("#run")
    expect(one.locator("#args")).to_be_focused()
    for name, wrong, said in (("pc", "abc", "no label"), ("gas", "-5", "from 0 to"), ("pc", "9x", "no whole number")):
        one.fill("#args", '"world"')
        one.fill(f"#{name}", wrong)
        one.press(f"#{name}", "Tab")
        expect(one.locator("#result")).to_contain_text(said)
        one.fill(f"#{name}", "0" if name == "pc" else "100000")
        one.press(f"#{name}", "Tab")
        state(one, "Ready")
    one.fill("#pc", "copied")
    one.press("#pc", "Tab")
    expect(one.locator("#listing .row.current:not([hidden])")).to_have_attribute("data-pc", "31", timeout=60_000)


def test_work_survives_a_reload(one: Page) -> None:
    opened(one, "fibonacci")
    one.fill("#args", "05")
    one.press("#args", "Tab")
    state(one, "Ready")
    one.locator("#listing .row:not([hidden])").nth(2).click()
    one.keyboard.press("t")
    one.click("#step")
    state(one, "Paused")
    expect(one.locator("#breakpoints-clear")).to_contain_text("1 breakpoint")
    one.click('[role=tab][data-panel="editor"]')
    one.fill("#source", "; my own\n.code\n    trap\n")
    one.wait_for_timeout(1000)
    one.reload()
    expect(one.locator("#example")).to_have_value("fibonacci")
    expect(one.locator("#args")).to_have_value("05")
    expect(one.locator("#breakpoints-clear")).to_contain_text("1 breakpoint")
    state(one, "Paused")
    goes(one, "1 of 1 gas")
    expect(one.locator("#source")).to_have_value("; my own\n.code\n    trap\n")
    one.select_option("#example", "hello")
    expect(one.locator("#listing-title")).to_have_text("Greet and log")
    expect(one).to_have_url(re.compile("#example=hello$"))
    one.click("#assembly-undo")
    expect(one.locator("#source")).to_have_value("; my own\n.code\n    trap\n")
    one.go_back()
    expect(one.locator("#example")).to_have_value("fibonacci")


def test_a_link_of_hexadecimal_digits(one: Page) -> None:
    one.goto("about:blank")
    one.goto("#program=0x0000050a640a640015&gas=77&pc=2")  # an ecalli, twice, and a trap
    state(one, "Ready")
    expect(one.locator("#gas")).to_have_value("77")
    expect(one.locator("#listing .row.current:not([hidden])")).to_have_attribute("data-pc", "2")


def test_answers_by_hand_are_there_after_going_back(one: Page) -> None:
    one.click('[role=tab][data-panel="editor"]')
    one.fill("#source", ASSEMBLY)
    one.click("#assembly-load")
    state(one, "Ready")
    one.click("#run")
    state(one, "Host call")
    one.click('[role=tab][data-panel="calls"]')
    one.fill("#answer-r7", "134")
    one.click("#answer-run")
    state(one, "Halted")
    s0 = one.locator('#registers tr[data-register="5"] td.hex')
    expect(s0).to_have_text("0000000000000087")
    one.click("#toStart")
    state(one, "Ready")
    one.click("#run")
    state(one, "Halted")
    expect(s0).to_have_text("0000000000000087")
