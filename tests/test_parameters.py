# SPDX-License-Identifier: BSD-3-Clause
"""Parameters: what they may be, and one for each place along the last axis."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accuracy import assert_accurate
from cases import (
    DTYPES,
    METHODS,
    REDUCTIONS,
    Call,
    assert_same_bits,
    make_call,
    make_weight,
    parts,
    settings,
)
from fastloss.accuracy.settings import Setting, all_settings, default_settings, examples, variations
from test_layouts import LAYOUTS

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def numbers_of(setting: Setting) -> dict[str, list[float]]:
    """Return the parameters that are numbers, each with a few values of its domain."""
    return {
        name: [float(x) for x in examples(p.domain) if x is not None]
        for name, p in setting.loss.parameters.items()
        if p.domain.is_number
    }


def all_results(call: Call) -> tuple[Any, ...]:
    return tuple(call(method, reduction=r) for method in METHODS for r in REDUCTIONS)


varying = settings(
    [s for s in default_settings() if s.loss.family == "pointwise" and numbers_of(s)]
)


@settings(default_settings())
def test_kinds_of_numbers(setting: Setting) -> None:
    """An exact number is the same number in whatever type it comes."""
    for dtype in DTYPES:
        call = make_call(setting, (4, 3), dtype)
        for name, values in numbers_of(setting).items():
            for x in values:
                expected = all_results(call.given(**{name: x}))
                kinds = [np.float32(x), np.float64(x), np.array(x), np.array(x, np.float32)]
                if x == int(x):
                    kinds += [int(x), np.int8(x), np.array(int(x))]
                    kinds += [np.uint64(x)] if x >= 0 else []
                for kind in kinds:
                    if float(kind) == x:
                        assert_same_bits(all_results(call.given(**{name: kind})), expected)


@settings(default_settings())
def test_numbers_are_rounded_to_the_arithmetic_type(setting: Setting) -> None:
    call = make_call(setting, (4, 3), np.float32)
    for name, values in numbers_of(setting).items():
        for x in values:
            rounded = float(np.float32(x))
            assert_same_bits(
                all_results(call.given(**{name: x})), all_results(call.given(**{name: rounded}))
            )


@settings(default_settings())
def test_numpy_flags(setting: Setting) -> None:
    call = make_call(setting, (4, 3))
    for name, parameter in setting.loss.parameters.items():
        if parameter.domain.is_flag:
            for flag in (False, True):
                given = call.given(**{name: np.bool_(flag)})
                assert_same_bits(all_results(given), all_results(call.given(**{name: flag})))


@settings(default_settings())
def test_numpy_words(setting: Setting) -> None:
    call = make_call(setting, (4, 3))
    for name, parameter in setting.loss.parameters.items():
        for word in parameter.domain.words:
            given = call.given(**{name: np.str_(word)})
            assert_same_bits(all_results(given), all_results(call.given(**{name: word})))


@settings([s for s in all_settings() if s not in default_settings()])
def test_every_parameter_matters(setting: Setting) -> None:
    """A changed parameter changes a result, with others if not alone: no test of it is in vain."""
    call = make_call(setting, (20, 5))
    changed = {name: x for name, x in call.keywords.items() if not setting.is_default(name)}
    defaults = {name: p.default for name, p in setting.loss.parameters.items()}
    *_, everything = variations(replace(setting, parameters=defaults))
    assert any(
        not np.array_equal(a, b)
        for others in (defaults, everything.parameters)
        for a, b in zip(
            parts(
                all_results(call.given(**{**others, **{name: defaults[name] for name in changed}}))
            ),
            parts(all_results(call.given(**{**others, **changed}))),
            strict=True,
        )
    )


@each_dtype
@varying
def test_array_of_equal_numbers(setting: Setting, dtype: type) -> None:
    for shape in ((7,), (3, 5), (2, 3, 17), (5, 1)):
        call = make_call(setting, shape, dtype)
        for name, values in numbers_of(setting).items():
            for x in values:
                row = np.full(shape[-1], x)
                expected = all_results(call.given(**{name: x}))
                assert_same_bits(all_results(call.given(**{name: row})), expected)
                assert_same_bits(all_results(call.given(**{name: row.tolist()})), expected)


@each_dtype
@varying
def test_array_has_one_for_each_column(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (40, 6), dtype).given(reduction="none")
    weight = make_weight(call, dtype=dtype)
    for given in (call, call.given(weight=weight)):
        for name, values in numbers_of(setting).items():
            row = np.resize(values, 6)
            whole = given.given(**{name: row})
            for k in range(6):
                column = given.map(lambda x, k=k: x[:, k]).given(**{name: float(row[k])})
                if "weight" in given.keywords:
                    column = column.given(weight=weight[:, k])
                for method in METHODS:
                    got = tuple(x[:, k] for x in parts(whole(method)))
                    assert_same_bits(got, tuple(parts(column(method))))


@each_dtype
@varying
def test_arrays_of_all_parameters(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (300, 5), dtype)
    arrays = {name: np.resize(values, 5) for name, values in numbers_of(setting).items()}
    assert_accurate(call.given(**arrays), dtype)
    assert_accurate(call.given(**arrays, weight=make_weight(call)), dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@varying
def test_layouts_of_arrays(setting: Setting, layout: Any) -> None:
    call = make_call(setting, (9, 6))
    arrays = {name: np.resize(values, 6) for name, values in numbers_of(setting).items()}
    expected = all_results(call.given(**arrays))
    odd = call.given(**{name: layout(x) for name, x in arrays.items()})
    assert_same_bits(all_results(odd), expected)
    assert_same_bits(all_results(odd.map(layout)), expected)


@varying
def test_arrays_of_integers(setting: Setting) -> None:
    call = make_call(setting, (9, 6))
    for name in numbers_of(setting):
        row = np.array([1, 1, 1, 1, 1, 1])
        expected = all_results(call.given(**{name: 1.0}))
        for dtype in (np.int8, np.uint64, bool, np.float32):
            assert_same_bits(all_results(call.given(**{name: row.astype(dtype)})), expected)


@varying
def test_arrays_of_no_numbers(setting: Setting) -> None:
    call = make_call(setting, (4, 0))
    for name in numbers_of(setting):
        for array in parts(call("grad", reduction="sum", **{name: []})):
            assert array.shape == (4, 0)


@pytest.mark.parametrize("shape", [(70_000,), (3, 70_001)])
@varying
def test_long_arrays(setting: Setting, shape: tuple[int, ...]) -> None:
    """Arrays along a last axis that is longer than a block."""
    call = make_call(setting, shape)
    for name, values in numbers_of(setting).items():
        row = np.resize(values, shape[-1])
        whole = call.given(**{name: row}, reduction="none")
        tail = call.map(lambda x: x[..., -1000:]).given(**{name: row[-1000:]}, reduction="none")
        got = tuple(x[..., -1000:] for x in parts(whole("value_grad_and_hess")))
        assert_same_bits(got, tuple(parts(tail("value_grad_and_hess"))))
