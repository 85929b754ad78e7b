"""The rules of the tree: who may import whom, that pvm needs nothing but Python, size of files, lint and types."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"pvm": "pvm", "wasm_host": "wasm_host", "pvm_web": "web"}  # and their folders

# Each place may import from those before it, and from its own folder. `pvm` is listed by its parts.
ORDER = (
    "pvm.version", "pvm.errors", "pvm.turns", "pvm.lazy", "pvm.printable", "pvm.suggestions", "pvm.report", "pvm.exits",
    "pvm.interface",
    "pvm.wasm",  # knows nothing about the PVM
    "pvm.isa", "pvm.jam.host_calls.table", "pvm.program", "pvm.link", "pvm.gas", "pvm.memory", "pvm.registers",
    "pvm.saved", "pvm.starts", "pvm.options", "pvm.handlers",
    "pvm.machine", "pvm.counting", "pvm.breaking", "pvm.abi", "pvm.reference",
    "pvm.invocation", "pvm.log", "pvm.vectors", "pvm.trace", "pvm.jam", "pvm.fuzz",
    "pvm.examples", "pvm.flow", "pvm.analysis", "pvm.observe",
    "pvm.emit", "pvm.emit.interpreter", "pvm.emit.recompiler", "pvm.standalone",
    "wasm_host.forks", "wasm_host.code", "wasm_host.machine", "wasm_host.translating", "wasm_host.engine",
    "wasm_host.jobs", "wasm_host", "pvm_web",
    "wasm_host.api", "wasm_host.cc", "wasm_host.peers", "wasm_host.bench", "wasm_host.compare", "wasm_host.cli",
)  # fmt: skip
# Packages' own pages, which gather names for users.
GATHERS = {"pvm", "wasm_host"}


def modules() -> Iterator[tuple[str, Path]]:
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = (package, *path.relative_to(ROOT / folder).with_suffix("").parts)
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def place(module: str) -> str:
    """The entry of ORDER that a module belongs to: the longest that matches."""
    found = [entry for entry in ORDER if module == entry or module.startswith(entry + ".")]
    assert found, f"{module} has no place in ORDER: say where it belongs"
    return max(found, key=len)


def imported(path: Path, when_loaded: bool = False) -> Iterator[str]:
    """What a file imports; with `when_loaded` without what functions import, or type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if when_loaded else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            for alias in node.names:  # `from pvm import abi` imports pvm.abi
                if (ROOT / (node.module or "").replace(".", "/") / f"{alias.name}.py").is_file():
                    yield f"{node.module}.{alias.name}"


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_point_one_way(module: str, path: Path) -> None:
    if module in GATHERS:
        return
    for name in imported(path):
        if name.split(".")[0] not in PACKAGES or name in GATHERS:
            continue
        assert ORDER.index(place(name)) <= ORDER.index(place(module)), f"{module} must not import {name}"


# What stands in the right order and must not be imported all the same: by, what, but for.
NEVER = (
    ("pvm.jam", ("pvm.abi", "pvm.flow", "pvm.emit", "pvm.standalone"), ()),
    ("pvm.flow", ("pvm.jam",), ("pvm.jam.host_calls.table",)),
    ("pvm.emit", ("pvm.jam",), ("pvm.jam.host_calls.table",)),
    ("pvm.emit.interpreter", ("pvm.emit.recompiler",), ()),
    ("wasm_host.code", ("wasm_host.machine",), ()),
    ("wasm_host.peers", ("wasm_host.compare", "wasm_host.bench", "wasm_host.cli"), ()),
)


def is_within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in places)


@pytest.mark.parametrize(("by", "what", "but"), NEVER, ids=[row[0] for row in NEVER])
def test_what_is_never_imported(by: str, what: tuple[str, ...], but: tuple[str, ...]) -> None:
    found = {
        f"{module} imports {name}"
        for module, path in modules() if is_within(module, (by,))
        for name in imported(path) if is_within(name, what) and not is_within(name, but)
    }  # fmt: skip
    assert not found


def test_modules_of_a_place_do_not_import_each_other_in_circles() -> None:
    """When they are loaded: what stands lower may be named for its type."""
    paths = dict(modules())
    graph = {
        module: {
            name for name in imported(path, when_loaded=True)
            if name in paths and name not in GATHERS and name != module and place(name) == place(module)
            and paths[name].name != "__init__.py"  # a folder's page gathers what its files define
        }
        for module, path in paths.items() if path.name != "__init__.py"
    }  # fmt: skip
    assert list(TopologicalSorter(graph).static_order())  # CycleError names a circle


def test_pvm_imports_the_standard_library_alone() -> None:
    for module, path in modules():
        if module.split(".")[0] == "pvm":
            tops = {name.split(".")[0] for name in imported(path)}
            assert tops <= {"pvm", *sys.stdlib_module_names}, f"{module} imports {tops}"


def test_pvm_works_without_site_packages() -> None:
    """Every module of pvm, and a program run with them, in a Python that sees no installed package."""
    names = [name for name, _ in modules() if name.split(".")[0] == "pvm"]
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
for name in {names!r}:
    __import__(name)
import pvm
from pvm.examples import example
from pvm.program import assemble
machine = pvm.ReferenceEngine().instantiate(assemble(example("fibonacci").source), args=b"\\x07")
assert machine.run().reason is pvm.Reason.HALT
assert machine.result() == (13).to_bytes(8, "little")
assert not [name for name in sys.modules if name.split(".")[0] in ("wasmtime", "rich", "click", "jinja2")]
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_files_are_small_and_say_what_they_do(module: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 500, f"{module}: split it"
    assert ast.get_docstring(ast.parse(text)), f"{module}: no docstring"


def test_scripts_and_styles_are_small() -> None:
    for kind in ("*.mjs", "*.js", "*.css", "*.c", "*.zig"):
        for path in (file for package in PACKAGES for file in (ROOT / package).rglob(kind)):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, f"{path.relative_to(ROOT)}: split it"


def test_top_level_folders() -> None:
    folders = {path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert {path.name for path in folders if not path.is_symlink()} == {"pvm", "wasm_host", "web", "tests"}
    assert {path.name: str(path.readlink()) for path in folders if path.is_symlink()} == {"pvm_web": "web"}


def test_the_wheel_installs_names_of_ours_alone() -> None:
    """Above all no `web`, which is web.py's. A source distribution has the folder, from which a wheel can be made."""
    wheels = pytest.importorskip("hatchling.builders.wheel", reason="hatchling builds the wheel")
    sources = pytest.importorskip("hatchling.builders.sdist")
    wheel, source = (
        {file.distribution_path for file in builder.recurse_included_files()}
        for builder in (wheels.WheelBuilder(str(ROOT)), sources.SdistBuilder(str(ROOT)))
    )
    assert {name.split("/")[0] for name in wheel} == set(PACKAGES)
    assert {"pvm_web/build.py", "pvm_web/page/shared/host.mjs", "pvm_web/templates/index.html.j2"} <= wheel
    assert "web/build.py" in source and "pvm_web/build.py" not in source


def test_ruff() -> None:
    subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, check=True)


def test_mypy() -> None:
    subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, check=True)
