"""The one hierarchy of errors. Everything that a caller may want to catch derives from `PvmError`."""

from __future__ import annotations


class PvmError(Exception):
    """Base of every error raised on purpose by `pvm`, `wasm_host` and `web`."""


class InputError(PvmError, ValueError):
    """Bad input from outside. Its text is one line that says what is wrong and where."""


class ProgramError(InputError):
    """A program blob, standard program or service preimage that does not follow its format (A.1, A.7)."""


class AssemblyError(InputError):
    """A line of assembly that cannot be assembled.

    `line` counts from 1, and so does `column`, that of the word which the message is about, None where that is not
    known. `message` is the text without the line.
    """

    def __init__(self, line: int, message: str, column: int | None = None) -> None:
        super().__init__(f"line {line}: {message}")
        self.line, self.message, self.column = line, message, column

    def __reduce__(self) -> tuple[type[AssemblyError], tuple[int, str, int | None]]:
        return type(self), (self.line, self.message, self.column)


class TraceError(InputError):
    """A malformed ecalli trace."""


class VectorError(InputError):
    """A malformed test vector."""


class AddressError(PvmError, ValueError):
    """A host access outside the guest's 4 GiB, or a register, pc or gas value outside its range."""


class ResourceError(PvmError):
    """The system refuses what a machine needs, such as address space."""


class EngineError(PvmError):
    """A bug of an engine, never the guest's doing: for example a WebAssembly trap that is no exit."""
