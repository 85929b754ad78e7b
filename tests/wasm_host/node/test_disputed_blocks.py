"""Blocks with disputes, of which there are none in public traces: what verdicts do to the chain."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from pvm.errors import BlockError
from pvm.jam.block import Block, Culprit, DisputesExtrinsic, Extrinsic, Fault, Judgement, Verdict
from pvm.jam.codec import decode, encode
from pvm.jam.constants import TINY
from pvm.jam.hashing import blake2b
from pvm.jam.safrole import NO_VALIDATOR, epoch_mark, time_between, without_offenders
from pvm.jam.state import State, state_of
from pvm.jam.steps import read_step
from pvm.jam.transition import transition
from tests.pvm.jam.archives import members
from tests.wasm_host.node.credulous import host, received

UNSIGNED = bytes(64)


@cache
def pending() -> tuple[State, Block, int]:
    """A state with a report on a core, and the block that was applied to it without what it had."""
    for name, data in members("blocks/storage", ".bin"):
        if name.endswith("genesis.bin"):
            continue
        given = read_step(data, TINY)
        state = state_of(given.before.entries, TINY)
        core = next((core for core, entry in enumerate(state.rho) if entry is not None), None)
        if core is not None and (state.tau + 1) % 12:
            block = decode(Block, given.block, TINY)
            nothing = Extrinsic((), (), (), (), DisputesExtrinsic((), (), ()))
            return state, replace(block, extrinsic=nothing), core
    raise AssertionError("no step has a pending report")


def disputed(state: State, block: Block, core: int, votes: str) -> Block:
    """The block with a verdict, "+" and "-", on the report of a core, and the offenders that this takes."""
    entry = state.rho[core]
    assert entry is not None
    target = blake2b(encode(entry.report, TINY))
    judgements = tuple(Judgement(vote == "+", index, UNSIGNED) for index, vote in enumerate(votes))
    keys = sorted(validator.ed25519 for validator in state.kappa)
    culprits = tuple(Culprit(target, key, UNSIGNED) for key in keys[:2]) if "+" not in votes else ()
    faults = (Fault(target, False, keys[2], UNSIGNED),) if "-" not in votes else ()
    disputes = DisputesExtrinsic((Verdict(target, state.tau // 12, judgements),), culprits, faults)
    marked = tuple(offence.key for offence in (*culprits, *faults))
    return Block(replace(block.header, offenders_mark=marked), replace(block.extrinsic, disputes=disputes))


@pytest.mark.parametrize(("votes", "stays"), [("-----", False), ("++---", False), ("+++++", True)])
def test_a_verdict_clears_the_core_unless_it_is_good(votes: str, stays: bool) -> None:
    state, block, core = pending()
    block = disputed(state, block, core, votes)
    after = transition(state, received(state, block), host())
    assert (after.rho[core] is not None) is stays
    target = block.extrinsic.disputes.verdicts[0].target
    assert [target in each for each in (after.psi.good, after.psi.bad, after.psi.wonky)] == [
        votes == "+++++", votes == "-----", votes == "++---"
    ]  # fmt: skip
    assert set(after.psi.offenders) == set(block.header.offenders_mark)
    with pytest.raises(BlockError, match="already_judged"):
        transition(after, received(after, replace(block, header=replace(block.header, slot=after.tau + 1))), host())


def test_offenders_must_be_marked() -> None:
    state, block, core = pending()
    block = disputed(state, block, core, "-----")
    with pytest.raises(BlockError, match="bad_offenders_mark"):
        transition(state, received(state, replace(block, header=replace(block.header, offenders_mark=()))), host())


def test_offenders_are_no_validators_of_the_next_epoch() -> None:
    state, block, core = pending()
    block = disputed(state, block, core, "-----")
    slot = (state.tau // 12 + 1) * 12
    offenders = set(block.header.offenders_mark)
    following = without_offenders(state.iota, offenders)
    assert following.count(NO_VALIDATOR) == 2
    mark = epoch_mark(time_between(state.tau, slot, TINY), state.eta, following)
    for author in range(6):
        header = replace(block.header, slot=slot, epoch_mark=mark, author_index=author)
        try:
            after = transition(state, received(state, replace(block, header=header)), host())
        except BlockError as error:
            assert error.code == "wrong_author"
            continue
        assert after.gamma.gamma_k == following
        assert after.gamma.gamma_z == host().crypto.ring([each.bandersnatch for each in following]).commitment
        return
    raise AssertionError("no author's key is that of the slot")
