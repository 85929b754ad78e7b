"""Opening: what is told from what, what the page learns of it, and any garbage."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvm.examples import EXAMPLES, example
from pvm.isa import GP_072, GP_080
from pvm.program import Blob, Program, assemble, decode, pack_bitmask
from pvm.trace import format_trace, parse_trace
from pvm_web.bridge import Big, Bridge
from pvm_web.bridge import opened as opened_module
from pvm_web.bridge.dispatch import KEPT
from tests.pvm.program.polkavm_writer import code, container, exports, imports

TRACE = """\
program 0x0000050a640a640015
start pc=0 gas=1000 r07=0x5
ecalli=100 pc=0 gas=999 r07=0x5
setreg r07 <- 0xfffffffffffffffe
ecalli=100 pc=2 gas=998 r07=0xfffffffffffffffe
PANIC=0 pc=4 gas=997 r07=0xfffffffffffffffe
"""


def ask(bridge: Bridge, method: str, **params: Any) -> Any:
    answer = bridge.call(method, params)
    assert list(answer) == ["result"], answer
    return answer["result"]


def refuse(method: str, bridge: Bridge | None = None, **params: Any) -> dict[str, Any]:
    answer = (bridge or Bridge()).call(method, params)
    assert list(answer) == ["error"], answer
    error = answer["error"]
    assert "\n" not in error["message"] and error["message"] and "bug" not in error["message"]
    return error


def opened(data: bytes, **params: Any) -> Any:
    return ask(Bridge(), "open", data=data, **params)


@pytest.mark.parametrize("known", EXAMPLES, ids=lambda known: known.name)
@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
def test_examples(known: Any, spec: str) -> None:
    found = opened(known.source.encode(), name="x.pvmasm", spec=spec)
    program = assemble(known.source, spec)
    data = program.encode()
    assert found["kind"] == "program" and found["format"] == "standard" and found["spec"] == spec
    assert found["data"] == data and found["hash"] == hashlib.blake2b(data, digest_size=32).hexdigest()
    assert found["code_length"] == len(program.code)
    assert found["instructions"] == len(list(decode(program.blob, GP_072 if spec == "0.7.2" else GP_080)))
    assert found["source"] == known.source and len(found["source_lines"]) == 2 * found["instructions"]
    assert found["example"] == {
        "name": known.name, "title": known.title, "args": known.args.hex(), "gas": Big(known.gas),
        "pixels": None if known.pixels is None else asdict(known.pixels),
    }  # fmt: skip
    assert [s["name"] for s in found["segments"]] == [s.name for s in program.sections.segments()]
    assert found["metadata"] is None and found["trace"] is None
    binary = opened(data, name="y", spec=spec)
    assert binary["source"] is None and binary["example"] is None and binary["hash"] == found["hash"]


def test_formats_are_told_by_content() -> None:
    standard = assemble(example("hello").source)
    service = Program(standard.blob, standard.sections, b"my service")
    for program, metadata in ((standard, None), (service, "my service"), (Program(standard.blob), None)):
        found = opened(program.encode())
        assert (found["format"], found["metadata"]) == (program.format, metadata)
    assert opened(b"\xef\xbb\xbf; text\ntrap\n")["format"] == "plain"
    assert opened(TRACE.encode())["kind"] == "trace"
    assert opened(assemble("trap").encode(), format="plain")["format"] == "plain"


def test_a_service_has_two_entry_points() -> None:
    code = "jump refine/4\njump accumulate/4\nrefine: trap\naccumulate: trap"
    found = opened(f'.standard stack=0\n.metadata "s"\n{code}'.encode())
    assert [entry["pc"] for entry in found["entry_points"]] == [0, 5]
    assert opened(code.encode())["entry_points"] == [{"pc": 0, "name": "start"}]


def test_notes() -> None:
    notes = opened(b"jump pc + 5\nadd_64 r1, r2, r3\necalli 7\n.raw 0xff\n.jump_table 1")["notes"]
    assert notes == [
        "1 jump (pc 0) to where no block starts, and so panics.",
        "1 of the jump table's targets are no block starts.",
        "1 invalid opcode (pc 7): panics.",
        "1 host call in the code.",
    ]
    [note] = opened(b"add_64 r1, r2, r3", spec="0.8.0")["notes"]
    assert note == "Invalid in 0.8.0, it panics at once: the last instruction, at pc 0, does not end a block."
    size = 1 << 19
    blob = Blob(b"\1" * size, pack_bitmask(b"\1" * size))
    assert "not translated" in opened(Program(blob).encode())["notes"][0]


def test_opening_much_reports_how_far_it_is() -> None:
    size, reports = 1 << 18, []
    data = Program(Blob(b"\1" * size, pack_bitmask(b"\1" * size))).encode()
    bridge = Bridge()
    assert "result" in bridge.call("open", {"data": data}, reports.append)
    fractions = [report["fraction"] for report in reports]
    assert fractions == sorted(fractions) and len(fractions) >= 4 and 0 <= fractions[0] < fractions[-1] <= 1
    reports.clear()
    bridge.call("open", {"data": data}, reports.append)
    assert not reports


def test_the_same_content_has_the_same_handle() -> None:
    bridge, data = Bridge(), assemble("trap").encode()
    handles = [ask(bridge, "open", data=data, name=name, spec="0.7.2")["handle"] for name in "ab"]
    assert handles[0] == handles[1] != ask(bridge, "open", data=data, spec="0.8.0")["handle"]
    source = "add_64 r1, r2, r3"
    by_text = ask(bridge, "assemble", text=source)["opened"]["handle"]
    assert by_text == ask(bridge, "open", data=source.encode())["handle"]


def test_the_last_programs_are_kept() -> None:
    bridge = Bridge()
    handles = [ask(bridge, "assemble", text=f"load_imm r1, {n}")["opened"]["handle"] for n in range(KEPT)]
    ask(bridge, "index", handle=handles[0])
    ask(bridge, "assemble", text="trap")
    ask(bridge, "index", handle=handles[0])
    assert refuse("index", bridge, handle=handles[1])["where"] == "handle"


def test_assembling() -> None:
    found = ask(Bridge(), "assemble", text="a: trap\nb: jump a", name="n")
    assert found["labels"] == [[0, "a"], [1, "b"]] and list(found["lines"]) == [0, 1, 1, 2]
    assert found["opened"]["name"] == "n" and found["errors"] == []
    wrong = ask(Bridge(), "assemble", text="trap\n  foo\n  add_64 r1")
    assert wrong["opened"] is None
    assert [(error["line"], error["column"]) for error in wrong["errors"]] == [(2, 3), (3, 12)]


def test_what_cannot_be_opened() -> None:
    assert refuse("open", data=b"")["message"] == "empty: a program has at least 3 bytes"
    assert "WebAssembly" in refuse("open", data=b"\0asm\1\0\0\0")["message"]
    assert refuse("open", data=b"dear all")["line"] == 1
    assert "no format fits" in refuse("open", data=b"\xff\xfe\0")["message"]
    assert refuse("open", data=b"x", format="standard")["message"].startswith("read-only data length")
    assert refuse("open", data=b"\xff", format="asm")["message"] == "not UTF-8 at byte 0"
    assert refuse("open", data=b"x", format="gif")["where"] == "format"
    assert refuse("open", data=b"trap", spec="1")["where"] == "spec"
    assert refuse("open", data="text")["where"] == "data"
    assert refuse("open")["where"] == "data"
    assert refuse("assemble", text=b"trap")["where"] == "text"


def test_polkavm_blobs() -> None:
    blob = assemble(".plain\n.code\necalli 0\nret\necalli 1").blob
    data = container(0, imports([b"say\x1b"]), exports([(0, b"speak"), (2, b"a\nb")]), code(blob))
    bridge = Bridge()
    found = ask(bridge, "open", data=data, name="guest.polkavm")
    assert (found["format"], found["data"]) == ("polkavm", data)
    assert found["entry_points"] == [{"pc": 0, "name": "speak"}, {"pc": 2, "name": "a\\nb"}]
    assert "Its instruction set is revive_v1." in found["notes"]
    assert found["imports"] == ["say\\x1b"] and opened(b"trap")["imports"] is None
    lines = ask(bridge, "lines", handle=found["handle"], first=0, count=9)
    assert [line["comment"] for line in lines] == ["say\\x1b", None, None]
    assert "opcodes of 0.8.0, not of 0.7.2" in refuse("open", data=container(3, code(blob)))["message"]
    assert ask(Bridge(), "open", data=container(3, code(blob)), spec="0.8.0")["spec"] == "0.8.0"
    odd = container(2, code(assemble(".plain\n.code\n.raw 0x02").blob))
    assert "1 memset, which 0.7.2 lacks: traps." in ask(Bridge(), "open", data=odd)["notes"]
    assert "PolkaVM blob: it has" in refuse("open", data=data[:-1])["message"]


def test_hexadecimal_text_and_other_files() -> None:
    data = assemble(".standard\n.code\ntrap").encode()
    assert ask(Bridge(), "open", data=f"0x{data.hex()}\n".encode())["data"] == data
    assert refuse("open", data=b"\x7fELF\2\1")["message"].startswith("this is an ELF file of 64 bits")
    said = "JSON, but no test vector: neither 'steps' nor 'expected-status' is there"
    assert refuse("open", data=b'{"initial-regs": []}')["message"] == said


def test_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pvm_web.bridge.values.MAX_FILE", 10)
    assert "longer than" in refuse("open", data=b"x" * 11)["message"]
    assert "longer than" in refuse("assemble", text="x" * 11)["message"]
    assert "longer than" not in refuse("open", data=b"x" * 10)["message"]
    assert "opened" in ask(Bridge(), "assemble", text="trap" + " " * 6)


def test_texts_that_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_module, "MAX_SOURCE", 4)
    ask(Bridge(), "assemble", text="trap")
    for error in (refuse("assemble", text="trap\n"), refuse("open", data=b"trap\n")):
        assert error["message"] == "5 characters of assembly: the page takes at most 4"


def test_programs_with_too_much_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_module, "MAX_CODE", 3)
    assert opened(b"trap\ntrap\ntrap")["code_length"] == 3
    assert refuse("open", data=b"trap\ntrap\ntrap\ntrap")["message"] == "4 bytes of code: the page takes at most 3"
    assert "at most 3" in refuse("open", data=TRACE.encode())["message"]
    assert "at most 3" in refuse("open", data=assemble("trap\n" * 4).encode())["message"]
    assert "at most 3" in refuse("assemble", text="trap\n" * 4)["message"]


def test_large_programs_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pvm_web.bridge.dispatch.KEPT_BYTES", 20)
    bridge = Bridge()
    handles = [ask(bridge, "assemble", text=f"load_imm r1, {n}")["opened"]["handle"] for n in range(4)]
    assert [("result" in bridge.call("index", {"handle": handle})) for handle in handles] == [False, False, True, True]
    large = ask(bridge, "assemble", text="trap\n" * 100)["opened"]["handle"]
    ask(bridge, "index", handle=large)


def test_traces() -> None:
    bridge = Bridge()
    found = ask(bridge, "open", data=TRACE.encode(), name="t")
    trace = found["trace"]
    assert found["data"] == parse_trace(TRACE).program and found["source"] is None
    assert trace["start"]["gas"] == Big(1000) and list(trace["start"]["registers"])[7] == 5
    assert [call["number"] for call in trace["calls"]] == [100, 100]
    assert trace["calls"][0]["set"] == [[7, Big((1 << 64) - 2)]] and trace["calls"][0]["set_gas"] is None
    assert trace["calls"][1]["line"] == 5
    assert (trace["end"]["reason"], trace["end"]["pc"]) == ("panic", 4)
    written = ask(bridge, "trace_text", handle=found["handle"], **trace)["text"]
    assert written == format_trace(parse_trace(TRACE))


def test_traces_that_are_none() -> None:
    assert "line 2" in refuse("open", data=TRACE.replace("gas=1000", "gas=x").encode())["message"]
    assert refuse("open", data=b"program 0x00\xff")["message"] == "not UTF-8 at byte 12"
    assert refuse("open", data=b"program 0x00\nstart pc=0 gas=1\nHALT pc=0 gas=1")["message"].startswith("program: ")
    assert "not an ecalli trace" in refuse("open", data=b"garbage", format="trace")["message"]


def test_recordings_that_cannot_be_written() -> None:
    bridge = Bridge()
    found = ask(bridge, "open", data=TRACE.encode())
    trace, handle = found["trace"], found["handle"]
    for change, where in (
        ({"end": {**trace["end"], "reason": "host-call"}}, "end"), ({"start": None}, "start"), ({"calls": 5}, "calls"),
        ({"calls": [{**trace["calls"][0], "registers": [1]}]}, "registers"),
        ({"calls": [{**trace["calls"][0], "set": [[1]]}]}, "set"),
        ({"memory": [{"address": 1 << 32, "data": b""}]}, "address"),
    ):  # fmt: skip
        assert refuse("trace_text", bridge, handle=handle, **{**trace, **change})["where"] == where
    for register in (13, 15):
        calls = [{**trace["calls"][0], "set": [[register, 1]]}]
        message = refuse("trace_text", bridge, handle=handle, **{**trace, "calls": calls})["message"]
        assert f"register {register}" in message
    calls = [{**trace["calls"][0], "set": [[12, 1]]}, *trace["calls"][1:]]
    text = ask(bridge, "trace_text", handle=handle, **{**trace, "calls": calls})["text"]
    assert parse_trace(text).calls[0].registers == ((12, 1),)


def test_arguments_are_recorded_as_memory() -> None:
    bridge = Bridge()
    found = ask(bridge, "open", data=example("hello").source.encode())
    start = {"pc": 0, "gas": Big(9), "registers": [0] * 13, "args": b"abc"}
    end = {"reason": "page-fault", "pc": 1.0, "gas": 5, "registers": [0] * 13}
    text = ask(bridge, "trace_text", handle=found["handle"], start=start, end=end)["text"]
    trace = parse_trace(text)
    assert trace.memory[0].data == b"abc" and trace.end.reason.value == "panic" and trace.end.state.pc == 1


def test_answers_of_the_guest_worker_s_log() -> None:
    bridge = Bridge()
    found = ask(bridge, "open", data=TRACE.encode())
    trace = found["trace"]
    answers = [
        {"registers": {"7": call["set"][0][1]} if call["set"] else {}, "writes": [], "gas": None, "end": None}
        for call in trace["calls"]
    ]
    answers[1] = {**answers[1], "writes": [{"address": 0x20000, "bytes": b"\1"}], "gas": 500}
    calls = [
        {"index": 0, "number": call["number"], "pc": call["pc"], "gas": call["gas"], "text": None,
         "registers": list(call["registers"]), "answer": answer}
        for call, answer in zip(trace["calls"], answers, strict=True)
    ]  # fmt: skip
    start = {**trace["start"], "memory": [{"address": 0x30000, "data": b"\2"}]}
    end = {**trace["end"], "address": None, "call": None}
    text = ask(bridge, "trace_text", handle=found["handle"], start=start, calls=calls, end=end)["text"]
    lines = TRACE.splitlines()
    lines[1:1] = ["memwrite 0x00030000 len=1 <- 0x02"]
    lines[-1:-1] = ["memwrite 0x00020000 len=1 <- 0x01", "setgas <- 500"]
    assert text.splitlines() == lines
    assert refuse("trace_text", bridge, handle=found["handle"], start=start, calls=calls)["where"] == "end"


def test_recorded_runs_of_services() -> None:
    folder = Path("../shared/traces/ecalli")
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    data = (folder / sorted(os.listdir(folder))[1]).read_bytes()
    bridge = Bridge()
    found = ask(bridge, "open", data=data)
    assert found["kind"] == "trace" and found["format"] == "jam" and len(found["entry_points"]) == 2
    text = ask(bridge, "trace_text", handle=found["handle"], **found["trace"])["text"]
    assert ask(bridge, "open", data=text.encode())["hash"] == found["hash"]


def test_labels_of_jump_targets_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_module, "KEPT_LABELS", 3)
    bridge = Bridge()
    program = assemble("\n".join(f"jump pc + {2 * (n % 2)}" for n in range(20)))
    found = ask(bridge, "index", handle=ask(bridge, "open", data=program.encode())["handle"])
    assert len(found["labels"]) == 3


PARAMS = st.dictionaries(
    st.sampled_from(["handle", "data", "text", "name", "pc", "gas", "args", "first", "count", "id", "left", "start"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=20)
    | st.lists(st.integers(), max_size=3) | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
METHODS = (
    "open", "assemble", "index", "lines", "explain", "image", "translate", "wat", "timeline", "shape", "trace_text",
    "lockstep_start", "lockstep_run", "lockstep_end", "nothing",
)  # fmt: skip


@given(st.sampled_from(METHODS), PARAMS, st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_request_has_a_result_or_a_plain_error(method: str, params: dict[str, Any], is_open: bool) -> None:
    bridge = Bridge()
    if is_open:
        params["handle"] = ask(bridge, "assemble", text="a: branch_eq r1, r2, a\ntrap")["opened"]["handle"]
    answer = bridge.call(method, params)
    assert len(answer) == 1
    if "error" in answer:
        assert "bug" not in answer["error"]["message"], answer
        assert answer["error"]["message"].isprintable()


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda data: b"program 0x" + data), st.sampled_from(
    ["auto", "jam", "standard", "plain", "asm", "trace"]))  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_any_file_is_opened_or_refused(data: bytes, format: str) -> None:
    bridge = Bridge()
    answer = bridge.call("open", {"data": data, "format": format})
    if "error" in answer:
        assert "bug" not in answer["error"]["message"], answer
        return
    handle = answer["result"]["handle"]
    for method in ("index", "image", "translate", "shape"):
        assert "result" in bridge.call(method, {"handle": handle}), method
    assert "result" in bridge.call("lines", {"handle": handle, "first": 0, "count": 100})


def test_bugs_are_reported_and_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr("pvm_web.bridge.dispatch.load", fail)
    assert Bridge().call("open", {})["error"] == {"message": "this is a bug of pvm: RuntimeError: first"}
    assert "an object is needed" in Bridge().call("open", None)["error"]["message"]


def test_test_vectors_open_as_what_they_are() -> None:
    vector = {
        "name": "add", "initial-regs": [0] * 7 + [1, 2, 0, 0, 0, 0], "initial-pc": 0, "initial-gas": 100,
        "initial-page-map": [{"address": 0x20000, "length": 4096, "is-writable": True}],
        "initial-memory": [{"address": 0x20000, "contents": [7]}],
        "program": [0, 0, 3, 200, 135, 9, 1], "expected-status": "panic", "expected-pc": 3, "expected-gas": 98,
        "expected-regs": [0] * 7 + [1, 2, 3, 0, 0, 0], "expected-memory": [],
    }  # fmt: skip
    bridge = Bridge()
    opened = bridge.call("open", {"name": "add.json", "data": json.dumps(vector).encode()})["result"]
    assert (opened["kind"], opened["format"]) == ("trace", "plain")
    assert opened["trace"]["end"]["reason"] == "panic" and opened["trace"]["calls"] == []
    image = bridge.call("image", {"handle": opened["handle"]})["result"]
    assert [(s["address"], s["length"], s["data"]) for s in image["segments"]] == [
        (0x20000, 4096, b""), (0x20000, 0, b"\7")]  # fmt: skip
    assert image["registers"][7] == 1
    wrong = bridge.call("open", {"name": "add.json", "data": b'{"expected-status": "panic"}'})
    assert "initial" in wrong["error"]["message"] or "program" in wrong["error"]["message"]


def test_a_trace_that_stops_in_the_middle_is_taken() -> None:
    text = (
        "program 0x0000050a640a640015\nstart pc=0 gas=1000 r07=0x5\necalli=100 pc=0 gas=999 r07=0x5\n"
        "setreg r07 <- 0x1\necalli=100 pc=2 gas=998 r07=0x1\nsetreg r07"
    )
    opened = Bridge().call("open", {"name": "cut.log", "data": text.encode()})["result"]
    assert len(opened["trace"]["calls"]) == 1 and opened["trace"]["end"]["reason"] == "host-call"
    assert "recorded up to call 1" in opened["notes"][0]
