"""The part of the state that accumulation can change (12.3), and what one service's accumulation comes to (12.3).

In: the state's components. Out: frozen values, but for the accounts, which are a layer (`pvm.jam.accounts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pvm.jam.accounts import Accounts
from pvm.jam.inputs import Transfer


@dataclass(frozen=True)
class Privileges:
    """χ (9.4): the manager, the delegator, the registrar, each core's assigner, free gas by service."""

    manager: int = 0
    delegator: int = 0
    registrar: int = 0
    assigners: tuple[int, ...] = ()
    always: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PartialState:
    """The paper's S (12.3).

    `staging_set` is as the state has it, 336 octets a validator; `queues` are the cores' authorizers, of each core
    its 80 hashes in one piece.
    """

    accounts: Accounts
    privileges: Privileges
    staging_set: bytes = b""
    queues: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Accumulated:
    """The paper's O (12.3): what Ψ_A returns.

    `state.accounts` is a new layer on the one that was given, which has not changed. `provisions` are preimages for
    services, each pair once.
    """

    state: PartialState
    transfers: tuple[Transfer, ...]
    yielded: bytes | None
    gas_used: int
    provisions: tuple[tuple[int, bytes], ...]
