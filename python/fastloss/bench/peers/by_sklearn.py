# SPDX-License-Identifier: BSD-3-Clause
"""scikit-learn's private losses, which its estimators are made of, with preallocated results.

They return terms and their gradients; the mean and its gradient are made of these by NumPy, as
scikit-learn does it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import sklearn._loss as sk
from sklearn._loss.loss import ExponentialLoss

from fastloss.bench.peers import Call, Contestant
from fastloss.bench.problems import Arrays, Problem

DISTRIBUTION = "scikit-learn"

# Given the number of classes, the loss; and the factor that makes it ours.
LOSSES: dict[str, tuple[Callable[[int], Any], int]] = {
    "mse": (lambda _: sk.HalfSquaredError(), 2),
    "half_squared_error": (lambda _: sk.HalfSquaredError(), 1),
    "mae": (lambda _: sk.AbsoluteError(), 1),
    "quantile": (lambda _: sk.PinballLoss(quantile=0.5), 1),
    "huber": (lambda _: sk.HuberLoss(delta=1.0), 1),
    "smooth_l1": (lambda _: sk.HuberLoss(delta=1.0), 1),  # the same where beta is 1
    "poisson_nll": (lambda _: sk.HalfPoissonLoss(), 1),
    "half_poisson_deviance": (lambda _: sk.HalfPoissonLoss(), 1),
    "half_gamma_deviance": (lambda _: sk.HalfGammaLoss(), 1),
    "half_tweedie_deviance": (lambda _: sk.HalfTweedieLoss(power=1.5), 1),
    "binary_cross_entropy_with_logits": (lambda _: sk.HalfBinomialLoss(), 1),
    "exponential": (lambda _: ExponentialLoss(), 1),
    "cross_entropy": (lambda classes: sk.HalfMultinomialLoss(n_classes=classes), 1),
}

# Those that are 0 for a perfect answer: scikit-learn leaves out what does not depend on the scores.
DEVIANCES = {"half_poisson_deviance", "half_gamma_deviance", "half_tweedie_deviance"}


def contestants(threads: int) -> list[Contestant]:
    """Return scikit-learn with this number of threads."""
    return [Contestant("scikit-learn", partial(prepare, threads))]


def prepare(threads: int, problem: Problem, arrays: Arrays) -> Call | None:
    """Return the call; targets and results are in the type of the prediction."""
    if problem.loss.__name__ not in LOSSES:
        return None
    make, factor = LOSSES[problem.loss.__name__]
    loss = make(problem.shape[-1])
    raw, target = arrays.values()
    target = target.astype(raw.dtype, copy=False)
    terms, grad = np.empty_like(target), np.empty_like(raw)
    scale = raw.dtype.type(factor / terms.size)
    is_deviance = problem.loss.__name__ in DEVIANCES
    constant = loss.constant_to_optimal_zero(target).mean() if is_deviance else 0

    def compute() -> Any:
        loss.loss_gradient(target, raw, None, terms, grad, threads)
        np.multiply(grad, scale, out=grad)
        return factor * terms.mean() + constant, grad

    return Call(compute)
