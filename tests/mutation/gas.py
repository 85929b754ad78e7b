"""Mutants of gas: of the models, of how they are chosen, and of charging by them. That a block costs at least 1 cannot be seen: no terminator takes less."""

from __future__ import annotations

from mutant import Edits, mutants

_OLDEST_FIRST = """            bits.set(self.ready.rotate_right(self.oldest)),  # bit 0 is the oldest one's
            while_(
                both(bits, self.starts),
                number.set(bits.trailing_zeros() + self.oldest),
"""

_GAS: Edits = {
    "pvm/gas/pipeline.py": (
        ("B9.cost", "SLACK = 3 ", "SLACK = 2 "),
        ("B9.start", "DECODE_SLOTS = 4 ", "DECODE_SLOTS = 5 "),
        ("B9.start", "STARTS = 5 ", "STARTS = 4 "),
        ("B9.start", "UNITS = (4, 4, 4, 1, 1)", "UNITS = (4, 4, 4, 2, 1)"),
        ("B9.start", "UNITS = (4, 4, 4, 1, 1)", "UNITS = (4, 4, 4, 1, 2)"),
        ("B9.order", "BUFFER = 32 ", "BUFFER = 31 "),
        ("B9.order", "elif processor.starts and (entry", "elif (entry"),
        ("B9.move", "if entry.writes & step.sources else entry.writes - written",
         "if entry.writes & step.sources else entry.writes"),
        ("B9.move", "entry.writes | written if", "entry.writes if"),
        ("B9.decode", "            entry.writes -= written\n        self.buffer", "            pass\n        self.buffer"),
        ("B9.decode", "tuple(entry for entry in self.buffer if entry.writes & step.sources)", "()"),
        ("B9.last", "if instruction.row.ends_block:", 'if instruction.row.name == "trap":'),
        ("B9.ready", "and all(not need.left for need in entry.needs)", "and all(need.left < 2 for need in entry.needs)"),
        ("B9.ready", "entry.state is _State.WAITING and self._fits(entry)", "entry.state is _State.WAITING"),
        ("B9.units", "                if entry.left == 1:\n", "                if entry.left == 0:\n"),
        ("B9.tick", "self.slots, self.starts = self.cycle + 1, DECODE_SLOTS, STARTS",
         "self.slots = self.cycle + 1, DECODE_SLOTS"),
        ("B9.tick", "while self.buffer and self.buffer[0]", "if self.buffer and self.buffer[0]"),
        ("B10.shifts", "overlaps = instruction.a == instruction.d if latency.first_source else bool(read & written)",
         "overlaps = bool(read & written)"),
        ("B10.overlap", "latency.slots_overlapping if overlaps else latency.slots", "latency.slots"),
        ("B10.branch", "for pc in (instruction.next_pc, target):", "for pc in (target,):"),
        ("B10.branch", "for pc in (instruction.next_pc, target):", "for pc in (instruction.next_pc,):"),
        ("B10.branch", 'rare = {spec.opcodes["trap"], ', 'rare = {'),
        ("B10.branch", ', spec.opcodes.get("unlikely")}', "}"),
    ),
    "pvm/gas/latencies.py": (
        ("B9.sources", "if not cmov_reads_destination and row.name", "if False and row.name"),
        ("D.cmov", "if not cmov_reads_destination and row.name", "if row.name"),
        ("B10.memory", "MEMORY_CYCLES = 25 ", "MEMORY_CYCLES = 24 "),
        ("B10.branch", "UNLIKELY_BRANCH_CYCLES = 1 ", "UNLIKELY_BRANCH_CYCLES = 2 "),
        ("B10.branch", "\nBRANCH_CYCLES = 20", "\nBRANCH_CYCLES = 19"),
        ("B10.table", '(4,   4, 4, _MULTIPLY, _names("mul_upper_s_s', '(6,   4, 4, _MULTIPLY, _names("mul_upper_s_s'),
        ("B10.table", "(2,   1, 1, _TWO_ALUS,", "(2,   1, 1, _ALU,"),
        ("B9.sources", "if isinstance(node, Reg)", 'if isinstance(node, Reg) and node.field != "d"'),
    ),
    "pvm/gas/schedule.py": (
        ("B9.order", "len(buffer) - oldest < BUFFER", "len(buffer) - oldest <= BUFFER"),
        ("B9.order", "done[oldest] + RETIRES_AFTER <= cycle:", "done[oldest] + 1 <= cycle:"),
        ("B9.move", "producer[written] = producer.get(source, -1)", "producer[written] = -1"),
        ("B9.ready", "if not waits[waiter] and waiter < fresh:", "if waiter < fresh:"),
        ("B9.units", "for place, count in enumerate(units))", "for place, count in enumerate(units[:3]))"),
        ("B9.tick", "if fresh < len(buffer) or (ready and not starts)", "if fresh < len(buffer) or (ready and starts)"),
        ("B9.cost", "RETIRES_AFTER = 2 ", "RETIRES_AFTER = 3 "),
    ),
    "pvm/emit/interpreter/costs.py": (
        ("B9.cost", "choose(self.last > SLACK - RETIRES_AFTER, self.last - (SLACK - RETIRES_AFTER), 1)", "self.last"),
        ("B9.start", "self.slots.set(DECODE_SLOTS)", "self.slots.set(DECODE_SLOTS + 1)"),
        ("B9.start", "self.starts.set(STARTS)", "self.starts.set(STARTS - 1)"),
        ("B9.start", "self.free.set(ALL_UNITS)", "self.free.set(ALL_UNITS - 1)"),
        ("B9.order", "(self.next - self.oldest).equals(BUFFER).code", "(self.next - self.oldest).equals(BUFFER - 1).code"),
        ("B9.order", _OLDEST_FIRST, _OLDEST_FIRST.replace("self.oldest", "self.oldest + 16")),
        ("B9.order", "value.set(choose(self.is_open, retires, _NEVER))", "value.set(_NEVER)"),
        ("B9.move", "_engine.word(_engine.byte(self.record, RECORD.a), abi.PRODUCERS)",
         "_engine.word(_engine.byte(self.record, RECORD.d), abi.PRODUCERS)"),
        ("B9.decode", "both(number >= self.oldest, _engine.word(_entry_of(number), _DONE) > self.cycle)",
         "_engine.word(_entry_of(number), _DONE) > self.cycle"),
        ("B9.decode", "_engine.set_word(_engine.byte(self.record + destination), self.next, abi.PRODUCERS)",
         "_engine.set_word(_engine.byte(self.record + destination), 0, abi.PRODUCERS)"),
        ("B9.last", "(_engine.byte(self.number, abi.OPERANDS) & abi.ENDS)",
         "(_engine.byte(self.number, abi.OPERANDS) & abi.TERMINATES)"),
        ("B9.ready", "when(~self.value, self.ready.set(self.ready | (needs & (0 - needs))))",
         "self.ready.set(self.ready | (needs & (0 - needs)))"),
        ("B9.ready", "((left + GUARDS) & GUARDS).equals(GUARDS)", "value_of(1)"),
        ("B9.units", "_engine.word(row, LATENCIES + _UNITS) & _UNITS_MASK", "_engine.word(row, LATENCIES + _UNITS) & 0xFFF"),
        ("B9.tick", "both(self.is_open, ~is_full)", "both(self.is_open, is_full)"),
        ("B9.sources", "sources = sources_of(row, spec.cmov_reads_destination)", "sources = sources_of(row, True)"),
        ("B10.overlap", '_engine.byte(row, LATENCIES + _OVERLAPPING),', '_engine.byte(row, LATENCIES + _SLOTS),'),
        ("B10.shifts", 'return ("a",) if latency.first_source else sources', "return sources"),
        ("B10.branch", "_is_rare(following) | _is_rare(_engine.word(self.record, RECORD.y))", "_is_rare(following)"),
        ("B10.branch", "choose(pc < Value(get_state(\"code_length\")), flags & _RARE, _RARE)",
         "choose(pc < Value(get_state(\"code_length\")), flags & _RARE, 0)"),
        ("B10.branch", "rare=row is not None)", "rare=True)"),
        ("B10.memory", "_engine.set_word(entry, choose(cycles, cycles, self._branch_cycles()), _OWN_CYCLES)",
         "_engine.set_word(entry, choose(cycles, cycles & 23, self._branch_cycles()), _OWN_CYCLES)"),
        ("B10.table", "packed_units(latency.units).to_bytes(3", "packed_units(latency.units[:4]).to_bytes(3"),
    ),
    "pvm/gas/flat.py": (
        ("D.block", "return len(block)", "return 1"),
        ("A1.always-charged", "return len(block)", 'return len(block) if block[0].row.name != "trap" else 0'),
    ),
    "pvm/gas/costs.py": (
        ("B4.block", "block.append(decode_at(blob, spec, block[-1].next_pc))\n    return block",
         "block.append(decode_at(blob, spec, block[-1].next_pc))\n    return block[-1:]"),
        ("B4.middle", "        firsts[pc] = first\n", "        firsts[pc] = pc\n"),
        ("D.block-trap", "ends = [(row or TRAP).ends_block for row", "ends = [row is not None and row.ends_block for row"),
        ("B4.cost", "    PIPELINE: _by_schedule,\n", "    PIPELINE: flat.price,\n"),
    ),
    "pvm/gas/metering.py": (
        ("D.instruction-080", "METERINGS: tuple[str, ...] = (INSTRUCTION, BLOCK, PIPELINE)",
         "METERINGS: tuple[str, ...] = (BLOCK, PIPELINE)"),
        ("B4.cost", "metering is None and spec.prices_blocks)", "metering is None and not spec.prices_blocks)"),
        ("D.pipeline-072", "if gas == PIPELINE or", "if (gas == PIPELINE and spec.prices_blocks) or"),
    ),
    "pvm/program/decode.py": (
        ("D.limits-080", "if len(blob.code) > MAX_CODE:", "if len(blob.code) >= MAX_CODE:"),
        ("D.limits-080", "if blob.jump_count > MAX_JUMP_TABLE:", "if blob.jump_count > 2 * MAX_JUMP_TABLE:"),
    ),
    "pvm/standalone/load.py": (
        ("D.limits-080", 'state("zero_entries") > MAX_JUMP_TABLE', 'state("zero_entries") > 2 * MAX_JUMP_TABLE'),
    ),
    "pvm/program/standard.py": (
        ("D.grow-heap", "STACK_END - round_up(self.stack_size, ZONE_SIZE) - ZONE_SIZE",
         "STACK_END - round_up(self.stack_size, PAGE_SIZE) - ZONE_SIZE"),
    ),
    "pvm/jam/host_calls/heap.py": (
        ("D.grow-heap", "        self.heap_page = heap_page\n", "        self.heap_page = self.heap_limit = heap_page\n"),
    ),
    "pvm/emit/interpreter/image.py": (
        ("B4.cost", '"pipeline": int(metering == PIPELINE)', '"pipeline": 0'),
        ("B4.block", '"metering": int(metering != INSTRUCTION)', '"metering": int(metering == PIPELINE)'),
    ),
    "pvm/emit/recompiler/unit.py": (
        ("B4.cost", "prices = [costs.at(block.pc) if charges", "prices = [block.rest if charges"),
    ),
    "wasm_host/machine/translated.py": (
        ("B4.flag", "self._by_block = metering != INSTRUCTION", 'self._by_block = metering == "block"'),
    ),
}  # fmt: skip

GAS = mutants(_GAS)
