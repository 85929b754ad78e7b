"""The pipeline gas model as WebAssembly: what the interpreter's decoded blocks cost (0.8.0, A.9).

In: the decoded records, whose jumps still have their targets as pcs, and the table LATENCIES of `pvm.abi`. Out: the
function `costs`: (), which puts into every record's charge the cost of the block that it lies in. It is
`pvm.gas.schedule.schedule` with sets of instructions as bits of an i32: at most 32 are in the reorder buffer.

Instructions are numbered on and on, and number & 31 is their place in the buffer. What has a number below that of the
oldest one in the buffer has retired, so that nothing is cleared between blocks.
"""

from __future__ import annotations

from functools import cache

from pvm import abi
from pvm.abi import LATENCIES, RECORD
from pvm.emit.state import ENGINE, get_state
from pvm.gas.latencies import BRANCH_CYCLES, UNLIKELY_BRANCH_CYCLES, Latency, latency_of, sources_of
from pvm.gas.pipeline import BUFFER, DECODE_SLOTS, SLACK, STARTS
from pvm.gas.schedule import ALL_UNITS, GUARDS, RETIRES_AFTER, packed_units
from pvm.isa.spec import Spec
from pvm.isa.table import Row
from pvm.program.decode import TRAP
from pvm.wasm import Function
from pvm.wasm.code import block, br, br_if, loop
from pvm.wasm.values import Draft, Linear, Value, Variable, both, choose, either, sequence, value_of, when, while_

NAMES: tuple[str, ...] = ("costs",)

# A row of LATENCIES: cycles (0: a branch), slots, slots where the destination is one of the sources, flags; units in 3
# bytes; where in a record the destination is, 0 for none.
_CYCLES, _SLOTS, _OVERLAPPING, _FLAGS, _UNITS, _DESTINATION = 0, 1, 2, 3, 4, 7
_FIELDS = ("a", "b", "d")  # a flag each: it is a source; 3 above: it counts for overlapping
_RENAMES, _RARE = 1 << 6, 1 << 7
_UNITS_MASK = (1 << 20) - 1

# An entry of the reorder buffer, of 32 bytes: the cycle from which it is done (its cycles, until it begins), its
# units, those that wait for it, as bits, and for how many it waits itself.
_ENTRY_BITS = 5
_DONE, _OWN_UNITS, _WAITERS, _WAITS, _OWN_CYCLES = 0, 4, 8, 12, 16
_NEVER = 0x7FFFFFFF
_PLACE = BUFFER - 1

_engine = Linear(ENGINE)


@cache
def latency_table(spec: Spec) -> bytes:
    """The table LATENCIES of a version: 8 bytes an opcode. An invalid opcode is a trap, but no branch looks for it."""
    return b"".join(_entry(row or TRAP, spec, rare=row is not None) for row in spec.by_opcode)


def _entry(row: Row, spec: Spec, rare: bool) -> bytes:
    latency = latency_of(row)
    sources = sources_of(row, spec.cmov_reads_destination)
    flags = sum(1 << place for place, field in enumerate(_FIELDS) if field in sources)
    flags |= sum(8 << place for place, field in enumerate(_FIELDS) if field in _overlapping(latency, sources))
    flags |= _RENAMES if row.name == "move_reg" else 0
    flags |= _RARE if rare and row.name in ("trap", "unlikely") else 0
    destination = sum(getattr(RECORD, field) for field in latency.destinations)
    units = packed_units(latency.units).to_bytes(3, "little")
    return bytes([latency.cycles or 0, latency.slots, latency.slots_overlapping, flags]) + units + bytes([destination])


def _overlapping(latency: Latency, sources: tuple[str, ...]) -> tuple[str, ...]:
    """The sources that a destination among them saves slots for."""
    if not latency.destinations or latency.slots == latency.slots_overlapping:
        return ()
    return ("a",) if latency.first_source else sources


def functions(index: dict[str, int]) -> tuple[Function, ...]:
    """The functions named by `NAMES`."""
    return (_Costs().function(),)


class _Costs:
    """The function's locals, and its parts."""

    def __init__(self) -> None:
        self.draft = draft = Draft("costs")
        local = draft.local
        self.record, self.first, self.end = local("record"), local("first"), local("end")
        self.cycle, self.last, self.free = local("cycle"), local("last"), local("free")
        # All decoded instructions have a number below `next`, those that have retired one below `oldest`.
        self.oldest, self.next, self.is_open = local("oldest"), local("next"), local("is_open")
        # Bits: those that can begin, those that can in the next cycle, those that have begun.
        self.ready, self.fresh, self.executing = local("ready"), local("fresh"), local("executing")
        self.slots, self.starts = local("slots"), local("starts")
        self.row, self.flags, self.needs = local("row"), local("flags"), local("needs")
        self.entry, self.bits, self.number, self.value = local("entry"), local("bits"), local("number"), local("value")

    def function(self) -> Function:
        records_end = Value(get_state("records_end"))
        # Where programs are validated nothing stands behind the code: its end is no instruction, and costs nothing.
        end = choose(Value(get_state("validates")), records_end - RECORD.size, records_end)
        return self.draft.function(
            _engine.fill(abi.PRODUCERS, 0, 128),
            self.next.set(BUFFER),  # no producer has as low a number as the zeros there
            self.end.set(end),
            self.record.set(Value(get_state("records"))),
            while_(
                self.record < self.end,
                self.first.set(self.record),
                self.cycle.set(0),
                self.last.set(0),
                self.free.set(ALL_UNITS),
                self.oldest.set(self.next),
                self.is_open.set(1),
                # Left from within when nothing is left to do.
                block(loop(sequence(self._decode(), self._start(), self._leave(), self._tick(), br(0)))),
                self.value.set(choose(self.last > SLACK - RETIRES_AFTER, self.last - (SLACK - RETIRES_AFTER), 1)),
                while_(
                    self.first < self.record,
                    _engine.set_word(self.first, self.value, RECORD.charge),
                    self.first.add(RECORD.size),
                ),
            ),
        )

    # --- decoding ------------------------------------------------------------------------------------------------

    def _decode(self) -> bytes:
        """Decode as many instructions as slots and the buffer allow."""
        row, flags, record = self.row, self.flags, self.record
        opcode = _opcode_at(_engine.word(record, RECORD.pc))
        takes = self.value
        return sequence(
            self.slots.set(DECODE_SLOTS),
            block(loop(sequence(
                (~self.is_open).code + br_if(1),
                (self.next - self.oldest).equals(BUFFER).code + br_if(1),
                self.number.set(opcode),
                row.set(self.number << 3),
                flags.set(_engine.byte(row, LATENCIES + _FLAGS)),
                takes.set(choose(
                    both(flags & 0x38, self._overlaps()), _engine.byte(row, LATENCIES + _OVERLAPPING),
                    _engine.byte(row, LATENCIES + _SLOTS),
                )),
                (takes > self.slots).code + br_if(1),
                self.slots.set(self.slots - takes),
                # The block ends here, or with the code.
                when(
                    (_engine.byte(self.number, abi.OPERANDS) & abi.ENDS)
                    | (record + RECORD.size >= self.end),
                    self.is_open.set(0),
                ),
                either(flags & _RENAMES, self._rename(), self._enter()),
                record.add(RECORD.size),
                br(0),
            ))),
        )  # fmt: skip

    def _overlaps(self) -> Value:
        """Whether the destination is one of the sources that count for that."""
        written = _engine.byte(self.record + _engine.byte(self.row, LATENCIES + _DESTINATION))
        found = value_of(0)
        for place, field in enumerate(_FIELDS):
            counts = (self.flags >> 3 + place) & 1
            found = found | (counts & _engine.byte(self.record, getattr(RECORD, field)).equals(written))
        return found

    def _rename(self) -> bytes:
        """A `move_reg`: who writes its source now writes its destination."""
        return _engine.set_word(
            _engine.byte(self.record, RECORD.d),
            _engine.word(_engine.byte(self.record, RECORD.a), abi.PRODUCERS),
            abi.PRODUCERS,
        )

    def _enter(self) -> bytes:
        """Put the instruction into the buffer, behind those that it waits for."""
        entry, row, needs, bits = self.entry, self.row, self.needs, self.bits
        own = value_of(1) << self.next  # by place, because shifts are modulo 32
        destination = _engine.byte(row, LATENCIES + _DESTINATION)
        cycles = _engine.byte(row, LATENCIES + _CYCLES)
        return sequence(
            entry.set(_entry_of(self.next)),
            needs.set(0),
            *(when((self.flags >> place) & 1, self._need(field)) for place, field in enumerate(_FIELDS)),
            _engine.set_word(entry, _NEVER, _DONE),
            _engine.set_word(entry, _engine.word(row, LATENCIES + _UNITS) & _UNITS_MASK, _OWN_UNITS),
            _engine.set_word(entry, 0, _WAITERS),
            _engine.set_word(entry, needs.ones(), _WAITS),
            _engine.set_word(entry, choose(cycles, cycles, self._branch_cycles()), _OWN_CYCLES),
            either(
                needs,
                sequence(
                    bits.set(needs),
                    while_(
                        bits,
                        entry.set(_entry_of(bits.trailing_zeros())),
                        _engine.set_word(entry, _engine.word(entry, _WAITERS) | own, _WAITERS),
                        bits.set(bits & (bits - 1)),
                    ),
                ),
                self.fresh.set(self.fresh | own),
            ),
            when(
                destination,
                _engine.set_word(_engine.byte(self.record + destination), self.next, abi.PRODUCERS),
            ),
            self.next.add(1),
        )

    def _need(self, field: str) -> bytes:
        """Wait for who writes the register of a field, unless that has retired or is done."""
        number = self.number
        return sequence(
            number.set(_engine.word(_engine.byte(self.record, getattr(RECORD, field)), abi.PRODUCERS)),
            when(
                both(number >= self.oldest, _engine.word(_entry_of(number), _DONE) > self.cycle),
                self.needs.set(self.needs | (value_of(1) << number)),
            ),
        )

    def _branch_cycles(self) -> Value:
        """A branch is cheap beside `unlikely` or a trap, on either way. Behind the code there are traps."""
        following = _engine.word(self.record + RECORD.size, RECORD.pc)
        rare = _is_rare(following) | _is_rare(_engine.word(self.record, RECORD.y))
        return choose(rare, UNLIKELY_BRANCH_CYCLES, BRANCH_CYCLES)

    # --- executing -----------------------------------------------------------------------------------------------

    def _start(self) -> bytes:
        """Begin with as many as units and starts allow, the oldest first."""
        bits, number, entry, value = self.bits, self.number, self.entry, self.value
        left = self.free - value
        begin = sequence(
            self.free.set(left),
            self.starts.set(self.starts - 1),
            value.set(self.cycle + _engine.word(entry, _OWN_CYCLES)),
            _engine.set_word(entry, value, _DONE),
            when(value > self.last, self.last.set(value)),
            number.set(value_of(1) << number),
            self.ready.set(self.ready ^ number),
            self.executing.set(self.executing | number),
        )
        return sequence(
            self.starts.set(STARTS),
            bits.set(self.ready.rotate_right(self.oldest)),  # bit 0 is the oldest one's
            while_(
                both(bits, self.starts),
                number.set(bits.trailing_zeros() + self.oldest),
                bits.set(bits & (bits - 1)),
                entry.set(_entry_of(number)),
                value.set(_engine.word(entry, _OWN_UNITS)),
                when(((left + GUARDS) & GUARDS).equals(GUARDS), begin),
            ),
        )

    def _leave(self) -> bytes:
        """Leave the loop when all of the block has been decoded and has begun and is done."""
        return (~(self.is_open | self.fresh | self.ready | self.executing)).code + br_if(1)

    def _tick(self) -> bytes:
        """Go on to the next cycle in which something happens."""
        is_full = (self.next - self.oldest).equals(BUFFER)
        goes_on = self.fresh | both(self.ready, ~self.starts) | both(self.is_open, ~is_full)
        return sequence(
            either(goes_on, self.cycle.add(1), self._skip()),
            self._finish(),
            self.ready.set(self.ready | self.fresh),
            self.fresh.set(0),
            while_(
                both(
                    self.oldest < self.next,
                    _engine.word(_entry_of(self.oldest), _DONE) + RETIRES_AFTER <= self.cycle,
                ),
                self.oldest.add(1),
            ),
        )

    def _skip(self) -> bytes:
        """To the cycle in which the next one is done, or room is in the buffer for one to decode."""
        bits, value = self.bits, self.value
        retires = _engine.word(_entry_of(self.oldest), _DONE) + RETIRES_AFTER
        return sequence(
            value.set(choose(self.is_open, retires, _NEVER)),
            self._each(self.executing, _smaller(value, _engine.word(self.entry, _DONE))),
            self.cycle.set(value),
            bits.set(0),
        )

    def _finish(self) -> bytes:
        """Those that are done give back their units, and who waited for them waits for one less."""
        entry, needs, number = self.entry, self.needs, self.number
        waiter = _entry_of(needs.trailing_zeros())
        awake = sequence(
            number.set(waiter),
            self.value.set(_engine.word(number, _WAITS) - 1),
            _engine.set_word(number, self.value, _WAITS),
            when(~self.value, self.ready.set(self.ready | (needs & (0 - needs)))),
            needs.set(needs & (needs - 1)),
        )
        done = sequence(
            self.executing.set(self.executing ^ (self.bits & (0 - self.bits))),
            self.free.add(_engine.word(entry, _OWN_UNITS)),
            needs.set(_engine.word(entry, _WAITERS)),
            while_(needs, awake),
        )
        return self._each(self.executing, when(_engine.word(entry, _DONE) <= self.cycle, done))

    def _each(self, set: Value, *body: bytes) -> bytes:
        """Do something for each of a set, whose entry is in the local `entry`, and its bit the lowest of `bits`."""
        bits = self.bits
        return sequence(
            bits.set(set),
            while_(bits, self.entry.set(_entry_of(bits.trailing_zeros())), *body, bits.set(bits & (bits - 1))),
        )


def _entry_of(number: Value) -> Value:
    """The address of an instruction's entry."""
    return ((number & _PLACE) << _ENTRY_BITS) + abi.BUFFER


def _smaller(variable: Variable, value: Value) -> bytes:
    return when(value < variable, variable.set(value))


def _opcode_at(pc: Value) -> Value:
    """The opcode of a record's pc: where the bitmask marks none there is a trap, which is 0 in all versions."""
    is_marked = _engine.byte(Value(get_state("starts")) + pc)
    return _engine.byte(Value(get_state("code")) + pc) * is_marked


def _is_rare(pc: Value) -> Value:
    """Whether the octet at a pc is that of a trap or `unlikely`, as it is beyond the code; marked or not."""
    octet = _engine.byte(Value(get_state("code")) + pc)
    flags = _engine.byte(octet << 3, LATENCIES + _FLAGS)
    return choose(pc < Value(get_state("code_length")), flags & _RARE, _RARE)
