"""Authorizer pools α (section 8): a core's pool loses the authorizer used and takes one from the core's queue.

In: the prior pools, the queues φ' after accumulation, the slot, the authorizers used. Out: the posterior pools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pvm.jam.types import Hash


def next_pools(
    pools: Sequence[Sequence[Hash]], queues: Sequence[Sequence[Hash]], slot: int, used: Mapping[int, Hash], size: int
) -> tuple[tuple[Hash, ...], ...]:
    """α' (8.2, 8.3). `used` has by core the authorizer of the block's report there; a pool has at most `size`."""
    result = []
    for core, (pool, queue) in enumerate(zip(pools, queues, strict=True)):
        remaining = list(pool)
        if used.get(core) in remaining:
            remaining.remove(used[core])
        result.append((*remaining, queue[slot % len(queue)])[-size:])
    return tuple(result)
