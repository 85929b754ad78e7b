"""Running and stepping in the page: examples, breakpoints, steps back, pictures, programs that never end."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from pvm import Machine, ReferenceEngine
from pvm.examples import EXAMPLES, Example, example
from pvm.program import assemble


def opened(page: Page, name: str) -> None:
    """Open the page at an example."""
    page.goto(f"#example={name}")
    expect(page.locator("#state")).to_have_text("Ready")
    expect(page.locator("#example")).to_have_value(name)


def current(page: Page) -> Locator:
    """The line of the listing where the machine stands."""
    return page.locator("#listing .row.current:not([hidden])")


def pc(page: Page) -> int:
    """Where the machine stands."""
    return int(current(page).get_attribute("data-pc") or -1)


def registers(page: Page) -> tuple[int, ...]:
    """As the table shows them."""
    cells = page.locator("#registers td.hex").all_inner_texts()
    return tuple(int(cell.strip(), 16) for cell in cells)


def reference(each: Example) -> Machine:
    """The same run in Python."""
    return ReferenceEngine().instantiate(
        assemble(each.source), args=each.args, gas=each.gas, host={100: lambda machine: None}
    )


def shown(each: Example) -> str:
    """How the result begins on the page."""
    result = each.expected(each.args)
    text = result.decode("latin-1")
    return f'"{text}"' if text.isprintable() and text.isascii() else result[:24].hex(" ")


@pytest.mark.parametrize("tier", ["auto", "interpreter", "recompiler"])
def test_examples_run_to_their_results(page: Page, tier: str) -> None:
    opened(page, EXAMPLES[0].name)
    page.select_option("#tier", tier)
    for each in EXAMPLES:
        page.select_option("#example", each.name)
        expect(page.locator("#listing-title")).to_have_text(each.title)
        expect(page.locator("#state")).to_have_text("Ready")
        page.click("#run")
        expect(page.locator("#state")).to_have_text("Halted")
        assert page.locator("#result").inner_text().startswith(shown(each)), each.name
        if tier != "auto" and each.gas == 1_000_000_000:  # short runs take no time that a browser could tell
            expect(page.locator("#time")).to_contain_text(tier)


def test_the_page_is_there_without_python(page: Page) -> None:
    page.route("**/pyodide/**", lambda route: None)  # never answered
    opened(page, "fibonacci")
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Halted")
    expect(page.locator("#python")).not_to_have_class(re.compile("ready|failed"))


def test_steps_are_those_of_the_reference_engine_there_and_back(page: Page) -> None:
    each = example("hello")
    opened(page, each.name)
    machine, seen = reference(each), []
    for _ in range(12):
        seen.append((pc(page), registers(page)))
        assert seen[-1] == (machine.pc, tuple(machine.registers))
        page.keyboard.press("F10")
        machine.step()
        expect(current(page)).to_have_attribute("data-pc", str(machine.pc))
    for place, values in reversed(seen):
        page.keyboard.press("Shift+F10")
        expect(current(page)).to_have_attribute("data-pc", str(place))
        assert registers(page) == values
    expect(page.locator("#back")).to_be_disabled()


def test_breakpoints_stop_and_are_gone_back_to(page: Page) -> None:
    opened(page, "fibonacci")
    row = page.locator("#listing .row").filter(has_text="add_64").first
    place = row.get_attribute("data-pc") or ""
    row.locator(".gutter").click()
    expect(page.locator("#breakpoints-clear")).to_have_text("Clear 1 breakpoint")
    used = []
    for _ in range(3):
        page.click("#run")
        expect(page.locator("#state")).to_have_text("Paused")
        expect(current(page)).to_have_attribute("data-pc", place)
        if used:
            expect(page.locator("#gas-used")).not_to_have_text(used[-1])
        used.append(page.locator("#gas-used").inner_text())
    page.click("#breakpointBack")
    expect(page.locator("#gas-used")).to_have_text(used[1])
    page.click("#toStart")
    expect(page.locator("#state")).to_have_text("Ready")
    page.click("#breakpoints-clear")
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Halted")
    assert page.locator("#result").inner_text().startswith(shown(example("fibonacci")))


def test_back_from_the_end_of_a_long_run(page: Page) -> None:
    opened(page, "life")
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Halted")
    end, values = pc(page), registers(page)
    page.click("#back")
    expect(page.locator("#state")).to_have_text("Paused")
    page.click("#step")
    expect(page.locator("#state")).to_have_text("Halted")
    assert (pc(page), registers(page)) == (end, values)
    page.click("#toStart")
    expect(page.locator("#state")).to_have_text("Ready")


def test_a_changed_register_changes_what_follows(page: Page) -> None:
    opened(page, "hello")
    page.click('#registers tr[data-register="8"] td.hex button')
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.locator('#registers tr[data-register="8"]')).to_contain_text("0000000000000003")
    page.click("#run")
    expect(page.locator("#result")).to_have_text('"Hello, wor!"')


@pytest.mark.parametrize("name", ["life", "mandelbrot"])
def test_pictures_are_what_the_program_draws(page: Page, name: str) -> None:
    each = example(name)
    assert each.pixels is not None
    opened(page, name)
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Halted")
    page.click('[role=tab][data-panel="pixels"]')
    expect(page.locator("#pixels-width")).to_have_value(str(each.pixels.width))
    drawn = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return [canvas.width, canvas.height, Array.from(data).filter((value, index) => index % 4 === 1)];
    }"""
    result = each.expected(each.args)

    def is_drawn() -> bool:
        width, height, greens = page.locator("canvas.pixels").evaluate(drawn)
        return (width, height) == (each.pixels.width, each.pixels.height) and shades(greens) == shades(list(result))

    def shades(values: list[int]) -> list[int]:
        """The number of the first pixel that has the same colour: the same for two pictures that differ in colours."""
        first: dict[int, int] = {}
        return [first.setdefault(value, index) for index, value in enumerate(values)]

    wait_for(page, is_drawn)


def wait_for(page: Page, holds: Callable[[], bool]) -> None:
    for _ in range(50):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("not within 5 s")


def test_a_program_that_runs_long_can_be_watched_and_stopped(page: Page) -> None:
    opened(page, "mandelbrot")
    page.locator("#pace").fill("30")  # a thousand instructions a second
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Running")
    expect(page.locator("#gas-used")).not_to_have_text("0")
    page.keyboard.press("Escape")
    expect(page.locator("#state")).to_have_text("Paused")
    used = page.locator("#gas-used").inner_text()
    page.wait_for_timeout(300)
    expect(page.locator("#gas-used")).to_have_text(used)
