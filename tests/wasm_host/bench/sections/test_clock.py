"""Time by phase: by names, because no test looks at how long something took."""

from __future__ import annotations

import threading
import time

from wasm_host.bench.sections.clock import Clock


def test_phases_nest_and_add_up() -> None:
    clock = Clock()
    inner = clock.timed("inner", lambda: time.sleep(0.001))

    def outer() -> str:
        inner()
        return "result"

    began = time.perf_counter_ns()
    assert clock.timed("outer", outer)() == "result"
    whole = time.perf_counter_ns() - began
    assert set(clock.taken) == {"inner", "outer"} and not clock.beside
    assert sum(clock.taken.values()) <= whole, "the inner phase is not counted for the outer one again"


def test_a_phase_that_counts_inside_another_only() -> None:
    clock = Clock()
    work = clock.timed("work", lambda: 1, inside="there")
    assert work() == 1
    assert clock.timed("elsewhere", work)() == 1
    assert "work" not in clock.taken
    assert clock.timed("there", work)() == 1
    assert "work" in clock.taken


def test_other_threads_are_counted_apart() -> None:
    clock = Clock()
    thread = threading.Thread(target=clock.timed("work", lambda: None))
    thread.start()
    thread.join()
    assert set(clock.beside) == {"work"} and not clock.taken


def test_what_raises_is_counted() -> None:
    clock = Clock()
    try:
        clock.timed("work", lambda: 1 // 0)()
    except ZeroDivisionError:
        clock.timed("more", lambda: None)()
    assert list(clock.taken) == ["work", "more"]
