"""The world in the page: host calls answered live, the state beside, steps back across both, inner machines entered."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from pvm.examples.services import service_source
from pvm.program import assemble
from tests.web.test_page_panels import opened_file, show

INNER = assemble(".code\n    add_imm_64 r7, r7, 1\n    ecalli 5\n    trap\n").encode()


def test_a_service_refines_and_accumulates_live_and_its_state_goes_back(python_page: Page) -> None:
    page = python_page
    opened_file(page, "store.pvmasm", service_source("key_value").encode())
    show(page, "world")
    said, state = page.locator("#world-said"), page.locator("#world-state")
    page.fill("#world-payload", "0x01010061ff")
    page.click("#world-refine")
    expect(said).to_have_text("service 65536: refine, 0 calls answered.")
    page.click("#run")
    expect(said).to_contain_text("output 0x01010061ff")
    expect(page.locator("#world-next")).to_have_text("Accumulate it")
    page.click("#world-next")
    expect(said).to_have_text("service 65536: accumulate at slot 100, 0 calls answered.")
    page.click("#run")
    expect(said).to_contain_text("4 calls answered: output none, 209 gas")
    expect(state).to_contain_text("storage 'count'")
    page.keyboard.press("Shift+F7")  # back to the call that writes it
    expect(said).to_have_text("service 65536: accumulate at slot 100, 3 calls answered.")
    expect(state).not_to_contain_text("storage 'count'")
    expect(state).to_contain_text("storage 'a'")
    page.keyboard.press("Shift+F4")
    expect(state).not_to_contain_text("storage")
    page.click("#run")
    expect(said).to_contain_text("4 calls answered: output none, 209 gas")
    page.click("#world-next")
    expect(said).to_have_text("All is done; what changed is in the world.")
    assert '"0x61": "0xff"' in page.input_value("#world-text")


def test_inner_machines_are_listed_and_entered_and_the_outer_one_waits(python_page: Page) -> None:
    page = python_page
    opened_file(page, "runner.pvmasm", service_source("runner").encode())
    show(page, "world")
    page.fill("#world-service", "7")
    page.fill("#world-payload", "0x" + INNER.hex())
    page.click("#world-refine")
    said = page.locator("#world-said")
    expect(said).to_have_text("service 7: refine, 0 calls answered.")
    for made in range(5):
        page.keyboard.press("F7")
        expect(said).to_contain_text(f"{made} call")
        expect(page.locator("#result")).to_contain_text("is answered as you go on")
    page.keyboard.press("F7")
    expect(page.locator("#result")).to_contain_text("invoke (12)")
    page.click(".enter-inner")
    expect(page.locator("#listing-title")).to_have_text("inner machine 0")
    expect(page.locator("#state")).to_have_text("Ready")
    page.keyboard.press("F10")
    expect(page.locator("#result")).to_contain_text("At ")
    page.keyboard.press("Shift+F10")
    expect(page.locator("#state")).to_have_text("Ready")
    page.click("#world-leave")
    expect(page.locator("#listing-title")).to_have_text("runner.pvmasm")
    expect(page.locator("#result")).to_contain_text("invoke (12)")
    page.click("#run")
    expect(said).to_contain_text("output")
