"""Authors blocks with real signatures: keys from seeds, a first state, seals, entropy, tickets and assurances.

In: constants, keys, a state. Out: blocks that follow every rule, as octets: chains of one's own for tests and fuzzers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pvm.errors import InputError
from pvm.jam.block import AvailAssurance, Block, DisputesExtrinsic, Extrinsic, Header, TicketEnvelope
from pvm.jam.codec import encode
from pvm.jam.hashing import blake2b
from pvm.jam.header import ENTROPY, FALLBACK_SEAL, receive
from pvm.jam.merkle import build
from pvm.jam.safrole import (
    TICKET_SEAL,
    Rotated,
    epoch_mark,
    fallback_keys,
    rotate,
    tickets_mark,
    time_between,
)
from pvm.jam.state import State
from pvm.jam.transition import Host
from pvm.jam.types import (
    ZERO_HASH,
    BlockInfo,
    CoreActivityRecord,
    DisputesRecords,
    Hash,
    Mmr,
    Privileges,
    RecentBlocks,
    SafroleState,
    Statistics,
    TicketsOrKeys,
    ValidatorActivityRecord,
    ValidatorData,
)
from wasm_host.node.protocol import encode_state

_NO_DISPUTES = DisputesExtrinsic((), (), ())
_NO_SIGNATURE = bytes(96)
_AVAILABLE = b"jam_available"  # X_A (11.14)


@dataclass(frozen=True)
class Keys:
    """A validator with its secrets."""

    bandersnatch: bytes
    ed25519: bytes
    data: ValidatorData


@lru_cache(2048)
def keys_from_seed(index: int) -> Keys:
    """The keys of test networks' validator `index`, from its trivial seed (JIP-5). It has no BLS key."""
    import bandersnatch_vrfs
    import ed25519_zebra

    seed = index.to_bytes(4, "little") * 8
    bandersnatch = bytes(bandersnatch_vrfs.secret_from_seed(blake2b(b"jam_val_key_bandersnatch" + seed)))
    secret, public = ed25519_zebra.ed_from_seed(blake2b(b"jam_val_key_ed25519" + seed))
    data = ValidatorData(
        bytes(bandersnatch_vrfs.public_from_secret(bandersnatch)), bytes(public), bytes(144), bytes(128)
    )
    return Keys(bandersnatch, bytes(secret), data)


def first_state(host: Host) -> tuple[Header, State]:
    """A genesis: its header, and a state in which the validators of the trivial seeds author in fallback mode."""
    c = host.constants
    validators = tuple(keys_from_seed(index).data for index in range(c.validators))
    eta = tuple(blake2b(bytes((index,))) for index in range(4))
    header = Header(ZERO_HASH, ZERO_HASH, ZERO_HASH, 0, None, None, 0, _NO_SIGNATURE, (), _NO_SIGNATURE)
    idle, unused = ValidatorActivityRecord(0, 0, 0, 0, 0, 0), CoreActivityRecord(0, 0, 0, 0, 0, 0, 0, 0)
    root = host.crypto.ring([validator.bandersnatch for validator in validators]).commitment
    genesis = BlockInfo(blake2b(encode(header, c)), ZERO_HASH, ZERO_HASH, ())
    components: dict[str, Any] = {
        "alpha": ((),) * c.cores,
        "phi": ((ZERO_HASH,) * c.auth_queue,) * c.cores,
        "beta": RecentBlocks((genesis,), Mmr(())),
        "gamma": SafroleState(validators, root, TicketsOrKeys(keys=fallback_keys(eta[2], validators, c)), ()),
        "psi": DisputesRecords((), (), (), ()),
        "eta": eta,
        "iota": validators,
        "kappa": validators,
        "lambda_": validators,
        "rho": (None,) * c.cores,
        "tau": 0,
        "chi": Privileges(0, (0,) * c.cores, 0, 0, ()),
        "pi": Statistics((idle,) * c.validators, (idle,) * c.validators, (unused,) * c.cores, ()),
        "omega": ((),) * c.epoch_length,
        "xi": ((),) * c.epoch_length,
        "theta": (),
    }
    return header, State(c, build([])).updated(components, {})


class Author:
    """Authors blocks with the secrets of some validators, found by their public keys."""

    def __init__(self, host: Host, keys: Sequence[Keys], points: bytes) -> None:
        import bandersnatch_vrfs

        self._host, self._points = host, points
        self._keys: Mapping[bytes, Keys] = {each.data.bandersnatch: each for each in keys}
        self._vrf: Any = bandersnatch_vrfs

    def block(
        self, prior: State, parent: Hash, slot: int, tickets: Sequence[TicketEnvelope] = (), assurers: int = 0
    ) -> bytes | None:
        """A block on a state, with the assurances of the first `assurers` validators. None if the slot is not ours.

        Raises InputError for a slot that is not after the prior state's, or not below 2^32.
        """
        c = self._host.constants
        if not prior.tau < slot < 1 << 32:
            raise InputError(f"slot {slot} is not after {prior.tau}, or not below 2^32")
        rotated = self._rotated(prior, slot)
        time = time_between(prior.tau, slot, c)
        found = self._owner(rotated, slot)
        if found is None:
            return None
        keys, seal_input = found
        index = [each.bandersnatch for each in rotated.kappa].index(keys.data.bandersnatch)
        extrinsic = Extrinsic(tuple(tickets), (), (), self._assurances(prior, parent, assurers), _NO_DISPUTES)
        output = bytes(self._vrf.vrf_output(keys.bandersnatch, seal_input))[:32]
        entropy = bytes(self._vrf.ietf_vrf_sign(keys.bandersnatch, ENTROPY + output, b""))
        header = Header(
            parent, prior.root, ZERO_HASH, slot, epoch_mark(time, prior.eta, rotated.gamma_k),
            tickets_mark(time, prior.gamma.gamma_a, c), index, entropy, (), _NO_SIGNATURE,
        )  # fmt: skip
        committed = receive(encode(Block(header, extrinsic), c), c).extrinsic_hash
        octets = bytearray(encode(Block(header, extrinsic), c))
        octets[64:96] = committed
        unsigned = receive(bytes(octets), c).unsigned
        seal = bytes(self._vrf.ietf_vrf_sign(keys.bandersnatch, seal_input, unsigned))
        return unsigned + seal + bytes(octets[len(unsigned) + len(seal) :])

    def tickets(self, prior: State, slot: int, count: int) -> list[TicketEnvelope]:
        """The best `count` of our tickets that are not submitted yet, in order, for a block in this slot.

        A proof takes a second or so. None are made where submission has ended, and none that would be useless.
        """
        c = self._host.constants
        time = time_between(prior.tau, slot, c)
        if time.next_phase >= c.tickets_end:
            return []
        rotated = self._rotated(prior, slot)
        there = () if time.is_new_epoch else prior.gamma.gamma_a
        ring_keys = [each.bandersnatch for each in rotated.gamma_k]
        known, candidates = {ticket.id for ticket in there}, []
        for place, public in enumerate(ring_keys):
            keys = self._keys.get(public)
            for attempt in range(c.ticket_entries if keys is not None else 0):
                assert keys is not None
                ticket_input = TICKET_SEAL + rotated.entropy[1] + bytes((attempt,))
                identifier = bytes(self._vrf.vrf_output(keys.bandersnatch, ticket_input))[:32]
                if identifier not in known:
                    candidates.append((identifier, place, attempt, keys.bandersnatch, ticket_input))
        best = sorted(candidates)[: min(count, c.tickets_per_block, max(0, c.epoch_length - len(there)))]
        if not best:
            return []
        ring = self._vrf.RingContext(self._points, ring_keys)
        return [
            TicketEnvelope(attempt, bytes(ring.ring_vrf_sign(place, secret, ticket_input, b"")))
            for _, place, attempt, secret, ticket_input in best
        ]

    def _rotated(self, prior: State, slot: int) -> Rotated:
        time = time_between(prior.tau, slot, self._host.constants)
        return rotate(
            time, prior.gamma, prior.iota, prior.kappa, prior.lambda_, prior.eta, prior.psi.offenders,
            self._host.constants, self._host.crypto,
        )  # fmt: skip

    def _owner(self, rotated: Rotated, slot: int) -> tuple[Keys, bytes] | None:
        """Whose slot it is, if it is ours, and the input of its seal."""
        place, seed = slot % self._host.constants.epoch_length, rotated.entropy[2]
        if rotated.gamma_s.tickets is None:
            keys = self._keys.get((rotated.gamma_s.keys or ())[place])
            return None if keys is None else (keys, FALLBACK_SEAL + seed)
        ticket = rotated.gamma_s.tickets[place]
        seal_input = TICKET_SEAL + seed + bytes((ticket.attempt,))
        for validator in rotated.kappa:
            keys = self._keys.get(validator.bandersnatch)
            if keys is not None and bytes(self._vrf.vrf_output(keys.bandersnatch, seal_input))[:32] == ticket.id:
                return keys, seal_input
        return None

    def _assurances(self, prior: State, parent: Hash, count: int) -> tuple[AvailAssurance, ...]:
        import ed25519_zebra

        c = self._host.constants
        bits = sum(1 << core for core, entry in enumerate(prior.rho) if entry is not None)
        bitfield = bits.to_bytes(c.bitfield_bytes, "little")
        message = _AVAILABLE + blake2b(parent + bitfield)
        assurances = []
        for index, validator in enumerate(prior.kappa[:count]):
            keys = self._keys.get(validator.bandersnatch)
            if keys is not None:
                signature = bytes(ed25519_zebra.ed_sign(keys.ed25519, message))
                assurances.append(AvailAssurance(parent, bitfield, index, signature))
        return tuple(assurances)


def encode_step(before: State, block: bytes, after: State) -> bytes:
    """A step as public traces have it."""
    return _encode_state(before) + block + _encode_state(after)


def encode_genesis(header: Header, state: State) -> bytes:
    """A genesis as public traces have it."""
    return encode(header, state.constants) + _encode_state(state)


def _encode_state(state: State) -> bytes:
    return state.root + encode_state(state.items())[1:]

