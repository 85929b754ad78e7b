"""Keccak-256 in plain Python."""

from __future__ import annotations

import pytest

from pvm.jam.crypto.keccak import keccak_256


def test_known_digests() -> None:
    assert keccak_256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak_256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


@pytest.mark.parametrize("size", [1, 135, 136, 137, 272, 1000])
def test_a_library_agrees(size: int) -> None:
    library = pytest.importorskip("Crypto.Hash.keccak")
    data = bytes(index % 251 for index in range(size))
    assert keccak_256(data) == library.new(digest_bits=256, data=data).digest()
