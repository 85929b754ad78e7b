"""An engine whose machines run in the page's guest worker, in a browser: it behaves as every engine does.

In: a tab that stands on the served page. Out: `GuestEngine`, for the benchmark, the comparison, and the runners of
vectors, traces and random programs. Whatever a machine is asked to do goes through the requests that the page itself
makes.
"""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pvm.errors import EngineError
from pvm.machine import Exit, Host, Machine, Reason, start_of
from pvm.memory import Memory
from pvm.program import PAGE_SIZE, Program
from pvm.program.standard import ADDRESS_SPACE, ZONE_SIZE
from pvm.registers import REGISTER_COUNT, Registers
from pvm_web.bridge import Bridge
from pvm_web.bridge.values import Big, to_json

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Makes `ask` in the page: requests to the guest worker in, their results out, both as tagged JSON. It says how long the
# last one took.
_GLUE = """async () => {
  const { WorkerClient, revive } = await import("/shared/workers.mjs");
  const file = (name) => fetch(`/data/${name}`);
  const client = new WorkerClient("/guest/worker.mjs", { name: "guest" });
  const engine = {
    abi: revive(await (await file("abi.json")).text()),
    interpreter: await WebAssembly.compile(await (await file("interpreter.wasm")).arrayBuffer()),
  };
  const isBlank = (bytes) => bytes.length > 0 && bytes.length % 4 === 0 && bytes.byteOffset % 4 === 0 &&
    new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).every((word) => word === 0);
  const tagged = (key, value) =>
    typeof value === "bigint" ? { $int: String(value) }
      : value instanceof Uint8Array ? isBlank(value) ? { $blank: value.length } : { $bytes: value.toBase64() }
        : value instanceof BigUint64Array ? { $u64: new Uint8Array(value.buffer).toBase64() } : value;
  globalThis.ask = async (text) => {
    const results = [];
    let begin;
    for (const [method, params] of revive(text)) {
      begin = performance.now();
      results.push(await client.call(method, method === "load" ? { ...engine, ...params } : params));
    }
    return JSON.stringify({ results, milliseconds: performance.now() - begin }, tagged);
  };
}"""


EMPTY = "data/abi.json"  # a file of the page in which nothing runs, at the page's own address
Request = tuple[str, dict[str, Any]]


class GuestEngine:
    """Machines in the guest worker, one at a time: to make one ends the one before.

    `milliseconds` is how long the last request took, as the page saw it.
    """

    milliseconds = 0.0

    def __init__(self, page: Page, tier: str, spec: str = "0.7.2", metering: str = "instruction") -> None:
        self.spec, self.metering, self.tier, self._page = spec, metering, tier, page
        self._bridge = Bridge()
        if not page.evaluate("() => Boolean(globalThis.ask)"):
            page.evaluate(_GLUE)

    def instantiate(
        self, program: Program, args: bytes = b"", gas: int = 1 << 40, pc: int | None = None,
        host: Host | None = None,
    ) -> GuestMachine:  # fmt: skip
        start_of(program, args, gas, pc, host)  # refuses what every engine refuses
        opened = self._open(program.encode(), program.format)
        start = {} if pc is None else {"pc": pc}
        return GuestMachine(self, self._loaded(opened, None, args=args, gas=gas, **start), host)

    def replay(self, trace: bytes) -> dict[str, Any]:
        """Run what was recorded; the worker answers host calls and compares. The `View` at the end (`session.mjs`)."""
        opened = self._open(trace, "trace")
        answers = {"kind": "trace", "trace": opened["trace"], "verify": True}
        view: dict[str, Any] = self.ask([*self._loaded(opened, answers), ("run", {})])[-1]
        return view

    def _open(self, data: bytes, format: str) -> dict[str, Any]:
        return self._python("open", name="test", data=data, format=format, spec=self.spec)

    def _loaded(self, opened: dict[str, Any], answers: dict[str, Any] | None, **start: Any) -> list[Request]:
        """The requests that make a machine."""
        named = {"handle": opened["handle"], "metering": self.metering}
        image = self._python("image", **named, **start)
        requests: list[Request] = [("load", {"image": image, "answers": answers})]
        if self.tier == "recompiler" and "declined" not in (translation := self._python("translate", **named)):
            requests.append(("link", {"translation": translation}))
        return requests

    def _python(self, method: str, **params: Any) -> dict[str, Any]:
        """What the page asks its Python worker for."""
        answer = self._bridge.call(method, params)
        if "error" in answer:
            raise EngineError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def ask(self, requests: list[Request]) -> list[Any]:
        """Make the requests in turn; their results."""
        answer = json.loads(self._send(to_json(requests)), object_hook=_untagged)
        self.milliseconds = answer["milliseconds"]
        results: list[Any] = answer["results"]
        return results

    def _send(self, requests: str) -> str:
        """The answer to requests, both as tagged JSON."""
        return str(self._page.evaluate("requests => ask(requests)", requests))


class GuestMachine(Machine):
    """A machine in the guest worker. What is asked of it waits until an answer is needed."""

    _memory: GuestMemory
    _pc: int
    _gas: int

    def __init__(
        self, engine: GuestEngine, requests: list[Request], host: Host | None
    ) -> None:
        super().__init__(host)
        self._engine, self._waiting = engine, requests
        self._memory = GuestMemory(self)
        self._values = self._known = [0] * REGISTER_COUNT
        self._see(self.ask())

    def ask(self, method: str = "view", **params: Any) -> Any:
        """The result of a request that changes the machine, after all that wait."""
        self._memory.forget()
        changed = {str(n): Big(self._values[n]) for n in range(REGISTER_COUNT) if self._values[n] != self._known[n]}
        if changed:
            self.later("set", registers=changed)
            self._known = list(self._values)
        return self.ask_all([(method, params)])[0]

    def ask_all(self, requests: list[Request]) -> list[Any]:
        """The results of several requests, after all that wait."""
        waiting, self._waiting = self._waiting, []
        return self._engine.ask([*waiting, *requests])[len(waiting) :]

    def later(self, method: str, **params: Any) -> None:
        """Make a request before the next one whose answer is needed."""
        self._memory.forget()
        self._waiting.append((method, params))

    def _see(self, view: dict[str, Any]) -> Exit | None:
        """Remember what the machine looks like now; the exit, if it is at one."""
        self._values, self._known = view["registers"], list(view["registers"])
        self._registers = Registers(self._values)
        self._pc, self._gas = view["pc"], view["gas"]
        found = view["exit"]
        if found is None:
            return None
        return Exit(Reason(found["reason"]), found["pc"], found["gas"], found["address"], found["call"])

    @property
    def pc(self) -> int:
        return self._pc

    @pc.setter
    def pc(self, value: int) -> None:
        self._pc = value
        self.later("set", pc=value)

    @property
    def gas(self) -> int:
        return self._gas

    @gas.setter
    def gas(self, value: int) -> None:
        self._gas = value
        self.later("set", gas=Big(value))

    def _run(self) -> Exit:
        while True:
            exit = self._see(self.ask("run", until="call"))
            if exit is None:
                raise EngineError("the guest worker stopped before an exit")
            answered = self._answer(exit)
            if answered is not None:
                return answered

    def _step(self) -> Exit | None:
        return self._see(self.ask("step"))

    def _answer(self, exit: Exit) -> Exit | None:
        """As every machine's; and the worker is not to answer a call by itself."""
        if exit.call is not None:
            self.later("answer", registers={}, writes=[], gas=None, end=None)
        return super()._answer(exit)


class GuestMemory(Memory):
    """The guest's memory, in the worker. Pages that are looked at come together with those looked at before."""

    def __init__(self, machine: GuestMachine) -> None:
        self._machine = machine
        self._looked_at: set[int] = set()
        self._pages: dict[int, tuple[bytes, int]] = {}  # contents and access, until something changes

    def forget(self) -> None:
        """The pages may have changed."""
        self._pages = {}

    def read(self, address: int, length: int) -> bytes:
        if length == PAGE_SIZE and address % PAGE_SIZE == 0:
            return self._page(address)[0]
        found: bytes = self._read([(address, length)])[0]["bytes"]
        return found

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        self._machine.later("write", address=address, bytes=bytes(data))

    def map(self, address: int, length: int, access: str | None) -> None:
        self._machine.later("map", address=address, length=length, access=access)

    def access(self, address: int) -> str | None:
        return {0: None, 1: "r", 3: "rw"}[self._page(address // PAGE_SIZE * PAGE_SIZE)[1]]

    def mapped(self, address: int = 0, length: int = ADDRESS_SPACE) -> Iterator[tuple[int, int, str]]:
        runs = self._machine.ask_all([("pages", {})])[0]
        for run in runs:
            start, end = max(run["address"], address), min(run["address"] + run["length"], address + length)
            if start < end:
                yield start, end - start, run["access"]

    def is_readable(self, address: int, length: int) -> bool:
        return address >= ZONE_SIZE and 0 not in self._read([(address, length)])[0]["access"]

    def _page(self, page: int) -> tuple[bytes, int]:
        if page not in self._pages:
            self._looked_at.add(page)
            pages = sorted(self._looked_at)
            found = self._read([(page, PAGE_SIZE) for page in pages])
            self._pages = {page: (one["bytes"], one["access"][0]) for page, one in zip(pages, found, strict=True)}
        return self._pages[page]

    def _read(self, ranges: list[tuple[int, int]]) -> list[Any]:
        return self._machine.ask_all([("read", {"address": address, "length": length}) for address, length in ranges])


def _untagged(value: dict[str, Any]) -> Any:
    match value:
        case {"$int": number}:
            return int(number)
        case {"$bytes": text}:
            return base64.b64decode(text)
        case {"$blank": length}:
            return bytes(length)
        case {"$u64": text}:
            return list(array("Q", base64.b64decode(text)))
    return value
