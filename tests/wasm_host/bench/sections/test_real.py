"""Real programs: that all engines and compilers agree on what one prints, and that counts are those of a run."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from pvm.isa import GP_072
from pvm.program import assemble
from wasm_host.bench.real_programs import REAL
from wasm_host.bench.report.figures import Report
from wasm_host.bench.sections.real import counts, measure_real
from wasm_host.peers.gcc import find_gcc

needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None and shutil.which("zig") is None,
    reason="no compiler: pip install ziglang",
)


@needs_zig
@pytest.mark.xdist_group("cc")
def test_a_program() -> None:
    report, gcc = Report(), find_gcc()
    if gcc is None:
        pytest.skip("gcc is not installed")
    with gcc:
        measure_real(report, GP_072, "sha2", gcc, 1, is_quick=True)
    assert not report.problems and "real" not in report.absent
    [section] = report.sections
    assert {"interpreter", "recompiler, software", "gcc -O2", "wasm32, wasmtime"} <= set(section.samples)
    assert section.facts["counts per 1000"]["crossings"] <= 15


def test_counts() -> None:
    """Of 23 instructions: the first block, ten times the loop, and what is behind it, which does not look at gas."""
    program = assemble("""
    .code
        load_imm r7, 10
        fallthrough
    loop:
        add_imm_64 r7, r7, -1
        branch_ne_imm r7, 0, loop
        trap
    """)
    found = counts(program, GP_072, b"")
    assert found == {"blocks": round(12000 / 23, 1), "looks at gas": round(11000 / 23, 1)}


def test_all_have_a_source() -> None:
    from wasm_host.bench import real_programs

    assert {path.stem for path in real_programs._FOLDER.glob("*.c")} == set(REAL)
