"""Engines' options, which are shown and stay as they are.

In: attributes. Out: `Options`, which an engine derives from.
"""

from __future__ import annotations

from typing import ClassVar


class Options:
    """What has options by these names. They are set once: what an engine keeps of its programs belongs to them."""

    _options: ClassVar[tuple[str, ...]] = ("spec", "tier", "metering")

    def __setattr__(self, name: str, value: object) -> None:
        if name in self._options and name in vars(self):
            raise AttributeError(f"engine: {name} stays as it was when the engine was made: make another one")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        found = ((name, getattr(self, name)) for name in self._options)
        shown = ", ".join(f"{name}={getattr(value, 'name', value)!r}" for name, value in found)
        return f"{type(self).__name__}({shown})"
