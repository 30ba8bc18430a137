# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses for targets of two classes: 0, 1, and probabilities between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.domains import NON_NEGATIVE, UNIT
from fastloss.families import Accuracy, Bounds, pointwise
from fastloss.reference import Parts


@pointwise(Accuracy(Bounds(2, 3, 6)), target=UNIT, pos_weight=NON_NEGATIVE, label_smoothing=UNIT)
def binary_cross_entropy_with_logits(
    logits: Any, target: Any, *, pos_weight: Any = 1.0, label_smoothing: Any = 0.0
) -> Any:
    """Binary cross-entropy (logistic loss) of logits.

    ℓ = p·y·softplus(−x) + (1 − y)·softplus(x), softplus(x) = log(1 + exp(x)), where x is the
    logit, p is `pos_weight`, and y the target, smoothed to (1 − ε)·target + ε/2.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers, the logarithm of the odds.
    target : array_like
        Probabilities in [0, 1], 0 and 1 included, of the shape of `logits` or a single one.
        They are not checked; see `fastloss.check_target`.
    pos_weight : float or array_like of shape (logits.shape[-1],), default 1.0
        How much more a positive counts; not negative. It does not enter the denominator of the
        mean. An array has one for each place along the last axis.
    label_smoothing : float or array_like of shape (logits.shape[-1],), default 0.0
        ε in [0, 1].

    Notes
    -----
    With y a hard label, value and gradient keep their relative accuracy in the tails: a logit of
    50 for a positive costs 1.9e-22, not 0. The gradient is (1 − y)·σ(x) − p·y·σ(−x), the second
    derivative (p·y + 1 − y)·σ(x)·σ(−x), σ the sigmoid.

    References
    ----------
    ``torch.nn.functional.binary_cross_entropy_with_logits``; ``sklearn.metrics.log_loss`` and
    scikit-learn's half binomial loss; ``optax.sigmoid_binary_cross_entropy``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.binary_cross_entropy_with_logits.value_and_grad([0.0, 50.0], [1, 1])
    >>> round(value, 6)
    0.346574
    >>> print(grad)
    [-2.50000000e-01 -9.64374924e-23]
    """
    smoothed = (1 - label_smoothing) * target + label_smoothing / 2
    negative = (1 - label_smoothing) * (1 - target) + label_smoothing / 2  # 1 - smoothed
    positive = pos_weight * smoothed
    e = np.exp(-np.abs(logits))
    tail, rest = e / (1 + e), 1 / (1 + e)
    below = logits < 0
    growing = np.where(below, positive, negative)  # the factor of what grows with |x|
    with np.errstate(invalid="ignore"):
        linear = np.where(growing == 0, 0, growing * np.abs(logits))  # 0·inf is 0
    value = (positive + negative) * np.log1p(e) + linear
    up = negative * np.where(below, tail, rest)
    down = positive * np.where(below, rest, tail)
    return value, Parts(up, -down), (positive + negative) * tail * rest
