"""What all tests share: the folder with public vectors and traces, which lies beside the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import pvm
import wasm_host
from pvm.program import assemble
from tests.absent import no_skip
from tests.shares import Shares, check_groups, rank
from wasm_host.code import cache
from wasm_host.code.modules import wasmtime_engine
from wasm_host.machine.protection import obstacle

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    return Shares(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    check_groups(items)
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    return no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    return no_skip((yield))


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests, and the processes that they start, keep compiled code in a folder of their own.

    That is used also when somebody edits sources while the tests run.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.FOLDER_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        patch.setattr(cache, "_LOADED", 1 << 63)
        yield


@pytest.fixture
def shared() -> Path:
    """The folder ../shared; a test that needs it is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared with the public vectors and recorded traces is absent")
    return SHARED


MakeEngine = Callable[..., Any]


@pytest.fixture(params=["reference", *wasm_host.TIERS, "recompiler-software"])
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    """Makes engines of each kind: `make_engine(spec=..., metering=...)`. All must behave the same.

    Where the hardware can protect pages, the recompiler leaves it to do so, and the last one checks all the same.
    """
    if request.param == "reference":
        return pvm.ReferenceEngine
    tier, _, protection = request.param.partition("-")
    return partial(wasm_host.Engine, tier=tier, protection=protection or "auto")


@pytest.fixture
def protected() -> Callable[[str], None]:
    """Skips a test where the protection that it asks for cannot be had."""

    def check(protection: str) -> None:
        wasmtime_engine()  # it takes the signal over, without which the hardware protects nothing
        reason = obstacle()
        if protection == "hardware" and reason is not None:
            pytest.skip(f"no protection by the hardware: {reason}")

    return check


@pytest.fixture
def run_source() -> Callable[..., tuple[pvm.Exit, pvm.Machine]]:
    """Assembles a plain program, maps the given pages and runs it: (exit, machine)."""

    def run(
        engine: Any,
        source: str,
        gas: int = 1000,
        pages: dict[int, str] | None = None,
        registers: dict[int, int] | None = None,
        host: dict[int, Any] | None = None,
    ) -> tuple[pvm.Exit, pvm.Machine]:
        program = assemble(f".code\n{source}\n", engine.spec)
        machine = engine.instantiate(program, gas=gas, host=host)
        for address, access in (pages or {}).items():
            machine.memory.map(address, 4096, access)
        for register, value in (registers or {}).items():
            machine.registers[register] = value
        return machine.run(), machine

    return run
