# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses of times to an event, of which no more than bounds may be known."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastloss.domains import NON_NEGATIVE, POSITIVE, POSITIVE_OR_INFINITE, choice
from fastloss.families import Accuracy, Bounds, pointwise
from fastloss.reference import Parts, sigmoid, softplus


def _log_of_complement(x: Any) -> Any:
    """Return log(1 - exp(-x)) for x >= 0."""
    return np.where(x > 0.7, np.log1p(-np.exp(-x)), np.log(-np.expm1(-x)))


# Of each distribution: −log of the mass between a and b or, where they are equal, of the density; σ
# times its gradient with respect to the prediction, in parts that may cancel; and σ² times its
# second derivative.


def _logistic(a: Any, b: Any, width: Any) -> tuple[Any, tuple[Any, ...], Any]:
    total = np.where(a == -b, 0, a + b)
    change = np.expm1(-np.abs(total))  # σ(−b) − σ(a) as a product
    rising, falling = sigmoid(a) * sigmoid(b), sigmoid(-a) * sigmoid(-b)
    value = softplus(-b) + softplus(a)
    curvature = sigmoid(a) * sigmoid(-a) + sigmoid(b) * sigmoid(-b)
    mass = np.where(width == 0, 0, _log_of_complement(width))
    return value - mass, (np.where(total > 0, rising, -falling) * change,), curvature


def _extreme(a: Any, b: Any, width: Any) -> tuple[Any, tuple[Any, ...], Any]:
    """Take e⁻ᴬ − e⁻ᴮ as e⁻ᴬ·(1 − e⁻ᴰ), where A = eᵃ, B = eᵇ and D = B − A."""
    log_d = np.where(width == 0, -np.inf, b + _log_of_complement(width))
    d, hazard = np.exp(log_d), np.exp(a)
    tiny = np.where(d < 1, d, 0)
    ratio = np.where(tiny > 0, -np.expm1(-tiny) / np.where(tiny > 0, tiny, 1), 1)
    small = -np.log(ratio) - np.where(width == 0, a, log_d)
    value = np.where(d < 1, small, -np.log1p(-np.exp(-d)))

    # D / (eᴰ − 1), and how it bends: y coth y − 1 by Lambert's continued fraction, for y = D / 2.
    y = np.where(d < 2, d / 2, 0)
    fraction = 0 * y
    for k in range(31, 1, -2):
        fraction = y**2 / (k + fraction)
    share = np.where(d < 1, np.exp(-tiny) / ratio, np.where(d < 1e6, d, 0) / np.expm1(d))
    bend = np.where(d < 2, y + fraction, share + np.where(d < 1e6, d, 0) - 1)
    slope = np.where(width == 0, -np.expm1(a), 0)
    return (
        np.where(hazard == np.inf, hazard, hazard + value),
        (np.where(width == 0, slope, share), np.where(width == 0, 0, -hazard)),
        hazard + share * bend,
    )


def _normal(a: Any, b: Any, width: Any, zero: Any) -> tuple[Any, tuple[Any, ...], Any]:
    """Take the mean and the variance of a normal number between a and b.

    The integrals are sums over the points of the double exponential rule.
    """
    steps = np.asarray(zero)[..., None] + np.arange(-64, 65) / 16
    fraction = 1 / (1 + np.exp(-1.5 * (np.exp(steps) - np.exp(-steps))))
    factor = 1.5 / 16 * (np.exp(steps) + np.exp(-steps)) * fraction * fraction[..., ::-1]

    def moments(peak: Any, start: Any, length: Any) -> tuple[Any, Any, Any]:
        """Return mean of exp(-t(peak + t/2)) from start on, and mean and variance of t by it."""
        t = start[..., None] + length[..., None] * fraction
        density = factor * np.exp(-t * (peak[..., None] + t / 2))
        mass = np.sum(density, axis=-1)
        mean = np.sum(density * t, axis=-1) / mass
        spread = np.sum(density * (t - mean[..., None]) ** 2, axis=-1)
        return mass, mean, spread / mass

    def reach(x: Any) -> Any:
        """Return how far above x there is any density to speak of."""
        return 83 / np.maximum(x, 6.4)

    def tail(x: Any) -> Any:
        """Return the mass above x >= 0, over the density at 0."""
        x = np.where(x < np.inf, x, 1e30)
        return np.exp(-(x**2) / 2) * reach(x) * moments(x, 0 * x, reach(x))[0]

    mirrored = a + b < 0
    a, b = np.where(mirrored, -b, a), np.where(mirrored, -a, b)
    is_inside = a < 0  # of 0, the peak; otherwise that is a
    peak = np.where(is_inside, 0, np.where(a == np.inf, 1e30, a))
    is_wide = is_inside & (width > 1)
    length = np.where(is_wide, 0, np.minimum(width, reach(peak)))
    mass, mean, variance = moments(peak, np.where(is_inside & ~is_wide, a, 0), length)

    # The mass over the density at the peak; where it is wide, from what lies outside.
    root = np.sqrt(2 * (zero + np.pi + np.sin(np.pi)))  # the sine is what np.pi lacks
    outside = np.where(is_wide, (tail(np.abs(a)) + tail(b)) / root, 0)
    log_mass = np.log(mass) + np.where(width == 0, 0, np.log(length))
    value = np.maximum(a, 0) ** 2 / 2 + (np.log(root) - log_mass)
    value = np.where(is_wide, -np.log1p(-outside), value)

    total = np.where(is_wide, (1 - outside) * root, np.where(width == 0, 1, mass * length))
    density = np.where(is_inside, np.exp(-(a**2) / 2), 0) / total
    change = np.expm1(-np.where(b == np.inf, b, width * (a + b) / 2))
    b_part = np.where((change == -1) | ~is_inside, 0, b) * (1 + change)
    edges = density * (np.where(a == -np.inf, 0, np.abs(a)) + b_part)
    mean = np.where(is_inside, -density * change, np.maximum(a, 0) + mean)
    curvature = np.where(is_inside, mean**2 + edges, 1 - variance)
    return value, (np.where(mirrored, mean, -mean),), curvature


@pointwise(
    Accuracy(Bounds(8, 8, 8)),
    lower=NON_NEGATIVE,
    upper=POSITIVE_OR_INFINITE,
    distribution=choice("normal", "logistic", "extreme"),
    scale=POSITIVE,
)
def aft(
    pred: Any, lower: Any, upper: Any, *, distribution: Any = "normal", scale: Any = 1.0
) -> Any:
    """Accelerated failure time: −log of the likelihood of times that are known or censored.

    The logarithm of a time is log t = x + σ·z, where x is `pred`, σ `scale`, and z is random, with
    the density f and the distribution function F. With a = (log l − x) / σ and b = (log u − x) / σ
    for the bounds l, `lower`, and u, `upper`: ℓ = −log(f(a) / (σ·l)) where l = u, and ℓ = −log(F(b)
    − F(a)) elsewhere.

    Parameters
    ----------
    pred : array_like
        Logarithms of times: any real numbers.
    lower, upper : array_like
        Bounds of the time, of the shape of `pred` or a single one: the same where it is known,
        0 and u where it is at most u (left-censored), l and inf where it is more than l
        (right-censored), and else an interval. Which of the two comes first does not matter; they
        are not checked otherwise; see `fastloss.check_target`.
    distribution : {"normal", "logistic", "extreme"}, default "normal"
        Of z: the standard normal, the logistic with F = 1 / (1 + e⁻ᶻ), or the extreme value
        distribution of minima with F = 1 − exp(−eᶻ), for which times have Weibull's distribution.
    scale : float, default 1.0
        σ > 0.

    Notes
    -----
    The gradient is −E[y] / σ and the second derivative (1 − Var[y]) / σ² for the normal
    distribution, y being a z between a and b. In general they are (f(b) − f(a)) / (σ·(F(b) − F(a)))
    and its derivative, neither of which is written as a difference: no tail is lost, and bounds
    next to each other, or next to nothing, have exact results. Nothing is clipped. The second
    derivative is never negative.

    Logarithms of times are known to 66 bits: where σ is much smaller than the rounding error of the
    prediction, results are as exact as the distance of the two, over σ.

    In other libraries: XGBoost's ``survival:aft`` (`aft_loss_distribution`,
    `aft_loss_distribution_scale`, `label_lower_bound`, `label_upper_bound`) with its metric
    ``aft-nloglik``, the same number, but it keeps likelihoods from below 10⁻¹², gradients within
    ±15 and second derivatives between 10⁻¹⁶ and 15. CatBoost's ``SurvivalAft`` has -1 for an open
    end, and its own signs and limits. R's ``survival::survreg`` maximizes minus the sum, with the
    distributions "lognormal", "loglogistic" and "weibull"; `lifelines` has them as fitters.

    References
    ----------
    .. [1] A. Barnwal, H. Cho, T. Hocking, "Survival regression with accelerated failure time model
       in XGBoost", Journal of Computational and Graphical Statistics 31, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> lower, upper = [2.0, 2.0, 0.0, 2.0], [2.0, np.inf, 2.0, 3.0]
    >>> fl.aft([0.5, 0.5, 0.5, 0.5], lower, upper, reduction="none")
    array([1.63073863, 0.85938631, 0.55064439, 1.90578326])
    >>> fl.aft.grad([0.5, 0.5, 0.5, 0.5], lower, upper, distribution="logistic", reduction="sum")
    array([-0.09627448, -0.54813724,  0.45186276, -0.19347599])
    """
    first, last = np.minimum(lower, upper), np.maximum(lower, upper)
    is_known = first == last
    is_near = last <= 2 * first
    is_number = pred == pred  # noqa: PLR0124 (not NaN: objects have no isnan)
    a = np.where((first == 0) & is_number, -np.inf, (np.log(first) - pred) / scale)
    b = np.where((last == np.inf) & is_number, np.inf, (np.log(last) - pred) / scale)
    ratio = np.where(is_near, np.log1p((last - first) / first), np.log(last) - np.log(first))
    width = np.where(is_known, 0, ratio / scale)

    if distribution == "normal":
        value, grad, hess = _normal(a, b, width, 0 * scale)
    elif distribution == "logistic":
        value, grad, hess = _logistic(a, b, width)
    else:
        value, grad, hess = _extreme(a, b, width)
    log_scale = np.where(is_known, np.log(scale), 0)
    log_time = np.where(is_known, np.log(first), 0)
    # Logarithms of times are known to 66 bits, and so is their distance from a prediction.
    slope = hess / scale**2
    parts = [part / scale for part in grad]
    size, blur = functools.reduce(np.maximum, map(np.abs, parts)), np.abs(pred) * slope / 2**12
    return (
        Parts(value, log_scale, log_time),
        Parts(*parts, size=np.where(blur > size, blur, size)),
        slope,
    )
