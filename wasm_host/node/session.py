"""A session of the fuzz protocol: what the target answers to each message.

In: a message. Out: its answer. Whatever is wrong with a message is an Error, and leaves the session as it was.
"""

from __future__ import annotations

from pvm.errors import InputError
from pvm.jam.chain import Chain
from pvm.jam.hashing import blake2b
from pvm.jam.state import state_of
from pvm.jam.transition import Host
from pvm.version import __version__
from wasm_host.node import protocol
from wasm_host.node.protocol import ANCESTRY, FORKS, PeerInfo, Version
from wasm_host.node.ready import request_new_services, request_services

FEATURES = ANCESTRY | FORKS
NAME = b"pvm-wasm"
JAM_VERSION = Version(0, 7, 2)


class Session:
    """What one fuzzer has told. Made anew for each connection."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._features: int | None = None
        self._chain: Chain | None = None

    def answer(self, message: bytes) -> bytes:
        """The answer to a message. Raises nothing that a stranger causes."""
        try:
            return self._answered(message)
        except InputError as error:
            return protocol.encode_error(str(error))

    def _answered(self, message: bytes) -> bytes:
        kind, content = message[:1], message[1:]
        if kind == bytes((protocol.IMPORT_BLOCK,)):
            return self._import_block(content)
        if kind == bytes((protocol.PEER_INFO,)):
            return self._peer_info(content)
        if kind == bytes((protocol.INITIALIZE,)):
            return self._initialize(content)
        if kind == bytes((protocol.GET_STATE,)):
            return self._get_state(content)
        raise InputError(f"no request has the kind {message[0]}" if message else "an empty message")

    def _peer_info(self, content: bytes) -> bytes:
        info = protocol.decode_peer_info(content, self._host.constants)
        if info.fuzz_version != protocol.VERSION:
            raise InputError(f"version {info.fuzz_version} of the protocol is not known, only {protocol.VERSION}")
        self._features = info.fuzz_features & FEATURES
        mine = PeerInfo(protocol.VERSION, FEATURES, JAM_VERSION, own_version(__version__), NAME)
        return protocol.encode_peer_info(mine, self._host.constants)

    def _initialize(self, content: bytes) -> bytes:
        first = protocol.decode_initialize(content, self._host.constants)
        ancestry = None
        if (self._features or 0) & ANCESTRY:
            ancestry = [(item.slot, item.header_hash) for item in first.ancestry]
        state = state_of(first.entries, self._host.constants)
        self._chain = Chain(self._host, blake2b(first.header), first.slot, state, ancestry)
        self._chain.prepare()
        request_services(self._host.engine, state)
        return protocol.encode_state_root(state.root)

    def _import_block(self, content: bytes) -> bytes:
        chain = self._known_chain()
        before, after = chain.state(content[:32]), chain.import_block(content).state
        if before is not None:
            request_new_services(self._host.engine, before, after)
        return protocol.encode_state_root(after.root)

    def _get_state(self, content: bytes) -> bytes:
        state = self._known_chain().state(content)
        if state is None:
            raise InputError(f"no state is known after the header {content[:32].hex()}")
        return protocol.encode_state(state.items())

    def _known_chain(self) -> Chain:
        if self._chain is None:
            raise InputError("there is no state yet: Initialize comes first")
        return self._chain


def own_version(text: str) -> Version:
    """Three numbers of a version such as "1.2.3"."""
    numbers = [int(part) if part.isdigit() else 0 for part in text.split(".")[:3]]
    return Version(*(min(number, 255) for number in (*numbers, 0, 0, 0)[:3]))
