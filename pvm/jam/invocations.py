"""The invocations of services (B.2 to B.4) on any engine.

In: an engine, constants, what the chain knows. Out: values. The machine is that of A.8 (`pvm.invocation`), and its host
calls are those of `pvm.jam.host_calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from pvm.invocation import Invoked, invoke, service_program
from pvm.jam.accounts import code_size
from pvm.jam.codec import encode_natural
from pvm.jam.constants import Constants
from pvm.jam.context import AccumulateContext, Log
from pvm.jam.host_calls import accumulate as calls
from pvm.jam.host_calls import general
from pvm.jam.host_calls.answer import Function
from pvm.jam.host_calls.fetchable import Fetchable, encode_constants
from pvm.jam.host_calls.handlers import Listener, handlers, other
from pvm.jam.inputs import Input, Transfer
from pvm.jam.partial_state import Accumulated, PartialState
from pvm.machine import AnyEngine, Machine, Reason

ACCUMULATE_PC = 5  # where accumulation starts (B.4)

ACCUMULATE: Mapping[str, Function] = MappingProxyType({
    "gas": general.gas, "fetch": general.fetch, "lookup": general.lookup, "read": general.read,
    "write": general.write, "info": general.info, "log": general.log,
    "bless": calls.bless, "assign": calls.assign, "designate": calls.designate, "checkpoint": calls.checkpoint,
    "new": calls.new, "upgrade": calls.upgrade, "transfer": calls.transfer, "eject": calls.eject,
    "query": calls.query, "solicit": calls.solicit, "forget": calls.forget, "yield": calls.yield_,
    "provide": calls.provide,
})  # fmt: skip
"""The F of Ψ_A (B.4)."""


@dataclass(frozen=True)
class Options:
    """What an invocation may be given besides the paper's arguments.

    `version` is that of the host calls, and has to be the engine's. `log` gets registers and memory at each `log`;
    `listener` every host call; `watch` the machine before it runs; `ended` how the run ended.
    """

    version: str = "0.7.2"
    log: Log | None = None
    listener: Listener | None = None
    watch: Callable[[Machine], object] | None = None
    ended: Callable[[Invoked], object] | None = None


_PLAIN = Options()


def accumulate(
    engine: AnyEngine, constants: Constants, state: PartialState, slot: int, service: int, gas: int,
    inputs: Sequence[Input], entropy: bytes, options: Options = _PLAIN,
) -> Accumulated:  # fmt: skip
    """Ψ_A (B.4): a service accumulates.

    `slot` is τ', which is also H_t; `gas` the limit, `inputs` the transfers to it, then its operands; `entropy` η'_0.
    Nothing that is given changes: the result's accounts are a layer on those of `state`. A service that does not exist
    or has no code takes what is transferred to it, if it exists, and uses no gas.

    Raises InputError where the state has something else than a service's info, and what the engine raises.
    """
    accounts = state.accounts.layer()
    account = accounts.account(service)
    if account is not None:
        amount = sum(one.amount for one in inputs if isinstance(one, Transfer))
        if amount:
            accounts.set_account(service, account._replace(balance=account.balance + amount))
    credited = replace(state, accounts=accounts)
    preimage = state.accounts.code_preimage(service)
    size = code_size(preimage)
    if preimage is None or size is None or size > constants.service_code_size:
        return Accumulated(credited, (), None, 0, ())
    fetchable = Fetchable(encode_constants(constants, options.version), entropy, inputs=inputs)
    context = AccumulateContext(
        constants, options.version, state.accounts, credited, service, slot, entropy, fetchable, options.log
    )  # fmt: skip
    arguments = encode_natural(slot) + encode_natural(service) + encode_natural(len(inputs))
    invoked = _run(engine, preimage, ACCUMULATE_PC, gas, arguments, ACCUMULATE, context, options)
    return context.collapse(invoked.gas_used, invoked.result if isinstance(invoked.result, bytes) else None)


def _run(
    engine: AnyEngine, preimage: bytes, pc: int, gas: int, arguments: bytes, functions: Mapping[str, Function],
    context: object, options: Options,
) -> Invoked:  # fmt: skip
    """Ψ_M with a service's code and its host calls."""
    host = handlers(options.version, functions, context, options.listener)
    invoked = invoke(
        engine, service_program(preimage), pc, gas, arguments, host, other(options.version, options.listener),
        options.watch,
    )  # fmt: skip
    if options.ended is not None:
        options.ended(invoked)
    return invoked


def is_failure(result: bytes | Reason) -> bool:
    """Whether an invocation ended with a panic or out of gas."""
    return isinstance(result, Reason)
