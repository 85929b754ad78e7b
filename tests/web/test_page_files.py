"""What people and strangers hand to the page: files, links, assembly, recorded runs, garbage, endless programs."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pvm import Reason, ReferenceEngine
from pvm.program import assemble
from pvm.trace import Call, End, State, Trace, format_trace

ENDLESS = ".code\nloop:\n    add_imm_64  r2, r2, 1\n    jump        loop\n"
CALLING = ".code\n    ecalli 7\n    add_imm_64 r3, r7, 1\n    ecalli 8\n    jump_ind r0\n"
HALT = 0xFFFF0000


def drop(page: Page, name: str, data: bytes) -> None:
    """Drop a file onto the page."""
    page.evaluate(
        """([name, text]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.fromBase64(text)], name));
            for (const type of ["dragenter", "dragover", "drop"]) {
                document.body.dispatchEvent(
                    new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
            }
        }""",
        [name, base64.b64encode(data).decode()],
    )


def choose(page: Page, name: str, data: bytes) -> None:
    """Choose a file in the dialog that the button opens."""
    page.click("#open")
    with page.expect_file_chooser() as chosen:
        page.click("#choose-file")
    chosen.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})


def loaded(page: Page, name: str) -> None:
    """Wait for a program that is called so."""
    expect(page.locator("#listing-title")).to_have_text(name)
    expect(page.locator("#state")).to_have_text("Ready")


def recorded(changed: bool = False) -> bytes:
    """A run of `CALLING` as an ecalli trace; with `changed`, its second call has another register than the run."""
    program = assemble(CALLING)
    machine = ReferenceEngine().instantiate(program, gas=1000)
    machine.registers[0] = HALT
    state = State(machine.pc, machine.gas, tuple(machine.registers))
    calls = []
    for _ in range(2):
        exit = machine.run()
        assert exit.call is not None
        registers = list(machine.registers)
        if changed and exit.call == 8:
            registers[3] += 1
        calls.append(Call(exit.call, State(exit.pc, exit.gas, tuple(registers)), registers=((7, 41),)))
        machine.registers[7] = 41
    exit = machine.run()
    assert exit.reason is Reason.HALT
    end = End(Reason.HALT, State(exit.pc, exit.gas, tuple(machine.registers)))
    return format_trace(Trace(program.encode(), (), state, tuple(calls), end)).encode()


def link(data: bytes, **head: Any) -> str:
    """A link's fragment, made as the page makes it."""
    text = json.dumps({"version": 1, "settings": {}, **head}).encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(len(text).to_bytes(4, "little") + text + data) + packer.flush()
    return "#p=" + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def test_a_file_by_the_dialog(python_page: Page) -> None:
    choose(python_page, "calling.pvmasm", CALLING.encode())
    loaded(python_page, "calling.pvmasm")
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Host call")
    expect(python_page.locator("#result")).to_contain_text("7")


def test_a_dropped_file(python_page: Page) -> None:
    drop(python_page, "plain.pvm", assemble(CALLING).encode())
    loaded(python_page, "plain.pvm")
    expect(python_page.locator("#listing-size")).to_contain_text("4 instructions")


@pytest.mark.parametrize("data", [b"", b"\0" * 50, b"\xff" * 5000, bytes(range(256)) * 40, b"\0asm\1\0\0\0"])
def test_garbage_is_refused_in_a_sentence(python_page: Page, data: bytes) -> None:
    drop(python_page, "known.pvm", assemble(CALLING).encode())
    loaded(python_page, "known.pvm")
    drop(python_page, "<img src=x onerror=alert(1)>.pvm", data)
    message = python_page.locator("#message")
    expect(message).to_contain_text("<img src=x onerror=alert(1)>.pvm")
    assert len(message.inner_text()) < 400
    assert "\n" not in message.inner_text().strip()
    loaded(python_page, "known.pvm")  # what was there stays
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Host call")


def test_a_huge_file_is_not_read(python_page: Page, tmp_path: Path) -> None:
    huge = tmp_path / "huge.pvm"
    with huge.open("wb") as file:
        file.truncate(300 << 20)
    python_page.locator("#file").set_input_files(huge)
    expect(python_page.locator("#message")).to_contain_text("300 MiB")


def test_an_endless_program_is_stopped_and_goes_on(python_page: Page) -> None:
    drop(python_page, "endless.pvmasm", ENDLESS.encode())
    loaded(python_page, "endless.pvmasm")
    for tier in ("interpreter", "recompiler", "auto"):
        python_page.select_option("#tier", tier)
        python_page.fill("#gas", str(2**63))
        python_page.keyboard.press("Enter")
        python_page.click("#reset")
        loaded(python_page, "endless.pvmasm")
        used = "0"
        for _ in range(2):
            python_page.click("#run")
            expect(python_page.locator("#state")).to_have_text("Running")
            expect(python_page.locator("#gas-used")).not_to_have_text(used)
            python_page.click("#stop")
            expect(python_page.locator("#state")).to_have_text("Paused", timeout=5000)
            used = python_page.locator("#gas-used").inner_text()


def test_a_recorded_run_is_replayed(python_page: Page) -> None:
    drop(python_page, "run.log", recorded())
    loaded(python_page, "run.log")
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Halted")
    expect(python_page.locator("#result")).to_contain_text("as recorded")


def test_a_recorded_run_that_does_not_fit_says_where(python_page: Page) -> None:
    drop(python_page, "other.log", recorded(changed=True))
    loaded(python_page, "other.log")
    python_page.click("#run")
    expect(python_page.locator("#state")).to_have_text("Divergence")
    expect(python_page.locator("#result")).to_contain_text("r3 is 0x2a, recorded was 0x2b")


def test_a_trace_of_another_run_is_refused(python_page: Page) -> None:
    text = recorded().decode()
    drop(python_page, "cut.log", text.replace("start pc=", "start pc=x").encode())
    expect(python_page.locator("#message")).to_contain_text("cut.log")


def test_assembly_with_errors_and_without(python_page: Page) -> None:
    python_page.click('[role=tab][data-panel="editor"]')
    python_page.fill("#source", ".code\n    add_64 r1\n    frob r2\n")
    errors = python_page.locator("#panel-editor .errors li")
    expect(errors).to_have_count(2)
    python_page.fill("#source", ENDLESS)
    expect(errors).to_have_count(0)
    python_page.keyboard.press("Control+Enter")
    expect(python_page.locator("#listing-size")).to_contain_text("2 instructions")


def test_links_open_what_they_hold(python_page: Page) -> None:
    python_page.goto(link(CALLING.encode(), name="linked.pvmasm", format="asm", settings={"gas": "77"}))
    loaded(python_page, "linked.pvmasm")
    expect(python_page.locator("#gas")).to_have_value("77")
    python_page.click("#share")
    shared = python_page.locator("#share-link").input_value()
    python_page.keyboard.press("Escape")
    python_page.select_option("#example", "hello")
    loaded(python_page, "Greet and log")
    python_page.goto(shared)
    loaded(python_page, "linked.pvmasm")
    expect(python_page.locator("#gas")).to_have_value("77")


@pytest.mark.parametrize(
    "fragment",
    ["#p=", "#p=AAAA", "#p=%00", "#example=nothing", link(b"\xff" * 99, name="x", format="jam"),
     link(b"", name=["x"], format={"a": 1}, settings="no"), link(b"\0" * (17 << 20), name="bomb", format="auto")],
    ids=["empty", "short", "no text", "unknown example", "garbage", "wrong types", "bomb"],
)  # fmt: skip
def test_damaged_links_are_refused_in_a_sentence(python_page: Page, fragment: str) -> None:
    python_page.goto("#example=sieve")
    loaded(python_page, "Count primes")
    python_page.goto(fragment)
    expect(python_page.locator("#message")).to_be_visible()
    assert len(python_page.locator("#message").inner_text()) < 400
    expect(python_page.locator("#state")).to_have_text("Ready")


def test_the_page_that_opens_for_a_damaged_link_says_so(page: Page) -> None:
    page.goto("#p=AAAA")
    loaded(page, "Greet and log")
    expect(page.locator("#state")).to_have_text("Ready")
    expect(page.locator("#message")).to_contain_text("link is damaged")


def test_wrong_settings_are_said_beside_their_field(python_page: Page) -> None:
    python_page.goto("#example=hello")
    loaded(python_page, "Greet and log")
    for name, wrong, right in (("args", "xyz", '"world"'), ("gas", "much", "1000"), ("pc", "99999999999", "0")):
        python_page.fill(f"#{name}", wrong)
        python_page.keyboard.press("Tab")
        expect(python_page.locator(f"#{name}-problem")).to_have_text(re.compile("."))
        python_page.fill(f"#{name}", right)
        python_page.keyboard.press("Tab")
        expect(python_page.locator(f"#{name}-problem")).to_have_text("")
    expect(python_page.locator("#state")).to_have_text("Ready")
