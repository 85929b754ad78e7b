"""A small world for tests of services: accounts, time, entropy and privileges; no consensus, no blocks.

In: services' code, what they store and hold. Out: `World`, which refines and accumulates by the paper (B.3, 12.3).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from pvm.errors import InputError, ProgramError
from pvm.invocation import service_program
from pvm.jam import accumulation
from pvm.jam.accounts import Account, Accounts, encode_slots, with_metadata
from pvm.jam.constants import PARAMETERS, Constants
from pvm.jam.inputs import Input, Transfer, WorkError
from pvm.jam.invocations import Options, WorkData, accumulate, refine
from pvm.jam.partial_state import Accumulated, PartialState, Privileges
from pvm.jam.state_keys import preimage_key, request_key, storage_key
from pvm.jam.testing.outcome import Invocation, Name, Outcome, differences
from pvm.jam.testing.runs import Run, Source
from pvm.jam.testing.services import Refinement, Service
from pvm.jam.types import (
    ExtrinsicSpec,
    ImportSpec,
    RefineContext,
    RefineLoad,
    ResultCode,
    WorkExecResult,
    WorkItem,
    WorkPackage,
    WorkPackageSpec,
    WorkReport,
    WorkResult,
)
from pvm.machine import AnyEngine
from pvm.memory import Memory
from pvm.program.program import Program
from pvm.program.survey import survey
from pvm.reference import ReferenceEngine
from pvm.suggestions import unknown

Code = bytes | Program | str | os.PathLike[str] | None
"""A service's code: its preimage, a program, or the file of either; ".pvmasm" and text of several lines are assembled.
None is a service without code."""

FIRST_SERVICE = 1 << 16
_ASSEMBLY = ".pvmasm"
_NO_HASH = bytes(32)


class World:
    """Services and what they know of the chain.

    `parameters` are "tiny", "full" or `Constants`; `spec` is the version of the host calls, which has to be the
    engine's. Without an engine it is the reference engine, which is slow. `slot` and `entropy` may be set at any time.
    `runs` are all that were made, in order. Raises InputError for unknown names.
    """

    def __init__(
        self, parameters: str | Constants = "tiny", spec: str = "0.7.2", engine: AnyEngine | None = None,
        slot: int = 100, entropy: bytes = _NO_HASH, privileges: Privileges | None = None,
    ) -> None:  # fmt: skip
        if isinstance(parameters, str):
            if parameters not in PARAMETERS:
                raise InputError(unknown("parameters", parameters, list(PARAMETERS)))
            parameters = PARAMETERS[parameters]
        self.constants, self.spec, self.slot, self.entropy = parameters, spec, slot, entropy
        self.engine = ReferenceEngine(spec) if engine is None else engine
        self.runs: list[Run] = []
        self.names: dict[bytes, Name] = {}
        self._sources: dict[int, Source] = {}
        cores, queue = parameters.cores, bytes(32 * parameters.auth_queue)
        self._state = PartialState(
            Accounts({}), privileges or Privileges(assigners=(0,) * cores), bytes(336 * parameters.validators),
            (queue,) * cores,
        )  # fmt: skip

    # --- what there is

    @property
    def accounts(self) -> Accounts:
        """The accounts as they stand."""
        return self._state.accounts

    @property
    def state(self) -> PartialState:
        """All that accumulation can change, as it stands."""
        return self._state

    @property
    def privileges(self) -> Privileges:
        """As they stand; they may be set, with whole services or their numbers in them."""
        return self._state.privileges

    @privileges.setter
    def privileges(self, value: Privileges) -> None:
        self._state = replace(self._state, privileges=value)

    def service(self, number: int) -> Service:
        """A service by its number, such as one that another has made. Raises KeyError if there is none."""
        if number not in self.accounts:
            raise KeyError(number)
        return Service(self, number, self._sources.get(number))

    @property
    def services(self) -> list[Service]:
        """All of them, by number."""
        found = (number for number, account in self.accounts.changed_services() if account is not None)
        return [self.service(number) for number in sorted(found)]

    def keys_of(self, service: int) -> list[bytes]:
        """The storage keys of a service that were given or written, also of items that are gone."""
        return [name.key for name in self.names.values() if name.service == service and name.kind == "storage"]

    def failures(self) -> list[Run]:
        """The runs that panicked or ran out of gas."""
        return [run for run in self.runs if run.has_failed]

    # --- what a test makes

    def deploy(
        self, code: Code = None, balance: int = 10**9, storage: Mapping[bytes, bytes] | None = None,
        id: int | None = None, preimages: Sequence[bytes] = (), min_item_gas: int = 0, min_memo_gas: int = 0,
        gratis: int = 0, source: Source | None = None,
    ) -> Service:  # fmt: skip
        """A new service, with items, and preimages that are available since slot 0, as its code is.

        `id` is its number; without it, the next one from 2^16 on. `source` is what the code was assembled from, where
        that is not known. Raises InputError for what is no service's code, for
        a number that is in use, and if the balance is below what all this takes.
        """
        number = self._free_number() if id is None else id
        if not 0 <= number < 1 << 32 or number in self.accounts:
            raise InputError(f"service {number}: {'it is there already' if number in self.accounts else 'no number'}")
        preimage, found = _code_of(code, self.spec)
        source = source or found
        layer = self.accounts.layer()
        account = Account(
            _NO_HASH if preimage is None else _hash(preimage), balance, min_item_gas, min_memo_gas, gratis=gratis,
            created=self.slot,
        )  # fmt: skip
        for data in (*preimages, *(() if preimage is None else (preimage,))):
            digest = _hash(data)
            if layer.request(number, digest, len(data)) is None:
                account = account.with_request(len(data))
                layer.set(preimage_key(number, digest), data)
                layer.set(request_key(number, digest, len(data)), encode_slots((0,)))
                self.know(Name(number, "preimage", digest), Name(number, "request", digest, len(data)))
        for key, value in (storage or {}).items():
            account = account.with_item(len(key), None, len(value))
            layer.set(storage_key(number, key), value)
            self.know(Name(number, "storage", key))
        needed = account.threshold(self.constants)
        if balance < needed:
            raise InputError(f"service {number}: a balance of {balance}, but what it has takes {needed}")
        layer.set_account(number, account)
        self.accounts.merge(layer)
        if source is not None:
            self._sources[number] = source
        return Service(self, number, source)

    def know(self, *names: Name) -> None:
        """Remember what state keys stand for."""
        for name in names:
            self.names[name.state_key] = name

    def advance(self, slots: int = 1) -> None:
        """Let time pass."""
        self.slot += slots

    # --- what services do

    def refine(
        self, service: Service, payload: bytes, extrinsics: Sequence[bytes], imports: Sequence[bytes], gas: int | None,
        accumulate_gas: int | None, core: int, trace: bytes, export_count: int | None,
    ) -> Refinement:  # fmt: skip
        """Ψ_R, as `Service.refine` describes it."""
        constants = self.constants
        limit = constants.refine_gas if gas is None else gas
        for_accumulation = constants.report_accumulation_gas if accumulate_gas is None else accumulate_gas
        segments = tuple(_segment(data, constants.segment_size) for data in imports)
        item = WorkItem(
            service.id, service.account.code_hash, limit, for_accumulation, export_count or 0, payload,
            tuple(ImportSpec(_NO_HASH, index) for index in range(len(segments))),
            tuple(ExtrinsicSpec(_hash(data), len(data)) for data in extrinsics),
        )  # fmt: skip
        context = RefineContext(_NO_HASH, _NO_HASH, _NO_HASH, _NO_HASH, self.slot, ())
        package = WorkPackage(service.id, _NO_HASH, context, b"", b"", (item,))
        data = WorkData((segments,), (tuple(extrinsics),))
        run = self._new_run(f"service {service.id}: refine", service.id, limit)
        done = refine(
            self.engine, constants, self.accounts, package, 0, core, trace, data, 0, run.options()
        )  # fmt: skip
        result, exports = done.result, done.exports
        if export_count is not None and not isinstance(result, WorkError) and len(exports) != export_count:
            result, exports = WorkError.BAD_EXPORTS, ()
        return Refinement(service, payload, result, exports, done.gas_used, for_accumulation, run)

    def accumulate(
        self, items: Sequence[Refinement] = (), transfers: Sequence[Transfer] = (),
        free: Mapping[int, int] | None = None,
    ) -> Outcome:  # fmt: skip
        """Accumulate as a block would: each item as the digest of a report of its own, then rounds of transfers.

        `transfers` are given in the first round, from whomever they say; `free` gas by service replaces that of the
        privileges. What services change stays. Raises AccumulationError if two of them add the same service.
        """
        made: list[Invocation] = []

        def run_one(state: PartialState, service: int, gas: int, inputs: Sequence[Input]) -> Accumulated:
            run = self._new_run(f"service {service}: accumulate at slot {self.slot}", service, gas)
            options = run.options()
            listener = options.listener
            assert listener is not None

            def heard(machine: object, number: int, w: list[int], left: int, answer: object) -> None:
                listener(machine, number, w, left, answer)  # type: ignore[arg-type]
                self.learn(service, number, w, machine.memory)  # type: ignore[attr-defined]

            done = self._accumulate_one(state, service, gas, inputs, replace(options, listener=heard))
            made.append(
                Invocation(service, done.gas_used, done.transfers, done.yielded, done.provisions, run)
            )  # fmt: skip
            return done

        state = self._state
        if free is not None:
            state = replace(state, privileges=replace(state.privileges, always=free))
        done = accumulation.accumulate(
            [_report(item) for item in items], state, self.slot, self.constants, run_one, transfers
        )  # fmt: skip
        changed = done.state
        if free is not None:
            changed = replace(changed, privileges=replace(changed.privileges, always=self.privileges.always))
        for one in made:
            for service, data in one.provisions:
                self.know(Name(service, "preimage", _hash(data)), Name(service, "request", _hash(data), len(data)))
        changes = tuple(differences(self.accounts, changed.accounts, self.names))
        self.accounts.merge(changed.accounts)
        self._state = replace(changed, accounts=self.accounts)
        outputs = tuple((output.service, output.hash) for output in done.outputs)
        return Outcome(tuple(made), outputs, changes, done.count)

    def _accumulate_one(
        self, state: PartialState, service: int, gas: int, inputs: Sequence[Input], options: Options
    ) -> Accumulated:
        """Ψ_A. A world whose services run elsewhere does it in another way."""
        return accumulate(self.engine, self.constants, state, self.slot, service, gas, inputs, self.entropy, options)

    def _new_run(self, what: str, service: int, gas: int) -> Run:
        run = Run(what, gas, self.spec, self._sources.get(service))
        self.runs.append(run)
        return run

    def learn(self, service: int, number: int, w: list[int], memory: Memory) -> None:
        """Note the keys that a call names, so that changes can name them, too."""
        from pvm.jam.host_calls.table import call_name

        name = call_name(number, self.spec)
        if name == "write":
            key = memory.guest_read(w[7], w[8]) if w[8] <= _LONGEST_KEY else None
            if key is not None:
                self.know(Name(service, "storage", key))
        elif name in ("solicit", "forget") and w[8] < 1 << 32:
            digest = memory.guest_read(w[7], 32)
            if digest is not None:
                self.know(Name(service, "request", digest, w[8]), Name(service, "preimage", digest))

    def _free_number(self) -> int:
        number = FIRST_SERVICE
        while number in self.accounts:
            number += 1
        return number

    def __iter__(self) -> Iterator[Service]:
        return iter(self.services)


_LONGEST_KEY = 1 << 16  # octets of a storage key that is remembered


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


def _segment(data: bytes, size: int) -> bytes:
    if len(data) > size:
        raise InputError(f"import: {len(data)} octets, but a segment has {size}")
    return data.ljust(size, b"\0")


def _report(item: Refinement) -> WorkReport:
    """A report with the one digest of an item."""
    failed = isinstance(item.result, WorkError)
    code = ResultCode(int(item.result)) if isinstance(item.result, WorkError) else ResultCode.OK
    digest = WorkResult(
        item.service.id, item.service.account.code_hash, _hash(item.payload), item.gas,
        WorkExecResult(code, b"" if failed else bytes(item.result)),
        RefineLoad(item.gas_used, 0, 0, 0, len(item.exports)),
    )  # fmt: skip
    spec = WorkPackageSpec(_hash(b"package" + item.payload), 0, _NO_HASH, _NO_HASH, len(item.exports))
    context = RefineContext(_NO_HASH, _NO_HASH, _NO_HASH, _NO_HASH, 0, ())
    return WorkReport(spec, context, 0, _NO_HASH, 0, b"", (), (digest,))


def _code_of(code: Code, spec: str) -> tuple[bytes | None, Source | None]:
    """The preimage of a service's code, and the assembly that it was made of. Raises InputError."""
    if code is None or isinstance(code, bytes):
        return code, None
    if isinstance(code, Program):
        return _preimage(code), None
    if isinstance(code, str) and "\n" in code:
        return assembled(code, "assembly", spec)
    path = Path(code)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if path.suffix != _ASSEMBLY:
        return (data, None) if service_program(data) is not None else (_preimage(_parsed(path, data)), None)
    return assembled(data.decode("utf-8", "replace"), path.name, spec)


def assembled(text: str, name: str, spec: str) -> tuple[bytes, Source]:
    """The preimage of a service in assembly, and its source for messages. Raises AssemblyError, InputError."""
    found = survey(text, spec)
    if found.program is None:
        raise found.errors[0]
    return _preimage(found.program), Source(name, dict(found.lines), text.split("\n"))


def _parsed(path: Path, data: bytes) -> Program:
    try:
        return Program.parse(data)
    except ProgramError as error:
        raise InputError(f"{path}: {error}") from None


def _preimage(program: Program) -> bytes:
    if program.sections is None:
        raise InputError("a service's code is a standard program: put `.standard` before it")
    standard = program.sections.encode(program.encoded_blob)
    return with_metadata(standard, program.metadata or b"")


