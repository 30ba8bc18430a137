# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses for real targets to which large errors matter less than to squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.curvatures import REWEIGHTED, ROBUST, of_parts, wedge
from fastloss.domains import ABOVE_MINUS_ONE, AT_LEAST_ONE, FLAG, POSITIVE, REAL
from fastloss.families import Accuracy, Bounds, pointwise
from fastloss.reference import Parts
from fastloss.special import log1pmx, student_t_log_normalizer


@pointwise(Accuracy(Bounds(4, 3, 6)), curvatures=ROBUST, target=REAL, delta=POSITIVE)
def pseudo_huber(pred: Any, target: Any, *, delta: Any = 1.0) -> Any:
    """Pseudo-Huber loss: a smooth function between half of the square and `delta` times the size.

    ℓ = δ²(√(1 + (r/δ)²) − 1), r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    delta : float or array_like of shape (pred.shape[-1],), default 1.0
        Where the loss turns from quadratic to linear, in units of the target; positive. An array
        has one for each place along the last axis.

    Notes
    -----
    The gradient is r/√(1 + (r/δ)²), between −δ and δ; the second derivative is
    (1 + (r/δ)²)^(−3/2).

    In other libraries: ``scipy.special.pseudo_huber(delta, r)``,
    ``scipy.optimize.least_squares`` with ``loss="soft_l1"`` (``f_scale`` is δ) and XGBoost's
    ``reg:pseudohubererror`` (``huber_slope`` is δ), the same number. The Charbonnier loss
    √(r² + δ²) is this one divided by δ, plus δ.

    References
    ----------
    R. Hartley and A. Zisserman, Multiple view geometry in computer vision, Cambridge 2003.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.pseudo_huber([0.0, 3.0], [0.0, 7.0], delta=3.0, reduction="none")
    array([0., 6.])
    >>> fl.pseudo_huber.grad([0.0, 3.0], [0.0, 7.0], delta=3.0, reduction="sum")
    array([ 0. , -2.4])
    """
    r = pred - target
    with np.errstate(divide="ignore", over="ignore"):
        steepness = delta / np.abs(r)
        h = np.sqrt(1 + steepness**2)
        value = delta * np.abs(r) / (steepness + h)
        return value, delta * np.sign(r) / h, 1 / np.sqrt(1 + (r / delta) ** 2) ** 3


@pointwise(Accuracy(Bounds(4, 3, 6)), curvatures=ROBUST, target=REAL, scale=POSITIVE)
def fair(pred: Any, target: Any, *, scale: Any = 1.0) -> Any:
    """Fair loss: quadratic near the target, and nearly linear beyond `scale`.

    ℓ = c²(|r|/c − log(1 + |r|/c)), r = pred − target, c = scale.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    scale : float or array_like of shape (pred.shape[-1],), default 1.0
        c, in units of the target; positive. An array has one for each place along the last axis.

    Notes
    -----
    The gradient is r/(1 + |r|/c), between −c and c; the second derivative is 1/(1 + |r|/c)².

    In other libraries: LightGBM's ``fair`` (``fair_c`` is c) and CatBoost's ``FairLoss``
    (``smoothness`` is c), the same number.

    References
    ----------
    R. C. Fair, On the robust estimation of econometric models, Annals of Economic and Social
    Measurement 3 (1974).

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.fair.value_and_grad([0.0, 3.0], [0.0, 0.0], reduction="none")
    >>> print(value.round(6), grad)
    [0.       1.613706] [0.   0.75]
    """
    r = pred - target
    u = np.abs(r) / scale
    with np.errstate(invalid="ignore"):
        grad = np.where(u == np.inf, scale * np.sign(r), r / (1 + u))
    return -(scale**2) * log1pmx(u), grad, 1 / (1 + u) ** 2


@pointwise(Accuracy(Bounds(3, 4, 6)), curvatures=ROBUST, target=REAL, scale=POSITIVE)
def cauchy(pred: Any, target: Any, *, scale: Any = 1.0) -> Any:
    """Cauchy (Lorentzian) loss: quadratic near the target, logarithmic far beyond `scale`.

    ℓ = c²/2·log(1 + (r/c)²), r = pred − target, c = scale.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    scale : float or array_like of shape (pred.shape[-1],), default 1.0
        c, in units of the target; positive. An array has one for each place along the last axis.

    Notes
    -----
    The gradient is r/(1 + (r/c)²), which returns to 0 for large errors; the second derivative is
    (1 − (r/c)²)/(1 + (r/c)²)², negative for |r| > c: the loss is not convex. It is c²/2 times
    the negative log-likelihood of a Cauchy distribution, constants left out.

    In other libraries: ``scipy.optimize.least_squares`` with ``loss="cauchy"`` (``f_scale`` is c),
    the same number.

    References
    ----------
    M. J. Black and P. Anandan, The robust estimation of multiple motions, Computer Vision and
    Image Understanding 63 (1996).

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.cauchy.value_and_grad([0.0, 3.0], [0.0, 0.0], reduction="none")
    >>> print(value.round(6), grad)
    [0.       1.151293] [0.  0.3]
    """
    r = pred - target
    square = (r / scale) ** 2
    decay = 1 / (1 + square)
    with np.errstate(invalid="ignore"):
        grad = np.where(decay == 0, 0, r * decay)  # inf·0 is 0
    value = scale**2 * np.log1p(square) / 2
    return value, grad, Parts(decay**2, -decay * (1 - decay))


@pointwise(Accuracy(Bounds(4, 4, 7)), curvatures=ROBUST, target=REAL, scale=POSITIVE)
def arctan(pred: Any, target: Any, *, scale: Any = 1.0) -> Any:
    """Arctan loss: quadratic near the target, and bounded far beyond `scale`.

    ℓ = c²/2·arctan((r/c)²), r = pred − target, c = scale.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    scale : float or array_like of shape (pred.shape[-1],), default 1.0
        c, in units of the target; positive. An array has one for each place along the last axis.

    Notes
    -----
    The loss is less than π·c²/4. The gradient is r/(1 + (r/c)⁴), which returns to 0 for large
    errors; the second derivative is (1 − 3(r/c)⁴)/(1 + (r/c)⁴)², which is negative beyond 0.76·c:
    the loss is not convex.

    In other libraries: ``scipy.optimize.least_squares`` with ``loss="arctan"`` (``f_scale`` is c),
    the same number.

    References
    ----------
    ``scipy.optimize.least_squares``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.arctan.value_and_grad([0.0, 2.0], [0.0, 0.0], reduction="none")
    >>> print(value.round(6), grad.round(6))
    [0.       0.662909] [0.       0.117647]
    """
    r = pred - target
    square = (r / scale) ** 2
    decay = 1 / (1 + square**2)
    with np.errstate(invalid="ignore"):
        grad = np.where(decay == 0, 0, r * decay)  # inf·0 is 0
    value = scale**2 * np.arctan(square) / 2
    return value, grad, Parts(decay**2, -3 * decay * (1 - decay))


@pointwise(Accuracy(Bounds(2, 2, 5)), curvatures=ROBUST, target=REAL)
def log_cosh(pred: Any, target: Any) -> Any:
    """Logarithm of the hyperbolic cosine: half of the square near the target, linear far from it.

    ℓ = log cosh r, r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.

    Notes
    -----
    The gradient is tanh r, the second derivative 1/cosh² r. All three keep their relative accuracy
    near 0 and far from it: an error of 1e-10 costs 5e-21.

    In other libraries: ``optax.log_cosh``, Keras's ``LogCosh`` (a mean over the last axis) and
    CatBoost's ``LogCosh``, the same number, but without accuracy near 0.

    References
    ----------
    ``optax.log_cosh``; ``keras.losses.LogCosh``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.log_cosh.value_and_grad([1e-10, 3.0], [0.0, 0.0], reduction="none")
    >>> print(value)
    [5.0000000e-21 2.3093285e+00]
    >>> print(grad.round(6))
    [0.       0.995055]
    """
    r = pred - target
    size = np.abs(r)
    with np.errstate(over="ignore"):
        near = np.log1p(np.sinh(np.where(size < 1, size, 0)) ** 2) / 2
        far = size + np.log((1 + np.exp(-2 * size)) / 2)
        return np.where(size < 1, near, far), np.tanh(r), (1 / np.cosh(r)) ** 2


@pointwise(Accuracy(Bounds(1, 2, 2)), curvatures=REWEIGHTED, target=REAL, q=AT_LEAST_ONE)
def lq(pred: Any, target: Any, *, q: Any = 1.5) -> Any:
    """Power of the absolute error.

    ℓ = |r|^q, r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    q : float or array_like of shape (pred.shape[-1],), default 1.5
        The exponent, at least 1. With 1 the loss is the absolute error, with 2 the squared error;
        the default lies between them. An array has one for each place along the last axis.

    Notes
    -----
    The gradient is q·|r|^(q − 1) times the sign of r; for q = 1 it is 0 at the kink r = 0, the
    subgradient of least norm. The second derivative is q(q − 1)·|r|^(q − 2): for 1 < q < 2 it is
    infinite at r = 0, for q = 1 it is 0.

    In other libraries: CatBoost's ``Lq``, the same number.

    References
    ----------
    CatBoost's ``Lq``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.lq([0.0, 4.0], [0.0, 0.0], reduction="none")
    array([0., 8.])
    >>> fl.lq.grad([0.0, 4.0], [0.0, 0.0], q=3.0, reduction="sum")
    array([ 0., 48.])
    """
    r = pred - target
    size = np.abs(r)
    with np.errstate(divide="ignore", invalid="ignore"):
        curvature = np.where((q == 1) & (size == 0), 0, q * (q - 1) * size ** (q - 2))
    return size**q, q * np.sign(r) * size ** (q - 1), curvature


@pointwise(
    Accuracy(Bounds(3, 2, 4)),
    curvatures=REWEIGHTED,
    target=REAL,
    width=POSITIVE,
    curvature=POSITIVE,
)
def wing(pred: Any, target: Any, *, width: Any = 5.0, curvature: Any = 0.5) -> Any:
    """Wing loss: logarithmic within `width`, so that small errors matter too, and linear beyond.

    ℓ = w·log(1 + |r|/κ) for |r| ≤ w, |r| − w + w·log(1 + w/κ) beyond, r = pred − target,
    w = width, κ = curvature.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    width : float or array_like of shape (pred.shape[-1],), default 5.0
        w, where the loss becomes linear, in units of the target; positive. An array has one for
        each place along the last axis.
    curvature : float or array_like of shape (pred.shape[-1],), default 0.5
        κ, in units of the target; positive: the smaller, the steeper the loss is near 0.

    Notes
    -----
    The gradient is w/(κ + |r|) times the sign of r within, and the sign of r beyond; at the kink
    r = 0 it is 0 and at |r| = w it is that of the inner side, the subgradients of least norm. The
    second derivative is −w/(κ + |r|)² for |r| ≤ w, and 0 beyond.

    In other libraries: ``segmentation_models_pytorch``'s ``wing_loss``, the same number.

    References
    ----------
    Z.-H. Feng et al., Wing loss for robust facial landmark localisation with convolutional neural
    networks, CVPR 2018, where w is 10 and κ, there ε, is 2.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.wing.value_and_grad([0.5, 7.0], [0.0, 0.0], reduction="none")
    >>> print(value.round(6), grad)
    [ 3.465736 13.989476] [5. 1.]
    """
    r = pred - target
    size = np.abs(r)
    beyond = size > width
    far = size - width + width * np.log1p(width / curvature)
    value = np.where(beyond, far, width * np.log1p(size / curvature))
    slope = np.where(beyond, 1, width / (curvature + size))
    return value, np.sign(r) * slope, np.where(beyond, 0, -width / (curvature + size) ** 2)


@pointwise(
    Accuracy(Bounds(4, 3, 7)),
    curvatures=ROBUST,
    target=REAL,
    df=POSITIVE,
    scale=POSITIVE,
    full=FLAG,
)
def student_t_nll(
    pred: Any, target: Any, *, df: Any = 4.0, scale: Any = 1.0, full: Any = False
) -> Any:
    """Negative log-likelihood of Student's t distribution around the prediction.

    ℓ = (ν + 1)/2·log(1 + (r/s)²/ν), r = pred − target, ν = df, s = scale; plus
    log(s·√(πν)·Γ(ν/2)/Γ((ν + 1)/2)) if `full`.

    Parameters
    ----------
    pred : array_like
        Predicted locations: any real numbers.
    target : array_like
        Observations: any real numbers, of the shape of `pred` or a single one.
    df : float or array_like of shape (pred.shape[-1],), default 4.0
        ν, the degrees of freedom; positive. The smaller, the less large errors matter. An array
        has one for each place along the last axis.
    scale : float or array_like of shape (pred.shape[-1],), default 1.0
        s, in units of the target; positive.
    full : bool, default False
        Whether to add the constant that makes it a density. It depends on `df` and `scale` alone;
        without it a perfect prediction has loss 0.

    Notes
    -----
    The gradient is (ν + 1)·r/(νs² + r²), which returns to 0 for large errors; the second derivative
    is (ν + 1)(νs² − r²)/(νs² + r²)², negative for |r| > s·√ν: the loss is not convex. With df = 1
    it is 2/s² times `fastloss.cauchy`.

    In other libraries: with ``full=True``, minus ``torch.distributions.StudentT(df, pred,
    scale).log_prob(target)`` and minus ``scipy.stats.t.logpdf(target, df, pred, scale)``.

    References
    ----------
    K. L. Lange, R. J. A. Little and J. M. G. Taylor, Robust statistical modeling using the t
    distribution, Journal of the American Statistical Association 84 (1989).

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.student_t_nll.value_and_grad([0.0, 4.0], [0.0, 0.0], reduction="none")
    >>> print(value.round(6), grad)
    [0.       4.023595] [0. 1.]
    """
    width = scale * np.sqrt(df)
    r = pred - target
    square = (r / width) ** 2
    decay = 1 / (1 + square)
    steepness = (df + 1) / width
    with np.errstate(invalid="ignore"):
        grad = np.where(decay == 0, 0, steepness * (r / width) * decay)  # inf·0 is 0
    bend = steepness / width
    return (
        Parts(
            (df + 1) / 2 * np.log1p(square),
            full * np.log(scale),
            full * student_t_log_normalizer(df),
        ),
        grad,
        Parts(bend * decay**2, -bend * decay * (1 - decay)),
    )


@pointwise(Accuracy(Bounds(3, 3, 4)), target=REAL, full=FLAG, eps=POSITIVE)
def laplace_nll(pred: Any, target: Any, scale: Any, *, full: Any = False, eps: Any = 1e-6) -> Any:
    """Negative log-likelihood of a Laplace distribution whose median and scale are predicted.

    ℓ = |r|/s + log s, r = pred − target, s = max(scale, eps); plus log 2 if `full`.

    Parameters
    ----------
    pred : array_like
        Predicted medians: any real numbers.
    target : array_like
        Observations: any real numbers, of the shape of `pred` or a single one.
    scale : array_like
        Predicted scales (mean absolute deviations), of the shape of `pred`, in units of the
        target.
    full : bool, default False
        Whether to add the constant that makes it a density.
    eps : float or array_like of shape (pred.shape[-1],), default 1e-6
        The least scale; positive. Smaller ones count as this.

    Notes
    -----
    There are two differentiable inputs: gradients and second derivatives are tuples
    ``(pred, scale)``. They are the sign of r divided by s, 0 at the kink r = 0, and (1 − |r|/s)/s;
    0 and (2|r|/s − 1)/s². Where `scale` is clamped its derivatives are 0; at scale = eps the
    gradient is 0, the subgradient of least norm.

    In other libraries: with ``full=True``, minus ``torch.distributions.Laplace(pred,
    scale).log_prob(target)`` and minus ``scipy.stats.laplace.logpdf(target, pred, scale)``.

    References
    ----------
    S. Kotz, T. Kozubowski and K. Podgórski, The Laplace distribution and generalizations,
    Birkhäuser 2001.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, (pred_grad, scale_grad) = fl.laplace_nll.value_and_grad([1.0], [4.0], [2.0])
    >>> round(value, 6)
    2.193147
    >>> pred_grad, scale_grad
    (array([-0.5]), array([-0.25]))
    """
    r = pred - target
    s = np.where(scale < eps, eps, scale)
    u = np.abs(r) / s
    value = Parts(u, np.log(s), full * np.log(2 + 0 * eps))
    scale_grad = Parts(np.where(scale <= eps, 0, 1 / s), -np.where(scale <= eps, 0, u / s))
    scale_hess = Parts(
        np.where(scale < eps, 0, 2 * u / s / s), -np.where(scale < eps, 0, 1 / s / s)
    )
    return value, (np.sign(r) / s, scale_grad), (np.zeros_like(r), scale_hess)


@pointwise(
    Accuracy(Bounds(2, 1, 1), otherwise=Bounds(2, 1, 1)),
    hess="zero",
    curvatures=wedge(lambda target, eps: ((target, 2 / np.maximum(np.abs(target), eps)),)),
    target=REAL,
    eps=POSITIVE,
)
def absolute_percentage_error(pred: Any, target: Any, *, eps: Any = 1e-7) -> Any:
    """Absolute error relative to the target, whose mean is the mean absolute percentage error.

    ℓ = |r| / max(|target|, eps), r = pred − target.

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: any real numbers, of the shape of `pred` or a single one.
    eps : float or array_like of shape (pred.shape[-1],), default 1e-7
        The least divisor, in units of the target; positive. An array has one for each place along
        the last axis.

    Notes
    -----
    It is a fraction: 0.01 is one percent. The gradient is the sign of r over the divisor; at the
    kink r = 0 it is 0, the subgradient of least norm. The second derivative is 0 almost everywhere.

    In other libraries: Keras's ``MeanAbsolutePercentageError`` is 100 times this;
    ``sklearn.metrics.mean_absolute_percentage_error`` has eps = 2.2e-16; LightGBM's ``mape`` and
    CatBoost's ``MAPE`` have eps = 1.

    References
    ----------
    ``sklearn.metrics.mean_absolute_percentage_error``;
    ``keras.losses.MeanAbsolutePercentageError``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.absolute_percentage_error([90.0, -3.0], [100.0, -2.0], reduction="none")
    array([0.1, 0.5])
    >>> fl.absolute_percentage_error.grad([90.0, -3.0], [100.0, -2.0], reduction="sum")
    array([-0.01, -0.5 ])
    """
    r = pred - target
    divisor = np.maximum(np.abs(target), eps)
    return np.abs(r) / divisor, np.sign(r) / divisor, np.zeros_like(r)


@pointwise(
    Accuracy(Bounds(4, 4, 6)),
    curvatures=of_parts(lambda pred, target, floor: 2 / (1 + np.maximum(pred, floor)) ** 2),
    target=ABOVE_MINUS_ONE,
    floor=ABOVE_MINUS_ONE,
)
def squared_log_error(pred: Any, target: Any, *, floor: Any = -0.999999) -> Any:
    """Squared error of logarithms, whose mean is the mean squared logarithmic error.

    ℓ = (log(1 + x) − log(1 + target))², x = max(pred, floor).

    Parameters
    ----------
    pred : array_like
        Predictions: any real numbers.
    target : array_like
        Targets: numbers > -1, of the shape of `pred` or a single one. They are not checked; see
        `fastloss.check_target`.
    floor : float or array_like of shape (pred.shape[-1],), default -0.999999
        The least prediction; more than -1. Smaller ones count as this.

    Notes
    -----
    With d the difference of the logarithms, the gradient is 2d/(1 + x), the second derivative
    2(1 − d)/(1 + x)², negative where the prediction is too large by more than a factor e: the loss
    is not convex. Where `pred` is clamped both are 0; at pred = floor the gradient is 0, the
    subgradient of least norm for targets that are not smaller.

    In other libraries: ``sklearn.metrics.mean_squared_log_error`` and Keras's
    ``MeanSquaredLogarithmicError`` (with ``floor`` 1e-7 and targets clamped likewise), the same
    number; XGBoost's ``reg:squaredlogerror`` is half of it.

    References
    ----------
    ``sklearn.metrics.mean_squared_log_error``; XGBoost's ``reg:squaredlogerror``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.squared_log_error.value_and_grad([1.0, 3.0], [1.0, 1.0], reduction="none")
    >>> print(value.round(6), grad.round(6))
    [0.       0.480453] [0.       0.346574]
    """
    x = np.where(pred < floor, floor, pred)
    r = x - target
    d = np.sign(r) * np.log1p(np.abs(r) / (1 + np.minimum(x, target)))
    inverse = 1 / (1 + x)
    with np.errstate(invalid="ignore"):
        pull = np.where(inverse == 0, 0, d * inverse)  # inf·0 is 0
    grad = np.where(pred <= floor, 0, 2 * pull)
    hess = Parts(
        np.where(pred < floor, 0, 2 * inverse**2), -np.where(pred < floor, 0, 2 * pull * inverse)
    )
    return d**2, grad, hess
