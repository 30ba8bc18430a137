# SPDX-License-Identifier: BSD-3-Clause
"""The error of the kernels' elementary functions, in units in the last place.

The truth is a pair of doubles, high + low: from Arb's rigorous balls or, where there are too many
points for these, from quadruple precision and, for single precision, from NumPy and SciPy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special as sp
from flint import arb, ctx
from numpy_quaddtype import QuadPrecDType

import fastloss as fl
from fastloss import _core
from fastloss.special import log1pmx
from kernel_sources import digest, headers

ROOT = "elementary_kernels.cpp"

Array = np.ndarray[Any, Any]
Points = tuple[Array, ...]  # one array for each argument
Ranges = tuple[tuple[float, float], ...]
Truth = tuple[Array, Array]  # high + low / LIFT: parts of a subnormal high, too
LIFT = 2.0**50

ctx.prec = 160


# ---- the functions ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Elementary:
    """The truth about a function, where it is defined, and where it needs a closer look."""

    exact: Callable[..., arb]
    single: Callable[..., Array]  # in double precision, for arguments of single precision
    quad: Callable[..., Array] | None = None
    low: float = -np.inf
    high: float = np.inf
    pole: bool = False  # at low
    dense: Ranges = ()  # where results are neither trivial nor out of range
    near: tuple[float, ...] = (0,)  # where digits cancel, and where formulas meet
    arguments: int = 1


def exp(x: arb) -> arb:
    return min(x, arb(2000)).exp()


def sigmoid(x: arb) -> arb:
    return exp(x) / (1 + exp(x)) if x < 0 else 1 / (1 + exp(-x))


def softplus_of_arrays(x: Array) -> Array:
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, np.zeros_like(x))


def softplus(x: arb) -> arb:
    return exp(x).log1p() if x < 0 else x + exp(-x).log1p()


def single_lgamma(x: Array) -> Array:
    result = sp.gammaln(x)
    near_zeros = (x > 0.5) & (x < 3)  # where many of its digits are wrong
    result[near_zeros] = sp.loggamma(x[near_zeros].astype(np.complex128)).real + 0.0  # never -0
    return result


def lgamma1p_series(x: Any, euler: Any, zeta: list[Any]) -> Any:
    """Return log Γ(1 + x) near 0, from ζ(2), ζ(3), ..."""
    terms = [z * (-x) ** k / k for k, z in enumerate(zeta, 2)]
    return sum(terms, start=-euler * x)


def lgamma1p(x: arb) -> arb:
    if x > 2.0**-20:
        return (1 + x).lgamma()
    return lgamma1p_series(x, arb.const_euler(), [arb(k).zeta() for k in range(2, 10)])


def single_lgamma1p(x: Array) -> Array:
    series = lgamma1p_series(x, np.euler_gamma, [sp.zeta(k) for k in range(2, 12)])
    return np.where(x < 0.01, series, single_lgamma(1 + x))


def atan_ratio(x: Array) -> Array:
    zero = x == 0
    return np.where(zero, 1, np.arctan(x) / np.where(zero, 1, x))


def log1pmx_ball(x: arb) -> arb:
    if abs(x) > 2.0**-20:
        return x.log1p() - x
    return sum(((-x) ** k / -k for k in range(2, 12)), start=arb(0))


FUNCTIONS = {
    "atan_ratio": Elementary(
        lambda x: x.atan() / x if x != 0 else arb(1),
        atan_ratio,
        atan_ratio,
        low=0,
        high=1,
        dense=((0, 1),),
        near=(0, 1),
    ),
    "digamma": Elementary(
        arb.digamma,
        sp.digamma,
        low=0,
        pole=True,
        dense=((0, 3), (0, 30)),
        near=(0, 1, 1.4616321449683623, 2.5),
    ),
    "erf": Elementary(arb.erf, sp.erf, dense=((-6, 6), (-1.2, 1.2)), near=(0, -1, 1)),
    "erfc": Elementary(arb.erfc, sp.erfc, dense=((-6, 28), (-1, 11)), near=(0, 4, 10.05, 27.2)),
    "exp": Elementary(exp, np.exp, np.exp, dense=((-746, 710), (-104, 89), (-1, 1))),
    "expm1": Elementary(
        lambda x: min(x, arb(2000)).expm1(), np.expm1, np.expm1, dense=((-40, 710), (-2, 2))
    ),
    "lgamma": Elementary(
        arb.lgamma,
        single_lgamma,
        low=0,
        pole=True,
        dense=((0, 3), (0, 30)),
        near=(0, 1, 2, 2.5),
    ),
    "lgamma1p": Elementary(
        lgamma1p, single_lgamma1p, low=0, dense=((0, 2), (0, 30)), near=(0, 1, 1.5)
    ),
    "log": Elementary(
        arb.log, np.log, np.log, low=0, pole=True, dense=((0, 4), (0.6, 1.6)), near=(0.75, 1, 1.5)
    ),
    "log1p": Elementary(
        arb.log1p,
        np.log1p,
        np.log1p,
        low=-1,
        pole=True,
        dense=((-1, 3), (-0.4, 0.6)),
        near=(-1, 0, 0.5),
    ),
    "log1pmx": Elementary(
        log1pmx_ball,
        log1pmx,
        log1pmx,
        low=-1,
        pole=True,
        dense=((-1, 3), (-0.4, 0.6)),
        near=(-1, 0, 0.5),
    ),
    "log1p_unit": Elementary(
        arb.log1p, np.log1p, np.log1p, low=0, high=1, dense=((0, 1),), near=(0, 1)
    ),
    "pow": Elementary(
        lambda x, y: exp(x.log() * y),
        np.power,
        np.power,
        low=0,
        pole=True,
        near=(0.75, 1, 1.5),
        arguments=2,
    ),
    "sigmoid": Elementary(
        sigmoid,
        sp.expit,
        lambda x: 1 / (1 + np.exp(-x)),
        dense=((-746, 40), (-104, 20), (-3, 3)),
    ),
    "softplus": Elementary(
        softplus,
        softplus_of_arrays,
        softplus_of_arrays,
        dense=((-746, 45), (-104, 25), (-3, 3)),
        near=(0, 20, 40),
    ),
    "tanh": Elementary(arb.tanh, np.tanh, np.tanh, dense=((-20, 20), (-1, 1))),
}


def result(name: str, points: Points) -> Array:
    """Apply the kernel of the level in use."""
    out = np.empty_like(points[0])
    _core.elementary(name, *points, out=out)
    return out


# ---- points ----------------------------------------------------------------------------------


def in_domain(name: str, x: Array) -> Array:
    """Keep the finite arguments for which the function is defined and finite."""
    f = FUNCTIONS[name]
    return x[np.isfinite(x) & (x <= f.high) & ((x > f.low) if f.pole else (x >= f.low))]


def from_bits(bits: Array, dtype: Any) -> Array:
    return bits.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)


def uniform_bits(dtype: Any, count: int, rng: np.random.Generator) -> Array:
    """Return numbers of all sizes: their bits are uniform."""
    size = np.dtype(dtype).itemsize
    return np.frombuffer(rng.bytes(count * size), dtype)


def each_exponent(dtype: Any, rng: np.random.Generator) -> Array:
    """Return a random number of each sign and exponent."""
    info = np.finfo(dtype)
    upper = np.arange(2 << info.iexp, dtype=np.uint64) << np.uint64(info.nmant)
    return from_bits(upper | rng.integers(1 << info.nmant, size=upper.size, dtype=np.uint64), dtype)


def close_look(name: str, dtype: Any, count: int, rng: np.random.Generator) -> Array:
    """Return points in the dense ranges and at all distances from the special ones."""
    f = FUNCTIONS[name]
    pieces = [rng.uniform(low, high, count).astype(dtype) for low, high in f.dense]
    for center in f.near:
        distance = np.exp2(-rng.uniform(0, 60, count)) * rng.choice([-1, 1], count)
        pieces.append((center + distance).astype(dtype))
    return np.concatenate(pieces)


def with_exponents(x: Array, rng: np.random.Generator) -> Points:
    """Pair bases with exponents: of all sizes, and for results of all sizes."""
    with np.errstate(all="ignore"):
        for_result = rng.uniform(-746, 710, x.size) / np.log(x.astype(np.float64))
        for_single = for_result / 7
        y = np.choose(
            rng.integers(3, size=x.size),
            [
                uniform_bits(x.dtype, x.size, rng),
                for_result.astype(x.dtype),
                for_single.astype(x.dtype),
            ],
        )
    return x, np.where(np.isfinite(y), y, x.dtype.type(1))


def as_points(name: str, x: Array, rng: np.random.Generator) -> Points:
    """Return the arguments, with exponents where the function takes them."""
    x = in_domain(name, x)
    return (x,) if FUNCTIONS[name].arguments == 1 else with_exponents(x, rng)


# ---- truth -----------------------------------------------------------------------------------


def exact_truth(name: str, points: Points) -> Truth:
    """Return the truth from balls that are proven to hold it."""
    arguments = zip(*(map(arb, x.tolist()) for x in points), strict=True)
    balls = [FUNCTIONS[name].exact(*xs) for xs in arguments]
    high = [float(ball) for ball in balls]
    pairs = zip(balls, high, strict=True)
    low = [float((ball - x) * LIFT) if abs(x) < np.inf else 0.0 for ball, x in pairs]
    return np.array(high), np.array(low)


def fast_truth(name: str, points: Points) -> Truth:
    """Return the truth with at least 29 bits to spare."""
    f = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        if points[0].dtype == np.float32:
            high = f.single(*(x.astype(np.float64) for x in points))
            return high, np.zeros_like(high)
        if f.quad is None:
            return exact_truth(name, points)
        quad = f.quad(*(x.astype(QuadPrecDType()) for x in points))
        high = quad.astype(np.float64)
        low = ((quad - high.astype(QuadPrecDType())) * LIFT).astype(np.float64)
        return high, np.where(np.isfinite(high), low, 0)


def ulp_errors(got: Array, truth: Truth) -> Array:
    """Return |got − truth| / (spacing of the numbers at the truth); ∞ for a wrong NaN."""
    high, low = truth
    with np.errstate(all="ignore"):
        nearest = high.astype(got.dtype)
        # Infinity counts as the number after the largest. Nothing else may be out of range, nor
        # may parts of the smallest number be lost.
        scale = np.where(np.abs(nearest) < 1, 2.0**60, 0.5)
        beyond = 2.0 ** (np.finfo(got.dtype).maxexp - 1)
        got_, nearest_ = (np.clip(x * scale, -beyond, beyond) for x in (got, nearest))
        rest = (high * scale - nearest_) + low * (scale / LIFT)
        rest[np.isinf(nearest)] = 0
        below = np.where(rest * np.sign(nearest) < 0, np.nextafter(nearest, 0), nearest)
        spacing = np.spacing(np.minimum(np.abs(below), np.finfo(got.dtype).max))
        error = np.abs((got_ - nearest_) - rest) / (spacing * scale)
    wrong = np.isnan(got) != np.isnan(high)
    return np.where(np.isnan(high) & ~wrong, 0, np.where(wrong, np.inf, error))


# ---- the worst of many points ------------------------------------------------------------------


@dataclass
class Worst:
    """The largest error at one level, and where; the truth there is exact."""

    level: str
    ulp: float = 0.0
    at: tuple[str, ...] = ()

    def update(self, name: str, points: Points, truth: Truth, suspect: Suspect) -> None:
        """Look for larger errors, given the truth for all of the points."""
        fl.set_isa(self.level)
        got = result(name, points)
        suspects = np.flatnonzero(suspect(got, self.ulp))
        if suspects.size == 0:
            return
        some = ulp_errors(got[suspects], tuple(part[suspects] for part in truth))
        order = np.argsort(-some)
        for i in suspects[order[some[order] > self.ulp][:16]]:
            point = tuple(x[i : i + 1] for x in points)
            error = float(ulp_errors(got[i : i + 1], exact_truth(name, point))[0])
            if error > self.ulp:
                self.ulp, self.at = error, tuple(float(x[0]).hex() for x in point)


class Suspect:
    """Excludes, in little time, the points whose error is not larger than a number of ULP."""

    def __init__(self, dtype: Any, truth: Truth) -> None:
        info = np.finfo(dtype)
        # Infinity counts as the number after the largest.
        self.beyond = 2.0**info.maxexp if info.bits < 64 else np.inf
        self.high = np.clip(truth[0], -self.beyond, self.beyond)
        self.low = truth[1] / LIFT
        exponent_bits = np.maximum(np.abs(truth[0]).view(np.int64) - 1, 0) & (0x7FF << 52)
        self.spacing = np.maximum(
            exponent_bits.view(np.float64) * float(info.eps), float(info.smallest_subnormal)
        )

    def __call__(self, got: Array, ulp: float) -> Array:
        got = np.clip(got.astype(np.float64), -self.beyond, self.beyond)
        with np.errstate(invalid="ignore"):
            error = np.abs((got - self.high) - self.low)
        return ~((error <= ulp * self.spacing) | (got == self.high))


# ---- what is promised, and of which sources ----------------------------------------------------


def promised(name: str, dtype: Any, level: str) -> float:
    """Return the bound in the comment above a function."""
    pattern = rf"ULP: ([\d.]+), ([\d.]+); ([\d.]+)\.\ntemplate <class T>\nINLINE T {name}\("
    bounds = [
        match.groups() for text in headers(ROOT).values() for match in re.finditer(pattern, text)
    ]
    assert len(bounds) == 1, name
    return float(bounds[0][2 if level == "baseline" else np.dtype(dtype).itemsize // 8])


def sources(name: str) -> str:
    """Hash what a function is made of."""
    return digest(ROOT, name)
