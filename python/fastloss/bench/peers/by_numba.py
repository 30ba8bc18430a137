# SPDX-License-Identifier: BSD-3-Clause
"""Numba: one fused, parallel loop that writes the gradient, with fastmath and without.

Sums are in double precision, as `total = 0.0` makes them; all else in the arguments' type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numba
import numpy as np
from numba import prange

from fastloss.bench.peers import Call, Contestant
from fastloss.bench.problems import Array, Arrays, Problem

DISTRIBUTION = "numba"

# Besides its arguments and gradients, a loop takes 1 and 1/n in their type: a literal would be a
# double, and so would all that it meets.


def mse(pred: Array, target: Array, grad: Array, one: Any, scale: Any) -> float:
    """Squared error."""
    total = 0.0
    for i in prange(pred.size):
        r = pred[i] - target[i]
        total += r * r
        grad[i] = (r + r) * scale
    return total / pred.size


def mae(pred: Array, target: Array, grad: Array, one: Any, scale: Any) -> float:
    """Absolute error."""
    total = 0.0
    for i in prange(pred.size):
        r = pred[i] - target[i]
        total += abs(r)
        grad[i] = scale if r > 0 else (-scale if r < 0 else r)
    return total / pred.size


def huber(pred: Array, target: Array, grad: Array, one: Any, scale: Any) -> float:
    """Huber loss with delta = 1."""
    half = one / (one + one)
    total = 0.0
    for i in prange(pred.size):
        r = pred[i] - target[i]
        clipped = min(max(r, -one), one)
        total += clipped * (r - half * clipped)
        grad[i] = clipped * scale
    return total / pred.size


def binary_cross_entropy_with_logits(
    logits: Array, target: Array, grad: Array, one: Any, scale: Any
) -> float:
    """Binary cross-entropy."""
    total = 0.0
    for i in prange(logits.size):
        x, y = logits[i], target[i]
        e = math.exp(-abs(x))
        total += max(x, one - one) - y * x + math.log1p(e)
        grad[i] = ((e if x < 0 else one) / (one + e) - y) * scale
    return total / logits.size


def gaussian_nll(  # noqa: PLR0917
    pred: Array, target: Array, var: Array, d_pred: Array, d_var: Array, one: Any, scale: Any
) -> float:
    """Negative log-likelihood of a Gaussian."""
    half = one / (one + one)
    eps = one * np.float32(1e-6)
    total = 0.0
    for i in prange(pred.size):
        r = pred[i] - target[i]
        v = max(var[i], eps)
        u = r / v
        total += half * (math.log(v) + r * u)
        d_pred[i] = u * scale
        d_var[i] = half * (one / v - u * u) * scale if var[i] > eps else scale - scale
    return total / pred.size


def cross_entropy(logits: Array, labels: Array, grad: Array, one: Any, scale: Any) -> float:
    """Cross-entropy of softmax; a thread takes whole rows."""
    rows: int = logits.shape[0]
    classes: int = logits.shape[1]
    total = 0.0
    for i in prange(rows):
        peak = logits[i, 0]
        for k in range(1, classes):
            peak = max(peak, logits[i, k])
        exponentials = one - one
        for k in range(classes):
            e = math.exp(logits[i, k] - peak)
            exponentials += e
            grad[i, k] = e
        total += math.log(exponentials) + peak - logits[i, labels[i]]
        factor = scale / exponentials
        for k in range(classes):
            grad[i, k] *= factor
        grad[i, labels[i]] -= scale
    return total / rows


LOSSES: dict[str, Callable[..., float]] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "smooth_l1": huber,  # the same where beta is 1
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "gaussian_nll": gaussian_nll,
    "cross_entropy": cross_entropy,
}


def contestants(threads: int) -> list[Contestant]:
    """Return Numba with and without fastmath, with this number of threads."""
    numba.set_num_threads(threads)
    return [
        Contestant("Numba", partial(prepare, False)),
        Contestant("Numba, fastmath", partial(prepare, True)),
    ]


def prepare(fastmath: bool, problem: Problem, arrays: Arrays) -> Call | None:
    """Return the call, which compiles when it is first made."""
    loop = LOSSES.get(problem.loss.__name__)
    if loop is None:
        return None
    compiled = _compiled(loop, fastmath)
    inputs = [arrays[name] for name in problem.loss.inputs]
    gradients = tuple(np.empty_like(x) for x in inputs)
    number = inputs[0].dtype.type
    terms = inputs[0].shape[0]
    arguments = (*arrays.values(), *gradients, number(1), number(1 / terms))
    return Call(lambda: (compiled(*arguments), gradients))


@cache
def _compiled(loop: Callable[..., float], fastmath: bool) -> Callable[..., float]:
    compiled: Callable[..., float] = numba.njit(parallel=True, fastmath=fastmath)(loop)
    return compiled
