"""Standalone modules: a program, or the interpreter alone, as a command for any runtime with WASI preview 1.

In: a program or none, a spec and a metering. Out: the bytes of one WebAssembly module.

Functions, by index: WASI's, the interpreter's, then where there is a translation its entry and its regions, then the
command's own. Memories are said in `pvm.standalone.writer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pvm import abi
from pvm.abi import EXIT_CODES, STATE
from pvm.emit.interpreter import (
    MEMORIES,
    interpreter_data,
    interpreter_functions,
    interpreter_index,
    metered_tables,
    program_image,
)
from pvm.emit.recompiler import REGION_BLOCKS, Translation, is_translatable, run_function, translate
from pvm.emit.recompiler.region import REGION_TYPE
from pvm.emit.state import ENGINE, GUEST
from pvm.errors import InputError
from pvm.gas import Costs, choose_metering
from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.log import LONGEST
from pvm.machine import Reason
from pvm.program import Blob, Program, is_valid
from pvm.program.standard import ZONE_SIZE
from pvm.standalone import wasi
from pvm.standalone.escape import define_escape
from pvm.standalone.files import define_files, top
from pvm.standalone.load import define_load
from pvm.standalone.log import define_log, message
from pvm.standalone.numbers import define_numbers
from pvm.standalone.options import Defaults, define_options
from pvm.standalone.output import define_output
from pvm.standalone.program import FORMATS, INTERPRETED, PLAIN, Parsed, blame, define_program
from pvm.standalone.report import define_report
from pvm.standalone.run import RUN_TRANSLATED, define_run, valid
from pvm.standalone.start import define_start, read_write_start
from pvm.standalone.writer import HOST, Writer, guest, host, put_state
from pvm.version import __version__
from pvm.wasm import DataSegment, ElementSegment, Export, ExternalKind, Memory, Module, Table, encode
from pvm.wasm.code import i32_const
from pvm.wasm.values import Draft, Statement, either, sequence, when

START = "_start"
_FIRST = len(wasi.IMPORTS)  # index of the first function that is not imported
_ZEROS = re.compile(rb"(\0{1024,})")  # so many are worth a data segment more


def program_command(
    program: Program,
    spec: Spec | str,
    metering: str | None,
    defaults: Defaults | None = None,
    region_blocks: int = REGION_BLOCKS,
    costs: Costs | None = None,
) -> bytes:
    """A command that runs one program. What is too large to be translated, and what may not run, is interpreted.

    `costs` are those of `pvm.emit.recompiler.recompile`. Raises InputError for more code than the interpreter can hold,
    and for unknown names.
    """
    spec = find_spec(spec)
    metering = choose_metering(spec, metering)
    index = interpreter_index(_FIRST)
    may_run = not spec.validates or is_valid(program.blob, spec)
    translation = None
    if may_run and is_translatable(program.blob, spec):
        translation = translate(
            program.blob, spec, metering, "software", region_blocks, sbrk=index[abi.SBRK], costs=costs
        )
    place, sections = program_image(program, spec, metering), program.sections
    w = _writer(index, translation)
    define_options(w, defaults or Defaults(), takes_program=False)
    define_start(w)
    define_report(w, "recompiler", spec.name, metering, program.format)
    define_run(w, spec, translation)
    if sections is None:
        start = w.call("start_plain")
    else:
        sizes = sections.read_only_size, len(sections.read_write), sections.heap_pages, sections.stack_size
        start = w.call("start_standard", *sizes)
    _define_command(w, spec, (start, valid(w).set(int(may_run))))
    jumps = [] if translation is None else [(place.numbers["entries"], translation.jumps)]
    data = [*_engine_image(place.numbers, [*place.pieces, *jumps])]
    for segment in sections.segments() if sections else ():
        data += _segments(GUEST, segment.address, segment.data)
    return encode(_module(w, index, translation, place.size, data, "pvm program"))


def interpreter_command(
    spec: Spec | str, metering: str | None, format: str = "auto", defaults: Defaults | None = None
) -> bytes:
    """A command that interprets the program file that its command line names; `format` is one of `INTERPRETED`.

    Raises InputError for another format, which the module could not read, and for unknown names.
    """
    spec = find_spec(spec)
    metering = choose_metering(spec, metering)
    if format not in INTERPRETED:
        raise InputError(f"format {format!r}: choose one of {', '.join(INTERPRETED)}")
    index = interpreter_index(_FIRST)
    w = _writer(index, None)
    define_options(w, defaults or Defaults(), takes_program=True)
    define_program(w, format)
    define_start(w, blame(w))
    define_load(w, spec)
    define_report(w, "interpreter", spec.name, metering, None)
    define_run(w, spec, None)
    p = Parsed(w)
    standard = (
        guest.copy(ZONE_SIZE, host, p.read_only, p.read_only_size),
        guest.copy(read_write_start(p.read_only_size), host, p.read_write, p.read_write_size),
        w.call("start_standard", p.read_only_size, p.read_write_size, p.heap_pages, p.stack_size),
    )
    start = either(p.format.equals(FORMATS.index(PLAIN)), w.call("start_plain"), sequence(*standard))
    load = (w.call("parse_program"), w.call("load_program"), start, valid(w).set(w.call("is_program_valid")))
    _define_command(w, spec, load)
    image = program_image(_EMPTY, spec, metering)
    numbers = {name: number for name, number in image.numbers.items() if name in _OF_ENGINE}
    data = [*_engine_image(numbers, metered_tables(spec, metering))]
    return encode(_module(w, index, None, abi.PROGRAM, data, "pvm interpreter"))


_EMPTY = Program(Blob(b"", b""))
# Of the state: what no program decides.
_OF_ENGINE = ("metering", "pipeline", "read_only_panics", "validates", "protects")


def _writer(index: dict[str, int], translation: Translation | None) -> Writer:
    """A writer that knows the functions before the command's own, with what every command has."""
    entry = _FIRST + len(index)
    w = Writer(index, entry) if translation is None else Writer(
        {**index, RUN_TRANSLATED: entry}, entry + 1 + len(translation.regions)
    )
    define_output(w)
    define_escape(w)
    define_files(w)
    define_numbers(w)
    define_log(w)
    return w


def _define_command(w: Writer, spec: Spec, load: Sequence[Statement]) -> None:
    """Add the function that WASI calls; `load` puts the program there. It comes last, when all constants are known."""
    draft = Draft(START)
    code = draft.local("code")
    out_of_gas, halt = EXIT_CODES[Reason.OUT_OF_GAS], EXIT_CODES[Reason.HALT]
    w.define(draft.function(
        top(w).set(w.end),
        w.call("read_options"),
        *load,
        message(w).set(w.call("allocate", LONGEST)),
        w.call(abi.PREPARE),
        code.set(w.call("run_to_exit")),
        b"" if spec.gas_stays else when(code.equals(out_of_gas), put_state("gas", 0)),
        w.call("put_report", code),
        when(code.differs(halt), w.call("proc_exit", code + wasi.STATUS_OFFSET)),
    ))  # fmt: skip


def _engine_image(numbers: Mapping[str, int], pieces: Iterable[tuple[int, bytes]]) -> Iterator[DataSegment]:
    """What the engine memory holds at the start besides what the interpreter brings."""
    fields = bytearray(max(field.offset + field.size for field in STATE.values()))
    for name, number in numbers.items():
        field = STATE[name]
        fields[field.offset : field.offset + field.size] = number.to_bytes(field.size, "little")
    for address, data in ((0, bytes(fields)), *pieces):
        yield from _segments(ENGINE, address, data)


def _segments(memory: int, address: int, data: bytes) -> Iterator[DataSegment]:
    """Bytes for a memory that is zero before, without long runs of zeros."""
    for place, part in enumerate(_ZEROS.split(data)):
        if place % 2 == 0 and part:
            yield DataSegment(memory, i32_const(address), part)
        address += len(part)


def _module(
    w: Writer, index: dict[str, int], translation: Translation | None, size: int, data: Sequence[DataSegment], name: str
) -> Module:
    """The module; `size` is that of the engine memory at the start, in bytes."""
    regions = () if translation is None else translation.regions
    entry = () if translation is None else (replace(run_function(), name=RUN_TRANSLATED),)
    first_region = _FIRST + len(index) + len(entry)
    guest_memory, engine_memory = MEMORIES
    return Module(
        types=(REGION_TYPE,),
        imports=wasi.IMPORTS,
        functions=(*interpreter_functions(index), *entry, *regions, *w.linker.functions()),
        tables=(Table(len(regions), len(regions), name="regions"),),
        elements=(ElementSegment(0, i32_const(0), tuple(range(first_region, first_region + len(regions)))),),
        memories=(
            guest_memory,
            replace(engine_memory, minimum=_pages(size)),
            Memory(_pages(w.end), abi.GUEST_PAGES, name="host"),
        ),
        globals=w.linker.globals(),
        exports=(
            Export("memory", ExternalKind.MEMORY, HOST),
            Export(abi.GUEST_MEMORY, ExternalKind.MEMORY, GUEST),
            Export(abi.ENGINE_MEMORY, ExternalKind.MEMORY, ENGINE),
            Export(START, ExternalKind.FUNCTION, w.linker.index(START)),
        ),
        data=(*interpreter_data(), *data, w.segment()),
        name=name,
        producers=(("pvm-wasm", __version__),),
    )


def _pages(size: int) -> int:
    return -(-size // abi.WASM_PAGE)
