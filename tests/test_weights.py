# SPDX-License-Identifier: BSD-3-Clause
"""Weights, masks, denominators, and means of nothing."""

import math
import warnings
from typing import Any

import numpy as np
import pytest

from cases import (
    DTYPES,
    METHODS,
    REDUCTIONS,
    Call,
    alone,
    assert_same_bits,
    make_call,
    make_weight,
    parts,
    settings,
)
from fastloss.accuracy.settings import Setting, all_settings, default_settings, takes_labels

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
NOT_NUMBERS = [np.nan, np.inf, -np.inf, -np.nan]


def class_settings() -> list[Setting]:
    return [s for s in default_settings() if takes_labels(s.loss)]


def labelled_settings() -> list[Setting]:
    return [s for s in default_settings() if s.labelled]


def all_results(call: Call) -> tuple[Any, ...]:
    return tuple(call(method, reduction=r) for method in METHODS for r in REDUCTIONS)


def close(got: Any, expected: Any, dtype: type) -> None:
    for a, b in zip(parts(got), parts(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=8 * np.finfo(dtype).eps, atol=1e-30)


# ---- weights ----------------------------------------------------------------------------------


@each_dtype
@settings(alone(default_settings()))
def test_weights_multiply_terms(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (7, 9), dtype)
    weight = make_weight(call, dtype=dtype)
    value, grad, hess = call("value_grad_and_hess", reduction="none")
    expected = [weight * value]
    for array in parts((grad, hess)):
        shape = weight.shape + (1,) * (array.ndim - weight.ndim)
        expected.append(weight.reshape(shape) * array)
    close(call("value_grad_and_hess", reduction="none", weight=weight), tuple(expected), dtype)


@settings(default_settings())
def test_weights_broadcast(setting: Setting) -> None:
    call = make_call(setting, (6, 4, 5))
    shape = call.terms_shape
    full = make_weight(call)
    for axes in [(0,), (1,), tuple(range(1, len(shape))), tuple(range(len(shape)))]:
        small = full[tuple(slice(0, 1) if d in axes else slice(None) for d in range(len(shape)))]
        expected = all_results(call.given(weight=np.broadcast_to(small, shape).copy()))
        assert_same_bits(all_results(call.given(weight=small)), expected)
        while small.ndim and small.shape[0] == 1:  # leading lengths of 1 may be left out
            small = small[0]
            assert_same_bits(all_results(call.given(weight=small)), expected)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int64, np.uint64, np.float32])
@settings(default_settings())
def test_types_of_weights(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (6, 5))
    numbers = np.random.default_rng(1).integers(0, 2, size=call.terms_shape)
    expected = all_results(call.given(weight=numbers.astype(np.float64)))
    assert_same_bits(all_results(call.given(weight=numbers.astype(dtype))), expected)
    assert_same_bits(all_results(call.given(weight=numbers.tolist())), expected)


@settings(default_settings())
def test_one_number_for_all(setting: Setting) -> None:
    call = make_call(setting, (6, 5))
    expected = all_results(call.given(weight=np.full(call.terms_shape, 2.5)))
    for weight in (2.5, np.float64(2.5), np.array(2.5), [2.5]):
        assert_same_bits(all_results(call.given(weight=weight)), expected)


@settings(default_settings())
def test_weights_of_one_change_nothing(setting: Setting) -> None:
    call = make_call(setting, (6, 5))
    assert_same_bits(all_results(call.given(weight=np.ones(call.terms_shape))), all_results(call))


# ---- masks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", NOT_NUMBERS, ids=str)
@each_dtype
@settings(default_settings())
def test_masked_terms_add_nothing(setting: Setting, dtype: type, content: float) -> None:
    """A term of weight 0 adds exactly 0 whatever it holds, and has derivatives 0."""
    call = make_call(setting, (9, 37), dtype)
    weight = make_weight(call, dtype=dtype)
    masked = weight == 0
    assert 0 < masked.sum() < masked.size
    expected = all_results(call.given(weight=weight))

    def spoil(x: np.ndarray) -> np.ndarray:
        if x.dtype.kind != "f":
            return x
        x = x.copy()
        x[masked] = content
        return x

    spoiled = call.map(spoil).given(weight=weight)
    assert_same_bits(all_results(spoiled), expected)
    assert spoiled("weight_sum") == call("weight_sum", weight=weight)
    for array in parts(spoiled("value_grad_and_hess", reduction="none")):
        assert np.all(array[masked] == 0)
        assert not np.signbit(array[masked]).any()


@settings(labelled_settings())
def test_masked_rows_need_a_valid_label(setting: Setting) -> None:
    """Labels are checked before any work, whatever the weights."""
    call = make_call(setting, (4, 3))
    labels = np.array([0, call.label_count, 1, 2])
    call = call.map(lambda _: labels, setting.loss.targets)
    with pytest.raises(IndexError, match="index 1"):
        call(weight=[1, 0, 1, 1])


@settings(labelled_settings())
def test_ignored_rows_add_nothing(setting: Setting) -> None:
    call = make_call(setting, (20, 5))
    labels = call.arrays[setting.loss.targets[0]].copy()
    ignored = np.arange(20) % 3 == 1
    labels[ignored] = -100
    weight = np.where(ignored, 0.0, 1.0)
    kept = call.map(lambda t: np.where(ignored, 0, t), call.loss.targets)
    expected = all_results(kept.given(weight=weight))
    for content in (*NOT_NUMBERS, 1.5):

        def spoil(x: np.ndarray, content: float = content) -> np.ndarray:
            x = x.copy()
            x[ignored] = content
            return x

        spoiled = call.map(spoil, call.loss.inputs).map(lambda _: labels, call.loss.targets)
        spoiled = spoiled.given(ignore_index=-100)
        assert_same_bits(all_results(spoiled), expected)
        assert spoiled("weight_sum") == 13.0


# ---- denominators -----------------------------------------------------------------------------


@each_dtype
@settings(default_settings())
def test_mean_is_sum_over_weight_sum(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (50, 7), dtype)
    for weight in (None, make_weight(call), 0.5, make_weight(call)[:1]):
        given = call.given(weight=weight)
        total = given("weight_sum")
        exact = np.float64(given.reference("weight_sum"))
        assert total == pytest.approx(exact, rel=1e-14 if dtype is np.float64 else 1e-6)
        for method in METHODS:
            mean, summed = given(method), parts(given(method, reduction="sum"))
            close(mean, tuple(x / total for x in summed), dtype)


@settings([s for s in alone(default_settings()) if s.labelled or not takes_labels(s.loss)])
def test_weight_sums_survive_cancellation(setting: Setting) -> None:
    """What additions lose is kept, within blocks and across them."""
    call = make_call(setting, (20_000, 3))
    half = np.ones(call.terms_shape).ravel()[::2].copy()
    half[5::11] = 1e-3
    half[: half.size // 3 : 7] = 1e16
    weight = np.concatenate([half, 0.125 - half])
    got = call("weight_sum", weight=weight.reshape(call.terms_shape))
    assert got == pytest.approx(math.fsum(weight), abs=1e-29 * np.sum(np.abs(weight)))


@settings(default_settings())
def test_parameters_do_not_enter_the_denominator(setting: Setting) -> None:
    call = make_call(setting, (8, 5))
    for other in all_settings():
        if other.loss is setting.loss and other.labelled == setting.labelled:
            assert call.given(**other.parameters)("weight_sum") == call("weight_sum")


@settings(class_settings())
def test_class_weights_enter_the_denominator(setting: Setting) -> None:
    call = make_call(setting, (8, 5))
    class_weight = np.array([0.5, 2.0, 0.0, 1.0, 4.0, 0.25])[: call.label_count]
    weight = make_weight(call)
    target = call.arrays[setting.loss.targets[0]]
    shares = np.eye(call.label_count)[target] if setting.labelled else target
    assert call("weight_sum", weight=weight, class_weight=class_weight) == pytest.approx(
        np.sum(weight * (shares @ class_weight)), rel=1e-14
    )


@each_dtype
@settings(default_settings())
def test_normalizer_replaces_the_denominator(setting: Setting, dtype: type) -> None:
    call = make_call(setting, (7, 5), dtype)
    given = call.given(weight=make_weight(call))
    for normalizer in (12.5, 3, np.float32(0.25), 1e10):
        for method in METHODS:
            summed = parts(given(method, reduction="sum"))
            got = given(method, normalizer=normalizer)
            close(got, tuple(x / float(normalizer) for x in summed), dtype)


@settings(alone(default_settings()))
def test_micro_batches(setting: Setting) -> None:
    """Values and gradients of parts, over the weight of all, add up to those of the whole."""
    call = make_call(setting, (60, 5))
    weight = make_weight(call)
    value, grad = call("value_and_grad", weight=weight)
    cuts = [slice(0, 7), slice(7, 40), slice(40, 60)]
    batches = [call.row(cut).given(weight=weight[cut]) for cut in cuts]
    total = sum(batch("weight_sum") for batch in batches)
    assert total == pytest.approx(call("weight_sum", weight=weight), rel=1e-14)
    pieces = [batch("value_and_grad", normalizer=total) for batch in batches]
    assert sum(piece[0] for piece in pieces) == pytest.approx(value, rel=1e-12)
    for k, whole in enumerate(parts(grad)):
        joined = np.concatenate([parts(piece[1])[k] for piece in pieces])
        np.testing.assert_allclose(joined, whole, rtol=1e-14)


# ---- means of nothing -------------------------------------------------------------------------


def empty_calls(setting: Setting) -> list[Call]:
    """Return calls with nothing to average: no terms, or no weight."""
    call = make_call(setting, (4, 3))
    weights = [np.zeros(call.terms_shape), np.resize([1.0, -1.0], call.terms_shape)]
    if setting.target_kind == "probabilities" or setting.loss.family == "ordered":
        # Rows of probabilities need not sum to exactly 1, and not all weights may be negative.
        weights = weights[:1]
    calls = [make_call(setting, (0, 3)), *(call.given(weight=w) for w in weights)]
    if setting.loss.family == "pointwise":
        calls += [make_call(setting, (0,)), make_call(setting, (3, 0))]
    if setting.labelled:
        ignored = call.map(lambda t: np.full_like(t, -1), call.loss.targets)
        calls += [ignored.given(ignore_index=-1), make_call(setting, (2, 0, 3))]
    return calls


@settings(default_settings())
def test_mean_of_nothing(setting: Setting) -> None:
    for call in empty_calls(setting):
        assert call("weight_sum") == 0
        for method in METHODS:
            if "value" not in method:
                arrays = parts(call(method))
            else:
                with pytest.warns(RuntimeWarning, match=r"^Mean of empty slice$") as record:
                    value, *arrays = parts(call(method))
                assert len(record) == 1
                assert record[0].filename == __file__.replace("test_weights", "cases")
                assert np.isnan(value)
                assert type(value) is float
            for array in arrays:
                assert array.shape == call.first.shape
                assert np.all(array == 0)


@settings(default_settings())
def test_sum_of_nothing(setting: Setting) -> None:
    for call in empty_calls(setting):
        if call.keywords.get("weight") is not None and np.any(call.keywords["weight"]):
            continue
        for method in METHODS:
            for part in parts(call(method, reduction="sum")):
                assert np.all(np.asarray(part) == 0)
        assert type(call(reduction="sum")) is float


@settings(default_settings())
def test_normalized_mean_of_nothing(setting: Setting) -> None:
    call = make_call(setting, (0, 3))
    assert call(normalizer=3.0) == 0.0


@settings(default_settings())
def test_warning_made_an_error_leaves_outputs_alone(setting: Setting) -> None:
    call = make_call(setting, (4, 3)).given(weight=0.0)
    grad = call("grad")
    slots = tuple(np.full_like(x, 77) for x in parts(grad))
    out = slots if isinstance(grad, tuple) else slots[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="Mean of empty slice"):
            call("value_and_grad", out=(None, out))
    assert all(np.all(x == 77) for x in slots)


@settings(default_settings())
def test_zeros_fill_the_outputs(setting: Setting) -> None:
    call = make_call(setting, (4, 3)).given(weight=0.0)
    grad = call("grad")
    slots = tuple(np.full_like(x, 77) for x in parts(grad))
    call("grad", out=slots if isinstance(grad, tuple) else slots[0])
    assert all(np.all(x == 0) for x in slots)
