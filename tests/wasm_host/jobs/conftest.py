"""Work for workers, in a module that other processes find by its name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest

SOURCE = '''
import os
import signal
import time
from pathlib import Path

def prepare(shared):
    if shared:
        with open(Path(shared, "prepared"), "a") as file:
            file.write(f"{os.getpid()}\\n")
    return shared

def square(shared, item):
    return item * item

def fail(shared, item):
    if item == 3:
        raise ValueError("three")
    return item

def slow(shared, item):
    time.sleep(item)
    return item

def die_once(shared, item):
    """Items end the process that works on them, once each, if a file says so."""
    try:
        Path(shared, f"kill-{item}").unlink()
    except FileNotFoundError:
        return item, os.getpid()
    os.kill(os.getpid(), signal.SIGKILL)

def die(shared, item):
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item

def lost(item):
    return "lost"

def count_calls(machine):
    machine.registers[7] += 1

def lack(shared, item):
    raise AttributeError("nothing of this name")

def clean_up(shared, item):
    """Takes a while to tidy, and says when it has begun and when that is done."""
    Path(shared, f"{item}-begun").touch()
    try:
        time.sleep(60)
    finally:
        time.sleep(1)
        Path(shared, f"{item}-tidied").touch()

def leave_a_mark(shared, item):
    Path(shared, str(item)).touch()
    time.sleep(0.5)

def pid(shared, item):
    time.sleep(0.05)
    return os.getpid()
'''


@pytest.fixture(scope="session")
def chores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module."""
    folder = tmp_path_factory.mktemp("chores")
    (folder / "pvm_test_chores.py").write_text(SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("pvm_test_chores")

