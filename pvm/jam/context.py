"""What host calls work on: that of refine (B.3), and the pair of contexts x and y of accumulation (B.4).

In: a partial state, a service. Out: `Context` and its two kinds. The regular context x of accumulation is a layer on
the exceptional one, y, which is a layer on the accounts that were given: a checkpoint merges x down, a failure drops
it. Transfers and provisions only grow, so that y needs to know how many there were. Nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pvm.jam.accounts import Accounts
from pvm.jam.codec import encode_natural
from pvm.jam.constants import Constants
from pvm.jam.host_calls.fetchable import Fetchable
from pvm.jam.inner.machines import InnerMachines
from pvm.jam.inputs import Transfer
from pvm.jam.partial_state import Accumulated, PartialState, Privileges
from pvm.machine import AnyEngine
from pvm.memory import Memory
from pvm.program.standard import PAGE_SIZE, Sections

_STEP = 42  # from one new service's number to the next
_RESERVED = 1 << 8  # numbers at the end that no service gets

Log = Callable[[list[int], Memory], object]


@dataclass(frozen=True)
class _Checkpoint:
    """y, but for its accounts."""

    privileges: Privileges
    staging_set: bytes
    queues: tuple[bytes, ...]
    next_id: int
    transfers: int
    yielded: bytes | None
    provisions: int


class Context:
    """What every invocation's host calls share.

    `version` is that of the host calls, `log` gets registers and memory at each `log`. `heap_page` is the first page
    behind the heap, `heap_limit` the last that can be: of 0.8.0's `grow_heap`.
    """

    heap_page = heap_limit = 0

    def __init__(self, constants: Constants, version: str, fetchable: Fetchable, log: Log | None) -> None:
        self.constants = self.deposits = constants
        self.is_080 = version == "0.8.0"
        self.fetchable, self.log = fetchable, log

    def begin(self, sections: Sections) -> None:
        """A program begins to run whose heap these sections describe."""
        self.heap_page, self.heap_limit = sections.heap_end // PAGE_SIZE, sections.grow_limit // PAGE_SIZE

    def set(self, **changed: Any) -> None:
        """Change attributes: an effect in one expression."""
        for name, value in changed.items():
            setattr(self, name, value)


class RefineContext(Context):
    """What refine reads of the chain, and makes (B.3): exported segments and inner machines.

    `accounts` are those of the lookup anchor, `anchor` its slot; `service` is the item's, `offset` how many segments
    the package's items before it export.
    """

    def __init__(
        self, constants: Constants, version: str, engine: AnyEngine, accounts: Accounts, service: int, anchor: int,
        offset: int, fetchable: Fetchable, log: Log | None = None,
    ) -> None:  # fmt: skip
        super().__init__(constants, version, fetchable, log)
        self.accounts, self.service, self.anchor, self.offset = accounts, service, anchor, offset
        self.exports: list[bytes] = []
        self.machines = InnerMachines(engine)


class AccumulateContext(Context):
    """x, whose parts are attributes, and y, to which it goes back.

    `before` are the accounts before, which stay as they are. `given` is the state with which it begins; its accounts
    are a layer on those, and become y's. `version` is that of the host calls, `log` gets what the service logs.
    """

    def __init__(
        self, constants: Constants, version: str, before: Accounts, given: PartialState, service: int, slot: int,
        entropy: bytes, fetchable: Fetchable, log: Log | None = None,
    ) -> None:  # fmt: skip
        super().__init__(constants, version, fetchable, log)
        self.service, self.slot = service, slot
        self._taken = before  # the paper's e: numbers in use there are not given to new services
        self._kept = given.accounts
        self.accounts: Accounts = self._kept.layer()
        self.privileges, self.staging_set, self.queues = given.privileges, given.staging_set, given.queues
        self.transfers: list[Transfer] = []
        self.provisions: dict[tuple[int, bytes], None] = {}
        self.yielded: bytes | None = None
        self.next_id = first_id(constants, before, service, entropy, slot)
        self.checkpoint()

    @property
    def changed(self) -> Accounts:
        """x's accounts as one layer on those from before the invocation."""
        found = self.kept
        found.merge(self.accounts)
        return found

    @property
    def kept(self) -> Accounts:
        """y's accounts likewise: what a failure leaves."""
        found = Accounts(self._taken)
        found.merge(self._kept)
        return found

    def id_after(self, number: int) -> int:
        """The number of the next new service, after one that got this."""
        first = self.constants.first_public_service
        return check_id(self.constants, self._taken, first + (number - first + _STEP) % _range(self.constants))

    def checkpoint(self) -> None:
        """y' = x."""
        self._kept.merge(self.accounts)
        self.accounts.clear()
        self._checkpoint = _Checkpoint(
            self.privileges, self.staging_set, self.queues, self.next_id, len(self.transfers), self.yielded,
            len(self.provisions),
        )  # fmt: skip

    def roll_back(self) -> None:
        """x' = y."""
        y = self._checkpoint
        self.accounts.clear()
        self.privileges, self.staging_set, self.queues = y.privileges, y.staging_set, y.queues
        self.next_id, self.yielded = y.next_id, y.yielded
        del self.transfers[y.transfers :]
        self.provisions = dict.fromkeys(list(self.provisions)[: y.provisions])

    def collapse(self, gas_used: int, output: bytes | None) -> Accumulated:
        """The paper's C: x after a regular end, with `output` as what is yielded if it is a hash; y if it is None."""
        if output is None:
            self.roll_back()
        self._kept.merge(self.accounts)
        self.accounts.clear()
        yielded = output if output is not None and len(output) == 32 else self.yielded
        state = PartialState(self._kept, self.privileges, self.staging_set, self.queues)
        return Accumulated(state, tuple(self.transfers), yielded, gas_used, tuple(self.provisions))


def first_id(constants: Constants, accounts: Accounts, service: int, entropy: bytes, slot: int) -> int:
    """The number of the first service that an accumulation may add (B.4's I)."""
    seed = encode_natural(service) + entropy + encode_natural(slot)
    number = int.from_bytes(blake2b(seed, digest_size=32).digest()[:4], "little")
    return check_id(constants, accounts, number % _range(constants) + constants.first_public_service)


def check_id(constants: Constants, accounts: Accounts, number: int) -> int:
    """The paper's check (B.4): this number, or the next one that no service has."""
    first = constants.first_public_service
    while number in accounts:
        number = (number - first + 1) % _range(constants) + first
    return number


def _range(constants: Constants) -> int:
    """How many numbers new services may get."""
    return (1 << 32) - constants.first_public_service - _RESERVED
