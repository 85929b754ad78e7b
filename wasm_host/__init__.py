"""Runs PVM programs as generated WebAssembly on wasmtime."""

from wasm_host.engine import TIERS, Engine

__all__ = ["TIERS", "Engine"]
