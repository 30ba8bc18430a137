# SPDX-License-Identifier: BSD-3-Clause
"""What losses of two classes say of themselves: limits, equalities, and powers of any exponent."""

from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, METHODS, assert_same_bits
from fastloss.families import FLOOR

each_dtype = pytest.mark.parametrize("dtype", DTYPES)

RESULTS = ("value", "grad", "hess")


def logits_of_all_sizes(dtype: Any) -> np.ndarray:
    sizes = np.concatenate([[0.0], np.geomspace(1e-30, 1e30, 121), np.linspace(0.1, 800, 500)])
    return np.concatenate([sizes, -sizes]).astype(dtype)


@each_dtype
@pytest.mark.parametrize("method", METHODS)
def test_focal_loss_without_focus_is_cross_entropy(dtype: type, method: str) -> None:
    """Bit by bit, the signs of zeros included."""
    x = np.append(logits_of_all_sizes(dtype), [np.inf, -np.inf, np.nan]).astype(dtype)
    generator = np.random.default_rng(51)
    for y in (0.0, 1.0, 0.25, 0.5, generator.uniform(size=x.size)):
        target = np.broadcast_to(np.asarray(y, dtype), x.shape)
        focal, plain = (
            getattr(loss, method) if method != "value" else loss
            for loss in (fl.binary_focal_with_logits, fl.binary_cross_entropy_with_logits)
        )
        got = focal(x, target, gamma=0.0, reduction="none")
        assert_same_bits(got, plain(x, target, reduction="none"))
        varying = focal(x[:, None], target[:, None], gamma=[0.0], reduction="none")
        expected = plain(x[:, None], target[:, None], reduction="none")
        assert_same_bits(varying, expected)


@each_dtype
@pytest.mark.parametrize("gamma", [0.0, 1e-3, 0.3, 1.0, 2.0, 2.5, 5.0, 7.0, 1e3, 1e6, 1e30])
def test_focal_losses_are_finite(dtype: type, gamma: float) -> None:
    x = logits_of_all_sizes(dtype)
    for y in (0.0, 1.0, 1e-10, 0.5, 0.9):
        target = np.full_like(x, y)
        focal = fl.binary_focal_with_logits.value_grad_and_hess(
            x, target, gamma=gamma, reduction="none"
        )
        asymmetric = fl.asymmetric_focal.value_grad_and_hess(
            x, target, gamma_pos=gamma, gamma_neg=gamma, reduction="none"
        )
        assert all(np.isfinite(part).all() for part in (*focal, *asymmetric))


def exact_focal(x: float, y: float, gamma: float) -> tuple[list[Any], list[Any]]:
    """Return value, gradient and second derivative, and the sizes of their largest parts."""
    x, y, gamma = map(mpmath.mpf, (x, y, gamma))
    p = 1 / (1 + mpmath.exp(-x))
    rest = 1 / (1 + mpmath.exp(x))
    u = y * rest + (1 - y) * p
    value = y * mpmath.log1p(mpmath.exp(-x)) + (1 - y) * mpmath.log1p(mpmath.exp(x))
    up, down = (1 - y) * p, y * rest
    relative = (1 - 2 * y) * p * rest / u
    lean = gamma * relative
    grads = [up, -down, lean * value]
    hesses = [p * rest, 2 * lean * up, -2 * lean * down, lean * lean * value]
    hesses += [lean * value * rest * down / u, -lean * value * p * up / u]
    power = u**gamma
    sums = [value, sum(grads), sum(hesses)]
    return [power * s for s in sums], [
        power * max(map(abs, parts)) for parts in ([value], grads, hesses)
    ]


@each_dtype
@pytest.mark.parametrize("gamma", [0.01, 0.5, 1.0, 3.0, 4.0, 5.0, 10.0, 77.7, 1e3, 1e5, 1e9])
def test_focal_loss_of_any_exponent(dtype: type, gamma: float) -> None:
    """Where the power is neither 0 nor 1."""
    gamma = float(dtype(gamma))
    generator = np.random.default_rng(52)
    wanted = 10 ** generator.uniform(-3, 1.8 if dtype is np.float32 else 2.7, 300)  # −γ·log u
    with np.errstate(over="ignore"):
        x = -np.log(np.expm1(np.minimum(wanted / gamma, 60)))
    y = np.where(generator.uniform(size=300) < 0.7, 1, generator.uniform(size=300))
    x, y = x.astype(dtype), y.astype(dtype)
    got = fl.binary_focal_with_logits.value_grad_and_hess(x, y, gamma=gamma, reduction="none")
    with mpmath.workdps(60):
        for k in range(x.size):
            exact, sizes = exact_focal(float(x[k]), float(y[k]), gamma)
            for name, a, b, size in zip(RESULTS, got, exact, sizes, strict=True):
                unit = float(np.spacing(dtype(abs(float(size)))))
                assert abs(mpmath.mpf(float(a[k])) - b) <= getattr(FLOOR, name) * unit, (x[k], y[k])


@each_dtype
def test_asymmetric_loss_without_a_clip_is_the_focal_loss(dtype: type) -> None:
    generator = np.random.default_rng(53)
    x = generator.normal(scale=8, size=1000).astype(dtype)
    y = generator.uniform(size=1000).astype(dtype)
    y[:600] = y[:600] > 0.5
    for gamma in (0.0, 0.5, 2.0, 4.5):
        focal = fl.binary_focal_with_logits.value_grad_and_hess(x, y, gamma=gamma, reduction="none")
        other = fl.asymmetric_focal.value_grad_and_hess(
            x, y, gamma_pos=gamma, gamma_neg=gamma, clip=0.0, reduction="none"
        )
        for a, b in zip(focal, other, strict=True):
            np.testing.assert_allclose(
                a, b, rtol=32 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps
            )


def test_asymmetric_loss_about_its_clip() -> None:
    """The difference p − clip keeps more digits than p has."""
    clip = 0.05
    edge = np.log(clip / (1 - clip))
    x = edge + np.spacing(edge) * np.arange(-40, 41) * 64
    value, grad, hess = fl.asymmetric_focal.value_grad_and_hess(
        x, np.zeros_like(x), clip=clip, reduction="none"
    )
    with mpmath.workdps(60):
        m = mpmath.mpf(clip)
        left = [1 / (1 + mpmath.exp(-mpmath.mpf(t))) - m for t in x]
        for k, q in enumerate(left):
            if q <= 0:
                assert value[k] == grad[k] == hess[k] == 0
            else:
                assert value[k] == pytest.approx(float(q**4 * -mpmath.log1p(-q)), rel=1e-2)
                assert grad[k] > 0
                assert hess[k] > 0


@each_dtype
def test_soft_margin_is_cross_entropy_of_signs(dtype: type) -> None:
    x = logits_of_all_sizes(dtype)
    generator = np.random.default_rng(54)
    sign = generator.choice([-1, 1], x.size).astype(dtype)
    value, grad, hess = fl.soft_margin.value_grad_and_hess(x, sign, reduction="none")
    expected = fl.binary_cross_entropy_with_logits.value_grad_and_hess(
        x, sign > 0, reduction="none"
    )
    for a, b in zip((value, grad, hess), expected, strict=True):
        np.testing.assert_allclose(
            a, b, rtol=8 * np.finfo(dtype).eps, atol=2 * np.finfo(dtype).smallest_subnormal
        )


@each_dtype
def test_cross_entropy_of_probabilities_near_the_target(dtype: type) -> None:
    """The gradient keeps its relative accuracy down to 0."""
    generator = np.random.default_rng(55)
    y = generator.uniform(0.01, 0.99, 300).astype(dtype)
    q = np.nextafter(y, generator.choice([0, 1], 300).astype(dtype)).astype(dtype)
    grad = fl.binary_cross_entropy.grad(q, y, reduction="sum")
    exact = (q - y) / (q.astype(np.longdouble) * (1 - q.astype(np.longdouble)))
    np.testing.assert_allclose(grad, exact.astype(dtype), rtol=4 * np.finfo(dtype).eps)


@each_dtype
def test_exponential_beyond_the_range_of_exp(dtype: type) -> None:
    """Small factors meet exponentials that are no numbers."""
    kind = np.finfo(dtype)
    y = np.array([kind.smallest_subnormal, kind.tiny, 1e-30], dtype)
    for scale in (0.3, 0.9, 0.99):
        largest = np.log(np.longdouble(kind.max)) - np.log(y.astype(np.longdouble))
        x = (-scale * largest).astype(dtype)
        value, grad = fl.exponential.value_and_grad(x, y, reduction="none")
        falling = y.astype(np.longdouble) * np.exp(-x.astype(np.longdouble))
        rising = (1 - y.astype(np.longdouble)) * np.exp(x.astype(np.longdouble))
        np.testing.assert_allclose(value, (falling + rising).astype(dtype), rtol=4 * kind.eps)
        np.testing.assert_allclose(grad, (rising - falling).astype(dtype), rtol=4 * kind.eps)
