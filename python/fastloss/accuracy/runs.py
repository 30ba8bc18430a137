# SPDX-License-Identifier: BSD-3-Clause
"""Runs of many measurements: what is measured, on as many processes as asked for."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

import fastloss as fl
from fastloss.accuracy import points
from fastloss.accuracy.measurement import Worst, measure
from fastloss.accuracy.settings import Setting, defaults_of, variations
from fastloss.families import Bounds, Loss

BLOCK = 1 << 16
PATTERNS_AT_ONCE = 1 << 20

OTHER = "other parameters"

Results = dict[tuple[str, str], Worst]
"""By the setting's group ("labels", "other parameters"...) and the result's name."""


@dataclass(frozen=True)
class Job:
    """One call of a kernel: drawn arguments, or consecutive patterns of a float32."""

    loss: str
    dtype: str
    setting: int  # its number in `settings`
    variant: int  # the seed, or which target goes with the patterns
    start: int | None = None  # the first pattern


def settings(loss: Loss) -> list[Setting]:
    """Return the settings of a loss that have bounds."""
    return [
        setting
        for base in defaults_of(loss)
        for setting in variations(base)
        if all(setting.is_default(name) for name in loss.accuracy.uncovered)
    ]


def group(setting: Setting) -> str:
    """Name the bounds that a setting has."""
    if not all(setting.is_default(name) for name in setting.parameters):
        return OTHER
    return setting.target_kind or "defaults"


def bounds(loss: Loss, group: str) -> Bounds:
    """Return the bounds of a group of settings."""
    if group == OTHER:
        return loss.accuracy.otherwise
    return loss.accuracy.soft if group == "probabilities" else loss.accuracy.ulp


def sampled(loss: Loss, dtype: str, count: int) -> list[Job]:
    """Plan about `count` drawn points, spread over the settings; the defaults get most."""
    every = settings(loss)
    defaults = [i for i, s in enumerate(every) if group(s) != OTHER]
    order = [i for i in range(len(every)) for i in (i, *defaults)]
    jobs = max(count // BLOCK, len(order))
    return [
        Job(loss.__name__, dtype, order[i % len(order)], 1 + i // len(order)) for i in range(jobs)
    ]


def exhaustive(loss: Loss) -> list[Job]:
    """Plan all float32 patterns of an input, with defaults: for two targets each, or in rows.

    Of a sample, in which every element changes the others' results, there are none.
    """
    default = next(i for i, setting in enumerate(settings(loss)) if group(setting) != OTHER)
    variants = {"pointwise": 2, "rowwise": 1, "overlap": 1}.get(loss.family, 0)
    return [
        Job(loss.__name__, "float32", default, variant, start)
        for variant in range(variants)
        for start in range(0, points.PATTERNS, PATTERNS_AT_ONCE)
    ]


def run(jobs: list[Job], processes: int, tick: Callable[[int], None]) -> Results:
    """Do the jobs and return the largest errors."""
    found: Results = {}
    with multiprocessing.get_context("spawn").Pool(processes, fl.set_num_threads, (1,)) as pool:
        for done, part in enumerate(pool.imap_unordered(_do, jobs, chunksize=4), 1):
            for key, worst in part.items():
                found.setdefault(key, Worst()).add(worst)
            tick(done)
    return found


def _do(job: Job) -> Results:
    loss = fl.losses[job.loss]
    setting = settings(loss)[job.setting]
    dtype = np.dtype(job.dtype)
    parameters = points.rounded(setting.parameters, dtype)
    if job.start is None:
        arrays = points.drawn(setting, dtype, BLOCK, job.variant)
    else:
        arrays = points.consecutive(setting, job.start, PATTERNS_AT_ONCE, job.variant)
    found = measure(setting, arrays, parameters)
    return {(group(setting), name): worst for name, worst in found.items()}


def missed(loss: Loss, results: Results) -> Iterator[str]:
    """Yield a sentence for each result that exceeds its bound."""
    for (name, result), worst in results.items():
        allowed = getattr(bounds(loss, name), result.partition("[")[0])
        for kind, largest in ("", worst.ulp), ("subnormal ", worst.spacings):
            if largest.error > allowed:
                yield (
                    f"{loss.__name__}, {name}: {kind}{result} is off by {largest.error:.3g} "
                    f"instead of {allowed} ULP at {largest.inputs}"
                )
