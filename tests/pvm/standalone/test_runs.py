"""Standalone modules end as `wasm_host` does: same status, same text, for programs translated and interpreted."""

from __future__ import annotations

from functools import partial
from itertools import product
from random import Random

import pytest

import pvm
from pvm.examples import EXAMPLES
from pvm.fuzz import random_case
from pvm.isa import GP_072, GP_080
from pvm.isa import spec as find_spec
from pvm.jam.host_calls.table import UNKNOWN_GAS
from pvm.log import log_handlers
from pvm.program import Program, Sections, assemble
from pvm.standalone import Defaults, program_command
from pvm.trace import parse_trace
from wasm_host import Engine

KINDS = (*product((GP_072, GP_080), ("instruction", "block")), (GP_080, "pipeline"))
Software = partial(Engine, cache=False, protection="software")
HOSTS = {spec: log_handlers(lambda line: None, gas) for spec, gas in UNKNOWN_GAS.items()}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples(example, run_module, run_core, expect):
    for spec, metering in KINDS:
        program = assemble(example.source, spec)
        gas = example.gas
        host = HOSTS[spec.name]
        machine = Software(spec.name, "interpreter", metering).instantiate(program, example.args, gas, host=host)
        status, text = expect(machine, gas, "interpreter", spec, metering, "standard")
        assert status == 0
        command = program_command(program, spec, metering, Defaults(example.args, gas))
        found = run_module(command)
        assert (found.status, found.stdout) == (0, text.replace('"interpreter"', '"recompiler"'))
        words = (f"--args=0x{example.args.hex()}", "--gas", gas)
        found = run_core(program.encode(), spec, metering, *words)
        assert (found.status, found.stdout) == (0, text)


@pytest.mark.parametrize(
    ("name", "metering"), [("small-service", "instruction"), ("trace-001", "instruction"), ("trace-063", "block")]
)
def test_services(name, metering, shared, run_module, run_core, expect):
    """They stop at their first host call; less gas ends them before."""
    trace = parse_trace((shared / "traces/ecalli" / f"{name}.log").read_text())
    program = Program.parse(trace.program)
    assert program.format in ("jam", "standard")
    args, pc = bytes(range(64)), trace.start.pc
    engine, command = Software("0.7.2", "interpreter", metering), program_command(program, GP_072, metering)
    statuses = set()
    for gas in (0, 7, 200, trace.start.gas):
        options = ("--pc", pc, "--gas", gas, "--args", args.hex())
        machine = engine.instantiate(program, args, gas, pc, host=HOSTS["0.7.2"])
        status, text = expect(machine, gas, "interpreter", GP_072, metering, program.format)
        found = run_core(trace.program, GP_072, metering, *options)
        assert (found.status, found.stdout) == (status, text)
        found = run_module(command, *options)
        assert (found.status, found.stdout) == (status, text.replace('"interpreter"', '"recompiler"'))
        statuses.add(status)
    assert statuses >= {4, 6}


GROWING = """
.standard stack=4096 heap=1
.data
start: .u64 7
.code
    load_imm r2, 5000
    load_imm r3, 0
again:
    sbrk r4, r2
    add_imm_64 r5, r4, 4999
    store_ind_u8 [r5], r2
    add_imm_64 r3, r3, 1
    load_imm r10, 0
    ecalli 100
    branch_lt_u_imm r3, 9, again
    load_imm_64 r2, 0x100000000
    sbrk r6, r2
    load_u8 r7, [0x20000]
    load_ind_u8 r7, [r5 + 0x2000]
    trap
"""


@pytest.mark.parametrize(("source", "most"), [(EXAMPLES[0].source, 55), (GROWING, 75)], ids=["hello", "growing"])
def test_every_gas(source, most, run_module, run_core, expect):
    """Runs end at every instruction: in blocks, at host calls that are answered in them, after the heap has grown."""
    for spec, metering in KINDS:
        # 0.8.0 has no sbrk.
        program = assemble(source if spec is GP_072 else source.replace("sbrk", "move_reg"), spec)
        command = program_command(program, spec, metering, region_blocks=2)
        # To log takes 1,000 gas in 0.8.0.
        for gas in (*range(0, most, 3), *range(1000, 1000 + most, 3)) if spec is GP_080 else range(most):
            machine = pvm.ReferenceEngine(spec, metering).instantiate(program, b"JAM", gas, host=HOSTS[spec.name])
            status, text = expect(machine, gas, "recompiler", spec, metering, "standard")
            options = ("--gas", gas, "--args", "4a414d")
            found = run_module(command, *options)
            assert (found.status, found.stdout) == (status, text)
            found = run_core(program.encode(), spec, metering, *options)
            assert (found.status, found.stdout.replace('"interpreter"', '"recompiler"')) == (status, text)


def _standard(case):
    """A program with memory, a random case's blob between random sections, and its arguments."""
    random = Random(case.seed)
    blob = Program.parse(case.program, "plain").blob
    sections = Sections(
        random.randbytes(random.choice((0, 1, 5000))), random.randbytes(random.choice((0, 4096, 70_000))),
        random.choice((0, 1, 40)), random.choice((0, 1, 4096, 100_000)),
    )  # fmt: skip
    return Program(blob, sections, random.choice((None, b"", b"name"))), random.randbytes(random.choice((0, 9)))


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed, run_module, run_core, expect):
    plain = random_case(seed)
    spec, metering = find_spec(plain.spec), plain.metering
    for program, args in ((Program.parse(plain.program, "plain"), b""), _standard(plain)):
        host = HOSTS[plain.spec]
        reference = pvm.ReferenceEngine(spec, metering).instantiate(program, args, plain.gas, plain.pc, host=host)
        status, text = expect(reference, plain.gas, "interpreter", spec, metering, program.format)
        options = ("--gas", plain.gas, "--pc", hex(plain.pc), "--args", args.hex())
        found = run_core(program.encode(), spec, metering, *options, format=program.format)
        assert (found.status, found.stdout) == (status, text)
        if seed % 4 == 0:
            found = run_module(program_command(program, spec, metering, region_blocks=3), *options)
            assert (found.status, found.stdout) == (status, text.replace('"interpreter"', '"recompiler"'))
