"""The points that ring proofs are checked with (Zcash's, 2^11, uncompressed): a file of 590,320 octets, looked for.

They come with the public vectors of JAM (davxy/jam-test-vectors, CC0, in `stf/safrole`), and not with this package.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from platformdirs import user_data_path

from pvm.errors import InputError

NAME = "zcash-srs-2-11-uncompressed.bin"
VARIABLE = "PVM_JAM_POINTS"
SIZE = 590_320
_BESIDE = ("", "crypto", "jam/crypto", "shared/jam/crypto")


def ring_points(given: Path | None = None, near: Iterable[Path] = ()) -> bytes:
    """The file `given`, or the first found: $PVM_JAM_POINTS, this user's data folder, beside `near` and above.

    Raises InputError where there is none or it has another size.
    """
    for path in (given,) if given else _places(near):
        try:
            data = path.read_bytes()
        except OSError as error:
            if given:
                raise InputError(f"{path}: {error.strerror}") from None
            continue
        if len(data) != SIZE:
            raise InputError(f"{path} has {len(data)} octets, the points for ring proofs {SIZE}")
        return data
    raise InputError(
        f"no {NAME} found (davxy/jam-test-vectors has it in stf/safrole): say where it is with --points or ${VARIABLE}"
    )


def _places(near: Iterable[Path]) -> Iterator[Path]:
    if os.environ.get(VARIABLE):
        yield Path(os.environ[VARIABLE])
    yield user_data_path("pvm") / NAME
    for start in (*near, Path.cwd(), Path(__file__)):
        for folder in (start.absolute(), *start.absolute().parents):
            yield from (folder / beside / NAME for beside in _BESIDE)
