"""The listing and explanations of the bridge against the program's own text."""

from __future__ import annotations

from typing import Any

import pytest

from pvm.examples import EXAMPLES
from pvm.isa import GP_072
from pvm.program import Blob, Program, assemble, block_starts, decode, pack_bitmask
from pvm_web.bridge import Big, Bridge
from pvm_web.bridge.listing import MOST_LINES


def ask(bridge: Bridge, method: str, **params: Any) -> Any:
    answer = bridge.call(method, params)
    assert list(answer) == ["result"], answer
    return answer["result"]


def opened(source: str) -> tuple[Bridge, str]:
    bridge = Bridge()
    return bridge, ask(bridge, "assemble", text=source)["opened"]["handle"]


@pytest.mark.parametrize("known", EXAMPLES, ids=lambda known: known.name)
def test_index_and_lines_of_examples(known: Any) -> None:
    bridge, handle = opened(known.source)
    program = assemble(known.source)
    index, instructions = ask(bridge, "index", handle=handle), list(decode(program.blob, GP_072))
    assert list(index["pcs"]) == [i.pc for i in instructions]
    starts = block_starts(program.blob, GP_072)
    assert list(index["block"]) == [i.pc in starts for i in instructions]
    names = dict(index["labels"])
    assert all(index["targets"][n] in (-1, *names) for n in range(len(instructions)))
    lines = ask(bridge, "lines", handle=handle, first=0, count=10_000)
    assert [line["pc"] for line in lines] == list(index["pcs"])
    assert "".join(line["octets"] for line in lines) == program.code.hex()
    assert all(line["label"] == names.get(line["pc"]) for line in lines)
    assert lines[3:5] == ask(bridge, "lines", handle=handle, first=3, count=2)


def test_texts_have_labels_and_comments() -> None:
    bridge, handle = opened("a: jump b\nb: jump pc + 3\necalli 100\nbranch_eq r1, r2, pc + 3\n.raw 0xff")
    lines = ask(bridge, "lines", handle=handle, first=0, count=9)
    assert [(line["text"], line["comment"]) for line in lines] == [
        ("jump b", None), ("jump 5", "panics: no block starts there"), ("ecalli 100", "log"),
        ("branch_eq r1, r2, l9", "panics: no block starts there"), ("trap", "opcode 255 is invalid: panics"),
    ]  # fmt: skip
    assert [line["label"] for line in lines] == ["a", "b", None, None, "l9"]


def test_windows_are_bounded() -> None:
    size = 3 * MOST_LINES
    program = Program(Blob(b"\1" * size, pack_bitmask(b"\1" * size)))
    bridge = Bridge()
    handle = ask(bridge, "open", data=program.encode())["handle"]
    assert len(ask(bridge, "lines", handle=handle, first=0, count=1 << 31)) == MOST_LINES
    assert ask(bridge, "lines", handle=handle, first=1 << 31, count=5) == []
    assert len(ask(bridge, "lines", handle=handle, first=size - 2, count=5)) == 2


def test_explanations() -> None:
    bridge, handle = opened("fallthrough\nload_ind_u32 r7, [r8 - 4]\nstore_u8 [0x20000], r7\ntrap")
    found = ask(bridge, "explain", handle=handle, pc=1)
    assert (found["name"], found["opcode"], found["gas"]) == ("load_ind_u32", 128, 1)
    assert found["meaning"] == ["r7' = u32[r8 + -4]"]
    assert found["operands"] == [
        {"name": "a", "value": Big(7)}, {"name": "b", "value": Big(8)}, {"name": "x", "value": Big(-4)}
    ]
    assert found["block"] == {"first_pc": 1, "end_pc": 10, "instructions": 3}
    memory = {"text": "u32[r8 + -4]", "register": None, "width": 4, "base": 8, "offset": Big((1 << 64) - 4)}
    assert found["reads"][1] == memory and found["writes"][0]["register"] == 7
    assert ask(bridge, "explain", handle=handle, pc=4)["writes"][0]["base"] is None


def test_any_pc_is_explained() -> None:
    bridge, handle = opened("load_imm_64 r1, 0x1111111111111111\ntrap")
    assert ask(bridge, "explain", handle=handle, pc=3)["block"] is None
    assert ask(bridge, "explain", handle=handle, pc=1000)["opcode"] is None
    assert "error" in bridge.call("explain", {"handle": handle, "pc": 1 << 32})


@pytest.mark.parametrize(("spec", "name"), [("0.7.2", "fetch"), ("0.8.0", "grow_heap")])
def test_host_calls_are_named_by_the_version(spec: str, name: str) -> None:
    bridge = Bridge()
    handle = ask(bridge, "assemble", text="ecalli 1\necalli 77\ntrap", spec=spec)["opened"]["handle"]
    lines = ask(bridge, "lines", handle=handle, first=0, count=3)
    assert [line["comment"] for line in lines] == [name, None, None]
    assert [ask(bridge, "explain", handle=handle, pc=pc)["call"] for pc in (0, 2, 4)] == [name, None, None]
