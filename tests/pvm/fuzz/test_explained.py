"""A disagreement between engines as the agreement tests tell it."""

from __future__ import annotations

from pathlib import Path

from pvm.fuzz import compare, memory_case, parse_case
from tests.agreement import explained
from tests.pvm.fuzz.test_fuzz_shrink import BrokenEngine, wrong_register


def test_it_is_small_and_side_by_side_and_can_be_repeated(tmp_path: Path) -> None:
    def broken(case):
        return BrokenEngine(case, "xor", wrong_register)

    seed = next(seed for seed in range(100) if compare(memory_case(seed), {"broken": broken}))
    text = explained("broken", memory_case(seed), broken, tmp_path, tries=60)
    lines = text.splitlines()
    assert lines[0].startswith(f"broken, memory {seed}, ") and "    xor " in text
    [head] = [line for line in lines if line.split() == ["reference", "broken"]]
    marked = [line for line in lines[lines.index(head):] if line.startswith("*")]
    assert marked and all(line.split()[2] != line.split()[3] for line in marked)
    path = tmp_path / f"memory-{seed}.json"
    assert lines[-1] == f"again: pvm fuzz --repeat {path}"
    again = compare(parse_case(path.read_text()), {"broken": broken})
    assert again is not None and again.engine == "broken"
