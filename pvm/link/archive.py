"""Archives (`ar`): the objects in them.

In: octets. Out: names and octets of members. Raises InputError.
"""

from __future__ import annotations

from pvm.errors import InputError

MAGIC = b"!<arch>\n"
_HEADER = 60


def members(data: bytes, name: str) -> tuple[tuple[str, bytes], ...]:
    """The files in an archive, GNU's or BSD's way of long names, without its index. Raises InputError."""
    if data[:8] == b"!<thin>\n":
        raise InputError(f"{name}: a thin archive has no objects in it: make one without T")
    if data[:8] != MAGIC:
        raise InputError(f"{name}: no archive")
    found: list[tuple[str, bytes]] = []
    long_names = b""
    at = len(MAGIC)
    while at < len(data):
        header = data[at : at + _HEADER]
        if len(header) < _HEADER or header[58:] != b"`\n" or not header[48:58].strip().isdigit():
            raise InputError(f"{name}: no member begins at octet {at}")
        size, title = int(header[48:58]), header[:16].rstrip()
        at += _HEADER
        content = data[at : at + size]
        if len(content) < size:
            raise InputError(f"{name}: a member of {size} octets is cut off at {len(content)}")
        at += size + size % 2
        if title == b"//":
            long_names = content
        elif title.startswith(b"#1/") and title[3:].isdigit():
            length = int(title[3:])
            found.append((_text(content[:length].rstrip(b"\0")), content[length:]))
        elif title.startswith(b"/") and title[1:].isdigit():
            start = int(title[1:])
            found.append((_text(long_names[start : start + 4096].split(b"/\n", 1)[0]), content))
        elif title not in (b"/", b"/SYM64/") and not title.startswith(b"__.SYMDEF"):
            found.append((_text(title.rstrip(b"/")), content))
    return tuple((f"{name}({title})", content) for title, content in found)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
