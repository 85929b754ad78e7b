"""Code that wasmtime compiled: modules, their cache on disk, translations in the background and those that travel.

Knows nothing of machines: nothing here imports `wasm_host.machine`.
"""
