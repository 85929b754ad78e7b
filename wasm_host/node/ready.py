"""Compiled code before it is needed: the engine's own, and that of services in a state.

In: an engine, a state, or two states with a block between them. Out: nothing; what is not ready in time is interpreted.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice

from pvm.errors import InputError, ResourceError
from pvm.invocation import service_program
from pvm.jam import merkle
from pvm.jam.accounts import Accounts
from pvm.jam.state import COMPONENTS, State
from pvm.jam.state_keys import owner_of, service_of
from pvm.machine import AnyEngine
from pvm.program import assemble
from wasm_host.engine import Engine

_CODE_HASH = slice(1, 33)  # in the octets of a service's info
_LEAST_CODE = 14  # octets; requests for preimages have fewer
_COMPONENTS = frozenset(row.key for row in COMPONENTS.values())
_MOST = 16  # services whose code is looked at: as many programs as an engine keeps translations of


def warm_up(engine: AnyEngine) -> None:
    """Compile what every program needs, so that the first block does not wait for it."""
    engine.instantiate(assemble("trap")).run()


def request_services(engine: AnyEngine, state: State) -> None:
    """Have the code of a state's first services translated in the background."""
    if isinstance(engine, Engine):
        found = (service for key, _ in state.items() if (service := service_of(key)) is not None)
        _request(engine, state, islice(found, _MOST))


def request_new_services(engine: AnyEngine, before: State, after: State) -> None:
    """Have code translated in the background that a block has brought: of services that are new or have other code, and
    of those whose preimage has come. Costs what the states differ in."""
    if isinstance(engine, Engine) and before is not after:
        changes = merkle.differences(before.trie, after.trie)
        owners = dict.fromkeys(owner for change in changes if (owner := _with_new_code(*change)) is not None)
        _request(engine, after, islice(owners, _MOST))


def _with_new_code(key: bytes, old: bytes | None, new: bytes | None) -> int | None:
    """The service that may have new code because a value of the state has changed."""
    if new is None:
        return None
    service = service_of(key)
    if service is not None:
        return None if old is not None and old[_CODE_HASH] == new[_CODE_HASH] else service
    return owner_of(key) if old is None and len(new) >= _LEAST_CODE and key not in _COMPONENTS else None


def _request(engine: Engine, state: State, services: Iterable[int]) -> None:
    accounts, seen = Accounts(state), set[bytes]()
    for service in services:
        with suppress(InputError, ResourceError):
            account, preimage = accounts.account(service), accounts.code_preimage(service)
            if account is None or preimage is None or account.code_hash in seen:
                continue
            seen.add(account.code_hash)
            program = service_program(preimage)
            if program is not None:
                engine.request(program)
