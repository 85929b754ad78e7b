"""The report as a page: that a browser and people can use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.wasm_host.bench.report.test_page import made
from wasm_host.bench.report.baseline import compare
from wasm_host.bench.report.page import report_page
from wasm_host.peers import chromium


@pytest.mark.skipif(chromium.obstacle() is not None, reason=f"no Chromium: {chromium.obstacle()}")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(tmp_path: Path, scheme: Any) -> None:
    """No complaint on the console, nothing wider than a phone, nothing that people with disabilities cannot use."""
    from axe_playwright_python.sync_playwright import Axe

    path = tmp_path / "report.html"
    path.write_text(report_page(made(2.0), compare(made(), made(2.0), 0.1)), encoding="utf-8")
    with chromium.chromium() as browser:
        for width in (360, 1280):
            page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))  # noqa: B023
            page.on("pageerror", lambda error: said.append(str(error)))  # noqa: B023
            page.goto(path.as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert not said
