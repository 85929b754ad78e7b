"""`pvm jam`: traces imported, shown and timed; what is said of a step that fails."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from pvm.jam.constants import TINY
from pvm.jam.state import state_of
from pvm.jam.steps import read_step
from tests.pvm.jam.archives import DATA, members
from tests.pvm.jam.traces import native_crypto


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """An archive of the first steps of the trace "safrole", with its genesis."""
    native_crypto()
    files = dict(members("blocks/safrole", ".bin"))
    path = tmp_path / "safrole.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        for name in [*sorted(files)[:5], *(name for name in files if name.endswith("genesis.bin"))]:
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            archive.addfile(entry, io.BytesIO(files[name]))
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with a step whose state after it has another slot."""
    native_crypto()
    _, data = next(members("blocks/fallback", "00000001.bin"))
    step, slot = read_step(data, TINY), bytes([11]) + bytes(30)
    entries = {**dict(step.after.entries), slot: (77).to_bytes(4, "little")}
    after = step.after.octets.replace(slot + b"\4" + dict(step.after.entries)[slot], slot + b"\4" + entries[slot])
    folder = tmp_path / "broken"
    folder.mkdir()
    kept = data[: -len(step.after.octets) - 32]
    (folder / "00000001.bin").write_bytes(kept + state_of(entries.items(), TINY).root + after)
    return folder


def test_import(pvm, trace):
    done = pvm("jam", "import", trace, "--points", points())
    assert (done.status, done.last_line) == (0, "5 passed, 0 failed")
    found = json.loads(pvm("jam", "import", trace, "--points", points(), "--json").text)
    assert (found["passed"], found["failed"], len(found["steps"])) == (5, 0, 5)
    assert set(found["seconds"]) == {"p50", "mean", "p90", "p99", "max"}


def test_import_of_a_step_that_fails(pvm, broken):
    done = pvm("jam", "import", broken, "--points", points())
    assert (done.status, done.last_line) == (1, "0 passed, 1 failed")
    assert "tau    77" in done.text
    found = json.loads(pvm("jam", "import", broken, "--points", points(), "--json").text)
    assert found["failures"][0]["differences"] == [{"where": "tau", "expected": 77, "got": 1}]


def test_import_of_what_is_none(pvm, tmp_path):
    assert pvm("jam", "import", tmp_path / "nothing").status == 2
    (tmp_path / "00000001.bin").write_bytes(b"no step")
    done = pvm("jam", "import", tmp_path, "--points", points())
    assert done.status == 2
    assert "00000001.bin" in done.stderr
    short = tmp_path / "points"
    short.write_bytes(b"short")
    assert "has 5 octets" in pvm("jam", "import", tmp_path, "--points", short).stderr


def test_show(pvm, trace, broken):
    assert pvm("jam", "show", f"{trace}/00000001.bin", "block.header.slot").text == "1\n"
    found = json.loads(pvm("jam", "show", broken / "00000001.bin", "after.tau", "--json").text)
    assert found == {"kind": "step", "path": "after.tau", "value": 77}
    done = pvm("jam", "show", f"{trace}/00000001.bin", "after.nu")
    assert (done.status, "there is root" in done.stderr) == (2, True)
    assert "has no 9.bin" in pvm("jam", "show", f"{trace}/9.bin").stderr
    text = pvm("jam", "show", f"{trace}/00000001.bin", "block.header").text
    assert "octets)" in text, "long octets are cut"


def test_bench(pvm, trace, broken):
    done = pvm("jam", "bench", trace, "--points", points(), "--rounds", "1")
    assert (done.status, done.last_line) == (0, "0 wrong roots")
    assert "signature checks alone" in done.text
    assert "Published" in done.text
    assert "no trace with a genesis" in pvm("jam", "bench", broken, "--points", points()).stderr


def test_devnet(pvm, tmp_path):
    native_crypto()
    out = tmp_path / "chain"
    done = pvm("jam", "devnet", "--slots", "3", "--tickets", "0", "--out", out, "--points", points())
    assert (done.status, done.text.startswith("3 blocks authored and imported")) == (0, True)
    assert pvm("jam", "import", out, "--points", points()).last_line == "3 passed, 0 failed"


def points() -> Path:
    return DATA / "crypto" / "zcash-srs-2-11-uncompressed.bin"
