"""Sessions of the fuzz protocol: the recorded ones, and messages that nobody should send."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pvm.errors import InputError
from pvm.jam.constants import TINY
from pvm.jam.steps import read_genesis, read_step
from tests.pvm.jam.archives import members
from tests.pvm.jam.traces import host
from wasm_host.cli.jam.target import from_environment
from wasm_host.node.protocol import AncestryItem, Version, decode_initialize, encode_error, encode_state
from wasm_host.node.session import Session
from wasm_host.node.target import Limits, serve

LIMITS = Limits()
HELLO = b"\0\1\2\0\0\0\0\7\2\0\1\0\4test"


def recorded(name: str) -> list[tuple[bytes, bytes]]:
    """Requests and answers of a recorded session."""
    pairs: dict[str, dict[str, bytes]] = {}
    for path, data in members(f"fuzz-proto/{name}", ".bin"):
        file = path.rsplit("/", 1)[-1]
        pairs.setdefault(file[:8], {})[file[9:15]] = data
    return [(pairs[number]["fuzzer"], pairs[number]["target"]) for number in sorted(pairs)]


@pytest.mark.parametrize("name", ["forks", "no_forks"])
def test_recorded_sessions(name: str) -> None:
    """The first 40 of 102 messages; all are for a driver through the socket."""
    session = Session(host())
    for number, (request, expected) in enumerate(recorded(name)[:40]):
        answer = session.answer(request)
        if expected[:1] in (b"\0", b"\xff"):
            assert answer[:1] == expected[:1], (number, answer)
        else:
            assert answer == expected, (number, answer)


def begun() -> tuple[Session, list[bytes], list[bytes]]:
    """A session after its first block; valid blocks that may follow in order; the roots after them."""
    files = {name.rsplit("/", 1)[-1]: data for name, data in members("blocks/safrole", ".bin")}
    genesis = read_genesis(files.pop("genesis.bin"), TINY)
    session = Session(host())
    assert session.answer(HELLO)[0] == 0
    root = session.answer(b"\1" + genesis.header + encode_state(genesis.state.entries)[1:] + b"\0")
    assert root == b"\2" + genesis.state.root
    steps = [read_step(files[name], TINY) for name in sorted(files)[:6]]
    return session, [step.block for step in steps], [step.after.root for step in steps]


def test_messages_in_the_wrong_order_or_of_no_kind_are_errors() -> None:
    session, blocks, roots = begun()
    fresh = Session(host())
    early = (b"\3" + blocks[0], b"\4" + bytes(32), b"\1")
    for message in (*early, b"", b"\2" + bytes(32), b"\5\0", b"\xff\0", b"\6", b"\0"):
        assert fresh.answer(message)[0] == 255
    assert b"version 2" in session.answer(b"\0\2" + HELLO[2:])
    assert session.answer(b"\4" + bytes(32))[0] == 255
    assert session.answer(b"\3" + blocks[0]) == b"\2" + roots[0], "errors leave the session as it was"


def test_a_state_can_be_asked_for() -> None:
    session, blocks, roots = begun()
    for block, root in zip(blocks, roots, strict=True):
        assert session.answer(b"\3" + block) == b"\2" + root
    parent = blocks[-1][:32]
    state = session.answer(b"\4" + parent)
    assert state[0] == 5
    again = decode_initialize(bytes(96) + bytes(4 + 2 + 2 + 96 + 1 + 96) + state[1:] + b"\0", TINY)
    assert len(again.entries) > 16


def test_mutated_messages_are_answered_and_change_nothing() -> None:
    """Octets flipped, cut, repeated. What is answered by a root has to be the valid block itself."""
    session, blocks, roots = begun()
    chance = random.Random(14)
    for block, root in zip(blocks[:3], roots, strict=False):
        for _ in range(150):
            message = bytearray(b"\3" + block)
            kind = chance.randrange(4)
            if kind == 0:
                message[chance.randrange(len(message))] ^= 1 << chance.randrange(8)
            elif kind == 1:
                del message[chance.randrange(len(message)) :]
            elif kind == 2:
                message += chance.randbytes(3)
            else:
                at = chance.randrange(len(message))
                message[at : at + 8] = b"\xff" * chance.randrange(12)
            answer = session.answer(bytes(message))
            assert answer[0] == 255 or message == b"\3" + block or message[:1] != b"\3", bytes(message).hex()
        assert session.answer(b"\3" + block) == b"\2" + root


def test_initialize_with_nonsense() -> None:
    session, blocks, roots = begun()
    for content in (b"", bytes(100), b"\xff" * 400):
        assert session.answer(b"\1" + content)[0] == 255
    header = bytes(96 + 4 + 2 + 2 + 96 + 1 + 96)
    twice = encode_state([(bytes(31), b"a"), (bytes(31), b"b")])[1:]
    assert b"occurs twice" in session.answer(b"\1" + header + twice + b"\0")
    assert session.answer(b"\3" + blocks[0]) == b"\2" + roots[0]
    empty = session.answer(b"\1" + header + b"\0\0")
    assert empty == b"\2" + bytes(32), "any state may be set, also one in which no block is valid"
    assert session.answer(b"\3" + blocks[0])[0] == 255


def test_ancestry_is_read() -> None:
    header = bytes(96 + 4 + 2 + 2 + 96 + 1 + 96)
    first = decode_initialize(header + b"\0" + b"\1" + (7).to_bytes(4, "little") + bytes(32), TINY)
    assert first.ancestry == (AncestryItem(7, bytes(32)),)


def test_errors_are_short() -> None:
    assert len(encode_error("é" * 1000)) <= 403
    assert Version(1, 2, 3).minor == 2


@contextmanager
def served(path: Path, sessions: int, limits: Limits = LIMITS) -> Iterator[list[str]]:
    log: list[str] = []
    is_ready = threading.Event()
    thread = threading.Thread(
        target=lambda: serve(path, host(), log.append, limits, sessions, is_ready.set), daemon=True
    )
    thread.start()
    assert is_ready.wait(30)
    yield log
    thread.join(30)
    assert not thread.is_alive()
    assert not path.exists()


def ask(path: Path, *parts: bytes) -> bytes:
    """What the target sends until it closes the connection, or until we do."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(10)
        for part in parts:
            client.sendall(part)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        received = b""
        while part := client.recv(1 << 16):
            received += part
        return received


def test_sessions_follow_each_other_whatever_became_of_the_last(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    frame = len(HELLO).to_bytes(4, "little") + HELLO
    with served(path, 4, Limits(message=1000, stall=2)) as log:
        assert ask(path, b"\1") == b"", "cut within the length"
        assert ask(path, frame[:9]) == b"", "cut within a message"
        too_long = ask(path, (5000).to_bytes(4, "little"), bytes(5000), frame)
        assert b"too long" in too_long
        assert b"pvm-wasm" in too_long, "the session goes on after it"
        assert b"pvm-wasm" in ask(path, frame)
    assert sum("is lost" in line for line in log) == 2


def test_the_socket_of_a_target_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with served(path, 1):
        ask(path)
    with pytest.raises(InputError, match="no socket there"):
        serve(tmp_path / "no" / "folder", host(), print)


def test_settings_of_containers() -> None:
    given = {
        "JAM_FUZZ": "1", "JAM_FUZZ_SPEC": "tiny", "JAM_FUZZ_DATA_PATH": "/data", "JAM_FUZZ_SOCK_PATH": "/tmp/socket",
        "JAM_FUZZ_LOG_LEVEL": "debug",
    }  # fmt: skip
    settings = from_environment(given)
    assert (settings.parameters, settings.socket, settings.is_verbose) == ("tiny", Path("/tmp/socket"), True)
    for name in ("JAM_FUZZ", "JAM_FUZZ_SPEC", "JAM_FUZZ_DATA_PATH", "JAM_FUZZ_SOCK_PATH"):
        with pytest.raises(InputError, match=name):
            from_environment({key: value for key, value in given.items() if key != name})
    with pytest.raises(InputError, match="JAM_FUZZ_SPEC"):
        from_environment({**given, "JAM_FUZZ_SPEC": "huge"})
