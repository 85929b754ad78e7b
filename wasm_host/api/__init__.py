"""The API reference: one HTML file, made of the docstrings of what the packages export.

    python -m wasm_host.api api.html

In: nothing. Out: the page. pdoc reads signatures and docstrings; it is in the extra `docs`, as nothing else needs it.
"""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from pvm.errors import ResourceError
from pvm.version import __version__
from pvm_web.render import render

if TYPE_CHECKING:
    from pdoc import doc

PACKAGES = (
    "pvm", "wasm_host", "pvm.program", "pvm.examples", "pvm.analysis", "pvm.observe", "pvm.trace", "pvm.jam.testing",
    "pvm.gas", "pvm.isa", "pvm.flow", "pvm.link", "pvm.standalone", "pvm.fuzz",
)  # fmt: skip
_LONGEST = 300  # characters of a value


@dataclass(frozen=True)
class Entry:
    """One name: `kind` is "class", "function", "method", "attribute" or "value", `text` its docstring as HTML."""

    anchor: str
    name: str
    kind: str
    signature: str
    text: str
    members: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Package:
    """A package, its docstring as HTML, what it exports."""

    name: str
    text: str
    entries: tuple[Entry, ...]


def api_page() -> str:
    """The page. Raises ResourceError without pdoc."""
    return render("wasm_host.api", "api.html.j2", version=__version__, packages=[_package(name) for name in PACKAGES])


def _package(name: str) -> Package:
    try:
        from pdoc import doc
    except ImportError:
        raise ResourceError("the API reference needs pdoc: pip install 'pvm-wasm[docs]'") from None
    package = import_module(name)
    for one in package.__all__:  # also those that are imported when they are asked for
        vars(package).setdefault(one, getattr(package, one))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of annotations whose names are imported for type checkers alone
        module = doc.Module(package)
        members = [module.members[one] for one in package.__all__ if one in module.members]
        return Package(name, _html(module.docstring), tuple(_entry(name, member) for member in members))


def _entry(place: str, member: doc.Doc[object]) -> Entry:
    from pdoc import doc

    anchor, text = f"{place}.{member.name}", _html(member.docstring)
    match member:
        case doc.Class():
            inner = tuple(_entry(anchor, one) for one in member.members.values() if _is_shown(one))
            signature = next((one.signature for one in inner if one.name == "__init__"), "")
            return Entry(anchor, member.name, "class", signature, text, tuple(i for i in inner if i.name != "__init__"))
        case doc.Function():
            kind = "function" if "." not in member.qualname else "method"
            prefix = "async " if member.funcdef.startswith("async") else ""
            signature = re.sub(r"\(\s*self(?:,\s*)?", "(", str(member.signature))
            return Entry(anchor, member.name, kind, f"{prefix}{signature}", text)
        case doc.Variable():
            value = "" if len(member.default_value_str) > _LONGEST else member.default_value_str
            annotation = member.annotation_str.removeprefix(": ")
            shown = f": {annotation}" if annotation else f" = {value}" if value else ""
            text = text or _html(_said_of(member.name, getattr(sys.modules.get(place), member.name, None)))
            return Entry(anchor, member.name, "attribute" if "." in member.qualname else "value", shown, text)
        case _:
            return Entry(anchor, member.name, "value", "", text)


def _said_of(name: str, value: object) -> str:
    """The docstring of a value where it is defined: packages export values of their modules."""
    from pdoc import doc_ast

    for place, module in list(sys.modules.items()):
        if value is not None and place.split(".")[0] in ("pvm", "wasm_host") and vars(module).get(name) is value:
            found = doc_ast.walk_tree(module).var_docstrings.get(name)
            if found:
                return found
    return ""


def _is_shown(member: doc.Doc[object]) -> bool:
    """Public members, and how an object is made; not what Python's own classes bring."""
    if member.name.startswith("_") and member.name != "__init__":
        return False
    return member.taken_from[0].split(".")[0] in ("pvm", "wasm_host")


def _html(docstring: str) -> str:
    from pdoc.render_helpers import to_html

    return str(to_html(docstring)) if docstring else ""
