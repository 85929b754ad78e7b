"""What a service can `fetch` (Ω_Y in B.5): a package's parts in refine and is-authorized, inputs in accumulate.

In: constants, and what the invocation was given. Out: `Fetchable`, values by kind and index. What has to be encoded is
encoded when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Protocol

from pvm.jam.codec import encode, encode_natural
from pvm.jam.constants import Constants
from pvm.jam.inputs import Input, encode_inputs
from pvm.jam.types import WorkItem, WorkPackage

_SUMMARY = Struct("<I32s2Q3HI")


def encode_constants(constants: Constants, version: str = "0.7.2") -> bytes:
    """The first kind of what is fetched: the constants, in the order of Ω_Y. 0.8.0 leaves five of them out."""
    is_072 = version != "0.8.0"
    c = constants
    sized: list[tuple[int, int]] = [
        (8, c.item_deposit), (8, c.byte_deposit), (8, c.base_deposit), (2, c.cores), (4, c.expunge_period),
        (4, c.epoch_length), (8, c.report_accumulation_gas), (8, c.authorization_gas), (8, c.refine_gas),
        (8, c.block_accumulation_gas), (2, c.recent_history), (2, c.package_items), (2, c.report_dependencies),
        (2, c.tickets_per_block), (4, c.lookup_anchor_age),
    ]  # fmt: skip
    if is_072:
        sized.append((2, c.ticket_entries))
    sized += [
        (2, c.auth_pool), (2, c.slot_seconds), (2, c.auth_queue), (2, c.rotation_period), (2, c.package_extrinsics),
        (2, c.availability_timeout),
    ]  # fmt: skip
    if is_072:
        sized.append((2, c.validators))
    sized += [(4, c.auth_code_size), (4, c.bundle_size), (4, c.service_code_size)]
    if is_072:
        sized.append((4, c.piece_size))
    sized.append((4, c.package_imports))
    if is_072:
        sized.append((4, c.segment_pieces))
    sized += [(4, c.report_size), (4, c.memo_size), (4, c.package_exports), (4, c.tickets_end)]
    return b"".join(value.to_bytes(size, "little") for size, value in sized)


def summary_of(item: WorkItem) -> bytes:
    """The paper's S(w): what is short of a work item."""
    return _SUMMARY.pack(
        item.service, item.code_hash, item.refine_gas_limit, item.accumulate_gas_limit, item.export_count,
        len(item.import_segments), len(item.extrinsic), len(item.payload),
    )  # fmt: skip


class Package(Protocol):
    """What of a package can be fetched."""

    @property
    def encoded(self) -> bytes: ...
    @property
    def config(self) -> bytes: ...
    @property
    def token(self) -> bytes: ...
    @property
    def context(self) -> bytes: ...
    @property
    def summaries(self) -> Sequence[bytes]: ...
    @property
    def payloads(self) -> Sequence[bytes]: ...


@dataclass(frozen=True)
class EncodedPackage:
    """A work package for `fetch`."""

    package: WorkPackage
    constants: Constants

    @property
    def encoded(self) -> bytes:
        """E(p)."""
        return encode(self.package, self.constants)

    @property
    def config(self) -> bytes:
        """The authorizer's configuration."""
        return self.package.authorizer_config

    @property
    def token(self) -> bytes:
        """The authorization token."""
        return self.package.authorization

    @property
    def context(self) -> bytes:
        """E(p_c), the refinement context."""
        return encode(self.package.context, self.constants)

    @property
    def summaries(self) -> tuple[bytes, ...]:
        """S(w) of each item."""
        return tuple(summary_of(item) for item in self.package.items)

    @property
    def payloads(self) -> tuple[bytes, ...]:
        """The payload of each item."""
        return tuple(item.payload for item in self.package.items)


Segments = Sequence[Sequence[bytes]]
"""Octets by work item and index."""


@dataclass(frozen=True)
class Fetchable:
    """What Ω_Y is given; None is what an invocation has none of.

    `constants` are encoded, `entropy` is n, `trace` r, `index` i, `imports` and `extrinsics` are lists by item,
    `inputs` what accumulation is given.
    """

    constants: bytes
    entropy: bytes | None = None
    package: Package | None = None
    trace: bytes | None = None
    index: int | None = None
    imports: Segments | None = None
    extrinsics: Segments | None = None
    inputs: Sequence[Input] | None = None
    _made: dict[tuple[int, int], bytes] = field(default_factory=dict, repr=False, compare=False)

    def find(self, kind: int, first: int, second: int) -> bytes | None:
        """The paper's v: what is to be had of a kind (r10) with its indices (r11, r12). None if there is none."""
        if kind > 15:
            return None
        if kind == 0:
            return self.constants
        if kind == 1:
            return self.entropy
        if kind == 2:
            return self.trace
        if kind in (3, 5):
            return _at(self.extrinsics if kind == 3 else self.imports, first, second)
        if kind in (4, 6):
            lists = self.extrinsics if kind == 4 else self.imports
            return None if self.index is None else _at(lists, self.index, first)
        return self._of_inputs(kind, first) if kind > 13 else self._of_package(kind, first)

    def _of_package(self, kind: int, index: int) -> bytes | None:
        package = self.package
        if package is None:
            return None
        if kind == 8:
            return package.config
        if kind == 9:
            return package.token
        if kind in (12, 13):
            items = package.summaries if kind == 12 else package.payloads
            return items[index] if index < len(items) else None
        found = self._made.get((kind, 0))
        if found is None:
            if kind == 11:
                found = encode_natural(len(package.summaries)) + b"".join(package.summaries)
            else:
                found = package.encoded if kind == 7 else package.context
            self._made[kind, 0] = found
        return found

    def _of_inputs(self, kind: int, index: int) -> bytes | None:
        inputs = self.inputs
        if inputs is None or (kind == 15 and index >= len(inputs)):
            return None
        key = (kind, index if kind == 15 else 0)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = encode_inputs(inputs) if kind == 14 else inputs[index].encode()
        return found


def _at(lists: Segments | None, first: int, second: int) -> bytes | None:
    """An item of an item's list."""
    if lists is None or first >= len(lists) or second >= len(lists[first]):
        return None
    return lists[first][second]
