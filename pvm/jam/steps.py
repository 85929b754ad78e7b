"""Files of the public traces of block import: steps (state before, block, state after) and genesis (header, state)."""

from __future__ import annotations

from dataclasses import dataclass

from pvm.errors import CodecError
from pvm.jam.block import Block, Header
from pvm.jam.codec import Reader, codec
from pvm.jam.constants import Constants

Entries = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class RawState:
    """A state as it is written: its root, and the octets of its keys and values, which were looked through."""

    root: bytes
    octets: bytes

    @property
    def entries(self) -> Entries:
        """The keys with their values."""
        return read_entries(Reader(self.octets))


@dataclass(frozen=True)
class Step:
    """One step. The block is left as octets: it may be one that must be refused."""

    before: RawState
    block: bytes
    after: RawState

    @property
    def is_refused(self) -> bool:
        """Whether the block must be refused: it leaves the state as it was."""
        return self.before.root == self.after.root


@dataclass(frozen=True)
class Genesis:
    """The first header of a trace, as octets, and its state."""

    header: bytes
    state: RawState


def read_entries(reader: Reader) -> Entries:
    """Keys of 31 octets and their values. Raises CodecError."""
    take, natural = reader.take, reader.natural
    return tuple([(take(31), take(natural())) for _ in range(reader.count(32))])


def read_step(data: bytes, constants: Constants) -> Step:
    """A step that all of `data` encodes. Raises CodecError."""
    reader = Reader(data)
    before = _state(reader)
    start = reader.position
    codec(Block, constants).read(reader)
    block = data[start : reader.position]
    step = Step(before, block, _state(reader))
    _at_end(reader)
    return step


def read_genesis(data: bytes, constants: Constants) -> Genesis:
    """A genesis that all of `data` encodes. Raises CodecError."""
    reader = Reader(data)
    codec(Header, constants).read(reader)
    header = data[: reader.position]
    genesis = Genesis(header, _state(reader))
    _at_end(reader)
    return genesis


def _state(reader: Reader) -> RawState:
    root, start = reader.take(32), reader.position
    for _ in range(reader.count(32)):
        reader.take(31)
        reader.take(reader.natural())
    return RawState(root, reader.data[start : reader.position])


def _at_end(reader: Reader) -> None:
    if reader.position != reader.end:
        raise CodecError(f"{reader.end - reader.position} octets left over")
