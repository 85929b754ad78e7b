"""The one hierarchy of errors. Everything that a caller may want to catch derives from `PvmError`."""

from __future__ import annotations

from typing import Any


class PvmError(Exception):
    """Base of every error raised on purpose by `pvm`, `wasm_host` and `pvm_web`."""


class InputError(PvmError, ValueError):
    """Bad input from outside. Its text is one line that says what is wrong and where."""


class InputTypeError(InputError, TypeError):
    """Text where bytes are needed, bytes where text is, or neither."""


class ProgramError(InputError):
    """A program blob, standard program or service preimage that does not follow its format (A.1, A.7)."""


class AssemblyError(InputError):
    """A line of assembly that cannot be assembled, and what else is wrong with the text.

    `line` counts from 1, and so does `column`, that of the word which the message is about, None where that is not
    known. `message` is the text without the line, `text` the line itself, of which it has the first 200 characters,
    without blanks around it. `others` are the next errors, and `more` says how many there are beyond those, of
    the first 10,000.
    """

    def __init__(
        self, line: int, message: str, column: int | None = None, text: str = "",
        others: tuple[AssemblyError, ...] = (), more: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(f"line {line}: {message}")
        self.line, self.message, self.column = line, message, column
        self.text, self.others, self.more = text, others, more

    @property
    def errors(self) -> tuple[AssemblyError, ...]:
        """This error and the others."""
        return (self, *self.others)

    def __reduce__(self) -> tuple[type[AssemblyError], tuple[Any, ...]]:
        return type(self), (self.line, self.message, self.column, self.text, self.others, self.more)


class TraceError(InputError):
    """A malformed ecalli trace."""


class VectorError(InputError):
    """A malformed test vector."""


class CodecError(InputError):
    """Octets that encode no value of the type asked for (Gray Paper, appendix C).

    `path` leads to the field, such as "extrinsic.guarantees[0].report.context"; "" is the value itself.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.message, self.path = message, path

    def within(self, outer: str) -> CodecError:
        """The same error seen from the value around: `outer` is the field, or [index], which held the value."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return CodecError(self.message, outer + joint + self.path)

    def __reduce__(self) -> tuple[type[CodecError], tuple[Any, ...]]:
        return type(self), (self.message, self.path)


class BlockError(InputError):
    """A block that breaks a rule of validity.

    `code` is the rule's short name, such as "bad_ticket_order", `equation` the rule's number in the
    Gray Paper, such as "6.30".
    """

    def __init__(self, code: str, equation: str, message: str) -> None:
        super().__init__(f"{message} ({code}, {equation})")
        self.code, self.equation, self.message = code, equation, message

    def __reduce__(self) -> tuple[type[BlockError], tuple[Any, ...]]:
        return type(self), (self.code, self.equation, self.message)


class AddressError(PvmError, ValueError):
    """A host access outside the guest's 4 GiB, or a register, pc or gas value outside its range."""


class ResourceError(PvmError):
    """The system refuses what a machine needs, such as address space."""


class LimitError(PvmError):
    """A limit that the caller has set is reached: a run was given up, and says where it was."""


class MachineBusyError(PvmError):
    """A machine was to be run or changed by another thread than the one that runs it, or to be run by its handler."""


class NoResultError(PvmError):
    """The result was asked for of a machine that has not halted."""


class MachineClosedError(PvmError):
    """Something was asked of a machine that was closed."""


class EngineError(PvmError):
    """A bug of an engine, never the guest's doing: for example a WebAssembly trap that is no exit."""
