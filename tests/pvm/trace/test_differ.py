"""The first difference of two traces: found wherever it is, named, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvm import InputError, ReferenceEngine
from pvm.isa import spec as find_spec
from pvm.program import assemble
from pvm.trace import Host, Run, compare_traces, parse_default

SOURCE = """
.standard stack=4096 heap=0
.code
    load_imm r2, 40
    store_ind_u32 [sp - 4], r2
    ecalli 2
    add_64 r3, r2, r7
    ecalli 3
    load_ind_u32 r4, [sp - 4]
    ret
"""


def _traces() -> tuple[list[str], list[str]]:
    spec, program = find_spec("0.7.2"), assemble(SOURCE)
    steps, calls = list[str](), list[str]()
    host = Host(spec, lambda line: None, None, parse_default("OK", spec, lambda path: b""))
    machine = ReferenceEngine().instantiate(program, b"ab", gas=1000)
    run = Run(machine, program, spec, host, calls.append, steps.append, True)
    run.begin(program.encode(), ())
    run.finish(run.to_end())
    return "".join(steps).splitlines(), "".join(calls).splitlines()


STEPS, CALLS = _traces()


def others(line: str) -> str:
    """The line as other engines print it."""
    head, _, registers = line.partition(" r00=")
    pc, name, *_ = head.split()
    values = [int(word.partition("=")[2] if "=" in word else word, 16) for word in f"r00={registers}".split()[:13]]
    gas = head.partition("gas=")[2]
    return f"  1: PC {pc[3:]:>5} {name.upper():20} g={gas} reg=[{' '.join(map(str, values))}]"


THEIRS = [others(line) for line in STEPS if line.startswith("pc=")]


@pytest.mark.parametrize(
    ("first", "second", "left_out"),
    [(STEPS, STEPS, ()), (CALLS, CALLS, ()), (STEPS, CALLS, ("instruction",)), (CALLS, STEPS, ("instruction",)),
     (STEPS, THEIRS, ("end", "host call", "start")), (THEIRS, STEPS, ("end", "host call", "start"))],
    ids=["steps", "calls", "steps-calls", "calls-steps", "steps-theirs", "theirs-steps"],
)  # fmt: skip
def test_no_difference(first: list[str], second: list[str], left_out: tuple[str, ...]) -> None:
    noise = ["hello", "", "INFO something else"]
    found = compare_traces([*noise, *first], [line for text in second for line in (text, "# noise")])
    assert found.difference is None
    assert found.left_out == left_out
    assert {"pc", "gas", "r0", "r12"} <= set(found.fields)


def changed(lines: list[str], number: int, before: str, after: str) -> list[str]:
    assert before in lines[number]
    return [*lines[:number], lines[number].replace(before, after), *lines[number + 1 :]]


@pytest.mark.parametrize(
    ("number", "before", "after", "field"),
    [
        (0, "gas=1000", "gas=1001", "gas"), (1, "r02=0x28", "r02=0x29", "r2"), (1, " 40 ", " 41 ", "operands"),
        (1, "load_imm", "load_u8", "name"), (2, "pc=3", "pc=4", "pc"), (2, "<- 0x28", "<- 0x29", "store"),
        (3, "gas=997", "gas=996", "gas"), (4, "ecalli=2", "ecalli=3", "call"), (5, "<- 0x0", "<- 0x1", "r7 after"),
        (6, "<- 987", "<- 986", "gas after"), (-3, "-> 0x28", "-> 0x27", "load"), (-1, "HALT", "OOG", "end"),
    ],
)  # fmt: skip
def test_a_difference_is_named(number: int, before: str, after: str, field: str) -> None:
    other = changed(STEPS, number, before, after)
    for first, second in ((STEPS, other), (other, STEPS)):
        difference = compare_traces(first, second).difference
        assert difference is not None and difference.field == field
        line = number % len(STEPS) + 1
        line = 5 if 5 < line < 8 else line  # a host call's first line
        assert difference.first.line == difference.second.line == line
        assert difference.first.value != difference.second.value
        assert all(text in STEPS for text in difference.context[-1:])


def test_ignored_fields_and_unknown_ones() -> None:
    other = changed(STEPS, 2, "gas=998", "gas=1")
    assert compare_traces(STEPS, other, ["gas"]).difference is None
    without = [line.partition(" r00=")[0] for line in STEPS]
    assert compare_traces(STEPS[1:4], without[1:4]).difference is None
    assert compare_traces(STEPS[1:4], [line.replace(" gas=", " x=") for line in without[1:4]]).difference is None


def test_a_difference_in_a_foreign_trace() -> None:
    index = next(i for i, line in enumerate(THEIRS) if "ADD_64" in line)
    difference = compare_traces(STEPS, changed(THEIRS, index, " 40 40 ", " 40 39 ")).difference
    assert difference is not None and (difference.field, difference.second.line) == ("r3", index + 1)
    assert difference.instruction == "pc 8 add_64 r3, r2, r7"


def before(lines: list[str]) -> list[str]:
    """The same trace with the states before the instructions: each line has those of the line before."""
    steps = [line for line in lines if line.startswith("pc=")]
    states = ["gas=1000 " + steps[0].partition(" gas=")[2].partition(" ")[2].replace("r02=0x28", "r02=0x0")]
    states += ["gas=" + line.partition(" gas=")[2] for line in steps]
    found = []
    for line, state in zip(steps, states, strict=False):
        found.append(f"{line.partition(' gas=')[0]} {state}")
    return found


def test_states_before_the_instruction() -> None:
    """Host calls change the state between: they have to be in both, or change nothing."""
    spec, program = find_spec("0.7.2"), assemble(SOURCE.replace("ecalli 2", "fallthrough").replace("ecalli 3", "ret"))
    lines: list[str] = []
    run = Run(ReferenceEngine().instantiate(program, gas=1000), program, spec, Host(spec, print), None, lines.append)
    run.begin(b"", ())
    run.finish(run.to_end())
    after = "".join(lines).splitlines()
    other = before(after)
    for first, second, side in ((after, other, 1), (other, after, 0)):
        assert compare_traces(first, second).difference is not None
        assert compare_traces(first, second, before=[side]).difference is None
        assert compare_traces(first, second, before=[side]).compared == {"instruction": 5}
    assert compare_traces(other, other, before=[0, 1]).difference is None
    wrong = changed(other, 2, "r02=0x28", "r02=0x29")
    difference = compare_traces(after, wrong, before=[1]).difference
    assert difference is not None and (difference.field, difference.second.line) == ("r2", 2)


@pytest.mark.parametrize("end", range(2, len(STEPS) - 1))
def test_a_trace_that_ends_early(end: int) -> None:
    found = compare_traces(STEPS, STEPS[:end]).difference
    assert found is not None
    if STEPS[end].startswith(("pc=", "ecalli=", "HALT")):
        # A trace without host calls may end where one is answered.
        line = end + 1 if not STEPS[end].startswith("ecalli=2") else 8
        assert (found.field, found.second.line, found.first.line) == ("end", 0, line)


def test_another_kind_of_record() -> None:
    found = compare_traces(STEPS, [*STEPS[:8], STEPS[-1]]).difference
    assert found is not None
    assert (found.field, found.first.value, found.second.value) == ("record", "instruction", "end")


@pytest.mark.parametrize("bad", [[], ["nothing", "here"]])
def test_no_trace(bad: list[str]) -> None:
    for first, second, name in ((bad, STEPS, "first"), (STEPS, bad, "second")):
        with pytest.raises(InputError, match=f"the {name}: no trace"):
            compare_traces(first, second)


@pytest.mark.parametrize("line", ["ecalli=1 pc=x gas=1", "ecalli=x", "HALT pc=1", "PANIC=x", "start pc=5"])
def test_malformed_lines(line: str) -> None:
    with pytest.raises(InputError) as error:
        compare_traces(["pc=0 trap gas=1", line], ["pc=0 trap gas=1", f"{line} "[:-2] + "?"])
    assert "line 2: " in str(error.value) or "no trace" in str(error.value)


@given(st.data())
def test_mutated_traces_are_compared_or_refused(data: Any) -> None:
    text = bytearray("\n".join(data.draw(st.sampled_from([STEPS, CALLS, THEIRS]))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 127))
    try:
        compare_traces(STEPS, text.decode("ascii").split("\n"))
    except InputError as error:
        assert "\n" not in str(error)


def test_many_lines_of_one_call_take_linear_time() -> None:
    writes = [f"memwrite 0x{address:08x} len=1 <- 0x00" for address in range(0x20000, 0x20000 + 200_000)]
    other = [*writes[:-1], writes[-1].replace("<- 0x00", "<- 0x01")]
    found = compare_traces([*CALLS[:3], *writes], [*CALLS[:3], *other]).difference
    assert found is not None and found.field == "written"
    assert len(str(found.first.value)) < 200
