"""A plugin for pytest: `jam_world` makes worlds in which services are tested, and failed tests tell of failed runs.

In: pytest's hooks. Out: the fixture, sections of reports, and an ecalli trace of each failed run of a failed test, in
the folder that `--jam-traces` names. It is there once the package is installed; else `-p wasm_host.pytest_plugin`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pvm.jam.testing import World

_FOLDER = "jam-traces"
_MOST_RUNS = 5  # that a report tells of
_WORLDS = pytest.StashKey[list[Any]]()
_UNUSUAL = re.compile(r"[^\w.-]+")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--jam-traces`."""
    parser.getgroup("jam").addoption(
        "--jam-traces", metavar="DIR", default=_FOLDER, help="Where failed tests write traces of services' failed runs."
    )


@pytest.fixture
def jam_world(request: pytest.FixtureRequest) -> Iterator[Callable[..., World]]:
    """Makes worlds: `jam_world(parameters="tiny", spec="0.7.2", …)`, on the fast engine unless another is given."""
    from pvm.jam.testing import World

    worlds: list[World] = []
    request.node.stash[_WORLDS] = worlds

    def make(parameters: Any = "tiny", spec: str = "0.7.2", engine: Any = None, **options: Any) -> World:
        world = World(parameters, spec, _engine(spec) if engine is None else engine, **options)
        worlds.append(world)
        return world

    yield make


def _engine(spec: str) -> Any:
    from pvm.gas.metering import choose_metering
    from pvm.isa import spec as find_spec
    from wasm_host.engine import Engine

    return Engine(spec, metering=choose_metering(find_spec(spec), None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Tell of failed runs below a failed test."""
    report: Any = yield
    if report.when == "call" and report.failed:
        runs = [run for world in item.stash.get(_WORLDS, []) for run in world.failures()]
        for number, run in enumerate(runs[-_MOST_RUNS:]):
            path = _write(Path(item.config.getoption("jam_traces")), item.nodeid, number, run)
            report.sections.append(("Failed run of a service", f"{run}\ntrace: {path}"))
    return report


def _write(folder: Path, test: str, number: int, run: Any) -> str:
    """The trace's file, or why there is none."""
    path = folder / f"{_UNUSUAL.sub('-', test)}-{number}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run.write_trace(path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return str(path)
