'''Assembler: text to programs.

In: assembly text and a `Spec`. Out: a `Program`. `pvm.program.disassembler` is the inverse. The instructions carry
the Gray Paper's names and operands (A.5); program formats are those of A.2 and A.7.

A complete program, which returns the sum of its argument octets:

    ; Arguments: r7 = address, r8 = length. Result: r7 = address, r8 = length. A jump to the first r0 halts.
    .standard stack=4096 heap=0
    .rodata
    start:  .u64 1000                       ; what the sum starts from
    .data
    total:  .zero 8
    .code
    main:
        move_reg        r9, ra
        load_u64        r10, [start]        ; a data label is its address
        call            sum                 ; ra = dynamic address of the next instruction
        store_u64       [total], r10
        load_imm        r7, total
        load_imm        r8, 8
        jump_ind        r9
    sum:
        add_64          r8, r8, r7          ; destination first
        branch_eq       r7, r8, done
    next:
        load_ind_u8     r11, [r7]
        add_64          r10, r10, r11
        add_imm_64      r7, r7, 1
        branch_lt_u     r7, r8, next
    done:
        ret

Lines. Any number of labels (`name:`), then at most one directive or instruction, then a comment from `;` on.
Names consist of letters, digits, `_`, `.` and `$` and share one space; no label is called like a register or `pc`.

Values. Sums of decimal, hexadecimal (0x…) and binary (0b…) numbers, characters ('a', '\\n'), constants, data labels
and `@label`, the dynamic address of a code label. Constants and data labels are defined before they are used, code
labels anywhere. Strings know the escapes \\n \\r \\t \\0 \\\\ \\" \\' \\xNN.

Directives, in the order in which they may appear:

    .standard stack=N heap=N    a standard program: bytes of stack (4096 when left out), zero pages after the data (0)
    .metadata "…" | 0x…         makes it a service preimage; several are joined
    .plain                      a plain program blob, as without any of these
    .rodata                     begins the read-only data; each section comes once, any may be left out
    .data                       begins the read-write data
    .code                       begins the instructions; also implied by the first of them

    .ascii "…"   .hex 00ff…   .u8 .u16 .u32 .u64 value, …   .zero N   .align N      in data only
    .raw 0x…                    in code: octets as one instruction, the first of them marked in the bitmask
    .unmarked 0x…               in code: octets that the bitmask does not mark
    .equ name, value            anywhere: a constant
    .jump_table [entry_size=N] label or number, …       anywhere: appends to the jump table; of no octets also count=N

`@label` appends the label to the jump table unless it is in there already. The entry size is the least that fits,
unless given.

Operands. Registers are r0 … r12, or ra sp t0 t1 t2 s0 s1 a0 … a5. Destinations come first, the others in the Gray
Paper's order (rA, rB, immediates), a branch target last:

    load_u8          r7, [0x20000]              store_u8            [0x20000], r7
    load_ind_u8      r7, [sp + 8]               store_ind_u8        [sp + 8], r7
    store_imm_u8     [0x20000], 5               store_imm_ind_u8    [r7 + 1], 5
    add_imm_64       r8, r8, -1                 add_64              r7, r8, r9
    branch_ne_imm    r8, 0, loop                branch_lt_u         r7, r8, loop
    jump             loop                       load_imm_jump       ra, @after, function
    jump_ind         ra + 4                     load_imm_jump_ind   ra, @after, r5 + 4
    load_imm_64      r7, 0x123456789abcdef0     ecalli              100

A target is a label, `pc + N` or `pc - N` (relative to the instruction), or a pc, which takes 4 octets. Immediates and
offsets take as few octets as hold them; `/N` asks for N of 0 to 4: `5/4`, `[r7 + 8/2]`, `loop/3`. An immediate is in
-2^31 … 2^31 - 1 or, where just its low 32 bits matter (addresses, `store_imm_u32`), below 2^32.

Two instructions are short forms: `call [register,] label` (register: ra) is load_imm_jump with the dynamic address of
the instruction after it, `ret` is `jump_ind ra`.
'''

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pvm.errors import AssemblyError, InputTypeError, ProgramError
from pvm.isa.spec import GP_072, Spec, elsewhere
from pvm.isa.spec import spec as find_spec
from pvm.isa.table import BY_NAME
from pvm.printable import counted
from pvm.program.assembly_code import CodeWriter
from pvm.program.assembly_errors import MAX_ERRORS, ErrorList
from pvm.program.assembly_lexer import Cursor
from pvm.program.assembly_syntax import MAX_WIDTH, REGISTERS, Kind, Operand, operands_of, usage, width_of
from pvm.program.blob import MAX_ENTRIES, MAX_ENTRY_SIZE, Blob
from pvm.program.program import Program
from pvm.program.standard import ZONE_SIZE, Sections, round_up
from pvm.suggestions import did_you_mean

DEFAULT_STACK = 4096  # bytes
_CONSTANT_LIMIT = 1 << 80  # beyond any operand; without it, sums of constants could grow for ever
MAX_DATA = 1 << 24  # bytes of a data section, exclusive (A.7)
_SECTIONS = ("header", "rodata", "data", "code")


def assemble(source: str, spec: Spec | str = GP_072) -> Program:
    """The program that `source` describes, in the opcodes of a version ("0.7.2" or "0.8.0").

    Raises AssemblyError, which names the line and knows the other errors of the text; InputError for an unknown
    version, InputTypeError for what is no text.
    """
    found = read(source, find_spec(spec))
    if found.errors:
        raise found.errors[0]
    return found.assembler.finish()


class Reading(NamedTuple):
    """What was read. The first of the `errors` knows the others; without any, `finish` may still find one."""

    assembler: Assembler
    errors: tuple[AssemblyError, ...]


def read(source: str, spec: Spec, most: int = MAX_ERRORS) -> Reading:
    """Read every line. A wrong one is left out, and those after it are read as if it were not there.

    Labels are looked up when all lines are right. Errors beyond `most` are counted, up to 10,000. Raises InputTypeError
    for what is no text.
    """
    if not isinstance(source, str):
        raise InputTypeError(f"assembly is text (str), but got {type(source).__name__}: decode it first")
    assembler, lines = Assembler(spec), source.split("\n")
    errors = ErrorList(lines, most)
    for line, text in enumerate(lines, 1):
        cursor = Cursor(line, text, assembler)
        try:
            assembler.read(cursor)
        except AssemblyError as error:
            if error.column is None:
                error.column = cursor.column()
            errors.add(error)
            assembler.hints = errors.keeps
            if errors.is_full:
                break
    if not errors.found():
        for unresolved in assembler.unresolved():
            errors.add(unresolved)
            assembler.hints = errors.keeps
            if errors.is_full:
                break
    return Reading(assembler, errors.found())


class Assembler:
    """What is known after some lines; `code` is what they wrote.

    `value` and `dynamic_address` make it the `Names` of its cursors. Without `hints`, messages guess at nothing, which
    takes the most time of a line that is wrong.
    """

    hints = True

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._section = "header"
        self._format_line = 0
        self._standard: dict[str, int] | None = None
        self._metadata: bytes | None = None
        self._data = {"rodata": bytearray(), "data": bytearray()}
        self._values: dict[str, int] = {}  # constants and data labels
        self.code = CodeWriter()
        self._directives: dict[str, Callable[[Cursor], None]] = {
            ".standard": self._read_standard, ".plain": self._read_plain, ".metadata": self._read_metadata,
            ".rodata": self._begin_section, ".data": self._begin_section, ".code": self._begin_section,
            ".ascii": self._read_octets, ".hex": self._read_octets, ".zero": self._read_zero, ".align": self._read_zero,
            ".u8": self._read_numbers, ".u16": self._read_numbers, ".u32": self._read_numbers,
            ".u64": self._read_numbers, ".raw": self._read_raw, ".unmarked": self._read_raw,
            ".equ": self._read_constant, ".jump_table": self._read_jump_table,
        }  # fmt: skip

    # --- names ---

    def value(self, line: int, name: str) -> int:
        if name in self._values:
            return self._values[name]
        if name in REGISTERS or name == "pc":
            raise AssemblyError(line, f"{name!r} is no value")
        if name in self.code.labels:
            raise AssemblyError(line, f"{name!r} is a code label: write @{name} for its dynamic address")
        hint = "constants and data labels are defined before they are used, @ takes a code label's dynamic address"
        raise AssemblyError(line, f"unknown value {name!r}{self._hint(name, self._values)} ({hint})")

    def dynamic_address(self, line: int, name: str) -> int:
        if name in self._values:
            raise AssemblyError(line, f"{name!r} is no code label")
        return self.code.dynamic_address(line, name)

    def _define(self, cursor: Cursor, name: str) -> None:
        if name in REGISTERS or name == "pc":
            cursor.fail(f"{name!r} is reserved")
        if name in self._values or name in self.code.labels:
            cursor.fail(f"{name!r} is defined twice")

    # --- lines ---

    def read(self, cursor: Cursor) -> None:
        """Read one line."""
        while cursor.after == ":" and cursor.at_name():
            self._read_label(cursor)
        if not cursor.token:
            return
        word = cursor.name("a directive or an instruction")
        if word in self._directives:
            self._word = word
            self._directives[word](cursor)
        else:
            self._read_instruction(cursor, word)
        cursor.end()

    def unresolved(self) -> Iterator[AssemblyError]:
        """Uses of labels that are none, once every line is read."""
        for line, name in self.code.references():
            if name in self._values:
                yield AssemblyError(line, f"{name!r} is no code label")
            elif name not in self.code.labels:
                known = (label for label in self.code.labels if label[0] not in ":=")  # those are not the source's
                yield AssemblyError(line, f"unknown label {name!r}{self._hint(name, known)}")

    def finish(self) -> Program:
        """The program, once every line is read. Raises AssemblyError."""
        for error in self.unresolved():
            raise error
        code, starts = self.code.link()
        table, size = self.code.link_jump_table()
        try:
            blob = Blob(code, starts, table, size)
            if self._standard is None:
                return Program(blob)
            sections = Sections(bytes(self._data["rodata"]), bytes(self._data["data"]), **self._standard)
        except ProgramError as error:
            raise AssemblyError(self._format_line, str(error)) from None
        return Program(blob, sections, self._metadata)

    def _hint(self, word: str, known: Iterable[str]) -> str:
        hint = did_you_mean(word, known, 1) if self.hints else ""
        return f": {hint}" if hint else ""

    def _read_label(self, cursor: Cursor) -> None:
        name = cursor.take()
        cursor.take()
        self._define(cursor, name)
        if self._section in self._data:
            self._values[name] = self._data_address()
        else:
            self._section = "code"
            self.code.define(name)

    def _data_address(self) -> int:
        if self._section == "rodata":
            return ZONE_SIZE + len(self._data["rodata"])
        return 2 * ZONE_SIZE + round_up(len(self._data["rodata"]), ZONE_SIZE) + len(self._data["data"])

    # --- directives ---

    def _in_header(self, cursor: Cursor) -> None:
        if self._section != "header":
            cursor.fail(f"{self._word} comes before the sections")

    def _read_standard(self, cursor: Cursor) -> None:
        self._in_header(cursor)
        if self._format_line:
            cursor.fail("the format is given already")
        self._format_line = cursor.line
        stack, heap = DEFAULT_STACK, 0
        self._standard = {}  # known to the lines after this one, also when it is wrong
        while cursor.token:
            setting = cursor.name("stack= or heap=")
            cursor.expect("=")
            if setting == "stack":
                stack = self._number(cursor, 1 << 24)
            elif setting == "heap":
                heap = self._number(cursor, 1 << 16)
            else:
                cursor.fail(f"unknown setting {setting[:40]!r}: choose stack or heap")
            cursor.accept(",")
        self._standard = {"stack_size": stack, "heap_pages": heap}

    def _read_plain(self, cursor: Cursor) -> None:
        self._in_header(cursor)
        if self._format_line:
            cursor.fail("the format is given already")
        self._format_line = cursor.line

    def _read_metadata(self, cursor: Cursor) -> None:
        self._in_header(cursor)
        if self._standard is None:
            cursor.fail(".metadata needs .standard before it")
        self._metadata = (self._metadata or b"") + cursor.octets()

    def _begin_section(self, cursor: Cursor) -> None:
        section, before = self._word[1:], self._section
        self._section = section  # also when it is wrong, lest every line in it be wrong, too
        if section in self._data and self._standard is None:
            cursor.fail(f"{self._word} needs .standard before it: a plain program has no data")
        if _SECTIONS.index(section) <= _SECTIONS.index(before):
            cursor.fail(f"{self._word} comes after .{before}: sections come once, in the order rodata data code")

    def _section_data(self, cursor: Cursor) -> bytearray:
        if self._section not in self._data:
            cursor.fail(f"{self._word} belongs into .rodata or .data")
        return self._data[self._section]

    def _append(self, cursor: Cursor, octets: bytes) -> None:
        data = self._section_data(cursor)
        if len(data) + len(octets) >= MAX_DATA:
            cursor.fail(f".{self._section} has {MAX_DATA} bytes or more")
        data += octets

    def _read_octets(self, cursor: Cursor) -> None:
        self._append(cursor, cursor.string() if self._word == ".ascii" else cursor.octets())

    def _read_zero(self, cursor: Cursor) -> None:
        data, size = self._section_data(cursor), self._number(cursor, MAX_DATA)
        if self._word == ".align":
            size = -len(data) % size if size else 0
        self._append(cursor, bytes(size))

    def _read_numbers(self, cursor: Cursor) -> None:
        bits = int(self._word[2:])
        octets = bytearray()
        while True:
            number = cursor.sum()
            if not -(1 << (bits - 1)) <= number < 1 << bits:
                cursor.fail(f"{_short(number)} does not fit {bits} bits")
            octets += (number & ((1 << bits) - 1)).to_bytes(bits // 8, "little")
            if not cursor.accept(","):
                break
        self._append(cursor, bytes(octets))

    def _read_raw(self, cursor: Cursor) -> None:
        word = self._word
        self._in_code(cursor)
        octets = cursor.octets()
        if not octets:
            cursor.fail(f"{word} without octets")
        self.code.write(cursor.line, octets, marked=word == ".raw")

    def _read_constant(self, cursor: Cursor) -> None:
        name = cursor.name("a name")
        self._define(cursor, name)
        try:
            cursor.expect(",")
            value = cursor.sum()
            if abs(value) >= _CONSTANT_LIMIT:
                cursor.fail(f"the constant is {_short(value)}")
        except AssemblyError:
            self._values[name] = 0  # one error is enough for a name: its uses are none
            raise
        self._values[name] = value

    def _read_jump_table(self, cursor: Cursor) -> None:
        if cursor.accept_setting("entry_size"):
            self.code.set_entry_size(cursor.line, self._number(cursor, MAX_ENTRY_SIZE + 1))
        if cursor.accept_setting("count"):
            return self.code.add_zero_entries(cursor.line, self._number(cursor, MAX_ENTRIES + 1))
        while cursor.token:
            if cursor.at_name() and cursor.token not in self._values:
                self.code.add_entry(cursor.line, cursor.take())
            else:
                self.code.add_entry(cursor.line, self._number(cursor, 1 << 8 * MAX_ENTRY_SIZE))
            if not cursor.accept(","):
                break

    def _number(self, cursor: Cursor, limit: int) -> int:
        number = cursor.sum()
        if not 0 <= number < limit:
            cursor.fail(f"{_short(number)} is not in 0 … {_short(limit - 1)}")
        return number

    # --- instructions ---

    def _in_code(self, cursor: Cursor) -> None:
        section, self._section = self._section, "code"
        if section in self._data:
            cursor.fail("instructions belong into .code")

    def _read_instruction(self, cursor: Cursor, word: str) -> None:
        opcode = self._spec.opcodes.get(word)
        if opcode is None and word == "call":
            self._in_code(cursor)
            return self._read_call(cursor)
        if opcode is None and word == "ret":
            self._in_code(cursor)
            return self._write(cursor, "jump_ind", {"a": 0, "x": 0}, {})
        if opcode is None:
            if word in BY_NAME:
                cursor.fail(f"{word} is no instruction of {self._spec.name}{elsewhere(word)}")
            known = [*self._spec.opcodes, *self._directives, "call", "ret"]
            cursor.fail(f"unknown instruction {word[:40]!r}{self._hint(word, known)}")
        self._in_code(cursor)
        values: dict[str, int | str] = {}
        widths: dict[str, int] = {}
        operands, form = operands_of(BY_NAME[word]), usage(BY_NAME[word])
        for index, operand in enumerate(operands):
            if index and not cursor.accept(","):
                cursor.fail(f"{word} takes {counted(len(operands), 'operand')}: {form}", here=True)
            self._read_operand(cursor, word, operand, values, widths)
        if cursor.token:
            cursor.fail(f"too much after the operands of {word}: {form}", here=True)
        return self._write(cursor, word, values, widths)

    def _read_call(self, cursor: Cursor) -> None:
        register = 0
        if cursor.token in REGISTERS:
            register = REGISTERS[cursor.take()]
            cursor.expect(",")
        values: dict[str, int | str] = {"a": register}
        widths: dict[str, int] = {}
        self._read_target(cursor, "y", values, widths)
        after = self.code.label_in_table(cursor.line)
        values["x"] = self.code.dynamic_address(cursor.line, after)
        self._write(cursor, "load_imm_jump", values, widths)
        self.code.define(after)

    def _write(self, cursor: Cursor, name: str, values: dict[str, int | str], widths: dict[str, int]) -> None:
        self.code.write_instruction(cursor.line, BY_NAME[name].format, self._spec.opcodes[name], values, widths)

    def _read_operand(
        self, cursor: Cursor, word: str, operand: Operand, values: dict[str, int | str], widths: dict[str, int]
    ) -> None:
        field = operand.immediate
        if operand.kind is Kind.TARGET:
            return self._read_target(cursor, field, values, widths)
        if operand.kind is Kind.MEMORY:
            cursor.expect("[")
        if operand.register:
            if cursor.token not in REGISTERS:
                cursor.fail(f"expected a register in {usage(BY_NAME[word])}, found {cursor.token[:40]!r}", here=True)
            values[operand.register] = REGISTERS[cursor.take()]
        if field:
            values[field] = 0
            if not operand.register or cursor.token in ("+", "-"):
                self._read_immediate(cursor, word, operand, values, widths)
        if operand.kind is Kind.MEMORY:
            cursor.expect("]")
        return None

    def _read_immediate(
        self, cursor: Cursor, word: str, operand: Operand, values: dict[str, int | str], widths: dict[str, int]
    ) -> None:
        field = operand.immediate
        value = cursor.sum()
        wide = any(f.wide for f in BY_NAME[word].format.immediates)
        if wide:
            if not -(1 << 63) <= value < 1 << 64:
                cursor.fail(f"{_short(value)} does not fit 64 bits")
        else:
            if 1 << 31 <= value < 1 << 32 and operand.wraps:
                value -= 1 << 32
            if (1 << 64) - (1 << 31) <= value < 1 << 64:
                value -= 1 << 64
            if not -(1 << 31) <= value < 1 << 31:
                cursor.fail(f"{_short(value)} does not fit a sign-extended immediate of 4 octets")
            self._read_width(cursor, field, widths)
        values[field] = value

    def _read_width(self, cursor: Cursor, field: str, widths: dict[str, int]) -> None:
        if cursor.accept("/"):
            widths[field] = self._number(cursor, MAX_WIDTH + 1)

    def _read_target(
        self, cursor: Cursor, field: str, values: dict[str, int | str], widths: dict[str, int]
    ) -> None:
        """A target: a label stays a name, `pc ± N` becomes the offset; a pc becomes a label of its own."""
        if cursor.token == "pc":
            cursor.take()
            if cursor.token not in ("+", "-"):
                cursor.fail("expected + or - after pc", here=True)
            offset = cursor.sum()
            if width_of(offset) > MAX_WIDTH:
                cursor.fail(f"{_short(offset)} does not fit an offset of 4 octets")
            values[field] = offset
        elif cursor.at_name() and cursor.token not in REGISTERS and cursor.token not in self._values:
            values[field] = cursor.take()
        elif cursor.token[:1].isdigit() or cursor.token in ("-", *self._values):
            values[field] = self.code.label_of_pc(cursor.sum())
            widths[field] = MAX_WIDTH
        else:
            cursor.fail(f"expected a label as target, found {cursor.token[:40]!r}", here=True)
        self._read_width(cursor, field, widths)


def _short(number: int) -> str:
    """A number in a message; Python refuses to print the longest in decimal."""
    return str(number) if abs(number) < _CONSTANT_LIMIT else f"a number of {number.bit_length()} bits"
