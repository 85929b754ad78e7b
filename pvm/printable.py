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


def counted(count: int, noun: str, plural: str = "", separator: str = ",") -> str:
    """A number of things: `1 byte`, `2,000 bytes`, with a plural of their own `2 entries`."""
    return f"{count:{separator}} {noun if count == 1 else plural or noun + 's'}"


def shown(value: object, length: int = 60) -> str:
    """A value as messages name it: its `repr`, on one line of at most so many characters.

    Integers that Python refuses to write, as are those of more than some 4,000 digits, are told by their size.
    """
    try:
        text = escaped(repr(value))
    except Exception:  # whatever a stranger's __repr__ raises
        bits = value.bit_length() if isinstance(value, int) else 0
        text = f"an integer of {bits} bits" if bits else f"a {type(value).__name__}"
    return text if len(text) <= length else f"{text[: length - 3]}..."
