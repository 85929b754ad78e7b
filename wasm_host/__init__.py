"""Runs PVM programs as generated WebAssembly on wasmtime."""

from wasm_host.engine import TIERS, Engine
from wasm_host.many import Job, Outcome, run_many

__all__ = ["TIERS", "Engine", "Job", "Outcome", "run_many"]


def __dir__() -> list[str]:
    return __all__
