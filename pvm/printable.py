"""Text and bytes of strangers, made safe to show."""

from __future__ import annotations


def escaped(text: str) -> str:
    """The text on one line: what is not printable, such as control sequences, becomes an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def as_text(data: bytes) -> str | None:
    """The data as text when it is printable UTF-8 of one line or more, else None."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text and all(c.isprintable() or c in "\n\t" for c in text) else None
