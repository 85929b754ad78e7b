"""The rules of a block, and the document that lists them."""

from __future__ import annotations

import pickle
from pathlib import Path

from pvm.jam import errors
from pvm.jam.errors import SectionError

DOCUMENT = Path(errors.__file__).with_name("README.md")
SECTIONS = SectionError.__subclasses__()


def test_the_document_lists_every_rule() -> None:
    rows = [
        f"| `{section.__name__}` `{code}` | {equation} | {rule} |"
        for section in SECTIONS
        for code, (equation, rule) in section.RULES.items()
    ]
    lines = DOCUMENT.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `") and "Error" in line] == rows


def test_an_error_says_rule_equation_and_place() -> None:
    for section in SECTIONS:
        for code, (equation, rule) in section.RULES.items():
            error = section(code, "core 1")
            assert str(error) == f"{rule}: core 1 ({code}, {equation})"
            again = pickle.loads(pickle.dumps(error))
            assert (type(again), str(again), again.detail) == (section, str(error), "core 1")


def test_every_rule_is_one_that_code_can_break() -> None:
    folder = DOCUMENT.parent
    text = "".join(path.read_text("utf-8") for path in folder.glob("*.py") if path.name != "errors.py")
    for section in SECTIONS:
        for code in section.RULES:
            assert f'"{code}"' in text, f"{section.__name__} {code} is never raised"
