"""`pvm trace diff`."""

from __future__ import annotations

import json

import pytest

from pvm.trace.lines import FIELDS, records


@pytest.fixture
def traces(pvm, tmp_path):
    """A trace, and the same with the value of a register changed."""
    ours, theirs = tmp_path / "ours.txt", tmp_path / "theirs.txt"
    assert pvm("run", "example:hello", "--trace", ours, "--trace-memory").status == 0
    lines = ours.read_text().splitlines()
    lines[20] = lines[20].replace("r08=0x5", "r08=0x6")
    theirs.write_text("\n".join(lines))
    return ours, theirs


def test_the_difference_is_shown(pvm, traces):
    ours, theirs = traces
    found = pvm("trace", "diff", ours, theirs)
    assert found.status == 1 and found.stderr == ""
    lines = found.text.splitlines()
    assert lines[0] == "r8 differs" and lines[1].startswith("at pc ")
    for part in ("line 21: 5", "line 21: 6", "before it: 19 instructions"):
        assert any(part in line for line in lines), part
    assert sum(line.startswith("  pc=") for line in lines) == 3
    assert [line[:5] for line in lines if line[:2] in ("- ", "+ ")] == ["- pc=", "+ pc="]
    assert pvm("trace", "diff", ours, theirs, "--ignore", "r8").status == 0
    lines = pvm("trace", "diff", ours, theirs, "--context", 7).text.splitlines()
    assert sum(line.startswith("  ") for line in lines) == 7


def test_json(pvm, traces):
    ours, theirs = traces
    found = pvm("trace", "diff", ours, theirs, "--json")
    report = json.loads(found.text)
    assert found.status == 1 and report["same"] is False
    assert set(report) == {"same", "difference", "compared", "left_out", "fields"}
    difference = report["difference"]
    assert (difference["field"], difference["first"]["line"], difference["second"]["value"]) == ("r8", 21, 6)
    same = pvm("trace", "diff", ours, "-", "--json", stdin=ours.read_bytes())
    report = json.loads(same.text)
    assert same.status == 0 and report["same"] is True and report["difference"] is None
    assert report["compared"] == {"start": 1, "instruction": 41, "host call": 1, "end": 1}


def test_fields_and_files_that_do_not_exist(pvm, bad_input, traces, tmp_path):
    ours, theirs = traces
    bad_input(("trace", "diff", ours, theirs, "--ignore", "gsa"), "no line has a field 'gsa': did you mean gas?")
    bad_input(("trace", "diff", ours, theirs, "--ignore", "xyz"), "no line has a field 'xyz': there are pc, name")
    assert pvm("trace", "diff", ours, theirs, "--ignore", "load 2", "--ignore", "r8").status == 0
    bad_input(("trace", "diff", ours, tmp_path / "their.txt"), "error: " + str(tmp_path / "their.txt: cannot be read"))
    bad_input(("trace", "diff", ours, tmp_path / "their.txt"), "did you mean theirs.txt?")


def test_every_field_is_known(pvm, traces, tmp_path):
    record = tmp_path / "record.log"
    pvm("run", "example:hello", "--record", record)
    for path in (traces[0], record):
        for one in records(path.read_text().splitlines()):
            assert {name.removesuffix(" 2") for name in one.fields} <= set(FIELDS)


def test_a_trace_that_ends_early(pvm, traces, tmp_path):
    ours, _ = traces
    part = tmp_path / "part.txt"
    part.write_text("\n".join(ours.read_text().splitlines()[:10]))
    found = pvm("trace", "diff", ours, part)
    assert found.status == 1 and found.text.startswith("B ends where A goes on: so far they are the same\n")
    found = pvm("trace", "diff", part, ours)
    assert found.text.startswith("A ends where B goes on")


def test_other_steps_of_the_same_service(pvm, shared):
    """Two recorded runs differ at once: in their arguments."""
    one, other = (shared / f"traces/ecalli/trace-00{number}.log" for number in (1, 3))
    found = pvm("trace", "diff", one, other)
    assert found.status == 1 and found.text.startswith("memory differs\n")
    assert pvm("trace", "diff", one, one).status == 2
    assert pvm("trace", "diff", one, f"{one.parent}/../ecalli/{one.name}").status == 0


def test_bad_input(bad_input, traces, tmp_path):
    ours, _ = traces
    empty, broken, binary = tmp_path / "empty", tmp_path / "broken", tmp_path / "binary"
    empty.write_text("no trace\n")
    broken.write_text("ecalli=1 pc=x gas=5\n")
    binary.write_bytes(bytes(range(256)) * 100)
    bad_input(("trace", "diff", ours, empty), "empty: no trace")
    bad_input(("trace", "diff", ours, binary), "binary: no trace")
    bad_input(("trace", "diff", broken, ours), "broken: line 1: malformed")
    bad_input(("trace", "diff", ours, tmp_path / "nowhere"), "nowhere: cannot be read: no such file")
    bad_input(("trace", "diff", ours, tmp_path), "cannot be read: is a directory")
    bad_input(("trace", "diff", ours, ours), "B: it is the same file as A")
    bad_input(("trace", "diff", "-", "-"), "B: standard input is A already")
