# SPDX-License-Identifier: BSD-3-Clause
"""Robust losses against their definitions in many digits, extremes included."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import fastloss as fl
from cases import DTYPES, assert_same_bits
from test_pointwise import assert_within_ulps, numbers

ULPS = 8

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def wing(r: Any, width: Any, curvature: Any) -> Any:
    if abs(r) <= width:
        return width * mpmath.log1p(abs(r) / curvature)
    return abs(r) - width + width * mpmath.log1p(width / curvature)


def student_t_nll(r: Any, df: Any, scale: Any, full: Any) -> Any:
    rest = (df + 1) / 2 * mpmath.log1p((r / scale) ** 2 / df)
    if not full:
        return rest
    density = mpmath.gamma((df + 1) / 2) / mpmath.gamma(df / 2) / mpmath.sqrt(df * mpmath.pi)
    return rest - mpmath.log(density / scale)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "pseudo_huber": lambda r, delta: delta**2 * (mpmath.sqrt(1 + (r / delta) ** 2) - 1),
    "fair": lambda r, scale: scale**2 * (abs(r) / scale - mpmath.log(1 + abs(r) / scale)),
    "cauchy": lambda r, scale: scale**2 / 2 * mpmath.log(1 + (r / scale) ** 2),
    "arctan": lambda r, scale: scale**2 / 2 * mpmath.atan((r / scale) ** 2),
    "log_cosh": lambda r: mpmath.log(mpmath.cosh(r)),
    "lq": lambda r, q: abs(r) ** q,
    "wing": wing,
    "student_t_nll": student_t_nll,
}
SCALED = ("pseudo_huber", "fair", "cauchy", "arctan")


def scale_of(name: str, x: float) -> dict[str, float]:
    return {"delta" if name == "pseudo_huber" else "scale": x}


CASES = [
    *((name, scale_of(name, x)) for name in SCALED for x in (1e-6, 0.1, 1.0, 3.0, 1e6)),
    ("log_cosh", {}),
    *(("lq", {"q": q}) for q in (1.0, 1.001, 1.7, 2.0, 3.0, 7.5)),
    *(("wing", {"width": w, "curvature": k}) for w, k in ((5.0, 0.5), (1e-3, 7.0), (1e5, 1e-9))),
    *(("student_t_nll", {"df": n, "scale": s}) for n, s in ((4.0, 1.0), (0.1, 1e-5), (1e5, 7.0))),
]
each_case = pytest.mark.parametrize(
    ("name", "parameters"),
    [pytest.param(*case, id="-".join([case[0], *map(str, case[1].values())])) for case in CASES],
)


def defined(name: str, dtype: type, parameters: dict[str, float]) -> Callable[[Any], Any]:
    """Return the definition as a function of r, for parameters rounded to the type."""
    given = {"full": 0} if name == "student_t_nll" else {}
    given |= {key: mpf(float(dtype(x))) for key, x in parameters.items()}
    return lambda r: DEFINITIONS[name](r, **given)


@each_dtype
@each_case
def test_values(name: str, parameters: dict[str, float], dtype: type) -> None:
    """Errors of all sizes keep their relative accuracy."""
    pred = numbers(dtype, 1e4, 1e-4) if name == "lq" else numbers(dtype, 1e15, 1e-15)
    value = fl.losses[name](pred, 0.0, reduction="none", **parameters)
    with mpmath.workdps(80):
        definition = defined(name, dtype, parameters)
        assert_within_ulps(value, [definition(mpf(float(r))) for r in pred], ulps=ULPS)
    assert value[-1] == 0


@each_dtype
@each_case
def test_derivatives(name: str, parameters: dict[str, float], dtype: type) -> None:
    """At points without kinks, and where second derivatives are not near 0."""
    pred = np.array([-30.2, -2.7, -0.625, 0.015, 0.2, 1.45, 11.5], dtype)
    grad, hess = fl.losses[name].grad_and_hess(pred, 0.0, reduction="none", **parameters)
    with mpmath.workdps(120):
        definition = defined(name, dtype, parameters)
        points = [mpf(float(r)) for r in pred]
        assert_within_ulps(grad, [mpmath.diff(definition, r) for r in points], ulps=ULPS)
        assert_within_ulps(hess, [mpmath.diff(definition, r, 2) for r in points], ulps=2 * ULPS)


@each_dtype
@pytest.mark.parametrize("power", [-300, -40, -7, 9, 50, 300])
@pytest.mark.parametrize("name", SCALED)
def test_scale(name: str, power: int, dtype: type) -> None:
    """With error and scale in another unit, a power of two, the loss is in the unit's square."""
    power = power if dtype is np.float64 else power // 8
    unit = 2.0**power
    r = numbers(dtype, 1e3, 1e-3)
    plain = fl.losses[name].value_grad_and_hess(r, 0.0, reduction="none", **scale_of(name, 0.75))
    r = (r * unit).astype(dtype)
    got = fl.losses[name].value_grad_and_hess(
        r, 0.0, reduction="none", **scale_of(name, 0.75 * unit)
    )
    factors = (unit**2, unit, 1.0)
    assert_same_bits(
        got, tuple((x * factor).astype(dtype) for x, factor in zip(plain, factors, strict=True))
    )


FAR = [
    *((name, scale_of(name, x)) for name in SCALED for x in (0.01, 1.0, 1e3)),
    ("cauchy", {"scale": 1e150}),
    ("lq", {"q": 1.0}),
    ("lq", {"q": 1.25}),
    ("lq", {"q": 2.0}),
    ("lq", {"q": 2.5}),
    ("wing", {"width": 5.0, "curvature": 0.5}),
    ("student_t_nll", {"df": 4.0, "scale": 1.0}),
    ("student_t_nll", {"df": 1e-3, "scale": 1e-3}),
    ("log_cosh", {}),
]


@pytest.mark.parametrize(("name", "parameters"), FAR)
def test_differences_too_large_for_a_number(name: str, parameters: dict[str, float]) -> None:
    pred, target = np.array([1.5e308, -1.75e308]), np.array([-1.5e308, 1.25e308])
    got = fl.losses[name].value_grad_and_hess(pred, target, reduction="none", **parameters)
    with mpmath.workdps(2000):
        definition = defined(name, np.float64, parameters)
        points = [mpf(float(x)) - mpf(float(y)) for x, y in zip(pred, target, strict=True)]
        for order, part in enumerate(got):
            for a, r in zip(part, points, strict=True):
                exact = mpmath.diff(definition, r, order, h=mpf(10) ** 100)
                assert float(a) == pytest.approx(float(exact), rel=8 * 2.0**-53, abs=1e-322)


@pytest.mark.parametrize("df", [1e-3, 0.5, 1.0, 3.9, 4.0, 4.1, 30.0, 1e4, 1e9])
@each_dtype
def test_constant_of_student_t(df: float, dtype: type) -> None:
    zeros = np.zeros(3, dtype)
    with mpmath.workdps(60):
        for scale in (1.0, 0.3):
            given = [mpf(float(dtype(x))) for x in (df, scale)]
            exact = student_t_nll(mpf(0), *given, 1)
            size = max(abs(exact), abs(mpmath.log(given[1])))
            value = fl.student_t_nll(zeros, zeros, df=df, scale=scale, full=True, reduction="none")
            assert_within_ulps(value, [exact] * 3, [size] * 3, ulps=ULPS)


def test_student_t_of_one_degree_of_freedom() -> None:
    r = numbers(np.float64, 1e3, 1e-3)
    ours = fl.student_t_nll.value_grad_and_hess(r, 0.0, df=1.0, scale=2.0, reduction="none")
    cauchy = fl.cauchy.value_grad_and_hess(r, 0.0, scale=2.0, reduction="none")
    for a, b in zip(ours, cauchy, strict=True):
        np.testing.assert_allclose(a, b / 2, rtol=1e-14)


@pytest.mark.parametrize(("q", "name"), [(1.0, "mae"), (2.0, "mse")])
def test_powers_that_are_other_losses(q: float, name: str) -> None:
    generator = np.random.default_rng(35)
    pred, target = generator.normal(size=(2, 500))
    target[:50] = pred[:50]
    ours = fl.lq.value_grad_and_hess(pred, target, q=q, reduction="none")
    theirs = fl.losses[name].value_grad_and_hess(pred, target, reduction="none")
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=4 * 2.0**-53)


@each_dtype
@pytest.mark.parametrize("q", [40.0, 3000.0])
def test_large_powers_of_rounded_differences(q: float, dtype: type) -> None:
    """What the difference loses would be magnified by the exponent."""
    generator = np.random.default_rng(36)
    target = generator.uniform(3, 4, 500).astype(dtype)
    pred = (target + generator.choice([-1, 1], 500) * (1 + generator.normal(size=500) / q)).astype(
        dtype
    )
    target -= generator.uniform(-1, 1, 500).astype(dtype) * np.finfo(dtype).eps
    value = fl.lq(pred, target, q=q, reduction="none")
    with mpmath.workdps(60):
        pairs = zip(pred, target, strict=True)
        exact = [abs(mpf(float(x)) - mpf(float(y))) ** mpf(q) for x, y in pairs]
        assert_within_ulps(value, exact)


def test_squared_log_error() -> None:
    """Also next to equality, next to −1 and far from both."""
    generator = np.random.default_rng(37)
    target = np.expm1(generator.uniform(-30, 300, 400))
    near = target * (1 + generator.integers(-4, 5, 400) * 2.0**-52)
    pred = np.concatenate([near, np.expm1(generator.uniform(-13, 300, 400))])
    target = np.tile(np.maximum(target, -1 + 2.0**-52), 2)
    pred = np.maximum(pred, -0.999999)
    value, grad = fl.squared_log_error.value_and_grad(pred, target, reduction="none")
    with mpmath.workdps(60):
        rows = [(mpf(float(x)), mpf(float(y))) for x, y in zip(pred, target, strict=True)]
        logs = [mpmath.log1p(x) - mpmath.log1p(y) for x, y in rows]
        assert_within_ulps(value, [d**2 for d in logs])
        inside = pred > -0.999999
        slopes = [2 * d / (1 + x) for d, (x, _) in zip(logs, rows, strict=True)]
        assert_within_ulps(
            grad[inside], [s for s, kept in zip(slopes, inside, strict=True) if kept]
        )
    np.testing.assert_array_equal(grad[~inside], 0)


def test_clamped_predictions() -> None:
    """They count as the least one, and do not pull."""
    value, grad, hess = fl.squared_log_error.value_grad_and_hess(
        [-2.0, -0.5, -0.25], [3.0, 3.0, 3.0], floor=-0.5, reduction="none"
    )
    assert value[0] == value[1] == pytest.approx(np.log(8) ** 2)
    np.testing.assert_array_equal(grad[:2], 0)
    assert grad[2] < 0
    assert hess[0] == 0
    assert hess[1] == pytest.approx(2 * (1 + np.log(8)) / 0.25)


@each_dtype
def test_laplace(dtype: type) -> None:
    generator = np.random.default_rng(38)
    pred, target = generator.normal(scale=3, size=(2, 300)).astype(dtype)
    scale = generator.lognormal(sigma=3, size=300).astype(dtype)
    for full in (False, True):
        value, (_, grad), (_, hess) = fl.laplace_nll.value_grad_and_hess(
            pred, target, scale, full=full, reduction="none"
        )
        with mpmath.workdps(60):
            rows = [
                (abs(mpf(float(p)) - mpf(float(t))), mpf(float(s)))
                for p, t, s in zip(pred, target, scale, strict=True)
            ]
            log_2 = mpmath.log(2) * full
            assert_within_ulps(
                value,
                [r / s + mpmath.log(s) + log_2 for r, s in rows],
                [r / s + abs(mpmath.log(s)) + log_2 for r, s in rows],
            )
            assert_within_ulps(
                grad, [(1 - r / s) / s for r, s in rows], [(1 + r / s) / s for r, s in rows]
            )
            assert_within_ulps(
                hess,
                [(2 * r / s - 1) / s**2 for r, s in rows],
                [(2 * r / s + 1) / s**2 for r, s in rows],
            )


@pytest.mark.parametrize("name", [*SCALED, "log_cosh", "lq", "wing", "student_t_nll"])
def test_a_perfect_answer_has_zero_loss(name: str) -> None:
    x = numbers(np.float64, 1e300, 1e-300)
    value, grad = fl.losses[name].value_and_grad(x, x, reduction="none")
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(grad, 0)
