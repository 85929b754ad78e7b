"""A bench for tests of services: a small world in which they refine and accumulate, on any engine.

In: services' code. Out: `World`. `README.md` beside this shows it; `wasm_host.pytest_plugin` has a fixture for pytest.
"""

from __future__ import annotations

from pvm.jam.inputs import Transfer, WorkError
from pvm.jam.partial_state import Privileges
from pvm.jam.testing.outcome import Change, Invocation, Outcome
from pvm.jam.testing.runs import Run
from pvm.jam.testing.services import Refinement, Service, ServiceFailed
from pvm.jam.testing.world import World

__all__ = [
    "Change", "Invocation", "Outcome", "Privileges", "Refinement", "Run", "Service", "ServiceFailed", "Transfer",
    "WorkError", "World",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
