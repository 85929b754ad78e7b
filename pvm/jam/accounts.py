"""Service accounts (section 9) as layers over the serialized state.

In: 31-octet state keys and their values (D.1). Out: `Accounts`, the paper's δ: a layer records what changes above what
it stands on, and can be dropped, merged, or listed as a diff. Nothing is copied when one is made.

A state knows storage keys only hashed: items can be asked for, but neither listed nor counted. The footprint (items,
octets) is therefore part of `Account`, as in the serialized state, and whoever changes an item changes it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from typing import NamedTuple, Protocol

from pvm.errors import InputError, ProgramError
from pvm.jam.state_keys import account_key, owner_of, preimage_key, request_key, service_of, storage_key
from pvm.program.codec import encode_natural
from pvm.program.standard import parse_metadata

SERVICE_LIMIT = 1 << 32
REQUEST_OCTETS, ITEM_OCTETS = 81, 34  # of the footprint, besides the preimage's length; besides key and value
MASK64, MASK32 = (1 << 64) - 1, (1 << 32) - 1
_INFO = Struct("<B32s5Q4I")
_SLOTS = 3  # of a request, at most


class Values(Protocol):
    """Values by state key; a dictionary is one."""

    def get(self, key: bytes, /) -> bytes | None:
        """The value of a key; None if the state has none."""
        ...


class Deposits(Protocol):
    """What an account must hold (constants B_I, B_L and B_S): `pvm.jam.constants.Constants` is one."""

    @property
    def item_deposit(self) -> int: ...
    @property
    def byte_deposit(self) -> int: ...
    @property
    def base_deposit(self) -> int: ...


class Account(NamedTuple):
    """A service's info: what the state has of it besides its items. A value; change it with `_replace`."""

    code_hash: bytes
    balance: int
    min_item_gas: int = 0  # g: the least gas for a work item
    min_memo_gas: int = 0  # m: the least gas for a transfer
    octets: int = 0  # o
    gratis: int = 0  # f: storage that is free of deposits
    items: int = 0  # i
    created: int = 0  # r, a slot
    accumulated: int = 0  # a: the slot of the last accumulation
    parent: int = 0  # p

    def threshold(self, deposits: Deposits) -> int:
        """The paper's t: what the balance must not fall below."""
        needed = deposits.base_deposit + deposits.item_deposit * self.items + deposits.byte_deposit * self.octets
        return needed - self.gratis if needed > self.gratis else 0

    def with_item(self, key_length: int, old: int | None, new: int | None) -> Account:
        """With a storage item changed: its key's length, and the lengths of its value before and after (None: none)."""
        octets, items = self.octets, self.items
        if old is not None:
            octets, items = octets - ITEM_OCTETS - key_length - old, items - 1
        if new is not None:
            octets, items = octets + ITEM_OCTETS + key_length + new, items + 1
        if octets == self.octets and items == self.items:
            return self
        code_hash, balance, item_gas, memo_gas, _, gratis, _, created, accumulated, parent = self
        return Account(
            code_hash, balance, item_gas, memo_gas, octets, gratis, items, created, accumulated, parent
        )  # fmt: skip

    def with_request(self, length: int, count: int = 1) -> Account:
        """With one request more for a preimage of that length, or with `count` = -1 one less."""
        return self._replace(octets=self.octets + count * (REQUEST_OCTETS + length), items=self.items + 2 * count)

    def encode(self) -> bytes:
        """The value of C(255, s)."""
        return _INFO.pack(
            0, self.code_hash, self.balance & MASK64, self.min_item_gas, self.min_memo_gas, self.octets & MASK64,
            self.gratis, self.items & MASK32, self.created, self.accumulated, self.parent,
        )  # fmt: skip


def decode_account(data: bytes) -> Account:
    """The info in a value of C(255, s). Raises InputError unless it is one."""
    if len(data) != _INFO.size or data[0]:
        raise InputError(f"account: {_INFO.size} octets that begin with 0 are needed, not {len(data)}")
    _, *fields = _INFO.unpack(data)
    return Account(*fields)


Slots = tuple[int, ...]
"""The paper's status of a request, up to three slots: requested, available since, unavailable since, again since."""


def encode_slots(slots: Slots) -> bytes:
    """The value of a request."""
    return bytes((len(slots),)) + b"".join(slot.to_bytes(4, "little") for slot in slots)


def decode_slots(data: bytes) -> Slots:
    """The slots in the value of a request. Raises InputError unless it is one."""
    if not data or data[0] > _SLOTS or len(data) != 1 + 4 * data[0]:
        raise InputError("request: a count of up to 3 and as many slots of 4 octets are needed")
    return tuple(int.from_bytes(data[place : place + 4], "little") for place in range(1, len(data), 4))


def is_available(slots: Slots, slot: int) -> bool:
    """The paper's I (9.2.2): whether the preimage was available at that slot."""
    first = len(slots) > 0 and slots[0] <= slot
    if len(slots) < 2:
        return first
    return (first and slot < slots[1]) or (len(slots) > 2 and slots[2] <= slot)


class Accounts:
    """δ: a layer of changes over `below`, another layer or the state's values.

    Reading goes down layer by layer, so stacks are to stay low: `merge` what is settled. Whoever reads a layer while
    the one below changes sees the changes; the one above hides what it has changed itself.
    """

    __slots__ = ("_accounts", "_items", "_lower", "below")

    def __init__(self, below: Accounts | Values) -> None:
        self.below = below
        self._lower = below if isinstance(below, Accounts) else None
        self._accounts: dict[int, Account | None] = {}
        self._items: dict[bytes, bytes | None] = {}

    # --- infos

    def account(self, service: int) -> Account | None:
        """A service's info; None if there is no such service. Any integer may be asked for.

        Raises InputError where the state has something else there.
        """
        layer = self
        while service not in layer._accounts:
            if layer._lower is None:
                break
            layer = layer._lower
        else:
            return layer._accounts[service]
        if not 0 <= service < SERVICE_LIMIT:
            return None
        data = layer.below.get(account_key(service))
        return None if data is None else decode_account(data)

    def __contains__(self, service: int) -> bool:
        return self.account(service) is not None

    def __getitem__(self, service: int) -> Account:
        """A service's info. Raises KeyError if there is no such service."""
        account = self.account(service)
        if account is None:
            raise KeyError(service)
        return account

    def set_account(self, service: int, account: Account) -> None:
        """Change a service's info, or add the service."""
        self._accounts[service] = account

    # --- items, by state key

    def get(self, key: bytes, /) -> bytes | None:
        """The value of an item's state key (not of an info's)."""
        items = self._items
        return items[key] if key in items else self.below.get(key)

    def set(self, key: bytes, value: bytes | None) -> None:
        """Change an item by its state key; None takes it away. The footprint stays as it is."""
        self._items[key] = value

    def storage(self, service: int, key: bytes) -> bytes | None:
        """A storage item."""
        return self.get(storage_key(service, key))

    def preimage(self, service: int, digest: bytes) -> bytes | None:
        """A preimage that the service has, by its hash."""
        return self.get(preimage_key(service, digest))

    def request(self, service: int, digest: bytes, length: int) -> Slots | None:
        """The status of a request; None if there is none. Any length may be asked for."""
        if not 0 <= length < SERVICE_LIMIT:
            return None
        data = self.get(request_key(service, digest, length))
        return None if data is None else decode_slots(data)

    def set_request(self, service: int, digest: bytes, length: int, slots: Slots | None) -> None:
        """Change the status of a request. The footprint stays as it is."""
        self._items[request_key(service, digest, length)] = None if slots is None else encode_slots(slots)

    def historical_lookup(self, service: int, slot: int, digest: bytes) -> bytes | None:
        """Λ (9.2.2): a preimage if it was available at that slot. The service need not exist."""
        data = self.preimage(service, digest)
        if data is None:
            return None
        slots = self.request(service, digest, len(data))
        return data if slots is not None and is_available(slots, slot) else None

    def code_preimage(self, service: int) -> bytes | None:
        """The preimage of a service's code hash: metadata and code. None without service or preimage."""
        account = self.account(service)
        return None if account is None else self.preimage(service, account.code_hash)

    # --- services as a whole

    def eject(self, service: int, digest: bytes, length: int) -> None:
        """Take a service away whose one item is that request (B.7, `eject`), with its preimage if there is one."""
        self._accounts[service] = None
        self._items[request_key(service, digest, length)] = None
        self._items[preimage_key(service, digest)] = None

    def provide(self, service: int, data: bytes, digest: bytes, slot: int) -> bool:
        """Add a preimage that was requested (12.4, 12.5). False if it is not requested any more: nothing changes."""
        if service not in self or self.request(service, digest, len(data)) != ():
            return False
        self.set_request(service, digest, len(data), (slot,))
        self.set(preimage_key(service, digest), data)
        return True

    # --- layers

    def layer(self) -> Accounts:
        """A new layer on this one."""
        return Accounts(self)

    def copy(self) -> Accounts:
        """The same, which stays as it is when this one or a layer below it changes. Costs what layers have changed."""
        same = Accounts(self.below if self._lower is None else self._lower.copy())
        same.merge(self)
        return same

    def merge(self, above: Accounts) -> None:
        """Take over the changes of a layer that stands on this one. It stays as it is and may be cleared."""
        self._accounts.update(above._accounts)
        self._items.update(above._items)

    def clear(self) -> None:
        """Forget all changes of this layer."""
        self._accounts.clear()
        self._items.clear()

    def merge_parallel(self, layers: Mapping[int, Accounts]) -> None:
        """Take over what services changed side by side, each in its layer on this one (Δ* of 12.3).

        Of each count the changes to itself, to services that it added, and what it ejected, which stays away whatever
        others did to it. Raises InputError where two have added the same service.
        """
        added: set[int] = set()
        ejected: set[int] = set()
        taken: list[tuple[dict[int, Account | None], dict[bytes, bytes | None]]] = []
        for service, layer in layers.items():
            gone = {other for other, account in layer._accounts.items() if account is None and other in self}
            new = {other for other, account in layer._accounts.items() if account is not None and other not in self}
            if added & new:
                raise InputError(f"service {min(added & new)}: two services have added it in one round")
            added |= new
            ejected |= gone
            counted = {service} | new | gone
            taken.append((
                {other: account for other, account in layer._accounts.items() if other in counted},
                {key: value for key, value in layer._items.items() if owner_of(key) in counted},
            ))  # fmt: skip
        for accounts, items in taken:
            self._accounts.update(accounts)
            self._items.update(items)
        for service in ejected:
            self._accounts[service] = None

    def changed_services(self) -> Iterator[tuple[int, Account | None]]:
        """The infos that this layer has changed; None for services taken away."""
        yield from self._accounts.items()

    def changed_items(self) -> Mapping[bytes, bytes | None]:
        """The items that this layer has changed, by state key; None for those taken away."""
        return self._items

    def changes(self) -> dict[bytes, bytes | None]:
        """What this layer has changed, as the state's keys and values; None for what is taken away.

        A change back to what was below is listed, too.
        """
        changed: dict[bytes, bytes | None] = dict(self._items)
        for service, account in self._accounts.items():
            changed[account_key(service)] = None if account is None else account.encode()
        return changed


def code_size(preimage: bytes | None) -> int | None:
    """Octets of the code in the preimage of a service's code, E(↕m, c) (9.1). None where it is no such encoding."""
    if preimage is None:
        return None
    try:
        _, offset = parse_metadata(preimage)
    except ProgramError:
        return None
    return len(preimage) - offset


def with_metadata(code: bytes, metadata: bytes = b"") -> bytes:
    """The preimage of a service's code: E(↕m, c)."""
    return encode_natural(len(metadata)) + metadata + code


def services_in(keys: Iterable[bytes]) -> list[int]:
    """The services whose infos are among a state's keys, in order."""
    return sorted(service for key in keys if (service := service_of(key)) is not None)
