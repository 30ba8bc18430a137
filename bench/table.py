# SPDX-License-Identifier: BSD-3-Clause
"""Print, as Markdown, how many times faster than NumPy value and gradient are, and what calls cost.

All contestants are timed in turns in one process, so that a slow phase of the machine hits them
alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from timeit import Timer

import cpuinfo
import numpy as np

import fastloss as fl
from contests import CONTESTANTS, NUMPY, SHAPES, Contest, Row
from fastloss.families import Loss

REPEATS = 9
LEAST_NANOSECONDS = 20_000_000  # of one measurement
SMALL = {"pointwise": (8,), "rowwise": (1, 8)}


def median_nanoseconds(timers: Mapping[str, tuple[Timer, int]]) -> dict[str, float]:
    """Return the median time of a call by each contestant, given its timer and threads."""

    def measure(name: str, number: int) -> float:
        timer, threads = timers[name]
        with fl.threads(threads):
            return timer.timeit(number) / number

    for name in timers:
        measure(name, 1)
    numbers = {name: 1 + int(LEAST_NANOSECONDS / measure(name, 1)) for name in timers}
    measured: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(REPEATS):
        for name, number in numbers.items():
            measured[name].append(measure(name, number))
    return {name: median(times) for name, times in measured.items()}


def timer(statement: str | Callable[[], object], **names: object) -> Timer:
    """Return a timer that counts nanoseconds."""
    return Timer(statement, timer=time.perf_counter_ns, globals=names)


def ratios(losses: list[Loss], dtype: str, threads: int) -> Iterator[str]:
    """Compare value and gradient with NumPy's on the large shapes of each loss."""
    yield f"| loss | size | NumPy, ms | 1 thread | {threads} threads |"
    yield "|:-----|-----:|----------:|---------:|----------:|"
    for loss in losses:
        for shape in SHAPES[loss.family][-2:]:
            contest = Contest(Row(loss, dtype, shape))
            contest.check()
            times = median_nanoseconds(
                {
                    name: (timer(contest.function(name)), count or threads)
                    for name, count in CONTESTANTS.items()
                }
            )
            by_numpy = times.pop(NUMPY)
            cells = [f"{by_numpy / 1e6:.3f}", *(f"{by_numpy / t:.1f}×" for t in times.values())]
            yield f"| {' | '.join([loss.__name__, contest.row.size, *cells])} |"


def overheads(losses: list[Loss], dtype: str) -> Iterator[str]:
    """Compare calls on 8 elements with np.add's."""
    a = np.ones(8, dtype)
    yield "| loss | value | value_and_grad, out= |"
    yield "|:-----|------:|---------------------:|"
    for loss in losses:
        contest = Contest(Row(loss, dtype, SMALL[loss.family]))
        names = {f"x{i}": x for i, x in enumerate(contest.arguments)}
        arguments = ", ".join(names)
        times = median_nanoseconds(
            {
                "add": (timer("add(a, b)", add=np.add, a=a, b=a.copy()), 1),
                "value": (timer(f"f({arguments})", f=loss, **names), 1),
                "value_and_grad": (
                    timer(
                        f"f({arguments}, out=out)",
                        f=loss.value_and_grad,
                        out=contest.out,
                        **names,
                    ),
                    1,
                ),
            }
        )
        add = times.pop("add")
        cells = [f"{t / add:.2f}" for t in times.values()]
        yield f"| {' | '.join([loss.__name__, *cells])} |"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("losses", nargs="*", default=list(fl.losses), help="default: all")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, default=fl.get_num_threads(), help="default: all")
    given = parser.parse_args()
    losses = [fl.losses[name] for name in given.losses]

    level = fl.show_config(mode="dicts")["isa"]
    print(f"{cpuinfo.get_cpu_info()['brand_raw']}, {level}, {given.threads} threads; {given.dtype}")
    print("\nTime of NumPy / time of fastloss, `value_and_grad` with `out=`, reduction `mean`:\n")
    for line in ratios(losses, given.dtype, given.threads):
        print(line, flush=True)
    print("\nCall with 8 elements, in calls of `np.add(a, b)`:\n")
    for line in overheads(losses, given.dtype):
        print(line, flush=True)


if __name__ == "__main__":
    main()
