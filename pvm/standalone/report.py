"""The JSON object that a standalone module prints: the text of `pvm.report` with code for what the run decides.

In: a `Writer`, what is known when the module is built. Out: function put_report and what it needs.
"""

from __future__ import annotations

import re

from pvm.abi import EXIT_CODES
from pvm.machine import Reason
from pvm.registers import REGISTER_COUNT
from pvm.report import Report
from pvm.standalone import options
from pvm.standalone.program import FORMATS
from pvm.standalone.start import register
from pvm.standalone.writer import Writer, guest, state
from pvm.wasm import I64, Function
from pvm.wasm.values import Draft, Statement, Value, both, either, leave, when, while_

# Placeholders: a name within these signs; where a number is to stand, with the quotes around it.
_PLACE = re.compile(r'"#(\w+)#"|@(\w+)@')


def define_report(w: Writer, tier: str, spec: str, metering: str, format: str | None) -> None:
    """Add the functions. `format` is None when the global of that name tells."""
    w.define(_put_report(w, tier, spec, metering, format), _put_result(w), _put_status(w), _put_format(w))


def _put_report(w: Writer, tier: str, spec: str, metering: str, format: str | None) -> Function:
    """(exit code): print how the run ended."""
    draft = Draft("put_report")
    code = draft.param("code")

    def number_if(reason: Reason, number: Value) -> bytes:
        return either(code.equals(EXIT_CODES[reason]), w.put_number(number), w.put("null"))

    registers = [f"#r{number}#" for number in range(REGISTER_COUNT)]
    text = Report(
        "@status@", "#pc#", "#gas#", "#gas_used#", registers, "@result@", "#page_fault_address#", "#host_call#",
        tier, spec, metering, format or "@format@",
    ).as_json()  # fmt: skip
    parts: dict[str, Statement] = {
        "status": w.call("put_status", code),
        "pc": w.put_number(state("pc")),
        "gas": w.put_number(state("gas")),
        "gas_used": w.put_number(options.gas(w) - state("gas")),
        **{f"r{number}": w.put_number(register(number)) for number in range(REGISTER_COUNT)},
        "result": when(code.equals(EXIT_CODES[Reason.HALT]), w.call("put_result")),
        "page_fault_address": number_if(Reason.PAGE_FAULT, state("address")),
        "host_call": number_if(Reason.HOST_CALL, state("call")),
        "format": w.call("put_format"),
    }
    statements: list[str | Statement] = []
    begin = 0
    for place in _PLACE.finditer(text):
        statements += [text[begin : place.start()], parts[place[1] or place[2]]]
        begin = place.end()
    return draft.function(w.put(*statements, text[begin:] + "\n"), w.call("flush"))


def _put_result(w: Writer) -> Function:
    """(): print the r8 bytes from r7, nothing when the guest may not read all of them (A.8)."""
    draft = Draft("put_result")
    at, count = draft.local("at", I64), draft.local("count", I64)
    return draft.function(
        at.set(register(7)),
        count.set(register(8)),
        when(~both(count, w.call("is_readable", at, count)), leave()),
        while_(
            count,
            w.call("put_octet", guest.byte(at.narrow())),
            at.add(1),
            count.set(count - 1),
        ),
    )


def _put_status(w: Writer) -> Function:
    """(exit code): print its reason."""
    draft = Draft("put_status")
    code = draft.param("code")
    return draft.function(
        *(when(code.equals(number), w.put(reason.value)) for reason, number in EXIT_CODES.items())
    )


def _put_format(w: Writer) -> Function:
    """(): print the format of the program that was read."""
    format = w.variable("format")
    return Draft("put_format").function(
        *(when(format.equals(number), w.put(name)) for number, name in enumerate(FORMATS))
    )


