"""The debugger's session where going back, edits and answers meet: each state is the one that was there before."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import ReferenceEngine
from pvm.jam.host_calls.table import UNKNOWN_GAS
from pvm.program import assemble
from pvm_web.bridge.values import Big
from tests.web.test_session import drive, image, request, view

STEP = request("step")
CALL_7 = """
.code
    load_imm a0, 5
    ecalli 7
    add_imm_64 s0, a0, 1
    add_imm_64 s1, a0, 2
    trap
"""


def load(source: str, metering: str = "instruction", **others: Any) -> dict[str, Any]:
    """Load a plain program with much gas and no pages."""
    program = assemble(source)
    machine = ReferenceEngine(metering=metering).instantiate(program, gas=10**9)
    return request("load", image=image(program, "0.7.2", metering, machine, []), **others)


def test_pages_that_the_guest_maps_and_writes_are_empty_before() -> None:
    source = """
.code
    load_imm a0, 0x20000
    sbrk a1, a0
    load_u8 t0, [0x11000]
    store_imm_u8 [0x11000], 7
    load_u8 t1, [0x11000]
    trap
"""
    write = request("write", address=0x11800, bytes=b"\5")
    there, before = [STEP] * 5, request("back", count=3)
    again = [request("step", count=3), request("read", address=0x11000, length=4)]
    for edits in ([], [write]):
        start = request("back", unit="start")
        (results,) = drive([[load(source), *there, *edits, before, *again, start, *there, again[1]]])
        forwards = results[5]
        assert forwards["registers"][2:4] == ["0", "7"]
        at = 6 + len(edits)
        assert (results[at]["pc"], results[at]["registers"][2:4]) == (results[2 if not edits else 3]["pc"], ["0", "0"])
        assert results[-2]["registers"] == forwards["registers"]
        assert results[-1]["bytes"] == "07000000"


def test_every_call_is_answered_however_many_there_were() -> None:
    source = """
.code
    fallthrough
again:
    load_imm a0, 5
    ecalli 100
    load_imm t0, -2
    branch_ne a0, t0, wrong
    add_imm_64 s0, s0, 1
    load_imm t1, 10050
    branch_lt_u s0, t1, again
    trap
wrong:
    trap
"""
    until_call = request("run", until="call")
    (results,) = drive([[load(source), request("run"), request("log"), request("back", unit="call"), STEP]])
    assert results[1]["registers"][5] == "10050"
    assert len(results[2]) <= 10_000
    assert results[3]["registers"][5] == "10049" and results[3]["pending"] is not None
    assert results[4]["registers"][7] == str(2**64 - 2)
    (results,) = drive([[load(source), until_call, STEP, until_call]])
    assert results[3]["pending"] is not None


def test_a_call_that_was_answered_stays_so_whatever_is_edited_after_it() -> None:
    answer = request("answer", registers={7: Big(99)})
    edit = request("set", registers={7: Big(55)})
    back_to_call = request("back", unit="call")
    (results,) = drive([[load(CALL_7), request("run"), answer, edit, STEP, request("back"), STEP, back_to_call]])
    edited, stepped, back, again, at_call = results[3:]
    assert view(back) == view(edited) and (back["exit"], back["pending"]) == (None, None)
    assert view(again) == view(stepped)
    assert (at_call["exit"]["reason"], at_call["registers"][7]) == ("host-call", "5")
    # An answer that comes by itself is not given again.
    logs = CALL_7.replace("ecalli 7", "ecalli 100")
    (results,) = drive([[load(logs), request("step", count=2), edit, STEP, request("back"), STEP]])
    assert results[3]["registers"][5] == results[5]["registers"][5] == "56"


def test_edits_at_a_call_leave_the_call_or_tell_its_new_state() -> None:
    gas, elsewhere = request("set", gas=Big(77)), request("set", pc=0)
    (results,) = drive([[load(CALL_7), request("run"), gas, elsewhere, request("run")]])
    assert (results[2]["exit"]["reason"], results[2]["exit"]["gas"]) == ("host-call", "77")
    assert (results[3]["exit"], results[3]["pc"]) == (None, 0)
    assert results[4]["exit"]["reason"] == "host-call"
    refused = request("answer", registers={}, gas=Big(1 << 70))
    (results,) = drive([[load(CALL_7), request("run"), refused, request("view")]])
    assert "gas" in results[2]["error"] and view(results[3]) == view(results[1])


@pytest.mark.parametrize("method", ["run", "step", "back", "view", "stop"])
def test_what_comes_before_a_program_is_loaded_leaves_nothing_behind(method: str) -> None:
    (results,) = drive([[request(method), load(CALL_7), request("run")]])
    assert results[2]["exit"]["reason"] == "host-call"


def test_a_slow_run_gets_on_where_a_block_costs_more_than_a_slice() -> None:
    source = ".code\n" + "    add_imm_64 s0, s0, 1\n" * 20 + "    trap\n"
    (results,) = drive([[load(source, "block"), request("run", pace=1000)]])
    assert results[1]["exit"]["reason"] == "panic"


def test_of_very_many_calls_the_first_are_forgotten_and_the_others_are_led_back_to() -> None:
    source = """
.code
    fallthrough
again:
    ecalli 100
    add_imm_64 s0, s0, 1
    load_imm t1, 120000
    branch_lt_u s0, t1, again
    trap
"""
    back, call = request("back", count=7), request("back", unit="call", count=3)
    run, start = request("run"), request("back", unit="start")
    (results,) = drive([[load(source), run, back, request("step", count=7), call, run, start, run]])
    end = results[1]
    assert (end["exit"]["reason"], end["registers"][5]) == ("panic", "120000")
    assert int(results[2]["gas"]) == int(end["gas"]) + 7 + UNKNOWN_GAS["0.7.2"]  # a log is among them
    assert view(results[3]) == view(end)
    assert (results[4]["exit"]["reason"], results[4]["registers"][5]) == ("host-call", "119997")
    for again in (5, 7):
        assert view(results[again]) == view(end) and results[again]["gas_used"] == end["gas_used"]
    assert view(results[6]) == view(results[0]) and not results[6]["can_back"]


def test_going_back_in_a_program_that_writes_to_600_mib() -> None:
    source = """
.code
    load_imm a0, 0x26000000
    sbrk a1, a0
    load_imm s0, 0x10000
    load_imm s1, 0x26000000
    fallthrough
page:
    store_ind_u64 [s0], s0
    add_imm_64 s0, s0, 4096
    branch_lt_u s0, s1, page
    trap
"""
    back = request("back", count=100_001)
    (results,) = drive([[load(source), request("run"), back, request("run")]])
    ended, before, again = results[1:]
    assert view(ended) == view(again)
    assert int(before["gas"]) == int(ended["gas"]) + 100_001
    assert int(before["registers"][5]) % 4096 == 0 and int(before["registers"][5]) < int(ended["registers"][5])


def test_answers_given_by_hand_are_kept_on_going_back() -> None:
    answer = request("answer", registers={7: Big(134)}, writes=[])
    start, run = request("back", unit="start"), request("run")
    (results,) = drive([[load(CALL_7), run, answer, run, start, request("later"), run, request("log"), run, run]])
    ended, at_start, later, at_call = results[3:7]
    assert ended["exit"]["reason"] == "panic" and ended["registers"][5:7] == ["135", "136"]
    assert at_start["can_forward"] and not at_start["can_back"] and at_start["furthest"] == ended["gas_used"]
    assert [call["number"] for call in later] == ["7"]
    assert view(at_call) == view(ended) and not at_call["can_forward"]
    assert results[7][0]["answer"]["registers"] == {"7": "134"}


def test_what_is_kept_of_the_future_goes_when_something_else_is_done() -> None:
    answer, other = (request("answer", registers={7: Big(value)}) for value in (134, 7))
    start, run, call = request("back", unit="start"), request("run"), request("back", unit="call")
    (results,) = drive([[load(CALL_7), run, answer, run, call, other, request("view"), run, start, run]])
    at_call, answered, _, ended, _, again = results[4:]
    assert at_call["pending"]["registers"] == {"7": "134"}
    assert not answered["can_forward"]
    assert ended["registers"][5] == again["registers"][5] == "8"
    (results,) = drive([[load(CALL_7), run, answer, run, start, request("set", registers={9: Big(1)}), run]])
    assert not results[5]["can_forward"] and results[6]["exit"]["reason"] == "host-call"
    assert results[6]["pending"] is None


@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_edits_are_made_again_where_they_were_made(metering: str) -> None:
    edit = request("set", registers={9: Big(40)})
    source = ".code\n" + "    add_imm_64 s0, s0, 1\n" * 9 + "    add_imm_64 s1, a2, 2\n    trap\n"
    steps, start, run = request("step", count=5), request("back", unit="start"), request("run")
    (results,) = drive([[load(source, metering), steps, edit, run, start, run, request("back", count=3), run]])
    assert results[3]["registers"][9] == "40" and view(results[5]) == view(results[3]) == view(results[7])


def test_back_to_a_far_breakpoint_costs_what_running_there_does() -> None:
    source = """
.code
    load_imm s0, 0
    fallthrough
once:
    load_imm t1, 3000000
    fallthrough
again:
    add_imm_64 s0, s0, 1
    branch_lt_u s0, t1, again
    trap
"""
    run, twice = request("run"), request("step", count=2)
    back = request("back", unit="breakpoint", breakpoints=[3])
    for metering in ("instruction", "block"):
        (results,) = drive([[load(source, metering), twice, run, back, run]])
        assert results[3]["pc"] == results[1]["pc"] == 3 and results[3]["registers"][5] == "0", metering
        assert view(results[4]) == view(results[2])


def test_places_of_the_line_of_time_are_gone_to() -> None:
    answer = request("answer", registers={7: Big(134)})
    run, back = request("run"), request("back", unit="start")
    requests = [load(CALL_7), run, answer, run, back, request("seek", call=0), request("timeline"), run,
                request("seek", used=Big(1)), request("seek"), request("timeline")]
    (results,) = drive([requests])
    ended, at_call, line, one, end = results[3], results[5], results[6], results[8], results[9]
    assert at_call["exit"]["reason"] == "host-call" and at_call["pending"] is not None
    assert [(call["number"], call["later"]) for call in line["calls"]] == [("7", False)]
    assert line["used"] == at_call["gas_used"] and line["furthest"] == ended["gas_used"]
    assert one["gas_used"] == "1" and view(end) == view(ended)
    assert line["ending"] == results[10]["ending"] == "panic"
