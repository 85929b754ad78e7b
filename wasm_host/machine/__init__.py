"""Machines on wasmtime: the call into an instance, its two memories and their protection, the tiers' machines."""
