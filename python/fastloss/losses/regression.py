# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses for real targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.curvatures import CONSTANT, ROBUST, Curvatures, Exact, at_most, kinked, wedge
from fastloss.domains import FLAG, NON_NEGATIVE, POSITIVE, REAL, UNIT
from fastloss.families import Accuracy, Bounds, pointwise
from fastloss.reference import Parts

ROUNDED_ONCE = Accuracy(Bounds(1, 1, 1), otherwise=Bounds(1, 1, 1))


@pointwise(ROUNDED_ONCE, curvatures=CONSTANT, target=REAL)
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


@pointwise(
    ROUNDED_ONCE, hess="zero", curvatures=wedge(lambda target: ((target, 2.0),)), target=REAL
)
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


@pointwise(ROUNDED_ONCE, curvatures=ROBUST, target=REAL, delta=POSITIVE)
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


@pointwise(ROUNDED_ONCE, curvatures=ROBUST, target=REAL, beta=NON_NEGATIVE)
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


@pointwise(ROUNDED_ONCE, curvatures=CONSTANT, target=REAL)
def half_squared_error(pred: Any, target: Any) -> Any:
    """Half of the squared error, whose gradient is the difference itself.

    ℓ = r²/2, r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.

    Notes
    -----
    The gradient is r, the second derivative 1. Twice this loss is `fastloss.mse`.

    In other libraries: scikit-learn's half squared loss and ``optax.l2_loss``, the same number;
    XGBoost's ``reg:squarederror``, LightGBM's ``regression`` and CatBoost's ``RMSE`` have its
    derivatives.

    References
    ----------
    ``optax.l2_loss``; ``sklearn._loss.HalfSquaredError``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.half_squared_error.value_and_grad([1.0, 4.0], [1.0, 2.0], reduction="sum")
    >>> value
    2.0
    >>> grad
    array([0., 2.])
    """
    r = pred - target
    return r**2 / 2, r, np.ones_like(r)


@pointwise(
    Accuracy(Bounds(2, 1, 1), otherwise=Bounds(2, 1, 1)),
    hess="zero",
    curvatures=wedge(lambda target, q: ((target, 1.0),)),
    target=REAL,
    q=UNIT,
)
def quantile(pred: Any, target: Any, *, q: Any = 0.5) -> Any:
    """Quantile (pinball) loss, whose best constant prediction is the q-quantile of the targets.

    ℓ = q·(−r) for r < 0, (1 − q)·r beyond, r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    q : float or array_like of shape (pred.shape[-1],), default 0.5
        The quantile, in [0, 1]. An array has one for each place along the last axis, which is
        how several quantiles are learnt at once.

    Notes
    -----
    The gradient is −q for r < 0 and 1 − q for r > 0; at the kink r = 0 it is 0, the subgradient of
    least norm. The second derivative is 0 almost everywhere. With q = 0.5 this is half of the
    absolute error.

    In other libraries: scikit-learn's pinball loss, ``sklearn.metrics.mean_pinball_loss``
    (``alpha`` is q), the same number; XGBoost's ``reg:quantileerror`` (``quantile_alpha``) and
    LightGBM's and CatBoost's ``Quantile`` (``alpha``; LightGBM's default is 0.9) have its gradient
    off the kink.

    References
    ----------
    R. Koenker and G. Bassett, Regression quantiles, Econometrica 46 (1978).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.quantile([1.0, 3.0], [2.0, 2.0], q=0.75, reduction="none")
    array([0.75, 0.25])
    >>> fl.quantile.grad([1.0, 2.0, 3.0], 2.0, q=0.75, reduction="sum")
    array([-0.75,  0.  ,  0.25])
    """
    r = pred - target
    slope = np.where(r < 0, q, 1 - q)
    with np.errstate(invalid="ignore"):
        value = np.where((slope == 0) & (np.abs(r) == np.inf), 0, slope * np.abs(r))  # 0·inf is 0
    return value, slope * np.sign(r), np.zeros_like(r)


@pointwise(
    Accuracy(Bounds(2, 2, 1), otherwise=Bounds(2, 2, 1)),
    curvatures=Curvatures(Exact(), gauss_newton=Exact()),
    target=REAL,
    q=UNIT,
)
def expectile(pred: Any, target: Any, *, q: Any = 0.5) -> Any:
    """Expectile loss: squared errors that weigh differently above and below.

    ℓ = q·r² for r < 0, (1 − q)·r² beyond, r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    q : float or array_like of shape (pred.shape[-1],), default 0.5
        The expectile, in [0, 1]: what a prediction that is too low weighs. An array has one for
        each place along the last axis.

    Notes
    -----
    The gradient is 2q·r for r < 0 and 2(1 − q)·r beyond; the second derivative is 2q and 2(1 − q),
    at r = 0 the latter. With q = 0.5 this is half of the squared error.

    In other libraries: CatBoost's ``Expectile`` (``alpha`` is q), the same number; XGBoost's
    ``reg:expectileerror`` is half of it.

    References
    ----------
    W. K. Newey and J. L. Powell, Asymmetric least squares estimation and testing, Econometrica 55
    (1987).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.expectile([1.0, 4.0], [2.0, 2.0], q=0.75, reduction="none")
    array([0.75, 1.  ])
    >>> fl.expectile.grad([1.0, 4.0], 2.0, q=0.75, reduction="sum")
    array([-1.5,  1. ])
    """
    r = pred - target
    slope = np.where(r < 0, q, 1 - q)
    r = np.where((slope == 0) & (np.abs(r) == np.inf), 0, r)  # 0·inf is 0
    return slope * r * r, 2 * slope * r, 2 * slope


@pointwise(
    ROUNDED_ONCE,
    hess="zero",
    curvatures=kinked(lambda target, epsilon: ((target - epsilon, 1.0), (target + epsilon, 1.0))),
    target=REAL,
    epsilon=NON_NEGATIVE,
)
def epsilon_insensitive(pred: Any, target: Any, *, epsilon: Any = 0.1) -> Any:
    """Absolute error beyond a tube of half-width `epsilon`, as in support vector regression.

    ℓ = max(0, |r| − ε), r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    epsilon : float or array_like of shape (pred.shape[-1],), default 0.1
        How large an error costs nothing, in units of the target; not negative. With 0 the loss is
        the absolute error. An array has one for each place along the last axis.

    Notes
    -----
    The gradient is the sign of r for |r| > ε, and 0 within; at the kinks |r| = ε it is 0, the
    subgradient of least norm. The second derivative is 0 almost everywhere.

    In other libraries: ``sklearn.linear_model.SGDRegressor`` and ``LinearSVR`` with
    ``loss="epsilon_insensitive"``.

    References
    ----------
    V. Vapnik, The nature of statistical learning theory, Springer 1995.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.epsilon_insensitive.value_and_grad(
    ...     [0.25, 3.0], [0.0, 1.0], epsilon=0.5, reduction="none"
    ... )
    >>> value
    array([0. , 1.5])
    >>> grad
    array([0., 1.])
    """
    r = pred - target
    beyond = ~(np.abs(r) <= epsilon)
    return np.where(beyond, np.abs(r) - epsilon, 0), beyond * np.sign(r), np.zeros_like(r)


@pointwise(ROUNDED_ONCE, curvatures=at_most(2), target=REAL, epsilon=NON_NEGATIVE)
def squared_epsilon_insensitive(pred: Any, target: Any, *, epsilon: Any = 0.1) -> Any:
    """Squared error beyond a tube of half-width `epsilon`, as in support vector regression.

    ℓ = max(0, |r| − ε)², r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    epsilon : float or array_like of shape (pred.shape[-1],), default 0.1
        How large an error costs nothing, in units of the target; not negative. With 0 the loss is
        the squared error. An array has one for each place along the last axis.

    Notes
    -----
    The gradient is 2(|r| − ε) times the sign of r for |r| > ε, and 0 within. The second derivative
    is 2 beyond and 0 within; at |r| = ε it is that of the quadratic side.

    In other libraries: ``sklearn.linear_model.SGDRegressor`` and ``LinearSVR`` with
    ``loss="squared_epsilon_insensitive"``.

    References
    ----------
    V. Vapnik, The nature of statistical learning theory, Springer 1995.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.squared_epsilon_insensitive.value_and_grad(
    ...     [0.25, 3.0], [0.0, 1.0], epsilon=0.5, reduction="none"
    ... )
    >>> value
    array([0.  , 2.25])
    >>> grad
    array([0., 3.])
    """
    r = pred - target
    excess = np.where(np.abs(r) <= epsilon, 0, np.abs(r) - epsilon)
    return excess**2, 2 * excess * np.sign(r), 2 * (~(np.abs(r) < epsilon)).astype(r.dtype)
