"""Cryptography with compiled libraries, against the public vectors and with octets that are no keys."""

from __future__ import annotations

import json

import pytest

from pvm.errors import InputError
from tests.pvm.jam.archives import DATA
from tests.pvm.jam.traces import native_crypto
from wasm_host.node.crypto import NativeCrypto, is_point
from wasm_host.node.points import NAME, ring_points

NO_SUBGROUP = b"\2" + bytes(31)  # on the curve, and not in the prime subgroup


@pytest.fixture(scope="module")
def crypto() -> NativeCrypto:
    return native_crypto()


def test_signatures_at_the_edge_of_validity(crypto: NativeCrypto) -> None:
    """All 196 are valid by ZIP-215."""
    vectors = json.loads((DATA / "crypto" / "ed25519_vectors.json").read_text())
    assert len(vectors) == 196
    for vector in vectors:
        key, message, first, second = (bytes.fromhex(vector[name]) for name in ("pk", "msg", "r", "s"))
        assert crypto.ed25519_verify(key, message, first + second), vector


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, NO_SUBGROUP, b"\3" + bytes(31), bytes(31), b""])
def test_octets_that_are_no_key(crypto: NativeCrypto, key: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert not is_point(key)
    assert crypto.vrf_verify(key, b"input", b"", bytes(96)) is False
    assert crypto.ed25519_verify(key, b"", bytes(63)) is False
    assert capfd.readouterr().err == ""


def test_a_ring_of_octets_that_are_no_keys(crypto: NativeCrypto) -> None:
    """They all stand for the padding point."""
    ring = crypto.ring([b"\xff" * 32] * 6)
    assert ring.commitment == crypto.ring([bytes(32)] * 6).commitment
    assert ring.verify([b"input"], [bytes(784)])() == [False]


def test_points_of_another_size_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("points") / NAME
    with pytest.raises(InputError, match="No such file"):
        ring_points(path)
    path.write_bytes(bytes(100))
    with pytest.raises(InputError, match="has 100 octets"):
        ring_points(path)
