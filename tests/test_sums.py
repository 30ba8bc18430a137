# SPDX-License-Identifier: BSD-3-Clause
"""Sums of terms of one sign are within 4 ULP of the exact one, however many and however different.

The term of `mae` with target 0 is the absolute value of `pred`, so any terms can be had.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import fastloss as fl
from cases import DTYPES, make_call, make_weight, settings
from fastloss.accuracy.settings import Setting, all_settings

BOUND = 4
U = 2.0**-53  # half a ULP of 1
BLOCK = 4096  # terms that a kernel adds up at once
LENGTHS = (1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 1000, 1025)
AROUND_BLOCKS = (BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 17, 3 * BLOCK + 33, 31 * BLOCK)

Terms = Callable[[int], np.ndarray]


def sum_of(terms: np.ndarray, **keywords: Any) -> float:
    return fl.mae(terms, np.zeros((), terms.dtype), reduction="sum", **keywords)


def ulps(got: float, exact: float) -> float:
    """Return the distance from a sum that was rounded once, in ULP of it."""
    return abs(got - exact) / np.spacing(abs(exact)) if got != exact else 0.0


def spread(n: int) -> np.ndarray:
    return np.random.default_rng(n).lognormal(sigma=12, size=n)


def single(one_at: float, others: float) -> Terms:
    """Return what makes a single 1 at a fraction of the length."""
    return lambda n: np.where(np.arange(n) == int(one_at * (n - 1)), 1, others)


def periodic(ones: int, period: int, others: float) -> Terms:
    """Return what makes some ones at the beginning of each period."""
    return lambda n: np.where(np.arange(n) % period < ones, 1, others)


def worst(n: int) -> np.ndarray:
    """Make all roundings in a lane of float32 terms lose what they can: three halves of a ULP."""
    lost = 0.99 * U
    before = [lost, 0, 0, 0]  # a sum so far that is smaller than what comes
    term = [1 + 2.0**-23, lost, lost / 2, lost / 2]
    block = np.zeros((BLOCK // 8, 8))
    block[:8] = np.reshape(before + term, (8, 1))
    return np.resize(block, n)


# Terms that are lost when they are added to 1, or count twice.
TINY = {"tie": U, "above": 1.5 * U, "below": 0.99 * U, "half": 0.5 * U}

SEQUENCES: dict[str, Terms] = {
    "0.1": lambda n: np.full(n, 0.1),
    "1/3": lambda n: np.full(n, 1 / 3),
    "ramp": lambda n: np.arange(n) + 1.0,
    "falling": lambda n: np.arange(n)[::-1] + 1.0,
    "squares": lambda n: np.arange(n) ** 2.0,
    "normal": lambda n: np.random.default_rng(n).normal(size=n),
    "spread": spread,
    "spread-rising": lambda n: np.sort(spread(n)),
    "spread-falling": lambda n: np.sort(spread(n))[::-1],
    "worst": worst,
    **{
        f"one-{where}-others-{name}": single(at, tiny)
        for name, tiny in TINY.items()
        for where, at in {"first": 0.0, "amid": 0.5, "last": 1.0}.items()
    },
    # 8 and 16 are lanes, 16 and 32 what is added up before it meets the sum so far.
    **{
        f"{ones}-of-{period}-others-{name}": periodic(ones, period, tiny)
        for name, tiny in TINY.items()
        for ones, period in ((1, 2), (8, 16), (8, 32), (16, 64), (8, BLOCK), (16, BLOCK))
    },
}


def made(name: str, n: int, dtype: Any) -> np.ndarray:
    return SEQUENCES[name](n).astype(dtype)


sequences = pytest.mark.parametrize("name", SEQUENCES)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


@sequences
@dtypes
def test_of_any_length(name: str, dtype: Any) -> None:
    for n in (*LENGTHS, *AROUND_BLOCKS):
        terms = made(name, n, dtype)
        assert ulps(sum_of(terms), math.fsum(abs(terms))) <= BOUND, n


def test_the_worst_sequence_comes_near_the_bound() -> None:
    terms = made("worst", 31 * BLOCK, np.float32)
    assert ulps(sum_of(terms), math.fsum(terms)) >= BOUND - 1


@sequences
@dtypes
@pytest.mark.parametrize("blocks", [4097, 2 * 4096 + 1])
def test_of_more_blocks_than_partial_sums_are_kept(name: str, dtype: Any, blocks: int) -> None:
    terms = abs(made(name, BLOCK, dtype))
    exact = float(sum(map(Fraction, terms.tolist())) * blocks)
    assert ulps(sum_of(np.broadcast_to(terms, (blocks, BLOCK))), exact) <= BOUND


@pytest.mark.exhaustive
@sequences
@dtypes
def test_of_two_to_the_31(name: str, dtype: Any) -> None:
    terms = made(name, 2**20, dtype)
    exact = math.fsum(abs(terms)) * 2**11
    assert ulps(sum_of(np.broadcast_to(terms, (2**11, 2**20))), exact) <= BOUND


@dtypes
def test_of_more_than_an_int_can_count(dtype: Any) -> None:
    n, term = 2**31 + 7, dtype(0.1)
    exact = float(n * Fraction(float(term)))
    assert ulps(sum_of(np.broadcast_to(term, (n,))), exact) <= BOUND


@st.composite
def runs(draw: Any) -> np.ndarray:
    """Draw runs of equal terms, so that one size of terms meets another in many ways."""
    dtype = draw(st.sampled_from(DTYPES))
    width = 8 * np.dtype(dtype).itemsize
    largest = 2.0**100 if width == 32 else 2.0**1000
    sizes = st.one_of(
        st.floats(0, largest, width=width),
        st.builds(
            lambda tiny, k: tiny * 2.0**k, st.sampled_from([1, 1.5, 0.75, U]), st.integers(-60, 60)
        ),
    )
    lengths = st.one_of(st.integers(1, 40), st.sampled_from([64, 128, BLOCK, 3 * BLOCK]))
    drawn = draw(st.lists(st.tuples(sizes, lengths), min_size=1, max_size=12))
    return np.concatenate([np.full(length, size, dtype) for size, length in drawn])


@hypothesis.given(runs(), st.integers(1, 5))
@hypothesis.settings(max_examples=300, deadline=None, derandomize=True)
def test_of_runs(terms: np.ndarray, repeats: int) -> None:
    terms = np.tile(terms, repeats)
    assert ulps(sum_of(terms), math.fsum(terms)) <= BOUND


@settings(all_settings())
@dtypes
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_of_any_loss(setting: Setting, dtype: Any, weighted: bool) -> None:
    """Where signs differ, the bound is in ULP of the sum of absolute values."""
    has_rows = setting.loss.family in ("rowwise", "groupwise", "overlap")
    shape = (1000, 7) if has_rows else (2 * BLOCK + 123,)
    call = make_call(setting, shape, dtype)
    if weighted:
        call = call.given(weight=make_weight(call))
    terms = call(reduction="none").ravel()
    size = math.fsum(abs(terms))
    assert abs(call(reduction="sum") - math.fsum(terms)) <= BOUND * np.spacing(size)


@sequences
@dtypes
def test_of_weights(name: str, dtype: Any) -> None:
    for n in AROUND_BLOCKS:
        weight = abs(made(name, n, dtype))
        zeros = np.zeros(n, dtype)
        assert ulps(fl.mae.weight_sum(zeros, zeros, weight=weight), math.fsum(weight)) <= BOUND
        assert ulps(sum_of(np.ones(n, dtype), weight=weight), math.fsum(weight)) <= BOUND


@dtypes
def test_of_rows(dtype: Any) -> None:
    """One row in a hundred is hopeless, the others are all but perfect."""
    n = 2 * BLOCK + 5
    gaps = np.where(np.arange(n) % 100 == 7, -30.0, np.linspace(30, 60, n))
    logits = np.stack([gaps, np.zeros(n)], axis=1).astype(dtype)
    labels = np.zeros(n, int)
    terms = fl.cross_entropy(logits, labels, reduction="none")
    assert terms.max() / terms.min() > 2**50
    got = fl.cross_entropy(logits, labels, reduction="sum")
    assert ulps(got, math.fsum(terms)) <= 1


@pytest.mark.parametrize("name", ["0.1", "ramp", "spread", "worst"])
@dtypes
def test_of_means(name: str, dtype: Any) -> None:
    """A quotient may be nearer to a power of two than the sum, and its ULP half as large."""
    terms = abs(made(name, 31 * BLOCK - 1, dtype))
    exact = float(sum(map(Fraction, terms.tolist())) / terms.size)
    assert ulps(fl.mae(terms, np.zeros((), dtype)), exact) <= 2 * BOUND


@dtypes
def test_of_the_smallest_numbers_is_exact(dtype: Any) -> None:
    steps = np.arange(1.0, 3 * BLOCK)
    tiny = np.finfo(dtype).smallest_subnormal
    assert sum_of(steps.astype(dtype) * tiny) == steps.sum() * float(tiny)


def test_of_the_largest_numbers() -> None:
    largest = np.finfo(np.float64).max
    assert sum_of(np.full(2**14, largest / 2**14)) == largest
    assert sum_of(np.full(2**14 + 1, largest / 2**14)) == math.inf
    n, single_largest = 3 * BLOCK, np.finfo(np.float32).max
    assert sum_of(np.full(n, single_largest)) == n * float(single_largest)


def test_what_rounding_loses_may_overflow() -> None:
    """The difference of a sum and its last term, of other sign, is more than the largest number."""
    largest = np.finfo(np.float64).max
    terms = np.zeros(BLOCK)
    terms[:16:8] = 1.5 * 2.0**971, largest  # 1.5 ULP of it
    weight = np.where(np.arange(BLOCK) == 0, -1.0, 1.0)
    assert sum_of(terms, weight=weight) == math.fsum(weight * terms)


@dtypes
@pytest.mark.parametrize("n", [1, 5, 64, BLOCK, 2 * BLOCK + 3])
def test_infinite_terms_and_nan(dtype: Any, n: int) -> None:
    for at in {0, n // 2, n - 1}:
        terms = np.ones(n, dtype)
        terms[at] = math.inf
        assert sum_of(terms) == math.inf
        assert sum_of(terms, weight=-np.ones(n)) == -math.inf
        assert fl.mae.weight_sum(terms, terms, weight=terms) == math.inf
        if n > 1:
            weight = np.ones(n)
            terms[at - 1] = math.inf
            weight[at - 1] = -1
            assert math.isnan(sum_of(terms, weight=weight))
        terms[at] = math.nan
        assert math.isnan(sum_of(terms))
