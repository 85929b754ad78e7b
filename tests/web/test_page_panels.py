"""The panels of the page: memory, host calls, recorded runs, WebAssembly, lock-step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pvm import Reason, ReferenceEngine
from pvm.examples import example
from pvm.program import assemble
from pvm.trace import parse_trace

CALLING = """.standard stack=4096 heap=0
.code
    ecalli      7
    add_imm_64  r3, r7, 1
    ecalli      8
    load_imm    r8, 0
    jump_ind    r0
"""


def show(page: Page, panel: str) -> None:
    page.click(f'[role=tab][data-panel="{panel}"]')


def opened(page: Page, name: str) -> None:
    page.goto(f"#example={name}")
    expect(page.locator("#state")).to_have_text("Ready")
    expect(page.locator("#example")).to_have_value(name)


def opened_file(page: Page, name: str, data: bytes) -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})
    expect(page.locator("#listing-title")).to_have_text(name)
    expect(page.locator("#state")).to_have_text("Ready")


def test_memory_is_found_changed_and_seen_by_the_program(page: Page) -> None:
    opened(page, "hello")
    show(page, "memory")
    page.fill("#memory-search", '"world"')
    page.keyboard.press("Enter")
    expect(page.locator("#panel-memory .values")).to_contain_text("u8 119")  # w
    page.locator(".bytes").focus()
    page.keyboard.type("574f")  # faster than bytes change, and the run waits for the last of them
    page.click("#run")
    expect(page.locator("#result")).to_have_text('"Hello, WOrld!"')


def test_pages_without_access_fault_and_can_be_mapped(python_page: Page) -> None:
    opened_file(python_page, "fault.pvm", assemble(".code\n    store_u32 [0x20000], r7\n    trap\n").encode())
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Page fault")
    expect(python_page.locator("#result")).to_contain_text("0x00020000")
    show(python_page, "memory")
    python_page.fill("#memory-address", "0x20000")
    python_page.press("#memory-address", "Enter")
    python_page.locator("#panel-memory select").last.select_option("rw")
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Panicked")


def test_host_calls_are_answered_by_hand_saved_and_replayed(python_page: Page, tmp_path: Path) -> None:
    opened_file(python_page, "calling.pvmasm", CALLING.encode())
    show(python_page, "calls")
    python_page.click("#run")
    for answer in ("41", "NONE"):
        expect(python_page.locator("#state")).to_have_text("Host call")
        python_page.fill("#answer-r7", answer)
        python_page.click("#answer-run")
    expect(python_page.locator("#state")).to_have_text("Halted")
    expect(python_page.locator(".calls .row:visible")).to_have_count(2)
    with python_page.expect_download() as saved:
        python_page.click("#save-trace")
    path = tmp_path / "saved.log"
    saved.value.save_as(path)
    trace = parse_trace(path.read_bytes())
    assert [(call.number, call.registers) for call in trace.calls] == [(7, ((7, 41),)), (8, ((7, 2**64 - 1),))]
    opened_file(python_page, "saved.log", path.read_bytes())
    python_page.click("#run")
    expect(python_page.locator("#result")).to_contain_text("as recorded")


@pytest.mark.parametrize(("spec", "name"), [("0.7.2", "read"), ("0.8.0", "lookup")])
def test_host_calls_are_named_by_the_version(python_page: Page, spec: str, name: str) -> None:
    opened_file(python_page, "read.pvmasm", b".code\n    ecalli 3\n    trap\n")
    python_page.select_option("#spec", spec)
    python_page.click("#reset")
    expect(python_page.locator("#state")).to_have_text("Ready")
    expect(python_page.locator("#listing .row .note").first).to_have_text(name)
    show(python_page, "calls")
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Host call")
    expect(python_page.locator("#result")).to_contain_text(f"{name} (3) at pc 0")
    expect(python_page.locator(".waiting")).to_contain_text(f"{name} (3) at pc 0")
    python_page.select_option("#spec", "0.7.2")


def test_a_service_s_recorded_run_is_replayed(python_page: Page, shared: Path) -> None:
    [path] = (shared / "traces/ecalli").glob("trace-003.log")
    opened_file(python_page, path.name, path.read_bytes())
    for tier in ("interpreter", "recompiler"):
        python_page.select_option("#tier", tier)
        python_page.click("#reset")
        expect(python_page.locator("#state")).to_have_text("Ready")
        python_page.click("#run")
        expect(python_page.locator("#state")).to_have_text(re.compile("Halted|Panicked"))
        expect(python_page.locator("#result")).to_contain_text("Every call and the end are as recorded")
        python_page.click("#callBack")
        expect(python_page.locator("#state")).to_have_text("Host call")
    python_page.select_option("#tier", "auto")


def test_the_code_of_the_selected_block_is_shown(python_page: Page) -> None:
    opened(python_page, "sieve")
    show(python_page, "wat")
    expect(python_page.locator("#panel-wat")).to_contain_text("local.get")


def test_the_simulation_of_the_selected_block_is_drawn(python_page: Page) -> None:
    opened(python_page, "sieve")
    show(python_page, "gas")
    panel = python_page.locator("#panel-gas")
    expect(panel).to_contain_text("The block from pc 0, 2 instructions: 20 gas")
    expect(panel).to_contain_text("D=====================-R")
    expect(panel.locator(".marked")).to_contain_text("branch_lt_u_imm")


def test_a_run_under_the_pipeline_model(python_page: Page) -> None:
    """The version says how gas is charged, and what is charged is what other engines charge."""
    opened(python_page, "fibonacci")
    python_page.select_option("#spec", "0.8.0")
    expect(python_page.locator("#metering")).to_have_value("pipeline")
    example_ = example("fibonacci")
    machine = ReferenceEngine("0.8.0").instantiate(assemble(example_.source, "0.8.0"), example_.args, example_.gas)
    assert machine.run().reason is Reason.HALT
    for tier in ("interpreter", "recompiler"):
        python_page.select_option("#tier", tier)
        python_page.click("#reset")
        expect(python_page.locator("#state")).to_have_text("Ready")
        python_page.click("#run")
        expect(python_page.locator("#state")).to_have_text("Halted")
        expect(python_page.locator("body")).to_contain_text(f"{example_.gas - machine.gas:,}")
    python_page.select_option("#tier", "auto")


@pytest.mark.parametrize("right", ["interpreter", "recompiler"])
def test_engines_in_lock_step_agree(python_page: Page, right: str) -> None:
    opened(python_page, "hello")
    show(python_page, "lockstep")
    python_page.select_option("#lockstep-left", "reference")
    python_page.select_option("#lockstep-right", right)
    python_page.click("#lockstep-run")
    expect(python_page.locator(".lockstep-state")).to_contain_text("No difference in")
    expect(python_page.locator(".lockstep-state")).to_contain_text("the same: halt")


def test_what_ran_often_is_hot(page: Page) -> None:
    opened(page, "hello")
    page.click("#run")
    expect(page.locator("#state")).to_have_text("Halted")
    heat = page.locator("#listing .row .heat")
    titles = heat.evaluate_all("all => all.map(({ title }) => title)")
    assert {"1 times", "5 times"} <= set(titles)
