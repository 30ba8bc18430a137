# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses for counts and other targets that are not negative."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.curvatures import Absolute, Constant, Curvatures, Exact
from fastloss.domains import FLAG, NON_NEGATIVE, POSITIVE, REAL, choice, only_with
from fastloss.families import Accuracy, Bounds, pointwise
from fastloss.reference import Parts


@pointwise(
    Accuracy(Bounds(2, 2, 1)),
    inputs={"pred": only_with(NON_NEGATIVE, "log_input", False)},
    target=NON_NEGATIVE,
    log_input=FLAG,
    full=FLAG,
    eps=POSITIVE,
)
def poisson_nll(
    pred: Any, target: Any, *, log_input: Any = True, full: Any = False, eps: Any = 1e-8
) -> Any:
    """Negative log-likelihood of a Poisson distribution.

    ℓ = eˣ − y·x, where x, the prediction, is the logarithm of the mean, and y the target;
    ℓ = x − y·log(x + ε) for a prediction of the mean itself; plus log Γ(y + 1) if `full`.

    Parameters
    ----------
    pred : array_like
        Logarithms of the predicted means: any real numbers. Without `log_input` the means
        themselves, positive.
    target : array_like
        Counts, or other numbers that are not negative, of the shape of `pred` or a single one.
        They are not checked; see `fastloss.check_target`.
    log_input : bool, default True
        Whether the prediction is the logarithm of the mean.
    full : bool, default False
        Whether to add log Γ(y + 1), log y! for a count, which makes it a likelihood.
    eps : float or array_like of shape (pred.shape[-1],), default 1e-8
        What is added to the mean before its logarithm is taken; positive. Unused with
        `log_input`.

    Notes
    -----
    The gradient is eˣ − y, the second derivative eˣ; without `log_input`, 1 − y/(x + ε) and
    y/(x + ε)². The loss may be negative. `fastloss.half_poisson_deviance` has the same gradient
    and is 0 for a perfect prediction; its value and gradient keep their relative accuracy near
    there, where those of this loss are differences of larger numbers.

    In other libraries: ``torch.nn.functional.poisson_nll_loss``, the same number; its `full` adds
    Stirling's approximation, and to targets above 1 alone. scikit-learn's half Poisson loss and
    CatBoost's ``Poisson`` are this loss. XGBoost's ``count:poisson`` and LightGBM's ``poisson``
    have its gradient, and its second derivative times exp(``max_delta_step``), exp(0.7) by
    default. Keras's ``Poisson`` is ``poisson_nll(log_input=False, eps=1e-7)``.

    References
    ----------
    P. McCullagh and J. A. Nelder, Generalized linear models, Chapman and Hall 1989.
    ``torch.nn.functional.poisson_nll_loss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.poisson_nll([0.0, 0.0], [0, 3], reduction="none")
    array([1., 1.])
    >>> fl.poisson_nll.grad([0.0, 0.0], [0, 3], reduction="sum")
    array([ 1., -2.])
    >>> round(fl.poisson_nll(2.0, 3, log_input=False, full=True), 6)
    1.712318
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        constant = _log_rising(target, 1) if full else 0 * target
        if log_input:
            mean = np.exp(pred)
            nothing = ((target == 0) & (pred == -np.inf)) | (pred == np.inf)
            line = np.where(nothing, 0, target * pred)
            return Parts(mean, -line, constant), Parts(mean, -target), mean
        mean = pred + eps
        nothing = (target == 0) & (mean == 0)
        line = np.where(nothing | (pred == np.inf), 0, target * np.log(mean))
        ratio = np.where(nothing, 0, target / mean)
        hess = np.where(nothing, 0, ratio / mean)
    return Parts(pred, -line, constant), Parts(np.ones_like(pred), -ratio), hess


@pointwise(Accuracy(Bounds(4, 3, 2)), target=NON_NEGATIVE)
def half_poisson_deviance(pred: Any, target: Any) -> Any:
    """Half of the Poisson deviance, for predictions of the logarithm of the mean.

    ℓ = eˣ − y − y·(x − log y), eˣ for y = 0, where x is the prediction and y the target.

    Parameters
    ----------
    pred : array_like
        Logarithms of the predicted means: any real numbers.
    target : array_like
        Counts, or other numbers that are not negative, of the shape of `pred` or a single one.
        They are not checked; see `fastloss.check_target`.

    Notes
    -----
    The gradient is eˣ − y, the second derivative eˣ. The loss is y·(eᵈ − 1 − d) with d = x − log y
    and computed as such: it is never negative, 0 for a perfect prediction, and value and gradient
    keep their relative accuracy next to one. (Only where a prediction in double precision is the
    number nearest to log y do they lose a few digits.) It is `fastloss.poisson_nll` plus what does
    not depend on the prediction.

    In other libraries: half of ``sklearn.metrics.mean_poisson_deviance`` of the means;
    scikit-learn's half Poisson loss has its derivatives, and its value less y·log y − y.

    References
    ----------
    P. McCullagh and J. A. Nelder, Generalized linear models, Chapman and Hall 1989.
    ``sklearn._loss.HalfPoissonLoss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.half_poisson_deviance.value_and_grad([0.0, 0.0], [0, 1], reduction="none")
    >>> value
    array([1., 0.])
    >>> grad
    array([1., 0.])
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = np.exp(pred)
        alone = (target == 0) | (pred == np.inf)
        d = pred - np.log(target)
        value = np.where(d < 1, target * _exp_less_line(d), mean - target * (1 + d))
        grad = np.where(d < 1, target * np.expm1(d), mean - target)
    return np.where(alone, mean, value), np.where(alone, mean, grad), mean


@pointwise(
    Accuracy(Bounds(3, 2, 1)),
    curvatures=Curvatures(Exact(), gauss_newton=Constant()),
    target=POSITIVE,
)
def half_gamma_deviance(pred: Any, target: Any) -> Any:
    """Half of the Gamma deviance, for predictions of the logarithm of the mean.

    ℓ = y·e⁻ˣ − 1 + x − log y, where x is the prediction and y the target.

    Parameters
    ----------
    pred : array_like
        Logarithms of the predicted means: any real numbers.
    target : array_like
        Positive numbers, of the shape of `pred` or a single one. They are not checked; see
        `fastloss.check_target`.

    Notes
    -----
    The gradient is 1 − y·e⁻ˣ, the second derivative y·e⁻ˣ. The loss is e⁻ᵈ − 1 + d with
    d = x − log y and computed as such: it is never negative, 0 for a perfect prediction, and value
    and gradient keep their relative accuracy next to one. It does not change when targets and
    means are measured in another unit.

    In other libraries: half of ``sklearn.metrics.mean_gamma_deviance`` of the means;
    scikit-learn's half Gamma loss, XGBoost's ``reg:gamma`` and LightGBM's ``gamma`` have its
    derivatives, and scikit-learn's has its value plus log y + 1.

    References
    ----------
    P. McCullagh and J. A. Nelder, Generalized linear models, Chapman and Hall 1989.
    ``sklearn._loss.HalfGammaLoss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.half_gamma_deviance.value_and_grad([0.0, 0.0], [1, 4], reduction="none")
    >>> value
    array([0.        , 1.61370564])
    >>> grad
    array([ 0., -3.])
    """
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        d = pred - np.log(target)
        return _exp_less_line(-d), -np.expm1(-d), np.exp(-d)


@pointwise(
    Accuracy(Bounds(5, 4, 4)),
    curvatures=Curvatures(Absolute()),
    inputs={"pred": only_with(NON_NEGATIVE, "link", "identity")},
    target=NON_NEGATIVE,
    power=REAL,
    link=choice("log", "identity"),
)
def half_tweedie_deviance(pred: Any, target: Any, *, power: Any = 1.5, link: Any = "log") -> Any:
    """Half of the Tweedie deviance, for predictions of the mean or of its logarithm.

    ℓ = y²⁻ᵖ / ((1 − p)(2 − p)) − y·μ¹⁻ᵖ / (1 − p) + μ²⁻ᵖ / (2 − p), where μ is the mean, y the
    target, and p the power; the limits of it for p = 1 and p = 2.

    Parameters
    ----------
    pred : array_like
        Logarithms of the predicted means: any real numbers. With ``link="identity"`` the means
        themselves, positive.
    target : array_like
        Numbers that are not negative, for p ≥ 2 positive, of the shape of `pred` or a single one.
        They are not checked; see `fastloss.check_target`.
    power : float or array_like of shape (pred.shape[-1],), default 1.5
        p: the variance is proportional to μᵖ. Any number; with 1 < p < 2 the distribution is that
        of a sum of a Poisson number of Gamma variables, with 0 < p < 1 there is none.
    link : {"log", "identity"}, default "log"
        What the prediction is: log μ or μ.

    Notes
    -----
    The gradient with respect to log μ is μ²⁻ᵖ − y·μ¹⁻ᵖ, the second derivative
    (2 − p)·μ²⁻ᵖ − (1 − p)·y·μ¹⁻ᵖ, which is positive for 1 ≤ p ≤ 2; with respect to μ they are
    (μ − y)·μ⁻ᵖ and ((1 − p)·μ + p·y)·μ⁻ᵖ⁻¹. The loss is computed as a function of log(μ/y): it is
    never negative, 0 for a perfect prediction, and value and gradient keep their relative accuracy
    next to one. With p = 1 it is `fastloss.half_poisson_deviance`, with p = 2
    `fastloss.half_gamma_deviance`, with p = 0 half the squared error, with p = 3 half the deviance
    of the inverse Gaussian distribution. For p ≤ 0 targets may be negative, too; the first part of
    the loss is then 0, for p = 0 it is y²/2. With p = 0 and ``link="identity"`` so may predictions.

    In other libraries: half of ``sklearn.metrics.mean_tweedie_deviance`` of the means, which
    allows no power between 0 and 1; scikit-learn's half Tweedie loss with identity link is this
    loss, and with log link its value lacks what does not depend on the prediction. XGBoost's
    ``reg:tweedie``, LightGBM's ``tweedie`` and CatBoost's ``Tweedie`` have its derivatives with
    log link.

    References
    ----------
    B. Jørgensen, Exponential dispersion models, Journal of the Royal Statistical Society B 49
    (1987). ``sklearn._loss.HalfTweedieLoss``, ``sklearn._loss.HalfTweedieLossIdentity``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.half_tweedie_deviance([0.0, 0.0, 0.0], [0, 1, 4], reduction="none")
    array([2., 0., 2.])
    >>> value, grad = fl.half_tweedie_deviance.value_and_grad([4.0], [1], power=3, link="identity")
    >>> value, grad
    (0.28125, array([0.046875]))
    """
    a, b = 2 - power, 1 - power
    order = int(link == "identity")  # of the mean, by which each derivative is divided
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        positive = np.where(target <= 0, 1, target)
        d = _log_ratio(pred, positive) if order else pred - np.log(positive)
        alone = target <= 0  # then the first part is not there
        straight = (a * b > 0) & (np.abs(d) > 1)
        curved = ~alone & (np.abs(d) * (np.abs(a) + np.abs(b)) <= 1)
        whole = positive**a

        def of_mean(exponent: Any) -> Any:
            return np.where(exponent == 0, 1, positive**exponent * np.exp(exponent * d))

        def of_target(exponent: Any) -> Any:
            return np.where(target == 0, 0, target * of_mean(exponent))

        def area(c: Any, grown: Any) -> Any:
            """Integrate eᶜᵘ − 1, or where it is straight eᶜᵘ, from u = 0 to d."""
            rest = np.where(straight, np.expm1(c * d), _exp_less_line(c * d))
            return np.where(c == 0, 0, np.where(alone, grown, whole * rest) / c)

        first, second = area(a, of_mean(a)), area(b, of_target(b))
        first = np.where((target == 0) & (a <= 0), np.inf, first)
        first = first + np.where((power == 0) & (target < 0), target**2 / 2, 0)
        up, down = of_mean(a - order), of_target(b - order)
        up = np.where(curved, whole * np.expm1(a * d) / of_mean(order), up)
        down = np.where(curved, whole * np.expm1(b * d) / of_mean(order), down)
        f, g = a - order, b - order
        high = np.where(f == 0, 0, f * of_mean(a - 2 * order))
        low = np.where(g == 0, 0, g * of_target(b - 2 * order))
        if order:
            squared, r = power == 0, pred - target
            first, up, high = (
                np.where(squared, x, y) for x, y in ((r**2 / 2, first), (r, up), (1, high))
            )
            second, down, low = (np.where(squared, 0, x) for x in (second, down, low))
        is_outside = (target < 0) & (power > 0)
        first, up, high = (np.where(is_outside, np.nan, x) for x in (first, up, high))
    return _difference(first, second, d), _difference(up, down, d), _difference(high, low, d)


def _difference(a: Any, b: Any, d: Any) -> Parts:
    """Return a − b; of two infinite ones, a is the larger one for d > 0."""
    infinite = (np.abs(a) == np.inf) & (np.abs(b) == np.inf)
    return Parts(np.where(infinite & (d < 0), 0, a), -np.where(infinite & (d > 0), 0, b))


@pointwise(Accuracy(Bounds(3, 4, 6)), target=NON_NEGATIVE, dispersion=POSITIVE, full=FLAG)
def negative_binomial_nll(
    pred: Any, target: Any, *, dispersion: Any = 1.0, full: Any = False
) -> Any:
    """Negative log-likelihood of a negative binomial distribution, for overdispersed counts.

    ℓ = (y + 1/α)·log(1 + α·μ) − y·x, where x, the prediction, is the logarithm of the mean μ, y
    the target, and α the dispersion: the variance is μ + α·μ². Plus
    log Γ(y + 1) + log Γ(1/α) − log Γ(y + 1/α) − y·log α if `full`.

    Parameters
    ----------
    pred : array_like
        Logarithms of the predicted means: any real numbers.
    target : array_like
        Counts, or other numbers that are not negative, of the shape of `pred` or a single one.
        They are not checked; see `fastloss.check_target`.
    dispersion : float or array_like of shape (pred.shape[-1],), default 1.0
        α; positive. An array has one for each place along the last axis.
    full : bool, default False
        Whether to add what makes it a likelihood. It does not depend on the prediction; what is
        left out otherwise depends on the dispersion.

    Notes
    -----
    The gradient is (μ − y)/(1 + α·μ), the second derivative μ·(1 + α·y)/(1 + α·μ)². As the
    dispersion vanishes the loss becomes `fastloss.poisson_nll`, with and without `full`, and keeps
    its digits on the way.

    In other libraries: with `full`, the negative of ``scipy.stats.nbinom.logpmf`` with n = 1/α and
    p = 1/(1 + α·μ), that of ``torch.distributions.NegativeBinomial(1 / alpha, logits=x +
    log(alpha))``, and the loss of statsmodels' ``NegativeBinomial``.

    References
    ----------
    J. M. Hilbe, Negative binomial regression, Cambridge University Press 2011.
    ``scipy.stats.nbinom``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.negative_binomial_nll.value_and_grad([0.0], [3], dispersion=0.5)
    >>> round(value, 6)
    2.027326
    >>> print(grad.round(6))
    [-1.333333]
    >>> round(fl.negative_binomial_nll(0.0, 3, dispersion=0.5, full=True), 6)
    2.720473
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = np.exp(pred)
        w = dispersion * mean
        large = w == np.inf
        log_dispersion = np.log(dispersion)
        softplus = np.where(large, pred + log_dispersion, np.log1p(w))
        # log(1 + w) − x is a sum of these.
        above = w > 1
        log_share = np.where(above, np.log1p(1 / w), softplus)
        nothing = (target == 0) & (pred == -np.inf)
        line = np.where(above, log_dispersion, np.where(nothing, 0, -pred))
        parts: tuple[Any, ...] = softplus / dispersion, target * log_share, target * line
        value = Parts(*parts)
        if full:
            parts += _log_rising(target, 1), -_log_rising(target, 1 / dispersion)
            size = np.maximum(Parts(*parts).size(), np.maximum(target, 1))
            value = Parts(*parts, size=size)
        share = 1 / (1 + w)
        up = np.where(large, 1 / dispersion, mean * share)
        hess = (1 + dispersion * target) * up * share
    return value, Parts(up, -target * share), hess


def _log_ratio(x: Any, y: Any) -> Any:
    """Return log(x / y)."""
    return np.where(np.abs(x - y) < y / 2, np.log1p((x - y) / y), np.log(x) - np.log(y))


def _exp_less_line(z: Any) -> Any:
    """Return eᶻ − 1 − z, whose parts cancel near 0."""
    series = 1 + 0 * z
    for k in range(30, 2, -1):
        series = 1 + z * series / k
    far = np.where(z == np.inf, z, np.expm1(z) - z)
    return np.where(np.abs(z) < 0.5, z * z / 2 * series, far)


# Of B₂ₖ / (2k·(2k − 1)), the coefficients of Stirling's series, k = 1, 2, ...
_BERNOULLI = (
    (1, 6),
    (-1, 30),
    (1, 42),
    (-1, 30),
    (5, 66),
    (-691, 2730),
    (7, 6),
    (-3617, 510),
    (43867, 798),
    (-174611, 330),
    (854513, 138),
    (-236364091, 2730),
)


def _log_rising(x: Any, r: Any) -> Any:
    """Return log Γ(r + x) − log Γ(r) − x·log r, which is log Γ(1 + x) for r = 1."""
    steps = 40  # of the recurrence; then the difference of two of Stirling's series
    start = r + steps
    q = np.log1p(x / start)
    result = x * (np.log1p(steps / (r + 0 * x)) - 1) + (x + start - 0.5) * q
    for k in range(steps):
        result = result - np.log1p(x / (r + k))
    for k, (numerator, denominator) in enumerate(_BERNOULLI, 1):
        power = 2 * k - 1
        scale = numerator / (2 * k * power * denominator + 0 * x)
        result = result + scale * np.expm1(-power * q) / start**power
    return result
