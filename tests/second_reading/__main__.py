"""Programs of the corner families on all engines against the second reading, as many as wanted:

    python -m tests.second_reading --count 100000 --workers 2

The families take turns, seed by seed. Prints every difference with the options that run its program again, and ends
with status 1 if there is one. The tests run a few hundred of the same programs.
"""

from __future__ import annotations

import argparse
import sys
import time

from pvm.fuzz import CORNERS
from tests.second_reading.comparison import task
from wasm_host.jobs import open_workers, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.second_reading", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="programs")
    parser.add_argument("--seed", type=int, default=0, help="the first program's seed")
    parser.add_argument("--kind", choices=CORNERS, help="one family alone")
    parser.add_argument("--workers", type=int, help="processes")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    items = ((options.kind or CORNERS[seed % len(CORNERS)], seed) for seed in seeds)
    began, done, failed = time.monotonic(), 0, 0
    with open_workers(options.workers, None) as workers:
        for _, compared in run(task(), items, workers, together=8):
            done += 1
            if compared.difference is not None:
                failed += 1
                again = f"--kind {compared.family} --seed {compared.seed} --count 1"
                print(f"{again}: {compared.difference}", flush=True)
            if done % 1000 == 0:
                took = time.monotonic() - began
                print(f"{done} programs, {failed} differ, {took:.0f} s", file=sys.stderr, flush=True)
    print(f"{done} programs, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
