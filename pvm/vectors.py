"""The public test vectors: reading them, running them on any engine, comparing.

In: the JSON of one file. Out: a frozen `Vector` of steps, and for a run a list of differences. Two formats exist:
`initial-*`/`expected-*` (307 files, 0.7.2) and `steps` (356 files, for the 0.8.0 gas model).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pvm.errors import InputError, VectorError
from pvm.gas import block_costs
from pvm.gas.metering import PIPELINE
from pvm.isa import GAS_VECTORS
from pvm.machine import AnyEngine, Exit, Machine, Poll, Reason
from pvm.program import Program
from pvm.registers import REGISTER_COUNT

PAGE_ACCESS = {True: "rw", False: "r"}


@dataclass(frozen=True)
class MapStep:
    """Give the guest access to pages."""

    address: int
    length: int
    access: str


@dataclass(frozen=True)
class WriteStep:
    """Put bytes into memory."""

    address: int
    contents: bytes


@dataclass(frozen=True)
class SetRegisterStep:
    """Set one register."""

    register: int
    value: int


@dataclass(frozen=True)
class RunStep:
    """Run to an exit."""


@dataclass(frozen=True)
class AssertStep:
    """What must hold. `gas` is compared unless None; so is `page_fault_address`."""

    status: Reason
    pc: int
    gas: int | None
    registers: tuple[int, ...]
    memory: tuple[tuple[int, bytes], ...]
    page_fault_address: int | None


Step = MapStep | WriteStep | SetRegisterStep | RunStep | AssertStep


@dataclass(frozen=True)
class Vector:
    """One vector.

    `kind` is "pvm-0.7.2" or "gas-0.8.0"; `skips` says what of it is not checked, if anything. `costs` are pcs of blocks
    and what each costs by the pipeline model.
    """

    name: str
    kind: str
    program: bytes
    pc: int
    gas: int
    steps: tuple[Step, ...]
    skips: str | None = None
    costs: tuple[tuple[int, int], ...] = ()

    @property
    def ends_out_of_gas(self) -> bool:
        """Whether an assertion expects the gas to run out."""
        return any(isinstance(step, AssertStep) and step.status is Reason.OUT_OF_GAS for step in self.steps)

    def without_gas(self) -> Vector:
        """The same for an engine that charges by another model than the vector's."""
        steps = [replace(step, gas=None) if isinstance(step, AssertStep) else step for step in self.steps]
        return replace(self, steps=tuple(steps), skips="gas", costs=())


def parse_vector(text: str | bytes) -> Vector:
    """Read one vector file. Raises VectorError with what is wrong and where."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VectorError(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise VectorError("not a test vector: the file holds no JSON object")
    fields = _Fields(data, "")
    if "steps" in data:
        return _parse_steps(fields)
    if "expected-status" in data:
        return _parse_initial_expected(fields)
    raise VectorError("not a test vector: neither 'steps' nor 'expected-status' is there")


def run_vector(vector: Vector, engine: AnyEngine, poll: Poll | None = None) -> list[str]:
    """Run a vector; the differences found, each a line, none when it passes.

    `poll` is the machine's. Raises VectorError when the vector's program cannot be parsed or the steps do not make
    sense, and what `poll` raises.
    """
    try:
        program = Program.parse(vector.program, format="plain")
        machine = engine.instantiate(program, gas=vector.gas, pc=vector.pc)
    except InputError as error:
        raise VectorError(f"program: {error}") from None
    machine.poll = poll
    differences = [*_cost_differences(vector, program)]
    exit: Exit | None = None
    for step in vector.steps:
        match step:
            case MapStep(address, length, access):
                machine.memory.map(address, length, access)
            case WriteStep(address, contents):
                machine.memory.write(address, contents)
            case SetRegisterStep(register, value):
                machine.registers[register] = value
            case RunStep():
                exit = machine.run()
            case AssertStep():
                if exit is None:
                    raise VectorError("steps: an assert comes before the first run")
                differences += _differences(step, machine, exit)
    return differences


def _cost_differences(vector: Vector, program: Program) -> Iterator[str]:
    """What blocks cost needs no run, and so no engine: only the numbering and the reading that such files follow."""
    if not vector.costs:
        return
    costs = block_costs(program.blob, GAS_VECTORS, PIPELINE)
    for pc, wanted in vector.costs:
        if (got := costs.at(pc)) != wanted:
            yield f"cost of the block at pc {pc}: expected {wanted}, got {got}"


def _differences(step: AssertStep, machine: Machine, exit: Exit) -> list[str]:
    found: list[tuple[str, Any, Any]] = [
        ("status", step.status.value, exit.reason.value),
        ("pc", step.pc, exit.pc),
    ]
    if step.gas is not None:
        found.append(("gas", step.gas, exit.gas))
    if step.page_fault_address is not None or exit.address is not None:
        found.append(("page fault address", step.page_fault_address, exit.address))
    found += [(f"r{i}", value, machine.registers[i]) for i, value in enumerate(step.registers)]
    found += [
        (f"memory at {address:#x}", contents.hex(), machine.memory.read(address, len(contents)).hex())
        for address, contents in step.memory
    ]
    return [f"{what}: expected {wanted}, got {got}" for what, wanted, got in found if wanted != got]


# --- reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fields:
    """A JSON object read with checks; `where` is its place in the file."""

    data: dict[str, Any]
    where: str

    def integer(self, key: str, limit: int = 1 << 64) -> int:
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
            raise VectorError(f"{self.where}{key}: {value!r:.40} is no integer from 0 to {limit - 1}")
        return value

    def integers(self, key: str, limit: int, count: int | None = None) -> tuple[int, ...]:
        values = self.array(key)
        if not all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v < limit for v in values):
            raise VectorError(f"{self.where}{key}: not all integers from 0 to {limit - 1}")
        if count is not None and len(values) != count:
            raise VectorError(f"{self.where}{key}: {len(values)} values, expected {count}")
        return tuple(values)

    def array(self, key: str) -> list[Any]:
        value = self._get(key)
        if not isinstance(value, list):
            raise VectorError(f"{self.where}{key}: not an array")
        return value

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise VectorError(f"{self.where}{key}: not a string")
        return value

    def boolean(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise VectorError(f"{self.where}{key}: neither true nor false")
        return value

    def object(self, key: str) -> _Fields:
        value = self._get(key)
        if not isinstance(value, dict):
            raise VectorError(f"{self.where}{key}: not an object")
        return _Fields(value, f"{self.where}{key}.")

    def objects(self, key: str) -> list[_Fields]:
        found = []
        for index, item in enumerate(self.array(key)):
            where = f"{self.where}{key}[{index}]"
            if not isinstance(item, dict):
                raise VectorError(f"{where}: not an object")
            found.append(_Fields(item, where + "."))
        return found

    def reason(self, key: str) -> Reason:
        value = self.text(key)
        try:
            return Reason(value)
        except ValueError:
            raise VectorError(f"{self.where}{key}: unknown status {value!r:.40}") from None

    def memory(self, key: str) -> tuple[tuple[int, bytes], ...]:
        return tuple(_contents(chunk) for chunk in self.objects(key))

    def _get(self, key: str) -> Any:
        if key not in self.data:
            raise VectorError(f"{self.where}{key}: missing")
        return self.data[key]


def _contents(fields: _Fields) -> tuple[int, bytes]:
    address, contents = fields.integer("address", 1 << 32), bytes(fields.integers("contents", 256))
    if address + len(contents) > 1 << 32:
        raise VectorError(f"{fields.where}contents: they reach beyond the address space")
    return address, contents


def _map_step(fields: _Fields, writable: str) -> MapStep:
    address, length = fields.integer("address", 1 << 32), fields.integer("length", (1 << 32) + 1)
    if address + length > 1 << 32:
        raise VectorError(f"{fields.where}length: the pages reach beyond the address space")
    return MapStep(address, length, PAGE_ACCESS[fields.boolean(writable)])


def _assert_step(fields: _Fields, prefix: str, gas: int | None, fault_key: str) -> AssertStep:
    address = fields.integer(fault_key, 1 << 32) if fault_key in fields.data else None
    return AssertStep(
        fields.reason(prefix + "status"), fields.integer(prefix + "pc", 1 << 32), gas,
        fields.integers(prefix + "regs", 1 << 64, REGISTER_COUNT), fields.memory(prefix + "memory"), address,
    )  # fmt: skip


def _parse_initial_expected(fields: _Fields) -> Vector:
    registers = fields.integers("initial-regs", 1 << 64, REGISTER_COUNT)
    steps: list[Step] = [_map_step(page, "is-writable") for page in fields.objects("initial-page-map")]
    steps += [WriteStep(address, contents) for address, contents in fields.memory("initial-memory")]
    steps += [SetRegisterStep(i, value) for i, value in enumerate(registers)]
    steps.append(RunStep())
    steps.append(_assert_step(fields, "expected-", fields.integer("expected-gas"), "expected-page-fault-address"))
    return Vector(
        fields.text("name"), "pvm-0.7.2", bytes(fields.integers("program", 256)),
        fields.integer("initial-pc", 1 << 32), fields.integer("initial-gas"), tuple(steps),
    )  # fmt: skip


def _set_register_step(fields: _Fields) -> SetRegisterStep:
    return SetRegisterStep(fields.integer("reg", REGISTER_COUNT), fields.integer("value"))


_STEP_PARSERS: dict[str, Callable[[_Fields], Step]] = {
    "map": lambda fields: _map_step(fields, "is_writable"),
    "write": lambda fields: WriteStep(*_contents(fields)),
    "set-reg": _set_register_step,
    "run": lambda fields: RunStep(),
    "assert": lambda fields: _assert_step(fields, "", fields.integer("gas"), "page_fault_address"),
}


def _parse_steps(fields: _Fields) -> Vector:
    steps = []
    for step in fields.objects("steps"):
        kind = step.text("kind")
        if kind not in _STEP_PARSERS:
            raise VectorError(f"{step.where}kind: unknown step {kind!r:.40}")
        steps.append(_STEP_PARSERS[kind](step))
    return Vector(
        fields.text("name"), "gas-0.8.0", bytes(fields.integers("program", 256)),
        fields.integer("initial-pc", 1 << 32), fields.integer("initial-gas"), tuple(steps), None, _parse_costs(fields),
    )  # fmt: skip


def _parse_costs(fields: _Fields) -> tuple[tuple[int, int], ...]:
    """The costs of blocks by pc, where the file has them."""
    if "block-gas-costs" not in fields.data:
        return ()
    costs = fields.object("block-gas-costs")
    if not all(pc.isascii() and pc.isdigit() and len(pc) < 11 for pc in costs.data):
        raise VectorError("block-gas-costs: not all keys are pcs")
    return tuple((int(pc), costs.integer(pc)) for pc in costs.data)
