"""Our wheel for Pyodide: a pure wheel of `pvm` and what `pvm_web` needs in the browser.

In: the packages as they are installed. Out: the wheel's name and bytes, the same from the same files. It is a zip of
the packages with the metadata that the format asks for (PEP 427); hatchling would take the project's source for that,
which an installed `pvm` no longer has. Bytecode is left out: it would belong to one Python, Pyodide's.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pvm
from pvm.version import __version__

NAME = f"pvm_wasm-{__version__}-py3-none-any.whl"

_INFO = f"pvm_wasm-{__version__}.dist-info"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say
_SUFFIXES = (".py", ".pvmasm", ".typed")
_SCRIPTS = ("shared/host.mjs", "shared/memory.mjs")  # what `pvm_web.host` is made of where no page has loaded it
_HOST_ONLY = ("build.py", "serve.py", "wheel.py", "pyodide.py", "isa_page.py")  # they need more than Python


def wheel_bytes() -> bytes:
    """The wheel."""
    files = dict(sorted(_files()))
    files[f"{_INFO}/METADATA"] = f"Metadata-Version: 2.1\nName: pvm-wasm\nVersion: {__version__}\n".encode()
    files[f"{_INFO}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: pvm-wasm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{_INFO}/RECORD"] = f"{record}{_INFO}/RECORD,,\n".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, data, compresslevel=9)
    return out.getvalue()


def _files() -> Iterator[tuple[str, bytes]]:
    """Names in the wheel and contents."""
    web = Path(__file__).parent
    yield from _package(Path(pvm.__file__).parent, "pvm")
    yield from _package(web / "bridge", "pvm_web/bridge")
    for name in _SCRIPTS:
        yield f"pvm_web/page/{name}", (web / "page" / name).read_bytes()
    for path in web.glob("*.py"):
        if path.name not in _HOST_ONLY:
            yield f"pvm_web/{path.name}", path.read_bytes()


def _package(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in _SUFFIXES:
            yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
