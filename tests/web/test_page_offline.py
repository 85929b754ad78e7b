"""The page without its server, once it has been there."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from playwright.sync_api import Browser, expect

from pvm_web.serve import server
from tests.web.conftest import tab

IS_KEPT = """async () => {
    const names = await caches.keys();
    const cache = names.length === 1 && await caches.open(names[0]);
    const {files} = await (await fetch('data/manifest.json')).json();
    return cache && (await cache.keys()).length >= Object.keys(files).length;
}"""


def test_all_of_the_page_is_there_without_its_server(browser: Browser, page_folder: Path) -> None:
    running = server(page_folder, 0)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    with tab(browser, running.url, ["ERR_CONNECTION_REFUSED"], service_workers="allow") as page:
        page.goto("#example=hello")
        for _ in range(180):
            if page.evaluate(IS_KEPT):
                break
            page.wait_for_timeout(1000)
        running.shutdown()
        running.server_close()
        page.goto("about:blank")
        page.goto("#example=fibonacci")
        expect(page.locator("#example")).to_have_value("fibonacci")
        page.click("#run")
        expect(page.locator("#state")).to_have_text("Halted")
        expect(page.locator("#python")).to_have_class(re.compile("ready"), timeout=120_000)
