"""A service of a test's world: its account as it stands now, its storage, and refining.

In: a world, a number. Out: `Service`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from pvm.errors import PvmError
from pvm.jam.accounts import Account, Slots
from pvm.jam.inputs import WorkError, WorkResult
from pvm.jam.testing.runs import Run, Source

if TYPE_CHECKING:
    from pvm.jam.testing.world import World


class ServiceFailed(PvmError, AssertionError):
    """A run whose output was asked for has none. The text says where it failed."""


class Refinement:
    """What refining an item came to: `result` as the paper has it, `exports`, `gas_used`, `logs`, and the `run`.

    `payload` and `gas` (the limit of its accumulation) go into its digest.
    """

    def __init__(
        self, service: Service, payload: bytes, result: WorkResult, exports: tuple[bytes, ...], gas_used: int, gas: int,
        run: Run,
    ) -> None:  # fmt: skip
        self.service, self.payload, self.result, self.exports = service, payload, result, exports
        self.gas_used, self.gas, self.run = gas_used, gas, run

    @property
    def is_ok(self) -> bool:
        """Whether there is an output."""
        return not isinstance(self.result, WorkError)

    @property
    def output(self) -> bytes:
        """The output. Raises ServiceFailed if there is none."""
        if isinstance(self.result, WorkError):
            raise ServiceFailed(str(self.run) if self.run.invoked else f"{self.run.what}: {self.result.name}")
        return self.result

    @property
    def logs(self) -> list[str]:
        """What was logged, a line an entry."""
        return self.run.logs

    def __repr__(self) -> str:
        return f"<Refinement of service {self.service.id}: {self.result!r}, {self.gas_used} gas>"


class Storage:
    """A service's storage as it stands now. `keys` are those that the world has seen: a state has them hashed alone."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def get(self, key: bytes) -> bytes | None:
        """An item's value; None if there is none."""
        return self._service.world.accounts.storage(self._service.id, key)

    def __getitem__(self, key: bytes) -> bytes:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def keys(self) -> list[bytes]:
        """Those of items that are there, of the keys that were given or written."""
        return [key for key in self._service.world.keys_of(self._service.id) if key in self]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.keys())

    def __len__(self) -> int:
        """As many items as the world has seen."""
        return len(self.keys())

    def __repr__(self) -> str:
        return repr({key: self[key] for key in self.keys()})


class Service:
    """A service in a world. What it has is read where it is asked for, so it is always as it stands."""

    def __init__(self, world: World, number: int, source: Source | None = None) -> None:
        self.world, self.id, self.source = world, number, source
        self.storage = Storage(self)

    def __repr__(self) -> str:
        return f"<Service {self.id}>"

    @property
    def exists(self) -> bool:
        """Whether it is there: it may have been ejected."""
        return self.id in self.world.accounts

    @property
    def account(self) -> Account:
        """Its info. Raises KeyError if it is gone."""
        return self.world.accounts[self.id]

    @property
    def balance(self) -> int:
        """Its balance. Raises KeyError if it is gone."""
        return self.account.balance

    def preimage(self, digest: bytes) -> bytes | None:
        """A preimage that it has."""
        return self.world.accounts.preimage(self.id, digest)

    def request(self, digest: bytes, length: int) -> Slots | None:
        """The slots of a request for a preimage; None if there is none."""
        return self.world.accounts.request(self.id, digest, length)

    def provide(self, data: bytes) -> None:
        """Give it a preimage that it has requested, as a block's extrinsic would. Raises ServiceFailed otherwise."""
        if not self.world.accounts.provide(self.id, data, blake2b(data, digest_size=32).digest(), self.world.slot):
            raise ServiceFailed(f"service {self.id}: it has not requested these {len(data)} octets")

    def refine(
        self, payload: bytes = b"", extrinsics: Sequence[bytes] = (), imports: Sequence[bytes] = (),
        gas: int | None = None, accumulate_gas: int | None = None, core: int = 0, trace: bytes = b"",
        export_count: int | None = None,
    ) -> Refinement:  # fmt: skip
        """Ψ_R of a package with one item: this service's. `gas` is its limit, `trace` what the authorizer returned.

        `imports` are segments, filled up with zeros. The number of exports is checked where `export_count` is given.
        `accumulate_gas` is what the item's accumulation may use.
        """
        return self.world.refine(
            self, payload, extrinsics, imports, gas, accumulate_gas, core, trace, export_count
        )  # fmt: skip
