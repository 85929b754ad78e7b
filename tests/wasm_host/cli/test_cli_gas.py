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


def test_a_run_is_priced(pvm):
    found = json.loads(pvm("gas", "example:fibonacci", "--run", "--args", "0a", "--json").text)["run"]
    assert (found["reason"], found["result"]) == ("halt", (55).to_bytes(8, "little").hex())
    spent = json.loads(pvm("run", "example:fibonacci", "--args", "0a", "--spec", "0.8.0", "--json").text)
    assert found["gas_used"] == spent["gas_used"] > 0
    short = pvm("gas", "example:fibonacci", "--run", "--gas", "10")
    assert short.status == 1 and "out-of-gas at pc" in short.text


def test_blocks_of_a_run_add_up_to_it(pvm):
    found = json.loads(pvm("gas", "example:fibonacci", "--run", "--args", "0a", "--hot", "--json").text)
    taken = [one["run_gas"] for one in found["blocks"]]
    assert sum(taken) == found["run"]["gas_used"] and taken == sorted(taken, reverse=True)
    assert all(one["run_gas"] == one["cost"] * one["executions"] for one in found["blocks"])


def test_a_block_that_is_entered_in_its_middle_and_a_call_are_paid_for_once(pvm, tmp_path):
    (tmp_path / "a.pvmasm").write_text(".code\nload_imm r1, 1\nload_imm r2, 2\necalli 100\ntrap\n")
    found = json.loads(pvm("gas", tmp_path / "a.pvmasm", "--run", "--pc", "3", "--json").text)
    block, end = found["blocks"]
    assert end["executions"] == 0  # the implicit trap
    assert (block["executions"], block["run_gas"]) == (1, block["cost"])
    text = pvm("gas", tmp_path / "a.pvmasm", "--run", "--pc", "3").text
    assert f"The run takes {found['run']['gas_used']} gas, {block['cost']} of that for blocks: panic at pc" in text


def test_two_builds_are_compared(pvm, tmp_path):
    first, second = tmp_path / "first.pvmasm", tmp_path / "second.pvmasm"
    head, tail = "load_imm r1, 1\njump end\n", "end: load_imm r3, 3\ntrap\n"
    first.write_text(f".code\n{head}load_imm r2, 2\nfallthrough\n{tail}")
    second.write_text(f".code\n{head}div_u_64 r2, r2, r1\nfallthrough\nmul_64 r2, r2, r1\nfallthrough\n{tail}")
    found = json.loads(pvm("gas", first, second, "--run", "--json").text)
    assert (found["same"], found["changed"], found["total"]) == (3, 2, {"first": 21, "second": 82})
    assert [(one["first"] and one["first"]["cost"], one["second"]["cost"]) for one in found["blocks"]] == [
        (2, 60), (None, 3),
    ]  # fmt: skip
    assert found["run"]["first"]["gas_used"] == found["run"]["second"]["gas_used"] == 17
    assert found["run"]["blocks"] == []  # those that differ are jumped over
    other = tmp_path / "other.pvmasm"
    other.write_text(first.read_text().replace("jump end", "fallthrough"))
    found = json.loads(pvm("gas", first, other, "--run", "--json").text)["run"]
    assert found["second"]["gas_used"] - found["first"]["gas_used"] == sum(one["difference"] for one in found["blocks"])
    assert {(one["first"]["executions"], one["second"]["executions"]) for one in found["blocks"]} >= {(0, 1)}
    assert "In the run, where it took another amount of gas:" in pvm("gas", first, other, "--run", "--hot").text
    text = pvm("gas", first, second).text
    assert "The same: 3 blocks; not: 2 blocks." in text and "+61" in text
    text = pvm("gas", second, second).text
    assert "The same: 5 blocks; not: 0 blocks. All of them once: 82 gas, then 82 (+0)." in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--block", "0", "--run"), "--block: it draws a block of one program"),
        (("--args", "00"), "--args: it is for --run, which is missing"),
    ],
)
def test_options_that_do_not_go_together(bad_input, source, words, message):
    bad_input(("gas", source, *words), message)


def test_a_block_that_is_too_large_to_draw(bad_input, tmp_path):
    path = tmp_path / "large.pvmasm"
    path.write_text(".code\n" + "add_64 r1, r1, r1\n" * 3000 + "trap\n")
    bad_input(("gas", path, "--block", "0"), "--block: a block of 3,001 instructions")
    path.write_text(".code\n" + "div_u_64 r1, r1, r2\n" * 1500 + "trap\n")
    bad_input(("gas", path, "--block", "0"), "instructions that take", "too many to be drawn")
