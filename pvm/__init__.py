"""The Polkadot Virtual Machine of JAM: its instruction set, programs, engines' code and a reference engine.

This package imports the standard library alone and runs unchanged in Pyodide. To run programs fast, use
`wasm_host.Engine`, which has the interface of `ReferenceEngine`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pvm.errors import (
    AddressError,
    AssemblyError,
    EngineError,
    InputError,
    MachineBusyError,
    MachineClosedError,
    NoResultError,
    ProgramError,
    PvmError,
    ResourceError,
    TraceError,
    VectorError,
)
from pvm.machine import AnyEngine, AsyncHandler, Exit, Handler, Machine, Other, Reason
from pvm.memory import Memory
from pvm.program import Program
from pvm.reference import ReferenceEngine
from pvm.registers import Registers
from pvm.saved import State
from pvm.version import __version__

__all__ = [
    "AddressError", "AnyEngine", "AssemblyError", "AsyncHandler", "EngineError", "Exit", "Handler", "InputError",
    "Machine", "MachineBusyError", "MachineClosedError", "Memory", "NoResultError", "Other", "Program", "ProgramError",
    "PvmError", "Reason", "ReferenceEngine", "Registers", "ResourceError", "State", "TraceError", "VectorError",
    "__version__",
]  # fmt: skip

_PARTS = (
    "analysis", "examples", "flow", "gas", "isa", "jam", "link", "observe", "program", "standalone", "trace",
)  # fmt: skip


def __dir__() -> list[str]:
    return sorted((*__all__, *_PARTS))


if not TYPE_CHECKING:  # who checks types sees what is imported

    def __getattr__(name: str) -> object:
        """The packages in this one, when they are first asked for."""
        if name in _PARTS:
            return import_module(f"pvm.{name}")
        raise AttributeError(f"module 'pvm' has no attribute {name!r}")
