# SPDX-License-Identifier: BSD-3-Clause
"""NumExpr: an expression per array, evaluated by all threads into preallocated arrays.

Its own sums use one thread and are less exact, so that the mean is left to NumPy.
"""

from __future__ import annotations

from typing import Any

import numexpr
import numpy as np

from fastloss.bench.peers import Call, Contestant
from fastloss.bench.problems import Arrays, Problem

DISTRIBUTION = "numexpr"

HUBER = {
    "d_pred": (
        "where(pred - target > 1, scale, where(pred - target < -1, -scale, (pred - target)*scale))"
    ),
    "terms": ("where(abs(pred - target) < 1, (pred - target)**2/2, (2*abs(pred - target) - 1)/2)"),
}

# In the order of evaluation: what later expressions share, the gradients as d_INPUT, and the terms.
# A number with a decimal point would make all of it double precision.
LOSSES: dict[str, dict[str, str]] = {
    "mse": {"d_pred": "2*(pred - target)*scale", "terms": "(pred - target)**2"},
    "mae": {
        "d_pred": "where(pred > target, scale, where(pred < target, -scale, 0))",
        "terms": "abs(pred - target)",
    },
    "huber": HUBER,
    "smooth_l1": HUBER,  # the same where beta is 1
    "binary_cross_entropy_with_logits": {
        "e": "exp(-abs(logits))",
        "d_logits": "(where(logits < 0, e, 1)/(1 + e) - target)*scale",
        "terms": "where(logits > 0, logits, 0) - target*logits + log1p(e)",
    },
    "gaussian_nll": {
        "v": "where(var < eps, eps, var)",
        "d_pred": "(pred - target)/v*scale",
        "d_var": "where(var > eps, (1/v - ((pred - target)/v)**2)/2*scale, 0)",
        "terms": "(log(v) + (pred - target)**2/v)/2",
    },
}


def contestants(threads: int) -> list[Contestant]:
    """Return NumExpr with this number of threads."""
    numexpr.set_num_threads(threads)
    return [Contestant("NumExpr", prepare)]


def prepare(problem: Problem, arrays: Arrays) -> Call | None:
    """Return the call, with an array for each expression."""
    expressions = LOSSES.get(problem.loss.__name__)
    if expressions is None:
        return None
    first = arrays[problem.loss.inputs[0]]
    number = first.dtype.type
    results = {name: np.empty_like(first) for name in expressions}
    names = {**arrays, **results, "scale": number(1 / first.size), "eps": number(1e-6)}
    gradients = tuple(results[f"d_{name}"] for name in problem.loss.inputs)
    terms = results["terms"]

    def compute() -> Any:
        for name, expression in expressions.items():
            numexpr.evaluate(expression, names, {}, out=results[name])
        return terms.mean(), gradients

    return Call(compute)
