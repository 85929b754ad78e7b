"""The entry bar: arguments of a service's invocations from fields, and fields from arguments."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pvm.examples.services import service_source
from pvm.jam.codec import encode_natural
from pvm.program import assemble
from tests.web.test_page_panels import CALLING, opened_file

STORE = assemble(service_source("key_value")).encode()
CODING = """async ([entry, values]) => {
  const { decodeArguments, encodeArguments } = await import("./ui/entry_arguments.mjs");
  const bytes = encodeArguments(entry, Object.fromEntries(values.map(([name, value]) => [
    name, Array.isArray(value) ? Uint8Array.from(value) : BigInt(value)])));
  const plain = (value) => typeof value === "bigint" ? String(value) : Array.from(value);
  const back = Object.entries(decodeArguments(entry, bytes)).map(([name, value]) => [name, plain(value)]);
  const cut = Array.from(bytes.keys(), (size) => decodeArguments(entry, bytes.slice(0, size)));
  return [Array.from(bytes), back, cut.every((value) => value === null)];
}"""


def test_a_service_opens_with_arguments_that_can_be_changed_either_way(python_page: Page) -> None:
    page = python_page
    opened_file(page, "store.jam", STORE)
    expect(page.locator(".segment[aria-pressed=true]")).to_have_text("refine")
    assert page.input_value("#args") == "00" * 36
    page.fill("#entry-service", "300")
    page.fill("#entry-payload", '"abc"')
    page.press("#entry-payload", "Tab")
    expect(page.locator("#args")).to_have_value("0000812c03616263" + "00" * 32)
    page.locator(".segment", has_text="accumulate").click()
    expect(page.locator("#args")).to_have_value("00812c00")
    expect(page.locator("#pc")).to_have_value("5")
    page.fill("#args", "2a812c02")
    page.press("#args", "Tab")
    expect(page.locator("#entry-slot")).to_have_value("42")
    expect(page.locator("#entry-count")).to_have_value("2")
    page.fill("#args", "2a812c0203")
    page.press("#args", "Tab")
    expect(page.locator("#entry-problem")).to_have_text("The arguments below are not those of accumulate.")
    page.locator(".segment", has_text="is-authorized").click()
    page.fill("#entry-core", "65536")
    page.press("#entry-core", "Tab")
    expect(page.locator("#entry-problem")).to_have_text("core: the number must be below 65,536")
    page.fill("#entry-core", "258")
    page.press("#entry-core", "Tab")
    expect(page.locator("#args")).to_have_value("0201")


def test_programs_that_are_no_services_have_a_pc(python_page: Page) -> None:
    opened_file(python_page, "calling.pvmasm", CALLING.encode())
    expect(python_page.locator(".segment[aria-pressed=true]")).to_have_text("pc")
    expect(python_page.locator("#entry-bar")).to_be_visible()
    opened_file(python_page, "plain.pvmasm", b".code\n    trap\n")
    expect(python_page.locator("#entry-bar")).to_be_hidden()


@pytest.mark.parametrize("number", [0, 127, 128, 16383, 16384, 2**21, 2**28 - 1, 2**35, 2**42, 2**49, 2**56, 2**64 - 1])
def test_naturals_are_encoded_as_python_does(python_page: Page, number: int) -> None:
    values: list[tuple[str, Any]] = [("slot", str(number)), ("service", "1"), ("count", "2")]
    found, back, refuses = python_page.evaluate(CODING, ["accumulate", values])
    assert bytes(found) == encode_natural(number) + b"\1\2"
    assert [tuple(each) for each in back] == values and refuses
