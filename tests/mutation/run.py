"""Break each rule of `pvm/GRAY_PAPER.md` in the code, one at a time, and see that a test of its row fails.

    python tests/mutation/run.py                    all mutants: a quarter of an hour on two free cores
    python tests/mutation/run.py A3.marked A5.9     those of some rules, by how their ids begin
    python tests/mutation/run.py --path pvm/flow    those of some files, by how their paths begin
    python tests/mutation/run.py --list             what there is
    python tests/mutation/run.py --workers 2        on several cores

The code is changed in copies of the tree. A mutant is caught when a test of its rule fails, else it is missed; tests
that could not even be started catch nothing. The status is 1 when any is not caught, and when the tests fail as they
are, before or after. Needs fork: what does not change is loaded once.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis.extra.pytestplugin  # noqa: F401
import pytest
import wasmtime  # noqa: F401
from mutants import MUTANTS, Mutant
from rules import ROOT, Rule, rules

COPIED = ("pvm", "wasm_host", "web", "pvm_web", "tests", "pyproject.toml", "README.md")
SHARED = "shared"  # the folder beside the project, with public vectors
SECONDS = 120  # of processor time, after which tests count as endless
OCTETS = 1 << 28  # of a file that tests may write: a mutant may write without end
CAUGHT, MISSED, ENDLESS, NOT_RUN = "caught", "missed", "endless", "not run"
NOT_STARTED = 99  # status of a process that came to no verdict
NO_VERDICT = (3, 4, 5, NOT_STARTED)  # pytest's internal error, usage error and no tests, and ours


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rules", nargs="*", metavar="RULE", help="a rule's id, or how several begin")
    parser.add_argument("--path", default="", help="how the paths of the changed files begin")
    parser.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    parser.add_argument("--workers", type=int, default=1, help="how many run at a time")
    options = parser.parse_args()
    chosen = [
        one for one in MUTANTS
        if one.path.startswith(options.path) and (not options.rules or one.rule.startswith(tuple(options.rules)))
    ]  # fmt: skip
    if options.list:
        for one in chosen:
            print(one)
        return 0
    found = rules()
    missed: list[Mutant] = []
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trees = _copies(Path(folder), options.workers)
        selected = sorted({test for one in chosen for test in found[one.rule].selection})
        if not _pass(trees[0], selected):
            return 1
        for number, (one, how) in enumerate(_outcomes(chosen, found, trees), 1):
            print(f"{number:4}/{len(chosen)}  {how:7}  {one}", flush=True)
            if how in (MISSED, NOT_RUN):
                missed.append(one)
        if not all(_pass(tree, selected) for tree in trees):
            return 1
    minutes = (time.perf_counter() - began) / 60
    print(f"{len(chosen) - len(missed)} of {len(chosen)} mutants caught, in {minutes:.1f} minutes")
    for one in missed:
        print(f"not caught: {one}\n  - {one.old}\n  + {one.new}")
    return 1 if missed else 0


def _pass(tree: Path, selected: list[str]) -> bool:
    """Whether the tests pass in a tree where nothing is broken; told if not."""
    passes = os.waitpid(_fork(tree, selected), 0)[1] == 0
    if not passes:
        print("tests of these rules fail as they are", file=sys.stderr)
    return passes


def _copies(folder: Path, count: int) -> list[Path]:
    """So many copies of the tree."""
    if (ROOT.parent / SHARED).is_dir():
        (folder / SHARED).symlink_to((ROOT.parent / SHARED).resolve())
    trees = [folder / str(number) for number in range(count)]
    for tree in trees:
        tree.mkdir()
        for name in COPIED:
            if (ROOT / name).is_symlink():
                (tree / name).symlink_to((ROOT / name).readlink())
            elif (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
            else:
                shutil.copy(ROOT / name, tree / name)
    return trees


def _outcomes(chosen: list[Mutant], found: dict[str, Rule], trees: list[Path]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant and how it ended, in the order in which they end."""
    left, free = list(reversed(chosen)), list(trees)
    running: dict[int, tuple[Mutant, Path, str]] = {}
    while left or running:
        while left and free:
            mutant, tree = left.pop(), free.pop()
            path = tree / mutant.path
            text = path.read_text(encoding="utf-8")
            assert text.count(mutant.old) == 1, f"{mutant}: its text is there {text.count(mutant.old)} times"
            path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
            running[_fork(tree, found[mutant.rule].selection)] = mutant, tree, text
        pid, status = os.wait()
        mutant, tree, text = running.pop(pid)
        (tree / mutant.path).write_text(text, encoding="utf-8")
        free.append(tree)
        yield mutant, _outcome(status)


def _outcome(status: int) -> str:
    """What the wait status of a mutant's tests says."""
    if os.WIFSIGNALED(status):
        return ENDLESS if os.WTERMSIG(status) == signal.SIGPROF else CAUGHT
    code = os.waitstatus_to_exitcode(status)
    return NOT_RUN if code in NO_VERDICT else CAUGHT if code else MISSED


def _fork(tree: Path, selected: list[str]) -> int:
    """Start these tests in a tree; the process that runs them."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        resource.setrlimit(resource.RLIMIT_FSIZE, (OCTETS, OCTETS))
        os.chdir(tree)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        os.environ["PYTHONPATH"] = sys.path[0] = str(tree)
        sys.dont_write_bytecode = True
        os._exit(pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", *selected]))
    finally:
        os._exit(NOT_STARTED)


if __name__ == "__main__":
    sys.exit(main())
