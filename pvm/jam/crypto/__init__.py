"""What the state transition needs of cryptography, as an interface: hosts bring the libraries.

All checks answer; none raises for what a stranger signed. Keys, signatures and messages are octets of any content.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha512
from typing import Protocol, TypeVar

from pvm.jam.crypto.keccak import keccak_256

T = TypeVar("T")


_SUITE = b"Bandersnatch_SHA-512_ELL2"
_POINT = 32  # octets


def claimed_output(signature: bytes) -> bytes:
    """The VRF output, 32 octets, of a Bandersnatch signature or ring proof, if it is valid (appendix G; RFC 9381, 5.2).

    It is the hash of the point that both begin with. So whoever needs the output need not wait for the check.
    """
    return sha512(_SUITE + b"\3" + signature[:_POINT] + b"\0").digest()[:32]


class Ring(Protocol):
    """A set of Bandersnatch keys, of which one may sign without saying which (appendix G)."""

    @property
    def commitment(self) -> bytes:
        """The ring root, γ_z: 144 octets."""
        ...

    def verify(self, inputs: Sequence[bytes], proofs: Sequence[bytes]) -> Callable[[], Sequence[bool]]:
        """For each VRF input and its proof (784 octets): whether the proof is valid.

        That is what the function returned answers, so that a host may check proofs beside other work until then.
        """
        ...


class Crypto(Protocol):
    """Signatures and hashes."""

    def ed25519_verify(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether an Ed25519 signature is valid by ZIP-215."""
        ...

    def keccak(self, data: bytes) -> bytes:
        """Keccak-256."""
        ...

    def vrf_verify(self, key: bytes, vrf_input: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a Bandersnatch VRF signature (96 octets) over a message is valid."""
        ...

    def ring(self, keys: Sequence[bytes]) -> Ring:
        """The ring of these Bandersnatch keys. A key that is no point stands for the padding point."""
        ...


    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin work that may be done beside other work. The function returned waits for what it returns or raises."""
        ...


class NoSignatures:
    """Hashes alone: every signature is taken as wrong. For what needs no signature."""

    def ed25519_verify(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """False."""
        return False

    def keccak(self, data: bytes) -> bytes:
        """Keccak-256."""
        return keccak_256(data)

    def vrf_verify(self, key: bytes, vrf_input: bytes, message: bytes, signature: bytes) -> bool:
        """False."""
        return False

    def ring(self, keys: Sequence[bytes]) -> Ring:
        """Raises NotImplementedError: a commitment cannot be made up."""
        raise NotImplementedError("ring commitments need a library for Bandersnatch")

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """The work itself: it is done when it is asked for."""
        return work
