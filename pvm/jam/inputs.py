"""What accumulation is given (12.3): operands, which come of work items, and deferred transfers.

In: their parts. Out: frozen values with their encodings (C), as services fetch them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from pvm.program.codec import encode_natural

MEMO_SIZE = 128  # W_T, octets


class WorkError(IntEnum):
    """Why a work item has no output (the paper's E), by the discriminator of its encoding (C)."""

    OUT_OF_GAS = 1
    PANIC = 2
    BAD_EXPORTS = 3  # not as many as the item announced
    OVERSIZE = 4  # more than a report may hold
    BAD = 5  # no such service, or its code is not available
    BIG = 6  # its code is too long


WorkResult = bytes | WorkError


def encode_result(result: WorkResult) -> bytes:
    """The paper's O (C)."""
    if isinstance(result, WorkError):
        return bytes((result,))
    return b"\0" + encode_natural(len(result)) + result


@dataclass(frozen=True, slots=True)
class Operand:
    """The paper's U (12.3): a digest with what its report says of it. Hashes are 32 octets."""

    package: bytes  # p: the work package's hash
    segment_root: bytes  # e: of its exports
    authorizer: bytes  # a: the authorizer's hash
    payload: bytes  # y: the payload's hash
    gas: int  # g: the item's limit for accumulation
    result: WorkResult  # l
    trace: bytes  # t: what the authorizer returned

    def encode(self) -> bytes:
        """E(0, E_U(o))."""
        return b"".join((
            b"\0", self.package, self.segment_root, self.authorizer, self.payload, encode_natural(self.gas),
            encode_result(self.result), encode_natural(len(self.trace)), self.trace,
        ))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transfer:
    """The paper's X (12.3): a deferred transfer. `memo` is 128 octets."""

    source: int
    to: int
    amount: int
    memo: bytes
    gas: int

    def encode(self) -> bytes:
        """E(1, E_X(t))."""
        return b"".join((
            b"\1", self.source.to_bytes(4, "little"), self.to.to_bytes(4, "little"),
            self.amount.to_bytes(8, "little"), self.memo, self.gas.to_bytes(8, "little"),
        ))  # fmt: skip


Input = Operand | Transfer


def encode_inputs(inputs: Sequence[Input]) -> bytes:
    """E(↕i): all of them, their count before them."""
    return encode_natural(len(inputs)) + b"".join(one.encode() for one in inputs)
