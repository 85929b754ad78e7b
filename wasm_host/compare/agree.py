"""Whether contestants agree, in all that their hosts see.

In: the results of one task, by contestant. Out: a `Verdict`. The yardstick of each thing is the first contestant that
sees it: what was recorded, then the reference engine, then the interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from wasm_host.compare.outcome import UNSEEN, Ending, Outcome, Result

_NAMES = {field.name: field.name for field in fields(Ending)} | {
    "reason": "exit", "address": "address of the fault", "call": "host call", "calls": "what was seen at host calls",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """`differences` has, for each contestant that disagrees, in what; `failed` names those that broke down.

    `ran` is how many came to an end, what was recorded aside.
    """

    ran: int
    differences: Mapping[str, tuple[str, ...]]
    failed: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether all that ran agree, none broke down and at least one got to an end."""
        return bool(self.ran) and not self.differences and not self.failed


def judge(results: Mapping[str, Result]) -> Verdict:
    """Compare what there is. The order of `results` is that of the yardsticks."""
    endings = {name: result.ending for name, result in results.items() if isinstance(result, Outcome)}
    found: dict[str, list[str]] = {}
    for field in _NAMES:
        seen = {name: value for name, ending in endings.items() if (value := getattr(ending, field)) != UNSEEN}
        yardstick = next(iter(seen), "")
        for name, value in seen.items():
            if value != seen[yardstick]:
                found.setdefault(name, []).append(_difference(field, value, yardstick, seen[yardstick]))
    failed = [name for name, result in results.items() if not isinstance(result, Outcome) and result.kind == "failed"]
    ran = sum(isinstance(result, Outcome) and result.cold is not None for result in results.values())
    return Verdict(ran, {name: tuple(what) for name, what in found.items()}, tuple(failed))


def _difference(field: str, value: object, yardstick: str, wanted: object) -> str:
    if field != "registers":
        return f"{_NAMES[field]} {value}, {yardstick} has {wanted}"
    assert isinstance(value, tuple) and isinstance(wanted, tuple)
    pairs = enumerate(zip(value, wanted, strict=True))
    different = [f"r{number} {one:#x}, {yardstick} has {other:#x}" for number, (one, other) in pairs if one != other]
    return "; ".join(different)
