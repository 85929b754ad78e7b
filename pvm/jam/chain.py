"""Chains of blocks (section 5): the states that blocks may be applied to, forks, and ancestors (5.3).

In: a first header with its state, then blocks. Out: the state after each. Every block is applied to its parent's state,
and siblings leave each other alone. The states last used are kept, up to a number; they share what they have in common.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from pvm.errors import CodecError
from pvm.jam.errors import HeaderError
from pvm.jam.header import Received, receive
from pvm.jam.safrole import without_offenders
from pvm.jam.state import State
from pvm.jam.transition import Host, transition
from pvm.jam.types import Hash

KEPT = 256  # states


class Ancestor:
    """A header in the chain of those before it."""

    __slots__ = ("hash", "parent", "slot")

    def __init__(self, hash: Hash, slot: int, parent: Ancestor | None) -> None:
        self.hash, self.slot, self.parent = hash, slot, parent


class Ancestors(Mapping[Hash, int]):
    """The slots by hash of a header and its ancestors back to a slot, found when first asked for."""

    def __init__(self, head: Ancestor | None, since: int) -> None:
        self._head, self._since = head, since
        self._slots: dict[Hash, int] | None = None

    def _found(self) -> dict[Hash, int]:
        if self._slots is None:
            self._slots, each = {}, self._head
            while each is not None and each.slot >= self._since:
                self._slots[each.hash] = each.slot
                each = each.parent
        return self._slots

    def __getitem__(self, key: Hash) -> int:
        return self._found()[key]

    def __iter__(self) -> Iterator[Hash]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())


@dataclass(frozen=True)
class Imported:
    """A block whose state is known."""

    hash: Hash
    slot: int
    state: State
    ancestor: Ancestor


class Chain:
    """The states of one first header and of the blocks after it.

    With `ancestry`, pairs of slot and header hash up to the first header, lookup anchors must be known ancestors
    (11.35); without it (None) they are not looked up.
    """

    def __init__(
        self, host: Host, header_hash: Hash, slot: int, state: State,
        ancestry: Iterable[tuple[int, Hash]] | None = None, kept: int = KEPT,
    ) -> None:  # fmt: skip
        self._host, self._kept = host, kept
        self._knows_ancestors = ancestry is not None
        before: Ancestor | None = None
        for earlier_slot, earlier in sorted(ancestry or ()):
            if earlier != header_hash:
                before = Ancestor(earlier, earlier_slot, before)
        first = Imported(header_hash, slot, state, Ancestor(header_hash, slot, before))
        self._imported: OrderedDict[Hash, Imported] = OrderedDict({header_hash: first})
        self._since_trimmed = 0

    def prepare(self) -> None:
        """Make the rings of this epoch and the next one, which blocks would wait for."""
        state = next(reversed(self._imported.values())).state
        with suppress(CodecError):
            for validators in (state.gamma.gamma_k, without_offenders(state.iota, state.psi.offenders)):
                self._host.crypto.ring([validator.bandersnatch for validator in validators]).commitment  # noqa: B018

    def state(self, header_hash: Hash) -> State | None:
        """The state after a block, by its header's hash; None if it is not known, or not any more."""
        imported = self._imported.get(header_hash)
        return None if imported is None else imported.state

    def import_block(self, data: bytes) -> Imported:
        """Apply a block to its parent's state. A refused block leaves everything as it was.

        Raises CodecError for octets that are no block, BlockError for a rule that is broken.
        """
        return self.import_received(receive(data, self._host.constants))

    def import_received(self, received: Received) -> Imported:
        """Apply a decoded block to its parent's state. Raises BlockError."""
        header = received.block.header
        parent = self._imported.get(header.parent)
        if parent is None:
            raise HeaderError("unknown_parent", header.parent.hex())
        since = header.slot - self._host.constants.lookup_anchor_age
        ancestors = Ancestors(parent.ancestor, since) if self._knows_ancestors else None
        state = transition(parent.state, received, self._host, ancestors)
        imported = Imported(received.hash, header.slot, state, Ancestor(received.hash, header.slot, parent.ancestor))
        self._keep(parent, imported)
        return imported

    def _keep(self, parent: Imported, imported: Imported) -> None:
        """Keep what is used; a parent counts as used, so that no number of its children drives it out."""
        self._imported[imported.hash] = imported
        self._imported.move_to_end(imported.hash)
        self._imported.move_to_end(parent.hash)
        while len(self._imported) > self._kept:
            self._imported.popitem(last=False)
        self._since_trimmed += 1
        if self._since_trimmed >= self._kept:
            self._since_trimmed = 0
            _trim(imported.ancestor, imported.slot - self._host.constants.lookup_anchor_age)


def _trim(head: Ancestor, since: int) -> None:
    """Forget ancestors before a slot."""
    each: Ancestor | None = head
    while each is not None and each.slot >= since:
        each = each.parent
    if each is not None:
        each.parent = None
