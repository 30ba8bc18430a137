# SPDX-License-Identifier: BSD-3-Clause
"""Kernels against the reference in long double, at every method and reduction."""

from dataclasses import replace

import numpy as np
import pytest

import fastloss as fl
from accuracy import assert_accurate, reference
from cases import DTYPES, make_call, make_weight, parts, settings
from fastloss.accuracy.settings import Setting, all_settings, default_settings
from fastloss.domains import Domain

POINTWISE_SHAPES = [(1,), (15,), (16,), (17,), (31,), (33,), (3, 5), (4095,), (4096,), (4097,)]
ROWWISE_SHAPES = [(1, 1), (1, 2), (3, 15), (3, 16), (3, 17), (2, 3, 4), (17, 33), (1, 4097)]
PAIRWISE_SHAPES = [*ROWWISE_SHAPES[:-1], (1, 129)]  # whose pairs the reference has all at once
LONG = {
    "pointwise": (20_001,),
    "rowwise": (4097, 3),
    "overlap": (2, 1, 40_001),
    "ordered": (4097,),
    "groupwise": (200, 3),
}

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def shapes(setting: Setting) -> list[tuple[int, ...]]:
    """Return shapes around the lengths of vectors and blocks."""
    if setting.loss.family == "ordered":
        return POINTWISE_SHAPES[1:]  # a single element need not be an event
    if setting.loss.family == "groupwise" or setting.loss is fl.multilabel_margin:
        return PAIRWISE_SHAPES
    return ROWWISE_SHAPES if setting.loss.family == "rowwise" else POINTWISE_SHAPES


@each_dtype
@settings(default_settings())
def test_shapes(setting: Setting, dtype: type) -> None:
    for shape in shapes(setting):
        assert_accurate(make_call(setting, shape, dtype), dtype)


@each_dtype
@settings(all_settings())
def test_parameters(setting: Setting, dtype: type) -> None:
    shape = (1001,) if setting.loss.family == "pointwise" else (60, 7)
    assert_accurate(make_call(setting, shape, dtype, seed=1), dtype)


@each_dtype
@settings(all_settings())
def test_weight(setting: Setting, dtype: type) -> None:
    shape = (5, 33) if setting.loss.family == "pointwise" else (40, 5)
    call = make_call(setting, shape, dtype, seed=2)
    assert_accurate(call.given(weight=make_weight(call)), dtype)


@each_dtype
@settings(default_settings())
def test_normalizer(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (7, 5), dtype)
    got = call.given(normalizer=12.5, weight=make_weight(call), reduction="mean")
    total = call.given(weight=make_weight(call), reduction="sum")
    assert got() == pytest.approx(total() / 12.5, rel=4 * float(np.finfo(dtype).eps))
    np.testing.assert_allclose(got("grad"), np.array(total("grad")) / 12.5, rtol=1e-6)


@each_dtype
@settings(default_settings())
def test_long(setting: Setting, dtype: type) -> None:
    assert_accurate(make_call(setting, LONG[setting.loss.family], dtype, seed=3), dtype)


@each_dtype
@settings(default_settings())
def test_large_and_small_arguments(setting: Setting, dtype: type) -> None:
    """Inputs of all sizes between 1e-6 and 1e3, where the formula's tails are.

    Terms that are too large for numbers are left out.
    """
    shape = (2000,) if setting.loss.family == "pointwise" else (200, 5)
    generator = np.random.default_rng(4)

    def scaled(x: np.ndarray, domain: Domain) -> np.ndarray:
        changed = x * 10 ** generator.uniform(-6, 2, size=x.shape)
        return changed.clip(domain.low, domain.high).astype(dtype)

    drawn = make_call(setting, shape, dtype, seed=4)
    inputs = {name: scaled(drawn.arrays[name], d) for name, d in setting.input_domain.items()}
    call = replace(drawn, arrays=drawn.arrays | inputs)
    exact = parts(reference(call.given(reduction="none"), "value_grad_and_hess", dtype))
    sizes = [np.abs(x).reshape(shape[0], -1).max(1) for x in exact]
    assert_accurate(call.row(np.max(sizes, axis=0) < np.finfo(dtype).max), dtype)


@settings(default_settings())
def test_empty(setting: Setting) -> None:
    call = make_call(setting, (0, 3))
    for method in ("grad", "value_and_grad", "grad_and_hess", "value_grad_and_hess"):
        result = call(method, reduction="sum")
        first, *_ = result if isinstance(result, tuple) else (result,)
        if method.startswith("value"):
            assert first == 0.0
    assert call("grad_and_hess", reduction="none") is not None
    assert call(reduction="none").shape == call.terms_shape
