"""The page's folder: what is in it, that it is reproducible, and folders and packages that are refused."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pvm import abi
from pvm.emit.interpreter import interpreter_bytes
from pvm.errors import InputError
from pvm.examples import EXAMPLES
from pvm.gas import METERINGS
from pvm.version import __version__
from pvm_web import pyodide, wheel
from pvm_web.bridge.values import Big, registers, to_json, words
from pvm_web.build import MANIFEST, build

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fake_pyodide(tmp_path: Path) -> Path:
    """A folder that looks like Pyodide's package."""
    folder = tmp_path / "fake-pyodide"
    folder.mkdir()
    for name in pyodide.FILES:
        (folder / name).write_text(name)
    (folder / "package.json").write_text(json.dumps({"version": pyodide.VERSION}))
    (folder / pyodide.LOCK).write_text(json.dumps({"info": {"arch": "wasm32"}, "packages": {"numpy": {}}}))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_built(tmp_path: Path, fake_pyodide: Path) -> None:
    built = build(tmp_path / "deep" / "page", given_pyodide=fake_pyodide)
    files = contents(built.folder)
    manifest = json.loads(files.pop(MANIFEST))
    assert manifest["files"] == built.sizes == {name: len(data) for name, data in sorted(files.items())}
    assert manifest["version"] == __version__ and manifest["pyodide"]["url"] == "pyodide/"
    page = ROOT / "web" / "page"
    copied = {str(path.relative_to(page)) for path in page.rglob("*") if path.is_file()}
    assert files["offline.js"].startswith(b'const BUILD = "') and b'"pyodide/pyodide.mjs"' in files["offline.js"]
    assert copied <= set(files) and {"shared/workers.mjs", "python/worker.mjs"} <= copied
    assert files["data/interpreter.wasm"] == interpreter_bytes()
    assert files["data/interpreter_counting.wasm"] == interpreter_bytes(counts=True)
    assert json.loads(files["data/abi.json"])["STATE"]["gas"] == {"offset": abi.STATE["gas"].offset, "size": 8}
    assert json.loads(files["pyodide/" + pyodide.LOCK]) == {"info": {"arch": "wasm32"}, "packages": {}}
    assert not [name for name in os.listdir(tmp_path / "deep") if name != "page"]


def test_examples_are_whole(tmp_path: Path) -> None:
    files = contents(build(tmp_path / "page", cdn=True).folder)
    assert [entry["name"] for entry in json.loads(files["data/examples.json"])] == [known.name for known in EXAMPLES]
    for known in EXAMPLES:
        data = json.loads(files[f"data/examples/{known.name}.json"])
        assert list(data) == ["opened", "index", "lines", "images", "translations"]
        assert data["opened"]["source"] == known.source and data["opened"]["example"]["args"] == known.args.hex()
        assert len(data["lines"]) == data["opened"]["instructions"]
        assert set(data["images"]) == set(data["translations"]) == set(METERINGS)
        assert data["images"]["block"]["gas"] == {"$int": str(known.gas)}


def test_links_are_relative(tmp_path: Path) -> None:
    files = contents(build(tmp_path / "page", cdn=True).folder)
    html = files["index.html"].decode()
    for link in re.findall(r'(?:src|href)="([^"#]+)"', html):
        assert link in files or link.startswith("https://graypaper.com"), link
    for name, data in files.items():
        if name.endswith((".mjs", ".css")):
            assert not re.search(rb"""(?:from|import\(|url\()\s*["'](?:https?:)?//?""", data), name


def test_the_network_is_asked_for_pyodide_only_when_wanted(tmp_path: Path, fake_pyodide: Path) -> None:
    offline = contents(build(tmp_path / "a", given_pyodide=fake_pyodide).folder)
    online = contents(build(tmp_path / "b", cdn=True).folder)
    assert not [name for name in online if name.startswith("pyodide/")]
    assert json.loads(online[MANIFEST])["pyodide"]["url"].startswith("https://")
    assert b"https://cdn" not in b"".join(offline[name] for name in offline if not name.endswith(".whl"))


def test_building_again_gives_the_same_and_replaces(tmp_path: Path, fake_pyodide: Path) -> None:
    folder = tmp_path / "page"
    first = contents(build(folder, given_pyodide=fake_pyodide).folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / "more").write_text("of an earlier version")
    (folder / MANIFEST).write_text(json.dumps({**manifest, "files": {**manifest["files"], "more": 21}}))
    assert contents(build(folder, given_pyodide=fake_pyodide).folder) == first
    assert os.listdir(tmp_path) and {"page", "fake-pyodide"} == set(os.listdir(tmp_path))
    code = "import sys; from pvm_web.wheel import wheel_bytes; sys.stdout.buffer.write(wheel_bytes())"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT,
                           env={**os.environ, "PYTHONHASHSEED": "7"})  # fmt: skip
    assert other.stdout == first[wheel.NAME]


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    build(tmp_path / "link", cdn=True)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "index.html").is_file()


def test_the_folder_itself_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    for _ in range(2):
        build(Path(), cdn=True)
        assert tmp_path.stat().st_ino == before and Path("index.html").is_file()


def test_what_cannot_be_finished_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(build(tmp_path / "page", cdn=True).folder)
    rename, done = Path.rename, []

    def fail(path: Path, target: Path) -> Path:
        done.append(path)
        if len(done) >= len(os.listdir(tmp_path / "page")) + 3:
            raise OSError(28, "No space left on device", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(InputError, match="cannot be written: no space left"):
        build(tmp_path / "page", cdn=True)
    assert contents(tmp_path / "page") == before and len(done) > 5


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    for name, make, message in (
        ("files", lambda path: (path / "thesis.txt").write_text("x"), "has files in it"),
        ("other", lambda path: _write(path / MANIFEST, '{"generator": "other"}'), "has files in it"),
        ("damaged", lambda path: _write(path / MANIFEST, "{"), "has files in it"),
        ("list", lambda path: _write(path / MANIFEST, "[]"), "has files in it"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        make(folder)
        before = contents(folder)
        with pytest.raises(InputError, match=message):
            build(folder, cdn=True)
        assert contents(folder) == before
    build(tmp_path / "page", cdn=True)
    for name in ("CNAME", "data/notes.txt", ".git/config"):
        (tmp_path / "page" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "page" / name).write_text("x")
        before = contents(tmp_path / "page")
        with pytest.raises(InputError, match=f"{name} is no part of the page"):
            build(tmp_path / "page", cdn=True)
        assert contents(tmp_path / "page") == before
        (tmp_path / "page" / name).unlink()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="not a folder"):
        build(tmp_path / "file", cdn=True)
    with pytest.raises(InputError, match="cannot be written"):
        build(tmp_path / "file" / "page", cdn=True)
    with pytest.raises(InputError, match="cannot be written"):
        build(Path("/proc/page"), cdn=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)


# --- Pyodide -------------------------------------------------------------------------------------------------------


def test_folders_and_archives_that_are_no_pyodide(tmp_path: Path, fake_pyodide: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        pyodide.pyodide_files(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot be read"):
        pyodide.pyodide_files(tmp_path)
    (tmp_path / "x.tgz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="its SHA-512 is another"):
        pyodide.pyodide_files(tmp_path / "x.tgz")
    (fake_pyodide / "package.json").write_text('{"version": "1"}')
    with pytest.raises(InputError, match="Pyodide 1, but"):
        pyodide.pyodide_files(fake_pyodide)
    (fake_pyodide / "package.json").write_text("{")
    with pytest.raises(InputError, match="json: no JSON object"):
        pyodide.pyodide_files(fake_pyodide)


def _npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An npm of our own, and a cache folder with nothing in it."""
    npm = tmp_path / "bin" / "npm"
    _write(npm, f"#!/bin/sh\n{script}\n")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{npm.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'npm warn x' >&2; echo 'npm error code E404' >&2; exit 1", "npm: Pyodide cannot be fetched: code E404"),
        ("exit 3", "npm: Pyodide cannot be fetched: status 3"),
        ("exit 0", "npm: Pyodide cannot be fetched"),
        (f"echo x > pyodide-{pyodide.VERSION}.tgz", "is not the one that is known"),
    ],
)
def test_npm_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str) -> None:
    _npm(tmp_path, monkeypatch, script)
    with pytest.raises(InputError, match=message) as error:
        pyodide.pyodide_files()
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "cache").rglob("*.tgz"))


def test_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _npm(tmp_path, monkeypatch, "")
    monkeypatch.setattr("shutil.which", lambda *arguments, **options: None)
    with pytest.raises(InputError, match="npm: not found"):
        pyodide.pyodide_files()


def test_the_real_package_is_fetched_once(tmp_path: Path, page_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`page_folder` was built with it, so that it lies in the user's cache."""
    files = contents(page_folder)
    monkeypatch.setattr(pyodide, "_fetch", lambda folder: pytest.fail("fetched again"))
    found = pyodide.pyodide_files()
    assert {f"pyodide/{name}" for name in found} == {name for name in files if name.startswith("pyodide/")}
    loaded = sum(len(found[name]) for name in ("pyodide.asm.wasm", "python_stdlib.zip", pyodide.LOCK))
    assert abs(loaded - pyodide.SIZE) < pyodide.SIZE / 50


# --- the wheel -----------------------------------------------------------------------------------------------------


def test_the_wheel_has_all_that_the_browser_needs_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(wheel.wheel_bytes())
    with zipfile.ZipFile(tmp_path / "x.whl") as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    folders = (ROOT / "pvm", ROOT / "pvm_web" / "bridge")
    sources = {str(path.relative_to(ROOT)) for folder in folders for path in folder.rglob("*.py")}
    assert sources <= names
    assert not [name for name in names if name.startswith(("wasm_host", "pvm_web/build"))]
    of_page = {name for name in names if name.startswith("pvm_web/page")}
    assert of_page == {"pvm_web/page/shared/host.mjs", "pvm_web/page/shared/memory.mjs"}
    code = "import sys; sys.path.insert(0, sys.argv[1])\nfrom pvm_web.bridge import Bridge\n" \
           "print(Bridge().call('assemble', {'text': 'trap'})['result']['opened']['hash'])"  # fmt: skip
    command = [sys.executable, "-I", "-S", "-c", code, str(tmp_path / "site")]
    assert len(subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout.strip()) == 64


def test_values_as_json() -> None:
    value = {"a": Big(5), "b": b"\0\1", "c": words([1]), "d": registers([1]), "e": [None, True, 1 << 53, 1.5, "x"]}
    assert json.loads(to_json(value)) == {
        "a": {"$int": "5"}, "b": {"$bytes": "AAE="}, "c": {"$u32": "AQAAAA=="}, "d": {"$u64": "AQAAAAAAAAA="},
        "e": [None, True, {"$int": str(1 << 53)}, 1.5, "x"],
    }  # fmt: skip
