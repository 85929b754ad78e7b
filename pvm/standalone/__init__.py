"""Programs, and the interpreter alone, as WebAssembly modules that need no host of ours: commands for WASI."""

from pvm.standalone.module import interpreter_command, program_command
from pvm.standalone.options import Defaults
from pvm.standalone.program import INTERPRETED
from pvm.standalone.wasi import STATUSES

__all__ = ["INTERPRETED", "STATUSES", "Defaults", "interpreter_command", "program_command"]


def __dir__() -> list[str]:
    return __all__
