"""Types of a block, as their public schema names them (Gray Paper 0.7.2, sections 4.1 and 5, appendix C.2)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated

from pvm.jam.codec import Exactly, Octets, encode
from pvm.jam.constants import Constants
from pvm.jam.types import (
    U8,
    U16,
    U32,
    BandersnatchPublic,
    ByteSequence,
    Ed25519Public,
    Ed25519Signature,
    Hash,
    RingVrfSignature,
    TicketsMark,
    VrfSignature,
    WorkReport,
)


@dataclass(frozen=True, slots=True)
class TicketEnvelope:
    """A ticket as it is submitted: its attempt and the ring proof."""

    attempt: U8
    signature: RingVrfSignature


@dataclass(frozen=True, slots=True)
class Judgement:
    """One validator's vote on a report."""

    vote: bool
    index: U16
    signature: Ed25519Signature


@dataclass(frozen=True, slots=True)
class Verdict:
    """Votes of a super-majority on a report; `age` is the epoch of the validator set."""

    target: Hash
    age: U32
    votes: Annotated[tuple[Judgement, ...], Exactly("super_majority")]


@dataclass(frozen=True, slots=True)
class Culprit:
    """A guarantor of a bad report, proved by its guarantee."""

    target: Hash
    key: Ed25519Public
    signature: Ed25519Signature


@dataclass(frozen=True, slots=True)
class Fault:
    """An auditor whose vote contradicts the verdict."""

    target: Hash
    vote: bool
    key: Ed25519Public
    signature: Ed25519Signature


@dataclass(frozen=True, slots=True)
class DisputesExtrinsic:
    """E_D."""

    verdicts: tuple[Verdict, ...]
    culprits: tuple[Culprit, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Preimage:
    """A preimage which a service asked for."""

    requester: U32
    blob: ByteSequence


@dataclass(frozen=True, slots=True)
class AvailAssurance:
    """A validator's word that it has its part of the reports on the cores of `bitfield` (bit c: core c)."""

    anchor: Hash
    bitfield: Annotated[bytes, Octets("bitfield_bytes")]
    validator_index: U16
    signature: Ed25519Signature


@dataclass(frozen=True, slots=True)
class ValidatorSignature:
    """A guarantor's signature."""

    validator_index: U16
    signature: Ed25519Signature


@dataclass(frozen=True, slots=True)
class ReportGuarantee:
    """A report with the signatures of its guarantors."""

    report: WorkReport
    slot: U32
    signatures: tuple[ValidatorSignature, ...]


@dataclass(frozen=True, slots=True)
class EpochMarkValidatorKeys:
    """The keys of a validator that the epoch mark shows."""

    bandersnatch: BandersnatchPublic
    ed25519: Ed25519Public


@dataclass(frozen=True, slots=True)
class EpochMark:
    """H_E: entropy of the next epoch and of its tickets, and the validators of the epoch after."""

    entropy: Hash
    tickets_entropy: Hash
    validators: Annotated[tuple[EpochMarkValidatorKeys, ...], Exactly("validators")]


@dataclass(frozen=True, slots=True)
class Header:
    """H."""

    parent: Hash
    parent_state_root: Hash
    extrinsic_hash: Hash
    slot: U32
    epoch_mark: EpochMark | None
    tickets_mark: TicketsMark | None
    author_index: U16
    entropy_source: VrfSignature
    offenders_mark: tuple[Ed25519Public, ...]
    seal: VrfSignature


@dataclass(frozen=True, slots=True)
class Extrinsic:
    """E: tickets, preimages, guarantees, assurances, disputes."""

    tickets: tuple[TicketEnvelope, ...]
    preimages: tuple[Preimage, ...]
    guarantees: tuple[ReportGuarantee, ...]
    assurances: tuple[AvailAssurance, ...]
    disputes: DisputesExtrinsic


@dataclass(frozen=True, slots=True)
class Block:
    """B."""

    header: Header
    extrinsic: Extrinsic


def header_hash(header: Header, constants: Constants) -> bytes:
    """H(E(H)), which a child names as its parent."""
    return blake2b(encode(header, constants), digest_size=32).digest()


def unsigned_header(header: Header, constants: Constants) -> bytes:
    """E_U(H): the header's octets without the seal, which the seal signs."""
    return encode(header, constants)[:-96]


