"""Random programs as inner machines: what their guest sees of them, whatever engine it is on.

`python -m tests.pvm.jam.nested FIRST COUNT` compares many of them on all engines.
"""

from __future__ import annotations

import sys
import time
from random import Random
from struct import pack, unpack
from typing import Any

import wasm_host
from pvm.fuzz.cases import random_case
from pvm.jam.inner import InnerMachines
from pvm.reference import ReferenceEngine
from tests.pvm.jam.calls import OK, RW, Caller, refining

ROUNDS = 6
BLOB, STATE, DATA = RW, RW + 0x2000, RW + 0x3000
FAULT, HOST, OOG = 2, 3, 4


def engines_of(spec: str, metering: str) -> list[Any]:
    return [
        ReferenceEngine(spec, metering), wasm_host.Engine(spec, "recompiler", metering),
        wasm_host.Engine(spec, "recompiler", metering, protection="software"),
        wasm_host.Engine(spec, "interpreter", metering),
    ]  # fmt: skip


def trail(seed: int, engine: Any, live: int) -> list[Any]:
    """What a random program does inside: each `invoke`, with the pages that it may read afterwards."""
    case, random = random_case(seed), Random(seed)
    call: Caller = refining(engine.spec.name, engine)
    call.context.machines = InnerMachines(engine, live)
    blob = case.program[:0x2000]
    call.put(BLOB, blob)
    pc = case.pc if random.random() < 0.95 else random.getrandbits(64)
    steps: list[Any] = [call("machine", BLOB, len(blob), pc)]
    if steps[0].r7 > 63:
        return steps
    other = call("machine", BLOB, len(blob), 0).r7  # takes the place of the first where one alone is kept
    for address, access in case.pages:
        if address >> 12 >= 16:
            steps.append(call("pages", 0, address >> 12, 1, 2))
            call.put(DATA, random.randbytes(64))
            steps.append(call("poke", 0, DATA, address + random.randrange(4032), 64))
            if access == "r":
                steps.append(call("pages", 0, address >> 12, 1, 3))
    registers = list(case.registers)
    for _ in range(ROUNDS):
        call.put(STATE, pack("<14Q", min(case.gas, 50_000), *registers))
        done = call("invoke", 0, STATE, gas=1 << 40)
        left, *registers = unpack("<14Q", call.at(STATE, 112))
        seen = []
        for first, count, access in call.context.machines[0].pages.ranges():
            if access is not None and count < 64:
                for page in range(max(first, 16), first + count):
                    if call("peek", 0, DATA, page << 12, 4096, gas=1 << 40).r7 == OK:
                        seen.append((page, access, hash(call.at(DATA, 4096))))
        steps.append((done, left, list(registers), call.context.machines[0].pc, seen))
        if random.random() < 0.3:
            call.put(STATE, pack("<14Q", 10, *[0] * 13))
            call("invoke", other, STATE, gas=1 << 40)
        if done.r7 == FAULT and random.random() < 0.8:
            steps.append(call("pages", 0, done.r8 >> 12, 1, random.choice([1, 2])))
        elif done.r7 == HOST:
            registers[7] = random.getrandbits(64)
        elif done.r7 != OOG and random.random() < 0.5:
            break
    steps.append(call("expunge", 0))
    return steps


def difference(seed: int, every: list[Any]) -> str:
    """Where a seed's trails differ first, "" if nowhere."""
    first = trail(seed, every[0], 64)
    for engine in every:
        for live in (64, 1):
            found = trail(seed, engine, live)
            if found != first:
                place = next((i for i, (a, b) in enumerate(zip(first, found, strict=False)) if a != b), -1)
                return f"seed {seed}: {engine.tier}, {live} live, step {place}: {found[place]}, not {first[place]}"
    return ""


def main() -> None:
    begin, count = int(sys.argv[1]), int(sys.argv[2])
    every = {
        version: engines_of(version, metering) for version, metering in (("0.7.2", "instruction"), ("0.8.0", "block"))
    }
    start = time.time()
    for seed in range(begin, begin + count):
        text = difference(seed, every[random_case(seed).spec])
        if text:
            print(text, flush=True)
    print(f"{count} seeds from {begin} in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
