"""Messages of the fuzz protocol, version 1: a kind in one octet, then its content in JAM's codec.

In: octets of strangers. Out: values, and octets. On the wire each message follows its length in four octets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pvm.errors import CodecError
from pvm.jam.block import Header
from pvm.jam.codec import Reader, codec, encode_natural
from pvm.jam.constants import Constants
from pvm.jam.steps import Entries, read_entries
from pvm.jam.types import U8, U32, ByteSequence, Hash

PEER_INFO, INITIALIZE, STATE_ROOT, IMPORT_BLOCK, GET_STATE, STATE, ERROR = 0, 1, 2, 3, 4, 5, 255
ANCESTRY, FORKS = 1, 2  # features
VERSION = 1
MOST_ENTRIES = 1 << 19  # of a state that is set: each takes 300 octets besides key and value
_LONGEST_TEXT = 400  # octets of an error


@dataclass(frozen=True, slots=True)
class Version:
    """Three numbers."""

    major: U8
    minor: U8
    patch: U8


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """Who talks, and which features it has. `app_name` is UTF-8."""

    fuzz_version: U8
    fuzz_features: U32
    jam_version: Version
    app_version: Version
    app_name: ByteSequence


@dataclass(frozen=True, slots=True)
class AncestryItem:
    """A header before the first."""

    slot: U32
    header_hash: Hash


@dataclass(frozen=True)
class Initialize:
    """A header as octets with its slot, the state after it, and the headers up to it."""

    header: bytes
    slot: int
    entries: Entries
    ancestry: tuple[AncestryItem, ...]


def decode_peer_info(content: bytes, constants: Constants) -> PeerInfo:
    """The content of a PeerInfo. Raises CodecError."""
    info: PeerInfo = codec(PeerInfo, constants).decode(content)
    return info


def decode_initialize(content: bytes, constants: Constants) -> Initialize:
    """The content of an Initialize. Raises CodecError, also where a key of the state occurs twice."""
    reader = Reader(content, most=MOST_ENTRIES)
    header: Header = codec(Header, constants).read(reader)
    octets = content[: reader.position]
    entries = read_entries(reader)
    if len(dict(entries)) != len(entries):
        raise CodecError("a key occurs twice", "keyvals")
    ancestry = codec(tuple[AncestryItem, ...], constants).read(reader)
    if reader.position != reader.end:
        raise CodecError(f"{reader.end - reader.position} octets left over")
    return Initialize(octets, header.slot, entries, ancestry)


def encode_peer_info(info: PeerInfo, constants: Constants) -> bytes:
    """A PeerInfo."""
    return bytes((PEER_INFO,)) + codec(PeerInfo, constants).encode(info)


def encode_state_root(root: bytes) -> bytes:
    """A StateRoot."""
    return bytes((STATE_ROOT,)) + root


def encode_state(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A State."""
    parts = [key + encode_natural(len(value)) + value for key, value in entries]
    return bytes((STATE,)) + encode_natural(len(parts)) + b"".join(parts)


def encode_error(text: str) -> bytes:
    """An Error. Its text is cut to 400 octets."""
    data = text.encode("utf-8", "replace")[:_LONGEST_TEXT].decode("utf-8", "ignore").encode()
    return bytes((ERROR,)) + encode_natural(len(data)) + data
