"""Imports public traces in tests: a chain from genesis, or from the first step of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from pvm.jam.block import Header
from pvm.jam.chain import Chain
from pvm.jam.codec import decode
from pvm.jam.constants import TINY
from pvm.jam.hashing import blake2b
from pvm.jam.state import state_of
from pvm.jam.steps import Step, read_genesis, read_step
from pvm.jam.transition import Host
from tests.pvm.jam.archives import DATA, members
from wasm_host.engine import Engine
from wasm_host.node.crypto import NativeCrypto
from wasm_host.node.points import NAME, ring_points


@cache
def native_crypto() -> NativeCrypto:
    """Compiled cryptography; skips the test where it, or the points for ring proofs, is missing."""
    for module in ("bandersnatch_vrfs", "ed25519_zebra"):
        pytest.importorskip(module)
    points = DATA / "crypto" / NAME
    if not points.exists():
        pytest.skip(f"no points for ring proofs at {points}")
    return NativeCrypto(ring_points(points))


@cache
def host() -> Host:
    """Parameters "tiny", compiled cryptography, compiled services."""
    return Host(TINY, native_crypto(), Engine())


def steps(trace: str, count: int | None = None) -> tuple[Chain, Iterator[tuple[str, Step]]]:
    """A chain that stands at genesis, and the first `count` steps of a trace of `blocks`, all if None."""
    files = {name.rsplit("/", 1)[-1]: data for name, data in members(f"blocks/{trace}", ".bin")}
    genesis = read_genesis(files.pop("genesis.bin"), TINY)
    chain = Chain(
        host(), blake2b(genesis.header), decode(Header, genesis.header, TINY).slot,
        state_of(genesis.state.entries, TINY),
    )  # fmt: skip
    return chain, ((name, read_step(files[name], TINY)) for name in sorted(files)[:count])
