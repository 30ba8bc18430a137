# SPDX-License-Identifier: BSD-3-Clause
"""Cross-entropy and its options against a computation of its own in many digits."""

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES

CLASSES = 5
OPTIONS = {
    "class_weight": [None, [0.5, 2.0, 0.0, 1.25, 4.0]],
    "label_smoothing": [0.0, 0.125, 1.0],
    "z_loss": [0.0, 0.25],
    "temperature": [1.0, 0.75],
    "softcap": [None, 3.0],
}
GRID = [dict(zip(OPTIONS, values, strict=True)) for values in itertools.product(*OPTIONS.values())]
each_options = pytest.mark.parametrize(
    "options", GRID, ids=lambda o: "-".join(f"{k}={v}" for k, v in o.items())
)


def term(logits: Any, y: Any, options: dict[str, Any]) -> Any:
    """Return one row's loss in the working precision of mpmath, straight from its definition."""
    cap, temperature = options["softcap"], options["temperature"]
    z = [(cap * mpmath.tanh(x / cap) if cap else mpmath.mpf(x)) / temperature for x in logits]
    lse = mpmath.log(mpmath.fsum(map(mpmath.exp, z)))
    weights = options["class_weight"] or [1] * len(z)
    smoothing = options["label_smoothing"]
    smoothed = [(1 - smoothing) * mpmath.mpf(share) + smoothing / len(z) for share in y]
    crossed = mpmath.fsum(
        w * share * (lse - score) for w, share, score in zip(weights, smoothed, z, strict=True)
    )
    return crossed + options["z_loss"] * lse**2


def derivatives(logits: Any, y: Any, options: dict[str, Any], k: int) -> tuple[Any, Any]:
    """Differentiate by differences in so many digits that nothing is lost."""
    step = mpmath.mpf(10) ** -30

    def at(x: Any) -> Any:
        return term([*logits[:k], x, *logits[k + 1 :]], y, options)

    x = mpmath.mpf(logits[k])
    below, here, above = at(x - step), at(x), at(x + step)
    return (above - below) / (2 * step), (above - 2 * here + below) / step**2


def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(21)
    logits = generator.normal(scale=3, size=(4, CLASSES)).round(3)
    labels = np.array([0, 3, 1, 2])
    return logits, labels, generator.dirichlet(np.ones(CLASSES), size=4)


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "probabilities"])
@each_options
def test_options(options: dict[str, Any], labelled: bool) -> None:
    logits, labels, probabilities = rows()
    shares = np.eye(CLASSES)[labels] if labelled else probabilities
    value, grad, hess = fl.cross_entropy.value_grad_and_hess(
        logits, labels if labelled else probabilities, reduction="none", **options
    )
    with mpmath.workdps(100):
        for n in range(len(logits)):
            row, y = logits[n].tolist(), shares[n].tolist()
            scale = max(1.0, abs(float(term(row, y, options))))
            assert value[n] == pytest.approx(float(term(row, y, options)), rel=1e-14)
            for k in range(CLASSES):
                first, second = derivatives(row, y, options, k)
                assert grad[n, k] == pytest.approx(float(first), abs=2e-15 * scale)
                assert hess[n, k] == pytest.approx(float(second), abs=4e-15 * scale)


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "probabilities"])
@each_options
def test_mean(options: dict[str, Any], labelled: bool) -> None:
    """The denominator has the class weights of the unsmoothed target, and nothing else."""
    logits, labels, probabilities = rows()
    target = labels if labelled else probabilities
    shares = np.eye(CLASSES)[labels] if labelled else probabilities
    weight = np.array([1.0, 0.25, -0.5, 3.0])
    class_weight = np.array(options["class_weight"] or [1.0] * CLASSES)
    denominator = np.sum(weight * (shares @ class_weight))
    terms = fl.cross_entropy(logits, target, reduction="none", **options)
    mean = fl.cross_entropy(logits, target, weight=weight, **options)
    assert mean == pytest.approx(np.sum(weight * terms) / denominator, rel=1e-13)


# ---- tails ------------------------------------------------------------------------------------


def exact_tail(gap: float, others: int) -> tuple[Any, Any]:
    """Return loss and gradient of a label that leads `others` classes by a gap."""
    rest = others * mpmath.exp(-mpmath.mpf(gap))
    return mpmath.log1p(rest), -rest / (1 + rest)


def ulps(got: Any, exact: Any, dtype: type) -> float:
    """Return the distance in units of the last place of the exact number."""
    with mpmath.workdps(60):
        unit = np.spacing(np.abs(dtype(float(exact))))
        return float(abs(mpmath.mpf(float(got)) - exact) / float(unit))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_tails(dtype: type, kind: str) -> None:
    """An almost perfect answer does not round to zero, down to the smallest normal number."""
    last = 86 if dtype is np.float32 else 700
    for gap in np.unique(np.linspace(0, last, 87).round()):
        for classes in (2, 3, 17, 100):
            logits = np.zeros((1, classes), dtype)
            logits[0, 1] = gap
            target = np.eye(classes, dtype=dtype)[[1]] if kind == "probabilities" else [1]
            value, grad = fl.cross_entropy.value_and_grad(logits, np.array(target))
            with mpmath.workdps(60):
                exact_value, exact_grad = exact_tail(gap, classes - 1)
            assert ulps(value, exact_value, dtype) <= 4, (gap, classes)
            assert ulps(grad[0, 1], exact_grad, dtype) <= 4, (gap, classes)


@pytest.mark.parametrize("target", [[2], [[0.0, 0.0, 1.0]]], ids=["label", "probabilities"])
def test_a_loss_of_1e_30(target: Any) -> None:
    gap = 30 * np.log(10)
    value, grad = fl.cross_entropy.value_and_grad([[0.0, -800.0, gap]], np.array(target))
    with mpmath.workdps(60):
        exact_value, exact_grad = exact_tail(float(gap), 1)
    assert value == pytest.approx(1e-30, rel=1e-13)
    assert ulps(value, exact_value, np.float64) <= 4
    assert ulps(grad[0, 2], exact_grad, np.float64) <= 4


@pytest.mark.parametrize("smoothing", [1e-30, 1e-10, 0.1])
def test_tails_of_smoothed_labels(smoothing: float) -> None:
    """The label's gradient is ε·(1 − 1/K) − (1 − p), each part with all its digits."""
    for gap in range(0, 120, 7):
        for classes in (2, 3, 17):
            logits = np.zeros((1, classes))
            logits[0, 1] = gap
            grad = fl.cross_entropy.grad(logits, [1], label_smoothing=smoothing)
            with mpmath.workdps(60):
                _, lost = exact_tail(gap, classes - 1)
                gained = mpmath.mpf(smoothing) * (1 - mpmath.mpf(1) / classes)
                error = abs(mpmath.mpf(float(grad[0, 1])) - (lost + gained))
                assert error <= 8 * 2.0**-53 * (gained - lost), (gap, classes)


def test_an_almost_certain_soft_answer() -> None:
    """The gradient of the leading class is no difference of near-equal numbers."""
    for share in (1e-3, 1e-9, 1e-15, 1e-25):
        for gap in (5.0, 20.0, 36.0, 60.0):
            y = np.array([[share, 0.0, 1 - share]])
            grad = fl.cross_entropy.grad(np.array([[0.0, 0.0, gap]]), y)
            with mpmath.workdps(80):
                small, large = mpmath.mpf(y[0, 0]), mpmath.mpf(y[0, 2])
                rest = 2 * mpmath.exp(-mpmath.mpf(gap))
                exact = (small - large * rest) / (1 + rest)  # (Σ of other shares)·p − y·(1 − p)
                size = (small + large * rest) / (1 + rest)
                exact /= small + large
                error = abs(mpmath.mpf(float(grad[0, 2])) - exact)
                assert error <= 8 * 2.0**-53 * size


def test_large_equal_logits() -> None:
    for offset in (1e4, 1e15, -1e15):
        row = np.array([[0.0, 2.0, 4.0]])
        np.testing.assert_array_max_ulp(
            fl.cross_entropy.grad(row + offset, [1]), fl.cross_entropy.grad(row, [1]), 4
        )


# ---- labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", list("?bBhHiIlLqQpP"))
def test_types_of_labels(code: str) -> None:
    logits = np.random.default_rng(22).normal(size=(6, 2))
    labels = np.array([0, 1, 1, 0, 1, 0])
    expected = fl.cross_entropy.grad(logits, labels)
    np.testing.assert_array_equal(fl.cross_entropy.grad(logits, labels.astype(code)), expected)
    swapped = labels.astype(code).astype(np.dtype(code).newbyteorder("S"))
    np.testing.assert_array_equal(fl.cross_entropy.grad(logits, swapped), expected)


@pytest.mark.parametrize(
    ("dtype", "ignored"),
    [
        (np.int8, -100),
        (np.int64, -(2**63)),
        (np.int64, 2**63 - 1),
        (np.uint8, 255),
        (np.int64, 1),
        (np.uint64, 3),
        (bool, 1),
    ],
)
def test_ignore_index(dtype: type, ignored: int) -> None:
    """Any integer may be the one that is ignored, a valid label too."""
    logits = np.random.default_rng(23).normal(size=(5, 3))
    labels = np.array([0, ignored, 0, ignored, 0]).astype(dtype)
    kept = labels != np.array(ignored).astype(dtype)
    value, grad = fl.cross_entropy.value_and_grad(logits, labels, ignore_index=ignored)
    assert value == pytest.approx(fl.cross_entropy(logits[kept], labels[kept]), rel=1e-15)
    assert np.all(grad[~kept] == 0)
    assert np.all(grad[kept] != 0)
    assert fl.cross_entropy.weight_sum(logits, labels, ignore_index=ignored) == kept.sum()


def test_ignore_index_by_default_is_none() -> None:
    with pytest.raises(IndexError, match="got -100 at index 1"):
        fl.cross_entropy(np.zeros((2, 3)), [0, -100])


def test_ignore_index_that_does_not_occur() -> None:
    logits = np.random.default_rng(24).normal(size=(5, 3))
    plain = fl.cross_entropy(logits, [0, 1, 2, 1, 0])
    for ignored in (-100, 7, np.int8(-1)):
        assert fl.cross_entropy(logits, [0, 1, 2, 1, 0], ignore_index=ignored) == plain


def test_first_of_many_wrong_labels() -> None:
    logits = np.broadcast_to(0.0, (100_000, 3))
    labels = np.zeros(100_000, np.int64)
    labels[[70_001, 80_000, 99_999]] = [7, 8, -1]
    message = r"expected labels in \[0, 3\), got 7 at index 70001$"
    with pytest.raises(IndexError, match=message):
        fl.cross_entropy(logits, labels)
    message = r"expected labels in \[0, 3\) or 7, got 8 at index 80000$"
    with pytest.raises(IndexError, match=message):
        fl.cross_entropy(logits, labels, ignore_index=7)
