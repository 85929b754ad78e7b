"""A made-up chain with the parameters "full", of which there are no public traces: a report's whole way, an epoch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from pvm.jam import types
from pvm.jam.accounts import Account
from pvm.jam.block import (
    AvailAssurance,
    Block,
    DisputesExtrinsic,
    Extrinsic,
    Header,
    ReportGuarantee,
    ValidatorSignature,
)
from pvm.jam.codec import codec
from pvm.jam.constants import FULL
from pvm.jam.hashing import blake2b
from pvm.jam.history import reported_packages
from pvm.jam.reports import assignments
from pvm.jam.safrole import epoch_mark, rotate, time_between
from pvm.jam.state import COMPONENTS, State, state_of
from pvm.jam.state_keys import account_key
from pvm.jam.transition import Host, transition
from pvm.jam.types import ZERO_HASH
from tests.pvm.jam.traces import native_crypto
from tests.wasm_host.node.credulous import Credulous, received
from wasm_host.engine import Engine

SERVICE, CORE, START = 70_000, 340, 601
NOTHING = Extrinsic((), (), (), (), DisputesExtrinsic((), (), ()))


def named(*parts: object) -> bytes:
    return blake2b(repr(parts).encode())


@cache
def host() -> Host:
    return Host(FULL, Credulous(native_crypto()), Engine())


@cache
def genesis() -> State:
    validators = tuple(
        types.ValidatorData(named("bandersnatch", index), named("ed25519", index), bytes(144), bytes(128))
        for index in range(FULL.validators)
    )
    idle = types.ValidatorActivityRecord(0, 0, 0, 0, 0, 0)
    components = {
        "alpha": ((named("authorizer"),),) * FULL.cores,
        "phi": ((named("authorizer"),) * 80,) * FULL.cores,
        "beta": types.RecentBlocks((types.BlockInfo(named("block"), ZERO_HASH, ZERO_HASH, ()),), types.Mmr(())),
        "gamma": types.SafroleState(
            validators, bytes(144),
            types.TicketsOrKeys(keys=tuple(validator.bandersnatch for validator in validators[:600])), (),
        ),
        "psi": types.DisputesRecords((), (), (), ()),
        "eta": (named("entropy"),) * 4,
        "iota": validators, "kappa": validators, "lambda_": validators,
        "rho": (None,) * FULL.cores,
        "tau": START,
        "chi": types.Privileges(0, (0,) * FULL.cores, 0, 0, ()),
        "pi": types.Statistics(
            (idle,) * FULL.validators, (idle,) * FULL.validators,
            (types.CoreActivityRecord(0, 0, 0, 0, 0, 0, 0, 0),) * FULL.cores, (),
        ),
        "omega": ((),) * 600, "xi": ((),) * 600, "theta": (),
    }  # fmt: skip
    entries = [
        (COMPONENTS[name].key, codec(COMPONENTS[name].kind, FULL).encode(each)) for name, each in components.items()
    ]
    return state_of([*entries, (account_key(SERVICE), Account(named("code"), 1000).encode())], FULL)


def following(state: State, extrinsic: Extrinsic = NOTHING, slot: int | None = None) -> State:
    """The state after a block with this extrinsic, by the author whose turn it is."""
    slot = state.tau + 1 if slot is None else slot
    time = time_between(state.tau, slot, FULL)
    rotated = rotate(time, state.gamma, state.iota, state.kappa, state.lambda_, state.eta, (), FULL, host().crypto)
    assert rotated.gamma_s.keys
    author = [each.bandersnatch for each in rotated.kappa].index(rotated.gamma_s.keys[slot % 600])
    mark = epoch_mark(time, state.eta, rotated.gamma_k)
    header = Header(
        state.beta.history[-1].header_hash, ZERO_HASH, ZERO_HASH, slot, mark, None, author, bytes(96), (), bytes(96)
    )
    return transition(state, received(state, Block(header, extrinsic), FULL), host())


def guarantee(state: State) -> ReportGuarantee:
    anchor = state.beta.history[-2]
    digest = types.WorkResult(
        SERVICE, named("code"), ZERO_HASH, 10, types.WorkExecResult(types.ResultCode.OK, b"out"),
        types.RefineLoad(1, 2, 3, 4, 5),
    )  # fmt: skip
    report = types.WorkReport(
        types.WorkPackageSpec(named("package"), 100, ZERO_HASH, named("exports"), 64),
        types.RefineContext(anchor.header_hash, anchor.state_root, anchor.beefy_root, ZERO_HASH, START, ()),
        CORE, named("authorizer"), 5, b"trace", (), (digest,),
    )  # fmt: skip
    slot = state.tau + 1
    cores = assignments(state.eta[2], slot, state.kappa, (), FULL).cores
    guarantors = [index for index, core in enumerate(cores) if core == CORE]
    assert len(guarantors) == 3
    return ReportGuarantee(report, slot, tuple(ValidatorSignature(index, bytes(64)) for index in guarantors))


def assurances(state: State, count: int) -> tuple[AvailAssurance, ...]:
    bits, parent = (1 << CORE).to_bytes(43, "little"), state.beta.history[-1].header_hash
    return tuple(AvailAssurance(parent, bits, index, bytes(64)) for index in range(count))


def test_a_report_goes_its_way() -> None:
    state = following(following(genesis()))
    made = guarantee(state)
    state = following(state, replace(NOTHING, guarantees=(made,)))
    assert state.rho[CORE] == types.AvailabilityAssignment(made.report, state.tau)
    assert state.beta.history[-1].reported == reported_packages([made])
    assert sum(record.guarantees for record in state.pi.vals_curr) == 3
    too_few = following(state, replace(NOTHING, assurances=assurances(state, 682)))
    assert too_few.rho[CORE] is not None and too_few.pi.cores[CORE].popularity == 682
    state = following(state, replace(NOTHING, assurances=assurances(state, 683)))
    assert state.rho[CORE] is None
    assert state.pi.cores[CORE].da_load == 100 + 65 * 4104
    assert state.xi[-1] == (named("package"),)
    (entry,) = state.pi.services
    assert (entry.id, entry.record.accumulate_count, entry.record.accumulate_gas_used) == (SERVICE, 1, 0)


def test_an_epoch_of_1023_validators() -> None:
    state = following(following(genesis()), slot=1200)
    assert state.gamma.gamma_z != bytes(144)
    assert state.gamma.gamma_s.keys and len(set(state.gamma.gamma_s.keys)) > 300
    assert sum(record.blocks for record in state.pi.vals_last) == 1
