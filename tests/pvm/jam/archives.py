"""Reads the public JAM data in place. Tests skip, with this reason, where it is missing."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

DATA = Path(__file__).parents[4] / "shared" / "jam"


def members(archive: str, suffix: str = "") -> Iterator[tuple[str, bytes]]:
    """Names and contents of an archive's files, such as ("codec/codec", ".bin"), in its order."""
    path = DATA / f"{archive}.tar.xz"
    if not path.exists():
        pytest.skip(f"no public JAM data at {path}")
    with tarfile.open(path, "r|xz") as files:
        for entry in files:
            if entry.isfile() and entry.name.endswith(suffix):
                content = files.extractfile(entry)
                assert content
                yield entry.name, content.read()
