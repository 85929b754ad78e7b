"""Keys of the serialized state: the paper's C (D.1), 31 octets each.

In: the number of a component, a service, what a service keeps. Out: the key under which the state has it. The last four
functions are the four rows of T that belong to services: their info, storage, preimages and requests.
"""

from __future__ import annotations

from hashlib import blake2b

KEY_SIZE = 31  # octets
ACCOUNT = 255  # the chapter of accounts' infos

_STORAGE = b"\xff\xff\xff\xff"  # E_4(2^32 - 1)
_PREIMAGE = b"\xfe\xff\xff\xff"  # E_4(2^32 - 2)
_AFTER_SERVICE = bytes(22)


def component_key(number: int) -> bytes:
    """C(i) of a component of the state, 1 to 16."""
    return bytes((number,)) + bytes(KEY_SIZE - 1)


def account_key(service: int) -> bytes:
    """C(255, s): a service's info. Raises OverflowError unless 0 <= service < 2^32."""
    a, b, c, d = service.to_bytes(4, "little")
    return bytes((ACCOUNT, a, 0, b, 0, c, 0, d, 0)) + _AFTER_SERVICE


def service_of(key: bytes) -> int | None:
    """The service whose info has this key; None for any other key."""
    if len(key) != KEY_SIZE or key[0] != ACCOUNT or any(key[2:9:2]) or any(key[9:]):
        return None
    return int.from_bytes(key[1:8:2], "little")


def owner_of(key: bytes) -> int:
    """The service that an item's key, C(s, h), names."""
    return int.from_bytes(key[0:7:2], "little")


def item_key(service: int, data: bytes) -> bytes:
    """C(s, h): an item of a service, by what is hashed for its key."""
    n = service.to_bytes(4, "little")
    a = blake2b(data, digest_size=32).digest()
    return bytes((n[0], a[0], n[1], a[1], n[2], a[2], n[3], a[3])) + a[4:27]


def storage_key(service: int, key: bytes) -> bytes:
    """Of a storage item, by the service's own key for it, of any length."""
    return item_key(service, _STORAGE + key)


def preimage_key(service: int, digest: bytes) -> bytes:
    """Of a preimage, by its blake2b-256 hash."""
    return item_key(service, _PREIMAGE + digest)


def request_key(service: int, digest: bytes, length: int) -> bytes:
    """Of a request for a preimage, by its hash and its length, below 2^32."""
    return item_key(service, length.to_bytes(4, "little") + digest)
