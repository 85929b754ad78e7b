"""Compiled code before it is needed: services of a state are asked for, whatever their code is."""

from __future__ import annotations

import time

from pvm.jam.accounts import Account, Accounts, with_metadata
from pvm.jam.constants import TINY
from pvm.jam.hashing import blake2b
from pvm.jam.state import State, state_of
from pvm.jam.state_keys import preimage_key
from pvm.program import Program, assemble
from pvm.program.standard import Sections
from pvm.reference import ReferenceEngine
from wasm_host.engine import Engine
from wasm_host.node.ready import request_new_services, request_services, warm_up


def test_services_are_translated_before_they_run() -> None:
    plain = assemble("load_imm r7, 0\njump_ind r0")
    program = Program(plain.blob, Sections(b"", b"", 0, 4096))
    accounts = Accounts({})
    for service, code in ((1, with_metadata(program.encode())), (2, b"no code"), (3, b"")):
        accounts.set_account(service, Account(blake2b(code), 0))
        accounts.set(preimage_key(service, blake2b(code)), code)
    accounts.set_account(4, Account(bytes(32), 0))
    state = state_of(((key, value) for key, value in accounts.changes().items() if value is not None), TINY)
    engine = Engine(cache=False)
    warm_up(engine)
    request_services(engine, state)
    end = time.monotonic() + 30
    while not _is_there(engine, program) and time.monotonic() < end:
        time.sleep(0.01)
    assert _is_there(engine, program)
    request_services(ReferenceEngine(), state)


def test_code_that_a_block_brings_is_translated_once_it_is_there() -> None:
    """With a new service, with other code of an old one, or as the preimage of one that had none."""
    engine, asked = Engine(cache=False), list[Program]()
    engine.request = asked.append  # type: ignore[method-assign]
    programs = [Program(assemble(f"load_imm r7, {n}\njump_ind r0").blob, Sections(b"", b"", 0, 4096)) for n in range(4)]
    codes = [with_metadata(program.encode()) for program in programs]

    def state(services: dict[int, int], preimages: dict[int, int], balance: int = 0) -> State:
        accounts = Accounts({})
        for service, number in services.items():
            accounts.set_account(service, Account(blake2b(codes[number]), balance))
        for service, number in preimages.items():
            accounts.set(preimage_key(service, blake2b(codes[number])), codes[number])
        return state_of(((key, value) for key, value in accounts.changes().items() if value is not None), TINY)

    first = state({1: 0, 2: 1}, {1: 0})
    for after, expected in (
        (state({1: 0, 2: 1}, {1: 0}, 5), []),
        (state({1: 0, 2: 1}, {1: 0, 2: 1}), [1]),
        (state({1: 0, 2: 1, 3: 2}, {1: 0, 3: 2}), [2]),
        (state({1: 3, 2: 1}, {1: 3}), [3]),
        (state({2: 1}, {}), []),
    ):
        asked.clear()
        request_new_services(engine, first, after)
        assert [program.encoded_blob for program in asked] == [programs[number].encoded_blob for number in expected]


def _is_there(engine: Engine, program: Program) -> bool:
    """Whether a machine is translated from its start."""
    translations = engine._translations[engine._mode()]
    found = translations.found(program)
    return found is not None and found.compiled is not None
