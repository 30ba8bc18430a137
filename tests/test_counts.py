# SPDX-License-Identifier: BSD-3-Clause
"""Losses of counts and positive targets against their definitions in many digits."""

from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_link = pytest.mark.parametrize("link", ["log", "identity"])

POWERS = [-2.0, 0.0, 0.5, 1.0, 1 + 2**-20, 1.25, 1.5, 2 - 2**-18, 2.0, 2.5, 3.0, 20.0]


def deviance(mean: Any, y: Any, power: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Return half the Tweedie deviance and its slope in log(mean), their larger parts, and hess."""
    p = mpmath.mpf(power)
    high, low = mean ** (2 - p), y * mean ** (1 - p)
    slope, curvature = high - low, (2 - p) * high - (1 - p) * low
    if y == 0:
        return high / (2 - p), high / (2 - p), slope, slope, curvature
    d = mpmath.log(mean / y)
    is_straight = (p < 1 or p > 2) and abs(d) > 1
    parts = [
        y ** (2 - p) * (mpmath.expm1(c * d) - (0 if is_straight else c * d)) / c if c else 0
        for c in (2 - p, 1 - p)
    ]
    steps = [high, low]
    if abs(d) * (abs(2 - p) + abs(1 - p)) <= 1:
        steps = [y ** (2 - p) * mpmath.expm1(c * d) for c in (2 - p, 1 - p)]
    step = max(map(abs, steps)) if p < 1 or p > 2 else slope
    return parts[0] - parts[1], max(map(abs, parts)), slope, step, curvature


def ulps(got: Any, exact: Any, size: Any = None) -> float:
    """Return an error in units in the last place of the result, or of a size."""
    kind = type(got)
    largest = min(abs(exact if size is None else size), mpmath.mpf(float(np.finfo(kind).max)))
    return float(abs(mpmath.mpf(float(got)) - exact) / mpmath.mpf(float(np.spacing(kind(largest)))))


def neighbours(dtype: type, link: str) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions, and targets that differ from the means by 0 to many ULP."""
    generator = np.random.default_rng(11)
    scale = 80 if dtype is np.float32 else 700
    pred = generator.uniform(-1, 1, 90) * np.repeat([0.01, 1, scale], 30)
    mean = np.exp(pred)
    pred = (pred if link == "log" else mean).astype(dtype)
    steps = np.tile([0, 1, -1, 2, -3, 16, -100, 5000, -70_000, 2_000_000], 9)
    with mpmath.workdps(400):
        means = [mpmath.exp(float(x)) if link == "log" else mpmath.mpf(float(x)) for x in pred]
        target = np.array([float(m) for m in means]).astype(dtype)
    return pred, (target * (1 + steps * np.finfo(dtype).eps)).astype(dtype)


@each_link
@pytest.mark.parametrize("power", POWERS)
@each_dtype
def test_next_to_a_perfect_prediction(dtype: type, power: float, link: str) -> None:
    """Relative errors, however small the loss is; in parts of it where powers are large.

    Where the prediction is the number next to log(y) itself, the double-length logarithm of a
    float64 leaves some digits fewer.
    """
    pred, target = neighbours(dtype, link)
    calls = {"half_tweedie_deviance": {"power": power, "link": link}}
    if link == "log" and power in (1, 2):
        calls |= {"half_poisson_deviance" if power == 1 else "half_gamma_deviance": {}}
    for name, options in calls.items():
        value, grad = fl.losses[name].value_and_grad(pred, target, reduction="none", **options)
        for k, (x, y) in enumerate(zip(pred, target, strict=True)):
            with mpmath.workdps(400):
                mean = mpmath.exp(float(x)) if link == "log" else mpmath.mpf(float(x))
                exact, size, slope, step, _ = deviance(mean, mpmath.mpf(float(y)), power)
                if link == "identity":
                    slope, step = slope / mean, step / mean
                distance = abs(mpmath.log(mean / float(y)))
                is_closest = distance < abs(mpmath.log(mean)) * np.finfo(dtype).eps
                loses = dtype is np.float64 and link == "log" and is_closest
                smallest = float(np.finfo(dtype).smallest_normal)
                for got, truth, unit in ((value[k], exact, size), (grad[k], slope, step)):
                    if mean == float(y):
                        assert got == 0
                    elif smallest < abs(truth) and abs(unit) < np.finfo(dtype).max:
                        assert ulps(got, truth, unit) <= (2**20 if loses else 8), (x, y)


@each_dtype
def test_zero_only_where_it_is(dtype: type) -> None:
    """A perfect prediction costs nothing, the next one something."""
    for name in ("half_poisson_deviance", "half_gamma_deviance", "half_tweedie_deviance"):
        value, grad = fl.losses[name].value_and_grad(dtype(0), dtype(1))
        assert value == 0
        assert grad == 0
        for y in (np.nextafter(dtype(1), dtype(2)), np.nextafter(dtype(1), dtype(0))):
            assert fl.losses[name](dtype(0), y) > 0
    y = np.arange(2, 1000).astype(dtype)
    for name in ("half_poisson_deviance", "half_gamma_deviance", "half_tweedie_deviance"):
        assert np.all(fl.losses[name](np.log(y), y, reduction="none") > 0)
    x = np.geomspace(1e-10, 1e10, 500).astype(dtype)
    for power in POWERS:
        value, grad = fl.half_tweedie_deviance.value_and_grad(
            x, x, power=power, link="identity", reduction="none"
        )
        np.testing.assert_array_equal(value[np.isfinite(value)], 0)
        np.testing.assert_array_equal(grad, 0)


@each_link
@pytest.mark.parametrize("power", POWERS)
@each_dtype
def test_tweedie_far_from_it(dtype: type, power: float, link: str) -> None:
    """With targets of 0, too; second derivatives in ULP of their larger part."""
    generator = np.random.default_rng(12)
    pred = generator.normal(scale=4, size=200).astype(dtype)
    target = np.exp(generator.normal(scale=4, size=200)).astype(dtype)
    if power < 2:
        target[::6] = 0
    pred = pred if link == "log" else np.exp(pred)
    got = fl.half_tweedie_deviance.value_grad_and_hess(
        pred, target, power=power, link=link, reduction="none"
    )
    with mpmath.workdps(120):
        for x, y, value, grad, hess in zip(pred, target, *got, strict=True):
            mean = mpmath.exp(float(x)) if link == "log" else mpmath.mpf(float(x))
            y_exact, p = mpmath.mpf(float(y)), mpmath.mpf(power)
            exact, size, slope, step, curvature = deviance(mean, y_exact, power)
            parts = [(2 - p) * mean ** (2 - p), (1 - p) * y_exact * mean ** (1 - p)]
            if link == "identity":
                curvature = (curvature - slope) / mean**2
                slope, step = slope / mean, step / mean
                parts = [(1 - p) * mean**-p, p * y_exact * mean ** (-1 - p)]
            if max(map(abs, (size, step, *parts))) > np.finfo(dtype).max / 4:
                continue
            if min(map(abs, (exact, slope, max(map(abs, parts))))) < np.finfo(dtype).tiny * 4:
                continue
            assert ulps(value, exact, size) <= 8, (x, y)
            assert ulps(grad, slope, step) <= 8, (x, y)
            assert ulps(hess, curvature, max(map(abs, parts))) <= 8, (x, y)


@each_dtype
def test_powers_that_are_other_losses(dtype: type) -> None:
    generator = np.random.default_rng(13)
    pred = generator.normal(scale=3, size=1000).astype(dtype)
    target = np.exp(generator.normal(scale=3, size=1000)).astype(dtype)
    pairs = [(1.0, fl.half_poisson_deviance, target * (target > 0.1))]
    pairs += [(2.0, fl.half_gamma_deviance, target)]
    for power, loss, y in pairs:
        own = fl.half_tweedie_deviance.value_grad_and_hess(pred, y, power=power, reduction="none")
        other = loss.value_grad_and_hess(pred, y, reduction="none")
        np.testing.assert_array_equal(own[0], other[0])
        for a, b in zip(own[1:], other[1:], strict=True):
            np.testing.assert_allclose(a, b, rtol=6 * np.finfo(dtype).eps)
    squares = {"power": 0.0, "link": "identity", "reduction": "none"}
    for y in (target, -target, pred + 1, pred):
        own = fl.half_tweedie_deviance.value_grad_and_hess(pred, y, **squares)
        other = fl.half_squared_error.value_grad_and_hess(pred, y, reduction="none")
        for a, b in zip(own, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_tweedie_of_negative_targets() -> None:
    """Up to power 0 they have a value, beyond they are no targets."""
    pred, target = np.array([-1.0, 0.5, 2.0]), np.array([-2.0, -0.25, -3.0])
    mean = np.exp(pred)
    value, grad, hess = fl.half_tweedie_deviance.value_grad_and_hess(
        pred, target, power=0.0, reduction="none"
    )
    np.testing.assert_allclose(value, (mean - target) ** 2 / 2, rtol=1e-15)
    np.testing.assert_allclose(grad, (mean - target) * mean, rtol=1e-15)
    np.testing.assert_allclose(hess, (2 * mean - target) * mean, rtol=1e-15)
    value, grad = fl.half_tweedie_deviance.value_and_grad(
        pred, target, power=-1.0, reduction="none"
    )
    np.testing.assert_allclose(value, mean**3 / 3 - target * mean**2 / 2, rtol=1e-15)
    np.testing.assert_allclose(grad, mean**3 - target * mean**2, rtol=1e-15)
    for power in (0.5, 1.0, 1.5, 2.0, 3.0):
        for part in fl.half_tweedie_deviance.value_grad_and_hess(
            pred, target, power=power, reduction="none"
        ):
            assert np.isnan(part).all()


@each_dtype
@pytest.mark.parametrize("dispersion", [1e-8, 1e-3, 0.5, 1.0, 7.0, 1e3, 1e6])
def test_negative_binomial(dtype: type, dispersion: float) -> None:
    """With the constant, whose error is at most one of numbers of size 1."""
    generator = np.random.default_rng(14)
    pred = generator.normal(scale=5, size=150).astype(dtype)
    target = np.round(np.exp(generator.normal(scale=3, size=150))).astype(dtype)
    plain = fl.negative_binomial_nll(pred, target, dispersion=dispersion, reduction="none")
    full = fl.negative_binomial_nll(
        pred, target, dispersion=dispersion, full=True, reduction="none"
    )
    with mpmath.workdps(60):
        a = mpmath.mpf(float(dtype(dispersion)))
        r = 1 / a
        for x, y, without, value in zip(pred, target, plain, full, strict=True):
            x_exact, y_exact = mpmath.mpf(float(x)), mpmath.mpf(float(y))
            log = mpmath.log1p(a * mpmath.exp(x_exact))
            parts = [r * log, y_exact * log, -y_exact * x_exact]
            exact = sum(parts)
            assert ulps(without, exact, max(map(abs, parts))) <= 4, (x, y)
            rising = mpmath.loggamma(r + y_exact) - mpmath.loggamma(r) - y_exact * mpmath.log(r)
            parts += [mpmath.loggamma(y_exact + 1), -rising, mpmath.mpf(1)]
            exact += parts[3] + parts[4]
            assert ulps(value, exact, max(map(abs, parts))) <= 8, (x, y)


def test_negative_binomial_becomes_poisson() -> None:
    generator = np.random.default_rng(15)
    pred, target = generator.normal(size=200), generator.poisson(4.0, size=200)
    for full in (False, True):
        expected = fl.poisson_nll.value_grad_and_hess(pred, target, full=full, reduction="none")
        for dispersion in (1e-12, 1e-100, 1e-300):
            got = fl.negative_binomial_nll.value_grad_and_hess(
                pred, target, dispersion=dispersion, full=full, reduction="none"
            )
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@each_dtype
def test_poisson_constant(dtype: type) -> None:
    """Also of targets below 1, and of huge ones, whose likelihood is a small difference."""
    target = np.concatenate([[0, 1, 2], np.geomspace(1e-30, 1e30, 200)]).astype(dtype)
    pred = np.log(np.maximum(target, dtype(1e-20))) + dtype(0.5)
    value = fl.poisson_nll(pred, target, full=True, reduction="none")
    with mpmath.workdps(80):
        for x, y, got in zip(pred, target, value, strict=True):
            x_exact, y_exact = mpmath.mpf(float(x)), mpmath.mpf(float(y))
            parts = [mpmath.exp(x_exact), -y_exact * x_exact, mpmath.loggamma(y_exact + 1)]
            assert ulps(got, sum(parts), max(map(abs, parts))) <= 4, (x, y)
    largest = dtype(np.finfo(dtype).max / 4)
    assert np.isfinite(fl.poisson_nll(np.log(largest), largest, full=True))
