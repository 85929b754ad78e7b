"""The run loop: what `wasm_host.machine` and `wasm_host.machine.translated` do with protection in software.

In: a `Writer`, the spec, a translation if there is one. Out: functions run_to_exit, may_run, go_on, find.
"""

from __future__ import annotations

from array import array

from pvm import abi
from pvm.abi import EXIT_CODES
from pvm.emit.recompiler import Translation
from pvm.emit.recompiler.region import NO_TARGET
from pvm.isa import Spec
from pvm.jam.host_calls.table import LOG_CALL, UNKNOWN_GAS
from pvm.machine import Reason
from pvm.standalone.load import is_instruction
from pvm.standalone.writer import Writer, host, put_state, state
from pvm.wasm import I32, Function
from pvm.wasm.values import Draft, Value, Variable, both, choose, leave, value_of, when, while_

RUN_TRANSLATED = "run_translated"  # the translation's entry


def valid(w: Writer) -> Variable:
    """Whether the program may run at all; whoever puts it there says so."""
    return w.variable("valid", initial=1)


def define_run(w: Writer, spec: Spec, translation: Translation | None) -> None:
    """Add the functions."""
    w.define(_run(w, spec), _may_run(w, spec), _find(w))
    w.define(_interpret(w) if translation is None else _go_on(w, translation))


def _run(w: Writer, spec: Spec) -> Function:
    """() -> the exit code of the run; `log` is answered on the way. To stop where nothing may run is a panic."""
    draft = Draft("run_to_exit")
    code = draft.local("code")
    cost = UNKNOWN_GAS[spec.name]
    panic, host_call = EXIT_CODES[Reason.PANIC], EXIT_CODES[Reason.HOST_CALL]
    is_log = both(code.equals(host_call), state("call").equals(LOG_CALL))
    return draft.function(
        while_(
            w.call("may_run"),
            code.set(w.call("go_on")),
            when(
                is_log,
                when(state("gas") < cost, put_state("gas", 0), leave(EXIT_CODES[Reason.OUT_OF_GAS])),
                put_state("gas", state("gas") - cost),
                w.call("log"),
                code.set(abi.STOPPED),
            ),
            when(code.differs(abi.STOPPED), leave(code)),
        ),
        value_of(panic),
        result=I32,
    )


def _may_run(w: Writer, spec: Spec) -> Function:
    """() -> whether the machine may be entered at its pc: always in 0.7.2, only at an instruction in 0.8.0 (A.1)."""
    draft = Draft("may_run")
    pc = state("pc")
    is_entry = both(pc < state("code_length"), is_instruction(pc) & 1)
    return draft.function(both(valid(w), is_entry) if spec.validates else value_of(1), result=I32)


def _interpret(w: Writer) -> Function:
    """() -> exit code: go on where the machine stands."""
    return Draft("go_on").function(w.call(abi.RUN), result=I32)


def _go_on(w: Writer, translation: Translation) -> Function:
    """() -> exit code: go on translated where that can be entered, else interpret to the block's end."""
    draft = Draft("go_on")
    entry, code = draft.local("entry"), draft.local("code")
    # Any exit but a host call ends the run, so that no block is entered here whose rest alone is paid for.
    finish = leave(w.call(abi.FINISH))
    entries, resumes = _lookup(w, translation.entries), _lookup(w, translation.resumes)
    return draft.function(
        entry.set(choose(state("called"), resumes, entries)),
        when(entry.equals(NO_TARGET), finish),
        put_state("entry", entry),
        code.set(w.call(RUN_TRANSLATED)),
        when(code.equals(abi.BAIL), finish),
        code,
        result=I32,
    )


def _lookup(w: Writer, places: dict[int, int]) -> Value:
    """The entry for the state's pc in a table of constants."""
    pcs = sorted(places)
    keys = w.constant(array("I", pcs).tobytes())
    entries = w.constant(array("I", [places[pc] for pc in pcs]).tobytes())
    return w.call("find", keys, entries, len(pcs), state("pc"))


def _find(w: Writer) -> Function:
    """(keys, values, count, key) -> the word that belongs to a key, or NO_TARGET; the keys are in increasing order."""
    draft = Draft("find")
    keys, values = draft.param("keys"), draft.param("values")
    count, key = draft.param("count"), draft.param("key")
    place = draft.local("place")
    return draft.function(
        place.set(w.call("count_up_to", keys, count, key) - 1),
        when(both(place < count, host.word(keys + (place << 2)).equals(key)), leave(host.word(values + (place << 2)))),
        value_of(NO_TARGET),
        result=I32,
    )
