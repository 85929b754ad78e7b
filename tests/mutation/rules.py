"""The rows of `pvm/GRAY_PAPER.md`: rules with the places in the code and the tests that they name."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "pvm/GRAY_PAPER.md"
NOT_YET = "not yet: "

_ROW = re.compile(r"^\| `([ABD][\w.-]*)` \|(.*)\|$", re.MULTILINE)
_CODE = re.compile(r"`([\w/]+\.py): ([\w.]+)`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@dataclass(frozen=True)
class Rule:
    """`code` are pairs of a file and a name in it, and so are `tests`; both are empty for what is not there yet."""

    id: str
    code: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str], ...]
    is_there: bool

    @property
    def selection(self) -> list[str]:
        """The tests as pytest takes them."""
        return [f"{path}::{name}" for path, name in self.tests]


def rules() -> dict[str, Rule]:
    """All rules by id, in the order of the document."""
    found: dict[str, Rule] = {}
    for id, cells in _ROW.findall(DOCUMENT.read_text(encoding="utf-8")):
        assert id not in found, f"{id} is there twice"
        found[id] = Rule(id, tuple(_CODE.findall(cells)), tuple(_TEST.findall(cells)), NOT_YET not in cells)
    return found


def names_in(path: Path) -> set[str]:
    """The names that a file defines at its top, and in its classes, with a dot."""
    found: set[str] = set()

    def add(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    add(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(prefix + node.target.id)
            elif isinstance(node, ast.Assign):
                targets = [one for target in node.targets for one in ast.walk(target)]
                found.update(prefix + one.id for one in targets if isinstance(one, ast.Name))

    add(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found
