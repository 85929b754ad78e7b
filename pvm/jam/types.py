"""Types of JAM's state and of what reports are made of, as their public schema names them (Gray Paper 0.7.2).

Each is a frozen dataclass which `pvm.jam.codec` encodes field by field. Types of a block are in `pvm.jam.block`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

from pvm.errors import CodecError
from pvm.jam.codec import Blob, Codec, Custom, Exactly, Fixed, Natural, Octets, Reader, codec, encode_natural
from pvm.jam.constants import Constants

U8 = Annotated[int, Fixed(1)]
U16 = Annotated[int, Fixed(2)]
U32 = Annotated[int, Fixed(4)]
U64 = Annotated[int, Fixed(8)]
N16 = Annotated[int, Natural(16)]
N32 = Annotated[int, Natural(32)]
N64 = Annotated[int, Natural(64)]
ByteSequence = Annotated[bytes, Blob()]
Hash = Annotated[bytes, Octets(32)]
BandersnatchPublic = Annotated[bytes, Octets(32)]
Ed25519Public = Annotated[bytes, Octets(32)]
BlsPublic = Annotated[bytes, Octets(144)]
VrfSignature = Annotated[bytes, Octets(96)]
RingVrfSignature = Annotated[bytes, Octets(784)]
Ed25519Signature = Annotated[bytes, Octets(64)]
RingCommitment = Annotated[bytes, Octets(144)]
EntropyBuffer = Annotated[tuple[Hash, ...], Exactly(4)]

ZERO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class ValidatorData:
    """K: the keys of a validator and its metadata."""

    bandersnatch: BandersnatchPublic
    ed25519: Ed25519Public
    bls: BlsPublic
    metadata: Annotated[bytes, Octets(128)]


ValidatorsData = Annotated[tuple[ValidatorData, ...], Exactly("validators")]


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """A service account without its dictionaries: the value at C(255, s)."""

    version: U8
    code_hash: Hash
    balance: U64
    min_item_gas: U64
    min_memo_gas: U64
    bytes: U64
    deposit_offset: U64
    items: U32
    creation_slot: U32
    last_accumulation_slot: U32
    parent_service: U32


@dataclass(frozen=True, slots=True)
class RefineContext:
    """X: what a package refers to of the chain."""

    anchor: Hash
    state_root: Hash
    beefy_root: Hash
    lookup_anchor: Hash
    lookup_anchor_slot: U32
    prerequisites: tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """A segment to import. The high bit of `index` says that `tree_root` is a package's hash."""

    tree_root: Hash
    index: U16


@dataclass(frozen=True, slots=True)
class ExtrinsicSpec:
    """Hash and length in octets of an extrinsic of a work item."""

    hash: Hash
    len: U32


@dataclass(frozen=True, slots=True)
class WorkItem:
    """W: one piece of work of a package."""

    service: U32
    code_hash: Hash
    refine_gas_limit: U64
    accumulate_gas_limit: U64
    export_count: U16
    payload: ByteSequence
    import_segments: tuple[ImportSpec, ...]
    extrinsic: tuple[ExtrinsicSpec, ...]


@dataclass(frozen=True, slots=True)
class WorkPackage:
    """P: what is-authorized and refine are run for."""

    auth_code_host: U32
    auth_code_hash: Hash
    context: RefineContext
    authorization: ByteSequence
    authorizer_config: ByteSequence
    items: tuple[WorkItem, ...]


class ResultCode(IntEnum):
    """How refining a work item ended, as O numbers it (appendix C)."""

    OK = 0
    OUT_OF_GAS = 1
    PANIC = 2
    BAD_EXPORTS = 3
    OVERSIZE = 4
    BAD_CODE = 5
    CODE_OVERSIZE = 6


class _ResultCodec(Custom):
    """O of appendix C: a code, and the output after code 0."""

    def build(self, base: Any, constants: Constants) -> Codec:
        def read(reader: Reader) -> WorkExecResult:
            code = reader.natural()
            if code > ResultCode.CODE_OVERSIZE:
                raise CodecError(f"{code} is no code of a work result")
            return WorkExecResult(ResultCode(code), reader.take(reader.natural()) if code == 0 else b"")

        def write(value: WorkExecResult, out: bytearray) -> None:
            out.append(value.code)
            if value.code == ResultCode.OK:
                out += encode_natural(len(value.output))
                out += value.output

        def as_json(value: WorkExecResult) -> Any:
            return {value.code.name.lower(): "0x" + value.output.hex() if value.code == ResultCode.OK else None}

        return Codec(read, write, 1, as_json)


@dataclass(frozen=True, slots=True)
class WorkExecResult:
    """Output of refining a work item, or how it failed; `output` is empty then."""

    code: ResultCode
    output: bytes = b""


@dataclass(frozen=True, slots=True)
class RefineLoad:
    """What refining a work item took."""

    gas_used: N64
    imports: N16
    extrinsic_count: N16
    extrinsic_size: N32
    exports: N16


@dataclass(frozen=True, slots=True)
class WorkResult:
    """D, the work digest: what became of one work item."""

    service_id: U32
    code_hash: Hash
    payload_hash: Hash
    accumulate_gas: U64
    result: Annotated[WorkExecResult, _ResultCodec()]
    refine_load: RefineLoad


@dataclass(frozen=True, slots=True)
class WorkPackageSpec:
    """Y, the availability specification of a package."""

    hash: Hash
    length: U32
    erasure_root: Hash
    exports_root: Hash
    exports_count: U16


@dataclass(frozen=True, slots=True)
class SegmentRootLookupItem:
    """The root of the segments which a package exported."""

    work_package_hash: Hash
    segment_tree_root: Hash


@dataclass(frozen=True, slots=True)
class WorkReport:
    """R: the outcome of a package."""

    package_spec: WorkPackageSpec
    context: RefineContext
    core_index: N16
    authorizer_hash: Hash
    auth_gas_used: N64
    auth_output: ByteSequence
    segment_root_lookup: tuple[SegmentRootLookupItem, ...]
    results: tuple[WorkResult, ...]


@dataclass(frozen=True, slots=True)
class AvailabilityAssignment:
    """An entry of ρ: the report of a core, and the slot in which it was reported."""

    report: WorkReport
    timeout: U32


AvailabilityAssignments = Annotated[tuple[AvailabilityAssignment | None, ...], Exactly("cores")]

AuthPools = Annotated[tuple[tuple[Hash, ...], ...], Exactly("cores")]
AuthQueue = Annotated[tuple[Hash, ...], Exactly("auth_queue")]
AuthQueues = Annotated[tuple[AuthQueue, ...], Exactly("cores")]


@dataclass(frozen=True, slots=True)
class Mmr:
    """A Merkle mountain range: its peaks, None where there is none."""

    peaks: tuple[Hash | None, ...]


@dataclass(frozen=True, slots=True)
class ReportedWorkPackage:
    """A package reported in a block, and the root of its exports."""

    hash: Hash
    exports_root: Hash


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """An entry of β_H. `state_root` is the posterior one, zero until the next block brings it."""

    header_hash: Hash
    beefy_root: Hash
    state_root: Hash
    reported: tuple[ReportedWorkPackage, ...]


@dataclass(frozen=True, slots=True)
class RecentBlocks:
    """β: the recent blocks, and the belt of accumulation outputs."""

    history: tuple[BlockInfo, ...]
    mmr: Mmr


@dataclass(frozen=True, slots=True)
class ValidatorActivityRecord:
    """What a validator did in an epoch (13.1)."""

    blocks: U32
    tickets: U32
    pre_images: U32
    pre_images_size: U32
    guarantees: U32
    assurances: U32


@dataclass(frozen=True, slots=True)
class CoreActivityRecord:
    """What was done on a core in a block (13.6). Sums: they may outgrow what they are sums of."""

    da_load: N64
    popularity: N64
    imports: N64
    extrinsic_count: N64
    extrinsic_size: N64
    exports: N64
    bundle_size: N64
    gas_used: N64


@dataclass(frozen=True, slots=True)
class ServiceActivityRecord:
    """What was done for a service in a block (13.1)."""

    provided_count: N64
    provided_size: N64
    refinement_count: N64
    refinement_gas_used: N64
    imports: N64
    extrinsic_count: N64
    extrinsic_size: N64
    exports: N64
    accumulate_count: N64
    accumulate_gas_used: N64


@dataclass(frozen=True, slots=True)
class ServicesStatisticsMapEntry:
    """The record of one service."""

    id: U32
    record: ServiceActivityRecord


ValidatorsStatistics = Annotated[tuple[ValidatorActivityRecord, ...], Exactly("validators")]
CoresStatistics = Annotated[tuple[CoreActivityRecord, ...], Exactly("cores")]
ServicesStatistics = tuple[ServicesStatisticsMapEntry, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """π."""

    vals_curr: ValidatorsStatistics
    vals_last: ValidatorsStatistics
    cores: CoresStatistics
    services: ServicesStatistics


@dataclass(frozen=True, slots=True)
class TicketBody:
    """T: a ticket's identity and the attempt it came from."""

    id: Hash
    attempt: U8


class _ChoiceCodec(Custom):
    """A dataclass of which exactly one field is set: the index of that field in an octet, then its value."""

    def build(self, base: Any, constants: Constants) -> Codec:
        import dataclasses
        import typing

        hints = typing.get_type_hints(base, include_extras=True)
        names = [field.name for field in dataclasses.fields(base)]
        kinds = [next(k for k in typing.get_args(hints[name]) if k is not type(None)) for name in names]
        codecs = [codec(kind, constants) for kind in kinds]

        def read(reader: Reader) -> Any:
            index = reader.take(1)[0]
            if index >= len(names):
                raise CodecError(f"{index} where a number below {len(names)} is needed")
            try:
                return base(**{names[index]: codecs[index].read(reader)})
            except CodecError as error:
                raise error.within(names[index]) from None

        def write(value: Any, out: bytearray) -> None:
            index = next(i for i, name in enumerate(names) if getattr(value, name) is not None)
            out.append(index)
            codecs[index].write(getattr(value, names[index]), out)

        def as_json(value: Any) -> Any:
            index = next(i for i, name in enumerate(names) if getattr(value, name) is not None)
            return {names[index]: codecs[index].to_json(getattr(value, names[index]))}

        return Codec(read, write, 1 + min(each.smallest for each in codecs), as_json)


TicketsMark = Annotated[tuple[TicketBody, ...], Exactly("epoch_length")]
SealKeys = Annotated[tuple[BandersnatchPublic, ...], Exactly("epoch_length")]


@dataclass(frozen=True, slots=True)
class TicketsOrKeys:
    """γ_s, the seal-key series of an epoch: tickets, or in fallback mode keys. Exactly one of the two is set."""

    tickets: TicketsMark | None = None
    keys: SealKeys | None = None


SealSeries = Annotated[TicketsOrKeys, _ChoiceCodec()]


@dataclass(frozen=True, slots=True)
class SafroleState:
    """γ: pending validators, ring commitment, seal-key series, accumulated tickets."""

    gamma_k: ValidatorsData
    gamma_z: RingCommitment
    gamma_s: SealSeries
    gamma_a: tuple[TicketBody, ...]


@dataclass(frozen=True, slots=True)
class DisputesRecords:
    """ψ: reports judged good, bad and wonky, and the keys of offenders, each in order."""

    good: tuple[Hash, ...]
    bad: tuple[Hash, ...]
    wonky: tuple[Hash, ...]
    offenders: tuple[Ed25519Public, ...]


@dataclass(frozen=True, slots=True)
class ReadyRecord:
    """A report that waits for others, and the packages it waits for."""

    report: WorkReport
    dependencies: tuple[Hash, ...]


ReadyQueue = Annotated[tuple[tuple[ReadyRecord, ...], ...], Exactly("epoch_length")]
AccumulatedQueue = Annotated[tuple[tuple[Hash, ...], ...], Exactly("epoch_length")]


@dataclass(frozen=True, slots=True)
class AlwaysAccumulateMapEntry:
    """A service that accumulates in every block, and its gas."""

    id: U32
    gas: U64


@dataclass(frozen=True, slots=True)
class Privileges:
    """χ: manager, assigners of cores, delegator, registrar, and the services that always accumulate."""

    bless: U32
    assign: Annotated[tuple[U32, ...], Exactly("cores")]
    designate: U32
    register: U32
    always_acc: tuple[AlwaysAccumulateMapEntry, ...]


@dataclass(frozen=True, slots=True)
class AccumulationOutput:
    """An entry of θ: a service and the hash it yielded."""

    service: U32
    hash: Hash


AccumulationOutputs = tuple[AccumulationOutput, ...]
