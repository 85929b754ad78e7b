"""Limits of memory: what would not fit is refused before it is begun, and nothing ends the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pvm.errors import ResourceError
from pvm.isa import GP_072
from pvm.machine import Reason
from pvm.program import Blob, Program, assemble, pack_bitmask
from pvm.program.blob import ZeroEntries
from wasm_host import Engine
from wasm_host.bench.sections.hostile_runs import is_measurable
from wasm_host.code import room

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
REMAINDER = b"\xce\x54\x06"  # rem_s_64 r6, r4, r5
MIB = 1 << 20

# In a process of its own: a program of so many remainders on a tier, where so many MiB are left beyond the machine.
CHILD = """
import json, resource, sys
from pvm.errors import PvmError
from pvm.program import Blob, Program, pack_bitmask
from wasm_host import Engine
tier, count, left = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
blob = Blob(b"\\xce\\x54\\x06" * count + b"\\0", pack_bitmask(b"\\1\\0\\0" * count + b"\\1"))
program = Program.parse(blob.encode(), "plain")
first = Engine(tier="interpreter", cache=False).instantiate(program)  # whose place the next one takes
def status(name):
    [line] = [line for line in open("/proc/self/status") if line.startswith(name)]
    return int(line.split()[1]) << 10
if left:
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize:") + (left << 20),) * 2)
del first
found = {}
try:
    engine = Engine(tier=tier, cache=False)
    machine = engine.instantiate(program, gas=count + 10)
    if tier == "auto":
        translations = engine._translations[engine._mode()]
        translations.spend(program, 1e9)  # and so it is made in the background
        try:
            translations.get(program)
        except PvmError as error:
            found["translation"] = str(error)
    found["exit"], found["linked"] = str(machine.run().reason), machine._is_linked
except PvmError as error:
    found["error"] = f"{type(error).__name__}: {error}"
found["peak"] = status("VmHWM:")
print(json.dumps(found))
"""


def child(tier: str, count: int, left: int, threads: int) -> dict[str, Any]:
    """What the process found; it ended as it should."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tier, str(count), str(left)], capture_output=True, text=True, check=False,
        env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@linux
@pytest.mark.parametrize("threads", [1, 8])
def test_a_translation_that_would_not_fit(threads: int) -> None:
    """It was the end of the process: SIGABRT by Rust's allocator."""
    found = child("recompiler", 40_000, 80, threads)
    assert found["error"].startswith("ResourceError: no memory to translate the program: that takes up to ")
    assert "the limit of address space (ulimit -v) leaves" in found["error"]
    found = child("auto", 40_000, 80, threads)
    assert found["exit"] == "Reason.PANIC" and not found["linked"]
    assert found["translation"].startswith("no memory to translate the program")


@linux
def test_fewer_compile_threads_where_all_would_take_too_much() -> None:
    found = child("recompiler", 3000, 200, 8)
    assert found["linked"] and found["exit"] == "Reason.PANIC"


@linux
@pytest.mark.skipif(not is_measurable(), reason="the system does not tell how much memory was used")
@pytest.mark.parametrize("tier", ["recompiler", "auto"])
def test_memory_to_translate_remainders(tier: str) -> None:
    """40,000 took 1.7 GiB on two compile threads."""
    found = child(tier, 40_000, 0, 2)
    assert "error" not in found and "translation" not in found
    assert found["peak"] < room.most(remainders(40_000), GP_072, 2) + 60 * MIB < 240 * MIB


def remainders(count: int) -> Program:
    blob = Blob(REMAINDER * count + b"\0", pack_bitmask(b"\1\0\0" * count + b"\1"))
    return Program.parse(blob.encode(), "plain")


def test_translations_under_way_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    program = remainders(40_000)
    need = room.most(program, GP_072, 1)
    monkeypatch.setenv("RAYON_NUM_THREADS", "1")
    monkeypatch.setattr(room, "room", lambda: (need * 3 // 2, "a test"))
    with room.room_for(program, GP_072) as in_parallel:
        assert in_parallel
        with (
            pytest.raises(
                ResourceError, match=f"takes up to {need // MIB + 1} MiB, and a test leaves {need // 2 // MIB} "
            ),
            room.room_for(program, GP_072),
        ):
            pass
    with pytest.raises(KeyError), room.room_for(program, GP_072):
        raise KeyError
    with room.room_for(program, GP_072):
        pass


def test_python_s_own_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(ResourceError, match=r"^no memory to translate the program$"),
        room.room_for(remainders(1), GP_072),
    ):
        raise MemoryError


def test_a_machine_whose_protection_was_lost_goes_on_without_a_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    program = assemble(".code\n" + "add_64 r1, r1, r2\n" * 10 + "trap")
    machine = Engine(tier="recompiler", cache=False).instantiate(program, gas=100)
    monkeypatch.setattr(room, "room", lambda: (1, "a test"))
    machine._unprotect()  # type: ignore[attr-defined]
    exit = machine.run()
    assert (str(exit.reason), exit.gas) == ("Reason.PANIC", 89)


def test_compile_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYON_NUM_THREADS", "3")
    assert room.compile_threads() == 3
    for nothing in ("0", "", "many", "²"):
        monkeypatch.setenv("RAYON_NUM_THREADS", nothing)
        assert 1 <= room.compile_threads() <= (os.cpu_count() or 1)


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_limits_of_control_groups(tmp_path: Path) -> None:
    """Of either version, those around the process's included; what is cached of files makes room."""
    groups, mounted = tmp_path / "cgroup", tmp_path / "mounted"
    write(mounted / "a" / "b", memory__max="max", memory__current=7, memory__stat="anon 7")
    write(mounted / "a", memory__max=1000, memory__current=900, memory__stat="anon 1\ninactive_file 300\nfile 1")
    groups.write_text("0::/a/b\n")
    assert [left for left, _ in room._group_limits(groups, mounted)] == [400]
    write(
        mounted / "memory", memory__limit_in_bytes=500, memory__usage_in_bytes=600, memory__stat="total_inactive_file 1"
    )
    groups.write_text("5:cpu:/x\n4:memory:/elsewhere\n")
    assert [left for left, _ in room._group_limits(groups, mounted)] == [-99]
    for nothing in ("", "0::/\n", "no group\n", "0::/../../../..\n", "4:memory\n"):
        groups.write_text(nothing)
        assert [left for left, _ in room._group_limits(groups, tmp_path / "nothing")] == []
    assert [*room._group_limits(tmp_path / "nothing", mounted)] == []


@linux
def test_what_this_process_may_take() -> None:
    left, limit = room.room()
    assert left > 100 * MIB and limit


def test_entries_of_no_octets_take_no_room() -> None:
    """A blob of a few octets may have 2^64 - 1 of them (A.2)."""
    blob = Blob(b"\0", b"\1")
    large = Blob(b"\0", b"\1", ZeroEntries((1 << 64) - 1))
    assert room.most(Program(large), GP_072, 1) == room.most(Program(blob), GP_072, 1)
    assert Engine(tier="recompiler", cache=False).instantiate(Program(large)).run().reason is Reason.PANIC
