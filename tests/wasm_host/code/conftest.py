"""What tests of compiled code share."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasm_host.code.cache import CodeCache


@pytest.fixture
def cache(tmp_path: Path) -> CodeCache:
    """A cache in a folder of its own, which is not there yet."""
    return CodeCache(tmp_path / "code")
