"""Files of the chain's data as JSON: what they are is found out, and parts are selected."""

from __future__ import annotations

import json

import pytest

from pvm.errors import CodecError, InputError
from pvm.jam.constants import TINY
from pvm.jam.steps import read_genesis, read_step
from pvm.jam.view import select, view
from tests.pvm.jam.archives import members


def file(name: str) -> bytes:
    return next(data for path, data in members("blocks/safrole", f"/{name}"))


def test_kinds_are_found_out() -> None:
    step, genesis = file("00000012.bin"), file("genesis.bin")
    parts = read_step(step, TINY)
    for data, kind in (
        (step, "step"), (genesis, "genesis"), (parts.block, "block"), (read_genesis(genesis, TINY).header, "header"),
        (parts.before.octets, "state"),
    ):  # fmt: skip
        assert view(data, TINY)[0] == kind
    reports = dict(members("codec/codec", "work_report.bin"))
    assert view(reports["codec/tiny/work_report.bin"], TINY)[0] == "report"
    with pytest.raises(CodecError, match="none of step, genesis"):
        view(b"nothing", TINY)
    with pytest.raises(CodecError):
        view(step, TINY, "block")


def test_a_step_is_what_its_public_json_says() -> None:
    """Of the block; states there are raw keys and values."""
    found = dict(members("blocks/json-examples", "safrole/00000012.json"))
    expected = json.loads(found["safrole/00000012.json"])
    value = view(file("00000012.bin"), TINY)[1]
    assert select(value, "block.header") == expected["block"]["header"]
    assert select(value, "block.extrinsic") == expected["block"]["extrinsic"]
    assert select(value, "before.root") == expected["pre_state"]["state_root"]


def test_parts() -> None:
    value = view(file("00000012.bin"), TINY)[1]
    assert select(value, "after.tau") == 12
    assert select(value, "after.eta[3]") == select(value, "after.eta.3") == value["after"]["eta"][3]
    assert select(value, "") is value
    wrong = {"after.nu": "there is root, alpha", "after.eta[4]": "4 items", "after.tau.x": "nothing within"}
    for path, said in wrong.items():
        with pytest.raises(InputError, match=said):
            select(value, path)


def test_a_state_with_nonsense_is_shown_as_octets() -> None:
    value = view(b"\1" + bytes([11]) + bytes(30) + b"\2\7\7", TINY, "state")[1]
    assert value["tau"] == "0x0707"
