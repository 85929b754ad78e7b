"""Host calls of a machine that runs elsewhere: what is asked for, answers that are kept, forgotten and taken back."""

from __future__ import annotations

import pytest

from pvm import Reason
from pvm.errors import ResourceError
from pvm.examples.services import service_source
from pvm.jam import live
from pvm.jam.invocations import Accumulating, Prepared
from pvm.jam.live import Call, Live, Seen, Unknown
from pvm.jam.testing import World

KEY, VALUE, RIGHTS = 0x20000, 0x20100, ((0x20000, 0x2000, "rw"), (0x30000, 0x1000, "r"))
WRITE, LOG, GAS = 4, 100, 0


def invocation() -> Live:
    world = World()
    service = world.deploy(service_source("key_value"))
    arguments = Accumulating(world.constants, world.state, 100, service.id, 1000, (), bytes(32))

    def prepared() -> Prepared:
        found = arguments.prepare("0.7.2")
        assert isinstance(found, Prepared)
        return found

    return Live(prepared, "0.7.2")


def write(key: bytes, gas: int = 500) -> Call:
    registers = (0, 0, 0, 0, 0, 0, 0, KEY, len(key), VALUE, 1, 0, 0)
    return Call(WRITE, registers, gas, RIGHTS, ((KEY, key), (VALUE, b"v")))


def stored(live: Live, index: int) -> list[bytes]:
    live.go_to(index)
    context = live.context
    return [key for key in (b"a", b"b", b"c") if context.accounts.storage(context.service, key)]


def test_a_call_asks_for_the_octets_that_it_needs_and_changes_nothing_before() -> None:
    invoked, whole = invocation(), write(b"a")
    for pieces, at in [((), KEY), (whole.pieces[:1], VALUE)]:
        with pytest.raises(Unknown) as asked:
            invoked.answer(0, Call(WRITE, whole.registers, 500, RIGHTS, pieces))
        assert asked.value.address == at and stored(invoked, 1) == []
    assert invoked.answer(0, whole).gas == 490
    assert stored(invoked, 1) == [b"a"]


def test_calls_are_taken_back_and_repeated() -> None:
    invoked = invocation()
    for index, key in enumerate((b"a", b"b", b"c")):
        invoked.answer(index, write(key))
    assert [stored(invoked, index) for index in (3, 1, 0, 2)] == [[b"a", b"b", b"c"], [b"a"], [], [b"a", b"b"]]
    assert invoked.answer(0, write(b"a")).gas == 490 and stored(invoked, 3) == [b"a", b"b", b"c"], "the same: it stays"
    invoked.answer(1, write(b"c"))
    assert stored(invoked, 3) == [b"a", b"c"], "another: what came after is gone"
    invoked.forget(0)
    assert stored(invoked, 3) == []


def test_calls_that_end_the_run_and_unknown_ones() -> None:
    invoked = invocation()
    assert invoked.answer(0, write(b"a", gas=9)).end is Reason.OUT_OF_GAS
    registers = (0,) * 7 + (0x40000, 1, VALUE, 1, 0, 0)
    assert invoked.answer(0, Call(WRITE, registers, 500, RIGHTS)).end is Reason.PANIC
    assert invoked.answer(0, Call(77, (0,) * 13, 500, RIGHTS)).registers == {7: 2**64 - 2}
    assert invoked.answer(0, Call(GAS, (0,) * 13, 500, RIGHTS)).registers == {7: 490}


def test_rights_are_those_of_ranges() -> None:
    memory = Seen(RIGHTS, ())
    for address, length, can_read, can_write in [
        (0x20000, 0x2000, True, True), (0x21FFF, 2, False, False), (0x30000, 0x1000, True, False), (0, 1, False, False),
        (0x30FFF, 2, False, False), (0x20000, 2**64, False, False), (0x50000, 0, True, True),
    ]:  # fmt: skip
        assert (memory.is_readable(address, length), memory.is_writable(address, length)) == (can_read, can_write)
    assert [memory.access(address) for address in (0x1FFFF, 0x20000, 0x30FFF, 0x31000)] == [None, "rw", "r", None]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_KEPT", 100)
    invoked = invocation()
    invoked.answer(0, write(b"a"))
    invoked.answer(1, write(b"b"))
    with pytest.raises(ResourceError, match="not kept"):
        invoked.answer(2, write(b"c"))
