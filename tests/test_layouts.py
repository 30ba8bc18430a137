# SPDX-License-Identifier: BSD-3-Clause
"""How arguments lie in memory changes no bit of a result."""

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
    alone,
    assert_same_bits,
    make_call,
    make_weight,
    parts,
    settings,
)
from fastloss.accuracy.settings import Setting, all_settings, default_settings

Array = np.ndarray
Layout = Callable[[Array], Array]
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def strided(x: Array) -> Array:
    """Put two foreign numbers after each element."""
    wide = np.full((*x.shape, 3), 77, x.dtype)
    wide[..., 0] = x
    return wide[..., 0]


def strided_rows(x: Array) -> Array:
    """Put foreign numbers before and after each row."""
    wide = np.full((*x.shape[:-1], x.shape[-1] + 5), 77, x.dtype)
    wide[..., 2:-3] = x
    return wide[..., 2:-3]


def backwards(x: Array) -> Array:
    """Store the elements in reverse along every axis."""
    flip = (slice(None, None, -1),) * x.ndim
    return x[flip].copy()[flip]


def misaligned(x: Array) -> Array:
    """Start at an odd address."""
    return at_offset(1)(x)


def misaligned_strides(x: Array) -> Array:
    """Put one byte between the elements."""
    fields = np.zeros(x.shape, np.dtype([("before", np.uint8), ("x", x.dtype)]))
    fields["x"] = x
    return fields["x"]


def byte_swapped(x: Array) -> Array:
    return x.astype(x.dtype.newbyteorder("S"))


def byte_swapped_backwards(x: Array) -> Array:
    return backwards(byte_swapped(x))


def byte_swapped_and_misaligned(x: Array) -> Array:
    return misaligned_strides(byte_swapped(x))


def transposed(x: Array) -> Array:
    """Move the first axis to the end of memory."""
    return np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0)


def read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


def subclass(x: Array) -> Array:
    return x.view(np.recarray)


def unmasked(x: Array) -> Array:
    return np.ma.masked_array(x)


LAYOUTS: list[Layout] = [
    strided,
    strided_rows,
    backwards,
    misaligned,
    misaligned_strides,
    byte_swapped,
    byte_swapped_backwards,
    byte_swapped_and_misaligned,
    np.asfortranarray,
    transposed,
    read_only,
    subclass,
    unmasked,
]


def with_step(step: int) -> Layout:
    """Return the layout of every `step`-th number of memory."""

    def stepped(x: Array) -> Array:
        wide = np.full((*x.shape[:-1], x.shape[-1] * abs(step)), 77, x.dtype)
        wide[..., ::step] = x
        return wide[..., ::step]

    return stepped


def at_offset(count: int) -> Layout:
    """Return the layout that begins so many bytes after a cache line."""

    def offset(x: Array) -> Array:
        memory = np.empty(x.nbytes + 128, np.uint8)
        start = -memory.ctypes.data % 64 + count
        there = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
        there[...] = x
        return there

    return offset


STEPS = [with_step(sign * size) for size in range(1, 10) for sign in (1, -1)]
OFFSETS = [at_offset(count) for count in range(64)]


def shape_of(setting: Setting) -> tuple[int, ...]:
    return (3, 5, 29) if setting.loss.family == "pointwise" else (7, 5, 19)


def results(call: Call) -> list[Any]:
    return [call(method, reduction=r) for method in METHODS for r in REDUCTIONS]


@pytest.mark.parametrize("layout", LAYOUTS)
@each_dtype
@settings(default_settings())
def test_all_arguments(setting: Setting, dtype: type, layout: Any) -> None:
    call = make_call(setting, shape_of(setting), dtype)
    weight = make_weight(call, dtype=dtype)
    for one, other in (
        (call, call.map(layout)),
        (call.given(weight=weight), call.map(layout).given(weight=layout(weight))),
    ):
        before = [x.tobytes() for x in other.arrays.values()]
        assert_same_bits(tuple(results(other)), tuple(results(one)))
        assert [x.tobytes() for x in other.arrays.values()] == before


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(default_settings())
def test_one_argument(setting: Setting, layout: Any) -> None:
    call = make_call(setting, shape_of(setting))
    expected = tuple(results(call))
    for name in call.arrays:
        assert_same_bits(tuple(results(call.map(layout, (name,)))), expected)


@pytest.mark.parametrize("layouts", [STEPS, OFFSETS], ids=["steps", "offsets"])
@each_dtype
@settings(default_settings())
def test_steps_and_offsets(setting: Setting, dtype: type, layouts: list[Layout]) -> None:
    call = make_call(setting, shape_of(setting), dtype)
    expected = [call("value_grad_and_hess", reduction=r) for r in ("mean", "none")]
    for layout in layouts:
        odd = call.map(layout)
        got = [odd("value_grad_and_hess", reduction=r) for r in ("mean", "none")]
        assert_same_bits(tuple(got), tuple(expected))


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(default_settings())
def test_long(setting: Setting, layout: Any) -> None:
    """Longer than a block, and no multiple of one."""
    shape = (3, 4099) if setting.loss.family == "pointwise" else (1037, 13)
    call = make_call(setting, shape)
    for method in METHODS:
        for reduction in ("mean", "none"):
            expected = call(method, reduction=reduction)
            assert_same_bits(call.map(layout)(method, reduction=reduction), expected)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1), (2, 0, 1)])
@settings(default_settings())
def test_new_arrays_have_the_memory_order_of_the_input(
    setting: Setting, order: tuple[int, ...]
) -> None:
    call = make_call(setting, shape_of(setting))

    def reordered(x: Array) -> Array:
        if x.ndim != len(order):
            return x
        return x.transpose(order).copy().transpose(np.argsort(order))

    moved = call.map(reordered)
    result = parts(moved("value_grad_and_hess", reduction="none"))
    assert_same_bits(tuple(result), tuple(parts(call("value_grad_and_hess", reduction="none"))))
    for array in result:
        if array.shape == moved.first.shape:
            assert array.strides == np.empty_like(moved.first).strides


@settings(default_settings())
def test_new_arrays_are_new_native_and_aligned(setting: Setting) -> None:
    call = make_call(setting, shape_of(setting)).map(byte_swapped_and_misaligned)
    for array in parts(call("value_grad_and_hess", reduction="none")):
        assert type(array) is np.ndarray
        assert array.dtype.isnative
        assert array.flags.aligned
        assert array.flags.writeable
        assert array.flags.owndata
        assert not any(np.shares_memory(array, x) for x in call.arrays.values())


@each_dtype
@settings(default_settings())
def test_broadcast_arguments(setting: Setting, dtype: type) -> None:
    """One element, or one row, in the place of many: a stride of 0."""
    row = make_call(setting, (1, 37), dtype)
    wide = row.map(lambda x: np.broadcast_to(x, (50, *x.shape[1:])))
    plain = wide.map(np.array)
    assert_same_bits(tuple(results(wide)), tuple(results(plain)))


@each_dtype
@settings(default_settings())
def test_memory_map(setting: Setting, dtype: type, tmp_path: Path) -> None:
    call = make_call(setting, shape_of(setting), dtype)

    def mapped(x: Array) -> Array:
        path = tmp_path / f"{id(x)}.npy"
        np.save(path, x)
        return np.load(path, mmap_mode="r")

    assert_same_bits(tuple(results(call.map(mapped))), tuple(results(call)))


@settings(default_settings())
def test_lists(setting: Setting) -> None:
    call = make_call(setting, (4, 6))
    assert_same_bits(tuple(results(call.map(lambda x: x.tolist()))), tuple(results(call)))


class Wrapped:
    """Something that NumPy can make an array of."""

    def __init__(self, x: Array) -> None:
        self.x = x

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.x


@settings(default_settings())
def test_other_array_likes(setting: Setting) -> None:
    call = make_call(setting, (4, 6))
    assert_same_bits(tuple(results(call.map(Wrapped))), tuple(results(call)))
    assert_same_bits(tuple(results(call.map(memoryview))), tuple(results(call)))


@each_dtype
@settings(alone(all_settings()))
def test_position_in_the_batch(setting: Setting, dtype: type) -> None:
    """A term alone, or with others, has the same bits."""
    short = (23, 21)
    long = (9_001,) if setting.loss.family == "pointwise" else (2_101, 3)  # several blocks
    for shape in (short, long):
        call = make_call(setting, shape, dtype)
        whole = parts(call("value_grad_and_hess", reduction="none"))
        for start in (0, 5, 15, shape[0] // 2, shape[0] - 1):
            for index in (slice(start, start + 1), slice(start, start + 7), slice(start, None, 3)):
                alone = call.row(index)("value_grad_and_hess", reduction="none")
                assert_same_bits(tuple(parts(alone)), tuple(x[index] for x in whole))


@each_dtype
@settings(alone(all_settings()))
def test_neighbours_in_the_batch(setting: Setting, dtype: type) -> None:
    """What the other terms hold, and how many there are, changes nothing."""
    call = make_call(setting, (3,) if setting.loss.family == "pointwise" else (3, 5), dtype)
    alone = parts(call("value_grad_and_hess", reduction="none"))
    inputs = [call.arrays[name] for name in setting.loss.inputs]
    ids = tuple(name for name, kind in setting.loss.formula.targets.items() if kind == "key")

    def numbered(x: Array) -> Array:
        return np.repeat(np.arange(len(x))[:, None], x.shape[1], axis=1)

    for before in range(18):
        for content in (np.nan, np.inf, -np.inf, np.finfo(dtype).max, 0):

            def surrounded(x: Array, before: int = before, content: float = content) -> Array:
                many = np.repeat(x[:1], before + len(x) + 19, axis=0)
                if any(x is own for own in inputs):
                    many[...] = content
                many[before : before + len(x)] = x
                return many

            among = call.map(surrounded).map(numbered, ids)
            among = among("value_grad_and_hess", reduction="none")
            assert_same_bits(tuple(x[before : before + 3] for x in parts(among)), tuple(alone))


@each_dtype
@settings(all_settings())
def test_methods_agree(setting: Setting, dtype: type) -> None:
    """What several methods return has the same bits in all of them."""
    call = make_call(setting, (11, 43), dtype)
    for given in (call, call.given(weight=make_weight(call, dtype=dtype))):
        for reduction in REDUCTIONS:
            value, grad, hess = given("value_grad_and_hess", reduction=reduction)
            assert_same_bits(given("value", reduction=reduction), value)
            assert_same_bits(given("grad", reduction=reduction), grad)
            assert_same_bits(given("value_and_grad", reduction=reduction), (value, grad))
            assert_same_bits(given("grad_and_hess", reduction=reduction), (grad, hess))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@settings([s for s in default_settings() if s.loss.family == "rowwise"])
def test_axis(setting: Setting, axis: int) -> None:
    call = make_call(setting, (4, 5, 6))

    def move(x: Array) -> Array:
        return np.moveaxis(x, -1, axis) if x.ndim == 3 else x

    for method in METHODS:
        for reduction in REDUCTIONS:
            got = call.map(move)(method, reduction=reduction, axis=axis)
            expected = tuple(move(np.asarray(x)) for x in parts(call(method, reduction=reduction)))
            assert_same_bits(tuple(map(np.asarray, parts(got))), expected)
