"""The invocations of services (B.2 to B.4) on any engine.

In: an engine, constants, what the chain knows. Out: values. The machine is that of A.8 (`pvm.invocation`), and its host
calls are those of `pvm.jam.host_calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from types import MappingProxyType

from pvm.invocation import Invoked, invoke, service_program
from pvm.jam.accounts import Accounts, code_size
from pvm.jam.codec import encode_natural
from pvm.jam.constants import Constants
from pvm.jam.context import AccumulateContext, Context, Log, RefineContext
from pvm.jam.host_calls import accumulate as calls
from pvm.jam.host_calls import general
from pvm.jam.host_calls import refine as inner
from pvm.jam.host_calls.answer import Function
from pvm.jam.host_calls.fetchable import EncodedPackage, Fetchable, encode_constants
from pvm.jam.host_calls.handlers import Listener, handlers, other
from pvm.jam.inputs import Input, Transfer, WorkError, WorkResult
from pvm.jam.partial_state import Accumulated, PartialState
from pvm.jam.types import WorkPackage
from pvm.machine import AnyEngine, Machine, Reason

ACCUMULATE_PC = 5  # where accumulation starts (B.4)

IS_AUTHORIZED: Mapping[str, Function] = MappingProxyType({
    "gas": general.gas, "grow_heap": general.grow_heap, "fetch": general.fetch, "log": general.log,
})  # fmt: skip
"""The F of Ψ_I (B.2)."""

REFINE: Mapping[str, Function] = MappingProxyType({
    **IS_AUTHORIZED, "historical_lookup": inner.historical_lookup, "export": inner.export, "machine": inner.machine,
    "peek": inner.peek, "poke": inner.poke, "pages": inner.pages, "invoke": inner.invoke, "expunge": inner.expunge,
})  # fmt: skip
"""The F of Ψ_R (B.3)."""

ACCUMULATE: Mapping[str, Function] = MappingProxyType({
    **IS_AUTHORIZED, "lookup": general.lookup, "read": general.read, "write": general.write, "info": general.info,
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


@dataclass(frozen=True)
class Refined:
    """What Ψ_R comes to: the output or why there is none, the exported segments, the gas used, never over the limit."""

    result: WorkResult
    exports: tuple[bytes, ...]
    gas_used: int


@dataclass(frozen=True)
class WorkData:
    """What a package's items are refined with besides the package: octets by item and index.

    `imports` are segments; `extrinsics` are what the items name by hash and length.
    """

    imports: Sequence[Sequence[bytes]] = ()
    extrinsics: Sequence[Sequence[bytes]] = ()


_NO_DATA = WorkData()


def is_authorized(
    engine: AnyEngine, constants: Constants, accounts: Accounts, package: WorkPackage, core: int,
    options: Options = _PLAIN,
) -> tuple[WorkResult, int]:  # fmt: skip
    """Ψ_I (B.2): what the package's authorizer returns, or why nothing, and the gas used.

    `accounts` are those of the package's lookup anchor.
    """
    anchor = package.context.lookup_anchor_slot
    preimage = accounts.historical_lookup(package.auth_code_host, anchor, package.auth_code_hash)
    size = code_size(preimage)
    if package.auth_code_host not in accounts or preimage is None or size is None:
        return WorkError.BAD, 0
    if size > constants.auth_code_size:
        return WorkError.BIG, 0
    fetchable = Fetchable(encode_constants(constants, options.version), package=EncodedPackage(package, constants))
    context = Context(constants, options.version, fetchable, options.log)
    arguments = core.to_bytes(2, "little")
    invoked = _run(engine, preimage, 0, constants.authorization_gas, arguments, IS_AUTHORIZED, context, options)
    return _work_result(invoked.result), invoked.gas_used


def refine(
    engine: AnyEngine, constants: Constants, accounts: Accounts, package: WorkPackage, index: int, core: int,
    trace: bytes, data: WorkData = _NO_DATA, offset: int = 0, options: Options = _PLAIN,
) -> Refined:  # fmt: skip
    """Ψ_R (B.3): an item of a package is refined.

    `accounts` are those of the lookup anchor, `trace` is what the authorizer returned, `offset` how many segments the
    items before it export. Raises what the engine raises.
    """
    item, anchor = package.items[index], package.context.lookup_anchor_slot
    preimage = accounts.historical_lookup(item.service, anchor, item.code_hash)
    if item.service not in accounts or preimage is None:
        return Refined(WorkError.BAD, (), 0)
    if len(preimage) > constants.service_code_size:
        return Refined(WorkError.BIG, (), 0)
    encoded = EncodedPackage(package, constants)
    fetchable = Fetchable(
        encode_constants(constants, options.version), bytes(32), encoded, trace, index, data.imports, data.extrinsics
    )  # fmt: skip
    context = RefineContext(
        constants, options.version, engine, accounts, item.service, anchor, offset, fetchable, options.log
    )  # fmt: skip
    arguments = b"".join((
        encode_natural(core), encode_natural(index), encode_natural(item.service), encode_natural(len(item.payload)),
        item.payload, blake2b(encoded.encoded, digest_size=32).digest(),
    ))  # fmt: skip
    invoked = _run(engine, preimage, 0, item.refine_gas_limit, arguments, REFINE, context, options)
    result = _work_result(invoked.result)
    return Refined(result, () if isinstance(result, WorkError) else tuple(context.exports), invoked.gas_used)


def _work_result(result: bytes | Reason) -> WorkResult:
    if isinstance(result, bytes):
        return result
    return WorkError.OUT_OF_GAS if result is Reason.OUT_OF_GAS else WorkError.PANIC


def _run(
    engine: AnyEngine, preimage: bytes, pc: int, gas: int, arguments: bytes, functions: Mapping[str, Function],
    context: Context, options: Options,
) -> Invoked:  # fmt: skip
    """Ψ_M with a service's code and its host calls."""
    program = service_program(preimage)
    if program is not None and program.sections is not None:
        context.begin(program.sections)
    host = handlers(options.version, functions, context, options.listener)
    answer_others = other(options.version, options.listener)
    invoked = invoke(engine, program, pc, gas, arguments, host, answer_others, options.watch)
    if options.ended is not None:
        options.ended(invoked)
    return invoked
