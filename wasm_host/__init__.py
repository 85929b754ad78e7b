"""Runs PVM programs as generated WebAssembly on wasmtime."""

from wasm_host.engine import Engine

__all__ = ["Engine"]
