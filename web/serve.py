"""A small web server for the page, for one's own machine.

In: a folder. Out: files, with the types that browsers insist on for modules and WebAssembly. It reads nothing outside
the folder, wherever links in it lead, lists no folders and writes nothing.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pvm.errors import InputError

HOST, PORT = "127.0.0.1", 8000
_COMPRESSED = frozenset((".mjs", ".js", ".wasm", ".json", ".html", ".css", ".svg"))
_INDEX_PAGES = ("index.html", "index.htm")
_TRIED = 20  # ports after the one asked for
_TYPES = {
    ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json",
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
    ".whl": "application/octet-stream", ".zip": "application/zip", "": "application/octet-stream",
}  # fmt: skip


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = _TYPES
    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # always asked for, seldom sent again
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def send_head(self) -> Any:
        """The base class's, for paths that lie in the folder: all others are not found."""
        path = self.translate_path(self.path)
        # Files that stand for a folder are links as others are.
        if all(map(self._is_within, (path, *(os.path.join(path, page) for page in _INDEX_PAGES)))):
            return self._send_compressed(path) or super().send_head()
        self.send_error(404)
        return None

    def _send_compressed(self, path: str) -> Any:
        """A file compressed, where the browser takes that; None where it is to be sent as it is."""
        known = self.headers.get("If-Modified-Since") or self.headers.get("Range")
        accepted = "gzip" in self.headers.get("Accept-Encoding", "")
        if known or not accepted or os.path.splitext(path)[1] not in _COMPRESSED or not os.path.isfile(path):
            return None
        found = os.stat(path)
        data = _compressed(path, found.st_mtime_ns, found.st_size)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", self.date_time_string(int(found.st_mtime)))
        self.end_headers()
        return io.BytesIO(data)

    def _is_within(self, path: str) -> bool:
        """Whether a path leads to something in the folder, there or not. No name has a zero octet."""
        folder = os.path.realpath(self.directory)
        return "\0" not in path and os.path.commonpath((folder, os.path.realpath(path))) == folder

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who serves a page for themselves reads no log."""


@lru_cache(maxsize=256)
def _compressed(path: str, changed: int, size: int) -> bytes:
    """A file's content, compressed once for each state that it is in."""
    return gzip.compress(Path(path).read_bytes(), 6, mtime=0)


class Server(ThreadingHTTPServer):
    """Serves a folder."""

    daemon_threads = True
    allow_reuse_address = True

    @property
    def url(self) -> str:
        host = self.server_address[0]
        return f"http://{host if isinstance(host, str) else host.decode()}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: browsers hang up as they like."""


def server(folder: Path, port: int | None = None, host: str = HOST) -> Server:
    """A server that has its port, but does not serve yet: `port`, or else 8000 or one of those after it that is free.

    Port 0 is any that is free. Raises InputError when there is none.
    """
    if not (folder / "index.html").is_file():
        raise InputError(f"{folder}: there is no index.html in it (`pvm web build` makes one)")
    handler = partial(_Handler, directory=str(folder))
    ports = range(PORT, PORT + _TRIED) if port is None else (port,)
    for tried in ports:
        try:
            return Server((host, tried), handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or tried == ports[-1]:
                raise InputError(f"{host}:{tried}: {(error.strerror or str(error)).lower()}") from None
    raise AssertionError("there are ports")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on any free port, from a thread of its own; the URL."""
    with server(folder, 0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield running.url
        finally:
            running.shutdown()
            thread.join()
