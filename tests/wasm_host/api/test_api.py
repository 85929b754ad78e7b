"""The API reference is written, and names all that the packages export."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

import pvm
from wasm_host.api import PACKAGES, api_page
from wasm_host.api.__main__ import main

pytest.importorskip("pdoc", reason="pdoc writes the API reference")


@pytest.fixture(scope="module")
def page() -> str:
    return api_page()


def test_all_that_is_exported_is_there(page: str) -> None:
    anchors = set(re.findall(r'id="([^"]+)"', page))
    for package in PACKAGES:
        names = {f"{package}.{name}" for name in import_module(package).__all__ if not name.startswith("_")}
        assert names <= anchors, sorted(names - anchors)


def test_methods_of_machines_are_there_with_their_types(page: str) -> None:
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert {f"pvm.Machine.{name}" for name in dir(pvm.Machine) if not name.startswith("_")} <= anchors
    assert not [anchor for anchor in anchors if "._" in anchor and anchor != "pvm.__version__"]
    assert "map(address: int, length: int, access: str | None) -&gt; None" in page
    assert "Answers a host call." in page  # what is said of a value, where it is defined


def test_nothing_is_long_and_links_lead_somewhere(page: str) -> None:
    assert len(page) < 1_000_000 and "object at 0x" not in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
    assert "<script" not in page and "http://" not in page


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "api.html")]) == 0
    assert "API reference" in (tmp_path / "api.html").read_text(encoding="utf-8")
    assert main([]) == 2 and "usage" in capsys.readouterr().err
    assert main([str(tmp_path / "no" / "api.html")]) == 1


def test_without_pdoc_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pdoc", None)
    assert main([str(tmp_path / "api.html")]) == 1
    assert "pip install 'pvm-wasm[docs]'" in capsys.readouterr().err
