# SPDX-License-Identifier: BSD-3-Clause
"""Losses of boxes against their definitions in many digits, and boxes that are exceptional."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES

ULPS = 2
BOXES = (fl.giou, fl.diou, fl.ciou)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_loss = pytest.mark.parametrize("loss", BOXES, ids=lambda loss: loss.__name__)


def definition(name: str, pred: Any, target: Any, eps: Any) -> Any:
    """Return the loss, with IoU as everyone writes it, but for eps."""
    low = [max(pred[k], target[k]) for k in (0, 1)]
    high = [min(pred[k + 2], target[k + 2]) for k in (0, 1)]

    def sides(low: Any, high: Any) -> list[Any]:
        return [max(b - a, mpmath.mpf(0)) for a, b in zip(low, high, strict=True)]

    size, wanted = sides(pred[:2], pred[2:]), sides(target[:2], target[2:])
    hull = sides(map(min, pred[:2], target[:2]), map(max, pred[2:], target[2:]))
    shared, hull_area = mpmath.fprod(sides(low, high)), mpmath.fprod(hull)
    union = mpmath.fprod(size) + mpmath.fprod(wanted) - shared
    lacking = 1 - (shared + eps) / (union + eps)
    if name == "giou":
        return lacking + (hull_area - union) / (hull_area + eps)
    centre = [(pred[k] + pred[k + 2] - target[k] - target[k + 2]) / 2 for k in (0, 1)]
    diagonal = mpmath.fdot(hull, hull) + eps
    distance = lacking + mpmath.fdot(centre, centre) / diagonal
    if name == "diou":
        return distance
    angle = mpmath.atan2(*wanted) - mpmath.atan2(*size)
    v = (2 / mpmath.pi * angle) ** 2
    return distance + v**2 / (lacking + v + eps)


def slope(function: Callable[[Any], Any], x: Any) -> Any:
    """Differentiate in 100 digits."""
    step = mpmath.mpf(10) ** -30 * max(1, abs(x))
    return (function(x + step) - function(x - step)) / (2 * step)


def assert_near(got: Any, exact: Any, size: Any, dtype: type) -> None:
    """Compare in units in the last place of a size."""
    unit = float(np.spacing(dtype(float(size))))
    assert abs(mpmath.mpf(float(got)) - exact) <= ULPS * unit, (got, float(exact))


def drawn(dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Draw boxes that overlap, lie apart, or within each other; some with little between edges."""
    generator = np.random.default_rng(101)
    corner, size = generator.normal(size=(60, 2)), generator.lognormal(size=(60, 2))
    target = np.concatenate([corner, corner + size], axis=1).astype(dtype)
    step = np.repeat([[2.0], [0.5], [1e-2], [1e-4]], 15, axis=0)
    pred = target + step * np.repeat(size, 2, axis=1) * generator.normal(size=(60, 4))
    pred = pred.astype(dtype)
    low, high = pred[:, :2], pred[:, 2:]
    return np.concatenate([np.minimum(low, high), np.maximum(low, high)], axis=1), target


@pytest.mark.parametrize("eps", [1e-7, 0.5])
@each_loss
@each_dtype
def test_definition(dtype: type, loss: Any, eps: float) -> None:
    """Values and gradients: that of ciou through the weight of v, too."""
    pred, target = drawn(dtype)
    value, grad = loss.value_and_grad(pred, target, eps=eps, reduction="none")
    with mpmath.workdps(100):
        exact_eps = mpmath.mpf(float(dtype(eps)))
        for row in range(len(pred)):
            p, t = ([mpmath.mpf(float(x)) for x in box[row]] for box in (pred, target))
            exact = definition(loss.__name__, p, t, exact_eps)
            assert_near(value[row], exact, abs(exact), dtype)
            for k in range(4):

                def moved(x: Any, k: int = k, p: Any = p, t: Any = t) -> Any:
                    return definition(loss.__name__, [*p[:k], x, *p[k + 1 :]], t, exact_eps)

                exact = slope(moved, p[k])
                parts = (1 + abs(exact)) / max(p[2] - p[0], p[3] - p[1], mpmath.mpf("1e-3"))
                assert_near(grad[row, k], exact, max(abs(exact), parts), dtype)


@each_loss
@each_dtype
def test_equal_boxes(dtype: type, loss: Any) -> None:
    """They lose nothing, and are at rest; also empty ones."""
    _, target = drawn(dtype)
    target[:10, 2] = target[:10, 0]
    target[5:15, 3] = target[5:15, 1]
    value, grad = loss.value_and_grad(target, target, reduction="none")
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(grad, 0)


@each_loss
def test_torn_edges(loss: Any) -> None:
    """Where an edge lies just at the target's, either side is uphill, and the gradient 0."""
    target = np.array([[0.0, 0.0, 2.0, 1.0]])
    for k in range(4):
        for step in (-1e-9, 1e-9):
            pred = target.copy()
            pred[0, k] += step
            assert loss.grad(pred, target)[0, k] * step > 0


@each_loss
@each_dtype
def test_far_boxes_are_drawn_together(dtype: type, loss: Any) -> None:
    pred, target = np.array([[0, 0, 1, 1]], dtype), np.array([[5, 7, 6, 9]], dtype)
    value, grad = loss.value_and_grad(pred, target)
    assert 1 < value < 2.5
    assert np.all(grad[0, :2] + grad[0, 2:] < 0)


@each_loss
@each_dtype
def test_empty_boxes(dtype: type, loss: Any) -> None:
    """They have finite losses and gradients, and are all alike but for where they lie."""
    target = np.array([[0, 0, 2, 1]] * 3, dtype)
    pred = np.array([[1, 0.5, 1, 0.5], [1.5, 0.75, 0.5, 0.25], [1.25, 0.5, 0.75, 0.5]], dtype)
    value, grad = loss.value_and_grad(pred, target, reduction="none")
    assert np.isfinite(grad).all()
    np.testing.assert_array_equal(value, value[0])
    for pair in ((target, 0 * target), (0 * target, target)):
        assert all(np.isfinite(x).all() for x in loss.value_grad_and_hess(*pair))


@each_loss
@each_dtype
def test_infinite_coordinates(dtype: type, loss: Any) -> None:
    box = np.array([[0, 0, 2, 1]] * 4, dtype)
    for wrong in (np.inf, -np.inf, np.nan):
        spoiled = box.copy()
        spoiled[2, 1] = wrong
        for pair in ((spoiled, box), (box, spoiled)):
            for part in loss.value_grad_and_hess(*pair, reduction="none"):
                assert np.isnan(part[2]).all()
                assert np.isfinite(part[[0, 1, 3]]).all()


@each_loss
def test_four_numbers(loss: Any) -> None:
    for shape in ((3, 5), (3,), ()):
        with pytest.raises(ValueError, match=f"{loss.__name__}: "):
            loss(np.ones(shape), np.ones(shape))
