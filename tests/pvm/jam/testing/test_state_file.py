"""Worlds as files: what is read, written back, and refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pvm.errors import InputError
from pvm.examples.services import service_source
from pvm.jam.testing import World
from pvm.jam.testing.state_file import read_transfers, read_world, world_as_dict
from pvm.reference import ReferenceEngine

HASH = "0x" + "11" * 32


def read(data: Any, folder: Path | None = None) -> World:
    return read_world(data if isinstance(data, str) else json.dumps(data), ReferenceEngine, folder)


def test_a_whole_world(tmp_path: Path) -> None:
    (tmp_path / "store.pvmasm").write_text(service_source("key_value"))
    world = read(
        {
            "slot": 300, "entropy": HASH, "parameters": "tiny",
            "privileges": {"manager": 7, "assigners": [1, 2], "always": {"7": 5000}},
            "services": {
                "7": {
                    "code": "store.pvmasm", "balance": 5_000_000, "storage": {"key": "value", "0x6b32": "0x00ff"},
                    "preimages": ["0x00", "text"], "gratis": 5,
                    "requests": [{"hash": HASH, "length": 4, "slots": [1, 2]}],
                },
                "8": {"balance": 1000, "code_hash": HASH},
            },
        },
        tmp_path,
    )  # fmt: skip
    seven = world.service(7)
    assert dict(seven.storage) == {b"key": b"value", b"k2": b"\0\xff"}
    assert seven.request(bytes([0x11]) * 32, 4) == (1, 2) and seven.account.items == 2 + 2 * 4
    assert world.service(8).account.code_hash == bytes([0x11]) * 32
    assert (world.slot, world.privileges.manager, world.privileges.always) == (300, 7, {7: 5000})
    again = read(world_as_dict(world))
    assert again.accounts.changes() == world.accounts.changes()
    assert (again.privileges, again.slot, again.entropy) == (world.privileges, 300, bytes([0x11]) * 32)


def test_an_empty_world() -> None:
    assert read("{}").services == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nonsense", "no JSON: Expecting value in line 1"), ("[" * 100_000, "no JSON"), ("[]", "world: an object"),
        ('{"slot": ' + "1" * 5000 + "}", "no JSON|slot: a number"), ({"slots": 1}, "unknown field 'slots'"),
        ({"slot": -1}, r"slot: a number from 0 to 2\^32 - 1"), ({"slot": True}, "slot"), ({"slot": 1.5}, "slot"),
        ({"entropy": "0x00"}, "entropy: 32 octets are needed, not 1"), ({"entropy": "0xzz"}, "entropy: no hexadecimal"),
        ({"parameters": "huge"}, "parameters: unknown parameters 'huge'"), ({"parameters": 5}, "parameters: text"),
        ({"spec": "0.9"}, "spec: "), ({"privileges": {"assigners": [1]}}, "privileges.assigners: 1, but there are 2"),
        ({"privileges": {"king": 1}}, "privileges: unknown field 'king'"),
        ({"privileges": {"always": {"x": 1}}}, "privileges.always: 'x' is no service's number"),
        ({"services": {"x": {}}}, "services: 'x' is no service's number"), ({"services": []}, "services: an object"),
        ({"services": {"7": {"colour": 1}}}, "services.7: unknown field 'colour'"),
        ({"services": {"7": {"code": "missing.jam"}}}, "services.7: missing.jam: cannot be read"),
        ({"services": {"7": {"code": 5}}}, "services.7.code: text"),
        ({"services": {"7": {"balance": 5}}}, "services.7: service 7: a balance of 5"),
        ({"services": {"4294967296": {}}}, "services.4294967296: service 4294967296: no number"),
        ({"services": {"7": {"storage": {"a": 5}}}}, "services.7.storage.a: text"),
        ({"services": {"7": {"preimages": ["0x0"]}}}, r"services.7.preimages\[0\]: no hexadecimal"),
        ({"services": {"7": {"requests": [{}]}}}, r"services.7.requests\[0\]: it has no 'hash'"),
        ({"services": {"7": {"requests": [{"hash": HASH, "slots": [1, 2, 3, 4]}]}}}, "slots: 4, but"),
        ({"services": {"7": {"requests": [{"hash": HASH, "length": 1 << 32}]}}}, "length: a number"),
        ({"services": {"7": {"balance": 1 << 64}}}, "services.7.balance: a number from 0 to 2.64 - 1"),
    ],
)  # fmt: skip
def test_what_is_refused(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(data)
    assert len(str(caught.value).splitlines()) == 1


def test_transfers() -> None:
    [sent] = read_transfers([{"to": 5, "memo": "hi"}], "transfers")
    assert (sent.source, sent.to, sent.amount, sent.gas, sent.memo[:3]) == (0, 5, 0, 10_000_000, b"hi\0")
    for wrong, message in [
        ({}, "transfers: a list"), ([{}], r"transfers\[0\]: it has no 'to'"), ([{"to": 1 << 32}], "to: a number"),
        ([{"to": 1, "memo": "x" * 129}], "memo: 129 octets, but a memo has 128"), ([{"too": 1}], "unknown field 'too'"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=message):
            read_transfers(wrong, "transfers")
