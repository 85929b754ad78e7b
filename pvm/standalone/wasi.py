"""The system interface that standalone modules import: WASI preview 1.

Out: the imports in the order of their indices, error numbers as text, and the statuses that a module exits with.
"""

from __future__ import annotations

from pvm import abi
from pvm.machine import Reason
from pvm.wasm import I32, I64, FunctionType, Import

_MODULE = "wasi_snapshot_preview1"
_TYPES = {
    "proc_exit": FunctionType((I32,)),  # status
    "args_sizes_get": FunctionType((I32, I32), (I32,)),  # where to put: count, bytes
    "args_get": FunctionType((I32, I32), (I32,)),  # where to put: addresses, texts
    "fd_write": FunctionType((I32, I32, I32, I32), (I32,)),  # file, ranges, their number, where to put: bytes written
    "fd_read": FunctionType((I32, I32, I32, I32), (I32,)),  # file, ranges, their number, where to put: bytes read
    "fd_prestat_get": FunctionType((I32, I32), (I32,)),  # folder, where to put: kind, length of its name
    "fd_prestat_dir_name": FunctionType((I32, I32, I32), (I32,)),  # folder, where to put its name, bytes
    # folder, how to look up, path, its length, how to open, rights, inherited rights, flags, where to put: file
    "path_open": FunctionType((I32, I32, I32, I32, I32, I64, I64, I32, I32), (I32,)),
}
IMPORTS: tuple[Import, ...] = tuple(Import(_MODULE, name, type) for name, type in _TYPES.items())
INDEX: dict[str, int] = {name: i for i, name in enumerate(_TYPES)}

STANDARD_INPUT, STANDARD_OUTPUT, STANDARD_ERROR, FIRST_FOLDER = range(4)
FOLLOW_LINKS = 1  # how to look up
RIGHTS_TO_READ = 1 << 1
ERRORS: dict[int, str] = {
    2: "permission denied",
    8: "bad file descriptor",
    31: "is a directory",
    44: "no such file or directory",
    54: "not a directory",
    63: "operation not permitted: is it outside of the folders that the module was given?",
    76: "permission denied: it is outside of the folders that the module was given",
}

# Exit statuses: 0 after a halt, else the exit code and this. 1 is left to runtimes that cannot run the module.
BAD_INPUT = 2
STATUS_OFFSET = 1
STATUSES: dict[Reason, int] = {
    reason: 0 if reason is Reason.HALT else code + STATUS_OFFSET for reason, code in abi.EXIT_CODES.items()
}
