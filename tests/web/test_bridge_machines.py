"""Images, translations and their text: what hosts get is what the engines use."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import abi
from pvm.emit.interpreter import program_image
from pvm.emit.recompiler import recompile
from pvm.emit.recompiler.outline import outline_of
from pvm.emit.recompiler.outline_text import outline_text
from pvm.examples import example
from pvm.gas import Costs, block_costs
from pvm.gas.costs import block_at
from pvm.gas.pipeline import block_timeline
from pvm.gas.timeline_text import timeline_lines
from pvm.isa import GP_072, GP_080, Spec
from pvm.machine import start_of
from pvm.program import Blob, Program, assemble, pack_bitmask
from pvm.reference import ReferenceEngine
from pvm.trace import parse_trace, start_machine, start_of_trace
from pvm_web.bridge import Big, Bridge
from pvm_web.bridge.listing import text_of
from pvm_web.bridge.values import Params


def ask(bridge: Bridge, method: str, **params: Any) -> Any:
    answer = bridge.call(method, params)
    assert list(answer) == ["result"], answer
    return answer["result"]


@pytest.fixture
def hello() -> tuple[Bridge, str]:
    bridge = Bridge()
    return bridge, ask(bridge, "assemble", text=example("hello").source)["opened"]["handle"]


def test_an_image_has_all_that_a_host_needs(hello: tuple[Bridge, str]) -> None:
    bridge, handle = hello
    image = ask(bridge, "image", handle=handle, metering="block", args=b"JAM", gas=Big(77), pc=5)
    program = assemble(example("hello").source)
    place, start = program_image(program, GP_072, "block"), start_of(program, b"JAM", 77, 5, None)
    assert image["reserve"] == place.size
    assert [(write["address"], write["bytes"]) for write in image["writes"]] == list(place.pieces)
    assert list(image["registers"]) == list(start.registers)
    assert (image["gas"], image["pc"], image["valid"], image["gas_stays"]) == (Big(77), 5, True, False)
    assert [(s["address"], s["length"], s["access"], s["data"]) for s in image["segments"]] == [
        (s.address, s.length, s.access, s.data) for s in start.segments
    ]
    assert image["numbers"].pop("heap_end") == Big(start.heap_end)
    assert image["numbers"].pop("heap_limit") == Big(start.heap_limit)
    assert image["numbers"] == place.numbers and set(image["numbers"]) <= set(abi.STATE)


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"gas": -1}, "gas"), ({"gas": 1 << 64}, "gas"), ({"pc": 1 << 32}, "pc"), ({"pc": 0.5}, "pc"),
        ({"args": bytes((1 << 24) + 1)}, "args"), ({"args": "00"}, "args"), ({"metering": "x"}, "metering"),
    ],
)  # fmt: skip
def test_wrong_starts(hello: tuple[Bridge, str], params: dict[str, Any], where: str) -> None:
    bridge, handle = hello
    assert bridge.call("image", {"handle": handle, **params})["error"]["where"] == where


def test_a_plain_program_takes_no_arguments() -> None:
    bridge = Bridge()
    handle = ask(bridge, "assemble", text="trap")["opened"]["handle"]
    assert bridge.call("image", {"handle": handle, "args": b"x"})["error"]["where"] == "args"


def test_invalid_programs() -> None:
    bridge = Bridge()
    handle = ask(bridge, "assemble", text="add_64 r1, r2, r3", spec="0.8.0")["opened"]["handle"]
    image = ask(bridge, "image", handle=handle)
    assert image["valid"] is False and image["gas_stays"] is True
    assert "panics at once" in ask(bridge, "translate", handle=handle)["declined"]


TRACE = """\
program 0x{}
memwrite 0x00020000 len=3 <- 0x010203
start pc=2 gas=1000 r07=0x5
PANIC=0 pc=4 gas=997
"""


def test_the_image_of_a_recorded_run() -> None:
    for source in ("trap", ".standard stack=0\n.data\n.zero 5\n.code\ntrap"):
        program = assemble(source)
        text, bridge = TRACE.format(program.encode().hex()), Bridge()
        handle = ask(bridge, "open", data=text.encode())["handle"]
        image = ask(bridge, "image", handle=handle)
        assert (image["pc"], image["gas"], list(image["registers"])[7]) == (2, Big(1000), 5)
        last = image["segments"][-1]
        assert (last["name"], last["address"], last["data"]) == ("recorded", 0x20000, b"\1\2\3")
        assert last["length"] == (3 if program.sections is None else 0)
        assert ask(bridge, "image", handle=handle, gas=5, pc=0)["gas"] == Big(5)
        trace = parse_trace(text)
        machine, start = start_machine(trace, ReferenceEngine()), start_of_trace(trace, program)
        assert list(machine.registers) == list(start.registers) and machine.pc == start.pc
        assert machine.memory.read(0x20000, 4) == b"\1\2\3\0"


def test_translations(hello: tuple[Bridge, str]) -> None:
    bridge, handle = hello
    found = ask(bridge, "translate", handle=handle, metering="block")
    made = recompile(assemble(example("hello").source).blob, GP_072, "block", "software")
    assert (found["module"], found["jumps"]) == (made.module, made.jumps)
    assert list(found["entries"]) == [number for pair in made.entries.items() for number in pair]
    assert list(found["resumes"]) == [number for pair in made.resumes.items() for number in pair]


def test_translating_reports_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pvm_web.bridge.machines._EVERY", 0)
    bridge, reports = Bridge(), []
    handle = ask(bridge, "assemble", text="branch_eq r1, r2, pc + 0\n" * 2000)["opened"]["handle"]
    assert "result" in bridge.call("translate", {"handle": handle}, reports.append)
    fractions = [report["fraction"] for report in reports]
    assert len(fractions) > 5 and fractions == sorted(fractions) and 0 < fractions[0] < fractions[-1] < 1


def test_large_programs_are_declined() -> None:
    size = (1 << 18) + 1
    bridge = Bridge()
    handle = ask(bridge, "open", data=Program(Blob(b"\1" * size, pack_bitmask(b"\1" * size))).encode())["handle"]
    assert "262,144 instructions" in ask(bridge, "translate", handle=handle)["declined"]
    for method, params in (("wat", {"pc": 0}), ("shape", {})):
        assert "262,144 instructions" in bridge.call(method, {"handle": handle, **params})["error"]["message"]


def test_wat_and_shape(hello: tuple[Bridge, str]) -> None:
    bridge, handle = hello
    found = ask(bridge, "wat", handle=handle, metering="instruction", pc=20)
    assert found["text"].startswith("(func $region_0") and found["region"] == 0
    assert found["block"] == {"first_pc": 18, "end_pc": 31}
    lines = found["text"].splitlines()[found["first_line"] : found["end_line"]]
    assert any("i64.load8_u $guest" in line for line in lines)
    outline = outline_of(assemble(example("hello").source).blob, GP_072, "instruction", "software")
    assert ask(bridge, "shape", handle=handle)["text"] == outline_text(outline)
    assert "code ends" in bridge.call("wat", {"handle": handle, "pc": 10_000})["error"]["message"]


def test_both_versions(hello: tuple[Bridge, str]) -> None:
    bridge, _ = hello
    handle = ask(bridge, "assemble", text="trap", spec="0.8.0")["opened"]["handle"]
    image = ask(bridge, "image", handle=handle)
    assert [(w["address"], w["bytes"]) for w in image["writes"]] == list(
        program_image(assemble("trap", GP_080), GP_080, "pipeline").pieces
    )


def test_the_simulation_of_a_block(hello: tuple[Bridge, str]) -> None:
    """The lines are those of `pvm gas --block`, for any pc in the block."""
    bridge, handle = hello
    blob = bridge._find(Params({"handle": handle})).program.blob
    block = block_at(blob, GP_072, 0)
    found = ask(bridge, "timeline", handle=handle, pc=0)
    expected = timeline_lines(block_timeline(block, blob, GP_072), {one.pc: text_of(one) for one in block})
    assert found["lines"] == list(expected)
    assert str(found["decides"]) in found["lines"][found["marked"]].split()
    assert ask(bridge, "timeline", handle=handle, pc=block[-1].pc) == found
    assert "no instruction begins at pc 1" in bridge.call("timeline", {"handle": handle, "pc": 1})["error"]["message"]


def test_a_block_that_ends_at_an_undefined_opcode() -> None:
    bridge = Bridge()
    text = "load_imm r1, 1\n.raw 0xff\nload_imm r2, 2\ntrap"
    handle = ask(bridge, "assemble", text=text)["opened"]["handle"]
    assert [ask(bridge, "timeline", handle=handle, pc=pc)["first_pc"] for pc in (0, 3, 4, 7)] == [0, 0, 4, 4]
    handle = ask(bridge, "assemble", text="add_64 r1, r1, r1\n" * 3000 + "trap")["opened"]["handle"]
    message = bridge.call("timeline", {"handle": handle, "pc": 3})["error"]["message"]
    assert message == "a block of 3,001 instructions: more than 2,000 are not drawn"


def test_what_blocks_cost_is_asked_for_once_and_not_where_no_pipeline_is() -> None:
    asked = []

    def find_costs(program: Program, spec: Spec) -> Costs:
        asked.append(spec.name)
        return block_costs(program.blob, spec, "pipeline")

    bridge = Bridge(find_costs=find_costs)
    handle = ask(bridge, "assemble", text=example("sort").source, spec="0.8.0")["opened"]["handle"]
    alone = Bridge()
    ask(alone, "assemble", text=example("sort").source, spec="0.8.0")
    for metering in ("block", "pipeline"):
        asked.clear()
        for method in ("translate", "shape", "wat", "translate"):
            params = {"handle": handle, "metering": metering, **({"pc": 0} if method == "wat" else {})}
            assert ask(bridge, method, **params) == ask(alone, method, **params)
        assert asked == (["0.8.0"] if metering == "pipeline" else [])
