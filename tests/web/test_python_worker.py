"""Python in the page: the worker, requests to it, and values in both directions, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from pvm_web import pyodide
from pvm_web.bridge.values import Big, registers, to_json, words
from pvm_web.build import build
from pvm_web.serve import serving

TRACE = """\
program 0x0000050a640a640015
start pc=0 gas=1000 r07=0x5
ecalli=18446744073709551615 pc=0 gas=999 r07=0x5
memread 0x00020000 len=2 -> 0x0102
setreg r07 <- 0xfffffffffffffffe
setgas <- 5
PANIC=0 pc=4 gas=997 r07=0xfffffffffffffffe
"""


@pytest.fixture
def tab(page: Page, tolerated: list[str]) -> Page:
    """A tab of the page's origin without the page."""
    tolerated.append("404")  # Chromium asks for an icon
    page.goto("data/abi.json")
    return page


def run(page: Page, script: str, *arguments: Any) -> Any:
    """The result of an async function's body, in which `workers` is the module."""
    return page.evaluate(
        f"async (given) => {{ const workers = await import('/shared/workers.mjs'); {script} }}", list(arguments)
    )


# --- shared/workers.mjs -----------------------------------------------------------------------------------------------


def test_values_of_built_files(tab: Page) -> None:
    value = {"a": Big(1 << 60), "b": b"\0\xff", "c": words([7]), "d": registers([9]), "e": [None, {"$x": 1, "y": 2}]}
    assert run(tab, """
        const v = workers.revive(given[0]);
        return [v.a === 2n ** 60n, v.b instanceof Uint8Array, [...v.b], v.c instanceof Uint32Array, v.c[0],
                v.d instanceof BigUint64Array, v.d[0] === 9n, v.e[0], v.e[1].$x];
    """, to_json(value)) == [True, True, [0, 255], True, 7, True, True, None, 1]  # fmt: skip


ECHO = """
self.onmessage = ({ data: { id, method, params } }) => {
  if (method === "echo") { self.postMessage({ id, progress: 1 }); self.postMessage({ id, progress: 2 });
                           self.postMessage({ id, result: params }); self.postMessage({ id, result: "twice" }); }
  if (method === "refuse") self.postMessage({ id, error: { message: "no", where: "args", line: 3 } });
  if (method === "event") self.postMessage({ event: "hello" });
  if (method === "crash") throw new Error("crashed");
  if (method === "hang") for (;;);
};
"""


@pytest.fixture
def echo(tab: Page, tolerated: list[str]) -> Page:
    def answer(route: Route) -> None:
        route.fulfill(body=ECHO, content_type="text/javascript")

    tab.route("**/echo.mjs", answer)
    tolerated.append("crashed")
    return tab


def test_calls_events_and_errors(echo: Page) -> None:
    assert run(echo, """
        const client = new workers.WorkerClient('/echo.mjs', {name: 'echo'}), events = [], seen = [];
        const failure = (promise) => promise.catch((error) => error.message);
        const end = client.onevent((event) => events.push(event));
        seen.push(await client.call('echo', {a: 5}, {onprogress: (n) => seen.push(n)}));
        const error = await client.call('refuse').catch((error) => error);
        seen.push(error instanceof Error, error.message, error.where, error.line, error.column);
        failure(client.call('event')); await client.call('echo');
        end(); failure(client.call('event')); await client.call('echo');
        seen.push(events, await client.call('echo', () => {}).catch((error) => error.message.slice(0, 22)));
        client.terminate();
        return seen;
    """) == [
        1, 2, {"a": 5}, True, "no", "args", 3, None, [{"event": "hello"}], "echo: cannot be sent: ",
    ]  # fmt: skip


def test_every_call_ends_when_the_worker_does(echo: Page) -> None:
    assert run(echo, """
        const client = new workers.WorkerClient('/echo.mjs', {name: 'echo'}), events = [];
        client.onevent((event) => events.push(event));
        const failure = (promise) => promise.then(() => 'answered', (error) => error.message);
        const hanging = [failure(client.call('hang')), failure(client.call('echo'))];
        client.restart();
        const seen = [...await Promise.all(hanging), await failure(client.call('echo'))];
        seen.push(await failure(client.call('crash')), client.isAlive, await failure(client.call('echo')));
        client.restart();
        seen.push(await failure(client.call('echo')));
        client.terminate();
        seen.push(await failure(client.call('echo')), events.length, events[0].event);
        const missing = new workers.WorkerClient('/missing.mjs', {name: 'missing'});
        return [...seen, await failure(missing.call('echo'))];
    """) == [
        "stopped", "stopped", "answered", "stopped: Uncaught Error: crashed", False, "stopped", "answered", "stopped",
        1, "error", "stopped: missing: could not be loaded",
    ]  # fmt: skip


# --- python/worker.mjs --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python(browser: Browser, page_server: str) -> Iterator[Page]:
    """A tab with a Python worker, `client`, that is ready; its events are `events`."""
    context = browser.new_context(base_url=page_server)
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto("data/abi.json")
    page.evaluate("""async () => {
        const workers = await import('/shared/workers.mjs');
        globalThis.events = [];
        globalThis.client = new workers.WorkerClient('/python/worker.mjs', {name: 'python'});
        const told = ({message, where}) => ({message, where});
        globalThis.failure = (promise) => promise.then(() => null, told);
        globalThis.revive = workers.revive;
        client.onevent((event) => events.push(event));
        await client.call('assemble', {text: 'trap'});
    }""")
    yield page
    context.close()


def test_it_says_how_far_it_has_loaded(python: Page) -> None:
    events = python.evaluate("events")
    assert {event["event"] for event in events} == {"loading"}
    fractions = [event["fraction"] for event in events]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1 and len(fractions) > 5
    assert list(dict.fromkeys(event["step"] for event in events)) == ["download", "python", "package", "ready"]


def test_what_the_build_wrote_is_what_python_answers(python: Page) -> None:
    assert python.evaluate("""async () => {
        const same = (one, other) => {
            if (typeof one !== 'object' || one === null) return one === other;
            if (one.constructor !== other?.constructor) return false;
            const keys = Object.keys(one);
            return keys.length === Object.keys(other).length && keys.every((key) => same(one[key], other[key]));
        };
        const differing = [];
        for (const {name, args, gas} of revive(await (await fetch('/data/examples.json')).text())) {
            const built = revive(await (await fetch(`/data/examples/${name}.json`)).text());
            const data = new TextEncoder().encode(built.opened.source);
            const {handle} = await client.call('open', {name: `${name}.pvmasm`, data});
            const bytes = Uint8Array.from(args.match(/../g) ?? [], (digits) => parseInt(digits, 16));
            const answers = {
                opened: await client.call('open', {name: `${name}.pvmasm`, data}),
                index: await client.call('index', {handle}),
                lines: await client.call('lines', {handle, first: 0, count: 4096}),
                images: {}, translations: {},
            };
            for (const metering of ['instruction', 'block', 'pipeline']) {
                answers.images[metering] = await client.call('image', {handle, metering, args: bytes, gas, pc: null});
                answers.translations[metering] = await client.call('translate', {handle, metering});
            }
            for (const key of Object.keys(built)) if (!same(built[key], answers[key])) differing.push([name, key]);
        }
        return differing;
    }""") == []


def test_typed_arrays_own_their_memory(python: Page) -> None:
    assert python.evaluate("""async () => {
        const {opened} = await client.call('assemble', {text: 'trap'});
        const {pcs} = await client.call('index', {handle: opened.handle});
        const image = await client.call('image', {handle: opened.handle});
        const arrays = [pcs, image.registers, image.writes[0].bytes];
        return arrays.map((array) => array.buffer.byteLength === array.byteLength);
    }""") == [True, True, True]


def test_large_integers_both_ways(python: Page) -> None:
    assert python.evaluate("""async (text) => {
        const {trace, handle} = await client.call('open', {name: 't', data: new TextEncoder().encode(text)});
        const {text: again} = await client.call('trace_text', {handle, ...trace});
        const call = trace.calls[0];
        return [again === text, call.number === 2n ** 64n - 1n, call.set[0][1] === 2n ** 64n - 2n, call.set_gas === 5n,
                trace.start.gas === 1000n, call.reads[0].data[1], trace.calls.length];
    }""", TRACE) == [True, True, True, True, True, 2, 1]


def test_errors_say_what_they_are_about(python: Page) -> None:
    assert python.evaluate("""async () => {
        const {opened} = await client.call('assemble', {text: 'trap'});
        return [await failure(client.call('image', {handle: opened.handle, gas: -1n})),
                await failure(client.call('image', {handle: 'x'})), await failure(client.call('nothing')),
                await failure(client.call('open', {data: new Uint8Array(0), name: ''}))];
    }""") == [
        {"message": "gas: no integer from 0 to 2^64 - 1", "where": "gas"},
        {"message": "this program is not open any more: open it again", "where": "handle"},
        {"message": "unknown method 'nothing'", "where": "method"},
        {"message": "empty: a program has at least 3 bytes", "where": None},
    ]


def test_a_real_trace_and_progress(python: Page) -> None:
    path = Path("../shared/traces/ecalli/trace-001.log")
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    assert python.evaluate("""async (text) => {
        const {trace, handle} = await client.call('open', {name: 't', data: new TextEncoder().encode(text)});
        const fractions = [], onprogress = ({fraction}) => fractions.push(fraction);
        const {module} = await client.call('translate', {handle}, {onprogress});
        await WebAssembly.compile(module);
        return [trace.calls.length, fractions.every((one, i) => 0 < one && one < 1 && !(one < fractions[i - 1]))];
    }""", path.read_text()) == [66, True]


def test_python_that_cannot_be_loaded(tab: Page) -> None:
    tab.route("**/*.whl", lambda route: route.fulfill(status=404, body=""))
    found = run(tab, """
        const client = new workers.WorkerClient('/python/worker.mjs', {name: 'python'}), failed = [];
        client.onevent((event) => event.event === 'failed' && failed.push(event.message));
        const error = await client.call('open').catch((error) => error.message);
        client.terminate();
        return [error, failed];
    """)
    assert found[0].startswith("Python: pvm_wasm-") and found[0].endswith("404 Not Found")
    assert found[1] == [found[0].removeprefix("Python: ")]


class _Breaking(SimpleHTTPRequestHandler):
    """Serves a folder; of Pyodide's module only the first half comes, then the connection ends."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.name != "pyodide.asm.wasm":
            return super().do_GET()
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/wasm")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True
        return None


def test_a_download_that_breaks_off_is_said(browser: Browser, page_folder: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Breaking, directory=str(page_folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.server_address[1]}/")
        tab = context.new_page()
        tab.goto("#example=hello")
        expect(tab.locator("#python")).to_contain_class("failed", timeout=60_000)
        expect(tab.locator("#python-restart")).to_be_visible()
        assert "broke off" in (tab.locator("#python").get_attribute("title") or "")
        context.close()
        server.shutdown()


def test_pyodide_from_the_network(browser: Browser, page_folder: Path, tmp_path: Path) -> None:
    """As it is deployed there: on another origin, which lets others read its files."""
    types = {".mjs": "text/javascript", ".wasm": "application/wasm"}

    def answer(route: Route) -> None:
        path = page_folder / "pyodide" / route.request.url.removeprefix(pyodide.CDN)
        type = types.get(path.suffix, "application/octet-stream")
        route.fulfill(path=path, content_type=type, headers={"Access-Control-Allow-Origin": "*"})

    build(tmp_path / "some where", cdn=True)  # not at the root of its server either
    (tmp_path / "index.html").write_text("")
    with serving(tmp_path) as url:
        context = browser.new_context(base_url=f"{url}some%20where/")
        context.set_default_timeout(120_000)
        context.route(f"{pyodide.CDN}**", answer)
        tab = context.new_page()
        tab.goto("data/abi.json")
        assert tab.evaluate("""async () => {
            const {WorkerClient} = await import('/some%20where/shared/workers.mjs'), steps = new Set();
            const client = new WorkerClient('/some%20where/python/worker.mjs', {name: 'python'});
            client.onevent(({step}) => steps.add(step));
            const {opened} = await client.call('assemble', {text: 'trap'});
            client.terminate();
            return [opened.code_length, [...steps]];
        }""") == [1, ["download", "python", "package", "ready"]]
        context.close()


@pytest.mark.parametrize(("left", "right"), [("reference", "interpreter"), ("interpreter", "recompiler")])
def test_engines_side_by_side(python: Page, left: str, right: str) -> None:
    assert python.evaluate("""async ([left, right]) => {
        const {opened} = revive(await (await fetch('/data/examples/fibonacci.json')).text());
        const {handle} = await client.call('open', {name: 'f', data: new TextEncoder().encode(opened.source)});
        const start = {handle, metering: 'block', args: new Uint8Array([10]), gas: 10n ** 6n, pc: null, left, right};
        const {id} = await client.call('lockstep_start', start);
        let found;
        do found = await client.call('lockstep_run', {id, budget: 10n ** 9n}); while (!found.done);
        await client.call('lockstep_end', {id});
        return [found.difference, found.exit.reason, found.steps > 1000n];
    }""", [left, right]) == [None, "halt", True]
