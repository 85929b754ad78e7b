"""A world as a file that people write: JSON.

In: text. Out: `World`, and a world as data again. Octets are "0x…" in hexadecimal or plain text; code is octets or the
name of a file. Every error is one line with the path of what it is about.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pvm.errors import AddressError, InputError
from pvm.jam.accounts import SERVICE_LIMIT, decode_slots, encode_slots
from pvm.jam.inputs import MEMO_SIZE, Transfer
from pvm.jam.partial_state import Privileges
from pvm.jam.state_keys import request_key
from pvm.jam.testing.outcome import Name
from pvm.jam.testing.world import World
from pvm.machine import AnyEngine
from pvm.suggestions import unknown

_WORLD = ("parameters", "spec", "slot", "entropy", "privileges", "services")
_PRIVILEGES = ("manager", "delegator", "registrar", "assigners", "always")
_SERVICE = (
    "code", "code_hash", "balance", "min_item_gas", "min_memo_gas", "gratis", "storage", "preimages", "requests",
)  # fmt: skip
_REQUEST = ("hash", "length", "slots")
_TRANSFER = ("from", "to", "amount", "gas", "memo")
_U64, _U32 = 1 << 64, SERVICE_LIMIT
DEFAULT_BALANCE = 10**9
DEFAULT_GAS = 10_000_000  # of an item's accumulation: a report's


def read_world(
    text: str, engine: Callable[[str], AnyEngine], folder: Path | None = None, make: type[World] = World
) -> World:
    """The world that a file describes, of the class `make`. `engine` makes the engine of a version.

    Names of files are from `folder` on.

    Raises InputError.
    """
    data = _object(_parse(text), "", _WORLD)
    spec = _text(data.get("spec", "0.7.2"), "spec")
    with _about("spec"):
        made = engine(spec)
    with _about("parameters"):
        world = make(_text(data.get("parameters", "tiny"), "parameters"), spec, made)
    world.slot = _number(data.get("slot", 100), "slot", _U32)
    world.entropy = _hash(data.get("entropy", "0x" + "00" * 32), "entropy")
    world.privileges = _privileges(data.get("privileges", {}), world.constants.cores)
    for number, service in _object(data.get("services", {}), "services").items():
        _deploy(world, number, service, folder)
    return world


def read_transfers(value: Any, where: str) -> list[Transfer]:
    """Transfers, as a list of objects. Raises InputError."""
    found = []
    for index, one in enumerate(_list(value, where)):
        at = f"{where}[{index}]"
        data = _object(one, at, _TRANSFER)
        memo = octets_of(data.get("memo", ""), f"{at}.memo")
        if len(memo) > MEMO_SIZE:
            raise InputError(f"{at}.memo: {len(memo)} octets, but a memo has {MEMO_SIZE}")
        found.append(Transfer(
            _number(data.get("from", 0), f"{at}.from", _U32), _number(_needed(data, "to", at), f"{at}.to", _U32),
            _number(data.get("amount", 0), f"{at}.amount", _U64), memo.ljust(MEMO_SIZE, b"\0"),
            _number(data.get("gas", DEFAULT_GAS), f"{at}.gas", _U64),
        ))  # fmt: skip
    return found


def world_as_dict(world: World) -> dict[str, Any]:
    """The world as `read_world` takes it, as far as keys are known: a state has storage keys only hashed."""
    privileges = world.privileges
    return {
        "parameters": world.constants.name, "spec": world.spec, "slot": world.slot, "entropy": _hex(world.entropy),
        "privileges": {
            "manager": privileges.manager, "delegator": privileges.delegator, "registrar": privileges.registrar,
            "assigners": list(privileges.assigners),
            "always": {str(service): gas for service, gas in privileges.always.items()},
        },
        "services": {str(service.id): _service_as_dict(world, service.id) for service in world.services},
    }  # fmt: skip


def _service_as_dict(world: World, service: int) -> dict[str, Any]:
    accounts, account = world.accounts, world.accounts[service]
    names = [name for name in world.names.values() if name.service == service]
    storage = {
        _hex(name.key): _hex(value) for name in names
        if name.kind == "storage" and (value := accounts.get(name.state_key)) is not None
    }  # fmt: skip
    preimages = [
        _hex(value) for name in names
        if name.kind == "preimage" and (value := accounts.get(name.state_key)) is not None
    ]  # fmt: skip
    requests = [
        {"hash": _hex(name.key), "length": name.length, "slots": list(decode_slots(value))} for name in names
        if name.kind == "request" and (value := accounts.get(name.state_key)) is not None
    ]  # fmt: skip
    return {
        "code_hash": _hex(account.code_hash), "balance": account.balance, "min_item_gas": account.min_item_gas,
        "min_memo_gas": account.min_memo_gas, "gratis": account.gratis, "storage": storage, "preimages": preimages,
        "requests": requests,
    }  # fmt: skip


def _deploy(world: World, number: str, value: Any, folder: Path | None) -> None:
    where = f"services.{number}"
    if not number.isascii() or not number.isdecimal():
        raise InputError(f"services: {number!r} is no service's number")
    data = _object(value, where, _SERVICE)
    code = data.get("code")
    if code is not None:
        code = _text(code, f"{where}.code")
        code = octets_of(code, f"{where}.code") if code.startswith("0x") else (folder or Path()) / code
    storage = {
        octets_of(key, f"{where}.storage"): octets_of(item, f"{where}.storage.{key}")
        for key, item in _object(data.get("storage", {}), f"{where}.storage").items()
    }
    preimages = [
        octets_of(one, f"{where}.preimages[{index}]")
        for index, one in enumerate(_list(data.get("preimages", []), f"{where}.preimages"))
    ]
    numbers: dict[str, Any] = {
        name: _number(data[name], f"{where}.{name}", _U64)
        for name in ("balance", "min_item_gas", "min_memo_gas", "gratis") if name in data
    }  # fmt: skip
    with _about(where):
        service = world.deploy(code, storage=storage, id=int(number), preimages=preimages, **numbers)
    accounts, account = world.accounts, service.account
    for index, one in enumerate(_list(data.get("requests", []), f"{where}.requests")):
        at = f"{where}.requests[{index}]"
        request = _object(one, at, _REQUEST)
        digest, length = _hash(_needed(request, "hash", at), f"{at}.hash"), request.get("length", 0)
        length = _number(length, f"{at}.length", _U32)
        slots = tuple(_number(slot, f"{at}.slots", _U32) for slot in _list(request.get("slots", []), f"{at}.slots"))
        if len(slots) > 3:
            raise InputError(f"{at}.slots: {len(slots)}, but there are three at most")
        if accounts.request(service.id, digest, length) is None:
            account = account.with_request(length)
        accounts.set(request_key(service.id, digest, length), encode_slots(slots))
        world.know(Name(service.id, "request", digest, length))
    if "code_hash" in data:
        account = account._replace(code_hash=_hash(data["code_hash"], f"{where}.code_hash"))
    accounts.set_account(service.id, account)


def _privileges(value: Any, cores: int) -> Privileges:
    data = _object(value, "privileges", _PRIVILEGES)
    one = {name: _number(data.get(name, 0), f"privileges.{name}", _U32) for name in _PRIVILEGES[:3]}
    assigners = _list(data.get("assigners", [0] * cores), "privileges.assigners")
    if len(assigners) != cores:
        raise InputError(f"privileges.assigners: {len(assigners)}, but there are {cores} cores")
    always = _object(data.get("always", {}), "privileges.always")
    free = {}
    for service, gas in always.items():
        if not service.isascii() or not service.isdecimal() or int(service) >= _U32:
            raise InputError(f"privileges.always: {service!r} is no service's number")
        free[int(service)] = _number(gas, f"privileges.always.{service}", _U64)
    return Privileges(
        **one, assigners=tuple(_number(each, "privileges.assigners", _U32) for each in assigners), always=free
    )


# --- values ----------------------------------------------------------------------------------------------------------


def octets_of(value: Any, where: str) -> bytes:
    """The octets of a text: hexadecimal after "0x", else its UTF-8. Raises InputError."""
    text = _text(value, where)
    if not text.startswith("0x"):
        return text.encode("utf-8", "surrogatepass")
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise InputError(f"{where}: no hexadecimal after 0x") from None


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"no JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):
        raise InputError("no JSON: numbers too long, or too deep") from None


def _object(value: Any, where: str, known: Iterable[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where or 'world'}: an object is needed")
    if known is not None:
        names = list(known)
        for name in value:
            if name not in names:
                raise InputError(f"{where + ': ' if where else ''}{unknown('field', name, names)}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{where}: a list is needed")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where}: text is needed")
    return value


def _number(value: Any, where: str, limit: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
        raise InputError(f"{where}: a number from 0 to 2^{limit.bit_length() - 1} - 1 is needed")
    return value


def _hash(value: Any, where: str) -> bytes:
    data = octets_of(value, where)
    if len(data) != 32:
        raise InputError(f"{where}: 32 octets are needed, not {len(data)}")
    return data


def _needed(data: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in data:
        raise InputError(f"{where}: it has no {name!r}")
    return data[name]


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


@contextmanager
def _about(where: str) -> Any:
    """Errors get the path of what they are about."""
    try:
        yield
    except (InputError, AddressError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{where}: {first}") from None
