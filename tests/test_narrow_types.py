# SPDX-License-Identifier: BSD-3-Clause
"""float16 and bfloat16 are storage: results are those in float32, rounded."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastloss as fl
from cases import (
    METHODS,
    REDUCTIONS,
    Call,
    assert_same_bits,
    kinds_of_calls,
    make_call,
    make_weight,
    parts,
    settings,
)
from fastloss import _core
from fastloss.accuracy.settings import Setting, all_settings, default_settings
from test_layouts import backwards, byte_swapped, strided, strided_rows, transposed

NARROW = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
each_type = pytest.mark.parametrize("dtype", NARROW, ids=str)
HIGHEST = _core.isa()
LARGE = next(s for s in default_settings() if s.loss is fl.mse)
LENGTHS = {
    "pointwise": (9001,),
    "rowwise": (70, 33),
    "overlap": (3, 2, 20_001),
    "ordered": (3001,),
    "groupwise": (70, 33),
}


def narrowed(call: Call, dtype: np.dtype) -> Call:
    return call.map(lambda x: x.astype(dtype) if x.dtype.kind == "f" else x)


def widened(call: Call) -> Call:
    return call.map(lambda x: x if x.dtype.kind in "biu" else x.astype(np.float32))


def rounded(result: Any, dtype: np.dtype) -> tuple[Any, ...]:
    """Round the arrays of a result; what is reduced stays."""
    with np.errstate(over="ignore", under="ignore"):
        return tuple(x.astype(dtype) if isinstance(x, np.ndarray) else x for x in parts(result))


def assert_rounded(call: Call, dtype: np.dtype) -> None:
    for method in METHODS:
        for reduction in REDUCTIONS:
            got = parts(call(method, reduction=reduction))
            expected = rounded(widened(call)(method, reduction=reduction), dtype)
            for a, b in zip(got, expected, strict=True):
                assert np.asarray(a).dtype == np.asarray(b).dtype
                np.testing.assert_array_equal(
                    np.asarray(a).astype(np.float64), np.asarray(b).astype(np.float64)
                )


@each_type
@settings(all_settings())
def test_results_are_rounded(setting: Setting, dtype: np.dtype) -> None:
    call = narrowed(make_call(setting, (7, 5), np.float32), dtype)
    assert_rounded(call, dtype)
    assert_rounded(call.given(weight=make_weight(call, dtype=dtype)), dtype)


@each_type
@settings(default_settings())
def test_long(setting: Setting, dtype: np.dtype) -> None:
    call = make_call(setting, LENGTHS[setting.loss.family], np.float32)
    assert_rounded(narrowed(call, dtype), dtype)


@each_type
@pytest.mark.parametrize("layout", [strided, backwards, byte_swapped, strided_rows, transposed])
@settings(kinds_of_calls())
def test_layouts(setting: Setting, layout: Callable[..., Any], dtype: np.dtype) -> None:
    plain = narrowed(make_call(setting, (9, 35), np.float32), dtype)
    for method in METHODS:
        for reduction in REDUCTIONS:
            got = plain.map(layout)(method, reduction=reduction)
            assert_same_bits(got, plain(method, reduction=reduction))


@each_type
@settings(default_settings())
def test_reference(setting: Setting, dtype: np.dtype) -> None:
    call = narrowed(make_call(setting, (5, 4), np.float32), dtype)
    got = parts(call("value_grad_and_hess", reduction="none"))
    with np.errstate(over="ignore", under="ignore"):
        expected = parts(call.reference("value_grad_and_hess", reduction="none"))
    spacing = float(ml_dtypes.finfo(dtype).eps)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(
            a.astype(np.float64), b.astype(np.float64), rtol=2 * spacing, atol=1e-7
        )


@each_type
@settings(kinds_of_calls())
def test_out_and_in_place(setting: Setting, dtype: np.dtype) -> None:
    """Outputs of any floating type; a narrow one may lie in its input's place."""
    wide = make_call(setting, (40, 65), np.float32)
    call = narrowed(wide, dtype)
    names = setting.loss.inputs
    for given in (wide, call):
        expected = rounded(widened(given)("grad", reduction="sum"), dtype)
        out = tuple(np.zeros(given.first.shape, dtype) for _ in names)
        given("grad", reduction="sum", out=out if len(out) > 1 else out[0])
        assert_same_bits(out, expected)
    copy = call.map(np.copy)
    expected = call("grad", reduction="sum")
    out = tuple(copy.arrays[name] for name in names)
    copy("grad", reduction="sum", out=out if len(out) > 1 else out[0])
    assert_same_bits(out if len(out) > 1 else out[0], expected)


@each_type
@pytest.mark.parametrize("level", [name for name, runs in _core.isa_levels() if runs])
def test_results_past_the_caches(dtype: np.dtype, level: str) -> None:
    """So many terms that kernels store them in another way; narrow and wide results together."""
    small = narrowed(make_call(LARGE, (10_007,), np.float32), dtype)
    large = small.map(lambda x: np.resize(x, (25 << 20) // 4 + 13))
    out = tuple(np.empty(large.first.shape, kind) for kind in (dtype, np.float32))
    fl.set_isa(level)
    expected = small("grad_and_hess", reduction="sum")
    large("grad_and_hess", reduction="sum", out=out)
    fl.set_isa(HIGHEST)
    wide = expected[1].astype(np.float32)
    assert_same_bits(out, tuple(np.resize(x, large.first.shape) for x in (expected[0], wide)))


@each_type
def test_promotion(dtype: np.dtype) -> None:
    other = next(x for x in NARROW if x != dtype)
    pred = np.array([0.5, 1.0, -2.0], dtype)
    for target, expected in [
        (np.zeros(3, np.int8), dtype),
        (np.zeros(3, dtype), dtype),
        (np.zeros(3, other), np.float32),
        (np.zeros(3, np.float32), np.float32),
        (np.zeros(3, np.float64), np.float64),
        (0.0, dtype),
    ]:
        assert fl.mse.grad(pred, target).dtype == expected
        assert fl.mse.reference.grad(pred, target).dtype == expected
        assert fl.mse(pred, target, reduction="none").dtype == expected
    assert fl.mse.grad(pred, np.zeros(3, dtype), weight=np.ones(3)).dtype == dtype


@each_type
@pytest.mark.parametrize("wide", [np.float32, np.float64])
def test_rounding(dtype: np.dtype, wide: type) -> None:
    """Every number, the middle between each two, what is next to it, and any bits."""
    bits = np.random.default_rng(3).bytes(2**20)
    with np.errstate(invalid="ignore", over="ignore"):
        every = np.arange(2**16, dtype=np.uint16).view(dtype).astype(np.float64)
        every = np.sort(every[np.isfinite(every)])
        middles = ((every[1:] + every[:-1]) / 2).astype(wide)
        beside = [np.nextafter(middles, wide(side)) for side in (-np.inf, np.inf)]
        special = np.array([np.inf, -np.inf, np.nan, 65519.99, 65520, 3.4e38, 1e300], wide)
        any_bits = np.frombuffer(bits, wide)
        x = np.concatenate([every.astype(wide), middles, *beside, special, any_bits])
    got = np.empty(x.shape, dtype)
    fl.mae.grad(np.ones_like(x), np.zeros_like(x), weight=x, reduction="sum", out=got)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(got.astype(np.float64), nearest(x, dtype).astype(np.float64))


def nearest(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round to the nearest number, ties to even, also from double (ml_dtypes does it twice)."""
    if dtype == np.float16:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return x.astype(dtype)
    digits = ml_dtypes.finfo(dtype).nmant + 1
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        _, exponent = np.frexp(x)
        unit = np.ldexp(1.0, np.maximum(exponent - digits, -133))
        rounded = np.rint(x.astype(np.float64) / unit) * unit
        return rounded.astype(np.float32).astype(dtype)


@each_type
def test_widening(dtype: np.dtype) -> None:
    every = np.arange(2**16, dtype=np.uint16).view(dtype)
    wide = fl.mae(every, np.zeros(every.shape, np.float32), reduction="none")
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide, np.abs(every.astype(np.float32)))


@each_type
def test_check_target(dtype: np.dtype) -> None:
    fl.check_target(fl.mse, np.zeros(3, dtype))
    with pytest.raises(ValueError, match="index 1"):
        fl.check_target(fl.binary_cross_entropy_with_logits, np.array([0, 2], dtype))


def test_other_types_of_two_bytes_are_refused() -> None:
    for dtype in ("V2", "S2"):
        with pytest.raises(TypeError, match="floats of 16 to 64 bits"):
            fl.mse(np.zeros(3, dtype), np.zeros(3))
