"""Recent history β (section 7): the last blocks, and the log of accumulation outputs as a Merkle mountain range (E.2).

In: the prior part, fields of the header, the block's guarantees and accumulation output. Out: the posterior part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from pvm.jam.block import ReportGuarantee
from pvm.jam.types import BlockInfo, Hash, Mmr, RecentBlocks, ReportedWorkPackage

HashFunction = Callable[[bytes], Hash]
ZERO_HASH: Hash = bytes(32)


def with_parent_root(recent: RecentBlocks, parent_state_root: Hash) -> RecentBlocks:
    """β†: the last block's state root, which is known only now (7.5)."""
    if not recent.history:
        return recent
    *earlier, last = recent.history
    return replace(recent, history=(*earlier, replace(last, state_root=parent_state_root)))


def reported_packages(guarantees: Iterable[ReportGuarantee]) -> tuple[ReportedWorkPackage, ...]:
    """The packages of a block's reports with their segment roots, by package hash (7.8)."""
    specs = (guarantee.report.package_spec for guarantee in guarantees)
    return tuple(
        ReportedWorkPackage(spec.hash, spec.exports_root) for spec in sorted(specs, key=lambda spec: spec.hash)
    )


def accumulation_root(outputs: Iterable[tuple[int, Hash]], keccak: HashFunction) -> Hash:
    """The root of the block's accumulation outputs θ', which are (service, hash) by service (7.6)."""
    return balanced_root([service.to_bytes(4, "little") + output for service, output in outputs], keccak)


def next_history(
    recent: RecentBlocks,
    header_hash: Hash,
    accumulated: Hash,
    reported: Sequence[ReportedWorkPackage],
    length: int,
    keccak: HashFunction,
) -> RecentBlocks:
    """β' from β†: the log takes this block's root, and the block is the last of `length` (7.7, 7.8)."""
    peaks = append_peak(recent.mmr.peaks, accumulated, keccak)
    block = BlockInfo(
        header_hash=header_hash, beefy_root=super_peak(peaks, keccak), state_root=ZERO_HASH, reported=tuple(reported)
    )
    return RecentBlocks(history=(*recent.history, block)[-length:], mmr=Mmr(peaks=peaks))


def balanced_root(leaves: Sequence[bytes], hashed: HashFunction) -> Hash:
    """M_B: the root of the well-balanced binary tree of blobs (E.1.1). No leaves have the zero hash."""
    return hashed(leaves[0]) if len(leaves) == 1 else _node(leaves, hashed)


def _node(leaves: Sequence[bytes], hashed: HashFunction) -> bytes:
    """N of E.1. It recurses as deep as the logarithm of the number of leaves."""
    if len(leaves) < 2:
        return leaves[0] if leaves else ZERO_HASH
    middle = (len(leaves) + 1) // 2
    return hashed(b"node" + _node(leaves[:middle], hashed) + _node(leaves[middle:], hashed))


def append_peak(peaks: Sequence[Hash | None], leaf: Hash, hashed: HashFunction) -> tuple[Hash | None, ...]:
    """A: the peaks of a Merkle mountain range after `leaf` is appended (E.8)."""
    result = list(peaks)
    for index, peak in enumerate(result):
        if peak is None:
            result[index] = leaf
            return tuple(result)
        leaf = hashed(peak + leaf)
        result[index] = None
    return (*result, leaf)


def super_peak(peaks: Iterable[Hash | None], hashed: HashFunction) -> Hash:
    """M_R: one hash for all peaks; the zero hash without any (E.10)."""
    result = None
    for peak in peaks:
        if peak is not None:
            result = peak if result is None else hashed(b"peak" + result + peak)
    return ZERO_HASH if result is None else result
