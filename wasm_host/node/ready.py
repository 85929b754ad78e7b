"""Compiled code before it is needed: the engine's own, and that of services in a state.

In: an engine, a state. Out: nothing; what is not ready in time is interpreted.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice

from pvm.errors import InputError, ResourceError
from pvm.invocation import service_program
from pvm.jam.accounts import Accounts
from pvm.jam.state import State
from pvm.jam.state_keys import service_of
from pvm.machine import AnyEngine
from pvm.program import assemble
from wasm_host.engine import Engine

_MOST = 16  # services whose code is looked at: as many programs as an engine keeps translations of


def warm_up(engine: AnyEngine) -> None:
    """Compile what every program needs, so that the first block does not wait for it."""
    engine.instantiate(assemble("trap")).run()


def request_services(engine: AnyEngine, state: State) -> None:
    """Have the code of a state's first services translated in the background."""
    if not isinstance(engine, Engine):
        return
    accounts, seen = Accounts(state), set[bytes]()
    found = (service for key, _ in state.items() if (service := service_of(key)) is not None)
    for service in islice(found, _MOST):
        with suppress(InputError, ResourceError):
            account, preimage = accounts.account(service), accounts.code_preimage(service)
            if account is None or preimage is None or account.code_hash in seen:
                continue
            seen.add(account.code_hash)
            program = service_program(preimage)
            if program is not None:
                engine.request(program)
