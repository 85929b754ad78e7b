"""Runs PVM programs as generated WebAssembly on wasmtime."""

from typing import TYPE_CHECKING

from wasm_host.engine import TIERS, Engine

if TYPE_CHECKING:
    from wasm_host.many import Job, Outcome, run_many

__all__ = ["TIERS", "Engine", "Job", "Outcome", "run_many"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    """What runs many programs is imported when it is asked for: most who import this run one."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wasm_host import many

    return getattr(many, name)
