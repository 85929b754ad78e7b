"""How gas is charged: the three meterings, and which of them a version of the specification means.

In: what a caller asks for. Out: the name of a metering, or the pair that it stands for.

| metering | a block costs | charged |
|---|---|---|
| `instruction` | 1 an instruction | instruction by instruction (0.7.2) |
| `block` | 1 an instruction | when it is entered |
| `pipeline` | what `pvm.gas.pipeline` says | when it is entered (0.8.0) |
"""

from __future__ import annotations

from pvm.errors import InputError
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.suggestions import unknown

INSTRUCTION, BLOCK, PIPELINE = "instruction", "block", "pipeline"
METERINGS: tuple[str, ...] = (INSTRUCTION, BLOCK, PIPELINE)
FLAT = "flat"
MODELS: tuple[str, ...] = (FLAT, PIPELINE)


def check_metering(metering: str) -> str:
    """`metering` itself. Raises InputError for an unknown one."""
    if metering not in METERINGS:
        raise InputError(unknown("metering", metering, METERINGS))
    return metering


def choose_metering(spec: Spec | str, metering: str | None = None, gas: str | None = None) -> str:
    """The metering that is meant by a version, a metering and a gas model, each None where it does not matter.

    Without either it is the specification's own: `pipeline` where blocks are priced by the model of A.9, which is in
    0.8.0, else `instruction`. The model "flat" takes 1 an instruction, by instruction unless `metering` says by block.
    Raises InputError for unknown names, and for two that contradict each other.
    """
    spec = find_spec(spec)
    if metering is not None:
        check_metering(metering)
    if gas is not None and gas not in MODELS:
        raise InputError(unknown("gas model", gas, MODELS))
    if gas == PIPELINE or (gas is None and metering is None and spec.prices_blocks):
        if metering == INSTRUCTION:
            raise InputError("gas model 'pipeline': it has prices of blocks, none of instructions (metering)")
        return PIPELINE
    if gas == FLAT and metering == PIPELINE:
        raise InputError("gas model 'flat': metering 'pipeline' is the other model")
    return metering or INSTRUCTION
