"""What completions show of an object: its interface, and nothing that only other parts of the library use."""

from __future__ import annotations


def public_names(*kinds: type) -> list[str]:
    """The public names that these classes give their objects, annotated ones included."""
    found = {name for kind in kinds for name in dir(kind)}
    found |= {name for kind in kinds for base in kind.__mro__ for name in vars(base).get("__annotations__", ())}
    return sorted(name for name in found if not name.startswith("_"))
