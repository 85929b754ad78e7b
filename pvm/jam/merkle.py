"""The state trie (Gray Paper, appendix D.2) as persistent nodes: a change makes new nodes on its path alone.

A trie is a node: None (empty), `Leaf` or `Branch`. Nodes never change, so that tries share what they have in common,
and each keeps its hash once that was asked for. A root therefore costs what has changed since the last one. Depth is at
most 248, whatever the keys. Bits of an octet come most significant first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b

from pvm.jam.types import ZERO_HASH

KEY_OCTETS = 31
_BITS = 8 * KEY_OCTETS


class Leaf:
    """A key, as a number of 248 bits, and its value."""

    __slots__ = ("_hash", "key", "value")

    def __init__(self, key: int, value: bytes) -> None:
        self.key, self.value = key, value
        self._hash: bytes | None = None

    @property
    def hash(self) -> bytes:
        """The hash of L(k, v)."""
        if self._hash is None:
            key, value = self.key.to_bytes(KEY_OCTETS, "big"), self.value
            if len(value) <= 32:
                node = bytes((0x80 | len(value),)) + key + value.ljust(32, b"\0")
            else:
                node = b"\xc0" + key + blake2b(value, digest_size=32).digest()
            self._hash = blake2b(node, digest_size=32).digest()
        return self._hash


class Branch:
    """Two tries, of which at least one holds something: keys with bit 0, and with bit 1."""

    __slots__ = ("_hash", "left", "right")

    def __init__(self, left: Node, right: Node) -> None:
        self.left, self.right = left, right
        self._hash: bytes | None = None

    @property
    def hash(self) -> bytes:
        """The hash of B(l, r)."""
        if self._hash is None:
            left = ZERO_HASH if self.left is None else self.left.hash
            right = ZERO_HASH if self.right is None else self.right.hash
            self._hash = blake2b(bytes((left[0] & 0x7F,)) + left[1:] + right, digest_size=32).digest()
        return self._hash


Node = Leaf | Branch | None
_Changes = list[tuple[int, bytes | None]]


def root(trie: Node) -> bytes:
    """M: the trie's root, 32 octets."""
    return ZERO_HASH if trie is None else trie.hash


def find(trie: Node, key: bytes) -> bytes | None:
    """The value of a key of 31 octets, None if there is none."""
    number = int.from_bytes(key, "big")
    shift = _BITS - 1
    while type(trie) is Branch:
        trie = trie.right if number >> shift & 1 else trie.left
        shift -= 1
    return trie.value if type(trie) is Leaf and trie.key == number else None


def changed(trie: Node, changes: Mapping[bytes, bytes | None]) -> Node:
    """The trie with other values for these keys of 31 octets; None takes a key away."""
    ordered = [(int.from_bytes(key, "big"), changes[key]) for key in sorted(changes)]
    return _changed(trie, ordered, 0, len(ordered), _BITS - 1) if ordered else trie


def build(entries: Iterable[tuple[bytes, bytes]]) -> Node:
    """The trie of these keys of 31 octets and their values; of a key that occurs twice, the last one counts."""
    return changed(None, dict(entries))


def items(trie: Node) -> Iterator[tuple[bytes, bytes]]:
    """All keys and values in the order of keys."""
    waiting = [trie]
    while waiting:
        node = waiting.pop()
        if type(node) is Leaf:
            yield node.key.to_bytes(KEY_OCTETS, "big"), node.value
        elif type(node) is Branch:
            waiting += (node.right, node.left)


def differences(before: Node, after: Node) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Keys whose values differ, with the value before and after. Subtries that both share cost nothing."""
    waiting = [(before, after)]
    while waiting:
        old, new = waiting.pop()
        if old is new:
            continue
        if type(old) is Branch and type(new) is Branch:
            waiting += ((old.right, new.right), (old.left, new.left))
            continue
        olds, news = dict(items(old)), dict(items(new))
        for key in sorted(olds.keys() | news.keys()):
            if olds.get(key) != news.get(key):
                yield key, olds.get(key), news.get(key)


def _changed(node: Node, changes: _Changes, low: int, high: int, shift: int) -> Node:
    """With the changes from `low` to `high`: one at least, in order, as the node's keys in all bits above `shift`."""
    if type(node) is not Branch:
        some = changes[low:high]
        if type(node) is Leaf:
            key = node.key
            if len(some) == 1 and some[0][0] == key:
                value = some[0][1]
                return None if value is None else node if value == node.value else Leaf(key, value)
            if all(change[0] != key for change in some):
                some = sorted([*some, (key, node.value)])
        kept = [(key, value) for key, value in some if value is not None]
        return _built(kept, 0, len(kept), shift)
    middle = _split(changes, low, high, shift)
    left = _changed(node.left, changes, low, middle, shift - 1) if low < middle else node.left
    right = _changed(node.right, changes, middle, high, shift - 1) if middle < high else node.right
    if left is node.left and right is node.right:
        return node
    if left is None and type(right) is not Branch:
        return right
    if right is None and type(left) is not Branch:
        return left
    return Branch(left, right)


def _built(entries: list[tuple[int, bytes]], low: int, high: int, shift: int) -> Node:
    if high - low < 2:
        return Leaf(*entries[low]) if low < high else None
    middle = _split(entries, low, high, shift)
    return Branch(_built(entries, low, middle, shift - 1), _built(entries, middle, high, shift - 1))


def _split(entries: Sequence[tuple[int, object]], low: int, high: int, shift: int) -> int:
    """Where the entries with bit 1 at `shift` begin, between `low` and `high`."""
    while low < high:
        middle = (low + high) // 2
        if entries[middle][0] >> shift & 1:
            high = middle
        else:
            low = middle + 1
    return low
