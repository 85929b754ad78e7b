"""What a mutant is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """In the file at `path`, `old`, which is there once, becomes `new`; the tests of `rule` have to see it."""

    rule: str
    path: str
    old: str
    new: str

    def __str__(self) -> str:
        words = " ".join(self.old.split())
        return f"{self.rule:22} {self.path}: {words if len(words) <= 60 else words[:59] + '…'}"


Edits = dict[str, tuple[tuple[str, str, str], ...]]


def mutants(edits: Edits) -> tuple[Mutant, ...]:
    """The mutants that files are given, each as a rule, the old and the new text."""
    return tuple(Mutant(rule, path, old, new) for path, found in edits.items() for rule, old, new in found)
