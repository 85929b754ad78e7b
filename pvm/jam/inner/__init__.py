"""Inner machines of refine (B.3): the paper's dictionary m of programs with memory and pc."""

from __future__ import annotations

from pvm.jam.inner.machines import InnerMachines, Ran
from pvm.jam.inner.pages import Pages

__all__ = ["InnerMachines", "Pages", "Ran"]
