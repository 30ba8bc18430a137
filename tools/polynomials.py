# SPDX-License-Identifier: BSD-3-Clause
"""Derive the polynomials of cpp/math.hpp; with --check, compare them with what stands there.

Each one is the minimax polynomial of its interval (Remez exchange). Its coefficients are rounded
to the type one by one, from the lowest up, and the rest is fitted again after each rounding: the
later coefficients make up for the error of the earlier ones.
"""

from __future__ import annotations

import argparse
import struct
import sys
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mpmath
from mpmath import mp, mpf

HEADER = Path(__file__).resolve().parent.parent / "cpp" / "math.hpp"
COLUMNS = 100
INDENT = 4

mp.dps = 80


@dataclass(frozen=True)
class Polynomial:
    """function(x) ~ P(x) on [low, high], where an error of P weighs weight(x) in the result."""

    name: str
    element: str
    degree: int
    low: mpf
    high: mpf
    function: Callable[[mpf], mpf]
    weight: Callable[[mpf], mpf]


def exp_rest(x: mpf) -> mpf:
    """(e^x - 1 - x) / x^2."""
    return (mp.expm1(x) - x) / x**2


def log_rest(x: mpf) -> mpf:
    """(log(1 + x) - x) / x^2."""
    return (mp.log1p(x) - x) / x**2


def _exp(element: str, degree: int) -> Polynomial:
    # A little more than half of log 2: where to split is decided by a rounded product.
    bound = mp.log(2) / 2 * mpf("1.0001")
    return Polynomial(
        "exp_rest", element, degree, -bound, bound, exp_rest, lambda x: x**2 / mp.expm1(x)
    )


def _log(name: str, element: str, degree: int, low: mpf, high: mpf) -> Polynomial:
    return Polynomial(name, element, degree, low, high, log_rest, lambda x: x**2 / mp.log1p(x))


POLYNOMIALS = (
    _exp("float", 4),
    _exp("double", 9),
    _log("log_rest", "float", 8, mp.sqrt(0.5) - 1, mp.sqrt(2) - 1),
    _log("log_rest", "double", 19, mp.sqrt(0.5) - 1, mp.sqrt(2) - 1),
    _log("log1p_unit_rest", "float", 8, mpf(0), mpf(1)),
    _log("log1p_unit_rest", "double", 19, mpf(0), mpf(1)),
)


def rounded(x: mpf, element: str) -> mpf:
    """The nearest float or double."""
    if element == "double":
        return mpf(float(x))
    # Round the exact value once: by way of a double it would be rounded twice.
    exponent = mp.floor(mp.log(abs(x), 2)) - 23
    return mpf(mp.nint(x / mpf(2) ** exponent) * mpf(2) ** exponent)


def literal(x: mpf, element: str) -> str:
    """The shortest decimal that the compiler reads back as x."""
    if element == "double":
        return repr(float(x))
    for digits in range(1, 10):
        text = f"{float(x):.{digits}g}"
        if struct.unpack("f", struct.pack("f", float(text)))[0] == float(x):
            break
    return text + ("f" if "." in text or "e" in text else ".0f")


def chebyshev_points(low: mpf, high: mpf, count: int) -> list[mpf]:
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle - half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]


def evaluate(coefficients: Sequence[mpf], x: mpf) -> mpf:
    return mpmath.polyval(list(reversed(coefficients)), x)


def remez(
    points: Sequence[mpf], values: Sequence[mpf], weights: Sequence[mpf], degree: int
) -> list[mpf]:
    """The polynomial of the smallest maximum of weights * |values - P| over the points."""
    count = degree + 2
    last = len(points) - 1
    reference = [
        round(float(last * (1 - mp.cos(mp.pi * i / (count - 1))) / 2)) for i in range(count)
    ]
    while True:
        system = mp.matrix(count, count)
        right = mp.matrix(count, 1)
        for row, j in enumerate(reference):
            for column in range(degree + 1):
                system[row, column] = weights[j] * points[j] ** column
            system[row, degree + 1] = (-1) ** row
            right[row] = weights[j] * values[j]
        *coefficients, level = mp.lu_solve(system, right)
        errors = [
            w * (v - evaluate(coefficients, x))
            for x, v, w in zip(points, values, weights, strict=True)
        ]
        worst = max(range(last + 1), key=lambda j: abs(errors[j]))
        if abs(errors[worst]) <= abs(level) * mpf("1.01"):
            return coefficients
        exchange(reference, worst, [error > 0 for error in errors])


def exchange(reference: list[int], point: int, positive: Sequence[bool]) -> None:
    """Take point into the reference in the place of a neighbour, so that the signs alternate."""
    place = bisect(reference, point)
    if place > 0 and positive[reference[place - 1]] == positive[point]:
        reference[place - 1] = point
    elif place < len(reference) and positive[reference[place]] == positive[point]:
        reference[place] = point
    elif place == 0:
        reference[:] = [point, *reference[:-1]]
    else:
        reference[:] = [*reference[1:], point]


def fit(polynomial: Polynomial) -> list[mpf]:
    """The rounded coefficients, lowest first."""
    points = chebyshev_points(polynomial.low, polynomial.high, 16 * (polynomial.degree + 2))
    values = [polynomial.function(x) for x in points]
    weights = [abs(polynomial.weight(x)) for x in points]
    coefficients = []
    for degree in range(polynomial.degree, -1, -1):
        lowest = rounded(remez(points, values, weights, degree)[0], polynomial.element)
        coefficients.append(lowest)
        values = [(value - lowest) / x for value, x in zip(values, points, strict=True)]
        weights = [weight * abs(x) for weight, x in zip(weights, points, strict=True)]
    return coefficients


def max_error(polynomial: Polynomial, coefficients: Sequence[mpf]) -> mpf:
    points = chebyshev_points(polynomial.low, polynomial.high, 1000)
    return max(
        abs(polynomial.weight(x) * (polynomial.function(x) - evaluate(coefficients, x)))
        for x in points
    )


def main() -> int:
    for polynomial in POLYNOMIALS:
        coefficients = fit(polynomial)
        error = max_error(polynomial, coefficients)
        print(f"// {polynomial.name} {polynomial.element} 2^{mp.nstr(mp.log(error, 2), 4)}")
        print(", ".join(literal(c, polynomial.element) for c in coefficients))
    return 0


if __name__ == "__main__":
    sys.exit(main())
