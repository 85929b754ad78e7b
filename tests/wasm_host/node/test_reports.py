"""Short chains in which implementations disagreed: every state's root, and every refused block for its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from pvm.errors import BlockError
from pvm.jam.chain import Chain
from pvm.jam.constants import TINY
from pvm.jam.state import state_of
from pvm.jam.steps import Step, read_step
from pvm.jam.transition import Host
from tests.pvm.jam.archives import DATA, members
from tests.pvm.jam.traces import native_crypto
from wasm_host.engine import Engine

# One folder, 1766244251_1244_partial, lacks its last step, and counts none the less.
VALID = 183
REFUSED = {
    "future_report_slot": 53, "bad_author_index": 18, "bad_epoch_mark": 14, "bad_slot": 12, "wrong_author": 12,
    "not_sorted_or_unique_assurers": 11, "too_many_dependencies": 10, "bad_ticket_proof": 8,
    "report_epoch_before_last": 4, "not_sorted_or_unique_guarantors": 5, "bad_state_root": 5, "preimage_unneeded": 4,
    "bad_code_hash": 4, "preimages_not_sorted_unique": 3, "bad_ticket_attempt": 3, "bad_offenders_mark": 3,
    "out_of_order_guarantee": 2, "missing_work_results": 2, "bad_validator_index": 1, "bad_tickets_mark": 1,
    "bad_seal": 1,
}  # fmt: skip


def folders() -> Iterator[tuple[str, list[tuple[str, Step]]]]:
    archives = sorted(path.name.removesuffix(".tar.xz") for path in (DATA / "reports").glob("*.tar.xz"))
    if not archives:
        pytest.skip(f"no public JAM data at {DATA / 'reports'}")
    for archive in archives:
        files: dict[str, dict[str, bytes]] = {}
        for name, data in members(f"reports/{archive}", ".bin"):
            folder, _, file = name.rpartition("/")
            files.setdefault(folder, {})[file] = data
        for folder, found in files.items():
            found.pop("genesis.bin", None)
            yield folder, [(name, read_step(found[name], TINY)) for name in sorted(found)]


def test_reports_of_the_field() -> None:
    host = Host(TINY, native_crypto(), Engine())
    reasons: Counter[str] = Counter()
    valid = 0
    for folder, steps in folders():
        known: set[bytes] = set()
        for name, step in steps:
            if step.before.root not in known:  # there are steps in between that nobody kept
                state = state_of(step.before.entries, TINY)
                chain = Chain(host, state.beta.history[-1].header_hash, state.tau, state)
                known = {state.root}
            try:
                imported = chain.import_block(step.block)
            except BlockError as error:
                assert step.is_refused, f"{folder}/{name}: {error}"
                reasons[error.code] += 1
            else:
                assert imported.state.root == step.after.root, f"{folder}/{name}"
                known.add(step.after.root)
                valid += 1
    assert (valid, reasons) == (VALID, REFUSED)
