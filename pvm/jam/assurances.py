"""Availability assurances (section 11.2): which pending reports became available, and what stays pending.

In: ρ†, the extrinsic, the prior validators κ. Out: the newly available reports and ρ‡.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pvm.jam.block import AvailAssurance
from pvm.jam.constants import Constants
from pvm.jam.errors import AssurancesError
from pvm.jam.hashing import blake2b
from pvm.jam.order import ascends
from pvm.jam.signatures import Check, Signed
from pvm.jam.types import AvailabilityAssignment, Hash, ValidatorData, WorkReport

Pending = tuple[AvailabilityAssignment | None, ...]
AVAILABLE = b"jam_available"  # X_A (11.14)


@dataclass(frozen=True)
class Assured:
    """`available` are the newly available reports by core, `pending` is ρ‡."""

    available: tuple[WorkReport, ...]
    pending: Pending


def apply_assurances(
    pending: Pending,
    assurances: Sequence[AvailAssurance],
    *,
    parent: Hash,
    slot: int,
    validators: Sequence[ValidatorData],
    constants: Constants,
    check: Check,
) -> Assured:
    """11.16 and 11.17. `pending` is ρ†, `slot` the block's, `validators` the prior κ.

    A report that has timed out may still become available in this very block. Raises AssurancesError for the first
    rule that is broken; signatures are checked last.
    """
    engaged = sum(1 << core for core, entry in enumerate(pending) if entry is not None)
    votes = [0] * len(pending)
    for assurance in assurances:
        if assurance.anchor != parent:
            raise AssurancesError("bad_attestation_parent", assurance.anchor.hex())
        if assurance.validator_index >= len(validators):
            raise AssurancesError("bad_validator_index", str(assurance.validator_index))
        bits = int.from_bytes(assurance.bitfield, "little")
        if bits & ~engaged:
            raise AssurancesError("core_not_engaged", f"by validator {assurance.validator_index}")
        for core in set_bits(bits):
            votes[core] += 1
    if not ascends(assurance.validator_index for assurance in assurances):
        raise AssurancesError("not_sorted_or_unique_assurers")
    check(
        _signed(assurances, parent, validators),
        lambda signed: AssurancesError("bad_signature", f"by {signed.key.hex()}"),
    )
    enough = 2 * constants.validators
    done = {core for core, count in enumerate(votes) if 3 * count > enough}
    return Assured(
        tuple(entry.report for core, entry in enumerate(pending) if entry is not None and core in done),
        tuple(
            None if entry is None or core in done or slot >= entry.timeout + constants.availability_timeout else entry
            for core, entry in enumerate(pending)
        ),
    )


def set_bits(bits: int) -> list[int]:
    """The indices of the bits set, ascending."""
    result = []
    while bits:
        low = bits & -bits
        result.append(low.bit_length() - 1)
        bits ^= low
    return result


def _signed(assurances: Sequence[AvailAssurance], parent: Hash, validators: Sequence[ValidatorData]) -> list[Signed]:
    """What was signed, by whom (11.13)."""
    return [
        Signed(
            validators[assurance.validator_index].ed25519,
            AVAILABLE + blake2b(parent + assurance.bitfield),
            assurance.signature,
        )
        for assurance in assurances
    ]
