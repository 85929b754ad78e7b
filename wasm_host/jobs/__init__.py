"""One kind of work on many items: in this process, on processes of this machine, on a Dask cluster, on any executor.

In: a `Task`, items, workers. Out: numbered results as they come. What a lost worker had is done again.
"""

from wasm_host.jobs.executor import workers_of
from wasm_host.jobs.places import open_workers
from wasm_host.jobs.run import Session, Task, Workers, run

__all__ = ["Session", "Task", "Workers", "open_workers", "run", "workers_of"]
