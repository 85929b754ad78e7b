"""`pvm fuzz`, and options that do not go together."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pvm.fuzz import Case, Disagreement, format_case, parse_case, random_case
from pvm.program import assemble
from wasm_host import Engine, fuzzing
from wasm_host.cli import fuzz
from wasm_host.fuzzing import ALL, FAMILIES


class Lying(Engine):
    """An engine whose memory has another octet than it should, in programs with an `xor`."""

    def instantiate(self, program: Any, **options: Any) -> Any:  # type: ignore[override]
        machine = super().instantiate(program, **options)
        machine.memory.write(0x10000, b"\x99" if b"\xd3" in program.code else b"")
        return machine


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One engine that lies, and a current folder of the test's own."""

    def engines() -> dict[str, Any]:
        return {"liar": lambda case: Lying(case.spec, "interpreter", case.metering)}

    monkeypatch.setattr(fuzzing, "engines", engines)
    monkeypatch.setattr(fuzz, "engines", engines)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", [ALL, *FAMILIES])
def test_engines_agree(pvm: Callable[..., Any], kind: str) -> None:
    done = pvm("fuzz", "--count", 6, "--kind", kind)
    assert (done.status, done.last_line) == (0, "6 passed, 0 failed")


def test_with_workers(pvm: Callable[..., Any]) -> None:
    done = pvm("fuzz", "--count", 20, "--workers", 2)
    assert (done.status, done.last_line) == (0, "20 passed, 0 failed")


def test_json(pvm: Callable[..., Any]) -> None:
    done = pvm("fuzz", "--count", 5, "--seed", 7, "--json")
    found = json.loads(done.text)
    assert found.pop("seconds") > 0
    assert found == {
        "programs": 5, "seed": 7, "disagreements": [], "interrupted": False, "kind": "all", "next_seed": 12,
        "found": [],
    }  # fmt: skip


def test_for_some_seconds(pvm: Callable[..., Any]) -> None:
    began = time.monotonic()
    done = pvm("fuzz", "--seconds", 1, "--json")
    assert 1 <= time.monotonic() - began < 20
    found = json.loads(done.text)
    assert done.status == 0 and found["programs"] == found["next_seed"] > 0


def test_a_disagreement_is_shrunk_saved_and_repeated(pvm: Callable[..., Any], lying: None) -> None:
    done = pvm("fuzz", "--kind", "memory", "--count", 6)
    assert done.status == 1 and ".code" in done.text and "liar has 0x99 at 0x10000" in done.text
    files = sorted(Path("pvm-fuzz").iterdir())
    assert done.last_line == f"{6 - len(files)} passed, {len(files)} failed" and files
    for path in files:
        saved = json.loads(path.read_text())
        assert saved["repeat"] == f"pvm fuzz --repeat {path}" and saved["repeat"] in done.text
        assert saved["found_by"] in done.text
        assert len(parse_case(path.read_text()).program) < 16 and len(saved["assembly"]) < 8
        again = pvm(*saved["repeat"].split()[1:])
        assert again.status == 1 and "liar has 0x99 at 0x10000" in again.text
        found = json.loads(pvm(*saved["repeat"].split()[1:], "--json").text)
        assert not found["agree"] and (found["engine"], found["what"]) == ("liar", "memory")
        once_more = json.loads(pvm(*saved["found_by"].split()[1:], "--save", "", "--json").text)
        assert once_more["found"][0]["file"] is None and once_more["found"][0]["what"] == "memory"


def test_a_case_on_which_all_agree(pvm: Callable[..., Any], lying: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pvm("fuzz", "--kind", "memory", "--count", 6)
    path = sorted(Path("pvm-fuzz").iterdir())[0].resolve()
    monkeypatch.undo()
    done = pvm("fuzz", "--repeat", path)
    assert (done.status, done.text) == (0, "All engines agree.\n")


def saved_case(path: Path, **changes: Any) -> Path:
    case = replace(random_case(1), **changes)
    path.write_text(format_case(case, Disagreement("a", 0, "b", "c", "d"), "x", "y"))
    return path


def test_a_case_that_never_ends_is_given_up(pvm: Callable[..., Any], tmp_path: Path) -> None:
    program = assemble("loop: add_imm_64 r2, r2, 1\njump loop").encode()
    path = saved_case(tmp_path / "endless.json", program=program, gas=2**64 - 1, pc=0)
    done = pvm("fuzz", "--repeat", path, "--timeout", 0.2)
    assert done.status == 1 and done.text.startswith("given up after 0.2 s, at pc ")
    found = json.loads(pvm("fuzz", "--repeat", path, "--timeout", 0.2, "--json").text)
    assert found["agree"] is None and found["given_up"].startswith("given up after 0.2 s")


def test_a_file_s_text_cannot_drive_the_terminal(pvm: Callable[..., Any], lying: None, tmp_path: Path) -> None:
    program = assemble("xor r1, r2, r3").encode()
    path = saved_case(tmp_path / "case.json", program=program, gas=9, pc=0, kind="\x1b[31mred\x07\n\u202e")
    done = pvm("fuzz", "--repeat", path)
    assert done.status == 1 and "\\x1b[31mred\\x07\\n\\u202e" in done.text
    assert done.text.isascii() and "\x1b" not in done.text


def test_a_folder_that_cannot_be_made_is_known_before(bad_input: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below", "/proc/pvm"):
        bad_input(("fuzz", "--count", 6, "--save", folder), f"--save: {folder}: ")
    bad_input(("fuzz", "--seconds", "inf"), "--seconds: 'inf' is no finite number")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_a_folder_that_is_gone_when_there_is_something_to_save(
    pvm: Callable[..., Any], lying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("taken").touch()
    monkeypatch.setattr("wasm_host.cli.fuzz._check_folder", lambda folder: None)
    done = pvm("fuzz", "--kind", "memory", "--count", 6, "--save", "taken")
    assert done.status == 1 and "not saved: taken" in done.stderr and ".code" in done.text


def test_bad_files(bad_input: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text("{}")
    bad_input(("fuzz", "--repeat", path), "bad.json: ", "no object 'case'")
    bad_input(("fuzz", "--repeat", tmp_path / "none"), "cannot be read")
    bad_input(("fuzz", "--mutate", path), "bad.json: ")
    bad_input(("fuzz", "--mutate", tmp_path / "none"), "cannot be read")
    bad_input(("fuzz", "--cluster", "nonsense"), "--cluster: nonsense")


def test_other_programs_to_mutate(pvm: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "one.pvmasm").write_text("load_imm r1, 5\ntrap\n")
    done = pvm("fuzz", "--kind", "mutant", "--mutate", tmp_path, "--count", 3)
    assert (done.status, done.last_line) == (0, "3 passed, 0 failed")


def test_interrupting_keeps_the_count(pvm: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    real = fuzzing.make_case

    def interrupted(family: str, seed: int, programs: Any) -> Case:
        if seed == 3:
            raise KeyboardInterrupt
        return real(family, seed, programs)

    monkeypatch.setattr(fuzzing, "make_case", interrupted)
    done = pvm("fuzz", "--count", 100)
    assert done.status == 130
    assert done.text.splitlines() == ["interrupted; the next seed would be 3", "3 passed, 0 failed"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("isa", "--html", "x.html", "add_64"), "--html: the page has all"),
        (("isa", "--html", "x.html", "--json"), "--html: the page has all"),
        (("asm", "example:hello", "-o", ""), "the name of the output file is empty"),
        (("wat", "-o", ""), "the name of the output file is empty"),
    ],
)
def test_bad_combinations(pvm: Callable[..., Any], args: tuple[str, ...], message: str) -> None:
    done = pvm(*args)
    assert done.status == 2
    assert message in done.stderr
