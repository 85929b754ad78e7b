"""What an accumulation in a test's world came to, and what it changed.

In: the accounts before and after. Out: `Outcome`, `Change` values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pvm.jam.accounts import Account, Accounts, decode_slots
from pvm.jam.inputs import Transfer
from pvm.jam.state_keys import preimage_key, request_key, storage_key
from pvm.jam.testing.runs import Run

_FIELDS = Account._fields


@dataclass(frozen=True)
class Change:
    """A difference: of a service, what, before and after (None: not there). Slots of requests are tuples."""

    service: int
    what: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"service {self.service}: {self.what}: {shown(self.before)} -> {shown(self.after)}"


@dataclass(frozen=True)
class Invocation:
    """One service's accumulation in one round: gas, what it sent, yielded and provided; the run says the rest."""

    service: int
    gas_used: int
    transfers: tuple[Transfer, ...]
    yielded: bytes | None
    provisions: tuple[tuple[int, bytes], ...]
    run: Run

    @property
    def logs(self) -> list[str]:
        """What was logged, a line an entry."""
        return self.run.logs

    @property
    def has_failed(self) -> bool:
        """Whether it panicked or ran out of gas: then it is as at its last checkpoint."""
        return self.run.has_failed


@dataclass(frozen=True)
class Outcome:
    """What accumulating came to, over all rounds of deferred transfers.

    `outputs` are the hashes that services yielded, `count` how many of the items were within the block's gas.
    """

    invocations: tuple[Invocation, ...]
    outputs: tuple[tuple[int, bytes], ...]
    changes: tuple[Change, ...]
    count: int

    def of(self, service: Any) -> tuple[Invocation, ...]:
        """The invocations of a service (or its number), by round."""
        number = getattr(service, "id", service)
        return tuple(one for one in self.invocations if one.service == number)

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """All that services sent."""
        return tuple(transfer for one in self.invocations for transfer in one.transfers)

    @property
    def gas_used(self) -> int:
        """By all of them."""
        return sum(one.gas_used for one in self.invocations)

    @property
    def logs(self) -> list[str]:
        """What all of them logged."""
        return [line for one in self.invocations for line in one.logs]

    def check(self) -> Outcome:
        """Itself. Raises ServiceFailed where a run failed."""
        from pvm.jam.testing.services import ServiceFailed

        for one in self.invocations:
            if one.has_failed:
                raise ServiceFailed(str(one.run))
        return self

    def __str__(self) -> str:
        yields = (f"service {service} yields 0x{output.hex()}" for service, output in self.outputs)
        return "\n".join([*(str(one.run) for one in self.invocations), *yields, *map(str, self.changes)])


@dataclass(frozen=True)
class Name:
    """What an item's state key stands for: "storage" with the key, "preimage" with its hash, "request" with both."""

    service: int
    kind: str
    key: bytes
    length: int = 0

    @property
    def state_key(self) -> bytes:
        """Its 31 octets."""
        if self.kind == "request":
            return request_key(self.service, self.key, self.length)
        return (storage_key if self.kind == "storage" else preimage_key)(self.service, self.key)

    def __str__(self) -> str:
        if self.kind == "request":
            return f"request {self.key.hex()}, {self.length} octets"
        return f"{self.kind} {shown(self.key)}"


def differences(before: Accounts, changed: Accounts, names: Mapping[bytes, Name]) -> Iterator[Change]:
    """What a layer has changed of the accounts below it: infos by service and field, then items."""
    for service, account in sorted(changed.changed_services()):
        old = before.account(service)
        if old is None or account is None:
            if old is not account:
                yield Change(service, "service", old, account)
            continue
        for field, one, other in zip(_FIELDS, old, account, strict=True):
            if one != other:
                yield Change(service, field, one, other)
    for key, value in sorted(changed.changed_items().items(), key=lambda item: item[0]):
        old_value = before.get(key)
        if old_value == value:
            continue
        name = names.get(key)
        if name is None:
            yield Change(int.from_bytes(key[0:7:2], "little"), f"item {key.hex()}", old_value, value)
        elif name.kind == "request":
            slots = (None if one is None else decode_slots(one) for one in (old_value, value))
            yield Change(name.service, str(name), *slots)
        else:
            yield Change(name.service, str(name), old_value, value)


def shown(value: Any) -> str:
    """A value for people: octets as text where they are printable ASCII, else hexadecimal, long ones cut."""
    if isinstance(value, bytes):
        if value and value.isascii() and value.decode().isprintable():
            return repr(value)[1:] if len(value) <= 60 else f"{value[:60]!r}… ({len(value)} octets)"
        return f"0x{value.hex()}" if len(value) <= 40 else f"0x{value[:40].hex()}… ({len(value)} octets)"
    return str(value)
