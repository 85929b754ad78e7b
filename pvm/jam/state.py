"""The state σ (Gray Paper 4.2, D.1): components decoded when asked for, over a trie of raw keys and values.

A state never changes. `updated` makes the next one, which shares with it the trie's nodes and the decoded components
that stay as they are: so any number of states of a fork cost what they differ in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar, overload

from pvm.errors import CodecError
from pvm.jam import merkle, types
from pvm.jam.codec import Codec, codec
from pvm.jam.constants import Constants
from pvm.jam.state_keys import component_key

T = TypeVar("T")


class Component(Generic[T]):
    """A row of T(σ): the number of a component, and how its value is encoded."""

    def __init__(self, number: int, kind: Any) -> None:
        self.number, self.kind, self.key = number, kind, component_key(number)
        self._codecs: dict[Constants, Codec] = {}

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, state: None, owner: type) -> Component[T]: ...
    @overload
    def __get__(self, state: State, owner: type) -> T: ...
    def __get__(self, state: State | None, owner: type) -> T | Component[T]:
        if state is None:
            return self
        decoded = state.decoded
        try:
            value: T = decoded[self.name]
        except KeyError:
            value = decoded[self.name] = self._decode(state)
        return value

    def codec(self, constants: Constants) -> Codec:
        """The codec of the component's values; kept, because finding it by type takes as long as a small value."""
        found = self._codecs.get(constants)
        if found is None:
            found = self._codecs[constants] = codec(self.kind, constants)
        return found

    def _decode(self, state: State) -> T:
        raw = state.raw(self.name)
        try:
            value: T = self.codec(state.constants).decode(raw)
        except CodecError as error:
            raise error.within(self.name) from None
        return value


class State:
    """One state. `get` has raw values, an attribute of each letter its component; both raise nothing but CodecError."""

    __slots__ = ("constants", "decoded", "trie")

    alpha = Component[tuple[tuple[bytes, ...], ...]](1, types.AuthPools)
    phi = Component[tuple[tuple[bytes, ...], ...]](2, types.AuthQueues)
    beta = Component[types.RecentBlocks](3, types.RecentBlocks)
    gamma = Component[types.SafroleState](4, types.SafroleState)
    psi = Component[types.DisputesRecords](5, types.DisputesRecords)
    eta = Component[tuple[bytes, ...]](6, types.EntropyBuffer)
    iota = Component[tuple[types.ValidatorData, ...]](7, types.ValidatorsData)
    kappa = Component[tuple[types.ValidatorData, ...]](8, types.ValidatorsData)
    lambda_ = Component[tuple[types.ValidatorData, ...]](9, types.ValidatorsData)
    rho = Component[tuple[types.AvailabilityAssignment | None, ...]](10, types.AvailabilityAssignments)
    tau = Component[int](11, types.U32)
    chi = Component[types.Privileges](12, types.Privileges)
    pi = Component[types.Statistics](13, types.Statistics)
    omega = Component[tuple[tuple[types.ReadyRecord, ...], ...]](14, types.ReadyQueue)
    xi = Component[tuple[tuple[bytes, ...], ...]](15, types.AccumulatedQueue)
    theta = Component[tuple[types.AccumulationOutput, ...]](16, types.AccumulationOutputs)

    def __init__(self, constants: Constants, trie: merkle.Node, decoded: dict[str, Any] | None = None) -> None:
        self.constants, self.trie = constants, trie
        self.decoded: dict[str, Any] = {} if decoded is None else decoded

    @property
    def root(self) -> bytes:
        """M_σ(σ), 32 octets. Costs what has changed since the root of the state before was asked for."""
        return merkle.root(self.trie)

    def get(self, key: bytes) -> bytes | None:
        """The raw value of a key of 31 octets."""
        return merkle.find(self.trie, key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All raw keys and values in the order of keys."""
        return merkle.items(self.trie)

    def raw(self, name: str) -> bytes:
        """The raw value of a component. Raises CodecError if there is none."""
        value = self.get(COMPONENTS[name].key)
        if value is None:
            raise CodecError("the state has no such component", name)
        return value

    def updated(
        self, components: Mapping[str, Any], entries: Mapping[bytes, bytes | None],
        raw: Mapping[str, bytes] = MappingProxyType({}),
    ) -> State:  # fmt: skip
        """The state with these components, by name, and raw entries of services, of which None takes a key away.

        `raw` has components as octets.
        """
        changes = dict(entries)
        decoded = dict(self.decoded)
        for name, octets in raw.items():
            changes[COMPONENTS[name].key] = octets
            decoded.pop(name, None)
        for name, value in components.items():
            if name in decoded and (decoded[name] is value or decoded[name] == value):
                continue
            row = COMPONENTS[name]
            changes[row.key] = row.codec(self.constants).encode(value)
            decoded[name] = value
        return State(self.constants, merkle.changed(self.trie, changes), decoded)


COMPONENTS: dict[str, Component[Any]] = {
    name: row for name, row in vars(State).items() if isinstance(row, Component)
}


def state_of(entries: Iterable[tuple[bytes, bytes]], constants: Constants) -> State:
    """The state of these raw keys, of 31 octets, and values."""
    return State(constants, merkle.build(entries))
