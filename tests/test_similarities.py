# SPDX-License-Identifier: BSD-3-Clause
"""Losses of similarities against their definitions in many digits, and exceptional rows."""

from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, assert_same_bits, parts

ULPS = 6
INF = np.inf
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_length = pytest.mark.parametrize("length", [3, 70])  # short and long rows


def definition(similarity: Any, target: Any, gamma: Any, margin: Any) -> Any:
    """Return the circle loss as its paper has it."""
    positive = [
        mpmath.exp(-gamma * max(1 + margin - s, 0) * (s - (1 - margin)))
        for s, t in zip(similarity, target, strict=True)
        if t == 1
    ]
    negative = [
        mpmath.exp(gamma * max(s + margin, 0) * (s - margin))
        for s, t in zip(similarity, target, strict=True)
        if t == 0
    ]
    return mpmath.log1p(mpmath.fsum(positive) * mpmath.fsum(negative))


def drawn(dtype: type, length: int, rows: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Draw cosines of which some belong to the anchor; in later rows all is as it should be."""
    generator = np.random.default_rng(111)
    similarity = generator.uniform(-1, 1, (rows, length)).astype(dtype)
    target = generator.integers(2, size=(rows, length)).astype(dtype)
    target[:, :2] = 0, 1
    similarity[rows // 2 :] = target[rows // 2 :] + similarity[rows // 2 :] / 16
    return similarity, target


def assert_near(got: Any, exact: Any, dtype: type) -> None:
    unit = float(np.spacing(dtype(abs(float(exact)))))
    assert abs(mpmath.mpf(float(got)) - exact) <= ULPS * unit, (got, float(exact))


@pytest.mark.parametrize(("gamma", "margin"), [(80.0, 0.4), (256.0, 0.25), (3.0, 0.0), (0.5, 2.0)])
@each_length
@each_dtype
def test_definition(dtype: type, length: int, gamma: float, margin: float) -> None:
    """Values, and gradients through the weights of the pairs, too."""
    similarity, target = drawn(dtype, length)
    value, grad, hess = fl.circle.value_grad_and_hess(
        similarity, target, gamma=gamma, margin=margin, reduction="none"
    )
    with mpmath.workdps(400):  # some derivatives are 200 orders smaller than the value
        options = [mpmath.mpf(float(dtype(x))) for x in (gamma, margin)]
        step = mpmath.mpf(10) ** -50
        for row in range(0, len(similarity), 1 if length < 9 else 3):
            s = [mpmath.mpf(float(x)) for x in similarity[row]]
            assert_near(value[row], definition(s, target[row], *options), dtype)
            for k in range(min(length, 9)):
                below, here, above = (
                    definition([*s[:k], s[k] + d, *s[k + 1 :]], target[row], *options)
                    for d in (-step, 0, step)
                )
                exact = (above - below) / (2 * step)
                if abs(exact) > np.finfo(dtype).tiny:
                    assert_near(grad[row, k], exact, dtype)
                    assert_near(hess[row, k], (above - 2 * here + below) / step**2, dtype)
                else:
                    assert abs(grad[row, k]) <= np.finfo(dtype).tiny


@each_dtype
def test_nothing_but_small_sums(dtype: type) -> None:
    """Perfect similarities have a loss, which is not rounded to 0."""
    value, grad = fl.circle.value_and_grad(np.array([[1, 0, 0]], dtype), [[1, 0, 0]])
    assert value == pytest.approx(2 * np.exp(-2 * 80 * 0.4**2), rel=1e-5)
    np.testing.assert_array_equal(grad, 0)
    value = fl.circle(np.array([[1, 0]], dtype), [[1, 0]], margin=0.65)
    assert value == pytest.approx(np.exp(-2 * 80 * 0.65**2), rel=1e-4)


@each_length
@each_dtype
def test_left_out(dtype: type, length: int) -> None:
    """A row is as it would be without what is left out, whatever that holds."""
    similarity, target = drawn(dtype, length)
    expected = fl.circle.value_grad_and_hess(similarity, target, reduction="none")
    others = np.full((len(target), 2), [2.5, -INF], dtype)
    more = np.insert(similarity, [1], others, axis=1)
    got = fl.circle.value_grad_and_hess(
        more, np.insert(target, [1, 1], 0.5, axis=1), reduction="none"
    )
    np.testing.assert_allclose(got[0], expected[0], rtol=4 * np.finfo(dtype).eps)
    for a, b in zip(got[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(a[:, 1:3], 0)
        np.testing.assert_allclose(np.delete(a, (1, 2), 1), b, rtol=8 * np.finfo(dtype).eps)


@each_dtype
def test_the_nearer_of_both(dtype: type) -> None:
    """Signs and truth values are targets, too."""
    similarity, target = drawn(dtype, 20)
    expected = fl.circle.value_grad_and_hess(similarity, target)
    for other in (target == 1, 2 * target - 1, 0.25 + 0.5 * target, target.astype(int)):
        assert_same_bits(fl.circle.value_grad_and_hess(similarity, other), expected)


@each_dtype
def test_one_side(dtype: type) -> None:
    """Without the other there is nothing to lose."""
    similarity, target = drawn(dtype, 5)
    for same in (0.0, 1.0, 0.5):
        results = fl.circle.value_grad_and_hess(
            similarity, np.full_like(target, same), reduction="none"
        )
        assert all(np.all(x == 0) for x in results)


def test_the_kink() -> None:
    """There the slope is 0, and the second derivative that of the side that bends."""
    margin = 0.25
    beyond, at, before = (
        fl.circle.grad_and_hess([[1.0, s]], [[1, 0]], margin=margin, reduction="sum")
        for s in (-0.5, -margin, np.nextafter(-margin, 1))
    )
    assert beyond[0][0, 1] == beyond[1][0, 1] == at[0][0, 1] == 0
    assert before[0][0, 1] < 0
    assert at[1][0, 1] == pytest.approx(before[1][0, 1], rel=1e-12)


LIMITS: list[tuple[str, list[float], list[float], float, list[float]]] = [
    ("unlike what belongs to it", [-INF, 0.5], [1, 0], INF, [-INF, 80]),
    ("like what does not", [0.5, INF], [1, 0], INF, [-80, INF]),
    ("very unlike what does not", [0.5, -INF, -INF], [1, 0, 0], np.log1p(2 * np.exp(7.2)), []),
    ("very like what belongs to it", [INF, -0.5], [1, 0], np.log(2), []),
    ("alone", [-INF, -INF], [1, 1], 0, []),
]


@pytest.mark.parametrize(
    ("similarity", "target", "value", "grad"), [pytest.param(*x[1:], id=x[0]) for x in LIMITS]
)
@pytest.mark.parametrize("padding", [0, 80])
def test_limits(similarity: Any, target: Any, value: float, grad: Any, padding: int) -> None:
    row = [np.array(x + [y] * padding)[None] for x, y in ((similarity, 0.0), (target, 0.5))]
    got, slopes = fl.circle.value_and_grad(*row, reduction="none")
    if np.isinf(value):
        assert got == value
        np.testing.assert_array_equal(slopes[0, : len(grad)], grad)
    else:
        assert got == pytest.approx(value)
        assert np.isfinite(slopes).all()


@each_dtype
def test_huge_sums(dtype: type) -> None:
    """Their logarithm is the loss."""
    value, grad = fl.circle.value_and_grad(np.array([[-50, 30]], dtype), [[1, 0]])
    assert value == pytest.approx(80 * (51**2 + 30**2 - 2 * 0.4**2), rel=1e-6)
    np.testing.assert_allclose(grad, [[-160 * 51, 160 * 30]], rtol=1e-6)
    result = fl.circle.value_grad_and_hess(np.array([[-50, 30]], dtype), [[1, 0]])
    assert all(np.isfinite(x).all() for x in parts(result))
