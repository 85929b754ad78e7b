"""Blocks of the public traces, and the same blocks with a rule broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvm.errors import BlockError, CodecError
from pvm.jam.block import Block, Header
from pvm.jam.codec import decode, encode
from pvm.jam.constants import TINY
from tests.pvm.jam.traces import steps


@pytest.mark.parametrize("trace", ["fallback", "safrole"])
def test_roots_of_traces(trace: str) -> None:
    """Through three epochs of 12 slots. Whole traces are for `pvm jam import`."""
    chain, every = steps(trace, 30)
    for name, step in every:
        assert chain.import_block(step.block).state.root == step.after.root, name


def test_a_broken_rule_is_named_and_leaves_nothing() -> None:
    chain, every = steps("safrole", 12)
    *earlier, (_, last) = every
    for _, step in earlier:
        chain.import_block(step.block)
    block = decode(Block, last.block, TINY)
    header = block.header
    assert header.epoch_mark is not None

    def refused(code: str, equation: str, header: Header, block: Block = block) -> None:
        with pytest.raises(BlockError) as error:
            chain.import_block(encode(replace(block, header=header), TINY))
        assert (error.value.code, error.value.equation) == (code, equation)

    refused("unknown_parent", "5.2", replace(header, parent=bytes(32)))
    refused("bad_slot", "5.7", replace(header, slot=header.slot - 1))
    refused("bad_state_root", "5.8", replace(header, parent_state_root=bytes(32)))
    refused("bad_extrinsic_hash", "5.4", replace(header, extrinsic_hash=bytes(32)))
    refused("bad_author_index", "5.9", replace(header, author_index=6))
    refused("bad_epoch_mark", "6.27", replace(header, epoch_mark=None))
    refused("bad_epoch_mark", "6.27", replace(header, epoch_mark=replace(header.epoch_mark, entropy=bytes(32))))
    refused("bad_offenders_mark", "10.20", replace(header, offenders_mark=(bytes(32),)))
    refused("bad_seal", "6.15", replace(header, seal=bytes(96)))
    refused("bad_seal", "6.15", replace(header, entropy_source=bytes(96)))
    refused("wrong_author", "6.16", replace(header, slot=2**32 - 1))
    with pytest.raises(CodecError, match="left over"):
        chain.import_block(last.block + b"\0")
    assert chain.import_block(last.block).state.root == last.after.root


def test_siblings_leave_each_other_alone() -> None:
    chain, every = steps("fallback", 4)
    for _, step in every:
        for _ in range(3):  # the same block again is as good a sibling as another
            assert chain.import_block(step.block).state.root == step.after.root
