"""Cryptography with compiled libraries: Bandersnatch of `bandersnatch-vrfs`, Ed25519 of `ed25519-zebra`, Keccak.

They come with the extra `jam`. Checks of several proofs run in threads, for which the library releases the interpreter.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar

from pvm.errors import InputError
from pvm.jam.crypto import claimed_output
from pvm.jam.crypto.keccak import keccak_256

T = TypeVar("T")

_RINGS = 8  # kept: the current epoch's, the next one's, those of forks
_FIELD = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
_NO_SQUARE = 5
_ORDER = 13108968793781547619861935127046491459309155893440570251786403306729687672801  # of the prime subgroup
_A = -5
_D = 138827208126141220649022263972958607803 * pow(171449701953573178309673572579671231137, -1, _FIELD) % _FIELD


class NativeRing:
    """A ring of keys. Its context takes 40 ms for 6 keys: it is begun in a thread, and waited for when needed."""

    def __init__(self, context: Future[Any], pool: ThreadPoolExecutor) -> None:
        self._context, self._pool = context, pool

    @property
    def commitment(self) -> bytes:
        """γ_z, 144 octets."""
        return bytes(self._context.result().commitment)

    def verify(self, inputs: Sequence[bytes], proofs: Sequence[bytes]) -> Callable[[], Sequence[bool]]:
        """See `pvm.jam.crypto.Ring`."""
        futures = [self._pool.submit(self._verify, *each) for each in zip(inputs, proofs, strict=True)]
        return lambda: [future.result() for future in futures]

    def _verify(self, vrf_input: bytes, proof: bytes) -> bool:
        verify = self._context.result().ring_vrf_verify
        return _guarded(lambda: bytes(verify(vrf_input, b"", proof))[:32]) == claimed_output(proof)


class NativeCrypto:
    """The `Crypto` of natively running nodes. `points` are those of `wasm_host.node.points`."""

    def __init__(self, points: bytes) -> None:
        try:
            import bandersnatch_vrfs
            import ed25519_zebra
        except ImportError as error:
            raise InputError(f"{error.name} is needed: install pvm-wasm[jam]") from None
        self._points = points
        self._vrf, self._ring = bandersnatch_vrfs.ietf_vrf_verify, bandersnatch_vrfs.RingContext
        self._ed25519 = ed25519_zebra.ed_verify
        self._keccak = _keccak_library()
        # Contexts have a thread of their own: proofs that wait for one must not keep it from being made.
        self._pool = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "jam-proofs")
        self._builder = ThreadPoolExecutor(1, "jam-rings")
        self._rings: OrderedDict[tuple[bytes, ...], NativeRing] = OrderedDict()
        self._lock = Lock()

    def ed25519_verify(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """See `pvm.jam.crypto.Crypto`."""
        return _guarded(lambda: bool(self._ed25519(signature, message, key))) or False

    def keccak(self, data: bytes) -> bytes:
        """Keccak-256."""
        return self._keccak(data)

    def vrf_verify(self, key: bytes, vrf_input: bytes, message: bytes, signature: bytes) -> bool:
        """See `pvm.jam.crypto.Crypto`."""
        if not is_point(key):
            return False
        output = _guarded(lambda: bytes(self._vrf(key, vrf_input, message, signature))[:32])
        return output == claimed_output(signature)

    def ring(self, keys: Sequence[bytes]) -> NativeRing:
        """The ring of these keys, kept for the next who asks. Asking ahead of time has it made in the background."""
        key = tuple(keys)
        with self._lock:
            ring = self._rings.get(key)
            if ring is None:
                context = self._builder.submit(lambda: self._ring(self._points, list(key)))
                ring = self._rings[key] = NativeRing(context, self._pool)
                while len(self._rings) > _RINGS:
                    self._rings.popitem(last=False)
            self._rings.move_to_end(key)
        return ring

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """Have work done in a thread. See `pvm.jam.crypto.Crypto`."""
        return self._pool.submit(work).result


@lru_cache(4096)
def is_point(key: bytes) -> bool:
    """Whether 32 octets encode a point of Bandersnatch's prime subgroup.

    The library panics at others, and reports that on stderr. Takes about 2 ms, once a key.
    """
    number = int.from_bytes(key, "little")
    y = number & ((1 << 255) - 1)
    if len(key) != 32 or y >= _FIELD:
        return False
    x = _square_root((1 - y * y) * pow(_A - _D * y * y, -1, _FIELD) % _FIELD)
    return x is not None and _times_order(x, y) == (0, 1)


def _square_root(square: int) -> int | None:
    """A root modulo the field's prime, by Tonelli and Shanks; None for what is no square."""
    if square == 0:
        return 0
    if pow(square, (_FIELD - 1) // 2, _FIELD) != 1:
        return None
    odd, twos = (_FIELD - 1) >> 32, 32
    factor = pow(_NO_SQUARE, odd, _FIELD)
    root, rest = pow(square, (odd + 1) // 2, _FIELD), pow(square, odd, _FIELD)
    while rest != 1:
        order, power = 0, rest
        while power != 1:
            power, order = power * power % _FIELD, order + 1
        step = pow(factor, 1 << (twos - order - 1), _FIELD)
        root, factor = root * step % _FIELD, step * step % _FIELD
        rest, twos = rest * factor % _FIELD, order
    return root


def _times_order(x: int, y: int) -> tuple[int, int] | None:
    """The point (x, y) of the twisted Edwards curve times the subgroup's order; None for a point at infinity."""
    result, point = (0, 1, 1), (x, y, 1)
    for bit in f"{_ORDER:b}":
        result = _sum(result, result)
        if bit == "1":
            result = _sum(result, point)
    if result[2] == 0:
        return None
    inverse = pow(result[2], -1, _FIELD)
    return result[0] * inverse % _FIELD, result[1] * inverse % _FIELD


def _sum(p: tuple[int, int, int], q: tuple[int, int, int]) -> tuple[int, int, int]:
    """Addition of projective points (Bernstein and others, 2008)."""
    a = p[2] * q[2] % _FIELD
    b, c, d = a * a % _FIELD, p[0] * q[0] % _FIELD, p[1] * q[1] % _FIELD
    e = _D * c * d % _FIELD
    f, g = b - e, b + e
    x = a * f * ((p[0] + p[1]) * (q[0] + q[1]) - c - d) % _FIELD
    return x, a * g * (d - _A * c) % _FIELD, f * g % _FIELD


def _guarded(check: Callable[[], T]) -> T | None:
    """What a library's check answers; None where it refuses, also by a panic, which is no Exception."""
    try:
        return check()
    except (ValueError, TypeError):
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None


def _keccak_library() -> Callable[[bytes], bytes]:
    try:
        from Crypto.Hash import keccak
    except ImportError:
        return keccak_256
    return lambda data: bytes(keccak.new(digest_bits=256, data=data).digest())
