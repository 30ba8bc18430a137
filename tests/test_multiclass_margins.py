# SPDX-License-Identifier: BSD-3-Clause
"""Multi-class margins and the sparsemax against exact fractions."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES

INF, NAN = np.inf, np.nan
Row = list[Fraction]
Exact = tuple[Fraction, Row, Row]  # value, grad, hess
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def sum_over_margins(x: Row, label: int, margin: Fraction, *, squared: bool) -> Exact:
    h = [margin + score - x[label] for score in x]
    others = [k for k in range(len(x)) if k != label]
    value = sum((max(h[k], Fraction(0)) ** (2 if squared else 1) for k in others), Fraction(0))
    grad, hess = [Fraction(0)] * len(x), [Fraction(0)] * len(x)
    for k in others:
        if h[k] > 0:
            grad[k] = 2 * h[k] if squared else Fraction(1)
        hess[k] = Fraction(2 if squared and h[k] >= 0 else 0)
    grad[label], hess[label] = -sum(grad, Fraction(0)), sum(hess, Fraction(0))
    return value / len(x), [g / len(x) for g in grad], [g / len(x) for g in hess]


def largest_over_margin(x: Row, label: int, margin: int) -> Exact:
    nothing = [Fraction(0)] * len(x)
    others = [k for k in range(len(x)) if k != label]
    rival = max(x[k] for k in others)
    value = margin + rival - x[label]
    if value <= 0:
        return Fraction(0), nothing, nothing
    ties = [k for k in others if x[k] == rival]
    grad = [Fraction(k in ties, len(ties)) for k in range(len(x))]
    grad[label] = Fraction(-1)
    return value, grad, nothing


def sparsemax(x: Row, label: int) -> Exact:
    """Return the loss as the paper has it, with the threshold from sorted scores."""
    ordered, total = sorted(x, reverse=True), Fraction(0)
    for count, score in enumerate(ordered, 1):
        total += score
        if 1 + count * score > total:
            threshold = (total - 1) / count
    p = [max(score - threshold, Fraction(0)) for score in x]
    assert sum(p) == 1
    squares = sum((score**2 - threshold**2 for score in x if score > threshold), Fraction(0))
    support = sum(score >= threshold for score in x)
    hess = [1 - Fraction(1, support) if score >= threshold else Fraction(0) for score in x]
    grad = [share - (k == label) for k, share in enumerate(p)]
    return squares / 2 + Fraction(1, 2) - x[label], grad, hess


MARGIN = 0.75
DEFINITIONS: dict[str, Any] = {
    "multi_margin": lambda x, t: sum_over_margins(x, t, Fraction(MARGIN), squared=False),
    "squared_multi_margin": lambda x, t: sum_over_margins(x, t, Fraction(MARGIN), squared=True),
    "multiclass_hinge": lambda x, t: largest_over_margin(x, t, 1),
    "multiclass_perceptron": lambda x, t: largest_over_margin(x, t, 0),
    "sparsemax": sparsemax,
}
each_loss = pytest.mark.parametrize("name", DEFINITIONS)


def rows(dtype: Any) -> Iterator[tuple[np.ndarray, int]]:
    """Draw rows on a coarse grid, of many sizes, far from 0, and next to where slopes change."""
    generator = np.random.default_rng(41)
    for classes in (2, 2, 3, 3, 3, 4, 4, 7, 7, 40, 70):
        for _ in range(2):
            grid = generator.integers(-6, 7, classes) * 0.125
            sizes = np.ldexp(generator.normal(size=classes), generator.integers(-30, 3, classes))
            far = generator.normal(size=classes) + generator.choice([-1e4, 1e6])
            near = generator.choice([0, -1, -MARGIN], classes) * (
                1 + generator.integers(-3, 4, classes) * np.finfo(dtype).eps
            )
            for row in (grid, sizes, far, near):
                yield row.astype(dtype), int(generator.integers(classes))


def assert_close(got: Any, exact: Fraction, size: Fraction, ulp: float, what: Any) -> None:
    unit = Fraction(float(np.spacing(np.abs(got.dtype.type(float(max(size, abs(exact))))))))
    assert abs(Fraction(float(got)) - exact) <= Fraction(ulp) * unit, what


@each_dtype
@each_loss
def test_definitions(name: str, dtype: type) -> None:
    """Kinks are found exactly, and values beside them have all their digits."""
    loss = fl.losses[name]
    parameters = {"margin": MARGIN} if "margin" in loss.parameters else {}
    bounds = loss.accuracy.ulp
    for row, label in rows(dtype):
        exact_value, exact_grad, exact_hess = DEFINITIONS[name](
            [Fraction(float(x)) for x in row], label
        )
        value, grad, hess = loss.value_grad_and_hess(
            row[None], [label], reduction="none", **parameters
        )
        what = (row.tolist(), label)
        assert_close(value[0], exact_value, Fraction(0), bounds.value, what)
        for k in range(len(row)):
            assert_close(grad[0, k], exact_grad[k], Fraction(0), bounds.grad + 2, what)
            assert_close(hess[0, k], exact_hess[k], Fraction(0), bounds.hess, what)


@each_loss
def test_order_of_classes(name: str) -> None:
    """Where classes are permuted, so are the results; who is in a support depends on no order."""
    generator = np.random.default_rng(42)
    loss = fl.losses[name]
    for classes in (5, 90):
        row = generator.integers(-4, 5, classes) * 0.125
        _, grad, hess = loss.value_grad_and_hess(row[None], [2])
        for _ in range(10):
            order = generator.permutation(classes)
            label = int(np.argwhere(order == 2)[0, 0])
            _, permuted, bends = loss.value_grad_and_hess(row[order][None], [label])
            np.testing.assert_allclose(permuted[0], grad[0, order], rtol=1e-15, atol=1e-17)
            np.testing.assert_array_equal(bends[0], hess[0, order])


def test_a_support_that_shrinks_by_one_at_a_time() -> None:
    """Each class lies just beyond what the one before it leaves of the threshold."""
    below, step = [Fraction(0), Fraction(0)], Fraction(1, 2**45)  # distances from the peak
    for _ in range(14):
        mean = (1 + sum(below)) / len(below)
        below.append(mean + step)
        step *= len(below)
    row = -np.array([float(x) for x in below])
    value, grad, hess = fl.sparsemax.value_grad_and_hess(row[None], [0])
    exact = sparsemax([Fraction(x) for x in row], 0)
    assert value == pytest.approx(float(exact[0]), rel=1e-15)
    np.testing.assert_allclose(grad[0], [float(x) for x in exact[1]], rtol=1e-15)
    np.testing.assert_allclose(hess[0], [float(x) for x in exact[2]], rtol=1e-15)


# ---- limits -----------------------------------------------------------------------------------

# Loss, logits, label, value, gradient.
LIMITS: list[tuple[str, list[float], int, float, list[float]]] = [
    ("multi_margin", [-INF, 0], 0, INF, [-0.5, 0.5]),
    ("multi_margin", [-INF, 0], 1, 0, [0, 0]),
    ("multi_margin", [INF, 0, 1], 0, 0, [0, 0, 0]),
    ("multi_margin", [0, NAN, 0], 0, NAN, [NAN, NAN, 1 / 3]),
    ("multi_margin", [5], 0, 0, [0]),
    ("squared_multi_margin", [0, INF], 0, INF, [-INF, INF]),
    ("squared_multi_margin", [0, -1], 0, 0, [0, 0]),
    ("squared_multi_margin", [5], 0, 0, [0]),
    ("multiclass_hinge", [0, INF, 0], 0, INF, [-1, 1, 0]),
    ("multiclass_hinge", [0, INF, INF], 0, INF, [-1, 0.5, 0.5]),
    ("multiclass_hinge", [0, -INF, -INF], 0, 0, [0, 0, 0]),
    ("multiclass_hinge", [-INF, 0, 0], 0, INF, [-1, 0.5, 0.5]),
    ("multiclass_hinge", [0, NAN, 5], 0, NAN, [NAN, NAN, NAN]),
    ("multiclass_hinge", [INF, INF], 0, NAN, [NAN, NAN]),
    ("multiclass_hinge", [1, 0, 0], 0, 0, [0, 0, 0]),
    ("multiclass_hinge", [5], 0, 0, [0]),
    ("multiclass_perceptron", [1, 1, 0], 0, 0, [0, 0, 0]),
    ("multiclass_perceptron", [1e-300, 2e-300, 0], 0, 1e-300, [-1, 1, 0]),
    ("multiclass_perceptron", [NAN, 0], 0, NAN, [NAN, NAN]),
    ("sparsemax", [0, INF, 7], 1, 0, [0, 0, 0]),
    ("sparsemax", [0, INF, 7], 0, INF, [-1, 1, 0]),
    ("sparsemax", [0, 0, -INF], 2, INF, [0.5, 0.5, -1]),
    ("sparsemax", [-INF, 3], 1, 0, [0, 0]),
    ("sparsemax", [1e300, -1e300], 1, 2e300, [1, -1]),
    ("sparsemax", [INF, INF], 0, NAN, [NAN, NAN]),
    ("sparsemax", [-INF, -INF], 0, NAN, [NAN, NAN]),
    ("sparsemax", [0, NAN], 0, NAN, [NAN, NAN]),
    ("sparsemax", [5], 0, 0, [0]),
]


@pytest.mark.parametrize(
    ("name", "logits", "label", "value", "grad"),
    [pytest.param(*row, id=f"{row[0]}{row[1]}{row[2]}") for row in LIMITS],
)
def test_limits(name: str, logits: Any, label: int, value: float, grad: Any) -> None:
    got, slope = fl.losses[name].value_and_grad(np.array([logits], np.float64), [label])
    np.testing.assert_equal(got, value)
    np.testing.assert_allclose(slope[0], grad, rtol=1e-15)


def test_second_derivative_at_a_kink() -> None:
    """It is that of the quadratic side."""
    rows = [[1.0, 0.0, -1.0], [1.0, 0.0, 0.5]]
    hess = fl.squared_multi_margin.grad_and_hess(rows, [0, 0], reduction="sum")[1]
    np.testing.assert_allclose(hess, np.array([[2, 2, 0], [4, 2, 2]]) / 3, rtol=1e-15)
    hess = fl.sparsemax.grad_and_hess(rows, [0, 0], reduction="sum")[1]
    np.testing.assert_allclose(hess, [[0.5, 0.5, 0], [0.5, 0, 0.5]], rtol=1e-15)


@each_dtype
def test_almost_perfect(dtype: type) -> None:
    """What is lacking of a margin by less than a number's last digit is not lost."""
    tiny = np.finfo(dtype).smallest_normal
    row = np.array([[1, tiny]], dtype)  # the margin is 1 less tiny
    assert fl.multi_margin(row, [0]) == pytest.approx(float(tiny) / 2)
    assert fl.multiclass_hinge(row, [0]) == pytest.approx(float(tiny))
    grad = fl.sparsemax.grad(row, [0])
    np.testing.assert_allclose(grad, [[-float(tiny) / 2, float(tiny) / 2]], rtol=1e-6)
