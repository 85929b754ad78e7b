"""The target of the fuzz protocol: a Unix socket, one session after another.

In: a path, a host. Out: answers. A bug of ours closes the connection, and the next session begins clean.
"""

from __future__ import annotations

import gc
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from select import select

from pvm.errors import InputError
from pvm.jam.transition import Host
from wasm_host.node.protocol import encode_error
from wasm_host.node.session import Session

_CHUNK = 1 << 20  # octets read at once
# Blocks leave hardly any cycles behind (6 objects each), and looking for them takes longer than a block: it is done
# after so many messages once there is a pause, and without one after as many as the second number.
_COLLECT_AFTER, _COLLECT_AT_LAST = 64, 4096
_PAUSE = 0.02  # seconds

Log = Callable[[str], object]


@dataclass(frozen=True)
class Limits:
    """Of one message: octets, and seconds without any of the next octets once it has begun."""

    message: int = 64 << 20
    stall: float = 60.0


def serve(
    path: Path, host: Host, log: Log, limits: Limits = Limits(), sessions: int | None = None,
    ready: Callable[[], object] = lambda: None,
) -> None:  # fmt: skip
    """Serve sessions at a socket, which is made and taken away again, until interrupted or after `sessions`.

    Raises InputError where there cannot be a socket.
    """
    listener = _listen(path)
    try:
        ready()
        while sessions is None or sessions > 0:
            connection, _ = listener.accept()
            log("session begins")
            with connection:
                _serve_session(connection, host, log, limits)
            log("session ends")
            sessions = None if sessions is None else sessions - 1
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()  # of a target that was killed
        before = os.umask(0o077)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen()
    except (OSError, ValueError) as error:
        listener.close()
        raise InputError(f"{path}: no socket there: {error}") from None
    return listener


def _serve_session(connection: socket.socket, host: Host, log: Log, limits: Limits) -> None:
    """Answer messages until the other side closes the connection. What fails within us is logged, and ends it."""
    session, count, collected = Session(host), 0, 0
    gc.disable()
    try:
        while True:
            since = count - collected
            if since >= _COLLECT_AT_LAST or (since >= _COLLECT_AFTER and not select((connection,), (), (), _PAUSE)[0]):
                gc.collect()
                collected = count
            connection.settimeout(None)
            first = connection.recv(4)
            if not first:
                return
            connection.settimeout(limits.stall)
            size = int.from_bytes(first + _read(connection, 4 - len(first)), "little")
            if size > limits.message:
                _skip(connection, size)
                answer = encode_error(f"a message of {size} octets is too long: {limits.message} are taken")
            else:
                answer = session.answer(_read(connection, size))
            connection.sendall(len(answer).to_bytes(4, "little") + answer)
            log(f"message {count}: {_described(answer)}")
            count += 1
    except (OSError, EOFError) as error:
        log(f"the connection is lost: {error}")
    except Exception as error:
        log(f"a bug of ours: {type(error).__name__}: {error}")
    finally:
        gc.enable()


def _read(connection: socket.socket, size: int) -> bytes:
    """So many octets. Memory grows with what comes, not with what was announced. Raises EOFError at the end."""
    parts, left = [], size
    while left:
        part = connection.recv(min(left, _CHUNK))
        if not part:
            raise EOFError("it ends within a message")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _skip(connection: socket.socket, size: int) -> None:
    while size:
        part = connection.recv(min(size, _CHUNK))
        if not part:
            raise EOFError("it ends within a message")
        size -= len(part)


def _described(answer: bytes) -> str:
    if answer[:1] == b"\xff":
        return "error " + answer[2:].decode("utf-8", "replace")
    return f"kind {answer[0]}, {len(answer)} octets" + (f", root {answer[1:9].hex()}…" if answer[0] == 2 else "")
