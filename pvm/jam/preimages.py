"""Preimages of a block (section 12.5): those that a service asked for and does not have yet are given to it.

In: the accounts before and after accumulation, the extrinsic. Out: the accounts, changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvm.jam.accounts import Accounts
from pvm.jam.block import Preimage
from pvm.jam.errors import PreimagesError
from pvm.jam.hashing import blake2b
from pvm.jam.order import ascends
from pvm.jam.types import Hash


def check_preimages(accounts: Accounts, preimages: Sequence[Preimage]) -> tuple[Hash, ...]:
    """The hashes of the block's preimages, which the accounts of the prior state must want (12.36, 12.37).

    Raises PreimagesError for the first rule that is broken.
    """
    if not ascends((preimage.requester, preimage.blob) for preimage in preimages):
        raise PreimagesError("preimages_not_sorted_unique")
    hashes = tuple(blake2b(preimage.blob) for preimage in preimages)
    for preimage, digest in zip(preimages, hashes, strict=True):
        wanted = accounts.request(preimage.requester, digest, len(preimage.blob)) == ()
        if not wanted or preimage.requester not in accounts:
            raise PreimagesError("preimage_unneeded", f"{digest.hex()} for service {preimage.requester}")
    return hashes


def integrate_preimages(accounts: Accounts, preimages: Sequence[Preimage], hashes: Sequence[Hash], slot: int) -> None:
    """δ' from δ‡ (12.38): what accumulation has left without use is left out, without an error."""
    for preimage, digest in zip(preimages, hashes, strict=True):
        accounts.provide(preimage.requester, preimage.blob, digest, slot)
