# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses for targets of two classes: 0, 1, and probabilities between them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastloss.curvatures import FOCAL, LOGISTIC, of_parts
from fastloss.domains import NON_NEGATIVE, UNIT, UNIT_OR_NONE
from fastloss.families import Accuracy, Bounds, pointwise
from fastloss.reference import Parts


@pointwise(
    Accuracy(Bounds(2, 3, 6)),
    curvatures=LOGISTIC,
    target=UNIT,
    pos_weight=NON_NEGATIVE,
    label_smoothing=UNIT,
)
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


@pointwise(
    Accuracy(Bounds(4, 4, 6)), curvatures=FOCAL, target=UNIT, gamma=NON_NEGATIVE, alpha=UNIT_OR_NONE
)
def binary_focal_with_logits(
    logits: Any, target: Any, *, gamma: Any = 2.0, alpha: Any = None
) -> Any:
    """Focal loss of logits: binary cross-entropy that counts easy examples less.

    ℓ = α_t·(1 − p_t)^γ·(y·softplus(−x) + (1 − y)·softplus(x)), softplus(x) = log(1 + exp(x)),
    where x is the logit, y the target, p the sigmoid of x, p_t = y·p + (1 − y)·(1 − p), and
    α_t = α·y + (1 − α)·(1 − y) or, without α, 1.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers, the logarithm of the odds.
    target : array_like
        Probabilities in [0, 1], 0 and 1 included, of the shape of `logits` or a single one.
        They are not checked; see `fastloss.check_target`.
    gamma : float or array_like of shape (logits.shape[-1],), default 2.0
        How much less easy examples count; not negative. With 0 the loss is
        `fastloss.binary_cross_entropy_with_logits`, bit by bit. An array has one for each place
        along the last axis.
    alpha : float or array_like of shape (logits.shape[-1],), optional
        How much positives count, in [0, 1]; negatives count 1 − α.

    Notes
    -----
    Value, gradient and second derivative are finite for all finite logits and any γ, and keep their
    relative accuracy in the tails where the target is hard. The loss is not convex: its second
    derivative is negative where a prediction is very wrong.

    In other libraries: ``optax.sigmoid_focal_loss``, the same number; torchvision's
    ``sigmoid_focal_loss``, whose α is 0.25 by default, and whose gradient is NaN for γ < 1 where
    p_t rounds to 1; Keras's ``BinaryFocalCrossentropy(from_logits=True)``, which ignores its α
    without ``apply_class_balancing=True``.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He and P. Dollár, Focal loss for dense object detection,
    ICCV 2017.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.binary_focal_with_logits([0.0, 4.0, -4.0], [1, 1, 1], reduction="none").round(6)
    array([1.732870e-01, 6.000000e-06, 3.874907e+00])
    >>> fl.binary_focal_with_logits.grad([0.0, 4.0], [1, 1], alpha=0.25, reduction="sum").round(6)
    array([-7.4572e-02, -4.0000e-06])
    """
    e = np.exp(-np.abs(logits))
    below = logits < 0
    p = np.where(below, e, 1) / (1 + e)
    rest = np.where(below, 1, e) / (1 + e)  # 1 − p
    up, down = (1 - target) * p, target * rest
    missed = up + down  # 1 − p_t
    growing = np.where(below, target, 1 - target)
    with np.errstate(invalid="ignore"):
        linear = np.where(growing == 0, 0, growing * np.abs(logits))  # 0·inf is 0
    cross_entropy = np.log1p(e) + linear
    # u'/u for u = 1 − p_t, where p·(1 − p) is 0 whenever u is; and 1 − 2p − u'/u in two parts.
    u = np.where(missed == 0, 1, missed)
    relative = (1 - 2 * target) * p * rest / u
    lean = gamma * relative
    with np.errstate(invalid="ignore"):
        pull = np.where(lean == 0, 0, lean * cross_entropy)
    power = missed**gamma
    if alpha is not None:
        power = power * (alpha * target + (1 - alpha) * (1 - target))
    hess = (
        p * rest,
        2 * lean * up,
        -2 * lean * down,
        lean * pull,
        pull * rest * down / u,
        -pull * p * up / u,
    )
    return (
        power * cross_entropy,
        Parts(power * up, -power * down, power * pull),
        Parts(*(power * part for part in hess)),
    )


def _cross_entropy_curvature(logits: Any, target: Any, **_: Any) -> Any:
    """Return what clipped and well classified terms still have: that of a cross-entropy."""
    return (1 - np.tanh(logits / 2) ** 2) / 4 + 0 * target


@pointwise(
    Accuracy(Bounds(4, 5, 7)),
    curvatures=of_parts(_cross_entropy_curvature),
    target=UNIT,
    gamma_pos=NON_NEGATIVE,
    gamma_neg=NON_NEGATIVE,
    clip=UNIT,
)
def asymmetric_focal(
    logits: Any, target: Any, *, gamma_pos: Any = 1.0, gamma_neg: Any = 4.0, clip: Any = 0.05
) -> Any:
    """Asymmetric loss of multi-label classification: focal, with easy negatives left out.

    ℓ = u^γ·(−y·log p − (1 − y)·log(1 − q)), where y is the target, p the sigmoid of the logit,
    q = max(p − clip, 0), u = y·(1 − p) + (1 − y)·q and γ = y·gamma_pos + (1 − y)·gamma_neg.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers, the logarithm of the odds.
    target : array_like
        Labels 0 and 1, or probabilities between them, of the shape of `logits` or a single one.
        They are not checked; see `fastloss.check_target`.
    gamma_pos : float or array_like of shape (logits.shape[-1],), default 1.0
        How much less easy positives count; not negative. An array has one for each place along the
        last axis.
    gamma_neg : float or array_like of shape (logits.shape[-1],), default 4.0
        How much less easy negatives count; not negative.
    clip : float or array_like of shape (logits.shape[-1],), default 0.05
        The probability, in [0, 1], up to which a negative costs nothing.

    Notes
    -----
    The gradient is that of all of ℓ, the factor u^γ included. Where p comes to `clip` it is 0, and
    so is the second derivative. Close to it, q has the rounding errors of p. The loss is not
    convex. With ``clip=0`` and equal gammas it is `fastloss.binary_focal_with_logits`.

    In other libraries: the authors' ``AsymmetricLoss`` and timm's ``AsymmetricLossMultiLabel``,
    the same number where no probability is below their ``eps``; they return the sum, and by default
    some of them leave the derivative of u^γ out.

    References
    ----------
    T. Ridnik, E. Ben-Baruch, N. Zamir, A. Noy, I. Friedman, M. Protter and L. Zelnik-Manor,
    Asymmetric loss for multi-label classification, ICCV 2021.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.asymmetric_focal([0.0, 0.0, -4.0], [1, 0, 0], reduction="none").round(6)
    array([0.346574, 0.024515, 0.      ])
    >>> fl.asymmetric_focal.grad([0.0, 0.0, -4.0], [1, 0, 0], reduction="sum").round(6)
    array([-0.423287,  0.073117,  0.      ])
    """
    e = np.exp(-np.abs(logits))
    below = logits < 0
    p = np.where(below, e, 1) / (1 + e)
    rest = np.where(below, 1, e) / (1 + e)  # 1 − p
    never = p <= clip
    counted = np.where(never, 0, 1 - target)
    q, q_rest = np.where(never, 0, p - clip), np.where(never, 1, rest + clip)
    unclipped = clip == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        against_positive = np.log1p(e) + np.where(below, np.abs(logits), 0)
        against_negative = np.where(
            unclipped,
            np.log1p(e) + np.where(below, 0, np.abs(logits)),
            -np.where(q < 0.5, np.log1p(-q), np.log(q_rest)),
        )
        cross_entropy = np.where(target == 0, 0, target * against_positive) + np.where(
            counted == 0, 0, counted * against_negative
        )
        down, up = target * rest, counted * np.where(unclipped, p, p * rest / q_rest)
        # The second derivative of −log(1 − q) by p(1 − p), in two parts.
        bend = np.where(unclipped, 1, (rest / q_rest) ** 2 + clip * rest / q_rest**2)
        unbend = np.where(unclipped, 0, clip * p / q_rest**2)
    missed = target * rest + (1 - target) * q
    # u'/u, where p·(1 − p) or its factor is 0 whenever u is; and 1 − 2p − u'/u in two parts.
    u = np.where(missed == 0, 1, missed)
    relative = (counted - target) * p * rest / u
    lean = (gamma_pos * target + gamma_neg * (1 - target)) * relative
    with np.errstate(invalid="ignore"):
        pull = np.where(lean == 0, 0, lean * cross_entropy)
    power = missed ** (gamma_pos * target + gamma_neg * (1 - target))
    wider = (target * rest + counted * p) / u  # by what u cancels

    def parts(*of: Any) -> Parts:
        weighted = [power * part for part in of]
        return Parts(*weighted, size=wider * functools.reduce(np.maximum, map(np.abs, weighted)))

    hess = (
        p * rest * (target + counted * bend),
        -p * rest * counted * unbend,
        2 * lean * up,
        -2 * lean * down,
        lean * pull,
        pull * rest * down / u,
        -pull * counted * (p * q + rest * clip) / u,
    )
    return parts(cross_entropy), parts(up, -down, pull), parts(*hess)
