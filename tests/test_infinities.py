# SPDX-License-Identifier: BSD-3-Clause
"""Infinities, NaN and kinks: tables of limits, and what holds for every loss."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from accuracy import reference
from cases import DTYPES, METHODS, alone, assert_same_bits, make_call, parts, settings
from fastloss.accuracy.settings import Setting, all_settings, default_settings
from fastloss.domains import Domain

INF, NAN = np.inf, np.nan
HUGE = 1e300
each_dtype = pytest.mark.parametrize("dtype", DTYPES)

# Loss, positional arguments, keywords, value, gradient, second derivative. A value of None is any.
POINTWISE_LIMITS: list[tuple[Any, tuple[float, ...], dict[str, Any], Any, Any, Any]] = [
    (fl.mse, (INF, 0), {}, INF, INF, 2),
    (fl.mse, (-INF, 0), {}, INF, -INF, 2),
    (fl.mse, (0, INF), {}, INF, -INF, 2),
    (fl.mse, (INF, INF), {}, NAN, NAN, None),
    (fl.mse, (INF, -INF), {}, INF, INF, 2),
    (fl.mae, (INF, 0), {}, INF, 1, 0),
    (fl.mae, (-INF, 0), {}, INF, -1, 0),
    (fl.mae, (0, -INF), {}, INF, 1, 0),
    (fl.mae, (INF, INF), {}, NAN, NAN, None),
    (fl.mae, (3, 3), {}, 0, 0, 0),
    (fl.mae, (0.0, -0.0), {}, 0, 0, 0),
    (fl.mae, (5e-324, 0), {}, 5e-324, 1, 0),
    (fl.huber, (INF, 0), {}, INF, 1, 0),
    (fl.huber, (-INF, 0), {"delta": 2.5}, INF, -2.5, 0),
    (fl.huber, (INF, INF), {}, NAN, NAN, None),
    (fl.huber, (1, 0), {}, 0.5, 1, 1),
    (fl.huber, (-1, 0), {}, 0.5, -1, 1),
    (fl.huber, (2.5, 5), {"delta": 2.5}, 3.125, -2.5, 1),
    (fl.huber, (np.nextafter(1, 2), 0), {}, None, 1, 0),
    (fl.huber, (HUGE, 0), {}, HUGE, 1, 0),
    (fl.huber, (3, 3), {}, 0, 0, 1),
    (fl.binary_cross_entropy_with_logits, (INF, 1), {}, 0, 0, 0),
    (fl.binary_cross_entropy_with_logits, (-INF, 0), {}, 0, 0, 0),
    (fl.binary_cross_entropy_with_logits, (INF, 0), {}, INF, 1, 0),
    (fl.binary_cross_entropy_with_logits, (-INF, 1), {}, INF, -1, 0),
    (fl.binary_cross_entropy_with_logits, (INF, 0.75), {}, INF, 0.25, 0),
    (fl.binary_cross_entropy_with_logits, (-INF, 0.75), {}, INF, -0.75, 0),
    (fl.binary_cross_entropy_with_logits, (INF, 1), {"label_smoothing": 0.5}, INF, 0.25, 0),
    (fl.binary_cross_entropy_with_logits, (-INF, 1), {"pos_weight": 3.0}, INF, -3, 0),
    (fl.binary_cross_entropy_with_logits, (-INF, 1), {"pos_weight": 0.0}, 0, 0, 0),
    (fl.binary_cross_entropy_with_logits, (INF, 1), {"pos_weight": 0.0}, 0, 0, 0),
    (fl.binary_cross_entropy_with_logits, (NAN, 1), {}, NAN, NAN, NAN),
    (fl.binary_cross_entropy_with_logits, (1, NAN), {}, NAN, NAN, NAN),
    (fl.binary_cross_entropy_with_logits, (HUGE, 0), {}, HUGE, 1, 0),
    (fl.binary_cross_entropy_with_logits, (-HUGE, 0), {}, 0, 0, 0),
    (fl.gaussian_nll, (INF, 0, 1), {}, INF, (INF, -INF), (1, INF)),
    (fl.gaussian_nll, (1, 0, INF), {}, INF, (0, 0), (0, 0)),
    (fl.gaussian_nll, (1, 1, 1), {}, 0, (0, 0.5), (1, -0.5)),
    (fl.gaussian_nll, (1, 0, 0.5), {"eps": 0.5}, None, (2, 0), (2, 6)),
    (fl.gaussian_nll, (1, 0, -1), {"eps": 0.5}, None, (2, 0), (2, 0)),
    (fl.gaussian_nll, (1, 0, -INF), {"eps": 0.5}, None, (2, 0), (2, 0)),
    (fl.gaussian_nll, (NAN, 0, 1), {}, NAN, (NAN, NAN), None),
    (fl.gaussian_nll, (0, 0, NAN), {}, NAN, (NAN, NAN), (NAN, NAN)),
    (fl.soft_margin, (INF, 1), {}, 0, 0, 0),
    (fl.soft_margin, (-INF, 1), {}, INF, -1, 0),
    (fl.soft_margin, (INF, -1), {}, INF, 1, 0),
    (fl.soft_margin, (-HUGE, 1), {}, HUGE, -1, 0),
    (fl.hinge_embedding, (INF, 1), {}, INF, 1, 0),
    (fl.hinge_embedding, (-INF, 1), {}, -INF, 1, 0),
    (fl.hinge_embedding, (INF, -1), {}, 0, 0, 0),
    (fl.hinge_embedding, (-INF, -1), {}, INF, -1, 0),
    (fl.hinge_embedding, (1, -1), {}, 0, 0, 0),
    (fl.hinge_embedding, (np.nextafter(1, 0), -1), {}, 2.0**-53, -1, 0),
    (fl.hinge_embedding, (0.0, 1), {}, 0, 1, 0),
    (fl.margin_ranking, (INF, 0, 1), {}, 0, (0, 0), (0, 0)),
    (fl.margin_ranking, (INF, 0, -1), {}, INF, (1, -1), (0, 0)),
    (fl.margin_ranking, (INF, INF, 1), {}, NAN, (NAN, NAN), None),
    (fl.margin_ranking, (3, 3, 1), {}, 0, (0, 0), (0, 0)),
    (fl.margin_ranking, (3, 2, 1), {"margin": 1.0}, 0, (0, 0), (0, 0)),
    (fl.margin_ranking, (3, np.nextafter(2, 3), 1), {"margin": 1.0}, 2.0**-51, (-1, 1), (0, 0)),
    (fl.margin_ranking, (1, 2.0**-60, 1), {"margin": 1.0}, 2.0**-60, (-1, 1), (0, 0)),
    (fl.margin_ranking, (1.5e308, -1.5e308, -1), {"margin": -1.5e308}, 1.5e308, (1, -1), (0, 0)),
    (fl.binary_cross_entropy, (0, 0), {}, 0, 1, 1),
    (fl.binary_cross_entropy, (1, 1), {}, 0, -1, 1),
    (fl.binary_cross_entropy, (0, 1), {}, INF, -INF, INF),
    (fl.binary_cross_entropy, (1, 0), {}, INF, INF, INF),
    (fl.binary_cross_entropy, (0, 0.5), {}, INF, -INF, INF),
    (fl.binary_cross_entropy, (-0.0, 0.5), {}, INF, -INF, INF),
    (fl.binary_cross_entropy, (1, 0.5), {}, INF, INF, INF),
    (fl.binary_cross_entropy, (0.25, 0.25), {}, None, 0, None),
    (fl.binary_cross_entropy, (1e-300, 0), {}, 1e-300, 1, 1),
    (fl.binary_cross_entropy, (1e-200, 1), {}, None, -1e200, INF),
    (fl.binary_cross_entropy, (np.nextafter(1, 2), 1), {}, NAN, NAN, NAN),
    (fl.binary_cross_entropy, (-5e-324, 0), {}, NAN, NAN, NAN),
    (fl.exponential, (INF, 1), {}, 0, 0, 0),
    (fl.exponential, (-INF, 1), {}, INF, -INF, INF),
    (fl.exponential, (INF, 0), {}, INF, INF, INF),
    (fl.exponential, (-INF, 5e-324), {}, INF, -INF, INF),
    (fl.exponential, (0, 0.5), {}, 1, 0, 1),
    (fl.binary_focal_with_logits, (INF, 1), {}, 0, 0, 0),
    (fl.binary_focal_with_logits, (-INF, 1), {}, INF, -1, 0),
    (fl.binary_focal_with_logits, (INF, 0), {}, INF, 1, 0),
    (fl.binary_focal_with_logits, (-INF, 0), {"gamma": 0.25}, 0, 0, 0),
    (fl.binary_focal_with_logits, (-INF, 0.25), {}, INF, -(0.25**3), 0),
    (fl.binary_focal_with_logits, (INF, 0), {"gamma": 1e300}, INF, 1, 0),
    (fl.binary_focal_with_logits, (INF, 0), {"alpha": 0.75}, INF, 0.25, 0),
    (fl.binary_focal_with_logits, (-HUGE, 1), {"gamma": 0.5}, HUGE, -1, 0),
    (fl.binary_focal_with_logits, (HUGE, 1), {"gamma": 0.5}, 0, 0, 0),
    (fl.binary_focal_with_logits, (NAN, 1), {}, NAN, NAN, NAN),
    (fl.asymmetric_focal, (INF, 1), {}, 0, 0, 0),
    (fl.asymmetric_focal, (-INF, 1), {}, INF, -1, 0),
    (fl.asymmetric_focal, (-INF, 0), {}, 0, 0, 0),
    (fl.asymmetric_focal, (-3, 0), {}, 0, 0, 0),
    (fl.asymmetric_focal, (INF, 0), {"clip": 0.0}, INF, 1, 0),
    (fl.asymmetric_focal, (HUGE, 0), {"clip": 0.0, "gamma_neg": 0.5}, HUGE, 1, 0),
    (fl.asymmetric_focal, (INF, 0), {"clip": 1.0}, 0, 0, 0),
    (fl.asymmetric_focal, (0, 0), {"clip": 0.5, "gamma_neg": 0.0}, 0, 0, 0),
    (fl.asymmetric_focal, (NAN, 0), {}, NAN, NAN, NAN),
    (fl.pseudo_huber, (INF, 0), {}, INF, 1, 0),
    (fl.pseudo_huber, (-INF, 0), {"delta": 2.5}, INF, -2.5, 0),
    (fl.pseudo_huber, (INF, INF), {}, NAN, NAN, NAN),
    (fl.pseudo_huber, (HUGE, 0), {"delta": 1e-300}, 1, 1e-300, 0),
    (fl.pseudo_huber, (1e-10, 0), {"delta": HUGE}, None, 1e-10, 1),
    (fl.fair, (INF, 0), {"scale": 2.5}, INF, 2.5, 0),
    (fl.fair, (-HUGE, 0), {"scale": 1e-300}, 1, -1e-300, 0),
    (fl.fair, (1e-10, 0), {"scale": HUGE}, None, 1e-10, 1),
    (fl.cauchy, (INF, 0), {}, INF, 0, 0),
    (fl.cauchy, (-INF, 0), {}, INF, 0, 0),
    (fl.cauchy, (3, 3), {}, 0, 0, 1),
    (fl.cauchy, (1e-10, 0), {"scale": HUGE}, None, 1e-10, 1),
    (fl.arctan, (INF, 0), {}, np.pi / 4, 0, 0),
    (fl.arctan, (-INF, 0), {"scale": 2.0}, np.pi, 0, 0),
    (fl.arctan, (3, 3), {}, 0, 0, 1),
    (fl.log_cosh, (INF, 0), {}, INF, 1, 0),
    (fl.log_cosh, (-INF, 0), {}, INF, -1, 0),
    (fl.log_cosh, (HUGE, 0), {}, HUGE, 1, 0),
    (fl.log_cosh, (3, 3), {}, 0, 0, 1),
    (fl.lq, (INF, 0), {}, INF, INF, 0),
    (fl.lq, (0, 0), {}, 0, 0, INF),
    (fl.lq, (-INF, 0), {"q": 1.0}, INF, -1, 0),
    (fl.lq, (0, 0), {"q": 1.0}, 0, 0, 0),
    (fl.lq, (-3, 0), {"q": 1.0}, 3, -1, 0),
    (fl.lq, (0, 0), {"q": 2.0}, 0, 0, 2),
    (fl.lq, (0, 0), {"q": 3.0}, 0, 0, 0),
    (fl.wing, (INF, 0), {}, INF, 1, 0),
    (fl.wing, (-INF, 0), {}, INF, -1, 0),
    (fl.wing, (3, 3), {}, 0, 0, -20),
    (fl.wing, (-1.5, 0), {"width": 1.5, "curvature": 0.5}, None, -0.75, -0.375),
    (fl.wing, (1, 0), {"width": 0.5, "curvature": 0.5}, None, 1, 0),
    (fl.student_t_nll, (INF, 0), {}, INF, 0, 0),
    (fl.student_t_nll, (3, 3), {}, 0, 0, 1.25),
    (fl.student_t_nll, (-2, 0), {}, None, -1.25, 0),
    (fl.laplace_nll, (INF, 0, 1), {}, INF, (1, -INF), (0, INF)),
    (fl.laplace_nll, (1, 0, INF), {}, INF, (0, 0), (0, 0)),
    (fl.laplace_nll, (1, 1, 1), {}, 0, (0, 1), (0, -1)),
    (fl.laplace_nll, (1, 0, 0.5), {"eps": 0.5}, None, (2, 0), (0, 12)),
    (fl.laplace_nll, (1, 0, -1), {"eps": 0.5}, None, (2, 0), (0, 0)),
    (fl.laplace_nll, (0, 0, NAN), {}, NAN, (NAN, NAN), (None, NAN)),
    (fl.absolute_percentage_error, (INF, 2), {}, INF, 0.5, 0),
    (fl.absolute_percentage_error, (-3, 0), {"eps": 0.5}, 6, -2, 0),
    (fl.absolute_percentage_error, (-4, -4), {}, 0, 0, 0),
    (fl.squared_log_error, (INF, 0), {}, INF, 0, 0),
    (fl.squared_log_error, (3, 3), {}, 0, 0, 0.125),
    (fl.squared_log_error, (-INF, 1), {}, None, 0, 0),
    (fl.squared_log_error, (NAN, 1), {}, NAN, NAN, NAN),
]


@pytest.mark.parametrize(
    ("loss", "arguments", "keywords", "value", "grad", "hess"),
    [pytest.param(*row, id=f"{row[0].__name__}{row[1]}{row[2] or ''}") for row in POINTWISE_LIMITS],
)
@pytest.mark.parametrize("length", [1, 40])
def test_pointwise_limits(  # noqa: PLR0917
    loss: Any, arguments: Any, keywords: Any, value: Any, grad: Any, hess: Any, length: int
) -> None:
    arrays = [np.full(length, x, np.float64) for x in arguments]
    got = loss.value_grad_and_hess(*arrays, reduction="none", **keywords)
    for part, expected in zip(got, (value, grad, hess), strict=True):
        if expected is None:
            continue
        for a, b in zip(parts(part), parts(expected), strict=True):
            if b is not None:
                np.testing.assert_array_equal(a, np.full(length, b, np.float64))


CROSS_ENTROPY_LIMITS: list[tuple[str, list[float], Any, dict[str, Any], Any, Any]] = [
    ("impossible class", [0, 0, -INF], 0, {}, np.log(2), [-0.5, 0.5, 0]),
    ("impossible label", [0, 0, -INF], 2, {}, INF, [0.5, 0.5, -1]),
    ("only possible class", [-INF, 3, -INF], 1, {}, 0, [0, 0, 0]),
    ("only class", [5], 0, {}, 0, [0]),
    ("nothing possible", [-INF, -INF, -INF], 1, {}, NAN, [NAN, NAN, NAN]),
    ("certain label", [0, INF, 7], 1, {}, 0, [0, 0, 0]),
    ("certain other class", [0, INF, 7], 0, {}, INF, [-1, 1, 0]),
    ("certain and impossible", [-INF, INF, 7], 0, {}, INF, [-1, 1, 0]),
    ("certain twice", [INF, INF, 7], 0, {}, NAN, [NAN, NAN, NAN]),
    ("NaN", [NAN, 0, 1], 1, {}, NAN, [NAN, NAN, NAN]),
    ("NaN in the label", [0, 0, NAN], 2, {}, NAN, [NAN, NAN, NAN]),
    ("NaN and infinity", [NAN, INF, 1], 1, {}, NAN, [NAN, NAN, NAN]),
    ("smoothed onto an impossible class", [0, 0, -INF], 0, {"label_smoothing": 0.75}, INF, None),
    ("impossible share", [0, 0, -INF], [0.5, 0.25, 0.25], {}, INF, [0, 0.25, -0.25]),
    ("impossible, without share", [0, 0, -INF], [0.75, 0.25, 0], {}, np.log(2), [-0.25, 0.25, 0]),
    ("certain, all its share", [0, INF, -INF], [0, 1, 0], {}, 0, [0, 0, 0]),
    ("certain, half its share", [0, INF, -INF], [0.5, 0.5, 0], {}, INF, [-0.5, 0.5, 0]),
    ("impossible and without weight", [0, 0, -INF], 2, {"class_weight": [1, 1, 0]}, 0, [0, 0, 0]),
    ("cold", [0, 0, -INF], 2, {"temperature": 0.5}, INF, [1, 1, -2]),
    ("capped", [0, INF, -INF], 0, {"softcap": 2.0}, None, None),
    ("far apart", [0, 1e300, -1e300], 1, {}, 0, [0, 0, 0]),
    ("farther", [0, 1e308, -1e308], 2, {}, INF, [0, 1, -1]),
]


@pytest.mark.parametrize(
    ("logits", "target", "keywords", "value", "grad"),
    [pytest.param(*row[1:], id=row[0]) for row in CROSS_ENTROPY_LIMITS],
)
@pytest.mark.parametrize("padding", [0, 30])
def test_cross_entropy_limits(  # noqa: PLR0917
    logits: Any, target: Any, keywords: Any, value: Any, grad: Any, padding: int
) -> None:
    """Also with classes around that are impossible: they change nothing."""
    is_plain = np.ndim(target) == 0 and not keywords
    extra = padding if is_plain else 0
    row = np.array([[-INF] * extra + logits], np.float64)
    labels = [target + extra] if np.ndim(target) == 0 else [target]
    got_value, got_grad = fl.cross_entropy.value_and_grad(
        row, np.array(labels), reduction="none", **keywords
    )
    if value is not None:
        np.testing.assert_allclose(got_value, [value], rtol=1e-15)
    if grad is not None:
        np.testing.assert_allclose(got_grad[0, extra:], grad, rtol=1e-15)
        np.testing.assert_array_equal(got_grad[0, :extra], NAN if np.isnan(value) else 0)


def test_cross_entropy_smoothed_limit() -> None:
    grad = fl.cross_entropy.grad([[0, 0, -INF]], [0], label_smoothing=0.75, reduction="sum")
    np.testing.assert_allclose(grad, [[0.5 - 0.5, 0.5 - 0.25, -0.25]], atol=1e-16)


def test_cross_entropy_capped_limit() -> None:
    capped = fl.cross_entropy.value_and_grad([[0, INF, -INF]], [0], softcap=2.0)
    plain = fl.cross_entropy([[0.0, 2.0, -2.0]], [0])
    assert capped[0] == pytest.approx(plain, rel=1e-15)
    np.testing.assert_array_equal(capped[1][0, 1:], 0)


@each_dtype
def test_cross_entropy_not_a_number_stays_in_its_row(dtype: type) -> None:
    logits = np.random.default_rng(5).normal(size=(9, 5)).astype(dtype)
    labels = np.arange(9) % 5
    plain = fl.cross_entropy.value_grad_and_hess(logits, labels, reduction="none")
    for wrong in ([NAN, 0, 0, 0, 0], [INF, INF, 0, 0, 0], [-INF] * 5):
        logits[4] = wrong
        got = fl.cross_entropy.value_grad_and_hess(logits, labels, reduction="none")
        for a, b in zip(got, plain, strict=True):
            assert np.isnan(a[4]).all()
            np.testing.assert_array_equal(np.delete(a, 4, 0), np.delete(b, 4, 0))


@each_dtype
@settings(alone(all_settings()))
def test_not_a_number_stays_in_its_term(setting: Setting, dtype: type) -> None:
    """Each input and floating target in turn: its value and its own gradient are NaN."""
    call = make_call(setting, (9, 5), dtype)
    if setting.labelled:
        call = call.map(lambda t: np.where(np.arange(9) == 4, 2, t), call.loss.targets)
    expected = parts(call("value_grad_and_hess", reduction="none"))
    at = (4, 2) if setting.loss.family == "pointwise" else (4,)
    for name, x in call.arrays.items():
        if x.dtype.kind != "f":
            continue
        spoiled = x.copy()
        spoiled[(4, 2)[: x.ndim] if x.ndim < 3 else (4, ..., 2)] = NAN
        changed = call.map(lambda _, x=spoiled: x, (name,))
        value, *derivatives = parts(changed("value_grad_and_hess", reduction="none"))
        assert np.isnan(value[at]).all()
        if name in setting.loss.inputs:
            assert np.isnan(derivatives[setting.loss.inputs.index(name)][4, ..., 2]).all()
        for got, wanted in zip([value, *derivatives], expected, strict=True):
            keep = np.ones(got.shape, bool)
            keep[at] = False
            np.testing.assert_array_equal(got[keep], wanted[keep])
        assert np.isnan(changed())
        for method in METHODS:
            first = parts(changed(method, reduction="sum"))[0]
            assert np.isnan(first).any()


SPECIAL = [0.0, -0.0, INF, -INF, NAN, 1e-45, -5e-324, 1e-310, 1e30, -1e30, 88.5, -745.2, 1.0, -1.0]


@each_dtype
@settings(all_settings())
def test_special_numbers_as_the_reference_has_them(setting: Setting, dtype: type) -> None:
    """NaN where the reference is NaN, infinities where it has them, of the same sign."""
    shape = {"pointwise": (600,), "overlap": (30, 33)}.get(setting.loss.family, (300, 3))
    generator = np.random.default_rng(6)

    def special(x: np.ndarray, domain: Domain) -> np.ndarray:
        drawn = generator.choice(SPECIAL, size=x.shape).clip(domain.low, domain.high)
        return np.where(generator.uniform(size=x.shape) < 0.5, drawn.astype(dtype), x)

    drawn = make_call(setting, shape, dtype)
    inputs = {name: special(drawn.arrays[name], d) for name, d in setting.input_domain.items()}
    call = replace(drawn, arrays=drawn.arrays | inputs)
    names = ("value", "grad", "hess")
    with np.errstate(over="ignore"):
        got = call("value_grad_and_hess", reduction="none")
        exact = reference(call.given(reduction="none"), "value_grad_and_hess", dtype)
    for name, part, wanted in zip(names, got, exact, strict=True):
        for a, b in zip(parts(part), parts(wanted), strict=True):
            with np.errstate(over="ignore"):
                kinds = [np.where(np.isnan(x), 2, np.where(np.isinf(x), x, 0)) for x in (a, b)]
                overflows = np.abs(b) > np.finfo(dtype).max / 16
            different = (kinds[0] != kinds[1]) & ~overflows
            where = np.argwhere(different)
            assert not len(where), (
                f"{name} at {where[0]}: {a[different][0]} instead of {b[different][0]}, of "
                f"{[x[where[0][0]] for x in call.arrays.values()]}"
            )


@settings(default_settings())
def test_negative_zero_is_zero(setting: Setting) -> None:
    call = make_call(setting, (6, 5))
    zeros = call.map(np.zeros_like, setting.loss.inputs)
    negative = call.map(lambda x: -np.zeros_like(x), setting.loss.inputs)
    for method in METHODS:
        for a, b in zip(parts(zeros(method)), parts(negative(method)), strict=True):
            np.testing.assert_array_equal(a, b)
    assert_same_bits(zeros(), negative())
