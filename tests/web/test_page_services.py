"""The page runs a program as a service: refine and accumulate in a world, and the runs stepped through."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from pvm.examples.services import service_source
from tests.web.test_page_panels import opened_file


def test_a_service_refines_accumulates_and_is_stepped_through(python_page: Page) -> None:
    page = python_page
    opened_file(page, "store.pvmasm", service_source("key_value").encode())
    page.click("#service")
    page.select_option("#service-entry", "refine and accumulate")
    page.fill("#service-payload", "0x01010061ff")
    page.click("#service-run")
    expect(page.locator("#service-result")).to_contain_text("storage 'a': None -> 0xff")
    assert '"0x61": "0xff"' in page.input_value("#service-world")
    page.fill("#service-payload", "0xz")
    page.click("#service-run")
    expect(page.locator("#service-problem")).to_have_text("payload: no hexadecimal after 0x")
    page.locator("#service-runs button").last.click()
    expect(page.locator("#listing-title")).to_have_text("service 65536: accumulate at slot 100.log")
    expect(page.locator("#state")).to_have_text("Ready")
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Halted")
    page.click("#service")
    assert '"0x61": "0xff"' in page.input_value("#service-world"), "the world is kept"
