"""Cryptography that believes what is signed: blocks can be made up, and are refused for what they say alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from pvm.jam.block import Block, Header
from pvm.jam.codec import encode
from pvm.jam.constants import TINY, Constants
from pvm.jam.header import Received, receive
from pvm.jam.state import State
from pvm.jam.transition import Host
from tests.pvm.jam.traces import native_crypto
from wasm_host.engine import Engine
from wasm_host.node.crypto import NativeCrypto


class Credulous:
    """Real hashes and rings, and every signature is good."""

    def __init__(self, real: NativeCrypto) -> None:
        self.keccak, self.ring, self.beside = real.keccak, real.ring, real.beside

    def ed25519_verify(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """True."""
        return True

    def vrf_verify(self, key: bytes, vrf_input: bytes, message: bytes, signature: bytes) -> bool:
        """True."""
        return True


@cache
def host() -> Host:
    """Parameters "tiny", an engine, and cryptography that believes."""
    return Host(TINY, Credulous(native_crypto()), Engine())


def received(state: State, block: Block | bytes, constants: Constants = TINY) -> Received:
    """A block on a state, whose commitments are put right. Raises CodecError for octets that are no block."""
    made = receive(block if isinstance(block, bytes) else encode(block, constants), constants)
    header: Header = replace(made.block.header, extrinsic_hash=made.extrinsic_hash, parent_state_root=state.root)
    return replace(made, block=replace(made.block, header=header))
