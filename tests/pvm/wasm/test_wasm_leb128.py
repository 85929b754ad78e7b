"""LEB128: round trips, edges, and what must be refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvm.wasm.errors import WasmError
from pvm.wasm.leb128 import read_signed, read_unsigned, signed, unsigned


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_unsigned_round_trip(n: int, before: bytes) -> None:
    encoded = unsigned(n)
    assert read_unsigned(before + encoded + b"\xff", len(before)) == (n, len(before) + len(encoded))


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=3))
def test_signed_round_trip(n: int, before: bytes) -> None:
    encoded = signed(n)
    assert read_signed(before + encoded + b"\xff", len(before), 64) == (n, len(before) + len(encoded))


@pytest.mark.parametrize(
    ("n", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26"), (2**32 - 1, "ffffffff0f")]
)
def test_unsigned_known(n: int, encoded: str) -> None:
    assert unsigned(n).hex() == encoded


@pytest.mark.parametrize(
    ("n", "encoded"),
    [(0, "00"), (63, "3f"), (64, "c000"), (-1, "7f"), (-64, "40"), (-65, "bf7f"), (-123456, "c0bb78")],
)
def test_signed_known(n: int, encoded: str) -> None:
    assert signed(n).hex() == encoded


def test_unsigned_refuses_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        unsigned(-1)


def test_longer_than_needed_is_legal() -> None:
    assert read_unsigned(bytes.fromhex("8380808000"), 0, 32) == (3, 5)
    assert read_signed(bytes.fromhex("feffffff7f"), 0, 32) == (-2, 5)


@pytest.mark.parametrize("encoded", ["", "80", "ffff", "808080808000", "8080808010"])
def test_unsigned_refused(encoded: str) -> None:
    with pytest.raises(WasmError):
        read_unsigned(bytes.fromhex(encoded), 0, 32)


@pytest.mark.parametrize("encoded", ["", "80", "ffffffffff7f", "8080808008", "ffffffff77"])
def test_signed_refused(encoded: str) -> None:
    with pytest.raises(WasmError):
        read_signed(bytes.fromhex(encoded), 0, 32)
