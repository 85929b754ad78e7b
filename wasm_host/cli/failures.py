"""From exceptions to one line on standard error and an exit status.

In: a function that gives a status. Out: its status, or that of the error that it raised.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click
import wasmtime

from pvm.errors import AddressError, EngineError, InputError, ResourceError
from pvm.printable import escaped

SUCCESS, FAILURE, BAD_INPUT, BUG, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 70, 130, 141
TRACEBACK_VARIABLE = "PVM_TRACEBACK"  # set to anything, it lets an unexpected error show where it came from


@contextmanager
def blamed_on(where: str) -> Iterator[None]:
    """Errors of input get the file or option that they are about before their text."""
    try:
        yield
    except (InputError, AddressError) as error:
        raise InputError(f"{where}: {error}") from None


def guarded(command: Callable[[], int]) -> int:
    """The status of `command`; whatever it raises becomes a line on standard error and a status."""
    if sys.stdout is None:
        return _complain("standard output: it is closed", BAD_INPUT)
    _never_fail_to_encode()
    try:
        status = command()
        sys.stdout.flush()
        return status
    except (InputError, AddressError, ResourceError) as error:
        return _complain(str(error), BAD_INPUT)
    except click.ClickException as error:
        return _complain(usage_text(error), BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except OSError as error:
        # Files are opened and written by `inputs` and `output`, which name them; this is standard output.
        _silence_stdout()
        return _complain(f"{error.filename or 'standard output'}: {os_reason(error)}", BAD_INPUT)
    except (EngineError, wasmtime.WasmtimeError, wasmtime.Trap) as error:
        return _bug(error)
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        return _bug(error)


def os_reason(error: OSError) -> str:
    """Why the system refused, in lower case: "no such file or directory"."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def usage_text(error: click.ClickException) -> str:
    """A click error as "<option or argument>: <what is wrong>"."""
    message = error.message.strip().rstrip(".")
    message = " ".join((message[:1].lower() + message[1:]).split())
    match error:
        case click.NoSuchOption(option_name=name, possibilities=possible):
            hint = f"; did you mean {' or '.join(sorted(possible))}?" if possible else ""
            return f"{name}: no such option{hint}"
        case click.MissingParameter(param=click.Parameter() as parameter):
            return f"{_parameter_name(parameter)}: missing"
        case click.BadParameter(param=click.Parameter() as parameter):
            return f"{_parameter_name(parameter)}: {message}"
        case click.BadOptionUsage(option_name=name):
            return f"{name}: a value must follow"
        case click.UsageError(ctx=click.Context() as context):
            return f"{context.command_path}: {message}"
        case _:
            return message


def _parameter_name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name


def _complain(message: str, status: int) -> int:
    click.echo(f"pvm: error: {escaped(message)}", err=True)
    return status


def _bug(error: Exception) -> int:
    # A WasmtimeError may go on for lines with a backtrace; its first line says what happened.
    first = (str(error).splitlines() or [""])[0]
    return _complain(
        f"this is a bug of pvm, please report it with the command that you gave: {type(error).__name__}: {first} "
        f"({TRACEBACK_VARIABLE}=1 shows where)",
        BUG,
    )


def _never_fail_to_encode() -> None:
    """Write what the terminal cannot show as an escape instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Let nothing complain when Python flushes standard output at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
