"""From exceptions to a line on standard error, for each error of assembly one, and an exit status.

In: a function that gives a status. Out: its status, or that of the error that it raised.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import click
import wasmtime

from pvm.errors import AddressError, AssemblyError, EngineError, InputError, PvmError, ResourceError
from pvm.printable import counted, escaped
from pvm.program.assembly_errors import MAX_COUNTED
from pvm.suggestions import did_you_mean

SUCCESS, FAILURE, BAD_INPUT, BUG, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 70, 130, 141
_REFUSED = re.compile(r"'(.*?)' is not one of")  # what click says of a word that is no choice
_SHOWN_LINE = 60  # characters of a line of assembly
TRACEBACK_VARIABLE = "PVM_TRACEBACK"  # set to anything, it lets an unexpected error show where it came from


class Blamed(InputError):
    """Bad input, and where it comes from. `lines` has one for each error; the text is the first, and their number."""

    def __init__(self, lines: Sequence[str]) -> None:
        more = len(lines) - 1
        super().__init__(lines[0] + (f" (and {counted(more, 'more error')})" if more else ""))
        self.lines = tuple(lines)

    def __reduce__(self) -> tuple[type[Blamed], tuple[tuple[str, ...]]]:
        return type(self), (self.lines,)


@contextmanager
def blamed_on(where: str) -> Iterator[None]:
    """Errors of input get the file or option that they are about before their text."""
    try:
        yield
    except (InputError, AddressError) as error:
        raise Blamed([f"{where}: {line}" for line in _lines(error)]) from None


def _lines(error: PvmError) -> list[str]:
    """What to tell of bad input, a line an error."""
    if isinstance(error, Blamed):
        return list(error.lines)
    if not isinstance(error, AssemblyError):
        return [str(error)]
    least = "at least " if len(error.errors) + error.more >= MAX_COUNTED else ""
    more = [f"and {least}{counted(error.more, 'more error')}"] if error.more else []
    return [*map(_with_its_line, error.errors), *more]


def _with_its_line(error: AssemblyError) -> str:
    """The error, and the line of assembly that it is about."""
    shown = error.text if len(error.text) <= _SHOWN_LINE else f"{error.text[:_SHOWN_LINE]}…"
    column = "" if error.column is None else f"column {error.column}: "
    return f"{error} ({column}{shown})" if shown else str(error)


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
        for line in _lines(error):
            _complain(line, BAD_INPUT)
        return BAD_INPUT
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
        case click.NoSuchOption(option_name=name):
            return f"{name}: no such option{_hint(_option_hint(error.ctx, name))}"
        case click.MissingParameter(param=click.Parameter() as parameter):
            path = "" if error.ctx is None else error.ctx.command_path.partition(" ")[2]
            return f"{_parameter_name(parameter)}: missing (`pvm help{path and ' ' + path}` says what it takes)"
        case click.BadParameter(param=click.Parameter(type=click.Choice(choices=choices)) as parameter):
            word = _REFUSED.match(message)
            hint = did_you_mean(word[1], list(map(str, choices))) if word else ""
            return f"{_parameter_name(parameter)}: {message}{_hint(hint)}"
        case click.BadParameter(param=click.Parameter() as parameter):
            return f"{_parameter_name(parameter)}: {message}"
        case click.BadOptionUsage(option_name=name):
            return f"{name}: a value must follow"
        case click.UsageError(ctx=click.Context() as context):
            path = context.command_path
            more = f" (`pvm help{path[3:]}` says what it takes)" if "extra argument" in message else ""
            return f"{path}: {message}{more}"
        case _:
            return message


def _hint(text: str) -> str:
    return f"; {text}" if text else ""


def _option_hint(context: click.Context | None, name: str) -> str:
    """Options that may have been meant; by their first letter where click has read but that, as of -json."""
    parameters = [] if context is None else context.command.get_params(context)
    options = [option for one in parameters if isinstance(one, click.Option) for option in one.opts]
    if not name.startswith("--"):
        close = [option for option in options if option.startswith(f"--{name[1:]}")]
        return f"did you mean {' or '.join(close[:3])}?" if close else ""
    return did_you_mean(name, options)


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
