"""Pages from templates. In: a package with a folder `templates`, a template's name, values. Out: HTML text."""

from __future__ import annotations

from typing import Any

import jinja2


def render(package: str, template: str, **values: Any) -> str:
    """The template filled in; text is escaped, and a value that is missing is an error (jinja2.UndefinedError)."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(values)
