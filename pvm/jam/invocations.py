"""The invocations of services (B.2 to B.4) on any engine.

In: an engine, constants, what the chain knows. Out: values. The machine is that of A.8 (`pvm.invocation`), and its host
calls are those of `pvm.jam.host_calls`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvm.jam.accounts import Deposits
from pvm.jam.inputs import Input
from pvm.jam.partial_state import Accumulated, PartialState
from pvm.machine import AnyEngine


def accumulate(
    engine: AnyEngine, constants: Deposits, state: PartialState, slot: int, service: int, gas: int,
    inputs: Sequence[Input], entropy: bytes,
) -> Accumulated:  # fmt: skip
    """Ψ_A (B.4): a service accumulates.

    `slot` is τ', which is also H_t; `gas` the limit, `inputs` the transfers to it, then its operands; `entropy` η'_0.
    Nothing that is given changes: the result's accounts are a layer on those of `state`. A service that does not exist
    or has no code takes what is transferred to it, if it exists, and uses no gas.
    """
    raise NotImplementedError
