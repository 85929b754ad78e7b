"""The fuzzer's side of the fuzz protocol: drives any target at a Unix socket, and takes the time of its answers.

In: a socket's path. Out: answers with seconds. What a target sends is as little trusted as what a fuzzer sends.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from pvm.errors import InputError
from pvm.jam.constants import Constants
from pvm.version import __version__
from wasm_host.node import protocol
from wasm_host.node.protocol import PeerInfo
from wasm_host.node.session import JAM_VERSION, own_version

_LONGEST = 1 << 28  # octets of an answer
_PATIENCE = 120.0  # seconds


class Client:
    """A connection to a target, on which the two have said who they are. A context that closes it.

    Raises InputError where there is no target, or it answers otherwise than the protocol says.
    """

    def __init__(self, path: Path, constants: Constants, features: int = protocol.FORKS) -> None:
        self._constants, self._path = constants, path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise InputError(f"{path}: no target there: {error}") from None
        hello = PeerInfo(protocol.VERSION, features, JAM_VERSION, own_version(__version__), b"pvm-wasm-driver")
        answer, _ = self.ask(protocol.encode_peer_info(hello, constants))
        if answer[:1] != bytes((protocol.PEER_INFO,)):
            raise InputError(f"{path}: the target does not say who it is")
        self.peer = protocol.decode_peer_info(answer[1:], constants)

    @property
    def name(self) -> str:
        """The target's name and version."""
        version = self.peer.app_version
        name = self.peer.app_name.decode("utf-8", "replace")[:40]
        return f"{name} {version.major}.{version.minor}.{version.patch}"

    def ask(self, message: bytes) -> tuple[bytes, float]:
        """The answer to a message, and the seconds until it was there."""
        start = time.perf_counter()
        try:
            self._socket.sendall(len(message).to_bytes(4, "little") + message)
            size = int.from_bytes(self._read(4), "little")
            if not 0 < size <= _LONGEST:
                raise InputError(f"{self._path}: the target announces an answer of {size} octets")
            answer = self._read(size)
        except OSError as error:
            raise InputError(f"{self._path}: the target is lost: {error}") from None
        return answer, time.perf_counter() - start

    def initialize(self, header: bytes, entries: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Set a header and the state after it; the root that the target answers. Raises InputError for an Error."""
        state = protocol.encode_state(entries)[1:]
        answer, _ = self.ask(bytes((protocol.INITIALIZE,)) + header + state + b"\0")
        if answer[:1] != bytes((protocol.STATE_ROOT,)):
            raise InputError(f"{self._path}: the target does not take the state")
        return answer[1:]

    def import_block(self, block: bytes) -> tuple[bytes | None, float]:
        """The root after a block, None if the target refuses it, and seconds."""
        answer, seconds = self.ask(bytes((protocol.IMPORT_BLOCK,)) + block)
        return (answer[1:] if answer[:1] == bytes((protocol.STATE_ROOT,)) else None), seconds

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._socket.recv(min(size, 1 << 20))
            if not part:
                raise InputError(f"{self._path}: the target has closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()
