"""Imports a trace's blocks one after another, and compares each outcome with the step's.

In: a trace, a host. Out: a result a step: how long it took from octets to root, why the block was refused, what
differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pvm.errors import BlockError, CodecError, InputError
from pvm.jam.block import Header
from pvm.jam.chain import Chain
from pvm.jam.codec import decode
from pvm.jam.constants import Constants
from pvm.jam.difference import Difference, differences
from pvm.jam.hashing import blake2b
from pvm.jam.state import State, state_of
from pvm.jam.steps import RawState, Step, read_genesis, read_step
from pvm.jam.transition import Host
from wasm_host.node.ready import request_new_services, request_services
from wasm_host.node.traces import Trace

_SHOWN = 50  # differences of a step


@dataclass(frozen=True)
class StepResult:
    """What became of one step.

    `seconds` is from the block's octets to the posterior root. `code` and `error` say why the block was refused, None
    if it was not; `problem` why the step has failed, None if it has passed; `differences` are between states, 50 at
    most.
    """

    trace: str
    step: str
    seconds: float
    code: str | None
    error: str | None
    problem: str | None = None
    differences: tuple[Difference, ...] = ()


def import_trace(
    trace: Trace, host: Host, begin: Callable[[str], object] = lambda name: None
) -> Iterator[StepResult]:
    """Import all blocks of a trace. A step whose parent is not known begins anew from the state before it.

    `begin` gets the name of each step before its block.

    Raises InputError for files that are no steps.
    """
    chain: Chain | None = None
    if trace.genesis is not None:
        chain = _from_genesis(trace, host)
    for name, data in trace.steps:
        try:
            step = read_step(data, host.constants)
        except CodecError as error:
            raise InputError(f"{trace.name}/{name}: {error}") from None
        parent = step.block[:32]
        known = None if chain is None else chain.state(parent)
        if chain is None or known is None or known.root != step.before.root:
            state = _state(step.before, host.constants)
            chain = Chain(host, parent, _slot(state), state)
            chain.prepare()
            request_services(host.engine, state)
        begin(f"{trace.name}/{Path(name).stem}")
        yield _import_step(trace.name, name, step, chain, host)


def _import_step(trace: str, name: str, step: Step, chain: Chain, host: Host) -> StepResult:
    code = error = None
    state: State | None = None
    start = time.perf_counter()
    try:
        state = chain.import_block(step.block).state
        root = state.root
    except (BlockError, CodecError) as refusal:
        root = step.before.root
        code = refusal.code if isinstance(refusal, BlockError) else "undecodable"
        error = str(refusal)
    seconds = time.perf_counter() - start
    before = chain.state(step.block[:32])
    if state is not None and before is not None:
        request_new_services(host.engine, before, state)
    if root == step.after.root:
        return StepResult(trace, name, seconds, code, error)
    if state is None:
        return StepResult(trace, name, seconds, code, error, f"a valid block was refused: {error}")
    found = tuple(islice(differences(_state(step.after, host.constants), state), _SHOWN))
    what = "an invalid block was taken" if step.is_refused else f"root {root.hex()} in place of {step.after.root.hex()}"
    return StepResult(trace, name, seconds, None, None, what, found)


def _from_genesis(trace: Trace, host: Host) -> Chain:
    assert trace.genesis is not None
    try:
        genesis = read_genesis(trace.genesis, host.constants)
        slot = decode(Header, genesis.header, host.constants).slot
    except CodecError as error:
        raise InputError(f"{trace.name}/genesis.bin: {error}") from None
    chain = Chain(host, blake2b(genesis.header), slot, _state(genesis.state, host.constants))
    chain.prepare()
    return chain


def _state(raw: RawState, constants: Constants) -> State:
    return state_of(raw.entries, constants)


def _slot(state: State) -> int:
    try:
        return state.tau
    except CodecError:
        return 0


