"""The header (section 5) and the seals of section 6.4: what a header must say of its block and of the state before it.

In: a received block and parts of the state. Out: nothing but the entropy; a broken rule is a HeaderError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from pvm.errors import CodecError
from pvm.jam.block import (
    AvailAssurance,
    Block,
    DisputesExtrinsic,
    EpochMark,
    Extrinsic,
    Header,
    Preimage,
    ReportGuarantee,
    TicketEnvelope,
    ValidatorSignature,
)
from pvm.jam.codec import Codec, Reader, codec, encode_natural
from pvm.jam.constants import Constants
from pvm.jam.crypto import Crypto, claimed_output
from pvm.jam.errors import HeaderError
from pvm.jam.hashing import blake2b
from pvm.jam.safrole import TICKET_SEAL, Rotated
from pvm.jam.types import Hash, TicketBody, WorkReport

FALLBACK_SEAL, ENTROPY = b"jam_fallback_seal", b"jam_entropy"  # X_F (6.19), X_E (6.18)
_SEAL = 96  # octets
_MOST_ITEMS = 1 << 16  # of any sequence in a block: a preimage of 5 octets takes 35 times as much memory
_PARTS = (
    ("tickets", tuple[TicketEnvelope, ...]),
    ("preimages", tuple[Preimage, ...]),
    ("guarantees", tuple[ReportGuarantee, ...]),
    ("assurances", tuple[AvailAssurance, ...]),
    ("disputes", DisputesExtrinsic),
)


@dataclass(frozen=True)
class _Codecs:
    """What receiving a block needs."""

    header: Codec
    parts: tuple[tuple[str, Codec], ...]
    report: Codec
    signatures: Codec


@cache
def _codecs(constants: Constants) -> _Codecs:
    """Kept, because finding them by type takes as long as decoding an empty block."""
    parts = tuple((name, codec(kind, constants)) for name, kind in _PARTS)
    signatures = codec(tuple[ValidatorSignature, ...], constants)
    return _Codecs(codec(Header, constants), parts, codec(WorkReport, constants), signatures)


@dataclass(frozen=True)
class Received:
    """A block as it came, with the hashes that its octets have.

    `hash` is the header's, `unsigned` the octets that the seal signs, `extrinsic_hash` what the header must commit to,
    `report_hashes` belong to the guarantees.
    """

    block: Block
    hash: Hash
    unsigned: bytes
    extrinsic_hash: Hash
    report_hashes: tuple[Hash, ...]


def receive(data: bytes, constants: Constants) -> Received:
    """Decode a block that all of `data` encodes. Raises CodecError, also for a sequence of more than 65,536 items."""
    reader, codecs = Reader(data, most=_MOST_ITEMS), _codecs(constants)
    try:
        header: Header = codecs.header.read(reader)
    except CodecError as error:
        raise error.within("header") from None
    signed_end = reader.position
    values, octets = [], []
    for name, part in codecs.parts:
        start = reader.position
        try:
            values.append(part.read(reader))
        except CodecError as error:
            raise error.within(f"extrinsic.{name}") from None
        octets.append(data[start : reader.position])
    if reader.position != reader.end:
        raise CodecError(f"{reader.end - reader.position} octets left over")
    extrinsic = Extrinsic(*values)
    hashes = tuple(blake2b(codecs.report.encode(guarantee.report)) for guarantee in extrinsic.guarantees)
    octets[2] = _hashed_guarantees(extrinsic.guarantees, hashes, codecs.signatures)
    return Received(
        block=Block(header, extrinsic), hash=blake2b(data[:signed_end]), unsigned=data[: signed_end - _SEAL],
        extrinsic_hash=blake2b(b"".join(blake2b(part) for part in octets)), report_hashes=hashes,
    )  # fmt: skip


def check_commitments(received: Received, slot: int, state_root: Hash, constants: Constants) -> None:
    """What needs no more than the prior state: `slot` is τ, `state_root` its root (5.4, 5.7 to 5.9)."""
    header = received.block.header
    if header.slot <= slot:
        raise HeaderError("bad_slot", f"{header.slot} after {slot}")
    if header.parent_state_root != state_root:
        raise HeaderError("bad_state_root", f"{header.parent_state_root.hex()} in place of {state_root.hex()}")
    if header.extrinsic_hash != received.extrinsic_hash:
        raise HeaderError(
            "bad_extrinsic_hash", f"{header.extrinsic_hash.hex()} in place of {received.extrinsic_hash.hex()}"
        )
    if header.author_index >= constants.validators:
        raise HeaderError("bad_author_index", str(header.author_index))


def check_marks(
    header: Header, epoch: EpochMark | None, tickets: tuple[TicketBody, ...] | None, offenders: Sequence[bytes]
) -> None:
    """The markers must be these (6.27, 6.28, 10.20)."""
    if header.epoch_mark != epoch:
        raise HeaderError("bad_epoch_mark", _compared(header.epoch_mark, epoch))
    if header.tickets_mark != tickets:
        raise HeaderError("bad_tickets_mark", _compared(header.tickets_mark, tickets))
    if header.offenders_mark != tuple(offenders):
        raise HeaderError("bad_offenders_mark", f"{len(header.offenders_mark)} keys marked, {len(offenders)} offenders")


def begin_seals(
    received: Received, rotated: Rotated, constants: Constants, crypto: Crypto
) -> tuple[Hash, Callable[[], None]]:
    """The output of the header's VRF signature, and a function that checks seal and signature (6.15 to 6.17).

    Both checks are begun, side by side. The output counts for nothing unless the function returns. Raises HeaderError
    for an author or a ticket that is not the slot's.
    """
    header = received.block.header
    author = rotated.kappa[header.author_index].bandersnatch
    place, seed = header.slot % constants.epoch_length, rotated.entropy[2]
    output = claimed_output(header.seal)
    if rotated.gamma_s.tickets is not None:
        ticket = rotated.gamma_s.tickets[place]
        seal_input = TICKET_SEAL + seed + bytes((ticket.attempt,))
        if output != ticket.id:
            raise HeaderError("wrong_ticket", f"{output.hex()} in slot {place} of the epoch")
    else:
        seal_input = FALLBACK_SEAL + seed
        if rotated.gamma_s.keys is not None and rotated.gamma_s.keys[place] != author:
            raise HeaderError("wrong_author", f"validator {header.author_index} in slot {place} of the epoch")
    seal = crypto.beside(lambda: crypto.vrf_verify(author, seal_input, received.unsigned, header.seal))
    entropy = crypto.beside(lambda: crypto.vrf_verify(author, ENTROPY + output, b"", header.entropy_source))

    def check() -> None:
        if not seal():
            raise HeaderError("bad_seal", f"by validator {header.author_index}")
        if not entropy():
            raise HeaderError("bad_entropy", f"by validator {header.author_index}")

    return claimed_output(header.entropy_source), check


def _hashed_guarantees(
    guarantees: Sequence[ReportGuarantee], hashes: Sequence[Hash], signatures: Codec
) -> bytes:
    """g of 5.6: the guarantees with their reports hashed."""
    return encode_natural(len(guarantees)) + b"".join(
        hashed + guarantee.slot.to_bytes(4, "little") + signatures.encode(guarantee.signatures)
        for guarantee, hashed in zip(guarantees, hashes, strict=True)
    )


def _compared(given: object, needed: object) -> str:
    if given is None:
        return "there is none"
    return "there must be none" if needed is None else "it differs from the state"
