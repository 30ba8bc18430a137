# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses against their definitions in many digits, tails and extremes included."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES

ULPS = 4
HESS_ULPS = 6
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def assert_within_ulps(
    got: np.ndarray, exact: list[Any], size: list[Any] | None = None, ulps: int = ULPS
) -> None:
    """Compare with exact numbers; the unit is that of `size`, where parts of them cancel."""
    for k, (a, b) in enumerate(zip(got, exact, strict=True)):
        unit = np.spacing(got.dtype.type(abs(float(b if size is None else size[k]))))
        error = abs(mpmath.mpf(float(a)) - b)
        assert error <= ulps * float(unit), f"{a!r} instead of {mpmath.nstr(b, 20)} at {k}"


def numbers(dtype: type, largest: float, smallest: float) -> np.ndarray:
    """Return numbers of all sizes and both signs."""
    sizes = np.geomspace(smallest, largest, 60)
    return np.concatenate([sizes, -sizes, [0.0]]).astype(dtype)


def exact(function: Callable[..., Any], *arrays: Any) -> list[Any]:
    return [function(*(mpmath.mpf(float(x)) for x in row)) for row in zip(*arrays, strict=True)]


@each_dtype
def test_binary_cross_entropy_tails(dtype: type) -> None:
    """Hard labels: value, gradient and second derivative keep their relative accuracy."""
    largest = 85 if dtype is np.float32 else 700
    x = numbers(dtype, largest, 1e-20)
    for y in (0, 1):
        for pos_weight in (1.0, 3.0):
            factor = pos_weight if y else 1.0
            value, grad, hess = fl.binary_cross_entropy_with_logits.value_grad_and_hess(
                x, np.full_like(x, y), pos_weight=pos_weight, reduction="none"
            )
            sign = 1 - 2 * y
            with mpmath.workdps(400):
                m = [sign * mpmath.mpf(float(t)) for t in x]
                p = [1 / (1 + mpmath.exp(-t)) for t in m]
                assert_within_ulps(value, [factor * mpmath.log1p(mpmath.exp(t)) for t in m])
                assert_within_ulps(grad, [factor * sign * q for q in p])
                assert_within_ulps(
                    hess, [factor * q / (1 + mpmath.exp(t)) for t, q in zip(m, p, strict=True)]
                )


@each_dtype
def test_binary_cross_entropy_beyond_the_smallest_number(dtype: type) -> None:
    """Subnormal results are rounded, not flushed; then there is zero."""
    x = np.linspace(85, 120, 71) if dtype is np.float32 else np.linspace(700, 760, 61)
    x = x.astype(dtype)
    value, grad = fl.binary_cross_entropy_with_logits.value_and_grad(
        x, np.ones_like(x), reduction="none"
    )
    assert np.all(np.diff(value) <= 0)
    assert value[-1] == 0
    assert np.any((value > 0) & (value < np.finfo(dtype).smallest_normal))
    with mpmath.workdps(400):
        tails = [mpmath.log1p(mpmath.exp(-mpmath.mpf(float(t)))) for t in x]
        assert_within_ulps(value, tails)
        assert_within_ulps(grad, [-mpmath.exp(-t) for t in map(mpmath.mpf, map(float, x))])


@each_dtype
def test_binary_cross_entropy_of_soft_targets(dtype: type) -> None:
    generator = np.random.default_rng(31)
    x = generator.normal(scale=6, size=300).astype(dtype)
    y = generator.uniform(size=300).astype(dtype)
    for p, e in ((1.0, 0.0), (2.5, 0.25)):
        value, grad, hess = fl.binary_cross_entropy_with_logits.value_grad_and_hess(
            x, y, pos_weight=p, label_smoothing=e, reduction="none"
        )

        def softplus(t: Any) -> Any:
            return mpmath.log1p(mpmath.exp(t))

        def parts_of(t: Any, target: Any, p: float = p, e: float = e) -> tuple[Any, Any]:
            smoothed = (1 - e) * target + mpmath.mpf(e) / 2
            return p * smoothed, 1 - smoothed

        with mpmath.workdps(60):
            pairs = [parts_of(*row) for row in zip(x, map(mpmath.mpf, map(float, y)), strict=True)]
            t = [mpmath.mpf(float(v)) for v in x]
            s = [1 / (1 + mpmath.exp(-v)) for v in t]
            rows = list(zip(pairs, t, s, strict=True))
            assert_within_ulps(value, [a * softplus(-v) + b * softplus(v) for (a, b), v, _ in rows])
            assert_within_ulps(
                grad,
                [b * q - a * (1 - q) for (a, b), _, q in rows],
                [b * q + a * (1 - q) for (a, b), _, q in rows],
            )
            assert_within_ulps(
                hess, [(a + b) * q * (1 - q) for (a, b), _, q in rows], ulps=HESS_ULPS
            )


@each_dtype
def test_squared_and_absolute_error(dtype: type) -> None:
    generator = np.random.default_rng(32)
    pred = numbers(dtype, 1e15, 1e-15)
    target = generator.permutation(pred)
    value, grad, hess = fl.mse.value_grad_and_hess(pred, target, reduction="none")
    with mpmath.workdps(60):
        assert_within_ulps(value, exact(lambda p, t: (p - t) ** 2, pred, target))
        assert_within_ulps(grad, exact(lambda p, t: 2 * (p - t), pred, target))
    np.testing.assert_array_equal(hess, 2)
    value, grad, hess = fl.mae.value_grad_and_hess(pred, target, reduction="none")
    np.testing.assert_array_equal(value, np.abs(pred - target))
    np.testing.assert_array_equal(grad, np.sign(pred - target))
    np.testing.assert_array_equal(hess, 0)


@each_dtype
@pytest.mark.parametrize("delta", [0.001, 1.0, 1.35, 1e6])
def test_huber(dtype: type, delta: float) -> None:
    residual = numbers(dtype, 1e15, 1e-15)
    edge = dtype(delta)
    edges = [edge, -edge, np.nextafter(edge, dtype(np.inf)), np.nextafter(edge, dtype(0))]
    residual = np.concatenate([residual, edges]).astype(dtype)
    value, grad, hess = fl.huber.value_grad_and_hess(
        residual, np.zeros_like(residual), delta=delta, reduction="none"
    )
    with mpmath.workdps(60):
        d = mpmath.mpf(float(edge))
        definition = exact(lambda r: r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2), residual)
        assert_within_ulps(value, definition)
    np.testing.assert_array_equal(grad, np.clip(residual, -edge, edge))
    np.testing.assert_array_equal(hess, np.abs(residual) <= edge)


@each_dtype
@pytest.mark.parametrize("full", [False, True])
def test_gaussian(dtype: type, full: bool) -> None:
    generator = np.random.default_rng(33)
    pred, target = generator.normal(scale=3, size=(2, 300)).astype(dtype)
    var = generator.lognormal(sigma=3, size=300).astype(dtype)
    value, (pred_grad, var_grad), (pred_hess, var_hess) = fl.gaussian_nll.value_grad_and_hess(
        pred, target, var, full=full, reduction="none"
    )
    with mpmath.workdps(60):
        constant = mpmath.log(2 * mpmath.pi) / 2 if full else mpmath.mpf(0)
        rows = exact(lambda p, t, v: (p - t, v), pred, target, var)
        logs = [mpmath.log(v) / 2 for _, v in rows]
        squares = [r * r / (2 * v) for r, v in rows]
        pairs = list(zip(logs, squares, strict=True))
        assert_within_ulps(
            value, [a + b + constant for a, b in pairs], [abs(a) + b + constant for a, b in pairs]
        )
        assert_within_ulps(pred_grad, [r / v for r, v in rows])
        assert_within_ulps(
            var_grad,
            [(1 / v - (r / v) ** 2) / 2 for r, v in rows],
            [(1 / v + (r / v) ** 2) / 2 for r, v in rows],
        )
        assert_within_ulps(pred_hess, [1 / v for _, v in rows])
        assert_within_ulps(
            var_hess,
            [((r / v) ** 2 - 1 / (2 * v)) / v for r, v in rows],
            [((r / v) ** 2 + 1 / (2 * v)) / v for r, v in rows],
            ulps=HESS_ULPS,
        )


def test_gaussian_with_large_residuals() -> None:
    """The square of the residual alone would overflow."""
    value, (pred_grad, var_grad) = fl.gaussian_nll.value_and_grad(
        [1e200], [0.0], [1e300], reduction="sum"
    )
    assert value == pytest.approx(1e100 / 2, rel=1e-15)
    assert pred_grad == pytest.approx(1e-100, rel=1e-15)
    assert var_grad == pytest.approx(-1e-200 / 2, rel=1e-15)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_a_perfect_answer_has_zero_loss(name: str) -> None:
    x = numbers(np.float64, 1e300, 1e-300)
    value, grad = fl.losses[name].value_and_grad(x, x, reduction="none")
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(grad, 0)


@each_dtype
def test_sums_keep_their_digits(dtype: type) -> None:
    """The sum of a million terms of very different size is that of double precision."""
    generator = np.random.default_rng(34)
    pred = (generator.lognormal(sigma=6, size=1_000_003)).astype(dtype)
    total = fl.mae(pred, 0.0, reduction="sum")
    exact_total = float(np.sum(pred.astype(np.longdouble)))
    assert total == pytest.approx(exact_total, rel=4 * 2.0**-52)
    signed = pred * generator.choice([-1, 1], size=pred.size).astype(dtype)
    weighted = fl.mae(pred, 0.0, weight=np.sign(signed), reduction="sum")
    exact_sum = float(np.sum(signed.astype(np.longdouble)))
    assert weighted == pytest.approx(exact_sum, abs=4 * 2.0**-52 * exact_total)
