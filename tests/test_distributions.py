# SPDX-License-Identifier: BSD-3-Clause
"""Losses that compare distributions, where the two are the same, or almost."""

from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def rows(dtype: Any) -> np.ndarray:
    """Draw scores of any size; in half of the rows a class is almost certain."""
    generator = np.random.default_rng(31)
    x = generator.normal(size=(60, 5)) * 4.0 ** generator.integers(-6, 3, (60, 1))
    x[::2, 3] = x[::2].max(-1) + np.geomspace(1, 40, 30)
    return x.astype(dtype)


def log_softmax(x: Any) -> list[Any]:
    """Return the log softmax in the working precision of mpmath."""
    lse = mpmath.log(mpmath.fsum(map(mpmath.exp, x)))
    return [score - lse for score in x]


def numbers(row: np.ndarray) -> list[Any]:
    return [mpmath.mpf(float(x)) for x in row]


def assert_near(got: Any, exact: Any, ulp: float) -> None:
    """Compare row by row, in units of the last place of the exact number."""
    for a, b in zip(got, exact, strict=True):
        unit = mpmath.mpf(float(np.spacing(np.abs(got.dtype.type(float(b))))))
        assert abs(mpmath.mpf(float(a)) - b) <= ulp * unit, (a, b)


def divergence(p: list[Any], q: list[Any]) -> Any:
    """Return Σ p·log(p/q) of logarithms."""
    return mpmath.fsum(mpmath.exp(a) * (a - b) for a, b in zip(p, q, strict=True))


def mean_of(p: list[Any], q: list[Any]) -> list[Any]:
    """Return the logarithms of the mean of two distributions."""
    return [mpmath.log((mpmath.exp(a) + mpmath.exp(b)) / 2) for a, b in zip(p, q, strict=True)]


@each_dtype
def test_of_the_same_it_is_zero(dtype: type) -> None:
    x = rows(dtype)
    log_p, p = fl.log_softmax(x), fl.softmax(x)
    for results in (
        fl.distillation.value_and_grad(x, x),
        fl.distillation.value_and_grad(x, x, temperature=2.5),
        fl.jensen_shannon.value_and_grad(log_p, log_p, log_target=True),
        fl.total_variation.value_and_grad(p, p),
    ):
        assert not any(np.any(part) for part in results)
    assert fl.kl_div(log_p, log_p, log_target=True) == 0


@each_dtype
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_distillation_of_what_differs_in_the_last_place(dtype: type, temperature: float) -> None:
    """A divergence in proportion to the square of the difference keeps its digits."""
    student = rows(dtype)
    teacher = student.copy()
    teacher[:, 1] = np.nextafter(teacher[:, 1], dtype(np.inf))
    value = fl.distillation(student, teacher, temperature=temperature, reduction="none")
    assert (value > 0).all()
    with mpmath.workdps(150):
        tau = mpmath.mpf(temperature)
        p, q = (
            [log_softmax([s / tau for s in numbers(row)]) for row in x] for x in (teacher, student)
        )
        exact = [tau**2 * divergence(*of_row) for of_row in zip(p, q, strict=True)]
    assert_near(value, exact, 6)


@each_dtype
def test_a_distillation_by_a_student_that_rules_a_class_out(dtype: type) -> None:
    """Its sum is far beyond what the exponentials can be multiplied by in their unit."""
    for size in (1e15, 1e30):
        student, teacher = np.array([[[0, 0, -size]], [[1, 2, 3]]], dtype)
        value = fl.distillation(student, teacher, reduction="none")
        with mpmath.workdps(60):
            p, q = log_softmax(numbers(teacher[0])), log_softmax(numbers(student[0]))
            assert_near(value, [divergence(p, q)], 6)


@each_dtype
def test_a_jensen_shannon_divergence_of_logarithms_that_are_nearly_the_same(dtype: type) -> None:
    """Value and gradient keep their digits where a probability is 1 but for its logarithm."""
    log_q = fl.log_softmax(rows(dtype))
    log_p = log_q * dtype(1 + 1e-5)
    value, grad = fl.jensen_shannon.value_and_grad(log_q, log_p, log_target=True, reduction="none")
    with mpmath.workdps(150):
        p, q = ([numbers(row) for row in x] for x in (log_p, log_q))
        mean = [mean_of(*of_row) for of_row in zip(p, q, strict=True)]
        of_p, of_q = ([divergence(*z) for z in zip(x, mean, strict=True)] for x in (p, q))
        exact = [(a + b) / 2 for a, b in zip(of_p, of_q, strict=True)]
        slopes = [
            mpmath.exp(b) * (b - m) / 2
            for of_row in zip(q, mean, strict=True)
            for b, m in zip(*of_row, strict=True)
        ]
    assert_near(value, exact, 4)
    assert_near(grad.ravel(), slopes, 8)


@each_dtype
def test_the_loss_of_an_almost_certain_label(dtype: type) -> None:
    """It is the probability of the rest, which is not rounded to nothing."""
    x = rows(dtype)[::2]
    one = np.broadcast_to(np.arange(5) == 3, x.shape).astype(dtype)
    with mpmath.workdps(150):
        exact = [-log_softmax(numbers(row))[3] for row in x]
    assert_near(fl.kl_div(x, one, from_logits=True, reduction="none"), exact, 4)
    assert_near(fl.ranking_softmax(x, one, reduction="none"), exact, 4)
    certain = np.where(one == 1, 80, -80).astype(dtype)
    assert fl.multilabel_soft_margin(certain, one) == pytest.approx(np.exp(-80), rel=1e-6)
