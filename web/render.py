"""Pages from templates. In: a package with a folder `templates`, a template's name, values. Out: HTML text."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2


def render(package: str, template: str, **values: Any) -> str:
    """The template filled in; text is escaped, and a value that is missing is an error (jinja2.UndefinedError)."""
    return _environment(package).get_template(template).render(values)


@cache
def _environment(package: str) -> jinja2.Environment:
    """One for each package: it keeps the templates that it has compiled, which takes longer than to fill them in."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
