"""Any file of the chain's data as JSON: steps, genesis, states, blocks, headers, reports, packages.

In: octets, and what they are if that is known. Out: values of JSON. Octets are "0x…"; a state has its components by the
paper's letters, the infos of services by their numbers, and their items by state key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pvm.errors import CodecError, InputError
from pvm.jam.block import Block, Header
from pvm.jam.codec import Reader, codec
from pvm.jam.constants import Constants
from pvm.jam.difference import described
from pvm.jam.hashing import blake2b
from pvm.jam.state import COMPONENTS, State, state_of
from pvm.jam.state_keys import owner_of, service_of
from pvm.jam.steps import read_entries, read_genesis, read_step
from pvm.jam.types import WorkPackage, WorkReport

_MOST_NAMES = 30
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def view(data: bytes, constants: Constants, kind: str | None = None) -> tuple[str, Any]:
    """What the octets are, and their value. Raises CodecError where they are not of `kind`, or of no kind."""
    if kind is not None:
        return kind, KINDS[kind](data, constants)
    for name, read in KINDS.items():
        try:
            return name, read(data, constants)
        except CodecError:
            continue
    raise CodecError(f"{len(data)} octets are none of {', '.join(KINDS)} with the parameters {constants.name}")


def select(value: Any, path: str) -> Any:
    """The value at a path such as "after.rho[0].report". Raises InputError, which says what there is instead."""
    for part in _PART.finditer(path):
        name, index = part.groups()
        if isinstance(value, list) and (index or name.isdigit()):
            place = int(index or name)
            if place >= len(value):
                raise InputError(f"{part[0]} in {path}: there are {len(value)} items")
            value = value[place]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise InputError(f"{part[0]} in {path}: {_contents(value)}")
    return value


def _contents(value: Any) -> str:
    if isinstance(value, dict):
        return f"there is {', '.join(list(value)[:_MOST_NAMES])}" if value else "it is empty"
    return f"it has items 0 to {len(value) - 1}" if isinstance(value, list) and value else "there is nothing within"


def state_view(state: State) -> dict[str, Any]:
    """A state. What cannot be decoded is shown as octets."""
    shown: dict[str, Any] = {"root": "0x" + state.root.hex()}
    services: dict[str, Any] = {}
    items: dict[str, dict[str, str]] = {}
    for key, value in state.items():
        name, kind = described(key)
        decoded: Any = "0x" + value.hex()
        if kind is not None:
            each = codec(kind, state.constants)
            with suppress(CodecError):
                decoded = each.to_json(each.decode(value))
        service = service_of(key)
        if name in _LETTERS:
            shown[name] = decoded
        elif service is not None:
            services[str(service)] = decoded
        else:
            items.setdefault(str(owner_of(key)), {})["0x" + key.hex()] = decoded
    return {**shown, "services": services, "items": items}


_LETTERS = {name.rstrip("_") for name in COMPONENTS}


def _step(data: bytes, constants: Constants) -> Any:
    step = read_step(data, constants)
    return {
        "before": state_view(state_of(step.before.entries, constants)),
        "block": _block(step.block, constants),
        "after": state_view(state_of(step.after.entries, constants)),
    }


def _genesis(data: bytes, constants: Constants) -> Any:
    genesis = read_genesis(data, constants)
    return {
        "header": _header(genesis.header, constants),
        "state": state_view(state_of(genesis.state.entries, constants)),
    }


def _state(data: bytes, constants: Constants) -> Any:
    reader = Reader(data)
    entries = read_entries(reader)
    if reader.position != reader.end:
        raise CodecError(f"{reader.end - reader.position} octets left over")
    return state_view(state_of(entries, constants))


def _header(data: bytes, constants: Constants) -> Any:
    each = codec(Header, constants)
    return {"hash": "0x" + blake2b(data).hex(), **each.to_json(each.decode(data))}


def _block(data: bytes, constants: Constants) -> Any:
    each = codec(Block, constants)
    block = each.decode(data)
    octets = codec(Header, constants).encode(block.header)
    return {"hash": "0x" + blake2b(octets).hex(), **each.to_json(block)}


def _plain(kind: Any) -> Callable[[bytes, Constants], Any]:
    def read(data: bytes, constants: Constants) -> Any:
        each = codec(kind, constants)
        return each.to_json(each.decode(data))

    return read


KINDS: dict[str, Callable[[bytes, Constants], Any]] = {
    "step": _step, "genesis": _genesis, "block": _block, "header": _header, "report": _plain(WorkReport),
    "package": _plain(WorkPackage), "state": _state,
}  # fmt: skip
