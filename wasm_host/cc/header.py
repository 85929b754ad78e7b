"""`pvm_calls.h`: the host calls of JAM as C functions, from the one table of host calls.

In: a version. Out: text.
"""

from __future__ import annotations

from pvm.isa import Spec
from pvm.jam.host_calls.table import RESULTS, ROWS, HostCallRow

_OUT = frozenset(("out", "state"))  # addresses that the host writes to
_RESERVED = frozenset(("new", "export"))  # words of C++, which no parameter may be called


def calls_header(spec: Spec) -> str:
    """A function for each host call that the version has, with its parameters in registers a0 to a5.

    Each returns what the host leaves in a0 (r7); where the paper has a second result in a1 (r8), `pvm_second` gives it.
    """
    lines = [
        f"/* The host calls of Gray Paper {spec.name}, made from the table of host calls. */",
        f'#define PVM_SPEC "{spec.name}"',
        *(f"#define PVM_{name} {value - (1 << 64) if value >> 63 else value}ll" for name, value in RESULTS.items()),
        "",
    ]
    for row in ROWS:
        number = row.number(spec)
        if number is not None:
            lines += _function(row, number)
    return "\n".join(lines) + "\n"


def _function(row: HostCallRow, number: int) -> list[str]:
    parameters = []
    for index, parameter in enumerate(row.parameters[:6]):
        name, is_address, _ = parameter.partition("@")
        name = f"{name}_" if name in _RESERVED else name
        kind = "const void *" if is_address else "void *" if name in _OUT else "uint64_t "
        if name in _OUT and is_address:
            kind = "void *"
        parameters.append((kind, name, f"a{index}"))
    listed = ", ".join(f"{kind}{name}" for kind, name, _ in parameters) or "void"
    bound = [f'    register uint64_t {reg} __asm__("{reg}") = (uint64_t){name};' for _, name, reg in parameters]
    if not parameters:
        bound = ['    register uint64_t a0 __asm__("a0");']
    first = '"+r"(a0)' if parameters else '"=r"(a0)'
    second = ', "+r"(a1)' if len(parameters) > 1 else ""
    inputs = ", ".join(f'"r"({reg})' for _, _, reg in parameters[2:])
    clobbers = '"memory"' if len(parameters) > 1 else '"a1", "memory"'
    return [
        f"static inline uint64_t pvm_{row.name}({listed}) {{",
        *bound,
        f'    __asm__ volatile(".insn i 0x0b, 7, x0, x0, {number}" : {first}{second} : {inputs} : {clobbers});',
        "    return a0;",
        "}",
    ]
