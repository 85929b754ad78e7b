"""What the README and the documents beside the code say is true: code runs, commands and places exist, figures hold."""

from __future__ import annotations

import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pvm.isa import GP_072, GP_080
from pvm.program import assemble, disassemble
from wasm_host import Engine
from wasm_host.cli import cli
from wasm_host.cli.reference import reference

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
COMMANDS = ROOT / "wasm_host" / "cli" / "COMMANDS.md"
DOCUMENTS = sorted([
    *ROOT.glob("*.md"), *(path for part in ("pvm", "wasm_host", "web", "tests") for path in (ROOT / part).rglob("*.md"))
])  # fmt: skip
MOST_WORDS = 1200  # of the README


IN_PYODIDE = "pvm_web.host"  # imports what there is in Pyodide alone
ENDINGS = (".h", ".py", ".jam", ".mjs")  # of files: `pvm.h`


def blocks(language: str, document: Path = README) -> list[str]:
    found = re.findall(r"```(\w+)\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    return [text for kind, text in found if kind == language]


def title(document: Path) -> str:
    return str(document.relative_to(ROOT))


PYTHON = [
    pytest.param(source, id=f"{title(document)}-{number}")
    for document in DOCUMENTS
    for number, source in enumerate(blocks("python", document))
]


@pytest.mark.parametrize("source", PYTHON)
def test_python_examples_run(source: str) -> None:
    subprocess.run([sys.executable, "-c", source], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_the_readme_is_short() -> None:
    assert len(TEXT.split()) <= MOST_WORDS


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_links_lead_somewhere(document: Path) -> None:
    """To files that exist, and to headings of theirs."""
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w-]", "", text.lower().replace(" ", "-")) for text in headings], link


def test_the_command_reference_is_what_the_commands_say() -> None:
    assert COMMANDS.read_text(encoding="utf-8") == reference(), (
        "python -m wasm_host.cli.reference > wasm_host/cli/COMMANDS.md"
    )


def test_the_assembly_example_assembles_runs_and_round_trips() -> None:
    [source] = blocks("asm", ROOT / "pvm" / "program" / "ASSEMBLY.md")
    program = assemble(source)
    machine = Engine().instantiate(program, args=bytes(range(10)))
    machine.run()
    assert machine.result() == (1000 + 45).to_bytes(8, "little")
    assert assemble(disassemble(program)) == program


def test_ci_runs_the_readme_s_test_command() -> None:
    commands = [text.strip() for text in blocks("sh")]
    assert commands[0].endswith("pvm demo")
    assert commands[1].endswith("-m pytest")
    assert commands[1] in (ROOT / ".ci/run").read_text()


def test_every_command_is_listed_with_the_first_paragraph_of_its_help() -> None:
    listed = re.findall(r"^\| `pvm (\w+)` \| (.*?) \|$", TEXT, re.MULTILINE)
    assert listed == [
        (name, " ".join((command.help or "").split("\n\n")[0].split())) for name, command in cli.commands.items()
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_command_lines_parse(document: Path) -> None:
    for line in "\n".join(blocks("sh", document)).splitlines():
        words = shlex.split(line.partition(" > ")[0])
        if words[:1] == ["pvm"]:
            command = cli.commands[words[1]]
            command.make_context(words[1], words[2:], resilient_parsing=False)


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_places_exist(document: Path) -> None:
    for place in places(document):
        assert (ROOT / place).exists(), place


def places(document: Path) -> list[str]:
    text = document.read_text(encoding="utf-8")
    return re.findall(r"^\| `((?:pvm|wasm_host|web|tests)[\w/.]*)` \|", text, re.MULTILINE)


def test_names_exist() -> None:
    """Those of ours with dots, in documents and sources alike: `pvm.program.decode`, `wasm_host.Engine`."""
    wanted = re.compile(r"`((?:pvm|wasm_host|pvm_web)(?:\.[A-Za-z_]+)+)[`(]")
    sources = [path for package in ("pvm", "wasm_host", "web") for path in (ROOT / package).rglob("*.py")]
    missing = {
        f"{title(path)}: {name}"
        for path in (*DOCUMENTS, *sources) for name in wanted.findall(path.read_text(encoding="utf-8"))
        if not name.startswith(IN_PYODIDE) and not name.endswith(ENDINGS) and not is_there(name)
    }  # fmt: skip
    assert not missing


def is_there(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        owner, _, last = name.rpartition(".")
        return last in getattr(pkgutil.resolve_name(owner), "__annotations__", {}) if is_there(owner) else False
    return True


@pytest.mark.parametrize(("document", "folder"), [("pvm/README.md", "pvm"), ("wasm_host/README.md", "wasm_host")])
def test_all_folders_are_named(document: str, folder: str) -> None:
    """And of `pvm` the modules that lie in no other folder."""
    parts = {
        title(path)
        for path in (ROOT / folder).iterdir()
        if (folder == "pvm" or path.is_dir()) and not path.name.startswith("_")
        if path.name not in ("errors.py", "version.py", "py.typed", "README.md")
    }
    assert parts <= set(places(ROOT / document))


def test_the_demo_s_table_is_what_demo_prints() -> None:
    """Times aside."""
    printed = subprocess.run(
        [sys.executable, "-c", "from wasm_host.cli import main; main(['demo'])"],
        capture_output=True, text=True, check=True, cwd=ROOT,
        env={"COLUMNS": "100", "PYTHONIOENCODING": "utf-8", "PVM_CACHE_DIR": ""},
    ).stdout  # fmt: skip
    [table] = [text for text in blocks("text") if text.startswith("Program ")]
    for line in table.splitlines()[2:]:
        known = re.split(r"\s{2,}", line.strip())
        name, result, gas = known[0], known[2], known[3].split()[0]
        [row] = [row for row in printed.splitlines() if row.startswith(f"{name} ")]
        assert result in row
        assert f" {gas} " in row


def test_figures_of_the_instruction_set() -> None:
    assert "139 instructions" in TEXT
    assert len(GP_072.rows) == len(GP_080.rows) == 139


def test_exit_statuses_are_those_of_the_command_line() -> None:
    statuses = re.findall(r"^\s+(\d+)\s", cli.help or "", re.MULTILINE)
    sentence = re.search(r"The exit status is (.+?)\.\s", TEXT, re.DOTALL)
    assert sentence and statuses and re.findall(r"\b(\d+) (?:for|after)\b", sentence[1]) == statuses
