"""Blocks and states that nobody should send: they are refused with a reason, and leave everything as it was."""

from __future__ import annotations

from random import Random

import pytest

from pvm.errors import BlockError, CodecError, InputError
from pvm.jam.chain import Chain
from pvm.jam.constants import TINY
from pvm.jam.state import State, state_of
from pvm.jam.steps import Step, read_step
from pvm.jam.transition import Host, transition
from tests.pvm.jam.archives import members
from tests.pvm.jam.traces import native_crypto
from tests.wasm_host.node.credulous import host, received
from wasm_host.engine import Engine

TRIED = 60


def step(trace: str, number: int) -> Step:
    _, data = next(member for member in members(f"blocks/{trace}", f"{number:08}.bin"))
    return read_step(data, TINY)


def applied(state: State, block: bytes) -> str:
    """What becomes of a block whose commitments are put right first; anything but InputError is a bug."""
    try:
        transition(state, received(state, block), host())
    except BlockError as error:
        return error.code
    except InputError as error:
        return type(error).__name__
    return "valid"


@pytest.mark.parametrize(("trace", "number"), [("storage", 21), ("fallback", 12)])
def test_no_octet_of_a_block_can_be_another(trace: str, number: int) -> None:
    last = step(trace, number)
    state = state_of(last.before.entries, TINY)
    real = Host(TINY, native_crypto(), Engine())
    chain = Chain(real, state.beta.history[-1].header_hash, state.tau, state)
    for place in range(len(last.block)):
        block = bytearray(last.block)
        block[place] ^= 1 << place % 8
        with pytest.raises((BlockError, CodecError)):
            chain.import_block(bytes(block))
    assert chain.import_block(last.block).state.root == last.after.root


@pytest.mark.parametrize(("trace", "number"), [("storage", 78), ("storage_light", 38), ("preimages_light", 31)])
def test_mutated_blocks_that_are_signed_all_the_same(trace: str, number: int) -> None:
    given, random = step(trace, number), Random(number)
    state = state_of(given.before.entries, TINY)
    ends = set()
    for _ in range(TRIED):
        block = bytearray(given.block)
        place = random.randrange(68, len(block))
        block[place] = random.choice([block[place] ^ 1 << random.randrange(8), 0, 255])
        ends.add(applied(state, bytes(block)))
    assert state.root == given.before.root
    assert len(ends) > 4
    assert applied(state, given.block) == "valid"


@pytest.mark.parametrize(("trace", "number"), [("storage", 78), ("storage_light", 38), ("preimages_light", 56)])
def test_blocks_on_mutated_states(trace: str, number: int) -> None:
    given, random = step(trace, number), Random(number)
    ends = set()
    for _ in range(TRIED):
        entries = dict(given.before.entries)
        key = random.choice(list(entries))
        value = bytearray(entries[key])
        place = random.randrange(len(value) + 1)
        match random.randrange(4):
            case 0:
                value = value[:place]
            case 1:
                value[place:place] = bytes(random.randrange(9))
            case _ if value:
                value[place - 1] = random.choice([0, 255, value[place - 1] ^ 1 << random.randrange(8)])
        entries[key] = bytes(value)
        ends.add(applied(state_of(entries.items(), TINY), given.block))
    assert "valid" in ends
    assert "CodecError" in ends
