"""How long blocks of a trace take: here, at a target's socket, and what their signature checks alone take.

In: a trace with genesis, a host or a client. Out: seconds a block, and how many outcomes were other than the trace's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pvm.errors import InputError
from pvm.jam.crypto import Crypto, Ring
from pvm.jam.steps import read_genesis, read_step
from pvm.jam.transition import Host
from wasm_host.node.client import Client
from wasm_host.node.importing import import_trace
from wasm_host.node.traces import Trace

T = TypeVar("T")


@dataclass(frozen=True)
class Timed:
    """Seconds of each block in order, and outcomes other than the trace's."""

    seconds: tuple[float, ...]
    mismatches: int = 0


def time_here(trace: Trace, host: Host) -> Timed:
    """Import a trace in this process."""
    results = list(import_trace(trace, host))
    return Timed(tuple(one.seconds for one in results), sum(one.problem is not None for one in results))


def time_target(trace: Trace, client: Client, host: Host) -> Timed:
    """Have a target import a trace from genesis. Raises InputError where it has none."""
    if trace.genesis is None:
        raise InputError(f"{trace.name}: it has no genesis")
    genesis = read_genesis(trace.genesis, host.constants)
    mismatches = int(client.initialize(genesis.header, genesis.state.entries) != genesis.state.root)
    seconds = []
    for _, data in trace.steps:
        step = read_step(data, host.constants)
        root, took = client.import_block(step.block)
        seconds.append(took)
        mismatches += root != (None if step.is_refused else step.after.root)
    return Timed(tuple(seconds), mismatches)


def time_signatures(trace: Trace, host: Host) -> Timed:
    """What the signature checks of each block take alone, one after another in one thread."""
    recorder = _Recorder(host.crypto)
    seconds = []
    for _ in import_trace(trace, replace(host, crypto=recorder)):
        checks, recorder.checks = recorder.checks, []
        start = time.perf_counter()
        for check in checks:
            check()
        seconds.append(time.perf_counter() - start)
    return Timed(tuple(seconds))


class _Recorder:
    """Cryptography that notes each check, and takes every signature for valid until then."""

    def __init__(self, real: Crypto) -> None:
        self._real = real
        self.checks: list[Callable[[], object]] = []

    def ed25519_verify(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Noted."""
        self.checks.append(lambda: self._real.ed25519_verify(key, message, signature))
        return True

    def keccak(self, data: bytes) -> bytes:
        """Keccak-256."""
        return self._real.keccak(data)

    def vrf_verify(self, key: bytes, vrf_input: bytes, message: bytes, signature: bytes) -> bool:
        """Noted."""
        self.checks.append(lambda: self._real.vrf_verify(key, vrf_input, message, signature))
        return True

    def ring(self, keys: Sequence[bytes]) -> Ring:
        """The ring, whose checks are noted."""
        return _RecordedRing(self._real.ring(keys), self.checks)

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """The work itself."""
        return work


class _RecordedRing:
    def __init__(self, real: Ring, checks: list[Callable[[], object]]) -> None:
        self._real, self._checks = real, checks

    @property
    def commitment(self) -> bytes:
        return self._real.commitment

    def verify(self, inputs: Sequence[bytes], proofs: Sequence[bytes]) -> Callable[[], Sequence[bool]]:
        for each in zip(inputs, proofs, strict=True):
            self._checks.append(lambda each=each: self._real.verify([each[0]], [each[1]])())  # type: ignore[misc]
        return lambda: [True] * len(proofs)
