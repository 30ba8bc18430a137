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


@pointwise(Accuracy(Bounds(3, 3, 4)), inputs={"pred": UNIT}, target=UNIT)
def binary_cross_entropy(pred: Any, target: Any) -> Any:
    """Binary cross-entropy (log loss) of probabilities.

    ℓ = −y·log q − (1 − y)·log(1 − q), where q is the prediction and y the target.

    Parameters
    ----------
    pred : array_like
        Predicted probabilities in [0, 1], 0 and 1 included. Other numbers give NaN.
    target : array_like
        Probabilities in [0, 1], 0 and 1 included, of the shape of `pred` or a single one.
        They are not checked; see `fastloss.check_target`.

    Notes
    -----
    The gradient is (q − y)/(q·(1 − q)), the second derivative y/q² + (1 − y)/(1 − q)². Nothing is
    clipped: a prediction of 0 for a positive costs infinitely much, for a negative nothing.
    Where logits are at hand, `fastloss.binary_cross_entropy_with_logits` keeps what a probability
    close to 1 has lost.

    In other libraries: ``torch.nn.functional.binary_cross_entropy``, the same number, but no more
    than 100 for each logarithm; ``sklearn.metrics.log_loss`` and Keras's ``BinaryCrossentropy``,
    which clip the probabilities.

    References
    ----------
    ``torch.nn.functional.binary_cross_entropy``; ``sklearn.metrics.log_loss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.binary_cross_entropy.value_and_grad(
    ...     [0.5, 0.0, 0.0], [1, 0, 1], reduction="none"
    ... )
    >>> print(value)
    [0.69314718 0.                inf]
    >>> grad
    array([ -2.,   1., -inf])
    """
    q = np.where((pred >= 0) & (pred <= 1), np.abs(pred), np.nan)
    never, always = target == 0, target == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        value = -np.where(never, 0, target * np.log(q)) - np.where(
            always, 0, (1 - target) * np.log1p(-q)
        )
        slope = (q - target) / (q * (1 - q))
        grad = np.where(never, 1 / (1 - q), np.where(always, -1 / q, slope))
        up = np.where(never, 0, target / q / q)
        down = np.where(always, 0, (1 - target) / (1 - q) / (1 - q))
    return value, grad, up + down


@pointwise(Accuracy(Bounds(3, 4, 3)), target=UNIT)
def exponential(pred: Any, target: Any) -> Any:
    """Exponential loss, of AdaBoost.

    ℓ = y·exp(−x) + (1 − y)·exp(x), where x is the prediction and y the target.

    Parameters
    ----------
    pred : array_like
        Raw scores: any real numbers, half of the logarithm of the odds.
    target : array_like
        Probabilities in [0, 1], 0 and 1 included, of the shape of `pred` or a single one.
        They are not checked; see `fastloss.check_target`.

    Notes
    -----
    The gradient is (1 − y)·exp(x) − y·exp(−x), the second derivative the loss itself.

    In other libraries: scikit-learn's exponential loss, which
    ``GradientBoostingClassifier(loss="exponential")`` has, the same number.

    References
    ----------
    Y. Freund and R. E. Schapire, A decision-theoretic generalization of on-line learning and an
    application to boosting, Journal of Computer and System Sciences 55 (1997).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.exponential([0.0, 1.0, -1.0], [1, 1, 1], reduction="none").round(6)
    array([1.      , 0.367879, 2.718282])
    >>> fl.exponential.grad([0.0, 1.0, -1.0], [0.5, 1, 1], reduction="sum").round(6)
    array([ 0.      , -0.367879, -2.718282])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        falling = np.where(target == 0, 0, target * np.exp(-pred))
        rising = np.where(target == 1, 0, (1 - target) * np.exp(pred))
    value = falling + rising
    return value, Parts(rising, -falling), value
