"""The corner families reach what they are for, as the second reading of the paper sees it."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from pvm.fuzz import CORNERS, Case, corner_case, transcript
from tests.second_reading.code import Code, deblob
from tests.second_reading.engine import second_engine
from tests.second_reading.operands import operands

SEEDS = range(300)


@cache
def cases(family: str) -> list[tuple[Case, Code]]:
    found = []
    for seed in SEEDS:
        case = corner_case(family, seed)
        code = deblob(case.program, case.spec)
        assert code is not None, f"{family} {seed} is no program"
        found.append((case, code))
    return found


@pytest.mark.parametrize("family", CORNERS)
def test_both_versions_and_meterings_and_entries_anywhere(family: str) -> None:
    assert {(case.spec, case.metering) for case, _ in cases(family)} == {
        (spec, metering) for spec in ("0.7.2", "0.8.0") for metering in ("instruction", "block")
    }
    assert sum(case.pc not in (0, *code.block_starts) for case, code in cases(family)) > 50
    assert sum(code.whole_is_valid for case, code in cases(family) if case.spec == "0.8.0") > 40


@pytest.mark.parametrize("family", CORNERS)
def test_programs_end_in_every_way(family: str) -> None:
    ends: Counter[str] = Counter()
    for case, _ in cases(family):
        ends.update(seen.exit.reason.value for seen in transcript(case, second_engine(case)) if seen.exit is not None)
    assert {"halt", "panic", "out-of-gas", "page-fault", "host-call"} <= set(ends), ends


def test_bitmasks_that_disagree_with_the_code() -> None:
    codes = [code for _, code in cases("marks")]
    runs = ["".join(" #"[mark] for mark in code.marks) for code in codes]
    lengths = {len(run) for marks in runs for run in marks.split("#")}
    assert {23, 24, 25} <= lengths and max(lengths) > 48
    assert sum(not code.marks[0] for code in codes) > 10
    unmarked = Counter(code.octets[n] for code in codes for n, mark in enumerate(code.marks) if not mark)
    assert unmarked[10] > 50  # host calls that are not marked, or lie where nothing runs


def test_undefined_opcodes() -> None:
    undefined = {
        (case.spec, code.octets[n])
        for case, code in cases("opcodes")
        for n, mark in enumerate(code.marks)
        if mark and code.defined(n) is None
    }
    assert len(undefined) > 40 and {("0.7.2", 2), ("0.8.0", 111)} <= undefined


def test_odd_targets() -> None:
    kinds: Counter[str] = Counter()
    for _, code in cases("targets"):
        for n in range(len(code.octets)):
            name = code.opcode(n)
            if name.startswith("branch") or name in ("jump", "load_imm_jump"):
                given = operands(code, n)
                target = given.y if name.endswith("imm") or name == "load_imm_jump" else given.x
                assert target is not None
                kinds[_kind(code, target)] += 1
    assert all(kinds[kind] > 20 for kind in ("start", "below", "end", "beyond", "unmarked", "no start")), kinds


def _kind(code: Code, target: int) -> str:
    if target in code.block_starts:
        return "start"
    if target < 0:
        return "below"
    if target >= len(code.octets):
        return "end" if target == len(code.octets) else "beyond"
    return "no start" if code.marks[target] else "unmarked"


def test_odd_jump_tables() -> None:
    tables = [code.table for _, code in cases("tables")]
    assert len({table.width for table in tables}) > 20 and {0, 255} <= {table.width for table in tables}
    assert max(table.count for table in tables) == (1 << 64) - 1
    starts = large = 0
    for _, code in cases("tables"):
        for entry in (code.table.entry(number) for number in range(min(20, code.table.count))):
            starts += entry in code.block_starts
            large += entry >= 1 << 64
    assert starts > 100 and large > 50
