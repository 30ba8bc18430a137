# SPDX-License-Identifier: BSD-3-Clause
"""With `out`, a call needs memory for a block of each array per thread, however large they are."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, Call, kinds_of_calls, make_call, make_weight, settings
from fastloss.accuracy.settings import Setting, takes_labels
from test_layouts import (
    Layout,
    backwards,
    byte_swapped,
    strided_rows,
    transposed,
)

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
RESET_THE_PEAK = "5"
LIBC = ctypes.CDLL(None)
PR_SET_THP_DISABLE = 41
M_MMAP_THRESHOLD = -3
KIB = 2**10

MEASURABLE = RESET.exists() and hasattr(LIBC, "malloc_trim")
pytestmark = pytest.mark.skipif(
    not MEASURABLE, reason="memory is measured with Linux and glibc only"
)
if MEASURABLE:
    # From the first test on, large arrays go back to the system when they are freed. Left alone,
    # malloc raises this threshold with what it sees, keeps them, and a copy hides in such memory.
    LIBC.mallopt(M_MMAP_THRESHOLD, 128 * KIB)

MIB = 2**20
TERMS = MIB // 2  # an array with a number per term has 2 or 4 MiB
CLASSES = 4
# At least a row of each array, and at most so many numbers, are looked at together by a thread.
BLOCK = 4096
# Partial sums, and pages that the kernel has counted late.
SLACK = MIB // 2
SORTED = 104  # bytes for each element of a sample that is sorted
GROUP = 24  # bytes for each group, for where it begins
THREADS = 2


@pytest.fixture(scope="module", autouse=True)
def few_objects() -> Iterator[None]:
    """Keep the collector from looking at what the other tests have, before each measurement."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def small_pages() -> Iterator[None]:
    """Keep the system from giving 2 MiB where a few bytes are touched."""
    LIBC.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    yield
    LIBC.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)


def resident(which: str) -> int:
    """Return the process's resident memory in bytes, now (VmRSS) or at its peak (VmHWM)."""
    lines = STATUS.read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(which))


def extra_memory(function: Callable[[], object]) -> int:
    """Return by how much the process's memory grows while a function runs."""
    gc.collect()  # what is freed meanwhile, and
    LIBC.malloc_trim(0)  # memory that is free but kept, would hide what is taken again
    RESET.write_text(RESET_THE_PEAK)
    before = resident("VmRSS")
    function()
    return resident("VmHWM") - before


def limit(call: Call) -> int:
    """Return the most that a call may need: scratch for all its arrays, in double precision."""
    arrays = len(call.arrays) + 2 * len(call.loss.inputs) + len(call.keywords) + 2
    if call.loss.family == "ordered":
        return SORTED * call.first.size + SLACK
    groups = GROUP * call.terms_shape[0] if call.loss.family == "groupwise" else 0
    return THREADS * arrays * BLOCK * 8 + SLACK + groups


def results(call: Call, layout: Layout) -> Any:
    """Return the `out` of value_grad_and_hess with reduction="none"."""
    value = layout(np.zeros(call.terms_shape, call.first.dtype))

    def derivatives() -> Any:
        each = [layout(np.zeros_like(call.arrays[name])) for name in call.loss.inputs]
        return each[0] if len(each) == 1 else tuple(each)

    return value, derivatives(), derivatives()


def calls_on(call: Call, layout: Layout) -> Iterator[Callable[[], object]]:
    """Yield calls with all outputs, and with a sum beside the derivatives."""
    value, grad, hess = results(call, layout)
    yield lambda: call("value_grad_and_hess", reduction="none", out=(value, grad, hess))
    yield lambda: call("value_and_grad", out=(None, grad))
    yield lambda: call("value")
    yield lambda: call("weight_sum")


def check(call: Call, *runs: Callable[[], object]) -> None:
    """Hold these calls, of the arguments of `call`, to the limit."""
    with fl.threads(THREADS):
        for run in runs:
            run()  # starts threads and touches pages that stay
            assert extra_memory(run) < limit(call)


def check_all(call: Call, layout: Layout = np.ascontiguousarray) -> None:
    check(call, *calls_on(call, layout))


def large_call(setting: Setting, dtype: Any = np.float32) -> Call:
    family = setting.loss.family
    classes = (CLASSES,) if family in ("rowwise", "groupwise", "overlap") else ()
    terms = TERMS // CLASSES if family == "groupwise" else TERMS  # which take longest
    return make_call(setting, (512, terms // 512, *classes), dtype)


@settings(kinds_of_calls())
@pytest.mark.parametrize("dtype", DTYPES)
def test_contiguous(setting: Setting, dtype: Any) -> None:
    check_all(large_call(setting, dtype))


@settings(kinds_of_calls())
@pytest.mark.parametrize(
    "layout",
    [
        strided_rows,
        backwards,
        byte_swapped,
        np.asfortranarray,
        transposed,
    ],
)
def test_layouts(setting: Setting, layout: Layout) -> None:
    check_all(large_call(setting).map(layout), layout)


@settings(kinds_of_calls())
def test_mixed_types(setting: Setting) -> None:
    call = large_call(setting, np.float64)
    check_all(call.map(lambda x: x.astype(np.float32), call.loss.inputs[:1]))


@settings(kinds_of_calls())
@pytest.mark.parametrize("layout", [np.ascontiguousarray, strided_rows])
def test_narrow_types(setting: Setting, layout: Layout) -> None:
    call = large_call(setting)
    kinds = setting.loss.formula.targets
    names = [name for name in call.arrays if kinds.get(name) != "key"]
    narrow = call.map(lambda x: x.astype(np.float16) if x.dtype.kind == "f" else x, tuple(names))
    check_all(narrow.map(layout), layout)


@settings(kinds_of_calls())
def test_integer_targets(setting: Setting) -> None:
    """Labels, or numbers where the loss has them."""
    names = [name for name, kind in setting.loss.formula.targets.items() if kind != "key"]
    check_all(large_call(setting).map(lambda x: np.minimum(x, 99).astype(np.int16), tuple(names)))


@settings(kinds_of_calls())
def test_weights(setting: Setting) -> None:
    call = large_call(setting)
    weight = make_weight(call)
    for each in weight, weight[..., :1], weight[0]:
        check_all(call.given(weight=each))


@settings([s for s in kinds_of_calls() if s.loss.family == "pointwise" and s.parameters])
def test_parameters_that_vary(setting: Setting) -> None:
    call = large_call(setting)
    for name, parameter in setting.loss.parameters.items():
        if parameter.domain.is_number:
            check_all(call.given(**{name: np.full(call.first.shape[-1], parameter.default)}))


@settings([s for s in kinds_of_calls() if takes_labels(s.loss)])
def test_class_weights(setting: Setting) -> None:
    call = large_call(setting)
    check_all(call.given(class_weight=np.arange(1.0, call.label_count + 1)))


@settings([s for s in kinds_of_calls() if s.labelled])
def test_ignored_labels(setting: Setting) -> None:
    check_all(large_call(setting).given(ignore_index=0))


@settings([s for s in kinds_of_calls() if s.loss.family == "rowwise"])
@pytest.mark.parametrize("axis", [0, 1])
def test_other_axes(setting: Setting, axis: int) -> None:
    call = large_call(setting)
    whole = tuple(name for name, x in call.arrays.items() if x.shape == call.first.shape)
    moved = call.map(lambda x: np.moveaxis(x, -1, axis).copy(), whole)
    grads = tuple(np.zeros_like(moved.first) for _ in call.loss.inputs)
    out = (None, grads if len(grads) > 1 else grads[0])
    check(moved, lambda: moved("value_and_grad", axis=axis, out=out))


@settings(kinds_of_calls())
def test_in_place(setting: Setting) -> None:
    call = large_call(setting)
    grads = tuple(call.arrays[name] for name in call.loss.inputs)
    out = grads[0] if len(grads) == 1 else grads
    check(call, lambda: call("grad", out=out))


@settings([s for s in kinds_of_calls() if s.loss.family == "overlap"])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, strided_rows, backwards, byte_swapped])
def test_large_masks(setting: Setting, layout: Layout) -> None:
    check_all(make_call(setting, (1, 2, TERMS), np.float32).map(layout), layout)


@settings([s for s in kinds_of_calls() if s.loss.family in ("pointwise", "rowwise", "overlap")])
def test_a_partial_overlap_costs_a_copy(setting: Setting) -> None:
    """So the measurement sees copies, where a call does not take more for each element anyway."""
    call = large_call(setting)
    memory = np.zeros((call.first.shape[0] + 1, *call.first.shape[1:]), call.first.dtype)
    memory[:-1] = call.first
    call = call.map(lambda _: memory[:-1], call.loss.inputs[:1])
    others = [np.zeros_like(call.first) for _ in call.loss.inputs[1:]]
    out = (memory[1:], *others) if others else memory[1:]
    extra = extra_memory(lambda: call("grad", out=out))
    assert abs(extra - call.first.nbytes) < limit(call)
    assert limit(call) < call.first.nbytes
