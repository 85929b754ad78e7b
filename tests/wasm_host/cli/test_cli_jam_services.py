"""`pvm jam refine` and `pvm jam accumulate`."""

from __future__ import annotations

import json

import pytest

STORE = "example:key_value"


def test_an_item_is_refined(pvm, tmp_path):
    found = pvm("jam", "refine", STORE, "--payload", "01010061ff", "--record", tmp_path / "run.log")
    assert found.status == 0 and "run.log: " in found.stderr
    assert found.text.splitlines() == ["service 65536: refine: halted, 70 gas used", "output: 0x01010061ff"]
    assert pvm("replay", tmp_path / "run.log").status == 0
    report = json.loads(pvm("jam", "refine", STORE, "--payload", "text:\x01\x01\x00ab", "--json").text)
    assert report["result"] == "0101006162" and report["error"] is None and report["gas_used"] == 70
    assert report["run"]["host_calls"] == 1 and report["run"]["exit"] == "halt"


def test_a_failure_is_shown(pvm):
    found = pvm("jam", "refine", STORE, "--payload", "05", "--tier", "reference")
    assert found.status == 1
    lines = found.text.splitlines()
    assert lines[0].startswith("service 65536: refine: panic, ") and lines[-1] == "error: panic"
    assert lines[2] == "key_value.pvmasm:59: trap"
    report = json.loads(pvm("jam", "refine", STORE, "--gas", "20", "--json").text)
    assert report["error"] == "out_of_gas" and report["run"]["failed"] and report["result"] is None


def test_items_are_accumulated(pvm, tmp_path):
    out, record = tmp_path / "after.json", tmp_path / "runs.log"
    found = pvm("jam", "accumulate", STORE, "--payload", "01010061ff", "--item", "01020062aabb", "--out", out,
                "--record", record)  # fmt: skip
    assert found.status == 0
    assert found.text.splitlines()[0].startswith("service 65536: accumulate at slot 100: halted, ")
    assert "service 65536: storage 'b': None -> 0xaabb" in found.text.splitlines()
    assert pvm("replay", record).status == 0
    again = pvm("jam", "accumulate", "65536", "--state", out, "--item", "01000062", "--slot", 200, "--json")
    report = json.loads(again.text)
    changes = {change["what"]: (change["before"], change["after"]) for change in report["changes"]}
    assert again.status == 0 and changes["storage 'b'"] == ("aabb", None) and report["accumulated"] == 1
    assert changes["accumulated"][1] == 200
    assert report["runs"][0]["service"] == 65536 and not report["runs"][0]["failed"]


def test_transfers_are_accumulated(pvm, tmp_path):
    (tmp_path / "sent.json").write_text('[{"to": 65536, "amount": 5, "memo": "hi"}]')
    found = pvm("jam", "accumulate", STORE, "--transfers", tmp_path / "sent.json")
    assert found.status == 0 and found.text.splitlines()[0] == "info [key_value]: received a transfer"
    assert "service 65536: balance: 1000000000 -> 1000000005" in found.text


def test_a_world_has_other_services(pvm, tmp_path):
    (tmp_path / "world.json").write_text(json.dumps({"services": {"9": {"code": "0x006e6f6e73"}, "10": {}}}))
    found = pvm("jam", "accumulate", "9", "--state", tmp_path / "world.json")
    assert found.status == 1 and "is no standard program" in found.text
    found = pvm("jam", "refine", "10", "--state", tmp_path / "world.json")
    assert found.status == 1 and found.text.splitlines()[-1] == "error: bad"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("refine", "missing.jam"), "missing.jam: cannot be read"), (("refine", "example:x"), "unknown service 'x'"),
        (("refine", STORE, "--payload", "0"), "--payload: 1 hexadecimal digits"),
        (("refine", STORE, "--import", "@missing"), "--import: missing: cannot be read"),
        (("accumulate", "5", "--state", "{tmp}/world.json"), "service 5: there is none in"),
        (("accumulate", "5", "--state", "{tmp}/bad.json"), "bad.json: slot: a number"),
        (("accumulate", STORE, "--transfers", "{tmp}/bad.json"), "bad.json: transfers: a list is needed"),
        (("accumulate", STORE, "--transfers", "{tmp}/text.json"), "text.json: no JSON"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(pvm, tmp_path, words, message):
    (tmp_path / "world.json").write_text("{}")
    (tmp_path / "bad.json").write_text('{"slot": "x"}')
    (tmp_path / "text.json").write_text("nonsense")
    found = pvm("jam", *(str(word).replace("{tmp}", str(tmp_path)) for word in words))
    assert found.status == 2 and message in found.stderr and len(found.stderr.splitlines()) == 1


def test_a_payload_that_is_too_large(pvm, tmp_path):
    (tmp_path / "payload").write_bytes(bytes(17_000_000))
    found = pvm("jam", "refine", STORE, "--payload", f"@{tmp_path / 'payload'}")
    assert found.status == 1 and "its arguments are too long" in found.text
