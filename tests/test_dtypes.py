# SPDX-License-Identifier: BSD-3-Clause
"""The arithmetic type, what results are made of, and numbers in the place of arrays."""

from typing import Any

import numpy as np
import pytest

from cases import (
    DTYPES,
    METHODS,
    REDUCTIONS,
    assert_same_bits,
    make_call,
    make_weight,
    parts,
    settings,
)
from fastloss.accuracy.settings import Setting, default_settings

INTEGERS = [np.dtype(f"{sign}{size}") for sign in "iu" for size in (1, 2, 4, 8)]
INTEGERS += [np.dtype(np.longlong), np.dtype(np.ulonglong)]  # types of their own, as C has them
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def pointwise_settings() -> list[Setting]:
    return [s for s in default_settings() if s.loss.family == "pointwise"]


def arrays_of(result: Any) -> list[np.ndarray]:
    return [x for x in parts(result) if isinstance(x, np.ndarray)]


def numbers_of(loss: Any) -> tuple[str, ...]:
    """Return the targets that are not only compared."""
    return tuple(name for name, kind in loss.formula.targets.items() if kind != "key")


@each_dtype
@settings(default_settings())
def test_results_have_the_type_of_the_input(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (6, 5), dtype)
    for method in METHODS:
        for reduction in REDUCTIONS:
            assert all(x.dtype == dtype for x in arrays_of(call(method, reduction=reduction)))
    for reduction in ("mean", "sum"):
        assert type(call(reduction=reduction)) is float
        assert type(call("value_grad_and_hess", reduction=reduction)[0]) is float
    assert type(call("weight_sum")) is float


@settings(default_settings())
def test_inputs_promote(setting: Setting) -> None:
    """Each differentiable input alone makes the arithmetic double; the result is that of all."""
    call = make_call(setting, (6, 5), np.float32)
    wide = call.map(lambda x: x.astype(np.float64) if x.dtype.kind == "f" else x)
    for name in call.loss.inputs:
        one = call.map(lambda x: x.astype(np.float64), (name,))
        assert_same_bits(one("value_grad_and_hess"), wide("value_grad_and_hess"))


@settings(default_settings())
def test_floating_targets_promote(setting: Setting) -> None:
    call = make_call(setting, (6, 5), np.float32)
    if setting.labelled or not setting.loss.targets:
        assert arrays_of(call("grad"))[0].dtype == np.float32
        return
    wide = call.map(lambda x: x.astype(np.float64) if x.dtype.kind == "f" else x)
    one = wide.map(lambda x: x.astype(np.float32), call.loss.inputs)
    assert_same_bits(one("value_grad_and_hess"), wide("value_grad_and_hess"))


@settings(default_settings())
def test_weights_and_parameters_do_not_promote(setting: Setting) -> None:
    call = make_call(setting, (6, 5), np.float32)
    weight = make_weight(call, dtype=np.float32)
    expected = call("value_grad_and_hess", weight=weight, reduction="none")
    assert arrays_of(expected)[0].dtype == np.float32
    assert_same_bits(
        call("value_grad_and_hess", weight=weight.astype(np.float64), reduction="none"), expected
    )
    numbers = {
        name: np.float64(x)
        for name, x in call.keywords.items()
        if x is not None and not isinstance(x, bool | str)
    }
    assert_same_bits(
        call.given(**numbers)("value_grad_and_hess", weight=weight, reduction="none"), expected
    )


@pytest.mark.parametrize("dtype", [*INTEGERS, np.dtype(bool)], ids=lambda d: f"{d}-{d.char}")
@settings(default_settings())
def test_integers(setting: Setting, dtype: np.dtype) -> None:
    """Integer inputs count as float64; integer targets take the type of the inputs."""
    generator = np.random.default_rng(7)
    domains = setting.loss.domain.values()
    is_unit = any(domain.high == 1 for domain in domains) and not setting.labelled
    inputs = generator.integers(1 if dtype.kind == "b" else 100, size=(6, 5), endpoint=True)
    targets = generator.integers(2 if is_unit or dtype.kind == "b" else 5, size=(6, 5))
    call = make_call(setting, (6, 5))
    names = numbers_of(setting.loss)

    for wide in DTYPES:
        few = call.map(lambda x: np.resize(targets, x.shape).astype(dtype), names)
        few = few.map(lambda x, wide=wide: x.astype(wide), call.loss.inputs)
        plain = int if setting.labelled else wide
        same = few.map(lambda x, plain=plain: x.astype(plain), names)
        assert_same_bits(few("value_grad_and_hess"), same("value_grad_and_hess"))

    integers = call.map(lambda x: np.resize(inputs, x.shape).astype(dtype), call.loss.inputs)
    floats = call.map(lambda x: np.resize(inputs, x.shape).astype(float), call.loss.inputs)
    assert_same_bits(integers("value_grad_and_hess"), floats("value_grad_and_hess"))
    assert arrays_of(integers("grad"))[0].dtype == np.float64


@pytest.mark.parametrize("byte", [1, 2, 255])
@settings(pointwise_settings())
def test_any_byte_but_0_is_true(setting: Setting, byte: int) -> None:
    call = make_call(setting, (3,))
    odd = call.map(lambda _: np.array([0, byte, 0], np.uint8).view(bool), call.loss.targets)
    even = call.map(lambda _: np.array([False, True, False]), call.loss.targets)
    assert_same_bits(odd("value_and_grad"), even("value_and_grad"))


@each_dtype
@settings(pointwise_settings())
def test_one_target_for_all(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (6, 5), dtype)
    half = call.map(lambda x: np.full_like(x, 0.5), call.loss.targets)
    for one in (0.5, dtype(0.5), np.array(0.5, dtype)):
        short = call.map(lambda _, one=one: one, call.loss.targets)
        assert_same_bits(short("value_grad_and_hess"), half("value_grad_and_hess"))


@settings(pointwise_settings())
def test_python_numbers_do_not_promote(setting: Setting) -> None:
    call = make_call(setting, (6, 5), np.float32)
    for number in (0.5, 1, True):
        short = call.map(lambda _, number=number: number, call.loss.targets)
        assert arrays_of(short("grad"))[0].dtype == np.float32
    strong = call.map(lambda _: np.float64(0.5), call.loss.targets)
    assert arrays_of(strong("grad"))[0].dtype == np.float64


@settings(pointwise_settings())
def test_numbers(setting: Setting) -> None:
    """As for ufuncs, new results without dimensions are scalars."""
    call = make_call(setting, (1,))
    numbers = call.map(lambda x: float(x[0]))
    for method in METHODS:
        for reduction in REDUCTIONS:
            got = parts(numbers(method, reduction=reduction))
            expected = parts(call(method, reduction=reduction))
            for a, b in zip(got, expected, strict=True):
                assert type(a) is (np.float64 if isinstance(b, np.ndarray) else float)
                assert a == np.asarray(b).item()


@settings([s for s in default_settings() if s.loss.family == "rowwise"])
def test_one_row(setting: Setting) -> None:
    """A row without a batch takes a label without dimensions, and has a value without any."""
    call = make_call(setting, (1, 5))
    row = call.map(lambda x: x[0])
    for method in METHODS:
        for reduction in REDUCTIONS:
            got = parts(row(method, reduction=reduction))
            expected = parts(call(method, reduction=reduction))
            for a, b in zip(got, expected, strict=True):
                assert np.shape(a) == np.shape(b)[1:]
                np.testing.assert_array_equal(np.asarray(a), np.asarray(b).reshape(np.shape(a)))
    if setting.labelled:
        with_number = row.map(int, call.loss.targets)
        assert_same_bits(with_number("value_and_grad"), row("value_and_grad"))


@each_dtype
@settings([s for s in default_settings() if s.target_kind == "labels"])
def test_number_of_dimensions_decides(setting: Setting, dtype: type) -> None:
    """Integers of the scores' shape are probabilities; labels have one dimension less."""
    call = make_call(setting, (6, 5), dtype)
    one_hot = call.map(lambda t: np.eye(5, dtype=dtype)[t], call.loss.targets)
    integers = one_hot.map(lambda t: t.astype(np.int8), call.loss.targets)
    assert_same_bits(integers("value_and_grad"), one_hot("value_and_grad"))
    value, expected = integers(reduction="none"), call(reduction="none")
    np.testing.assert_allclose(value, expected, rtol=4 * np.finfo(dtype).eps)
