"""RISC-V to PVM: objects and archives that compilers make, linked to one program.

In: octets of ELF files (RV64E with M, A, Zbb, and C's short forms) and `Options`. Out: a `Linked`, whose `program` is a
`pvm.Program`. The passes, each over frozen values, in their order: `elf` and `archive` read, `resolve` finds what names
mean, `reach` keeps what the entry points need, `layout` gives addresses, `lower` makes PVM instructions of RISC-V's,
`fuse` and `dead` make them fewer, `write` encodes them. All take linear time, and none recurses on what it reads.
"""

from pvm.link.link import Linked, Options, is_linkable, link

__all__ = ["Linked", "Options", "is_linkable", "link"]


def __dir__() -> list[str]:
    return __all__
