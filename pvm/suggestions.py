"""What someone may have meant: names close to one that nobody knows.

In: a word and the names that would have been right. Out: the end of a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from pvm.printable import shown

_LONGEST = 40  # characters of a word that are shown and compared
_MOST_NAMES = 1000  # that are compared; a program may have a million labels


def close_names(word: str, names: Iterable[str], most: int = 3) -> list[str]:
    """The names, at most `most`, that `word` begins or resembles, the closest first.

    Capitals, dashes for underscores and an option's leading dashes make no difference. Time is bounded: 1,000 names
    and 40 characters of the word are looked at.
    """
    from difflib import get_close_matches  # only here, because hardly any run needs it

    wanted = _plain(word[:_LONGEST])
    if not wanted or most < 1:
        return []
    known: dict[str, str] = {}
    for name in islice(names, _MOST_NAMES):
        known.setdefault(_plain(name), name)
    resembling = get_close_matches(wanted, known, most)
    beginning = sorted(name for name in known if len(wanted) > 1 and name.startswith(wanted))
    return [known[name] for name in list(dict.fromkeys([*resembling, *beginning]))[:most]]


def did_you_mean(word: object, names: Iterable[str], most: int = 3) -> str:
    """"did you mean add_64 or add_32?", or "" when no name is close."""
    close = close_names(word, names, most) if isinstance(word, str) else []
    return f"did you mean {' or '.join(close)}?" if close else ""


def unknown(kind: str, word: object, names: Sequence[str]) -> str:
    """The message for a word that is none of a few names, all of which it lists."""
    hint = did_you_mean(word, names, 1)
    return f"unknown {kind} {shown(word, _LONGEST)}: {hint and hint + ' '}choose one of {', '.join(names)}"


def _plain(name: str) -> str:
    return name.lstrip("-").lower().replace("-", "_")
