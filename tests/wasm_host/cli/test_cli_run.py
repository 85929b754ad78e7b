"""`pvm run` and `pvm demo`."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from pvm.examples import EXAMPLES, example
from pvm.program import assemble
from wasm_host.cli.demo import life_picture

KEYS = {
    "status": str, "pc": int, "gas": int, "gas_used": int, "registers": list, "result": str,
    "page_fault_address": int | None, "host_call": int | None, "tier": str, "spec": str, "metering": str, "format": str,
}  # fmt: skip
LOG = """.standard
.rodata
target: .ascii "me"
message: .hex {message}
end:
.code
    load_imm r7, {level}
    load_imm r8, target
    load_imm r9, {target_length}
    load_imm r10, {address}
    load_imm r11, end - message
    ecalli 100
    move_reg r2, r7
    load_imm r8, 0
    ret
"""


def run_json(pvm, *args, **streams):
    result = pvm("run", *args, "--json", **streams)
    return json.loads(result.text), result


def write(tmp_path, source, name="program.pvmasm"):
    path = tmp_path / name
    path.write_text(source)
    return path


@pytest.mark.parametrize("tier", ["interpreter", "reference"])
def test_json_of_a_halt(pvm, tier):
    found, result = run_json(pvm, "example:hello", "--args", "4a616d", "--tier", tier)
    assert result.status == 0
    assert set(found) == set(KEYS) and all(isinstance(found[key], kind) for key, kind in KEYS.items())
    assert len(found["registers"]) == 13 and all(isinstance(value, int) for value in found["registers"])
    assert bytes.fromhex(found["result"]) == b"Hello, Jam!"
    assert found["gas"] + found["gas_used"] == example("hello").gas
    assert (found["status"], found["page_fault_address"], found["host_call"]) == ("halt", None, None)
    assert (found["tier"], found["spec"], found["metering"]) == (tier, "0.7.2", "instruction")
    assert found["format"] == "standard"
    assert "log info [hello]: Hello, Jam!\n" in result.stderr


@pytest.mark.parametrize(
    ("source", "status", "fault", "call"),
    [
        ("trap", "panic", None, None),
        ("loop: jump loop", "out-of-gas", None, None),
        ("load_u8 r1, [0x12345]\ntrap", "page-fault", 0x12000, None),
        ("ecalli 7\ntrap", "host-call", None, 7),
    ],
)
@pytest.mark.parametrize("tier", ["interpreter", "reference"])
def test_other_ends(pvm, tmp_path, tier, source, status, fault, call):
    path = write(tmp_path, source)
    found, result = run_json(pvm, path, "--gas", "1000", "--tier", tier)
    assert result.status == 1 and result.stderr == ""
    assert (found["status"], found["page_fault_address"], found["host_call"]) == (status, fault, call)
    assert found["result"] == "" and found["format"] == "plain"
    human = pvm("run", path, "--gas", "1000", "--tier", tier)
    assert human.status == 1 and status in human.text


def test_people_see_result_and_registers(pvm):
    result = pvm("run", "example:hello")
    assert result.status == 0
    for part in ("halt", "jump_ind r0", '"Hello, world!"', b"Hello, world!".hex(), "0x00000000ffff0000", "4294901760"):
        assert part in result.text


def test_options_reach_the_engine(pvm, tmp_path):
    path = write(tmp_path, "load_imm r1, 1\nload_imm r2, 2\ntrap")
    found, _ = run_json(pvm, path, "--gas", "0x1_0", "--pc", "3", "--spec", "0.8.0", "--metering", "block")
    assert found["registers"][1:3] == [0, 2]
    assert (found["spec"], found["metering"]) == ("0.8.0", "block")
    assert found["gas"] + found["gas_used"] == 16


def test_gas_is_ten_million_unless_given(pvm, tmp_path):
    found, _ = run_json(pvm, write(tmp_path, "trap"))
    assert found["gas"] + found["gas_used"] == 10_000_000


def test_formats_and_standard_input(pvm, tmp_path):
    program = assemble(example("sieve").source).encode()
    path = tmp_path / "sieve.bin"
    path.write_bytes(program)
    limit = (1000).to_bytes(4, "little")
    arguments = tmp_path / "arguments"
    arguments.write_bytes(limit)
    for args, stdin in (
        ((path, "--args", limit.hex()), b""),
        ((path, "--args", "0x" + limit.hex(), "--format", "standard"), b""),
        (("-", "--args", f"@{arguments}"), program),
        ((path, "--args", "@-"), limit),
        (("-", "--args", limit.hex(), "--format", "asm"), example("sieve").source.encode()),
    ):
        found, result = run_json(pvm, *args, stdin=stdin)
        assert result.status == 0 and int.from_bytes(bytes.fromhex(found["result"]), "little") == 168


def test_log(pvm, tmp_path):
    source = LOG.format(message=b"hi\x1b[31m\n\xff".hex(), level=9, target_length=2, address="message")
    found, result = run_json(pvm, write(tmp_path, source))
    assert result.status == 0 and found["registers"][2] == 2**64 - 2
    assert result.stderr == "log level 9 [me]: hi\\x1b[31m\\n\\\\xff\n".replace("\\\\", "\\")


def test_log_of_memory_that_the_guest_may_not_read(pvm, tmp_path):
    source = LOG.format(message=b"hi".hex(), level=0, target_length=0, address="-1")
    found, result = run_json(pvm, write(tmp_path, source))
    assert result.status == 0 and found["registers"][2] == 2**64 - 2
    assert result.stderr.startswith("log fatal: <2 bytes at 0xffff") and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--args", "zz"), ("--args: 'z' at character 1",)),
        (("--args", "0x0g"), ("--args: 'g' at character 4",)),
        (("--args", "abc"), ("--args: 3 hexadecimal digits",)),
        (("--args", "@nowhere"), ("--args: nowhere: cannot be read",)),
        (("--gas", "-1"), ("--gas: -1 is not from 0 to 2^64 - 1",)),
        (("--gas", str(1 << 64)), ("--gas: ", "is not from 0 to 2^64 - 1")),
        (("--gas", "9" * 5000), ("--gas: ", "is not from 0 to 2^64 - 1")),
        (("--gas", "many"), ("--gas: 'many' is no number",)),
        (("--gas", "٣"), ("--gas: ", "is no number")),
        (("--pc", "0x100000000"), ("--pc: 0x100000000 is not from 0 to 2^32 - 1",)),
        (("--tier", "turbo"), ("--tier: 'turbo'", "interpreter")),
        (("--spec", "0.9"), ("--spec: '0.9'",)),
        (("--metering", "none"), ("--metering: 'none'",)),
        (("--format", "elf"), ("--format: 'elf'",)),
        (("--format", "plain"), ("--format: example:hello is assembly",)),
    ],
)
def test_bad_options(bad_input, options, parts):
    bad_input(("run", "example:hello", *options), *parts)


def test_entries_by_name(pvm, bad_input, tmp_path):
    path = write(tmp_path, ".standard\n.code\n  jump other/4\n  load_imm r8, 0\n  ret\nother:\n  trap\n")
    for name, status in (("accumulate", "halt"), ("refine", "panic"), ("is-authorized", "panic")):
        assert run_json(pvm, path, "--entry", name)[0]["status"] == status, name
    bad_input(
        ("run", path, "--entry", "acumulate"),
        "--entry: acumulate: no entry of this program, which has refine, is_authorized, accumulate; did you mean acc",
    )
    bad_input(("run", path, "--entry", "refine", "--pc", "0"), "--entry: --pc says already where to start")
    plain = write(tmp_path, "trap\n", "plain.pvmasm")
    bad_input(("run", plain, "--entry", "refine"), "--entry: refine: a plain program has no named entries: give a pc")


def test_bad_programs(bad_input, tmp_path):
    (tmp_path / "bytes.pvm").write_bytes(b"\x01\x02\x03")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "latin.pvmasm").write_bytes(b"; caf\xe9\ntrap\n")
    (tmp_path / "wrong.pvmasm").write_text("trap\nnonsense r1\n")
    (tmp_path / "plain.pvmasm").write_text("trap\n")
    bad_input(("run", tmp_path / "missing"), "missing: cannot be read: no such file")
    bad_input(("run", tmp_path), "cannot be read: is a directory")
    bad_input(("run", tmp_path / "bytes.pvm"), "bytes.pvm: no format fits")
    bad_input(("run", tmp_path / "bytes.pvm", "--format", "jam"), "bytes.pvm: ")
    bad_input(("run", tmp_path / "empty"), "empty: empty")
    bad_input(("run", tmp_path / "latin.pvmasm"), "latin.pvmasm: not UTF-8 at byte 5")
    bad_input(("run", tmp_path / "wrong.pvmasm"), "wrong.pvmasm: line 2: ")
    bad_input(("run", tmp_path / "plain.pvmasm", "--args", "00"), "plain.pvmasm: arguments: a plain program takes none")
    bad_input(("run", "-"), "standard input: ", stdin=b"garbage")
    bad_input(("run", "-", "--args", "@-"), "--args: standard input is the program already")
    bad_input(("run", "example:nothing"), "example:nothing: unknown example")
    bad_input(("run", ""), "'': cannot be read")
    bad_input(("run", "a\x1b[31m\nb"), "a\\x1b[31m\\nb: cannot be read")


def test_an_unreadable_file(bad_input, tmp_path):
    path = write(tmp_path, "trap")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    bad_input(("run", path), "cannot be read: permission denied")


def test_demo(pvm):
    result = pvm("demo")
    assert result.status == 0 and result.stderr == ""
    for known in EXAMPLES:
        assert known.name in result.text and known.title in result.text
    assert "Conway's Life" in result.text and "█" in result.text
    assert result.text.count("✓") == len(EXAMPLES) and "✗" not in result.text
    assert [line[:6] for line in result.text.splitlines()[-3:]] == ["  pvm "] * 3


def test_demo_json(pvm):
    found = json.loads(pvm("demo", "--json").text)
    assert (found["passed"], found["failed"]) == (len(EXAMPLES), 0)
    for known, shown in zip(EXAMPLES, found["examples"], strict=True):
        assert shown["name"] == known.name and shown["passed"] is True and shown["status"] == "halt"
        assert bytes.fromhex(shown["result"]) == known.expected(known.args)
        assert shown["gas_used"] > 0 and shown["seconds"] > 0


def test_demo_fails_when_a_result_differs(pvm, monkeypatch):
    broken = dataclasses.replace(EXAMPLES[1], expected=lambda args: b"")
    monkeypatch.setattr("wasm_host.cli.demo.EXAMPLES", (EXAMPLES[0], broken))
    result = pvm("demo")
    assert result.status == 1 and "✗" in result.text and "1 of 2 results differ" in result.text
    assert pvm("demo", "--json").status == 1


def test_life_picture(monkeypatch):
    monkeypatch.setattr("wasm_host.cli.demo.fancy", lambda: True)
    assert life_picture(bytes([1, 0, 1, 1, 0, 1]), 2, 3) == "█▄\n ▀"
    monkeypatch.setattr("wasm_host.cli.demo.fancy", lambda: False)
    assert life_picture(bytes([1, 0, 1, 1]), 2, 2) == "#.\n##"
