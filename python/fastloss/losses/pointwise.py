# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses: each element of the prediction, with its target, makes one term."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.domains import FLAG, NON_NEGATIVE, POSITIVE, REAL, UNIT
from fastloss.families import Accuracy, Bounds, pointwise
from fastloss.reference import Parts

ROUNDED_ONCE = Accuracy(Bounds(1, 1, 1), otherwise=Bounds(1, 1, 1))


@pointwise(ROUNDED_ONCE, target=REAL)
def mse(pred: Any, target: Any) -> Any:
    """Squared error, whose mean is the mean squared error.

    ℓ = r², r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.

    Notes
    -----
    The gradient is 2r, the second derivative 2. Half of this loss, r²/2, is what scikit-learn,
    XGBoost and LightGBM call squared error.

    References
    ----------
    ``torch.nn.functional.mse_loss``; ``sklearn.metrics.mean_squared_error``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.mse([1.0, 2.0, 4.0], [1.0, 2.0, 2.0], reduction="sum")
    4.0
    >>> fl.mse.grad([1.0, 2.0, 4.0], [1.0, 2.0, 2.0], reduction="sum")
    array([0., 0., 4.])
    """
    r = pred - target
    return r**2, 2 * r, np.full_like(r, 2)


@pointwise(ROUNDED_ONCE, hess="zero", target=REAL)
def mae(pred: Any, target: Any) -> Any:
    """Absolute error, whose mean is the mean absolute error.

    ℓ = |r|, r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.

    Notes
    -----
    The gradient is the sign of r; at the kink r = 0 it is 0, the subgradient of least norm. The
    second derivative is 0 almost everywhere.

    References
    ----------
    ``torch.nn.functional.l1_loss``; ``sklearn.metrics.mean_absolute_error``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.mae.value_and_grad([1.0, 2.0, 4.0], [1.0, 3.0, 2.0], reduction="sum")
    >>> value
    3.0
    >>> grad
    array([ 0., -1.,  1.])
    """
    r = pred - target
    return np.abs(r), np.sign(r), np.zeros_like(r)


@pointwise(ROUNDED_ONCE, target=REAL, delta=POSITIVE)
def huber(pred: Any, target: Any, *, delta: Any = 1.0) -> Any:
    """Huber loss: quadratic within `delta` of the target, linear beyond.

    ℓ = r²/2 for |r| ≤ δ, δ(|r| − δ/2) beyond, r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    delta : float or array_like of shape (pred.shape[-1],), default 1.0
        Where the loss becomes linear, in units of the target; positive. An array has one for
        each place along the last axis.

    Notes
    -----
    The gradient is r clipped to [−δ, δ]. The second derivative is 1 for |r| ≤ δ and 0 beyond; at
    |r| = δ it is that of the quadratic side.

    References
    ----------
    P. J. Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics
    35 (1964). ``torch.nn.functional.huber_loss``; ``scipy.special.huber``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.huber([0.5, 3.0], [0.0, 0.0], delta=2.0, reduction="none")
    array([0.125, 4.   ])
    >>> grad, hess = fl.huber.grad_and_hess([0.5, 3.0], 0.0, delta=2.0, reduction="sum")
    >>> grad
    array([0.5, 2. ])
    >>> hess
    array([1., 0.])
    """
    r = pred - target
    quadratic = ~(np.abs(r) > delta)
    value = np.where(quadratic, r * r / 2, delta * (np.abs(r) - delta / 2))
    return value, np.minimum(np.maximum(r, -delta), delta), quadratic.astype(r.dtype)


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


@pointwise(Accuracy(Bounds(4, 4, 6)), target=REAL, full=FLAG, eps=POSITIVE)
def gaussian_nll(pred: Any, target: Any, var: Any, *, full: Any = False, eps: Any = 1e-6) -> Any:
    """Negative log-likelihood of a Gaussian whose mean and variance are both predicted.

    ℓ = (log v + r²/v)/2, r = pred − target, v = max(var, eps); plus log(2π)/2 if `full`.

    Parameters
    ----------
    pred : array_like
        Predicted means: any real numbers.
    target : array_like
        Observations: any real numbers, of the shape of `pred` or a single one.
    var : array_like
        Predicted variances, of the shape of `pred`, in squared units of the target.
    full : bool, default False
        Whether to add the constant that makes it a density.
    eps : float or array_like of shape (pred.shape[-1],), default 1e-6
        The least variance; positive. Smaller ones count as this.

    Notes
    -----
    There are two differentiable inputs: gradients and second derivatives are tuples
    ``(pred, var)``. They are r/v and (1/v − r²/v²)/2; 1/v and (r²/v³ − 1/(2v²)). Where `var` is
    clamped its derivatives are 0; at var = eps the gradient is 0, the subgradient of least norm.

    References
    ----------
    D. A. Nix and A. S. Weigend, Estimating the mean and variance of the target probability
    distribution, ICNN 1994. ``torch.nn.functional.gaussian_nll_loss``, whose gradient does not
    vanish where the variance is clamped.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, (pred_grad, var_grad) = fl.gaussian_nll.value_and_grad([1.0], [3.0], [2.0])
    >>> round(value, 6)
    1.346574
    >>> pred_grad, var_grad
    (array([-1.]), array([-0.25]))
    """
    r = pred - target
    v = np.where(var < eps, eps, var)
    u = r / v
    pi = 0 * eps + np.pi + np.sin(np.pi)  # the sine is what np.pi lacks
    value = Parts(np.log(v) / 2, u * r / 2, full * np.log(2 * pi) / 2)
    var_grad = Parts(np.where(var <= eps, 0, 1 / (2 * v)), -np.where(var <= eps, 0, u * u / 2))
    var_hess = Parts(np.where(var < eps, 0, u * u / v), -np.where(var < eps, 0, 1 / v / (2 * v)))
    return value, (u, var_grad), (1 / v, var_hess)


@pointwise(ROUNDED_ONCE, target=REAL, beta=NON_NEGATIVE)
def smooth_l1(pred: Any, target: Any, *, beta: Any = 1.0) -> Any:
    """Smooth L1 loss: quadratic within `beta` of the target, with slope 1 beyond.

    ℓ = r²/(2β) for |r| ≤ β, |r| − β/2 beyond, r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    beta : float or array_like of shape (pred.shape[-1],), default 1.0
        Where the loss becomes linear, in units of the target; not negative. With 0 the loss is
        the absolute error. An array has one for each place along the last axis.

    Notes
    -----
    It is the Huber loss with δ = β, divided by β. The gradient is r/β clipped to [−1, 1]; for
    β = 0 it is the sign of r, and 0 at the kink r = 0, the subgradient of least norm. The second
    derivative is 1/β for |r| ≤ β and 0 beyond; at |r| = β it is that of the quadratic side.

    References
    ----------
    R. Girshick, Fast R-CNN, ICCV 2015. ``torch.nn.functional.smooth_l1_loss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.smooth_l1.value_and_grad([0.5, 3.0], [0.0, 0.0], reduction="sum")
    >>> value
    2.625
    >>> grad
    array([0.5, 1. ])
    """
    r = pred - target
    b = beta + np.zeros_like(r)
    linear = (np.abs(r) > b) | (b == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        u, curvature = r / b, 1 / b
    value = np.where(linear, np.abs(r) - b / 2, r * u / 2)
    return value, np.where(linear, np.sign(r), u), np.where(linear, 0, curvature)
