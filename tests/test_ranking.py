# SPDX-License-Identifier: BSD-3-Clause
"""Losses that compare the elements of a group."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, METHODS, REDUCTIONS, assert_same_bits, bound, parts
from test_survival import ulps

INF, NAN = np.inf, np.nan
RANKING = (fl.pairwise_logistic, fl.lambdarank)
each_loss = pytest.mark.parametrize("loss", RANKING, ids=lambda loss: loss.__name__)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def draw(seed: int, n: int = 24, grades: int = 5, spread: float = 1.0) -> tuple[np.ndarray, ...]:
    """Draw the elements of some groups, which lie in disorder."""
    generator = np.random.default_rng(seed)
    pred = generator.normal(size=n) * spread
    return pred, generator.integers(grades, size=n).astype(float), generator.integers(4, size=n)


# ---- the definitions ----------------------------------------------------------------------------


def of_pairs(x: list[Any], pairs: list[tuple[int, int, Any]], sigma: Any) -> tuple[Any, ...]:
    """Add up pairs of a better and a worse element and their weight: results, sizes of parts."""
    value = mpmath.mpf(0)
    grad, hess, gains, losses = (np.full(len(x), mpmath.mpf(0)) for _ in range(4))
    for better, worse, weight in pairs:
        difference = sigma * (x[better] - x[worse])
        p = 1 / (1 + mpmath.exp(difference))
        value += weight * mpmath.log1p(mpmath.exp(-difference))
        gains[better] += weight * sigma * p
        losses[worse] += weight * sigma * p
        for i in (better, worse):
            hess[i] += weight * sigma**2 * p / (1 + mpmath.exp(-difference))
    grad = losses - gains
    return value, grad, hess, np.maximum(gains, losses)


def pairwise_by_definition(x: list[Any], y: list[Any]) -> tuple[Any, ...]:
    n = len(x)
    pairs = [(i, j, mpmath.mpf(1)) for i in range(n) for j in range(n) if y[i] > y[j]]
    return of_pairs(x, pairs, mpmath.mpf(1))


def lambdarank_by_definition(
    x: list[Any], y: list[Any], sigma: float = 1.0, truncation: float | None = 30, norm: bool = True
) -> tuple[Any, ...]:
    """Do what LightGBM's GetGradientsForOneQuery does, in its order, but for equal elements."""
    n = len(x)
    first = n if truncation is None else truncation
    order = sorted(range(n), key=lambda i: (-x[i], -y[i]))
    discount = [1 / mpmath.log(k + 2, 2) for k in range(n)]
    best = sorted(y, reverse=True)
    ideal = sum(
        (2**grade - 1) * d
        for k, (grade, d) in enumerate(zip(best, discount, strict=True))
        if k < first
    )
    pairs, total = [], mpmath.mpf(0)
    for k, i in enumerate(order):
        for other in range(k + 1, n):
            j = order[other]
            if k >= first or y[i] == y[j]:
                continue
            better, worse = (i, j) if y[i] > y[j] else (j, i)
            weight = (2 ** y[better] - 2 ** y[worse]) * (discount[k] - discount[other]) / ideal
            if norm and max(x) != min(x):
                weight /= mpmath.mpf(0.01) + abs(x[i] - x[j])
            pairs.append((better, worse, weight))
            total += 2 * sigma * weight / (1 + mpmath.exp(sigma * (x[better] - x[worse])))
    if norm and total > 0:
        factor = mpmath.log(1 + total, 2) / total
        pairs = [(better, worse, weight * factor) for better, worse, weight in pairs]
    value, *results = of_pairs(x, pairs, mpmath.mpf(sigma))
    for i in range(n):
        alike = [j for j in range(n) if (x[i], y[i]) == (x[j], y[j])]
        for result in results:
            result[alike] = sum(result[alike]) / len(alike)
    return value, *results


def check(loss: Any, definition: Any, arrays: tuple[np.ndarray, ...], **keywords: Any) -> None:
    """Compare each group with its definition."""
    pred, target, group = arrays
    got = loss.value_grad_and_hess(*arrays, reduction="none", **keywords)
    bounds = loss.accuracy.ulp
    with mpmath.workdps(400):
        for k, number in enumerate(np.unique(group)):
            here = group == number
            x, y = ([mpmath.mpf(float(e)) for e in a[here]] for a in (pred, target))
            value, grad, hess, size = definition(x, y, **keywords)
            assert ulps(got[0][k : k + 1], np.array([value])) <= bounds.value
            assert ulps(got[1][here], grad, size) <= bounds.grad
            assert ulps(got[2][here], hess) <= bounds.hess


@each_dtype
@pytest.mark.parametrize("spread", [1e-3, 1, 30, 300])
def test_pairwise_logistic(spread: float, dtype: type) -> None:
    for seed in range(3):
        pred, target, group = draw(seed, 40, spread=spread)
        arrays = pred.astype(dtype), target.astype(dtype), group
        check(fl.pairwise_logistic, pairwise_by_definition, arrays)


@each_dtype
@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"norm": False},
        {"sigma": 2.5},
        {"truncation": None},
        {"truncation": 1},
        {"truncation": 3, "norm": False, "sigma": 0.375},
    ],
    ids=str,
)
@pytest.mark.parametrize("spread", [1e-3, 1, 30])
def test_lambdarank(spread: float, keywords: dict[str, Any], dtype: type) -> None:
    for seed in range(2):
        pred, target, group = draw(seed, 40, spread=spread)
        arrays = pred.astype(dtype), target.astype(dtype), group
        check(fl.lambdarank, lambdarank_by_definition, arrays, **keywords)


@pytest.mark.parametrize("norm", [False, True])
def test_lambdarank_of_equal_scores(norm: bool) -> None:
    """The more relevant of two comes first; those that are alike share what their places have."""
    pred, target, group = draw(3, 60, grades=3)
    for scores in (np.round(pred), np.zeros(60)):
        check(fl.lambdarank, lambdarank_by_definition, (scores, target, group), norm=norm)


def test_lambdarank_in_long_groups() -> None:
    """Of a group beyond the truncation, only the first elements are compared with all."""
    generator = np.random.default_rng(4)
    pred, target = generator.normal(size=100), generator.integers(5, size=100).astype(float)
    check(fl.lambdarank, lambdarank_by_definition, (pred, target, np.zeros(100, int)))


# ---- groups -------------------------------------------------------------------------------------


@each_dtype
@each_loss
def test_permuted(loss: Any, dtype: type) -> None:
    """Permuted arguments give permuted results, bit by bit; also where elements are alike."""
    generator = np.random.default_rng(5)
    n = 3000
    pred = np.round(generator.normal(size=n) * 2, 1).astype(dtype)
    target, group = generator.integers(4, size=n).astype(dtype), generator.integers(25, size=n)
    weight = generator.uniform(size=25).astype(dtype)
    arrays = pred, target, group
    orders = [generator.permutation(n), np.arange(n)[::-1], np.argsort(group, kind="stable")]
    for method in METHODS:
        for reduction in REDUCTIONS:
            keywords = {"weight": weight, "reduction": reduction}
            expected = parts(bound(loss, method)(*arrays, **keywords))
            for order in orders:
                got = parts(bound(loss, method)(*(x[order] for x in arrays), **keywords))
                moved = [x[order] if np.shape(x) == (n,) else x for x in expected]
                assert_same_bits(tuple(got), tuple(moved))


@each_loss
def test_a_group_does_not_know_of_others(loss: Any) -> None:
    pred, target, group = draw(6, 60)
    together = loss.value_grad_and_hess(pred, target, group, reduction="none")
    for k, number in enumerate(np.unique(group)):
        here = group == number
        value, grad, hess = loss.value_grad_and_hess(
            pred[here], target[here], group[here], reduction="none"
        )
        assert_same_bits(value, together[0][k : k + 1])
        assert_same_bits((grad, hess), (together[1][here], together[2][here]))


@pytest.mark.parametrize(
    "ids",
    [
        np.array([-5, 0, 7], np.int8),
        np.array([2**53, 2**53 + 1, 2**53 + 2]),
        np.array([0, 2**63, 2**64 - 1], np.uint64),
        np.array([-(2**63), 0, 2**63 - 1]),
    ],
    ids=str,
)
@each_loss
def test_ids(loss: Any, ids: np.ndarray) -> None:
    """Any integers are ids; values come by ascending ones."""
    pred, target, _ = draw(7, 30)
    group = np.random.default_rng(8).integers(3, size=30)
    expected = loss.value_grad_and_hess(pred, target, group, reduction="none")
    assert_same_bits(loss.value_grad_and_hess(pred, target, ids[group], reduction="none"), expected)


@each_loss
def test_ids_are_integers(loss: Any) -> None:
    with pytest.raises(TypeError, match="'group': expected integers, the ids of groups"):
        loss([1.0, 2], [0, 1], [0.0, 0])


@each_loss
def test_terms_are_groups(loss: Any) -> None:
    arguments = ([1.5, 0.5, 0.0, 2.0], [1, 0, 2, 0], [7, 7, 7, 8])
    value = loss(*arguments, reduction="none")
    assert value.shape == (2,)
    assert value[1] == 0
    assert loss.weight_sum(*arguments) == 2
    assert loss.weight_sum(*arguments, weight=[3, 5]) == 8
    assert loss(*arguments) == value[0] / 2
    assert loss(*arguments, weight=[3, 5]) == pytest.approx(3 * value[0] / 8, rel=1e-15)
    grad = loss.grad(*arguments, reduction="sum")
    weighted = loss.grad(*arguments, weight=[3, 5], reduction="sum")
    np.testing.assert_allclose(weighted, 3 * grad, rtol=1e-15)


@each_loss
def test_masked_groups(loss: Any) -> None:
    """Whatever they hold; and one that holds NaN is NaN, alone."""
    pred, target, group = draw(9, 40)
    plain = loss.value_grad_and_hess(pred, target, group, reduction="none")
    here, weight = group == 2, np.array([1.0, 1, 0, 1])
    for content in (NAN, INF):
        spoiled = np.where(here & (np.arange(40) % 2 == 0), content, pred)
        got = loss.value_grad_and_hess(spoiled, target, group, weight=weight, reduction="none")
        for a, b in zip(got, plain, strict=True):
            kept = np.arange(4) != 2 if a.shape == (4,) else ~here
            np.testing.assert_array_equal(a[kept], b[kept])
            np.testing.assert_array_equal(a[~kept], 0)
    value, grad, hess = loss.value_grad_and_hess(
        np.where(here, NAN, pred), target, group, reduction="none"
    )
    assert_same_bits(np.isnan(value), np.arange(4) == 2)
    assert_same_bits(np.isnan(grad), here)
    assert_same_bits(np.isnan(hess), here)


@each_loss
def test_small_groups(loss: Any) -> None:
    """One element has no pair, and none make no group."""
    single = loss.value_grad_and_hess([3.0, -1], [1, 0], [0, 1], reduction="none")
    np.testing.assert_array_equal(single, 0)
    assert loss(np.zeros(0), np.zeros(0), np.zeros(0, int), reduction="none").shape == (0,)
    assert loss(np.zeros(0), np.zeros(0), np.zeros(0, int), reduction="sum") == 0


def test_pairs_far_apart() -> None:
    """A pair in the right order has next to no loss, and not none."""
    value, grad, hess = fl.pairwise_logistic.value_grad_and_hess([700.0, 0], [1, 0], [0, 0])
    tiny = np.exp(-700.0)
    np.testing.assert_allclose(value, tiny, rtol=1e-15)
    np.testing.assert_allclose(grad, [-tiny, tiny], rtol=1e-15)
    np.testing.assert_allclose(hess, [tiny, tiny], rtol=1e-15)
    value, grad, hess = fl.pairwise_logistic.value_grad_and_hess([0.0, 1e300], [1, 0], [0, 0])
    assert value == 1e300
    np.testing.assert_array_equal(grad, [-1, 1])
    np.testing.assert_array_equal(hess, 0)
