# SPDX-License-Identifier: BSD-3-Clause
"""The rows that `python -m fastloss accuracy` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy_quaddtype  # noqa: F401 (what exact results in double precision need)
from rich.console import Console
from rich.progress import Progress

from fastloss.accuracy import runs
from fastloss.accuracy.measurement import Largest
from fastloss.families import Loss

WIDTHS = (34, 9, 17, 13, 9, 6, 10, 9)
TITLES = ("loss", "dtype", "with", "result", "max ULP", "bound", "subnormal", "points")


def print_rows(
    losses: Iterable[Loss], dtypes: Iterable[str], points: int, exhaustive: bool, processes: int
) -> int:
    """Measure the losses and print a row for each result; return 1 if a bound is missed."""
    missed: list[str] = []
    print(_line(TITLES), "worst at", sep="")
    for loss in losses:
        for dtype in dtypes:
            results = measured(loss, dtype, points, exhaustive, processes)
            for row in rows(loss, dtype, results):
                print(row)
            missed += runs.missed(loss, results)
    print(*missed, sep="\n")
    return 1 if missed else 0


def measured(loss: Loss, dtype: str, points: int, exhaustive: bool, processes: int) -> runs.Results:
    """Measure one loss and show how far that is."""
    jobs = runs.sampled(loss, dtype, points)
    if exhaustive and dtype == "float32":
        jobs += runs.exhaustive(loss)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{loss.__name__} {dtype}", total=len(jobs))
        return runs.run(jobs, processes, lambda done: progress.update(task, completed=done))


def rows(loss: Loss, dtype: str, results: runs.Results) -> Iterator[str]:
    """Yield the lines of the results of a loss."""
    for (group, result), worst in sorted(results.items()):
        bound = getattr(runs.bounds(loss, group), result.partition("[")[0])
        cells = (
            loss.__name__,
            dtype,
            group,
            result,
            f"{worst.ulp.error:.3f}",
            f"{bound:g}",
            f"{worst.spacings.error:.3f}",
            f"{worst.points:g}",
        )
        yield _line(cells) + place(worst.ulp)


def place(largest: Largest) -> str:
    """Say where an error is, shortly."""
    if largest.inputs is None or largest.error == 0:
        return ""
    return ", ".join(
        f"{name}={x!r}" if not isinstance(x, list) or len(x) < 4 else f"{name}: {len(x)} numbers"
        for name, x in (largest.inputs["arrays"] | largest.inputs["parameters"]).items()
    )


def _line(cells: Iterable[str]) -> str:
    return "".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))
