"""Recent history against the public vectors."""

from __future__ import annotations

from dataclasses import dataclass

from pvm.jam.history import (
    ZERO_HASH,
    accumulation_root,
    append_peak,
    balanced_root,
    next_history,
    super_peak,
    with_parent_root,
)
from pvm.jam.types import Hash, Mmr, RecentBlocks, ReportedWorkPackage
from tests.pvm.jam.stf import NOTHING, cases, keccak


@dataclass(frozen=True)
class State:
    beta: RecentBlocks


@dataclass(frozen=True)
class Input:
    header_hash: Hash
    parent_state_root: Hash
    accumulate_root: Hash
    work_packages: tuple[ReportedWorkPackage, ...]


def test_vectors_of_history() -> None:
    seen = 0
    for case in cases("history", Input, State, NOTHING):
        given = case.input
        after = next_history(
            with_parent_root(case.before.beta, given.parent_state_root), given.header_hash, given.accumulate_root,
            given.work_packages, case.constants.recent_history, keccak,
        )  # fmt: skip
        assert after == case.after.beta, case.name
        seen += 1
    assert seen == 8


def test_no_outputs_have_the_zero_hash() -> None:
    assert accumulation_root([], keccak) == ZERO_HASH
    assert accumulation_root([(1, b"\1" * 32)], keccak) == keccak(b"\1\0\0\0" + b"\1" * 32)


def test_a_balanced_tree_is_heavier_on_the_left() -> None:
    def join(data: bytes) -> bytes:
        return b"(" + data.removeprefix(b"node") + b")"

    assert balanced_root([b"a", b"b", b"c"], join) == b"((ab)c)"


def test_peaks_are_a_binary_counter() -> None:
    def join(data: bytes) -> bytes:
        return b"(" + data.removeprefix(b"peak") + b")"

    peaks: tuple[bytes | None, ...] = ()
    assert super_peak(peaks, join) == ZERO_HASH
    for leaf in b"abcdefg":
        peaks = append_peak(peaks, bytes((leaf,)), join)
    assert peaks == (b"g", b"(ef)", b"((ab)(cd))")
    assert append_peak(peaks, b"h", join) == (None, None, None, b"(((ab)(cd))((ef)(gh)))")
    assert super_peak(peaks, join) == b"((g(ef))((ab)(cd)))"


def test_no_history_has_no_parent_to_correct() -> None:
    empty = RecentBlocks(history=(), mmr=Mmr(peaks=()))
    assert with_parent_root(empty, b"\1" * 32) is empty
