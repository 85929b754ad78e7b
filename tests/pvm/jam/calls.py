"""Single host calls on a machine: what they answer, take and change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import pvm
from pvm.jam.accounts import Account, Accounts, encode_slots
from pvm.jam.constants import TINY
from pvm.jam.context import AccumulateContext, RefineContext
from pvm.jam.host_calls.answer import Function
from pvm.jam.host_calls.fetchable import Fetchable, encode_constants
from pvm.jam.host_calls.handlers import handlers
from pvm.jam.host_calls.table import RESULTS, by_number
from pvm.jam.invocations import ACCUMULATE, REFINE
from pvm.jam.partial_state import PartialState, Privileges
from pvm.jam.state_keys import account_key, preimage_key, request_key, storage_key
from pvm.program import assemble

VERSIONS = ("0.7.2", "0.8.0")
GAS = 1_000_000
RW, RO, NO = 0x20000, 0x30000, 0x40000  # four pages, a page, nothing
RW_END, RO_END = RW + 0x4000, RO + 0x1000
SELF = MAX = (1 << 64) - 1
SERVICE, OTHER, SLOT = 7, 8, 1000
OK, NONE, WHAT, OOB, WHO, FULL, CORE, CASH, LOW, HUH = (
    RESULTS[name] for name in ("OK", "NONE", "WHAT", "OOB", "WHO", "FULL", "CORE", "CASH", "LOW", "HUH")
)
PANIC, OUT_OF_GAS = pvm.Reason.PANIC, pvm.Reason.OUT_OF_GAS
_PROGRAM = assemble(".code\n trap\n")


def engine_of(version: str) -> pvm.ReferenceEngine:
    """The reference engine with the gas that the version is metered by."""
    return pvm.ReferenceEngine(version, "block" if version == "0.8.0" else "instruction")


def digest_of(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


@dataclass(frozen=True)
class Called:
    """What a call did: how it ended the run, r7 and r8, and the gas it took."""

    end: pvm.Reason | None
    r7: int
    r8: int
    gas: int


class Caller:
    """Calls the host with registers from r7 on. Registers are 0 where nothing is said, memory is as it was left."""

    def __init__(
        self, version: str, functions: Mapping[str, Function], context: Any, engine: Any = None
    ) -> None:
        self.version, self.context = version, context
        engine = engine or engine_of(version)
        self.machine = engine.instantiate(_PROGRAM, gas=GAS)
        self.machine.memory.map(RW, RW_END - RW, "rw")
        self.machine.memory.map(RO, RO_END - RO, "r")
        self._handlers = handlers(version, functions, context)

    def __call__(self, name: str, *parameters: int, gas: int = GAS) -> Called:
        number = next(number for number, row in by_number(self.version).items() if row.name == name)
        self.machine.gas = gas
        self.machine.registers = [0] * 7 + list(parameters) + [0] * (6 - len(parameters))
        end = self._handlers[number](self.machine)
        return Called(end, self.machine.registers[7], self.machine.registers[8], gas - self.machine.gas)

    def put(self, address: int, data: bytes) -> int:
        self.machine.memory.write(address, data)
        return address

    def at(self, address: int, length: int) -> bytes:
        data: bytes = self.machine.memory.read(address, length)
        return data


CODE, BLOB = b"code", b"a preimage"
ACCOUNT = Account(digest_of(CODE), 1_000_000, 11, 12, octets=34 + 3 + 5, items=1, created=3, accumulated=4, parent=5)


def state_values() -> dict[bytes, bytes]:
    """Service 7 with an item and a preimage, service 8 with an item, service 9 left to 7."""
    own = ACCOUNT.with_request(len(BLOB))
    left = Account(SERVICE.to_bytes(32, "little"), 777, 1, 2).with_request(20)
    return {
        account_key(SERVICE): own.encode(),
        storage_key(SERVICE, b"key"): b"value",
        preimage_key(SERVICE, digest_of(BLOB)): BLOB,
        request_key(SERVICE, digest_of(BLOB), len(BLOB)): encode_slots((10,)),
        account_key(OTHER): Account(bytes(32), 500, 50, 60).with_item(3, None, 6).encode(),
        storage_key(OTHER, b"key"): b"theirs",
        preimage_key(OTHER, digest_of(b"theirs")): b"theirs",
        account_key(9): left.encode(),
        request_key(9, bytes(32), 20): encode_slots((1, SLOT - 33)),
    }


def accumulating(
    version: str = "0.7.2", values: dict[bytes, bytes] | None = None, engine: Any = None, **changes: Any
) -> Caller:
    """A service that accumulates. `changes` are to its account."""
    values = state_values() if values is None else values
    base = Accounts(values)
    layer = base.layer()
    if changes:
        layer.set_account(SERVICE, base[SERVICE]._replace(**changes))
    privileges = Privileges(1, 2, 3, (4, SERVICE), {5: 6})
    state = PartialState(layer, privileges, bytes(6 * 336), (bytes(80 * 32),) * 2)
    fetchable = Fetchable(encode_constants(TINY, version), bytes(range(32)), inputs=())
    context = AccumulateContext(TINY, version, base, state, SERVICE, SLOT, bytes(32), fetchable)
    return Caller(version, ACCUMULATE, context, engine)


def refining(version: str = "0.7.2", engine: Any = None, **changes: Any) -> Caller:
    """A service that refines, at a lookup anchor of slot 20. `changes` are to the constants."""
    fetchable = Fetchable(encode_constants(TINY, version), bytes(32), trace=b"trace")
    engine = engine or engine_of(version)
    constants = replace(TINY, **changes)
    context = RefineContext(constants, version, engine, Accounts(state_values()), SERVICE, 20, 2, fetchable)
    return Caller(version, REFINE, context, engine)
