"""anan-as, a PVM interpreter in AssemblyScript, run by node: the engine that we compare with.

In: a folder with `node_modules` in which npm installed it. Out: `AnanAs`, which runs programs in one node process, so
that V8 optimises the engine's code once and node's start is in no figure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from pvm.errors import EngineError
from pvm.machine import Reason
from wasm_host.peers.nodejs import find_node

PACKAGE = "@fluffylabs/anan-as"
_OLDEST_NODE = 18  # which loads modules of JavaScript as the package has them
DEFAULT_BUILD = "release"  # what importing the package gives
# They differ in their memory management. Which is the fastest is measured.
BUILDS = (DEFAULT_BUILD, "release-mini", "release-stub")
WARM_UP = 3  # runs after which V8 has optimised what they run

_DRIVER = Path(__file__).with_name("anan_as.mjs")
_REASONS = {
    0: Reason.HALT, 1: Reason.PANIC, 2: Reason.PAGE_FAULT, 3: Reason.HOST_CALL, 4: Reason.OUT_OF_GAS,
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in terms that both engines have."""

    reason: Reason
    pc: int
    gas: int
    registers: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """One run. `argument` is a fault's address or a host call's number; `whole` also has the making of the machine."""

    outcome: Outcome
    argument: int
    nanoseconds: float
    whole: float


@dataclass(frozen=True)
class Installed:
    """The package where npm put it."""

    node: str
    builds: Path
    version: str

    def names(self) -> tuple[str, ...]:
        """The builds that this version ships."""
        return tuple(name for name in BUILDS if (self.builds / f"{name}.js").is_file())


class AnanAs:
    """One node process with the engine loaded; as a context, it ends the process."""

    def __init__(self, installed: Installed) -> None:
        self.installed = installed
        self._process = subprocess.Popen(
            [installed.node, str(_DRIVER), str(installed.builds), *installed.names()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True,  # Ctrl-C is for us alone
        )  # fmt: skip

    def __enter__(self) -> AnanAs:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, build: str, program: bytes, args: bytes, gas: int, pages: int) -> tuple[float, Outcome]:
        """Nanoseconds and outcome of one run of a standard program. `pages` are allocated beforehand.

        Raises EngineError when node has ended or answers nonsense.
        """
        found = self.ask(
            {"build": build, "program": program.hex(), "args": args.hex(), "gas": str(gas), "pages": pages}
        )
        return found.nanoseconds, found.outcome

    def ask(self, request: Mapping[str, Any]) -> Answer:
        """The answer to a request (`anan_as.mjs`). Raises EngineError as `run` does."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            outcome = Outcome(
                _REASONS[answer["status"]], answer["pc"], int(answer["gas"]), tuple(map(int, answer["registers"]))
            )
            return Answer(outcome, int(answer["argument"]), float(answer["ns"]), float(answer["whole"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineError(f"anan-as: no usable answer from node ({type(error).__name__})") from error


def node() -> Path | str:
    """What runs it, or why there is none."""
    return find_node(_OLDEST_NODE)


def find_installed(folder: Path | None) -> Installed | str:
    """The package in a folder with `node_modules` (None: where `install` puts it), or why there is none."""
    command = node()
    if isinstance(command, str):
        return command
    place = folder or cache_folder()
    package = place / "node_modules" / PACKAGE
    try:
        version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError):
        hint = "" if folder else "; --install-anan-as gets it from npm, --anan-as DIR names a folder that has it"
        return f"{PACKAGE} is not in {place / 'node_modules'}{hint}"
    installed = Installed(str(command), package / "dist" / "build", str(version))
    return installed if installed.names() else f"{PACKAGE} {version} has none of the builds {', '.join(BUILDS)}"


def install() -> None:
    """Have npm put the package into the cache folder. Raises EngineError when that fails."""
    npm = shutil.which("npm")
    if npm is None:
        raise EngineError(f"{PACKAGE} cannot be installed: npm is not installed")
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"npm install {PACKAGE}: {done.stderr.strip()[-300:]}")


def cache_folder() -> Path:
    """Where `install` puts the package, among the user's caches."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(caches) / "pvm-wasm" / "anan-as"
