# SPDX-License-Identifier: BSD-3-Clause
"""Results put where the caller wants them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases import (
    DTYPES,
    METHODS,
    REDUCTIONS,
    Call,
    assert_same_bits,
    make_call,
    make_weight,
    parts,
    sample,
    settings,
)
from fastloss.accuracy.settings import Setting, default_settings, takes_labels
from fastloss.domains import NON_NEGATIVE
from test_layouts import LAYOUTS, OFFSETS, STEPS, Layout, read_only

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
WRITEABLE_LAYOUTS = [layout for layout in LAYOUTS if layout is not read_only]
RESULTS = [(method, reduction) for method in METHODS for reduction in REDUCTIONS]
each_result = pytest.mark.parametrize(("method", "reduction"), RESULTS)


def shape_of(setting: Setting) -> tuple[int, ...]:
    return (6, 41) if setting.loss.family == "pointwise" else (9, 23)


def mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    """Apply a function to each array of a nested tuple; anything else becomes None."""
    if isinstance(structure, tuple):
        return tuple(mapped(function, x) for x in structure)
    return function(structure) if isinstance(structure, np.ndarray) else None


def as_arrays(structure: Any) -> Any:
    """Make plain arrays of instances of subclasses, and of numbers."""
    return tuple(np.asarray(x) for x in parts(structure))


def assert_same_objects(result: Any, out: Any) -> None:
    for a, b in zip(parts(result), parts(out), strict=True):
        assert b is None or a is b


@each_result
@each_dtype
@settings(default_settings())
def test_structure(setting: Setting, dtype: type, method: str, reduction: str) -> None:
    """A number's place is None; arrays are filled and returned."""
    call = make_call(setting, shape_of(setting), dtype).given(reduction=reduction)
    expected = call(method)
    out = mapped(lambda x: np.full_like(x, 77), expected)
    result = call(method, out=out)
    assert_same_bits(result, expected)
    assert_same_objects(result, out)


@each_result
@settings(default_settings())
def test_some_of_the_arrays(setting: Setting, method: str, reduction: str) -> None:
    """Where None stands for an array, a new one is made."""
    call = make_call(setting, shape_of(setting)).given(reduction=reduction)
    expected = call(method)
    count = sum(isinstance(x, np.ndarray) for x in parts(expected))
    for k in range(count):
        seen = iter(range(count))

        def only(x: np.ndarray, k: int = k, seen: Any = seen) -> Any:
            return np.full_like(x, 77) if next(seen) == k else None

        out = mapped(only, expected)
        result = call(method, out=out)
        assert_same_bits(result, expected)
        assert_same_objects(result, out)


@pytest.mark.parametrize("layout", WRITEABLE_LAYOUTS)
@settings(default_settings())
def test_layouts(setting: Setting, layout: Any) -> None:
    call = make_call(setting, (3, 5, 17))
    for method, reduction in RESULTS:
        expected = call(method, reduction=reduction)
        out = mapped(lambda x: layout(np.full_like(x, 77)), expected)
        result = call(method, reduction=reduction, out=out)
        assert_same_objects(result, out)
        assert_same_bits(as_arrays(result), as_arrays(expected))


@pytest.mark.parametrize("layouts", [STEPS, OFFSETS], ids=["steps", "offsets"])
@each_dtype
@settings(default_settings())
def test_steps_and_offsets(setting: Setting, dtype: type, layouts: list[Layout]) -> None:
    """Outputs apart from the inputs, and in their place."""
    plain = make_call(setting, (5, 37), dtype).given(reduction="none")
    expected = plain("value_grad_and_hess")
    for layout in layouts:
        call = plain.map(layout)
        out = mapped(lambda x, layout=layout: layout(np.full_like(x, 77)), expected)
        assert_same_bits(call("value_grad_and_hess", out=out), expected)
        inputs = tuple(call.arrays[name] for name in setting.loss.inputs)
        place = inputs if len(inputs) > 1 else inputs[0]
        assert_same_bits(call("value_and_grad", out=(None, place)), expected[:2])


@settings(default_settings())
def test_memory_map(setting: Setting, tmp_path: Path) -> None:
    call = make_call(setting, shape_of(setting)).given(reduction="none")
    expected = call("value_grad_and_hess")

    def in_file(x: np.ndarray) -> np.ndarray:
        return np.memmap(tmp_path / f"{id(x)}", x.dtype, "w+", 3, x.shape)

    out = mapped(in_file, expected)
    result = call("value_grad_and_hess", out=out)
    assert_same_objects(result, out)
    assert_same_bits(as_arrays(result), as_arrays(expected))


@pytest.mark.parametrize("layout", WRITEABLE_LAYOUTS)
@settings(default_settings())
def test_writes_nothing_else(setting: Setting, layout: Any) -> None:
    call = make_call(setting, (3, 5, 17))
    for method in METHODS:
        result = call(method, reduction="none")
        out = mapped(lambda x: layout(np.full_like(x, 77)), result)
        bases = [base_of(x) for x in parts(out)]
        for base, view in zip(bases, parts(out), strict=True):
            base[...] = 1
            view[...] = 0
        foreign = [np.nonzero(base)[0] for base in bases]
        before = [base[k].copy() for base, k in zip(bases, foreign, strict=True)]
        call(method, reduction="none", out=out)
        for base, k, bytes_before in zip(bases, foreign, before, strict=True):
            np.testing.assert_array_equal(base[k], bytes_before)


def base_of(x: np.ndarray) -> np.ndarray:
    """Return all the memory that an array is a part of, as bytes."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x.ravel(order="K").view(np.uint8)


@each_result
@settings(default_settings())
def test_casts_to_the_same_kind(setting: Setting, method: str, reduction: str) -> None:
    for dtype, other in ((np.float32, np.float64), (np.float64, np.float32)):
        call = make_call(setting, shape_of(setting), dtype).given(reduction=reduction)
        expected = call(method)
        out = mapped(lambda x, other=other: np.full(x.shape, 77, other), expected)
        result = call(method, out=out)
        assert_same_objects(result, out)
        assert_same_bits(result, cast(expected, other))


def cast(result: Any, dtype: type) -> Any:
    if isinstance(result, tuple):
        return tuple(cast(x, dtype) for x in result)
    return result.astype(dtype) if isinstance(result, np.ndarray) else result


@settings([s for s in default_settings() if s.loss.family == "pointwise"])
def test_array_without_dimensions(setting: Setting) -> None:
    call = make_call(setting, ())
    for method in METHODS:
        out = mapped(np.zeros_like, tuple(map(np.asarray, parts(call(method, reduction="none")))))
        plain = call(method, reduction="none")
        structure = refill(plain, iter(out))
        result = call(method, reduction="none", out=structure)
        assert_same_objects(result, structure)
        for got, expected in zip(parts(result), parts(plain), strict=True):
            assert got == expected


def refill(structure: Any, values: Any) -> Any:
    """Put other values into a nested tuple."""
    if isinstance(structure, tuple):
        return tuple(refill(x, values) for x in structure)
    return next(values)


@settings(default_settings())
def test_empty(setting: Setting) -> None:
    call = make_call(setting, (0, 4))
    for method in METHODS:
        expected = call(method, reduction="none")
        out = mapped(np.empty_like, expected)
        assert_same_objects(call(method, reduction="none", out=out), out)


# ---- outputs that share memory with arguments ------------------------------------------------


def same_place(x: np.ndarray) -> np.ndarray:
    return x


def backwards(x: np.ndarray) -> np.ndarray:
    return x[(slice(None, None, -1),) * x.ndim]


@pytest.mark.parametrize("view", [same_place, backwards])
@pytest.mark.parametrize("layout", WRITEABLE_LAYOUTS)
@each_dtype
@settings(default_settings())
def test_in_the_place_of_each_argument(
    setting: Setting, dtype: type, layout: Any, view: Any
) -> None:
    """Any of the arrays may be an output: the result is that of copies."""
    plain = make_call(setting, (5, 33), dtype)
    shape = plain.first.shape
    for method, reduction in RESULTS:
        expected = plain(method, reduction=reduction)
        places = [k for k, x in enumerate(parts(expected)) if np.shape(x) == shape]
        for place in places:
            for name, x in plain.arrays.items():
                if x.shape != shape or x.dtype != plain.first.dtype:
                    continue
                call = plain.map(lambda x: layout(x.copy()))
                here = view(call.arrays[name])
                slots = iter([here if k == place else None for k in range(len(parts(expected)))])
                result = call(method, reduction=reduction, out=refill(expected, slots))
                assert_same_bits(np.asarray(here), np.asarray(parts(expected)[place]))
                assert parts(result)[place] is here


@settings(default_settings())
def test_only_the_output_is_written(setting: Setting) -> None:
    call = make_call(setting, (5, 33))
    before = {name: x.copy() for name, x in call.arrays.items()}
    weight = make_weight(call)
    weight_before = weight.copy()
    grad = call("grad", weight=weight)
    slots = iter([call.first] + [None] * (len(parts(grad)) - 1))
    call("grad", weight=weight, out=refill(grad, slots))
    for name, x in call.arrays.items():
        assert name == call.loss.inputs[0] or np.array_equal(x, before[name])
    np.testing.assert_array_equal(weight, weight_before)


@pytest.mark.parametrize("shift", [-37, -33, -8, -2, -1, 1, 2, 3, 8, 33, 40])
@settings(default_settings())
def test_partial_overlap(setting: Setting, shift: int) -> None:
    """Outputs that start before or after an argument in the same memory."""
    plain = make_call(setting, (5, 33))
    shape, size = plain.first.shape, plain.first.size
    for method in ("grad", "grad_and_hess"):
        expected = plain(method, reduction="sum")
        for place in range(len(parts(expected))):
            for name, x in plain.arrays.items():
                memory = np.zeros(size + 80, x.dtype)
                inside = memory[40 : 40 + x.size].reshape(x.shape)
                inside[...] = x
                out = memory.view(np.float64)[40 + shift :][:size].reshape(shape)
                call = plain.map(lambda _, inside=inside: inside, (name,))
                slots = iter([out if k == place else None for k in range(len(parts(expected)))])
                call(method, reduction="sum", out=refill(expected, slots))
                assert_same_bits(out, parts(expected)[place])


@pytest.mark.parametrize("shift", [-7, 0, 1, 5])
@settings(default_settings())
def test_overlap_with_the_weight(setting: Setting, shift: int) -> None:
    plain = make_call(setting, (5, 33))
    weight = make_weight(plain)
    expected = plain("grad_and_hess", weight=weight)
    for place in range(len(parts(expected))):
        memory = np.zeros(plain.first.size + 20)
        inside = memory[10 : 10 + weight.size].reshape(weight.shape)
        inside[...] = weight
        out = memory[10 + shift :][: plain.first.size].reshape(plain.first.shape)
        slots = iter([out if k == place else None for k in range(len(parts(expected)))])
        plain("grad_and_hess", weight=inside, out=refill(expected, slots))
        assert_same_bits(out, parts(expected)[place])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(default_settings())
def test_overlap_of_another_type(setting: Setting, dtype: type) -> None:
    """An output in the same memory as an argument, but with elements of another size."""
    other = np.float64 if dtype == np.float32 else np.float32
    plain = make_call(setting, (5, 32), dtype)
    expected = plain("grad", reduction="sum")
    for name in plain.loss.inputs:
        memory = np.zeros(plain.first.size * 2, dtype)
        inside = memory[: plain.first.size].reshape(plain.first.shape)
        inside[...] = plain.arrays[name]
        out = memory.view(other)[: plain.first.size].reshape(plain.first.shape)
        slots = iter([out] + [None] * (len(parts(expected)) - 1))
        plain.map(lambda _, inside=inside: inside, (name,))(
            "grad", reduction="sum", out=refill(expected, slots)
        )
        assert_same_bits(out, parts(expected)[0].astype(other))


@settings(default_settings())
def test_transposed_overlap(setting: Setting) -> None:
    length = setting.loss.formula.row_length or 17
    call = make_call(setting, (length, length))
    expected = call("grad", reduction="sum")
    out = call.first.T
    slots = iter([out] + [None] * (len(parts(expected)) - 1))
    call("grad", reduction="sum", out=refill(expected, slots))
    assert_same_bits(out, parts(expected)[0])


def varying(call: Call) -> list[str]:
    """Return the parameters that may be arrays along the last axis."""
    return [
        name
        for name, p in call.loss.parameters.items()
        if call.loss.family == "pointwise" and p.domain.is_number
    ]


@settings(default_settings())
def test_overlap_with_a_parameter_or_class_weight(setting: Setting) -> None:
    plain = make_call(setting, (5, 33))
    lengths = dict.fromkeys(varying(plain), 33)
    if takes_labels(plain.loss):
        lengths["class_weight"] = plain.label_count
    for name, length in lengths.items():
        domain = NON_NEGATIVE if name == "class_weight" else plain.loss.parameters[name].domain
        numbers = sample(domain, np.random.default_rng(43), (length,))
        expected = plain("grad", reduction="sum", **{name: numbers})
        memory = np.zeros(plain.first.size)
        place = memory[50 : 50 + length]
        place[...] = numbers
        out = memory.reshape(plain.first.shape)
        slots = iter([out] + [None] * (len(parts(expected)) - 1))
        plain("grad", reduction="sum", out=refill(expected, slots), **{name: place})
        assert_same_bits(out, parts(expected)[0])
