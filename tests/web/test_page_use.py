"""The page for everyone: keyboard alone, small screens, screen readers, light and dark, calm layout, dead workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Worker, expect

PANELS = ("memory", "calls", "pixels", "editor", "wat", "lockstep", "program", "gas", "world")
SHIFTS = """
  globalThis.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      shifts.push([entry.value, entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName)]);
    }
  }).observe({ type: "layout-shift", buffered: true });
"""


def opened(page: Page, name: str = "hello") -> None:
    page.goto(f"#example={name}")
    expect(page.locator("#state")).to_have_text("Ready")


def with_python(page: Page) -> None:
    expect(page.locator("#python")).to_contain_class("ready", timeout=60_000)


def worker(page: Page, name: str) -> Worker:
    [found] = [worker for worker in page.workers if name in worker.url]
    return found


def test_the_keyboard_is_enough(page: Page) -> None:
    opened(page)
    page.keyboard.press("l")  # to the program
    expect(page.locator("#listing")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Space")
    expect(page.locator("#breakpoints-clear")).to_have_text("Clear 1 breakpoint")
    page.keyboard.press("F8")
    expect(page.locator("#result")).to_contain_text("Breakpoint at")
    page.keyboard.press("F10")
    expect(page.locator("#state")).to_have_text("Halted")
    page.keyboard.press("Shift+F4")
    expect(page.locator("#state")).to_have_text("Ready")
    page.keyboard.press("g")
    expect(page.locator("#goto-input")).to_be_focused()
    page.keyboard.type("copied")
    page.keyboard.press("Enter")
    expect(page.locator("#listing .row.selected")).to_contain_text("copied")
    for number, panel in enumerate(PANELS, 1):
        page.keyboard.press(str(number))
        expect(page.locator(f"#panel-{panel}")).to_be_visible()
        expect(page.locator(f'[role=tab][data-panel="{panel}"]')).to_have_attribute("aria-selected", "true")
    page.keyboard.press("?")
    expect(page.locator("#dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()


def test_tab_reaches_everything_that_can_be_used_and_shows_where_it_is(page: Page) -> None:
    opened(page)
    missed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, a[href], [tabindex='0']")]
            .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.tabIndex >= 0)
            .map((one) => (one.dataset.reached = "no", one)).length"""
    )
    for _ in range(missed + 20):
        page.keyboard.press("Tab")
        page.evaluate("() => { document.activeElement.dataset.reached = 'yes' }")
    left = page.locator("[data-reached=no]:visible").evaluate_all("all => all.map((one) => one.outerHTML)")
    assert left == []


def test_a_phone_shows_all_without_scrolling_sideways(phone: Page) -> None:
    opened(phone)
    phone.tap("#run")
    expect(phone.locator("#state")).to_have_text("Halted")
    for panel in ("code", "registers", *PANELS):
        phone.locator(f'[role=tab][data-panel="{panel}"]').tap()
        expect(phone.locator(f"#panel-{panel}")).to_be_visible()
        width = phone.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, (panel, width)
    for button in ("#run", "#back", "#step", "#more"):
        box = phone.locator(button).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 360, button
    phone.tap("#more")
    for button in ("#toStart", "#callBack", "#block", "#call", "#reset", "#pace"):
        box = phone.locator(button).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 360, button


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barriers(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    opened(page)
    problems = []
    for show in (*PANELS, "help", "open", "ended"):
        if show in PANELS:
            page.click(f'[role=tab][data-panel="{show}"]')
        elif show == "ended":
            page.keyboard.press("Escape")
            page.click("#run")
            expect(page.locator("#state")).to_have_text("Halted")
        else:
            page.keyboard.press("Escape")
            page.click(f"#{show}")
        found = Axe().run(page).response["violations"]
        problems += [
            f"{show}: {one['impact']}: {one['id']}: {one['help']}: {node['target']}: {node['html'][:120]}"
            for one in found
            for node in one["nodes"][:3]
            if one["impact"] in ("serious", "critical")
        ]
    assert problems == []


def test_nothing_jumps_while_the_page_loads_and_runs(page: Page) -> None:
    page.add_init_script(SHIFTS)
    opened(page)
    with_python(page)
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Halted")
    for name in ("life", "sieve"):
        page.select_option("#example", name)
        expect(page.locator("#example")).to_have_value(name)
        expect(page.locator("#state")).to_have_text("Ready")
        page.click("#run")
        expect(page.locator("#state")).to_have_text("Halted")
    shifts = page.evaluate("shifts")
    assert sum(value for value, _ in shifts) < 0.05, shifts


def test_what_is_typed_stays_while_the_field_before_is_dealt_with(page: Page) -> None:
    opened(page)
    with_python(page)
    page.fill("#args", "0102")
    page.press("#args", "Tab")  # Python makes another start, which takes a moment
    page.fill("#gas", "4321")
    page.wait_for_timeout(1500)
    expect(page.locator("#gas")).to_have_value("4321")
    page.press("#gas", "Tab")
    expect(page.locator("#gas-left")).to_have_text("4,321")


def test_the_theme_is_kept(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    opened(page)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.click("#theme")
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark


def die(page: Page, name: str) -> None:
    """An error that nobody in the worker expects."""
    worker(page, name).evaluate("() => { setTimeout(() => { throw new Error('worn out'); }); }")


def close(page: Page, name: str) -> None:
    """The worker is gone without a word."""
    worker(page, name).evaluate("() => { setTimeout(() => self.close()); }")


@pytest.mark.parametrize("end", [die, close])
def test_a_dead_guest_worker_is_said_and_replaced(page: Page, end: Callable[[Page, str], None]) -> None:
    opened(page, "mandelbrot")
    page.locator("#pace").fill("20")
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Running")
    end(page, "guest/worker")
    page.wait_for_timeout(300)
    if page.locator("#state").inner_text() == "Running":
        page.keyboard.press("Escape")
    expect(page.locator("#message")).to_be_visible()
    page.locator("#pace").fill("85")
    page.click("#reset")
    expect(page.locator("#state")).to_have_text("Ready")
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Halted")


def test_a_dead_python_worker_is_said_and_replaced(page: Page) -> None:
    opened(page)
    with_python(page)
    die(page, "python/worker")
    expect(page.locator("#python")).not_to_contain_class("ready")
    page.click("#run")  # goes without Python
    expect(page.locator("#state")).to_have_text("Halted")
    page.fill("#gas", "5000")
    page.keyboard.press("Tab")
    page.click("#reset")
    expect(page.locator("#gas-left")).to_have_text("5,000", timeout=60_000)  # from an image that Python has made


def test_a_browser_that_cannot_run_it_is_told_so(page: Page) -> None:
    page.add_init_script("WebAssembly.validate = () => false")
    page.goto("")
    expect(page.locator("#message")).to_contain_text("lacks several memories")
