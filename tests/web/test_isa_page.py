"""The page of the instruction set: complete, well-formed, linked to nothing outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from pvm.isa import ROWS
from pvm_web.isa_page import isa_page

VOID = {"meta", "input", "br"}


class Checker(HTMLParser):
    """Collects ids and fails on tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_instruction_is_there_once_and_tags_nest() -> None:
    checker = Checker()
    checker.feed(isa_page())
    assert checker.open == []
    assert checker.ids == ["search", *(row.name for row in ROWS)]


def test_it_needs_nothing_else() -> None:
    assert not re.search(r"(src|href)=|https?:|@import|url\(", isa_page())
