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
