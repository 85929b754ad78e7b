"""What blocks cost by the pipeline model, as the interpreter's decoder leaves it behind (`pvm.emit.interpreter.costs`).

In: two parts of the engine memory of a machine that charges so, its program decoded. Out: `DecodedCosts`, which has
`pvm.gas.BlockCosts.at`. Hosts hand it to the recompiler, where Python would take longer than translating does.
"""

from __future__ import annotations

import struct

from pvm.abi import RECORD

_WORD = struct.Struct("<I")


class DecodedCosts:
    """What entering pcs of a decoded program costs.

    `index` are 4 bytes for each pc from 0 to the end of the code, `records` what lies between the address
    `first` and that in `records_end` of the state.
    """

    def __init__(self, index: bytes, records: bytes, first: int) -> None:
        self._index, self._records, self._first = index, records, first

    def at(self, pc: int) -> int:
        """Gas. Raises IndexError for pcs that `pvm.program.decode` does not yield."""
        (record,) = _WORD.unpack_from(self._index, 4 * pc)
        if not record:
            raise IndexError(f"pc {pc}: no instruction")
        (cost,) = _WORD.unpack_from(self._records, (record & -2) - self._first + RECORD.charge)
        return int(cost)


def index_size(code_length: int) -> int:
    """Bytes of the index of so many octets of code."""
    return 4 * (code_length + 1)
