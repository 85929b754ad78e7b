"""Reads the public vectors of single state transitions: input, prior state, output, posterior state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pvm.jam.codec import Codec, Custom, Reader, codec
from pvm.jam.constants import PARAMETERS, Constants
from pvm.jam.signatures import Check, at_once
from pvm.jam.types import U32, ByteSequence, Hash
from tests.pvm.jam.archives import members


@dataclass(frozen=True)
class Blob:
    """A preimage of an account, as the vectors write it."""

    hash: Hash
    blob: ByteSequence


@dataclass(frozen=True)
class Request:
    """A preimage that an account asks for."""

    hash: Hash
    length: U32
    slots: tuple[U32, ...]


@dataclass(frozen=True)
class Outcome(Custom):
    """The codec of an output: ok with a value of `kind` (None: nothing), or an error by its number."""

    kind: Any
    errors: tuple[str, ...]

    def build(self, base: Any, constants: Constants) -> Codec:
        ok = None if self.kind is None else codec(self.kind, constants)

        def read(reader: Reader) -> tuple[Any, str | None]:
            if reader.take(1)[0]:
                return None, self.errors[reader.take(1)[0]]
            return None if ok is None else ok.read(reader), None

        return Codec(read, lambda value, out: None, 1, str)


@dataclass(frozen=True)
class Nothing(Custom):
    """The codec of an output that is not there."""

    def build(self, base: Any, constants: Constants) -> Codec:
        return Codec(lambda reader: None, lambda value, out: None, 0, str)


NOTHING = Annotated[None, Nothing()]


def outcome(kind: Any, errors: str) -> Any:
    """The annotation of an output: what is ok, and the names of errors in their order."""
    return Annotated[Any, Outcome(kind, tuple(errors.split()))]


@dataclass(frozen=True)
class Case:
    """One vector. `ok` and `error` are its output, of which one is set at most."""

    name: str
    constants: Constants
    input: Any
    before: Any
    ok: Any
    error: str | None
    after: Any


def cases(kind: str, given: Any, state: Any, output: Any) -> Iterator[Case]:
    """All cases of a kind, "tiny" then "full"; skips the test where the data are missing."""
    for folder in ("stf", "stf-full"):
        for name, data in members(f"{folder}/{kind}", ".bin"):
            constants = PARAMETERS[name.split("/")[1]]
            reader = Reader(data)
            values = [codec(each, constants).read(reader) for each in (given, state, output, state)]
            assert reader.position == reader.end, name
            ok, error = values[2] or (None, None)
            yield Case(name, constants, values[0], values[1], ok, error, values[3])


def ed25519() -> Check:
    """The check with the library that the extra `jam` brings; skips the test without it."""
    import pytest

    library = pytest.importorskip("ed25519_zebra")
    return at_once(lambda key, message, signature: bool(library.ed_verify(signature, message, key)))


def keccak(data: bytes) -> bytes:
    """Keccak-256 of the library that the extra `jam` brings; skips the test without it."""
    import pytest

    return bytes(pytest.importorskip("Crypto.Hash.keccak").new(digest_bits=256, data=data).digest())
