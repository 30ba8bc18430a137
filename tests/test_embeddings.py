# SPDX-License-Identifier: BSD-3-Clause
"""Losses of embeddings against their definitions in many digits, and rows that are exceptional."""

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, assert_same_bits, parts

ULPS = 8
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_length = pytest.mark.parametrize("length", [3, 70])  # short and long rows


def digits(row: np.ndarray) -> list[Any]:
    return [mpmath.mpf(float(x)) for x in row]


def norm(row: list[Any], p: Any = 2) -> Any:
    return mpmath.fsum(abs(x) ** p for x in row) ** (mpmath.mpf(1) / p)


def dot(x: list[Any], y: list[Any]) -> Any:
    return mpmath.fsum(a * b for a, b in zip(x, y, strict=True))


def assert_close(got: Any, exact: Any, size: Any, dtype: type) -> None:
    """Compare in units in the last place of a size."""
    unit = float(np.spacing(dtype(float(size))))
    assert abs(mpmath.mpf(float(got)) - exact) <= ULPS * unit, (got, float(exact))


# ---- angles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", 10.0 ** -np.arange(0, 16, 3))
@each_length
@each_dtype
def test_nearly_parallel_rows_keep_their_digits(dtype: type, length: int, angle: float) -> None:
    """Value and gradient; the angle is in an element of its own, lest it be rounded away."""
    x = np.random.default_rng(91).integers(-99, 100, size=(1, length)).astype(dtype)
    y = 3 * x
    x[0, -1], y[0, -1] = 0, np.linalg.norm(y[0, :-1]) * angle
    value, grads = fl.cosine_distance.value_and_grad(x, y, reduction="none")
    with mpmath.workdps(100):
        a, b = digits(x[0]), digits(y[0])
        cosine = dot(a, b) / (norm(a) * norm(b))
        assert_close(value[0], 1 - cosine, 1 - cosine, dtype)
        for grad, own, other in ((grads[0], a, b), (grads[1], b, a)):
            exact = [
                (cosine * s / norm(own) - t / norm(other)) / norm(own)
                for s, t in zip(own, other, strict=True)
            ]
            for got, wanted in zip(grad[0], exact, strict=True):
                assert_close(got, wanted, max(map(abs, exact)), dtype)


@each_length
@each_dtype
def test_parallel_rows(dtype: type, length: int) -> None:
    """The loss of rows of one direction is 0, whatever their lengths, and of opposite ones 2."""
    x = np.random.default_rng(92).integers(-99, 100, size=(50, length)).astype(dtype)
    for factor in (1, 2, 3, 7, 1001):
        distance = fl.cosine_distance(x, factor * x, reduction="none")
        np.testing.assert_array_equal(distance, 0)
        np.testing.assert_array_equal(fl.cosine_distance(x, -factor * x, reduction="none"), 2)
        for target, margin in ((1, 0.0), (-1, 1.0)):
            value = fl.cosine_embedding(x, factor * x, np.full(50, target), margin=margin)
            assert value == 0


@each_dtype
def test_rows_of_zeros(dtype: type) -> None:
    """Their cosine is 0, and so are the derivatives."""
    zero, x = np.zeros((1, 3), dtype), np.array([[1, -2, 3]], dtype)
    for pair in ((zero, x), (x, zero), (zero, zero)):
        value, grads, hesses = fl.cosine_distance.value_grad_and_hess(*pair)
        assert value == 1
        assert all(np.all(x == 0) for x in (*grads, *hesses))
        assert fl.cosine_embedding(*pair, [-1], margin=-0.25) == 0.25


@each_length
@each_dtype
def test_lengths_do_not_matter(dtype: type, length: int) -> None:
    """Not even where squares are too large or too small for a number."""
    generator = np.random.default_rng(93)
    x, y = generator.normal(size=(2, 20, length)).astype(dtype)
    value, (grad, _) = fl.cosine_distance.value_and_grad(x, y, reduction="none")
    exponents = (-120, -70, 70, 120) if dtype is np.float32 else (-1000, -600, 600, 1000)
    for s, t in itertools.product(exponents, exponents):
        scaled = np.ldexp(x, s), np.ldexp(y, t)
        got, (got_grad, _) = fl.cosine_distance.value_and_grad(*scaled, reduction="none")
        np.testing.assert_allclose(got, value, rtol=4 * np.finfo(dtype).eps)
        with np.errstate(over="ignore", under="ignore"):
            wanted = np.ldexp(grad, -s)
        normal = np.abs(wanted) > np.finfo(dtype).tiny
        np.testing.assert_allclose(got_grad[normal], wanted[normal], rtol=32 * np.finfo(dtype).eps)


def test_the_margin_of_the_cosine() -> None:
    """At the kink the gradient is 0."""
    x, y, target = [[1.0, 0.0]], [[0.0, 1.0]], [-1]
    for margin, slope in ((0.0, 0.0), (-0.5, 1.0), (0.5, 0.0)):
        value, (grad, _) = fl.cosine_embedding.value_and_grad(x, y, target, margin=margin)
        assert value == max(0.0, -margin)
        np.testing.assert_array_equal(grad, [[0, slope]])


# ---- distances --------------------------------------------------------------------------------

GRID = list(itertools.product([1.0, 1.5, 2.0, 3.0, 40.0], [False, True], [0.0, 1e-6, 0.5]))


@pytest.mark.parametrize(("p", "swap", "eps"), GRID)
@each_length
@each_dtype
def test_triplets(dtype: type, length: int, p: float, swap: bool, eps: float) -> None:
    """The values, and the gradient of the positive, which has a single part without swap."""
    generator = np.random.default_rng(94)
    anchor, positive, negative = generator.normal(size=(3, 3, length)).astype(dtype)
    value, grads = fl.triplet_margin.value_and_grad(
        anchor, positive, negative, p=p, swap=swap, eps=eps, reduction="none"
    )
    assert np.any(value > 0)
    with mpmath.workdps(60):
        shift = mpmath.mpf(float(dtype(eps)))
        for row in range(3):
            a, b, c = (digits(x[row]) for x in (anchor, positive, negative))

            def difference(x: list[Any], y: list[Any]) -> list[Any]:
                return [s - t + shift for s, t in zip(x, y, strict=True)]

            near, far = norm(difference(a, b), p), norm(difference(a, c), p)
            if swap:
                far = min(far, norm(difference(b, c), p))
            assert_close(value[row], max(0, near - far + 1), near + far + 1, dtype)
            if swap or value[row] == 0:
                continue
            for got, r in zip(grads[1][row], difference(a, b), strict=True):
                exact = -mpmath.sign(r) * (abs(r) / near) ** (p - 1)
                if abs(exact) > np.finfo(dtype).tiny:
                    assert_close(got, exact, abs(exact), dtype)


def test_equal_distances_with_swap() -> None:
    """The negative is then moved away from the anchor."""
    rows = [[0.0, 0.0]], [[2.0, 0.0]], [[1.0, 0.5]]
    plain, swapped = (fl.triplet_margin.grad(*rows, swap=swap, eps=0.0) for swap in (False, True))
    assert_same_bits(swapped, plain)


@each_dtype
def test_distance_0(dtype: type) -> None:
    """There the gradient is 0, and the second derivative too."""
    x = np.array([[1, -2, 3]], dtype)
    for target, value in ((1, 0), (0, 1)):
        got, *derivatives = fl.contrastive.value_grad_and_hess(x, x, [target])
        assert got == value
        assert all(np.all(part == 0) for part in parts(tuple(derivatives)))
    for p in (1.0, 1.5, 2.0, 3.0):
        got, *derivatives = fl.triplet_margin.value_grad_and_hess(x, x, x, p=p, eps=0.0)
        assert got == 1
        assert all(np.all(part == 0) for part in parts(tuple(derivatives)))


@each_dtype
def test_nearly_equal_rows_keep_their_digits(dtype: type) -> None:
    x = np.array([[1.0, 1.0, 1.0]], dtype)
    y = x * (1 + np.finfo(dtype).eps * np.array([[3, 0, 4]], dtype))
    value, (grad, _) = fl.contrastive.value_and_grad(x, y, [1])
    assert value == 5 * np.finfo(dtype).eps
    np.testing.assert_allclose(grad, [[-0.6, 0, -0.8]], rtol=4 * np.finfo(dtype).eps)


@each_dtype
def test_distances_of_huge_and_tiny_rows(dtype: type) -> None:
    """Neither differences nor their squares need be numbers."""
    largest, smallest = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    for size in (largest / 4, largest / 2, np.finfo(dtype).tiny, smallest):
        x = np.array([[3, 0, 4]], dtype) * dtype(size / 8 if size > 1 else size)
        value, (grad, _) = fl.contrastive.value_and_grad(x, 0 * x, [1], reduction="none")
        np.testing.assert_allclose(value, 5 * (x[0, 0] / 3), rtol=1e-6)
        np.testing.assert_allclose(grad, [[0.6, 0, 0.8]], rtol=1e-6)
    x = np.array([[largest, largest]], dtype)
    grad, _ = fl.contrastive.grad(x, -x, [1])
    np.testing.assert_allclose(grad, [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


@each_dtype
def test_soft_pairs(dtype: type) -> None:
    """A target between 0 and 1 mixes both."""
    generator = np.random.default_rng(95)
    x, y = generator.normal(scale=0.4, size=(2, 30, 4)).astype(dtype)
    near, far = (
        fl.contrastive(x, y, np.full(30, t), pos_margin=0.25, reduction="none") for t in (1, 0)
    )
    for share in (0.25, 0.5):
        mixed = fl.contrastive(x, y, np.full(30, share), pos_margin=0.25, reduction="none")
        np.testing.assert_allclose(mixed, share * near + (1 - share) * far, rtol=1e-6, atol=1e-7)
