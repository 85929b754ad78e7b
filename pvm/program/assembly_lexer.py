"""Lines of assembly: tokens, and the small things that are read from them.

In: one line of text. Out: a `Cursor` over its tokens, which reads numbers, sums, strings and octets. The language is
described in `pvm.program.assembler`.
"""

from __future__ import annotations

import re
from typing import NoReturn, Protocol

from pvm.errors import AssemblyError

# Every character that is no space belongs to a token, and a string may lack its end: so scanning never backtracks
# over a line and takes linear time. `Cursor` refuses what makes no sense.
_TOKEN = re.compile(
    r""" "(?:[^"\\]|\\.?)*"?                       # a string
       | '(?:[^'\\]|\\x[0-9A-Fa-f]{2}|\\.)'      # a character
       | [A-Za-z_.$][\w.$]*  |  [0-9]\w*          # a name, a number
       | ;.*  |  \S                               # a comment, anything else""",
    re.VERBOSE | re.ASCII,
)
_NAME = re.compile(r"[A-Za-z_.$][\w.$]*", re.ASCII)
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.?)", re.DOTALL)
_ESCAPED = {"n": 10, "r": 13, "t": 9, "0": 0, "\\": 92, '"': 34, "'": 39}
_LONGEST_NUMBER = 2 + 2 * 255  # characters: the largest entry of a jump table, in hexadecimal (A.2)


class Names(Protocol):
    """What names mean in a sum; both raise AssemblyError for a name that has no such meaning."""

    def value(self, line: int, name: str) -> int:
        """The value of a constant, or the address of a data label."""

    def dynamic_address(self, line: int, name: str) -> int:
        """The address by which a dynamic jump reaches a code label."""


class Cursor:
    """The tokens of one line, read from left to right. Every method raises AssemblyError on what does not fit."""

    def __init__(self, line: int, text: str, names: Names) -> None:
        self.line = line
        self._text = text
        self._names = names
        self._tokens: list[str] = _TOKEN.findall(text)
        if self._tokens and self._tokens[-1][0] == ";":
            self._tokens.pop()
        self._tokens.append("")  # the line's end
        self._at = 0

    def fail(self, message: str, here: bool = False) -> NoReturn:
        """Raise AssemblyError for this line: for the token that was read last, or `here` for the next one."""
        raise AssemblyError(self.line, message, self.column(here))

    def column(self, here: bool = False) -> int:
        """Where the token begins that was read last, or `here` the next one; counted from 1."""
        starts = [found.start() for found in _TOKEN.finditer(self._text)]
        index = self._at if here else max(0, self._at - 1)
        return 1 + (starts[index] if index < len(starts) else len(self._text.rstrip()))

    @property
    def token(self) -> str:
        """The next token; "" at the end of the line."""
        return self._tokens[self._at]

    @property
    def after(self) -> str:
        """The token after the next one."""
        return self._tokens[self._at + 1] if self.token else ""

    def take(self) -> str:
        """The next token, which is then behind the cursor."""
        token = self._tokens[self._at]
        if token:
            self._at += 1
        return token

    def accept(self, token: str) -> bool:
        """Whether the next token is `token`, which is then behind the cursor."""
        if self._tokens[self._at] != token or not token:
            return False
        self._at += 1
        return True

    def accept_setting(self, name: str) -> bool:
        """Whether the next tokens are `name =`, which are then behind the cursor."""
        if self.token != name or self.after != "=":
            return False
        self._at += 2
        return True

    def expect(self, token: str) -> None:
        """Step over `token`."""
        if not self.accept(token):
            self.fail(f"expected {token!r}, found {self._found()}", here=True)

    def end(self) -> None:
        """Check that nothing is left."""
        if self.token:
            self.fail(f"expected the end of the line, found {self._found()}", here=True)

    def at_name(self) -> bool:
        """Whether the next token is a name."""
        return _NAME.fullmatch(self.token) is not None

    def name(self, what: str) -> str:
        """The next token, which must be a name."""
        if not self.at_name():
            self.fail(f"expected {what}, found {self._found()}", here=True)
        return self.take()

    def sum(self) -> int:
        """Terms that are added and subtracted; a sign may come first."""
        total = self._term()
        while self.token in ("+", "-"):
            total += self._term() if self.take() == "+" else -self._term()
        return total

    def octets(self) -> bytes:
        """A string, or hexadecimal digits after an optional 0x, in as many groups as one likes, to the line's end."""
        if self.token[:1] == '"':
            return self.string()
        digits = "".join(self._tokens[self._at :])
        self._at = len(self._tokens) - 1
        try:
            return bytes.fromhex(digits.removeprefix("0x"))
        except ValueError:
            self.fail("expected a string or pairs of hexadecimal digits")

    def string(self) -> bytes:
        """A string in double quotes, in UTF-8."""
        token = self.token
        if token[:1] != '"':
            self.fail(f"expected a string, found {self._found()}", here=True)
        # The text without its escapes tells a closing quote from an escaped one.
        if not _ESCAPE.sub("", token[1:]).endswith('"'):
            self.fail("a string without a closing quote", here=True)
        self.take()
        body = token[1:-1]
        octets = bytearray()
        at = 0
        for escape in _ESCAPE.finditer(body):
            octets += self._encode(body[at : escape.start()])
            octets.append(self._escaped(escape[1]))
            at = escape.end()
        return bytes(octets + self._encode(body[at:]))

    def _encode(self, text: str) -> bytes:
        try:
            return text.encode()
        except UnicodeEncodeError:
            self.fail("a string with characters that UTF-8 cannot hold")

    def _escaped(self, escape: str) -> int:
        if len(escape) == 3:
            return int(escape[1:], 16)
        if escape not in _ESCAPED:
            self.fail(f"unknown escape \\{escape}: choose one of \\n \\r \\t \\0 \\\\ \\\" \\' \\xNN")
        return _ESCAPED[escape]

    def _term(self) -> int:
        sign = 1
        while self.token in ("-", "+"):
            sign = -sign if self.take() == "-" else sign
        token = self.token
        if token[:1].isdigit():
            return sign * self._number()
        if token[:1] == "'" and len(token) > 2:
            char = self.take()[1:-1]
            return sign * (self._escaped(char[1:]) if char[0] == "\\" else ord(char))
        if self.accept("@"):
            return sign * self._names.dynamic_address(self.line, self.name("a label after @"))
        if self.at_name():
            return sign * self._names.value(self.line, self.take())
        self.fail(f"expected a value, found {self._found()}", here=True)

    def _number(self) -> int:
        token = self.take()
        try:
            if len(token) > _LONGEST_NUMBER:
                raise ValueError
            return int(token, 0)
        except ValueError:
            self.fail(f"{_short(token)} is no number")

    def _found(self) -> str:
        return _short(self.token) if self.token else "the end of the line"


def _short(token: str) -> str:
    return repr(token if len(token) <= 40 else token[:40] + "…")
