"""The decoder inside the interpreter: instruction data to records, in one linear pass and two more over the records.

In: the code, bitmask and jump table in the engine memory. Out: functions `decode`, `resolve`, `locate`, `prepare`. The
operand formats are read from the same data as in `pvm.program.decode`; what is decoded is the same too.
"""

from __future__ import annotations

from pvm.abi import (
    CONDITIONAL,
    ENDS,
    FORMAT_MASK,
    HANDLERS,
    LATENCIES,
    OPERANDS,
    PADDING,
    PAIRS,
    RECORD,
    REGISTER_SIZE,
    TERMINATES,
    TRAITS,
    TRAP_RECORD,
    VALID,
)
from pvm.emit.state import ENGINE, add, get_byte, get_state, get_word, has, increment, set_byte, set_state, set_word
from pvm.isa.formats import FORMATS, Format, ImmediateField
from pvm.program.decode import LAST_REGISTER, MAX_SKIP
from pvm.wasm import I32, Function, FunctionType
from pvm.wasm.code import (
    block,
    br,
    br_if,
    br_table,
    call,
    i32_const,
    if_,
    load,
    local_get,
    local_set,
    local_tee,
    loop,
    op,
    store,
)

NAMES: tuple[str, ...] = ("decode", "resolve", "locate", "prepare")
TRAP_OPCODE = 0  # what stands for an opcode that the bitmask does not mark (A.5)
assert PADDING > MAX_SKIP  # `decode` reads a whole instruction without looking for the end of the code


def functions(index: dict[str, int], trap: int, stop: int) -> tuple[Function, ...]:
    """The functions named by `NAMES`; `index` has the indices of all functions of the module.

    `trap` and `stop` are the handlers of a panic and of leaving.
    """
    return (
        Function(FunctionType((I32, I32), (I32,)), (I32,) * 6, _decode(), "decode",
                 ("pc", "record", "at", "length", "operands", "x_length", "immediate", "octet")),
        Function(FunctionType((I32,), ()), (I32, I32), _resolve(trap), "resolve", ("record", "opcode", "target")),
        Function(FunctionType((), (I32,)), (I32, I32), _locate(trap), "locate", ("pc", "record")),
        Function(FunctionType(), (I32,) * 9, _prepare(index, trap, stop), "prepare",
                 ("pc", "record", "next", "start", "operands", "count", "handler", "following", "at")),
    )  # fmt: skip


def _is_marked(pc: bytes) -> bytes:
    return get_byte(add(get_state("starts"), pc))


def _opcode_at(pc: bytes) -> bytes:
    """The paper's opcode(n), but for undefined opcodes, which the tables by opcode make traps."""
    return get_byte(add(get_state("code"), pc)) + i32_const(TRAP_OPCODE) + _is_marked(pc) + op("select")


def opcode_of(record: bytes) -> bytes:
    """Push the opcode of a record whose pc lies within the code."""
    return _opcode_at(get_word(record, RECORD.pc))


def _table(table: int, opcode: bytes) -> bytes:
    return get_byte(opcode, table)


def index_of(pc: bytes) -> bytes:
    """Push the address of a pc's index entry."""
    return add(get_state("index"), pc + i32_const(2) + op("i32.shl"))


def _decode() -> bytes:
    """(pc, record) -> pc of the next instruction. Writes everything but `charge`; a target as a raw pc into y."""
    pc, record, at, length, operands, x_length, immediate, octet = range(8)
    # Octets to the next marked opcode, at most 25: the starts are followed by ones, so the search ends.
    measure = (
        add(get_state("starts"), local_get(pc)) + local_set(at)
        + i32_const(0) + local_set(length)
        + loop(
            increment(length, 1) + local_tee(length) + i32_const(MAX_SKIP + 1) + op("i32.lt_u")
            + if_(get_byte(add(local_get(at), local_get(length))) + op("i32.eqz") + br_if(1))
        )
    )  # fmt: skip
    head = (
        measure
        + add(get_state("code"), local_get(pc)) + local_set(at)
        + _opcode_at(local_get(pc)) + local_set(octet)
        + _table(OPERANDS, local_get(octet)) + local_set(operands)
        + set_byte(local_get(record), RECORD.handler, _table(HANDLERS, local_get(octet)))
        + set_word(local_get(record), RECORD.pc, local_get(pc))
    )  # fmt: skip
    result = add(local_get(pc), local_get(length))
    count = len(FORMATS)
    dispatch = has(local_get(operands), FORMAT_MASK) + br_table(range(count), 0)
    nest = dispatch
    for depth, format in enumerate(FORMATS):
        # Each format's code stands after its block and leaves by the outermost.
        nest = block(nest) + _operands(format, pc, record, at, length, x_length, immediate, octet)
        nest += br(count - 1 - depth)
    return head + block(nest) + result


def _operands(
    format: Format, pc: int, record: int, at: int, length: int, x_length: int, immediate: int, octet: int
) -> bytes:
    out = b""
    for register in format.registers:
        out += get_byte(local_get(at), register.octet) + i32_const(register.shift) + op("i32.shr_u")
        out += i32_const(register.mask) + op("i32.and") + local_set(octet)
        number = local_get(octet) + i32_const(LAST_REGISTER)
        number += local_get(octet) + i32_const(LAST_REGISTER) + op("i32.lt_u") + op("select")
        out += set_byte(
            local_get(record), getattr(RECORD, register.name), number + i32_const(REGISTER_SIZE) + op("i32.mul")
        )
    for field in format.immediates:
        if field.wide:
            out += local_get(record) + local_get(at) + load("i64.load", field.start, ENGINE, align=0)
            out += store("i64.store", RECORD.wide, ENGINE, align=0)
            continue
        out += _immediate(field, at, length, x_length, immediate)
        if field.offset:  # targets always go to y, whatever the paper calls them
            out += set_word(local_get(record), RECORD.y, add(local_get(pc), local_get(immediate)))
        else:
            out += set_word(local_get(record), getattr(RECORD, field.name), local_get(immediate))
    return out


def _immediate(field: ImmediateField, at: int, length: int, x_length: int, immediate: int) -> bytes:
    """Set the local `immediate`, and for x the local `x_length`."""
    if field.length_octet is not None:
        octets = get_byte(local_get(at), field.length_octet) + i32_const(field.length_shift) + op("i32.shr_u")
        octets += i32_const(7) + op("i32.and")
        out = _min4(octets, immediate)
    else:
        # length - 1 is the skip length; what it leaves may be negative
        left = local_get(length) + i32_const(1 + field.used) + op("i32.sub")
        if field.name == "y":
            left += local_get(x_length) + op("i32.sub")
        left += local_tee(immediate) + i32_const(0) + local_get(immediate) + i32_const(0) + op("i32.gt_s")
        left += op("select")
        out = _min4(left, immediate)
    start = add(local_get(at), field.start)
    if field.name == "y":
        start = add(start, local_get(x_length))
        octet_count = local_get(immediate)
    else:
        out += local_get(immediate) + local_set(x_length)
        octet_count = local_get(x_length)
    # shift left and back to extend the sign; 0 octets need care, because a shift by 32 is one by 0
    shift = i32_const(32) + octet_count + i32_const(3) + op("i32.shl") + op("i32.sub")
    extended = start + load("i32.load", 0, ENGINE, align=0) + shift + op("i32.shl") + shift + op("i32.shr_s")
    out += extended + i32_const(0) + octet_count + op("select") + local_set(immediate)
    return out


def _min4(value: bytes, local: int) -> bytes:
    """Set the local to the smaller of 4 and what `value` pushes."""
    return (
        value + local_tee(local) + i32_const(4) + local_get(local) + i32_const(4) + op("i32.lt_u") + op("select")
        + local_set(local)
    )  # fmt: skip


def _resolve(trap: int) -> bytes:
    """(record): replace a raw target in y by the record of that block start, or by 0 when it is none.

    Where the spec validates (0.8.0), a branch that has no block start behind or before it becomes a trap.
    """
    record, opcode, target = range(3)
    with_offset = sum(1 << i for i, f in enumerate(FORMATS) if any(field.offset for field in f.immediates))
    following = add(local_get(record), RECORD.size)
    check = (
        get_state("validates") + op("i32.eqz") + br_if(0)
        + has(_table(TRAITS, local_get(opcode)), CONDITIONAL) + op("i32.eqz") + br_if(0)
    )  # fmt: skip
    is_bad = local_get(target) + op("i32.eqz") + has(get_word(index_of(get_word(following, RECORD.pc))), 1)
    is_bad += op("i32.eqz") + op("i32.or")
    return block(
        opcode_of(local_get(record)) + local_set(opcode)
        + i32_const(with_offset) + has(_table(OPERANDS, local_get(opcode)), FORMAT_MASK) + op("i32.shr_u")
        + i32_const(1) + op("i32.and") + op("i32.eqz") + br_if(0)
        + block_start_record(get_word(local_get(record), RECORD.y), target)
        + set_word(local_get(record), RECORD.y, local_get(target))
        + check
        + is_bad
        + if_(set_byte(local_get(record), RECORD.handler, i32_const(trap)))
    )  # fmt: skip


def block_start_record(pc: bytes, target: int) -> bytes:
    """Set the local `target` to the record of the block that starts at the pc that `pc` pushes, or to 0."""
    return (
        pc + local_tee(target) + get_state("code_length") + op("i32.gt_u")
        + if_(
            i32_const(0) + local_set(target),
            get_word(index_of(local_get(target))) + local_tee(target) + i32_const(-2) + op("i32.and")
            + i32_const(0) + has(local_get(target), 1) + op("select") + local_set(target),
        )
    )  # fmt: skip


def _prepare(index: dict[str, int], trap: int, stop: int) -> bytes:
    pc, record, next_, start, operands, count, handler, following, at = range(9)
    size = RECORD.size
    is_opcode = _is_marked(local_get(pc))
    read_operands = _table(OPERANDS, _opcode_at(local_get(pc))) + local_set(operands)
    # A block starts only where a defined, marked opcode is (A.3).
    valid_here = is_opcode + has(local_get(operands), VALID) + i32_const(0) + op("i32.ne") + op("i32.and")
    only_valid = local_get(start) + valid_here + op("i32.and") + local_set(start)
    sweep = (
        get_state("records") + local_set(record)
        + i32_const(1) + local_set(start)
        + block(loop(
            local_get(pc) + get_state("code_length") + op("i32.ge_u") + br_if(1)
            + read_operands
            + only_valid
            + set_word(index_of(local_get(pc)), 0, local_get(record) + local_get(start) + op("i32.or"))
            + local_get(pc) + local_get(record) + call(index["decode"]) + local_set(next_)
            + is_opcode + has(local_get(operands), TERMINATES) + i32_const(0) + op("i32.ne") + op("i32.and")
            + local_set(start)
            + increment(record, size) + local_set(record)
            + local_get(next_) + local_set(pc)
            + br(0)
        ))
    )  # fmt: skip
    # The implicit trap after the code, where no block starts. In 0.8.0 the end cannot be entered: machines stop there,
    # for nothing, and the host finds that the pc is no entry.
    tail = (
        set_word(index_of(local_get(pc)), 0, local_get(record))
        + set_byte(local_get(record), RECORD.handler,
                   get_state("validates") + if_(i32_const(stop), i32_const(trap), result=I32))
        + set_word(local_get(record), RECORD.pc, local_get(pc))
        + set_word(local_get(record), RECORD.charge, get_state("validates") + op("i32.eqz"))
        + set_state("records_end", increment(record, size))
        # Of a trap that is all of its block, where there is no record. It stays when images leave LATENCIES behind.
        + set_word(i32_const(TRAP_RECORD), RECORD.charge, get_state("pipeline") + if_(
            get_byte(i32_const(TRAP_OPCODE << 3), LATENCIES), i32_const(1), result=I32
        ))
    )  # fmt: skip
    # What the pipeline model says is worked out before targets are records.
    costs = get_state("pipeline") + if_(call(index["costs"]))
    # Backwards: instructions to the end of the block, targets, pairs.
    fuse = (
        get_byte(
            add(local_get(handler) + i32_const(8) + op("i32.shl"), local_get(following)), PAIRS
        ) + local_tee(at)
        + if_(set_byte(local_get(record), RECORD.handler, local_get(at)))
    )  # fmt: skip
    backward = (
        i32_const(1) + local_set(count)
        + i32_const(trap) + local_set(following)
        + block(loop(
            local_get(record) + get_state("records") + op("i32.le_u") + br_if(1)
            + increment(record, -size) + local_set(record)
            + has(_table(OPERANDS, opcode_of(local_get(record))), ENDS)
            + if_(i32_const(1) + local_set(count), increment(count, 1) + local_set(count))
            + get_state("pipeline") + op("i32.eqz")
            + if_(set_word(local_get(record), RECORD.charge, local_get(count)))
            + local_get(record) + call(index["resolve"])
            + get_byte(local_get(record)) + local_set(handler)
            + local_get(count) + i32_const(1) + op("i32.ne") + if_(fuse)
            + local_get(handler) + local_set(following)
            + br(0)
        ))
    )  # fmt: skip
    # Forwards, where blocks cost what their instructions are: every record gets the charge of its block's first.
    by_instructions = get_state("metering") + get_state("pipeline") + op("i32.gt_u")
    forward = by_instructions + if_(
        get_state("records") + local_set(record)
        + i32_const(0) + local_set(count)
        + block(loop(
            local_get(record) + get_state("records_end") + op("i32.ge_u") + br_if(1)
            + get_word(local_get(record), RECORD.charge) + local_set(at)
            + local_get(count) + op("i32.eqz") + if_(local_get(at) + local_set(count))
            + set_word(local_get(record), RECORD.charge, local_get(count))
            + local_get(at) + i32_const(1) + op("i32.eq") + if_(i32_const(0) + local_set(count))
            + increment(record, size) + local_set(record)
            + br(0)
        ))
    )  # fmt: skip
    jumps = (
        get_state("jump_table") + local_set(at)
        + get_state("jump_count") + local_set(count)
        + block(loop(
            local_get(count) + op("i32.eqz") + br_if(1)
            + block_start_record(get_word(local_get(at)), next_)
            + set_word(local_get(at), 0, local_get(next_))
            + increment(at, 4) + local_set(at)
            + increment(count, -1) + local_set(count)
            + br(0)
        ))
    )  # fmt: skip
    return sweep + tail + costs + backward + forward + jumps


def _locate(trap: int) -> bytes:
    """() -> the record of the state's pc: that of a trap where no instruction is."""
    pc, record = range(2)
    nowhere = (
        set_byte(i32_const(TRAP_RECORD), RECORD.handler, i32_const(trap))
        + set_word(i32_const(TRAP_RECORD), RECORD.pc, local_get(pc))
        + i32_const(TRAP_RECORD)
    )  # fmt: skip
    within = get_word(index_of(local_get(pc))) + i32_const(-2) + op("i32.and")
    return (
        get_state("pc") + local_tee(pc) + get_state("code_length") + op("i32.gt_u")
        + if_(i32_const(0), within, result=I32) + local_tee(record)
        + if_(local_get(record), nowhere, result=I32)
    )  # fmt: skip
