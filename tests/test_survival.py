# SPDX-License-Identifier: BSD-3-Clause
"""Losses of times to an event that not all have seen."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, METHODS, REDUCTIONS, assert_same_bits, parts

INF, NAN = np.inf, np.nan
TIES = ("breslow", "efron")
each_ties = pytest.mark.parametrize("ties", TIES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


# ---- cox: the definition ----------------------------------------------------------------------


def cox_by_definition(
    pred: Any, time: Any, event: Any, weight: Any = None, ties: str = "breslow"
) -> tuple[np.ndarray, ...]:
    """Add up term by term, in many digits: values, gradient, second derivative, sizes of parts.

    R's coxph maximizes minus the sum of the values.
    """
    n = len(pred)
    w = [mpmath.mpf(1.0 if weight is None else float(weight[i])) for i in range(n)]
    x = [mpmath.mpf(float(p)) for p in pred]
    hazard = [a * mpmath.exp(b) for a, b in zip(w, x, strict=True)]
    value, grad, hess, risk = (np.full(n, mpmath.mpf(0)) for _ in range(4))
    for t in sorted({t for t, e in zip(time, event, strict=True) if e}):
        died = [i for i in range(n) if time[i] == t and event[i]]
        at_risk = [j for j in range(n) if time[j] >= t]
        d, weight_of_died = len(died), sum(w[i] for i in died)
        for k in range(d):
            gone = mpmath.mpf(k) / d if ties == "efron" else mpmath.mpf(0)
            left = {j: 1 - gone if j in died else mpmath.mpf(1) for j in at_risk}
            total = sum(left[j] * hazard[j] for j in at_risk)
            value[died] += mpmath.log(total) / d
            for j in at_risk:
                share = left[j] * hazard[j] / total
                risk[j] += weight_of_died / d * share
                hess[j] += weight_of_died / d * share * (1 - share)
        for i in died:
            value[i] = w[i] * (value[i] - x[i])
            grad[i] -= w[i]
    return value, grad + risk, hess, np.maximum(risk, -grad)


def ulps(got: np.ndarray, exact: np.ndarray, size: np.ndarray | None = None) -> float:
    """Return the largest error in ULP of the exact result, or of its largest part."""
    digits = mpmath.mpf(10) ** (10 - mpmath.mp.dps)  # of what should cancel
    exact = np.where(np.abs(exact) < digits, 0, exact)
    unit = np.spacing(np.abs(exact if size is None else size).astype(got.dtype))
    error = [abs(mpmath.mpf(float(a)) - b) for a, b in zip(got, exact, strict=True)]
    return float(max(np.array(error, float) / unit))


def draw(seed: int, n: int = 40, spread: float = 1.0, times: int = 12) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    time = generator.integers(0, times, n) if times else generator.permutation(n)
    return generator.normal(size=n) * spread, time, generator.integers(0, 2, n)


@pytest.mark.parametrize(
    ("spread", "offset"),
    [(1e-3, 800), (1, 0), (1, 800), (1, -1e5), (30, 0), (300, -1e5), (1000, 0)],
)
@pytest.mark.parametrize("times", [0, 12])
@each_ties
def test_cox(ties: str, times: int, spread: float, offset: float) -> None:
    """However far apart the predictions are; what is small beside others is exact all the same."""
    with mpmath.workdps(80 + int(3 * spread)):
        for seed in range(2):
            n = 40 if spread < 100 else 14
            pred, time, event = draw(seed, n, spread, times and n // 3)
            pred += offset
            for dtype in DTYPES:
                x = pred.astype(dtype)
                value, grad, hess, size = cox_by_definition(x, time, event, ties=ties)
                got = fl.cox.value_grad_and_hess(x, time, event, ties=ties, reduction="none")
                tied = ties == "efron" and times  # a sum of two logarithms, which may cancel
                assert ulps(got[0], value, np.maximum(value, 1) if tied else None) <= 4
                assert ulps(got[1], grad, size) <= 4
                assert ulps(got[2], hess, size) <= 4


@each_ties
def test_cox_weights(ties: str) -> None:
    generator = np.random.default_rng(5)
    for scale in (1, 1e-200, 1e200):
        pred, time, event = draw(6, spread=3)
        weight = generator.lognormal(size=40) * scale
        with mpmath.workdps(80):
            value, grad, hess, _ = cox_by_definition(pred, time, event, weight, ties)
            got = fl.cox.value_grad_and_hess(
                pred, time, event, ties=ties, weight=weight, reduction="none"
            )
            for a, b in zip(got, (value, grad, hess), strict=True):
                np.testing.assert_allclose(a / scale, (b / scale).astype(float), 1e-12, 1e-14)


def test_cox_weights_count_elements() -> None:
    """With Breslow's ties, an element of weight 3 is three equal ones."""
    pred, time, event = draw(7)
    weight = np.random.default_rng(8).integers(1, 4, 40)
    copies = [np.repeat(x, weight) for x in (pred, time, event)]
    assert fl.cox(pred, time, event, weight=weight) == pytest.approx(fl.cox(*copies), rel=1e-14)
    summed = fl.cox.grad(pred, time, event, weight=weight, reduction="sum")
    first = np.cumsum(weight) - weight
    each = fl.cox.grad(*copies, reduction="sum")
    np.testing.assert_allclose(summed, np.add.reduceat(each, first), atol=1e-13)


@pytest.mark.parametrize("beta", [0.0, 1.475285, 1.676857, -2.0])
def test_cox_as_survival_in_r_has_it(beta: float) -> None:
    """The first data set that R's package validates itself with; its closed forms."""
    time, event = np.array([9, 1, 1, 6, 6, 8]), np.array([1, 1, 0, 1, 1, 0])
    x = np.array([0.0, 1, 1, 1, 0, 0])
    r = np.exp(beta)
    breslow = 2 * beta - np.log(3 * r + 3) - 2 * np.log(r + 3)
    efron = 2 * beta - np.log(3 * r + 3) - np.log(r + 3) - np.log((r + 5) / 2)
    slope = 2 - 3 * r / (3 * r + 3) - 2 * r / (r + 3)
    slope_efron = 2 - 3 * r / (3 * r + 3) - r / (r + 3) - r / (r + 5)
    for ties, likelihood, score in (("breslow", breslow, slope), ("efron", efron, slope_efron)):
        value, grad = fl.cox.value_and_grad(beta * x, time, event, ties=ties, reduction="sum")
        assert -value == pytest.approx(likelihood, rel=1e-14)
        assert -grad @ x == pytest.approx(score, abs=1e-14)
    assert abs(slope) < 1e-5 or beta != 1.475285
    assert abs(slope_efron) < 1e-5 or beta != 1.676857


# ---- cox: the order of the elements -------------------------------------------------------------


def shuffled(arrays: tuple[np.ndarray, ...], order: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(x[order] for x in arrays)


@each_dtype
@each_ties
@pytest.mark.parametrize("n", [7, 100, 3000])
def test_cox_permuted(n: int, ties: str, dtype: type) -> None:
    """Permuted arguments give permuted results, bit by bit; also where elements are equal."""
    generator = np.random.default_rng(9)
    pred = np.round(generator.normal(size=n) * 4, 1).astype(dtype)
    time = generator.integers(0, n // 4 + 1, n)
    event, weight = generator.integers(0, 2, n), generator.integers(0, 3, n).astype(dtype)
    arrays = pred, time, event, weight
    orders = [generator.permutation(n) for _ in range(3)]
    orders += [np.arange(n)[::-1], np.argsort(time), np.argsort(-time)]
    for method in METHODS:
        for reduction in REDUCTIONS:

            def call(arrays: Any, method: str = method, reduction: str = reduction) -> Any:
                function = fl.cox if method == "value" else getattr(fl.cox, method)
                return function(*arrays[:3], weight=arrays[3], ties=ties, reduction=reduction)

            expected = parts(call(arrays))
            for order in orders:
                got = parts(call(shuffled(arrays, order)))
                moved = [x[order] if np.ndim(x) else x for x in expected]
                assert_same_bits(tuple(got), tuple(moved))


@pytest.mark.parametrize(
    "times",
    [
        np.array([2**53, 2**53 + 1, 2**53 + 2]),
        np.array([2**63, 2**63 + 1, 2**64 - 1], np.uint64),
        np.array([-(2**63), -(2**63) + 1, 2**63 - 1]),
        np.array([-INF, -1e-300, INF]),
        np.array([False, True, True]),
        np.array([-0.0, 5e-324, 1], np.float64),
    ],
    ids=str,
)
def test_cox_compares_times_as_they_are(times: np.ndarray) -> None:
    """No time is rounded, whatever the type of the predictions."""
    places = np.unique(times, return_inverse=True)[1].astype(float)
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        pred = np.array([0.5, -1, 2], np.float32)
        got = fl.cox.value_grad_and_hess(pred, times[order], [1, 1, 1], reduction="none")
        expected = fl.cox.value_grad_and_hess(
            pred, places[order].astype(np.float32), [1, 1, 1], reduction="none"
        )
        if times.dtype == np.float64:
            got = tuple(x.astype(np.float32) for x in got)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_cox_times_of_either_zero_are_equal() -> None:
    assert fl.cox([1.0, 2], [0.0, -0.0], [1, 1]) == fl.cox([1.0, 2], [3, 3], [1, 1])


# ---- cox: special cases -----------------------------------------------------------------------


def test_cox_of_what_is_certain() -> None:
    """One alone at risk has no loss; one that is all but certain has a little, exactly."""
    assert_same_bits(fl.cox.value_grad_and_hess([3.0], [1], [1], reduction="none"), zeros(1))
    value, grad, hess = fl.cox.value_grad_and_hess([700.0, 0], [1, 2], [1, 0], reduction="none")
    tiny = np.exp(-700.0)
    np.testing.assert_allclose(value, [tiny, 0], rtol=1e-15)
    np.testing.assert_allclose(grad, [-tiny, tiny], rtol=1e-15)
    np.testing.assert_allclose(hess, [tiny, tiny], rtol=1e-15)
    assert fl.cox([800.0, 0], [1, 2], [1, 1]) == 0
    assert fl.cox([0.0, 800], [1, 2], [1, 1]) == 400


def zeros(n: int) -> tuple[np.ndarray, ...]:
    return (np.zeros(n),) * 3


@each_ties
def test_cox_without_events(ties: str) -> None:
    arguments = ([0.5, 1.0], [1, 2], [0, 0])
    assert fl.cox.weight_sum(*arguments) == 0
    assert fl.cox(*arguments, ties=ties, reduction="sum") == 0
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        value, grad, hess = fl.cox.value_grad_and_hess(*arguments, ties=ties)
    assert np.isnan(value)
    assert_same_bits((grad, hess), zeros(2)[:2])


def test_cox_terms_are_events() -> None:
    weight = [1.0, 2, 4, 8]
    arguments = ([0.5, 1.0, 0.25, 3], [1, 2, 2, 4], [1, 0, 2.5, False])
    assert fl.cox.weight_sum(*arguments) == 2
    assert fl.cox.weight_sum(*arguments, weight=weight) == 5
    total = fl.cox(*arguments, weight=weight, reduction="sum")
    assert fl.cox(*arguments, weight=weight) == total / 5
    np.testing.assert_array_equal(fl.cox(*arguments, reduction="none")[[1, 3]], 0)


@each_ties
def test_cox_masks(ties: str) -> None:
    """What has weight 0 is not at risk."""
    pred, time, event = draw(10)
    masked = np.arange(40) % 3 == 1
    kept = fl.cox.value_grad_and_hess(
        *(x[~masked] for x in (pred, time, event)), ties=ties, reduction="none"
    )
    for content in (NAN, INF, 900.0):
        got = fl.cox.value_grad_and_hess(
            np.where(masked, content, pred),
            np.where(masked, content, time),
            event,
            ties=ties,
            weight=~masked,
            reduction="none",
        )
        for a, b in zip(got, kept, strict=True):
            np.testing.assert_array_equal(a[~masked], b)
            np.testing.assert_array_equal(a[masked], 0)


@each_ties
@pytest.mark.parametrize("which", range(3), ids=["pred", "time", "event"])
def test_cox_not_a_number(which: int, ties: str) -> None:
    """It is at risk until its time, and for ever where that is unknown."""
    pred, time, event = draw(11)
    arrays = [pred, time.astype(float), event.astype(float)]
    at = int(np.argsort(time)[20])
    arrays[which] = arrays[which].copy()
    arrays[which][at] = NAN
    value, grad, hess = fl.cox.value_grad_and_hess(*arrays, ties=ties, reduction="none")
    plain = fl.cox.value_grad_and_hess(pred, time, event, ties=ties, reduction="none")
    until = INF if which == 1 else time[at]
    spoiled = (time <= until) & (event == 1)
    spoiled[at] |= which == 2
    assert np.isnan(value[spoiled]).all()
    np.testing.assert_array_equal(value[~spoiled], plain[0][~spoiled])
    seen = time >= time[event == 1].min()
    assert np.isnan(grad[seen]).all()
    assert np.isnan(hess[seen]).all()


@each_ties
def test_cox_infinities(ties: str) -> None:
    """A hazard of 0 changes nothing for others; an infinite one is not a number."""
    pred, time, event = draw(12)
    plain = fl.cox.value_grad_and_hess(pred, time, event, ties=ties, reduction="none")
    more = np.append(pred, -INF), np.append(time, 20), np.append(event, 0)
    got = fl.cox.value_grad_and_hess(*more, ties=ties, reduction="none")
    for a, b in zip(got, plain, strict=True):
        np.testing.assert_array_equal(a, np.append(b, 0))
    value, grad, hess = fl.cox.value_grad_and_hess([-INF, 0], [1, 2], [1, 1], reduction="none")
    np.testing.assert_array_equal(value, [INF, 0])
    np.testing.assert_array_equal(grad, [-1, 1])
    np.testing.assert_array_equal(hess, [0, 0])
    for impossible in ([INF, 0], [-INF, -INF]):
        value, grad, hess = fl.cox.value_grad_and_hess(impossible, [1, 2], [1, 1], reduction="none")
        assert np.isnan(value[0])
        assert np.isnan(grad).all()
        assert np.isnan(hess).all()


@each_ties
def test_cox_takes_time_n_log_n(ties: str) -> None:
    """A large sample of few times, and of many; the gradient of a sum of shares adds up to 0."""
    generator = np.random.default_rng(13)
    n = 200_000
    for time in (generator.integers(0, 50, n), generator.exponential(size=n)):
        pred, event = generator.normal(size=n), generator.integers(0, 2, n)
        grad = fl.cox.grad(pred, time, event, ties=ties, reduction="sum")
        assert abs(grad.sum()) < 1e-8


# ---- aft: the definition ------------------------------------------------------------------------

DISTRIBUTIONS = ("normal", "logistic", "extreme")
each_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS)


def mass_above(distribution: str, z: Any) -> Any:
    if distribution == "normal":
        return mpmath.erfc(z / mpmath.sqrt(2)) / 2
    if distribution == "logistic":
        return 1 / (1 + mpmath.exp(z))
    return mpmath.exp(-mpmath.exp(z)) if z < INF else mpmath.mpf(0)


def mass_below(distribution: str, z: Any) -> Any:
    if distribution == "extreme":
        return -mpmath.expm1(-mpmath.exp(z)) if z < INF else mpmath.mpf(1)
    return mass_above(distribution, -z)


def density(distribution: str, z: Any) -> tuple[Any, Any]:
    """Return the density and its derivative."""
    if abs(z) == INF:
        return mpmath.mpf(0), mpmath.mpf(0)
    if distribution == "normal":
        f = mpmath.npdf(z)
        return f, -z * f
    if distribution == "logistic":
        f = 1 / (mpmath.exp(z) + 2 + mpmath.exp(-z))
        return f, -mpmath.tanh(z / 2) * f
    f = mpmath.exp(z - mpmath.exp(z))
    return f, (1 - mpmath.exp(z)) * f


def aft_by_definition(
    distribution: str, pred: float, lower: float, upper: float, scale: float
) -> tuple[Any, Any, Any, Any]:
    """Return value, gradient, second derivative, and the largest part of the value, as they are."""
    x, low, high, s = map(mpmath.mpf, (pred, lower, upper, scale))
    a = (mpmath.log(low) - x) / s if low > 0 else -mpmath.inf
    if low == high:
        f, slope = density(distribution, a)
        step = mpmath.mpf(10) ** -(mpmath.mp.dps**0.75)
        bend = (density(distribution, a + step)[1] - density(distribution, a - step)[1]) / (
            2 * step
        )
        value = -mpmath.log(f / (s * low))
        size = max(abs(value), abs(mpmath.log(low)), abs(mpmath.log(f)))
        return value, slope / f / s, ((slope / f) ** 2 - bend / f) / s**2, size
    b = (mpmath.log(high) - x) / s if high < INF else mpmath.inf
    if abs(a) < abs(b):
        mass = mass_above(distribution, a) - mass_above(distribution, b)
    else:
        mass = mass_below(distribution, b) - mass_below(distribution, a)
    (f, slope), (g, other_slope) = density(distribution, a), density(distribution, b)
    ratio = (g - f) / mass
    value = -mpmath.log(mass)
    return value, ratio / s, (ratio**2 - (other_slope - slope) / mass) / s**2, value


def bounds_of(kind: str, generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    time = np.exp(2 * generator.normal(size=n))
    if kind == "known":
        return time, time
    if kind == "left":
        return np.zeros(n), time
    if kind == "right":
        return time, np.full(n, INF)
    if kind == "next to each other":
        return time, np.nextafter(time, INF)
    factor = 10.0 ** generator.uniform(-10, 4, n)
    return time, time * (1 + factor)


KINDS = ("known", "left", "right", "interval", "next to each other")


@pytest.mark.parametrize("kind", KINDS)
@each_distribution
def test_aft(distribution: str, kind: str) -> None:
    generator = np.random.default_rng([14, *map(ord, kind)])
    n = 60
    lower, upper = bounds_of(kind, generator, n)
    pred = generator.normal(size=n) * generator.choice([0.1, 1, 6, 30], n)
    with mpmath.workdps(500):
        for scale in (1.0, 0.375, 2.5):
            if distribution == "extreme":  # whose density would have more zeros than that
                pred = np.maximum(pred, np.log(np.maximum(lower, 0.01)) - 6 * scale)
            exact = [
                aft_by_definition(distribution, *arguments, scale)
                for arguments in zip(pred, lower, upper, strict=True)
            ]
            value, grad, hess, size = map(np.array, zip(*exact, strict=True))
            got = fl.aft.value_grad_and_hess(
                pred, lower, upper, distribution=distribution, scale=scale, reduction="none"
            )
            with np.errstate(divide="ignore"):
                z = (np.log(lower) - pred) / scale
            hazard = np.exp(z) if distribution == "extreme" else 0
            size = np.maximum(size, np.abs(hazard))
            assert ulps(got[0], value, size) <= 8
            assert ulps(got[1], grad, np.maximum(np.abs(grad), hazard / scale)) <= 8
            assert ulps(got[2], hess) <= 8


@each_distribution
def test_aft_as_xgboost_has_it(distribution: str) -> None:
    """The formulas of its survival:aft, in their words, away from where it clips."""
    generator = np.random.default_rng(15)
    n, sigma = 300, 1.5
    kind = generator.integers(4, size=n)
    lower = np.exp(generator.normal(size=n))
    upper = lower * np.choose(kind, [1, INF, 1, 1 + generator.uniform(0.5, 3, n)])
    lower = np.where(kind == 2, 0, lower)
    pred = generator.normal(size=n)
    with np.errstate(divide="ignore"):
        z_lower, z_upper = (np.log(lower) - pred) / sigma, (np.log(upper) - pred) / sigma

    def cdf(z: np.ndarray) -> np.ndarray:
        if distribution == "normal":
            return np.array([float(mpmath.ncdf(x)) for x in z])
        w = np.exp(z)
        if distribution == "logistic":
            return np.where(np.isinf(w), 1, w / (1 + np.where(np.isinf(w), 0, w)))
        return 1 - np.exp(-w)

    def pdf(z: np.ndarray) -> np.ndarray:
        z = np.where(np.isinf(z), 1000, z)
        if distribution == "normal":
            return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        if distribution == "logistic":
            return 1 / (2 + np.exp(np.minimum(z, 700)) + np.exp(-z)) * (z < 700)
        return np.exp(z - np.exp(np.minimum(z, 700))) * (z < 700)

    known = lower == upper
    mass = cdf(z_upper) - cdf(z_lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(known, -np.log(pdf(z_lower) / (sigma * lower)), -np.log(mass))
        slope = (pdf(z_upper) - pdf(z_lower)) / (sigma * mass)
    value, grad = fl.aft.value_and_grad(
        pred, lower, upper, distribution=distribution, scale=sigma, reduction="none"
    )
    np.testing.assert_allclose(value, cost, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grad[~known], slope[~known], rtol=1e-11, atol=1e-14)


# ---- aft: special cases -----------------------------------------------------------------------


@each_dtype
@each_distribution
def test_aft_bounds_in_either_order(distribution: str, dtype: type) -> None:
    generator = np.random.default_rng(16)
    pred = generator.normal(size=100).astype(dtype)
    lower, upper = np.exp(generator.normal(size=(2, 100))).astype(dtype)
    for bounds in ((lower, upper), (0 * lower, upper), (lower, lower + dtype(INF))):
        one, other = (
            fl.aft.value_grad_and_hess(pred, *x, distribution=distribution, reduction="none")
            for x in (bounds, bounds[::-1])
        )
        assert_same_bits(one, other)


@each_distribution
def test_aft_is_computed_in_double_precision(distribution: str) -> None:
    generator = np.random.default_rng(17)
    pred = (30 * generator.normal(size=1000)).astype(np.float32)
    lower, upper = np.exp(generator.normal(size=(2, 1000))).astype(np.float32)
    keywords = {"distribution": distribution, "scale": 0.375, "reduction": "none"}
    single = fl.aft.value_grad_and_hess(pred, lower, upper, **keywords)
    double = fl.aft.value_grad_and_hess(*(np.float64(x) for x in (pred, lower, upper)), **keywords)
    with np.errstate(over="ignore", under="ignore"):
        assert_same_bits(single, tuple(x.astype(np.float32) for x in double))


@each_distribution
def test_aft_of_next_to_no_interval_is_the_density(distribution: str) -> None:
    pred = np.linspace(-3, 3, 50)
    time = np.full(50, 2.0)
    width = 2.0**-40
    known, interval = (
        fl.aft.value_grad_and_hess(pred, time, x, distribution=distribution, reduction="none")
        for x in (time, time + width)
    )
    np.testing.assert_allclose(interval[0] + np.log(width), known[0], atol=1e-11)
    for a, b in zip(interval[1:], known[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


# Distribution, prediction, bounds, value, gradient and second derivative, for a scale of 2.
AFT_LIMITS: list[tuple[str, float, float, float, float, float, float]] = [
    *((name, x, 0, INF, 0, 0, 0) for name in DISTRIBUTIONS for x in (-INF, 0, INF)),
    *((name, INF, 3, INF, 0, 0, 0) for name in DISTRIBUTIONS),
    *((name, -INF, 0, 3, 0, 0, 0) for name in DISTRIBUTIONS),
    *((name, NAN, *x, NAN, NAN, NAN) for name in DISTRIBUTIONS for x in ((0, 3), (3, 3), (3, INF))),
    *((name, 1, NAN, 3, NAN, NAN, NAN) for name in DISTRIBUTIONS),
    *((name, 1, 3, NAN, NAN, NAN, NAN) for name in DISTRIBUTIONS),
    ("normal", -INF, 3, INF, INF, -INF, 0.25),
    ("normal", INF, 0, 3, INF, INF, 0.25),
    ("normal", INF, 3, 3, INF, INF, 0.25),
    ("normal", -INF, 2, 3, INF, -INF, 0.25),
    ("normal", -1e200, 1, INF, INF, -2.5e199, 0.25),
    ("logistic", -INF, 3, INF, INF, -0.5, 0),
    ("logistic", INF, 0, 3, INF, 0.5, 0),
    ("logistic", INF, 3, 3, INF, 0.5, 0),
    ("logistic", -INF, 2, 3, INF, -0.5, 0),
    ("logistic", 1e308, 0, 1, 5e307, 0.5, 0),
    ("extreme", -INF, 3, INF, INF, -INF, INF),
    ("extreme", INF, 0, 3, INF, 0.5, 0),
    ("extreme", INF, 3, 3, INF, 0.5, 0),
    ("extreme", -INF, 2, 3, INF, -INF, INF),
    ("extreme", 1e308, 0, 1, 5e307, 0.5, 0),
    ("extreme", -2000, 1, 2, INF, -INF, INF),
]


@pytest.mark.parametrize(
    ("distribution", "pred", "lower", "upper", "value", "grad", "hess"), AFT_LIMITS
)
def test_aft_limits(  # noqa: PLR0917
    distribution: str,
    pred: float,
    lower: float,
    upper: float,
    value: float,
    grad: float,
    hess: float,
) -> None:
    arrays = [np.full(20, x, np.float64) for x in (pred, lower, upper)]
    got = fl.aft.value_grad_and_hess(
        *arrays, distribution=distribution, scale=2.0, reduction="none"
    )
    for a, b in zip(got, (value, grad, hess), strict=True):
        np.testing.assert_allclose(a, np.full(20, b), rtol=1e-15)
