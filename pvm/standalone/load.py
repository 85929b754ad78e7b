"""A parsed program into the engine memory, as `pvm.emit.interpreter.image` puts it there.

In: a `Writer`. Out: functions load_program, count_instructions, unpack_bitmask, unpack_jump_table, is_program_valid.
"""

from __future__ import annotations

from typing import cast

from pvm import abi
from pvm.isa import Spec
from pvm.program.decode import MAX_CODE, MAX_JUMP_TABLE, MAX_SKIP
from pvm.standalone.program import Parsed, blame
from pvm.standalone.writer import Writer, engine, host, put_state, state
from pvm.wasm import I32, I64, Function
from pvm.wasm.values import Draft, Value, any_, both, choose, leave, value_of, when, while_

_MAX_MEMORY = 1 << 32  # bytes


def define_load(w: Writer, spec: Spec) -> None:
    """Add the functions."""
    w.define(_load_program(w), _count_instructions(w), _unpack_bitmask(w), _unpack_jump_table(w))
    w.define(_is_program_valid() if spec.validates else Draft("is_program_valid").function(value_of(1), result=I32))


def _load_program(w: Writer) -> Function:
    """(): put the program that was read into the engine memory, and say in the state where it is."""
    draft = Draft("load_program")
    size, records = draft.local("size", I64), draft.local("records", I64)
    p = Parsed(w)
    length = p.code_length.wide()
    # The layout is computed with values: the same formula as for every host.
    layout = abi.program_layout(*(cast(int, value) for value in (length, p.jump_count.wide(), records)))
    addresses = {name: cast(Value, address) for name, address in layout[0].items()}
    too_large = w.fail(
        blame(w), "program: ", w.put_number(p.code_length), " bytes of code are more than the interpreter can hold"
    )
    pages = ((size + (abi.WASM_PAGE - 1)) // abi.WASM_PAGE).narrow()
    missing = pages - engine.pages()
    return draft.function(
        records.set((w.call("count_instructions") + p.code_length // (MAX_SKIP + 1) + 2).wide()),
        size.set(cast(Value, layout[1])),
        when(size > _MAX_MEMORY, too_large),
        when(
            both(pages > engine.pages(), engine.grow(missing).equals(0xFFFFFFFF)),
            w.call("no_memory"),
        ),
        *(put_state(name, _low(address)) for name, address in addresses.items()),
        put_state("code_length", p.code_length),
        put_state("jump_count", p.jump_count),
        put_state("zero_entries", p.zero_entries),
        engine.copy(state("code"), host, p.code, p.code_length),
        w.call("unpack_bitmask"),
        engine.fill(state("starts") + p.code_length, 1, abi.PADDING),
        w.call("unpack_jump_table"),
    )


def _low(address: Value | int) -> Value:
    """An address as an i32; the first one is a constant."""
    return value_of(address) if isinstance(address, int) else address.narrow()


def _count_instructions(w: Writer) -> Function:
    """() -> how many octets of the code the bitmask marks."""
    draft = Draft("count_instructions")
    at, count = draft.local("at"), draft.local("count")
    p = Parsed(w)
    return draft.function(
        while_(at < (p.code_length + 7) >> 3, count.add(host.byte(p.bitmask + at).ones()), at.add(1)),
        count,
        result=I32,
    )


def _unpack_bitmask(w: Writer) -> Function:
    """(): a byte, 0 or 1, for each octet of the code."""
    draft = Draft("unpack_bitmask")
    at = draft.local("at")
    p = Parsed(w)
    bit = host.byte(p.bitmask + (at >> 3)) >> (at & 7) & 1
    return draft.function(while_(at < p.code_length, engine.set_byte(state("starts") + at, bit), at.add(1)))


def _unpack_jump_table(w: Writer) -> Function:
    """(): 4 bytes for each entry; larger ones lead nowhere all the same."""
    draft = Draft("unpack_jump_table")
    number, octet, entry = draft.local("number"), draft.local("octet"), draft.local("entry", I64)
    place = draft.local("place")
    p = Parsed(w)
    low = choose(entry > 0xFFFFFFFF, 0xFFFFFFFF, entry.narrow())
    return draft.function(
        place.set(p.jump_table),
        while_(
            number < p.jump_count,
            entry.set(0),
            octet.set(p.jump_size),
            while_(
                octet,
                octet.set(octet - 1),
                when(entry <= 0xFFFFFFFF, entry.set(entry << 8 | host.byte(place + octet).wide())),
            ),
            place.add(p.jump_size),
            engine.set_word(state("jump_table") + (number << 2), low),
            number.add(1),
        ),
    )


def is_instruction(pc: Value) -> Value:
    """Whether a valid opcode is marked at a pc within the code."""
    return engine.byte(state("starts") + pc) & engine.byte(engine.byte(state("code") + pc), abi.OPERANDS) // abi.VALID


def _is_program_valid() -> Function:
    """() -> 0.8.0's check of the whole program, `pvm.program.is_valid` (A.1)."""
    draft = Draft("is_program_valid")
    pc, ends, skipped = draft.local("pc"), draft.local("ends"), draft.local("skipped")
    operands = engine.byte(engine.byte(state("code") + pc), abi.OPERANDS)
    # Ones follow the bitmask, so that the search for the next instruction ends.
    skip = while_(
        both(skipped < MAX_SKIP, ~engine.byte(state("starts") + pc)), pc.add(1), skipped.add(1)
    )
    is_large = any_(state("code_length") > MAX_CODE, state("jump_count") > MAX_JUMP_TABLE)
    return draft.function(
        when(any_(is_large, state("zero_entries") > MAX_JUMP_TABLE), leave(0)),
        while_(
            pc < state("code_length"),
            when(~(is_instruction(pc) & 1), leave(0)),
            ends.set((operands & abi.TERMINATES).differs(0)),
            pc.add(1),
            skipped.set(0),
            skip,
        ),
        ends,
        result=I32,
    )


