"""`pvm shape`. What is in the folder golden was written by the command itself: `pvm shape example:NAME > NAME.txt`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pvm.emit.recompiler import MAX_INSTRUCTIONS, recompile
from pvm.examples import example
from pvm.isa import GP_072
from pvm.program import Blob, Program, assemble, pack_bitmask

GOLDEN = Path(__file__).parent / "golden"
README = Path(__file__).parents[3] / "pvm" / "README.md"


def without_sizes(text):
    """Any change of the generated code changes them."""
    return re.sub(r"[\d,]+(?= bytes of)|(?<=bytes )\d[\d,]*", "N", text)


@pytest.mark.parametrize("name", ["hello", "sort", "matrix"])
def test_examples_are_shown_as_they_were(pvm, name):
    result = pvm("shape", f"example:{name}")
    assert (result.status, result.stderr) == (0, "")
    assert without_sizes(result.text) == without_sizes((GOLDEN / f"{name}.txt").read_text())


def test_the_document_shows_what_is_printed(pvm):
    [block] = re.findall(r"```text\n(region 0: .*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert without_sizes(block) == without_sizes(pvm("shape", "example:hello", "--region", 0).text)


def test_sizes_are_those_of_the_module(pvm):
    found = json.loads(pvm("shape", "example:life", "--json", "--summary").text)
    module = recompile(assemble(example("life").source).blob, GP_072, "instruction", "hardware").module
    assert 0 < len(module) - sum(region["bytes"] for region in found["regions"]) < 500


def test_summary_and_one_region(pvm):
    source = b"fallthrough\n" * 400 + b"trap"
    options = ("-", "--format", "asm")
    whole = pvm("shape", *options, stdin=source).text.splitlines()
    summary = pvm("shape", *options, "--summary", stdin=source).text.splitlines()
    assert [line for line in whole if line.startswith("region ")] == summary[-2:]
    assert set(summary) <= set(whole) and not [line for line in summary if line.startswith(" ")]
    one = pvm("shape", *options, "--region", "0x1", stdin=source).text.splitlines()
    assert one == whole[whole.index(one[0]) :]
    assert pvm("shape", *options, "--region", 1, "--summary", stdin=source).text.splitlines() == one[:1]


def test_options_change_what_is_made(pvm):
    assert "gas by block, memory protected by software" in pvm(
        "shape", "example:sort", "--metering", "block", "--protection", "software"
    ).text
    assert "spec 0.8.0" in pvm("shape", "example:sort", "--spec", "0.8.0").text
    result = pvm("shape", "-", "--format", "asm", "--spec", "0.8.0", stdin=b"load_imm r1, 1")
    assert result.status == 0 and "end of the code" in result.text
    assert "standard input: never used, because in 0.8.0 the program panics at once: the last" in result.stderr


def test_json(pvm):
    found = json.loads(pvm("shape", "example:hello", "--json").text)
    regions = found.pop("regions")
    assert found == {
        "format": "standard", "spec": "0.7.2", "metering": "instruction", "protection": "hardware",
        "instructions": 21, "blocks": 5, "region_count": 1,
    }  # fmt: skip
    [region] = regions
    blocks = region.pop("blocks")
    assert region.pop("bytes") > 100
    assert region == {
        "number": 0, "pc": 0, "last_pc": 68, "first_block": 0, "last_block": 4, "instructions": 22, "entries": 3,
        "crossings": 0, "backwards": 0, "checkpoints": 1,
        "loops": [{"header": 1, "last": 1, "structured": True, "obstacle": None, "checkpoint": None}],
    }  # fmt: skip
    assert blocks[1] == {
        "number": 1, "pc": 18, "label": "l18", "instructions": 5, "follows": "block", "gas": 5, "needs": 16,
        "entry": 1, "entered_by": ["loop"], "checkpoints": [], "checks": True,
        "end": {
            "kind": "branch", "instruction": "branch_ne r7, r2, l18",
            "jump": {"block": 1, "region": 0, "way": "back"},
            "falls": {"block": 2, "region": 0, "way": "falls"}, "host_call": None,
        },
    }  # fmt: skip
    assert blocks[2]["end"]["host_call"] == 100 and blocks[2]["label"] == "l31" and blocks[3]["label"] is None
    assert "blocks" not in json.loads(pvm("shape", "example:hello", "--json", "--summary").text)["regions"][0]
    [sort] = json.loads(pvm("shape", "example:sort", "--json").text)["regions"]
    assert sort["loops"][1]["obstacle"] == {"block": 4, "reason": "entered by the jump table"}


def test_shape_refuses_bad_input(bad_input, tmp_path):
    bad_input(("shape", tmp_path / "missing"), "no such file")
    bad_input(("shape", tmp_path), "is a directory")
    bad_input(("shape", "-", "--format", "plain"), "standard input: ", stdin=b"\0\0")
    bad_input(("shape", "example:nothing"), "example:nothing: ")
    bad_input(("shape", "example:hello", "--region", 1), "--region: no region 1: the program's are 0 to 0")
    bad_input(("shape", "example:hello", "--region", "-1"), "--region: ")
    bad_input(("shape", "example:hello", "--protection", "auto"), "--protection: ")
    bad_input(("shape",), "PROGRAM: missing")


@pytest.mark.parametrize(
    "command", [("shape",), ("shape", "--json"), ("shape", "--region", 0), ("wat",), ("wat", "--region", 0)]
)
def test_what_is_never_translated_is_not_made_to_be_shown(bad_input, command):
    size = MAX_INSTRUCTIONS + 1
    program = Program(Blob(b"\1" * size, pack_bitmask(b"\1" * size))).encode()
    bad_input((*command, "-"), "standard input: the recompiler leaves it to the interpreter: more than", stdin=program)
