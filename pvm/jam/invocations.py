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
from pvm.program.program import Program

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
    `listener` every host call; `watch` the machine before it runs; `ended` how the run ended. `given` gets the
    invocation's own arguments, before anything is done, to be kept: they do not change any more.
    """

    version: str = "0.7.2"
    log: Log | None = None
    listener: Listener | None = None
    watch: Callable[[Machine], object] | None = None
    ended: Callable[[Invoked], object] | None = None
    given: Callable[[Accumulating | Refining], object] | None = None


_PLAIN = Options()


@dataclass(frozen=True)
class Prepared:
    """An invocation before it runs: what Ψ_M is given, and the functions of its host calls with what they work on."""

    preimage: bytes
    pc: int
    gas: int
    arguments: bytes
    functions: Mapping[str, Function]
    context: Context

    @property
    def program(self) -> Program | None:
        """The code as a program; None where there is none, which comes to a panic."""
        return service_program(self.preimage)


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
    arguments = Accumulating(constants, state, slot, service, gas, tuple(inputs), entropy)
    if options.given is not None:
        options.given(replace(arguments, state=replace(state, accounts=state.accounts.copy())))
    prepared = arguments.prepare(options.version, options.log)
    if isinstance(prepared, Accumulated):
        return prepared
    return arguments.result(prepared, _run(engine, prepared, options))


@dataclass(frozen=True)
class Accumulating:
    """The arguments of Ψ_A (B.4), as `accumulate` has them."""

    constants: Constants
    state: PartialState
    slot: int
    service: int
    gas: int
    inputs: tuple[Input, ...]
    entropy: bytes

    def prepare(self, version: str, log: Log | None = None) -> Prepared | Accumulated:
        """The invocation with a context of its own, or what it comes to where there is no code to run."""
        constants, state, service = self.constants, self.state, self.service
        accounts = state.accounts.layer()
        account = accounts.account(service)
        if account is not None:
            amount = sum(one.amount for one in self.inputs if isinstance(one, Transfer))
            if amount:
                accounts.set_account(service, account._replace(balance=account.balance + amount))
        credited = replace(state, accounts=accounts)
        preimage = state.accounts.code_preimage(service)
        size = code_size(preimage)
        if preimage is None or size is None or size > constants.service_code_size:
            return Accumulated(credited, (), None, 0, ())
        fetchable = Fetchable(encode_constants(constants, version), self.entropy, inputs=self.inputs)
        context = AccumulateContext(
            constants, version, state.accounts, credited, service, self.slot, self.entropy, fetchable, log
        )  # fmt: skip
        arguments = encode_natural(self.slot) + encode_natural(service) + encode_natural(len(self.inputs))
        return Prepared(preimage, ACCUMULATE_PC, self.gas, arguments, ACCUMULATE, context)

    def result(self, prepared: Prepared, invoked: Invoked) -> Accumulated:
        """What the invocation comes to once it has ended."""
        context = prepared.context
        assert isinstance(context, AccumulateContext)
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
    prepared = Prepared(preimage, 0, constants.authorization_gas, arguments, IS_AUTHORIZED, context)
    invoked = _run(engine, prepared, options)
    return _work_result(invoked.result), invoked.gas_used


def refine(
    engine: AnyEngine, constants: Constants, accounts: Accounts, package: WorkPackage, index: int, core: int,
    trace: bytes, data: WorkData = _NO_DATA, offset: int = 0, options: Options = _PLAIN,
) -> Refined:  # fmt: skip
    """Ψ_R (B.3): an item of a package is refined.

    `accounts` are those of the lookup anchor, `trace` is what the authorizer returned, `offset` how many segments the
    items before it export. Raises what the engine raises.
    """
    arguments = Refining(constants, accounts, package, index, core, trace, data, offset)
    if options.given is not None:
        options.given(replace(arguments, accounts=accounts.copy()))
    prepared = arguments.prepare(engine, options.version, options.log)
    if isinstance(prepared, Refined):
        return prepared
    return arguments.result(prepared, _run(engine, prepared, options))


@dataclass(frozen=True)
class Refining:
    """The arguments of Ψ_R (B.3), as `refine` has them."""

    constants: Constants
    accounts: Accounts
    package: WorkPackage
    index: int
    core: int
    trace: bytes
    data: WorkData = _NO_DATA
    offset: int = 0

    def prepare(self, engine: AnyEngine, version: str, log: Log | None = None) -> Prepared | Refined:
        """The invocation with a context of its own, or why there is none. `engine` runs inner machines."""
        constants, package = self.constants, self.package
        item, anchor = package.items[self.index], package.context.lookup_anchor_slot
        preimage = self.accounts.historical_lookup(item.service, anchor, item.code_hash)
        if item.service not in self.accounts or preimage is None:
            return Refined(WorkError.BAD, (), 0)
        if len(preimage) > constants.service_code_size:
            return Refined(WorkError.BIG, (), 0)
        encoded = EncodedPackage(package, constants)
        fetchable = Fetchable(
            encode_constants(constants, version), bytes(32), encoded, self.trace, self.index, self.data.imports,
            self.data.extrinsics,
        )  # fmt: skip
        context = RefineContext(
            constants, version, engine, self.accounts, item.service, anchor, self.offset, fetchable, log
        )
        arguments = b"".join((
            encode_natural(self.core), encode_natural(self.index), encode_natural(item.service),
            encode_natural(len(item.payload)), item.payload, blake2b(encoded.encoded, digest_size=32).digest(),
        ))  # fmt: skip
        return Prepared(preimage, 0, item.refine_gas_limit, arguments, REFINE, context)

    def result(self, prepared: Prepared, invoked: Invoked) -> Refined:
        """What the invocation comes to once it has ended."""
        context = prepared.context
        assert isinstance(context, RefineContext)
        result = _work_result(invoked.result)
        return Refined(result, () if isinstance(result, WorkError) else tuple(context.exports), invoked.gas_used)


def _work_result(result: bytes | Reason) -> WorkResult:
    if isinstance(result, bytes):
        return result
    return WorkError.OUT_OF_GAS if result is Reason.OUT_OF_GAS else WorkError.PANIC


def _run(engine: AnyEngine, prepared: Prepared, options: Options) -> Invoked:
    """Ψ_M with a service's code and its host calls."""
    program, context = prepared.program, prepared.context
    if program is not None and program.sections is not None:
        context.begin(program.sections)
    host = handlers(options.version, prepared.functions, context, options.listener)
    answer_others = other(options.version, options.listener)
    invoked = invoke(
        engine, program, prepared.pc, prepared.gas, prepared.arguments, host, answer_others, options.watch
    )  # fmt: skip
    if options.ended is not None:
        options.ended(invoked)
    return invoked
