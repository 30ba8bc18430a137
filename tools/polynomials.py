# SPDX-License-Identifier: BSD-3-Clause
"""Derive the polynomials of the headers in cpp/; with --check, compare them with what is there.

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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mpmath
from mpmath import mp, mpf

CPP = Path(__file__).resolve().parent.parent / "cpp"

mp.dps = 80  # divided differences of many points lose most of them


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


def exp_rest(x: mpf) -> mpf:
    """(e^x - 1 - x) / x^2."""
    return (mp.expm1(x) - x) / x**2


def log_rest(square: mpf) -> mpf:
    """(log((1 + s) / (1 - s)) - 2 s) / s^3 for s = sqrt(square)."""
    s = mp.sqrt(square)
    return 2 * (mp.atanh(s) - s) / s**3


def log_weight(square: mpf) -> mpf:
    """s^3 / log((1 + s) / (1 - s))."""
    s = mp.sqrt(square)
    return s**3 / (2 * mp.atanh(s))


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


def largest_square(ratio: str) -> mpf:
    """Return s^2, and a little more, for (1 + s) / (1 - s) = ratio."""
    return ((mpf(ratio) - 1) / (mpf(ratio) + 1)) ** 2 * mpf("1.0001")


# A little more than half of log 2: which multiple is taken out is decided by a rounded product.
HALF_LOG_2 = mp.log(2) / 2 * mpf("1.0001")

EXP = (-HALF_LOG_2, HALF_LOG_2, exp_rest, lambda x: x**2 / mp.exp(x))
EXPM1 = (-HALF_LOG_2, HALF_LOG_2, exp_rest, lambda x: x**2 / mp.expm1(x))
LOG = (mpf(0), largest_square("1.5"), log_rest, log_weight)
LOG1P_UNIT = (mpf(0), largest_square("2"), log_rest, log_weight)
NEAR_ZEROS = (mpf("-0.75"), mpf("0.75"))
LGAMMA_ZEROS = (
    *NEAR_ZEROS,
    lambda t: lgamma_ratio(t) - mpf("0.5"),
    lambda t: 1 / lgamma_ratio(t),
)
DIGAMMA_ZEROS = (*NEAR_ZEROS, lambda t: digamma_ratio(t) - 1, lambda t: 1 / digamma_ratio(t))
STIRLING = (mpf(0), mpf("0.2501"))
LGAMMA_STIRLING = (*STIRLING, lgamma_stirling_rest, lgamma_stirling_weight)
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
)
HEADERS = {"math.hpp": MATH, "gamma.hpp": GAMMA}


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


def blocks(polynomials: Sequence[Polynomial]) -> Iterator[tuple[Polynomial, str]]:
    """Yield each polynomial with its lines in its header."""
    for polynomial in polynomials:
        coefficients = fit(polynomial)
        error = float(mp.log(max_error(polynomial, coefficients), 2))
        arguments = ", ".join(literal(c, polynomial.element) for c in coefficients)
        opening = "    return polynomial(x, "
        call = textwrap.fill(
            f"{arguments});", 100, initial_indent=opening, subsequent_indent=" " * 22
        )
        yield polynomial, f"    // tools/polynomials.py: within 2^{error:.1f} of the result\n{call}"


def main() -> int:
    """Print the polynomials, or compare them with the headers."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a header differs")
    check = parser.parse_args().check
    differences = False
    for header, polynomials in HEADERS.items():
        text = (CPP / header).read_text(encoding="utf-8")
        differences |= text.count("return polynomial(") != len(polynomials)
        for polynomial, block in blocks(polynomials):
            title = f"{polynomial.name}, {polynomial.element}"
            if not check:
                low, high = (mp.nstr(bound, 5) for bound in (polynomial.low, polynomial.high))
                print(f"{title}, {low} <= x <= {high}:\n{block}\n")
            elif block not in text:
                print(f"{title}: {header} has something else than\n{block}\n")
                differences = True
    return 1 if check and differences else 0


if __name__ == "__main__":
    sys.exit(main())
