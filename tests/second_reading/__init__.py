"""A second reading of the machine, written from the Gray Paper's text alone (appendix A of the tag v0.7.2, and the
sections of 0.8.0 that differ), to compare the engines with.

A fault that all engines inherit from the one decoder shows here: the reading imports nothing of `pvm`. It is slow, and
follows the text subsection by subsection. Where every implementation departs from the text, `machine.Practice` says so.

- code.py: A.1, A.2, A.3: deblob, skip, zeta, opcode, block starts
- operands.py: A.5.1 to A.5.13, what the octets of an instruction say
- mutations.py: A.5.1 to A.5.13, what instructions do
- machine.py: A.4 and A.1, the single step, the whole run, gas
- engine.py: the reading behind the interface of `pvm.machine`, which alone it imports, for comparisons
"""
