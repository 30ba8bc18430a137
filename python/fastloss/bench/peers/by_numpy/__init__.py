# SPDX-License-Identifier: BSD-3-Clause
"""Mean and gradient of each loss as a careful NumPy user writes them.

A spelling is a function of its loss's name in a module of this package. They are in the dtype of
their arguments and stable, share what value and gradient have in common, and write over temporaries
where that is as readable. None calls the BLAS, whose threads would make the comparison depend on
NumPy's build. A loss without a spelling is represented by its reference, which is slower. NumPy
uses one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastloss.bench.peers import Call, Contestant, ValueAndGrad
from fastloss.bench.peers.by_numpy import (
    binary,
    boxes,
    counts,
    distributions,
    embeddings,
    labels,
    ranking,
    regression,
    robust,
    segmentation,
    survival,
)
from fastloss.bench.problems import Arrays, Problem
from fastloss.losses import losses

DISTRIBUTION = "numpy"
NAME = "NumPy"

MODULES = (
    regression,
    robust,
    binary,
    counts,
    labels,
    distributions,
    segmentation,
    embeddings,
    boxes,
    survival,
    ranking,
)
SPELLINGS: dict[str, Callable[..., ValueAndGrad]] = {
    name: spelling
    for module in MODULES
    for name, spelling in vars(module).items()
    if name in losses
}


def contestants(threads: int) -> list[Contestant]:
    """Return NumPy; its threads need no limit."""
    del threads
    return [Contestant(NAME, prepare)]


def prepare(problem: Problem, arrays: Arrays) -> Call:
    """Return the careful spelling, or the reference."""
    loss = problem.loss
    spelling = SPELLINGS.get(loss.__name__, loss.reference.value_and_grad)
    return Call(partial(spelling, *arrays.values()))
