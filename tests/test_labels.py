# SPDX-License-Identifier: BSD-3-Clause
"""Losses for labels against computations of their own in many digits."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES

INF, NAN = np.inf, np.nan
CLASS_WEIGHT = [0.5, 2.0, 0.0, 1.25, 4.0]

# Of the label's probability, given with its complement.
OF_PROBABILITY: dict[str, Callable[..., Any]] = {
    "softmax_focal": lambda p, c, gamma=2.0: c ** mpmath.mpf(gamma) * -mpmath.log(p),
    "poly1_cross_entropy": lambda p, c, epsilon=2.0: epsilon * c - mpmath.log(p),
    "generalized_cross_entropy": lambda p, _, q=0.5: (1 - p ** mpmath.mpf(q)) / q,
    "symmetric_cross_entropy": lambda p, c, alpha=0.1, beta=1.0, log_zero=-4.0: (
        alpha * -mpmath.log(p) - beta * log_zero * c
    ),
}
SETTINGS = [
    ("softmax_focal", {}),
    ("softmax_focal", {"gamma": 0.0}),
    ("softmax_focal", {"gamma": 0.5}),
    ("softmax_focal", {"gamma": 5.0}),
    ("poly1_cross_entropy", {}),
    ("poly1_cross_entropy", {"epsilon": -1.0}),
    ("generalized_cross_entropy", {}),
    ("generalized_cross_entropy", {"q": 1.0}),
    ("generalized_cross_entropy", {"q": 0.01}),
    ("symmetric_cross_entropy", {}),
    ("symmetric_cross_entropy", {"alpha": 6.0, "beta": 0.1, "log_zero": -6.0}),
    ("symmetric_cross_entropy", {"alpha": 0.0}),
]
each_setting = pytest.mark.parametrize(
    ("name", "parameters"),
    SETTINGS,
    ids=[f"{name}-{parameters}" for name, parameters in SETTINGS],
)


def of_softmax(name: str, parameters: dict[str, float]) -> Callable[[Any, int], Any]:
    """Return the loss of a row of logits in the working precision of mpmath."""

    def term(logits: Any, label: int) -> Any:
        e = [mpmath.exp(mpmath.mpf(x)) for x in logits]
        total = mpmath.fsum(e)
        rest = mpmath.fsum(x for k, x in enumerate(e) if k != label)
        return OF_PROBABILITY[name](e[label] / total, rest / total, **parameters)

    return term


def ordinal(logits: Any, label: int) -> Any:
    wrong = [-mpmath.mpf(x) if k < label else mpmath.mpf(x) for k, x in enumerate(logits)]
    return mpmath.fsum(mpmath.log1p(mpmath.exp(x)) for x in wrong)


def assert_is_defined_by(loss: Any, term: Callable[[Any, int], Any], parameters: Any) -> None:
    """Compare value, gradient and second derivative with a definition and its differences."""
    generator = np.random.default_rng(31)
    classes = 5 - loss.formula.more_labels
    logits = generator.normal(scale=3, size=(5, classes)).round(3)
    labels = np.arange(5)
    value, grad, hess = loss.value_grad_and_hess(
        logits, labels, reduction="none", class_weight=CLASS_WEIGHT, **parameters
    )
    step = mpmath.mpf(10) ** -30
    for n, label in enumerate(labels):
        weight = CLASS_WEIGHT[label]

        def at(k: int, change: Any, n: int = n, label: int = label) -> Any:
            row = [mpmath.mpf(x) + (change if i == k else 0) for i, x in enumerate(logits[n])]
            return term(row, label)

        here = at(0, 0)
        scale = max(1.0, abs(float(here)))
        assert value[n] == pytest.approx(float(weight * here), rel=1e-14)
        for k in range(classes):
            below, above = at(k, -step), at(k, step)
            first, second = (above - below) / (2 * step), (above - 2 * here + below) / step**2
            assert grad[n, k] == pytest.approx(float(weight * first), abs=1e-14 * scale)
            assert hess[n, k] == pytest.approx(float(weight * second), abs=1e-14 * scale)


@each_setting
def test_losses_of_the_softmax(name: str, parameters: dict[str, float]) -> None:
    with mpmath.workdps(100):
        assert_is_defined_by(fl.losses[name], of_softmax(name, parameters), parameters)


def test_ordinal_cross_entropy() -> None:
    with mpmath.workdps(100):
        assert_is_defined_by(fl.ordinal_cross_entropy, ordinal, {})


# ---- tails ------------------------------------------------------------------------------------


def ulps(got: Any, exact: Any, dtype: Any) -> float:
    """Return the distance in units of the last place of the exact number."""
    unit = np.spacing(np.abs(dtype(float(exact))))
    return float(abs(mpmath.mpf(float(got)) - exact) / float(unit))


@pytest.mark.parametrize("dtype", DTYPES)
@each_setting
def test_an_almost_certain_label(name: str, parameters: dict[str, float], dtype: type) -> None:
    """Value and gradient keep their digits down to the smallest normal number."""
    loss = fl.losses[name]
    term = of_softmax(name, {key: float(dtype(x)) for key, x in parameters.items()})
    smallest = float(np.finfo(dtype).smallest_normal)
    step = mpmath.mpf(10) ** -30
    for gap in (0.5, 3, 17, 40, 85, 300, 700):
        for classes in (2, 3, 17):
            row = np.zeros((1, classes), dtype)
            row[0, 1] = gap
            value, grad = loss.value_and_grad(row, [1], **parameters)

            def at(change: Any, classes: int = classes, gap: float = gap) -> Any:
                return term([gap + change if k == 1 else 0 for k in range(classes)], 1)

            with mpmath.workdps(800):
                exact, slope = at(0), (at(step) - at(-step)) / (2 * step)
                if parameters.get("epsilon", 0) >= 0 and exact > smallest:
                    assert ulps(value, exact, dtype) <= loss.accuracy.otherwise.value
                if -slope > smallest:
                    assert ulps(grad[0, 1], slope, dtype) <= loss.accuracy.otherwise.grad


@pytest.mark.parametrize("gamma", [0.0, 1e-3, 0.5, 1.0, 1.5, 2.0, 5.0, 100.0])
def test_focal_derivatives_are_finite(gamma: float) -> None:
    """Of certain labels, too, and of impossible ones."""
    rows = np.array(
        [[100.0, -100, 0], [-100, 100, 0], [INF, 0, -INF], [0, 0, 0], [-1e300, 1e300, 0]]
    )
    _, grad, hess = fl.softmax_focal.value_grad_and_hess(rows, [0, 0, 0, 0, 0], gamma=gamma)
    assert np.isfinite(grad).all()
    assert np.isfinite(hess).all()


def test_focal_without_focus_is_the_cross_entropy() -> None:
    generator = np.random.default_rng(32)
    for dtype in DTYPES:
        for classes in (2, 7, 100):
            logits = generator.normal(scale=8, size=(50, classes)).astype(dtype)
            labels = generator.integers(classes, size=50)
            focal = fl.softmax_focal.value_grad_and_hess(logits, labels, gamma=0.0)
            plain = fl.cross_entropy.value_grad_and_hess(logits, labels)
            for a, b in zip(focal, plain, strict=True):
                np.testing.assert_allclose(a, b, rtol=8 * np.finfo(dtype).eps)


def test_poly1_without_cancellation() -> None:
    """With ε = −1 the slope near the optimum is that of (1 − p)²/2."""
    grad, hess = fl.poly1_cross_entropy.grad_and_hess([[50.0, 0.0, 0.0]], [0], epsilon=-1.0)
    rest = 2 * np.exp(-50.0)
    np.testing.assert_allclose(grad, [[-(rest**2), rest**2 / 2, rest**2 / 2]], rtol=1e-14)
    assert hess[0, 0] == pytest.approx(2 * rest**2, rel=1e-14)


# ---- limits -----------------------------------------------------------------------------------

# Logits, label, and for each loss with its defaults the value; then the gradient over its scale.
LIMITS = [
    ("certain", [0, INF, 7], 1, [0, 0, 0, 0], [0, 0, 0]),
    ("only possible", [-INF, 3, -INF], 1, [0, 0, 0, 0], [0, 0, 0]),
    ("only class", [5], 0, [0, 0, 0, 0], [0]),
    ("another is certain", [0, INF, 7], 0, [INF, INF, 2, INF], [-1, 1, 0]),
    ("impossible", [0, 0, -INF], 2, [INF, INF, 2, INF], [0.5, 0.5, -1]),
    ("far below", [0, 0, -1e6], 2, [None, None, 2, None], [0.5, 0.5, -1]),
    ("nothing possible", [-INF, -INF], 1, [NAN] * 4, [NAN, NAN]),
    ("certain twice", [INF, INF, 7], 0, [NAN] * 4, [NAN] * 3),
    ("NaN", [NAN, 0, 1], 1, [NAN] * 4, [NAN] * 3),
]


@pytest.mark.parametrize(
    ("logits", "label", "values", "grad"), [pytest.param(*row[1:], id=row[0]) for row in LIMITS]
)
@pytest.mark.parametrize("padding", [0, 100])
def test_limits(logits: Any, label: int, values: Any, grad: Any, padding: int) -> None:
    """Also with classes around that are impossible: they change nothing."""
    row = np.array([[-INF] * padding + logits])
    scales = [1, 1, 0, 0.1]  # of the gradient where p is 0
    for name, value, scale in zip(OF_PROBABILITY, values, scales, strict=True):
        got, slope, bend = fl.losses[name].value_grad_and_hess(row, [label + padding])
        if value is not None:
            np.testing.assert_equal(got, value)
        np.testing.assert_allclose(slope[0, padding:], scale * np.array(grad), rtol=1e-15)
        assert np.isnan(bend).all() == np.isnan(grad).all()


# ---- log-probabilities ------------------------------------------------------------------------


def test_nll_reads_the_label_alone() -> None:
    log_prob = np.array([[NAN, -1.5, INF], [-0.25, NAN, -INF], [-INF, 0, 0], [0, 0, NAN]])
    value, grad, hess = fl.nll.value_grad_and_hess(log_prob, [1, 0, 0, 2], reduction="none")
    np.testing.assert_array_equal(value, [1.5, 0.25, INF, NAN])
    np.testing.assert_array_equal(grad, [[0, -1, 0], [-1, 0, 0], [-1, 0, 0], [0, 0, NAN]])
    np.testing.assert_array_equal(hess, 0)


def test_nll_of_a_class_without_weight() -> None:
    value, grad = fl.nll.value_and_grad([[-INF, 0.0]], [0], class_weight=[0, 1], reduction="sum")
    assert value == 0
    np.testing.assert_array_equal(grad, 0)


def test_nll_of_log_softmax_is_the_cross_entropy() -> None:
    generator = np.random.default_rng(33)
    logits, labels = generator.normal(size=(40, 70)), generator.integers(70, size=40)
    log_prob = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    class_weight = generator.lognormal(size=70)
    got = fl.nll(log_prob, labels, class_weight=class_weight)
    assert got == pytest.approx(fl.cross_entropy(logits, labels, class_weight=class_weight))


# ---- ordered classes --------------------------------------------------------------------------


@pytest.mark.parametrize("logits", [1, 3, 20, 100])
def test_ordinal_labels_are_one_more_than_logits(logits: int) -> None:
    rows = np.random.default_rng(34).normal(scale=4, size=(logits + 1, logits))
    labels = np.arange(logits + 1)
    levels = (np.arange(logits) < labels[:, None]).astype(float)
    bce = fl.binary_cross_entropy_with_logits.value_grad_and_hess(rows, levels, reduction="none")
    value, grad, hess = fl.ordinal_cross_entropy.value_grad_and_hess(rows, labels, reduction="none")
    np.testing.assert_allclose(value, bce[0].sum(-1), rtol=1e-14)
    np.testing.assert_allclose(grad, bce[1], rtol=1e-15, atol=0)
    np.testing.assert_allclose(hess, bce[2], rtol=2e-15, atol=0)
    with pytest.raises(IndexError, match=rf"labels in \[0, {logits + 1}\), got {logits + 1}"):
        fl.ordinal_cross_entropy(rows, labels + 1)
    class_weight = np.arange(logits + 1.0)
    weighted = fl.ordinal_cross_entropy(rows, labels, class_weight=class_weight, reduction="none")
    np.testing.assert_allclose(weighted, class_weight * value, rtol=1e-15)
    with pytest.raises(ValueError, match="class_weight"):
        fl.ordinal_cross_entropy(rows, labels, class_weight=class_weight[1:])


def test_ordinal_limits() -> None:
    rows = [[INF, -INF], [-INF, -INF], [INF, INF], [-INF, INF], [0.0, NAN]]
    value, grad, hess = fl.ordinal_cross_entropy.value_grad_and_hess(
        rows, [1, 0, 2, 1, 0], reduction="none"
    )
    np.testing.assert_array_equal(value, [0, 0, 0, INF, NAN])
    np.testing.assert_array_equal(grad[:4], [[0, 0], [0, 0], [0, 0], [-1, 1]])
    np.testing.assert_array_equal(grad[4], [0.5, NAN])
    np.testing.assert_array_equal(hess[:4], 0)
