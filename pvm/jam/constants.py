"""Constants of the Gray Paper (0.7.2, "Constants" of the definitions), for the parameters "tiny" and "full".

`Constants` goes as a value to whatever depends on it. The comment at each field is the paper's letter.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, eq=False, slots=True)
class Constants:
    """One set of parameters. Two sets are the same only if they are the same object, so that they are cheap keys."""

    name: str
    validators: int  # V
    cores: int  # C
    epoch_length: int  # E, slots
    tickets_end: int  # Y, the slot of an epoch in which submission of tickets ends
    ticket_entries: int  # N, attempts of a validator
    tickets_per_block: int  # K
    rotation_period: int  # R, slots
    expunge_period: int  # D, slots
    lookup_anchor_age: int  # L, slots
    refine_gas: int  # G_R
    block_accumulation_gas: int  # G_T
    piece_size: int  # W_E, octets
    segment_pieces: int  # W_P
    report_accumulation_gas: int = 10_000_000  # G_A
    authorization_gas: int = 50_000_000  # G_I
    recent_history: int = 8  # H, blocks
    package_items: int = 16  # I
    report_dependencies: int = 8  # J
    auth_pool: int = 8  # O
    auth_queue: int = 80  # Q
    slot_seconds: int = 6  # P
    first_public_service: int = 2**16  # S
    package_extrinsics: int = 128  # T
    availability_timeout: int = 5  # U, slots
    item_deposit: int = 10  # B_I
    byte_deposit: int = 1  # B_L
    base_deposit: int = 100  # B_S
    auth_code_size: int = 64_000  # W_A, octets
    bundle_size: int = 13_791_360  # W_B, octets
    service_code_size: int = 4_000_000  # W_C, octets
    package_imports: int = 3_072  # W_M
    package_exports: int = 3_072  # W_X
    report_size: int = 48 * 2**10  # W_R, octets
    memo_size: int = 128  # W_T, octets

    @property
    def super_majority(self) -> int:
        """Votes of a verdict: ⌊2/3 V⌋ + 1."""
        return self.validators * 2 // 3 + 1

    @property
    def bitfield_bytes(self) -> int:
        """Octets of an assurance's bits: ⌈C / 8⌉."""
        return (self.cores + 7) // 8

    @property
    def segment_size(self) -> int:
        """W_G, octets."""
        return self.piece_size * self.segment_pieces


TINY = Constants(
    name="tiny", validators=6, cores=2, epoch_length=12, tickets_end=10, ticket_entries=3, tickets_per_block=3,
    rotation_period=4, expunge_period=32, lookup_anchor_age=24, refine_gas=1_000_000_000,
    block_accumulation_gas=20_000_000, piece_size=4, segment_pieces=1026,
)  # fmt: skip
FULL = Constants(
    name="full", validators=1023, cores=341, epoch_length=600, tickets_end=500, ticket_entries=2, tickets_per_block=16,
    rotation_period=10, expunge_period=19_200, lookup_anchor_age=14_400, refine_gas=5_000_000_000,
    block_accumulation_gas=3_500_000_000, piece_size=684, segment_pieces=6,
)  # fmt: skip
PARAMETERS = {"tiny": TINY, "full": FULL}
