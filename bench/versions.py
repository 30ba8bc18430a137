# SPDX-License-Identifier: BSD-3-Clause
"""Print, as Markdown, what calls cost in two versions of fastloss, and whether results differ.

Each version is given as the Python interpreter of an environment that has it, and runs in a process
of its own on the same arrays. The two take turns and never run at the same time, so that a slow
phase of the machine hits them alike. The ratio is the median over the turns, with its quartiles;
the difference is the largest one, in ULP of the result's type.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastloss as fl
from fastloss.bench.problems import DTYPES, Problem, parse_shape, problems

WORKER = Path(__file__).with_name("version_worker.py")
LEAST_NANOSECONDS = 2_000_000  # of one measurement


class Version:
    """A process that has one version of fastloss, and waits except while it is asked."""

    def __init__(self, python: str, isa: str | None) -> None:
        environment = {**os.environ, **({"FASTLOSS_ISA": isa} if isa else {})}
        self._process = subprocess.Popen(
            [python, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self.about = self.ask("about")
        self.losses = self.ask("losses")

    def ask(self, name: str, *arguments: Any) -> Any:
        """Send a request and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((name, arguments), self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)


def parts(result: Any) -> list[NDArray[Any]]:
    """Return the numbers and arrays of a result in their order."""
    if isinstance(result, tuple):
        return [part for inner in result for part in parts(inner)]
    return [np.asarray(result)]


def difference(base: Any, head: Any) -> float:
    """Return the largest difference of two results in ULP; NaN is no different from NaN."""
    largest = 0.0
    for a, b in zip(parts(base), parts(head), strict=True):
        differs = (a != b) & ~(np.isnan(a) & np.isnan(b))
        if differs.any():
            ulp = np.spacing(np.maximum(np.abs(a), np.abs(b)))
            largest = max(largest, float(np.max(np.abs(a - b)[differs] / ulp[differs])))
    return largest


def turns(base: Version, head: Version, repeats: int) -> list[tuple[float, float]]:
    """Measure what was prepared: the times of both, as often as is asked."""
    slower = max(version.ask("measure", 1) for version in (base, head, base, head))
    number = 1 + int(LEAST_NANOSECONDS / slower)
    times = []
    for turn in range(repeats):
        order = (base, head) if turn % 2 == 0 else (head, base)
        measured = {version: version.ask("measure", number) for version in order}
        times.append((measured[base], measured[head]))
    return times


def compare(
    base: Version, head: Version, rows: Iterable[Problem], given: argparse.Namespace
) -> Iterator[str]:
    """Measure every row with every method and number of threads."""
    yield "| loss | size | dtype | threads | method | base, µs | head, µs | head/base | ULP |"
    yield "|:-----|-----:|:------|--------:|:-------|---------:|---------:|----------:|----:|"
    for row in rows:
        arguments = tuple(row.draw().values())
        for method in given.methods:
            for threads in given.threads:
                request = (row.loss.__name__, method, threads, arguments)
                differs = difference(*(v.ask("prepare", *request) for v in (base, head)))
                times = turns(base, head, given.repeats)
                by_base, by_head = (median(column) / 1e3 for column in zip(*times, strict=True))
                low, middle, high = quantiles([h / b for b, h in times], n=4)
                cells = [row.loss.__name__, row.size, row.dtype, str(threads), method]
                cells += [f"{by_base:.2f}", f"{by_head:.2f}"]
                cells += [f"{middle:.3f} ({low:.3f} to {high:.3f})", f"{differs:.3g}"]
                yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print the table."""
    about, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=more)
    parser.add_argument("base", help="the Python interpreter that has the older version")
    parser.add_argument("head", nargs="?", default=sys.executable, help="default: this one")
    parser.add_argument("--losses", nargs="+", help="default: all that both have")
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=parse_shape,
        help="such as 1000 or 4096x1000; default: the table's",
    )
    parser.add_argument("--dtypes", nargs="+", default=DTYPES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--methods", nargs="+", default=["value", "value_and_grad"])
    parser.add_argument("--isa", help="the CPU level; default: the best")
    parser.add_argument("--repeats", type=int, default=31, help="turns of each version")
    given = parser.parse_args()

    base, head = Version(given.base, given.isa), Version(given.head, given.isa)
    for name, version in (("base", base), ("head", head)):
        print(name, *(f"{key} {x}" for key, x in version.about.items()), sep=", ", end="  \n")
    print()
    common = [name for name in base.losses if name in head.losses]
    losses = [fl.losses[name] for name in given.losses or common]
    rows = problems(losses, given.dtypes, given.sizes)
    for line in compare(base, head, rows, given):
        print(line, flush=True)


if __name__ == "__main__":
    main()
