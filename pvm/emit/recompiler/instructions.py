"""A program's instructions as WebAssembly.

In: a program and its flow. Out: frozen `Codes`. What octets mean is worked out once a program, by filling a template
of `pvm.emit.recompiler.templates`: programs repeat themselves, a third of their instructions have octets of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from pvm.emit.guest import is_refused_at
from pvm.emit.recompiler.templates import WRITES, Holed, Template, access_of, head_length, template_of
from pvm.flow import Flow
from pvm.isa.spec import Spec
from pvm.program.blob import Blob
from pvm.program.decode import TRAP
from pvm.wasm.leb128 import signed

_written = attrgetter("written")


class Reach(NamedTuple):
    """Octets [low, high) off the register `base`, which need the page table's `bit`."""

    base: int
    low: int
    high: int
    bit: int


class Guarded(NamedTuple):
    """An access that is checked: `guard` pushes whether to leave it to the interpreter, `rest` accesses.

    `reach` is what it accesses, None at an absolute address.
    """

    guard: bytes
    rest: bytes
    reach: Reach | None


@dataclass(frozen=True)
class Codes:
    """The instructions of a program, an entry each, the implicit trap last.

    `texts` are theirs where no access is checked (`Template.text`), `written` the registers that they set, as bits,
    and `accesses` how they access memory, a byte each.
    """

    octets: Sequence[bytes]
    templates: Sequence[Template]
    texts: list[bytes]
    written: Sequence[int]
    accesses: bytes
    _guards: _Guards

    def rest(self, number: int) -> bytes:
        """What sets registers in a dynamic jump or an sbrk."""
        return self._guards.constants.fill(self.templates[number].rest, self.octets[number])

    def guarded(self, accesses: Iterable[int]) -> list[Guarded]:
        """Accesses with their checks."""
        return [self._guards[self.octets[number]] for number in accesses]


def codes_of(blob: Blob, flow: Flow, spec: Spec, is_bare: bool = False) -> Codes:
    """The codes of all instructions; where `is_bare`, stores are `Template.bare`."""
    code, pcs = flow.code, flow.pcs
    octets = [code[pc:end] for pc, end in pairwise(pcs)]
    octets.append(flow.opcodes[-1:])
    known = _templates(octets, spec)
    while any(len(own) < template.length for own, template in known.items()):  # twice, if at all
        octets = [
            own + blob.padded[pc + len(own) : pc + known[own].length] for pc, own in zip(pcs, octets, strict=True)
        ]
        known = _templates(octets, spec)
    constants = _Constants()
    texts = {}
    for own, template in known.items():
        text, places = holed = template.bare if is_bare and template.access == WRITES else template.text
        if places:  # one, as a rule
            text = text % constants[own[places[0]]] if len(places) == 1 else constants.fill(holed, own)
        texts[own] = text
    templates = list(map(known.__getitem__, octets))
    return Codes(
        octets, templates, list(map(texts.__getitem__, octets)), list(map(_written, templates)),
        flow.opcodes.translate(accesses_of(spec)), _Guards(known, constants),
    )  # fmt: skip


def _templates(octets: Iterable[bytes], spec: Spec) -> dict[bytes, Template]:
    """Templates by the octets of instructions, complete or not."""
    lengths = _head_lengths(spec)
    return {own: template_of(own[: lengths[own[0]]], spec) for own in dict.fromkeys(octets)}


@cache
def _head_lengths(spec: Spec) -> tuple[int, ...]:
    return tuple(head_length((row or TRAP).format) for row in spec.by_opcode)


@cache
def accesses_of(spec: Spec) -> bytes:
    """How each opcode accesses memory: READS, WRITES or 0."""
    return bytes(access_of(row or TRAP)[0] for row in spec.by_opcode)


class _Constants(dict[bytes, bytes]):
    """Immediates as WebAssembly has them, by their octets."""

    def __missing__(self, octets: bytes) -> bytes:
        constant = self[octets] = signed(int.from_bytes(octets, "little", signed=True))
        return constant

    def fill(self, holed: Holed, octets: bytes) -> bytes:
        """A template's text with the immediates of an instruction."""
        text, places = holed
        return text % tuple([self[octets[place]] for place in places]) if places else text


class _Guards(dict[bytes, Guarded]):
    """The accesses met so far with their checks, by octets."""

    def __init__(self, templates: dict[bytes, Template], constants: _Constants) -> None:
        super().__init__()
        self.templates, self.constants = templates, constants

    def __missing__(self, octets: bytes) -> Guarded:
        template, fill = self.templates[octets], self.constants.fill
        offset = int.from_bytes(octets[template.x], "little", signed=True)
        base, width, access = template.base, template.width, template.access
        if base is None:
            guarded = Guarded(is_refused_at(offset & 0xFFFFFFFF, width, access), fill(template.text, octets), None)
        else:
            guard, rest = template.guarded
            guarded = Guarded(fill(guard, octets), fill(rest, octets), Reach(base, offset, offset + width, access))
        self[octets] = guarded
        return guarded
