"""What is known about programs beyond their formats."""

from __future__ import annotations

import pytest

from pvm.errors import InputError
from pvm.program import assemble
from pvm.program.facts import conventional_text, entries_of, find_entry, metadata_text


def test_conventional_metadata():
    assert conventional_text(b"\0\x01n\x011\x01L\x01\x01a") == "n 1, L, a"
    for other in (b"", b"\0", b"\x01\x01n\x011\x01L\x00", b"\0\x01n\x011\x01L\x00more", b"\0\x01\xff\x011\x01L\x00"):
        assert conventional_text(other) is None
    assert conventional_text(b"\0\x01n\x011\x01L" + b"\xff" * 9) is None  # 2^64 - 1 authors that are not there


def test_metadata_that_is_text():
    assert metadata_text(b"a service") == "a service"
    assert metadata_text(b"\0\x01n\x011\x01L\x01\x01a") == "n 1, L, a"
    assert metadata_text(b"\xff\0") is None


def test_entries():
    service, plain = assemble('.standard\n.metadata "m"\n.code\ntrap'), assemble("trap")
    assert entries_of(plain) == ()
    assert [find_entry(service, name) for name in ("refine", "is-authorized", "accumulate")] == [0, 0, 5]
    with pytest.raises(InputError, match="which has refine, is_authorized, accumulate"):
        find_entry(service, "on_transfer")
    with pytest.raises(InputError, match="did you mean refine"):
        find_entry(service, "refin")
    with pytest.raises(InputError, match="a plain program has no named entries"):
        find_entry(plain, "refine")
