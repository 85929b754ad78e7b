"""The Polkadot Virtual Machine of JAM: its instruction set, programs, engines' code and a reference engine.

This package imports the standard library alone and runs unchanged in Pyodide. To run programs fast, use
`wasm_host.Engine`, which has the interface of `ReferenceEngine`.
"""

from pvm.errors import (
    AddressError,
    AssemblyError,
    EngineError,
    InputError,
    MachineBusyError,
    MachineClosedError,
    ProgramError,
    PvmError,
    ResourceError,
    TraceError,
    VectorError,
)
from pvm.machine import AnyEngine, Exit, Handler, Machine, Reason
from pvm.memory import Memory
from pvm.program import Program
from pvm.reference import ReferenceEngine
from pvm.saved import State
from pvm.version import __version__

__all__ = [
    "AddressError", "AnyEngine", "AssemblyError", "EngineError", "Exit", "Handler", "InputError", "Machine",
    "MachineBusyError", "MachineClosedError", "Memory", "Program", "ProgramError", "PvmError", "Reason",
    "ReferenceEngine", "ResourceError", "State", "TraceError", "VectorError", "__version__",
]  # fmt: skip
