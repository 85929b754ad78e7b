"""Random C of csmith (Debian's packages csmith and libcsmith-dev): the same checksum as from gcc, at every level."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

INCLUDE = Path("/usr/include/csmith")
GAS = 300_000_000

pytestmark = [
    pytest.mark.skipif(
        not (shutil.which("csmith") and shutil.which("gcc") and INCLUDE.is_dir()), reason="no csmith, or no gcc"
    ),
    pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="no compiler: pip install ziglang"),
]


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-Os"])
@pytest.mark.parametrize("seed", [3, 14])
def test_checksums_are_those_of_gcc(pvm, tmp_path, seed, level):
    source, native, program = tmp_path / "random.c", tmp_path / "native", tmp_path / "random.pvm"
    options = ["--seed", str(seed), "--max-funcs", "5", "--max-block-depth", "4"]
    source.write_bytes(subprocess.run(["csmith", *options], capture_output=True, check=True).stdout)
    subprocess.run(["gcc", "-O1", "-w", f"-I{INCLUDE}", source, "-o", native], check=True)
    try:
        wanted = subprocess.run([native], capture_output=True, text=True, timeout=5).stdout
    except subprocess.TimeoutExpired:
        pytest.skip("this program does not end")
    assert pvm("cc", source, "-o", program, level, "-w", f"-I{INCLUDE}", "--stack", "0x100000").status == 0
    found = json.loads(pvm("run", program, "--json", "--gas", str(GAS)).text)
    assert (found["status"], found["stdout"], found["exit_code"]) == ("halt", wanted, 0)
