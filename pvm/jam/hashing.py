"""The hash of the Gray Paper (3.8.1): Blake2b of 256 bits."""

from __future__ import annotations

from hashlib import blake2b as _blake2b


def blake2b(data: bytes) -> bytes:
    """H: 32 octets."""
    return _blake2b(data, digest_size=32).digest()
