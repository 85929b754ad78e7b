"""Between the state's components and the part of them that accumulation can change (12.16, 12.27).

In: a state. Out: its `PartialState`; afterwards the components that are others now. The staging set and the queues are
taken as octets, since hardly a block changes them.
"""

from __future__ import annotations

from typing import Any

from pvm.errors import CodecError
from pvm.jam import types
from pvm.jam.accounts import Accounts
from pvm.jam.partial_state import PartialState, Privileges
from pvm.jam.state import State

VALIDATOR_OCTETS = 336


def partial_state_of(state: State) -> PartialState:
    """S of the prior state. Its accounts read the state's values. Raises CodecError for a component of wrong size."""
    constants, privileges = state.constants, state.chi
    queue = 32 * constants.auth_queue
    queues = _octets(state, "phi", constants.cores * queue)
    return PartialState(
        accounts=Accounts(state),
        privileges=Privileges(
            manager=privileges.bless,
            delegator=privileges.designate,
            registrar=privileges.register,
            assigners=privileges.assign,
            always={entry.id: entry.gas for entry in privileges.always_acc},
        ),
        staging_set=_octets(state, "iota", constants.validators * VALIDATOR_OCTETS),
        queues=tuple(queues[start : start + queue] for start in range(0, len(queues), queue)),
    )


def changed_components(before: PartialState, after: PartialState) -> dict[str, Any]:
    """χ' by its name in `State`, if it is not what it was."""
    privileges = after.privileges
    if privileges == before.privileges:
        return {}
    always = sorted(privileges.always.items())
    return {
        "chi": types.Privileges(
            bless=privileges.manager, assign=privileges.assigners, designate=privileges.delegator,
            register=privileges.registrar, always_acc=tuple(types.AlwaysAccumulateMapEntry(*entry) for entry in always),
        )
    }  # fmt: skip


def changed_octets(before: PartialState, after: PartialState) -> dict[str, bytes]:
    """ι' and φ' by their names in `State`, as the state has them, those that are not what they were."""
    changed = {}
    if after.staging_set != before.staging_set:
        changed["iota"] = after.staging_set
    if after.queues != before.queues:
        changed["phi"] = b"".join(after.queues)
    return changed


def _octets(state: State, name: str, size: int) -> bytes:
    raw = state.raw(name)
    if len(raw) != size:
        raise CodecError(f"{size} octets are needed, not {len(raw)}", name)
    return raw
