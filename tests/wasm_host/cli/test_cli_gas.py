"""`pvm gas`: blocks with their costs, the simulation of one, and what is said where none begins."""

from __future__ import annotations

import json

import pytest

SOURCE = ".code\nload_u8 r7, [0x20000]\nadd_64 r8, r7, r7\nbranch_eq r7, r8, 0\nfallthrough\ntrap\n"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "small.pvmasm"
    path.write_text(SOURCE)
    return str(path)


def test_blocks(pvm, source):
    done = pvm("gas", source, "--json")
    assert done.status == 0
    found = json.loads(done.text)
    assert (found["spec"], found["model"]) == ("0.8.0", "pipeline")
    assert [(block["pc"], block["instructions"], block["cost"]) for block in found["blocks"]] == [
        (0, 3, 46), (14, 1, 2), (15, 1, 2), (16, 1, 2),
    ]  # fmt: skip
    assert found["blocks"][0]["decided_by"] == 8


def test_the_dearest_first_and_no_more_than_asked(pvm, source):
    done = pvm("gas", source, "--hot", "--limit", "1")
    assert "46" in done.text and "branch_eq" in done.text
    assert "There are more blocks than these 1" in done.text


def test_a_block_is_drawn(pvm, source):
    done = pvm("gas", source, "--block", "0")
    lines = done.text.splitlines()
    assert lines[2].startswith("0  load_u8 r7, [0x20000]")
    assert lines[2].endswith("D" + "=" * 26 + "-R")
    assert "46 gas" in done.text
    found = json.loads(pvm("gas", source, "--block", "0", "--json").text)
    assert [row["decoded"] for row in found["timeline"]] == [0, 0, 0]


@pytest.mark.parametrize(
    ("pc", "message"),
    [
        ("9", "--block: no block begins at pc 9: it lies in the one of pc 0"),
        ("99", "--block: no block begins at pc 99: the code ends at pc 16"),
    ],
)
def test_pcs_at_which_no_block_begins(pvm, source, pc, message):
    done = pvm("gas", source, "--block", pc)
    assert (done.status, done.stderr.strip()) == (2, f"pvm: error: {message}")


def test_a_program_that_0_8_0_refuses_is_called_that(pvm):
    done = pvm("gas", "-", "--format", "asm", stdin=b"load_imm r1, 1")
    assert done.status == 0
    assert "does not end a block" in done.stderr
