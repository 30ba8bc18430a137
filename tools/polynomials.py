# SPDX-License-Identifier: BSD-3-Clause
"""Derive the polynomials of the kernels' headers; with --check, compare them with these.

Each is the minimax polynomial of its interval, by Remez exchange. Its coefficients are rounded to
the type one by one from the lowest up, with the rest fitted again after each rounding: the later
ones make up for what the earlier ones lose.
"""

from __future__ import annotations

import argparse
import struct
import sys
import textwrap
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mpmath
from mpmath import mp, mpf

CPP = Path(__file__).resolve().parent.parent / "cpp"

MARK = "// tools/polynomials.py:"

mp.dps = 140  # divided differences of close points lose most of them


# The interval, the function and the weight of a polynomial.
Function = tuple[mpf, mpf, Callable[[mpf], mpf], Callable[[mpf], mpf]]


@dataclass(frozen=True)
class Polynomial:
    """P(x) ~ function(x) for low <= x <= high, to be used in weight(x) * P(x) + known terms."""

    name: str
    element: str
    degree: int
    low: mpf
    high: mpf
    function: Callable[[mpf], mpf]
    weight: Callable[[mpf], mpf]  # relative to the whole function, which the error shall be too
    constant_last: bool = False  # how it is evaluated


def exp_rest(x: mpf) -> mpf:
    """(e^x - 1 - x) / x^2."""
    return (mp.expm1(x) - x) / x**2


def exp_sum_rest(x: mpf) -> mpf:
    """(e^x - 1 - x - x^2 / 2 - x^3 / 6) / x^4."""
    return ((exp_rest(x) - mpf(1) / 2) / x - mpf(1) / 6) / x


def log_rest(square: mpf) -> mpf:
    """(log((1 + s) / (1 - s)) - 2 s) / s^3 for s = sqrt(square)."""
    s = mp.sqrt(square)
    return 2 * (mp.atanh(s) - s) / s**3


def log_weight(square: mpf) -> mpf:
    """s^3 / log((1 + s) / (1 - s))."""
    s = mp.sqrt(square)
    return s**3 / (2 * mp.atanh(s))


def log_sum_rest(square: mpf) -> mpf:
    """(log((1 + s) / (1 - s)) - 2 s - 2 s^3 / 3) / s^5 for s = sqrt(square)."""
    return (log_rest(square) - mpf(2) / 3) / square


def log_sum_weight(square: mpf) -> mpf:
    """s^5 / log((1 + s) / (1 - s))."""
    return square * log_weight(square)


def atan_rest(square: mpf) -> mpf:
    """(atan(x) / x - 1) / x^2 for x = sqrt(square)."""
    x = mp.sqrt(square)
    return (mp.atan(x) / x - 1) / square


def atan_weight(square: mpf) -> mpf:
    """x^3 / atan(x)."""
    x = mp.sqrt(square)
    return x**3 / mp.atan(x)


def log_cosh_rest(square: mpf) -> mpf:
    """(log(cosh(x)) / x^2 - 1 / 2) / x^2 for x = sqrt(square)."""
    return (mp.log(mp.cosh(mp.sqrt(square))) / square - mpf("0.5")) / square


def log_cosh_weight(square: mpf) -> mpf:
    """x^4 / log(cosh(x))."""
    return square**2 / mp.log(mp.cosh(mp.sqrt(square)))


def erf_rest(square: mpf) -> mpf:
    """(erf(x) / x - 2 / sqrt(pi)) / x^2 for x = sqrt(square)."""
    x = mp.sqrt(square)
    return (mp.erf(x) / x - 2 / mp.sqrt(mp.pi)) / square


def erf_weight(square: mpf) -> mpf:
    """x^3 / erf(x)."""
    x = mp.sqrt(square)
    return x**3 / mp.erf(x)


def scaled_erfc(t: mpf) -> mpf:
    """(x + 4) exp(x^2) erfc(x) for t = (x - 4) / (x + 4)."""
    x = 4 * (1 + t) / (1 - t)
    return (x + 4) * mp.exp(x**2) * mp.erfc(x)


def erfc_rest(t: mpf) -> mpf:
    """(scaled_erfc(t) - scaled_erfc(0)) / t."""
    return (scaled_erfc(t) - scaled_erfc(mpf(0))) / t


def lgamma_ratio(t: mpf) -> mpf:
    """log(Gamma(y)) / ((y - 1) (y - 2)) for y = t + 1.75."""
    y = t + mpf("1.75")
    return mp.loggamma(y) / ((y - 1) * (y - 2))


def lgamma_stirling_rest(square: mpf) -> mpf:
    """(log(Gamma(u + 1 / 2)) - u (log(u) - 1) - log(2 pi) / 2) u for u = 1 / sqrt(square)."""
    u = 1 / mp.sqrt(square)
    return (mp.loggamma(u + mpf("0.5")) - u * (mp.log(u) - 1) - mp.log(2 * mp.pi) / 2) * u


def lgamma_stirling_weight(square: mpf) -> mpf:
    """1 / (u log(Gamma(u + 1 / 2)))."""
    u = 1 / mp.sqrt(square)
    return 1 / (u * mp.loggamma(u + mpf("0.5")))


DIGAMMA_ZERO = mp.findroot(mp.digamma, mpf("1.4616321449683623"))


def gamma_ratio_rest(square: mpf) -> mpf:
    """(log(Gamma(x)) - log(Gamma(x + 1 / 2)) + log(x) / 2) x for x = 1 / sqrt(square)."""
    x = 1 / mp.sqrt(square)
    return (mp.loggamma(x) - mp.loggamma(x + mpf("0.5")) + mp.log(x) / 2) * x


def gamma_ratio_weight(square: mpf) -> mpf:
    """1 / (x (log(2 pi x) / 2 + log(Gamma(x)) - log(Gamma(x + 1 / 2))))."""
    x = 1 / mp.sqrt(square)
    return 1 / (x * mp.log(2 * mp.pi) / 2 + gamma_ratio_rest(square))


def digamma_ratio(t: mpf) -> mpf:
    """digamma(y) / (y - zero) for y = t + 1.75."""
    y = t + mpf("1.75")
    return mp.digamma(y) / (y - DIGAMMA_ZERO)


def digamma_stirling_rest(square: mpf) -> mpf:
    """(digamma(u + 1 / 2) - log(u)) u^2 for u = 1 / sqrt(square)."""
    u = 1 / mp.sqrt(square)
    return (mp.digamma(u + mpf("0.5")) - mp.log(u)) / square


def digamma_stirling_weight(square: mpf) -> mpf:
    """1 / (u^2 digamma(u + 1 / 2))."""
    return square / mp.digamma(1 / mp.sqrt(square) + mpf("0.5"))


def jensen_shannon_rest(square: mpf) -> mpf:
    """(x tanh(x) - log(cosh(x))) / x^2 for x = sqrt(square)."""
    x = mp.sqrt(square)
    return (x * mp.tanh(x) - mp.log(mp.cosh(x))) / square


def mills(y: mpf) -> mpf:
    """P(Y > y) / density(y) for a normal Y."""
    return mp.sqrt(mp.pi / 2) * mp.exp(y**2 / 2) * mp.erfc(y / mp.sqrt(2))


def mills_rest(t: mpf) -> mpf:
    """(y + 4)^2 (1 - y mills(y)) for t = (y - 4) / (y + 4)."""
    y = 4 * (1 + t) / (1 - t) if t < 1 else mp.inf
    return (y + 4) ** 2 * (1 - y * mills(y)) if y < mp.inf else mpf(1)


def mills_slope(t: mpf) -> mpf:
    """(mills_rest(t) - mills_rest(0)) / t."""
    return (mills_rest(t) - mills_rest(mpf(0))) / t


def coth_rest(square: mpf) -> mpf:
    """(y coth(y) - 1) / y^2 for y = sqrt(square)."""
    y = mp.sqrt(square)
    return (y * mp.coth(y) - 1) / square if y else mpf(1) / 3


def largest_square(ratio: str) -> mpf:
    """Return s^2, and a little more, for (1 + s) / (1 - s) = ratio."""
    return ((mpf(ratio) - 1) / (mpf(ratio) + 1)) ** 2 * mpf("1.0001")


# A little more than half of log 2: which multiple is taken out is decided by a rounded product.
HALF_LOG_2 = mp.log(2) / 2 * mpf("1.0001")

EXP = (-HALF_LOG_2, HALF_LOG_2, exp_rest, lambda x: x**2 / mp.exp(x))
EXPM1 = (-HALF_LOG_2, HALF_LOG_2, exp_rest, lambda x: x**2 / mp.expm1(x))
EXP_SUM = (-HALF_LOG_2, HALF_LOG_2, exp_sum_rest, lambda x: x**4 / mp.exp(x))
LOG = (mpf(0), largest_square("1.5"), log_rest, log_weight)
LOG1P_UNIT = (mpf(0), largest_square("2"), log_rest, log_weight)
LOG_SUM = (mpf(0), largest_square("1.5"), log_sum_rest, log_sum_weight)
ATAN = (mpf(0), mpf(1), atan_rest, atan_weight)
LOG_COSH = (mpf(0), mpf(1), log_cosh_rest, log_cosh_weight)
ERF = (mpf(0), mpf(1), erf_rest, erf_weight)


def log_erfc(last: int) -> Function:
    """For 1 - exp(x P(x)) up to where that becomes 1."""
    return (
        mpf(1),
        mpf(last),
        lambda x: mp.log(mp.erfc(x)) / x,
        lambda x: x * mp.erfc(x) / mp.erf(x),
    )


def erfc(last: str) -> Function:
    """For (P(0) + t P(t)) exp(-x^2) / (x + 4) up to where it becomes 0."""
    x = mpf(last)
    return mpf(-1), (x - 4) / (x + 4), erfc_rest, lambda t: t / scaled_erfc(t)


NEAR_ZEROS = (mpf("-0.75"), mpf("0.75"))
LGAMMA_ZEROS = (
    *NEAR_ZEROS,
    lambda t: lgamma_ratio(t) - mpf("0.5"),
    lambda t: 1 / lgamma_ratio(t),
)
DIGAMMA_ZEROS = (*NEAR_ZEROS, lambda t: digamma_ratio(t) - 1, lambda t: 1 / digamma_ratio(t))
JENSEN_SHANNON = (mpf(0), mpf(1), jensen_shannon_rest, lambda w: 1 / jensen_shannon_rest(w))
STIRLING = (mpf(0), mpf("0.2501"))
LGAMMA_STIRLING = (*STIRLING, lgamma_stirling_rest, lgamma_stirling_weight)
GAMMA_RATIO = (*STIRLING, gamma_ratio_rest, gamma_ratio_weight)
DIGAMMA_STIRLING = (*STIRLING, digamma_stirling_rest, digamma_stirling_weight)

MATH = (
    Polynomial("exp_polynomial", "float", 4, *EXP),
    Polynomial("exp_polynomial", "double", 9, *EXP),
    Polynomial("expm1_polynomial", "float", 5, *EXPM1),
    Polynomial("expm1_polynomial", "double", 10, *EXPM1),
    Polynomial("log_polynomial", "float", 2, *LOG),
    Polynomial("log_polynomial", "double", 7, *LOG),
    Polynomial("log1p_unit_polynomial", "float", 3, *LOG1P_UNIT),
    Polynomial("log1p_unit_polynomial", "double", 9, *LOG1P_UNIT),
    Polynomial("log_sum_polynomial", "float", 3, *LOG_SUM),
    Polynomial("log_sum_polynomial", "double", 7, *LOG_SUM),
    Polynomial("atan_polynomial", "float", 8, *ATAN),
    Polynomial("atan_polynomial", "double", 19, *ATAN),
    Polynomial("pow_log_polynomial", "double", 4, *LOG),
    Polynomial("pow_exp_polynomial", "double", 5, *EXP),
)
ERROR_FUNCTION = (
    Polynomial("erf_polynomial", "float", 5, *ERF, constant_last=True),
    Polynomial("erf_polynomial", "double", 11, *ERF, constant_last=True),
    Polynomial("log_erfc_polynomial", "float", 5, *log_erfc(4)),
    Polynomial("log_erfc_polynomial", "double", 17, *log_erfc(6)),
    Polynomial("erfc_polynomial", "float", 9, *erfc("10.1"), constant_last=True),
    Polynomial("erfc_polynomial", "double", 22, *erfc("27.3"), constant_last=True),
)
GAMMA = (
    Polynomial("lgamma_zeros_polynomial", "float", 11, *LGAMMA_ZEROS),
    Polynomial("lgamma_zeros_polynomial", "double", 24, *LGAMMA_ZEROS),
    Polynomial("lgamma_stirling_polynomial", "float", 3, *LGAMMA_STIRLING),
    Polynomial("lgamma_stirling_polynomial", "double", 13, *LGAMMA_STIRLING),
    Polynomial("digamma_zero_polynomial", "float", 12, *DIGAMMA_ZEROS),
    Polynomial("digamma_zero_polynomial", "double", 25, *DIGAMMA_ZEROS),
    Polynomial("digamma_stirling_polynomial", "float", 4, *DIGAMMA_STIRLING),
    Polynomial("digamma_stirling_polynomial", "double", 14, *DIGAMMA_STIRLING),
    Polynomial("gamma_ratio_polynomial", "float", 3, *GAMMA_RATIO),
    Polynomial("gamma_ratio_polynomial", "double", 14, *GAMMA_RATIO),
)
ROBUST = (
    Polynomial("log_cosh_polynomial", "float", 6, *LOG_COSH),
    Polynomial("log_cosh_polynomial", "double", 14, *LOG_COSH),
)
FOCAL = (Polynomial("exp_sum_polynomial", "double", 8, *EXP_SUM),)
DISTRIBUTIONS = (
    Polynomial("jensen_shannon_polynomial", "float", 7, *JENSEN_SHANNON),
    Polynomial("jensen_shannon_polynomial", "double", 15, *JENSEN_SHANNON),
)
MILLS = (mpf(0), mpf("0.5"), mills, lambda y: 1 / mills(y))
MILLS_SLOPE = (mpf(-7) / 9, mpf(1), mills_slope, lambda t: t / mills_rest(t))
COTH = (mpf(0), mpf(1), coth_rest, lambda square: 1 / coth_rest(square))
SURVIVAL = (
    Polynomial("coth_polynomial", "double", 9, *COTH),
    Polynomial("mills_polynomial", "double", 12, *MILLS, constant_last=True),
    Polynomial("mills_slope_polynomial", "double", 25, *MILLS_SLOPE, constant_last=True),
)
HEADERS = {
    "math.hpp": MATH,
    "error_function.hpp": ERROR_FUNCTION,
    "gamma.hpp": GAMMA,
    "focal.hpp": FOCAL,
    "losses/robust.hpp": ROBUST,
    "losses/distributions.hpp": DISTRIBUTIONS,
    "losses/survival.hpp": SURVIVAL,
}


def chebyshev_points(polynomial: Polynomial, count: int) -> list[mpf]:
    """Return points of its interval, denser towards the ends."""
    middle = (polynomial.low + polynomial.high) / 2
    half = (polynomial.high - polynomial.low) / 2
    return [middle - half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]


def evaluate(coefficients: Sequence[mpf], x: mpf) -> mpf:
    """Return P(x)."""
    return mpmath.polyval(list(reversed(coefficients)), x)


def divided_differences(points: Sequence[mpf], values: Sequence[mpf]) -> list[mpf]:
    """Return the coefficients of 1, (x - points[0]), (x - points[0]) (x - points[1]), ..."""
    differences = list(values)
    for order in range(1, len(points)):
        for j in range(len(points) - 1, order - 1, -1):
            width = points[j] - points[j - order]
            differences[j] = (differences[j] - differences[j - 1]) / width
    return differences


def levelled(
    points: Sequence[mpf], values: Sequence[mpf], weights: Sequence[mpf]
) -> tuple[list[mpf], mpf]:
    """Return P with weight * (value - P(point)) = level, -level, level, ..., and the level."""
    ideal = divided_differences(points, values)
    missed = divided_differences(points, [(-1) ** j / weight for j, weight in enumerate(weights)])
    level = ideal[-1] / missed[-1]
    coefficients: list[mpf] = []
    for x, a, b in reversed(list(zip(points, ideal, missed, strict=True))[:-1]):
        shifted = [mpf(0), *coefficients]
        coefficients = [
            high - x * low for high, low in zip(shifted, [*coefficients, mpf(0)], strict=True)
        ]
        coefficients[0] += a - level * b
    return coefficients, level


def remez(
    points: Sequence[mpf], values: Sequence[mpf], weights: Sequence[mpf], degree: int
) -> list[mpf]:
    """Find the polynomial with the smallest maximum of weight * |value - P(point)|."""
    count = degree + 2
    last = len(points) - 1
    reference = [
        round(float(last * (1 - mp.cos(mp.pi * i / (count - 1))) / 2)) for i in range(count)
    ]
    powers = [[x**power for power in range(degree + 1)] for x in points]
    while True:
        chosen = ([sequence[j] for j in reference] for sequence in (points, values, weights))
        coefficients, level = levelled(*chosen)
        errors = [
            weight * (value - mp.fdot(coefficients, row))
            for row, value, weight in zip(powers, values, weights, strict=True)
        ]
        worst = max(range(last + 1), key=lambda j: abs(errors[j]))
        if abs(errors[worst]) <= abs(level) * mpf("1.01"):
            return coefficients
        reference = exchanged(reference, worst, [error > 0 for error in errors])


def exchanged(reference: Sequence[int], point: int, positive: Sequence[bool]) -> list[int]:
    """Put point in the place of a neighbour, so that the signs still alternate."""
    place = bisect(reference, point)
    for neighbour in (place - 1, place):
        if 0 <= neighbour < len(reference) and positive[reference[neighbour]] == positive[point]:
            return [*reference[:neighbour], point, *reference[neighbour + 1 :]]
    return [point, *reference[:-1]] if place == 0 else [*reference[1:], point]


def fit(polynomial: Polynomial) -> list[mpf]:
    """Return the rounded coefficients, lowest first."""
    points = chebyshev_points(polynomial, 16 * (polynomial.degree + 2))
    values = [polynomial.function(x) for x in points]
    weights = [abs(polynomial.weight(x)) for x in points]
    coefficients = []
    for degree in range(polynomial.degree, -1, -1):
        lowest = rounded(remez(points, values, weights, degree)[0], polynomial.element)
        coefficients.append(lowest)
        values = [(value - lowest) / x for value, x in zip(values, points, strict=True)]
        weights = [weight * abs(x) for weight, x in zip(weights, points, strict=True)]
    return coefficients


def rounded(x: mpf, element: str) -> mpf:
    """Return the nearest number of the element type."""
    with mp.workprec({"float": 24, "double": 53}[element]):
        return +x


def literal(x: mpf, element: str) -> str:
    """Return the shortest decimal that the compiler reads back as x."""
    if element == "double":
        return repr(float(x))
    candidates = (f"{float(x):.{digits}g}" for digits in range(1, 10))
    return next(c for c in candidates if struct.pack("f", float(c)) == struct.pack("f", x)) + "f"


def max_error(polynomial: Polynomial, coefficients: Sequence[mpf]) -> mpf:
    """Return the largest error relative to the whole function."""
    return max(
        abs(polynomial.weight(x) * (polynomial.function(x) - evaluate(coefficients, x)))
        for x in chebyshev_points(polynomial, 1000)
    )


def block(polynomial: Polynomial) -> str:
    """Return what stands in the header, but for the breaking of lines."""
    coefficients = fit(polynomial)
    error = float(mp.log(max_error(polynomial, coefficients), 2))
    arguments = ", ".join(literal(c, polynomial.element) for c in coefficients)
    return (
        f"{MARK} within 2^{error:.1f} of the result\n"
        f"return polynomial{'_constant_last' * polynomial.constant_last}(x, {arguments});"
    )


def without_spaces(text: str) -> str:
    """Return text as it is whatever the breaking of lines."""
    return "".join(text.split())


def main() -> int:
    """Print the polynomials, or compare them with the headers."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a header differs")
    parser.add_argument("--only", default="", metavar="TEXT", help="those with this in their name")
    arguments = parser.parse_args()
    differences = 0
    for header, polynomials in HEADERS.items():
        text = without_spaces((CPP / header).read_text(encoding="utf-8"))
        if text.count(without_spaces(MARK)) != len(polynomials):
            print(f"{header} has polynomials that are not derived here, or fewer")
            differences += 1
        for polynomial in polynomials:
            if arguments.only not in polynomial.name:
                continue
            derived = block(polynomial)
            title = f"{header}, {polynomial.name}, {polynomial.element}"
            if not arguments.check:
                low, high = (mp.nstr(bound, 5) for bound in (polynomial.low, polynomial.high))
                print(f"{title}, {low} <= x <= {high}:\n{textwrap.fill(derived, 100)}\n")
            elif without_spaces(derived) not in text:
                print(f"{title}: the header has something else than\n{derived}\n")
                differences += 1
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
