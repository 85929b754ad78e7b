"""Mutants of the pipeline gas model. That a block costs at least 1 cannot be seen: no terminator takes less."""

from __future__ import annotations

from mutant import Edits, mutants

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
        ("B9.sources", 'if not cmov_reads_destination and row.name in ("cmov_iz", "cmov_nz"):', "if False:"),
        ("B10.shifts", "overlaps = instruction.a == instruction.d if latency.first_source else bool(read & written)",
         "overlaps = bool(read & written)"),
        ("B10.overlap", "latency.slots_overlapping if overlaps else latency.slots", "latency.slots"),
        ("B10.branch", "for pc in (instruction.next_pc, target):", "for pc in (target,):"),
        ("B10.branch", "for pc in (instruction.next_pc, target):", "for pc in (instruction.next_pc,):"),
        ("B10.branch", 'rare = {spec.opcodes["trap"], ', 'rare = {'),
        ("B10.branch", ', spec.opcodes.get("unlikely")}', "}"),
    ),
    "pvm/gas/latencies.py": (
        ("B10.memory", "MEMORY_CYCLES = 25 ", "MEMORY_CYCLES = 24 "),
        ("B10.branch", "UNLIKELY_BRANCH_CYCLES = 1 ", "UNLIKELY_BRANCH_CYCLES = 2 "),
        ("B10.branch", "\nBRANCH_CYCLES = 20", "\nBRANCH_CYCLES = 19"),
        ("B10.table", '(4,   4, 4, _MULTIPLY, _names("mul_upper_s_s', '(6,   4, 4, _MULTIPLY, _names("mul_upper_s_s'),
        ("B10.table", "(2,   1, 1, _TWO_ALUS,", "(2,   1, 1, _ALU,"),
        ("B9.sources", "if isinstance(node, Reg)", 'if isinstance(node, Reg) and node.field != "d"'),
    ),
}  # fmt: skip

GAS = mutants(_GAS)
