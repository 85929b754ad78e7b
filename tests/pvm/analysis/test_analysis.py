"""Analysis functions over programs."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pvm.analysis import Symbols, blocks_of, call_graph, calls_of, jumps_to, sizes_of, summary, symbols_of
from pvm.errors import InputError
from pvm.examples import EXAMPLES, example
from pvm.flow import Ending
from pvm.flow.index import index_of
from pvm.gas import block_costs
from pvm.isa import spec
from pvm.program import Program, assemble, block_starts, survey

SOURCE = """
.code
main:
    call f
    call g
    ecalli 7
    ecalli 7
    trap
f:
    branch_eq_imm r2, 0, out
    call g
    fallthrough
out:
    ret
g:
    ret
"""


def known() -> tuple[Program, Symbols, dict[str, int]]:
    found = survey(SOURCE)
    assert found.program is not None, found.errors
    symbols = symbols_of(found.program, found)
    return found.program, symbols, {name: pc for pc, name in symbols.labels}


@pytest.mark.parametrize("version", ["0.7.2", "0.8.0"])
@pytest.mark.parametrize("name", [one.name for one in EXAMPLES])
def test_blocks_are_the_paper_s(name: str, version: str) -> None:
    program = assemble(example(name).source, version)
    blocks = blocks_of(program, version)
    starts = {pc for pc in block_starts(program.blob, version) if pc < len(program.code)}
    assert {block.pc for block in blocks} == starts
    assert all(first.end == second.pc for first, second in pairwise(blocks))
    found = summary(program, version)
    assert (found.blocks, found.instructions) == (len(blocks), sum(block.instructions for block in blocks))
    costs = block_costs(program.blob, version)
    assert all(block.cost == costs.at(block.pc) for block in blocks)
    index = index_of(program.blob, spec(version))
    assert sum(found.mix.values()) == len(index.pcs) and found.calls == calls_of(program, version)
    assert sum(sizes_of(program).values()) == len(program.encode())


def test_where_blocks_go_on() -> None:
    program, _, at = known()
    by_pc = {block.pc: block for block in blocks_of(program)}
    branch = by_pc[at["f"]]
    assert branch.ending is Ending.BRANCH and set(branch.targets) == {at["out"], branch.end}
    assert by_pc[at["g"]].ending is Ending.DYNAMIC and by_pc[at["g"]].targets == ()
    assert by_pc[0].targets == (at["f"],)


def test_jumps_by_their_target() -> None:
    program, _, at = known()
    found = jumps_to(program)
    assert found[at["out"]] == (at["f"],) and len(found[at["g"]]) == 2
    assert sum(-1 in sources for sources in found.values()) == program.blob.jump_count


def test_the_call_graph() -> None:
    program, symbols, at = known()
    graph = call_graph(program, symbols=Symbols(tuple(item for item in symbols.labels if item[1] != "out")))
    assert graph.calls == {(at["main"], at["f"]): 1, (at["main"], at["g"]): 1, (at["f"], at["g"]): 1}
    assert graph.callees(at["main"]) == (at["f"], at["g"]) and graph.callers(at["g"]) == (at["main"], at["f"])
    assert not graph.unknown
    assert [pc for pc, _ in call_graph(program).functions] == [at["main"], at["f"], at["g"]]


def test_host_calls_and_symbols() -> None:
    program, symbols, at = known()
    assert calls_of(program) == {7: 2}
    assert symbols.label(at["g"]) == "g" and symbols.line(at["g"]) == "line:16" and symbols.start(at["g"]) == at["g"]
    assert (Symbols().label(5), Symbols().line(5), Symbols().start(5)) == ("", "", 0)


def test_unknown_versions() -> None:
    for function in (blocks_of, jumps_to, call_graph, calls_of, summary):
        with pytest.raises(InputError):
            function(known()[0], "9")
