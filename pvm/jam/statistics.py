"""Activity π (section 13): of validators over an epoch, of cores and services in a block.

In: the prior part, the extrinsic, who reported, what became available, what accumulation took. Out: the posterior part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pvm.jam.assurances import set_bits
from pvm.jam.block import AvailAssurance, Extrinsic, Preimage
from pvm.jam.constants import Constants
from pvm.jam.types import (
    CoreActivityRecord,
    ServiceActivityRecord,
    ServicesStatisticsMapEntry,
    ValidatorActivityRecord,
    ValidatorData,
    WorkReport,
)

Records = tuple[ValidatorActivityRecord, ...]
_IDLE = ValidatorActivityRecord(0, 0, 0, 0, 0, 0)
_MASK32, _MASK64 = (1 << 32) - 1, (1 << 64) - 1


def next_validator_statistics(
    current: Records,
    last: Records,
    *,
    prior_slot: int,
    slot: int,
    author: int,
    extrinsic: Extrinsic,
    reporters: Collection[bytes],
    validators: Sequence[ValidatorData],
    constants: Constants,
) -> tuple[Records, Records]:
    """π'_V and π'_L (13.3 to 13.5). `reporters` are Ed25519 keys, `validators` the posterior κ'.

    Numbers are kept modulo 2^32, as the state has them.
    """
    if slot // constants.epoch_length != prior_slot // constants.epoch_length:
        current, last = (_IDLE,) * constants.validators, current
    assured = {assurance.validator_index for assurance in extrinsic.assurances}
    guaranteed = {index for index, validator in enumerate(validators) if validator.ed25519 in reporters}
    result = list(current)
    for index in {author} | assured | guaranteed:
        record, mine = current[index], index == author
        result[index] = ValidatorActivityRecord(
            blocks=record.blocks + mine & _MASK32,
            tickets=record.tickets + mine * len(extrinsic.tickets) & _MASK32,
            pre_images=record.pre_images + mine * len(extrinsic.preimages) & _MASK32,
            pre_images_size=record.pre_images_size + mine * _size(extrinsic.preimages) & _MASK32,
            guarantees=record.guarantees + (index in guaranteed) & _MASK32,
            assurances=record.assurances + (index in assured) & _MASK32,
        )
    return tuple(result), last


def core_statistics(
    reports: Iterable[WorkReport],
    available: Iterable[WorkReport],
    assurances: Iterable[AvailAssurance],
    constants: Constants,
) -> tuple[CoreActivityRecord, ...]:
    """π'_C (13.8 to 13.11). `reports` are those of the block's guarantees, `available` those newly available."""
    records = [CoreSums() for _ in range(constants.cores)]
    for report in reports:
        core = records[report.core_index]
        core.bundle_size += report.package_spec.length
        for result in report.results:
            load = result.refine_load
            core.imports += load.imports
            core.extrinsic_count += load.extrinsic_count
            core.extrinsic_size += load.extrinsic_size
            core.exports += load.exports
            core.gas_used += load.gas_used
    for report in available:
        spec = report.package_spec
        segments = -(-spec.exports_count * 65 // 64)
        records[report.core_index].da_load += spec.length + constants.segment_size * segments
    for assurance in assurances:
        for index in set_bits(int.from_bytes(assurance.bitfield, "little")):
            records[index].popularity += 1
    return tuple(record.frozen() for record in records)


class CoreSums:
    """A core's record while it is summed up."""

    __slots__ = CoreActivityRecord.__slots__

    def __init__(self) -> None:
        self.da_load = self.popularity = self.imports = self.extrinsic_count = 0
        self.extrinsic_size = self.exports = self.bundle_size = self.gas_used = 0

    def frozen(self) -> CoreActivityRecord:
        """The record. Gas is modulo 2^64; the other sums, of narrower numbers, stay below that."""
        return CoreActivityRecord(
            da_load=self.da_load, popularity=self.popularity, imports=self.imports,
            extrinsic_count=self.extrinsic_count, extrinsic_size=self.extrinsic_size,
            exports=self.exports, bundle_size=self.bundle_size, gas_used=self.gas_used & _MASK64,
        )  # fmt: skip


class ServiceSums:
    """A service's record while it is summed up."""

    __slots__ = ServiceActivityRecord.__slots__

    def __init__(self) -> None:
        self.provided_count = self.provided_size = self.refinement_count = self.refinement_gas_used = 0
        self.imports = self.extrinsic_count = self.extrinsic_size = self.exports = 0
        self.accumulate_count = self.accumulate_gas_used = 0

    def frozen(self) -> ServiceActivityRecord:
        """The record. Gas is modulo 2^64; the other sums, of narrower numbers, stay below that."""
        return ServiceActivityRecord(
            provided_count=self.provided_count, provided_size=self.provided_size,
            refinement_count=self.refinement_count,
            refinement_gas_used=self.refinement_gas_used & _MASK64, imports=self.imports,
            extrinsic_count=self.extrinsic_count, extrinsic_size=self.extrinsic_size,
            exports=self.exports, accumulate_count=self.accumulate_count,
            accumulate_gas_used=self.accumulate_gas_used & _MASK64,
        )  # fmt: skip


def service_statistics(
    reports: Iterable[WorkReport], preimages: Iterable[Preimage], accumulated: Mapping[int, tuple[int, int]]
) -> tuple[ServicesStatisticsMapEntry, ...]:
    """π'_S (13.12 to 13.15), by service. `accumulated` has gas used and number of items by service (12.28)."""
    records: dict[int, ServiceSums] = {}

    def of(service: int) -> ServiceSums:
        return records.setdefault(service, ServiceSums())

    for report in reports:
        for result in report.results:
            record, load = of(result.service_id), result.refine_load
            record.refinement_count += 1
            record.refinement_gas_used += load.gas_used
            record.imports += load.imports
            record.extrinsic_count += load.extrinsic_count
            record.extrinsic_size += load.extrinsic_size
            record.exports += load.exports
    for preimage in preimages:
        record = of(preimage.requester)
        record.provided_count += 1
        record.provided_size += len(preimage.blob)
    for service, (gas, items) in accumulated.items():
        record = of(service)
        record.accumulate_count, record.accumulate_gas_used = items, gas
    return tuple(ServicesStatisticsMapEntry(service, records[service].frozen()) for service in sorted(records))


def _size(preimages: Iterable[Preimage]) -> int:
    return sum(len(preimage.blob) for preimage in preimages)
