# SPDX-License-Identifier: BSD-3-Clause
"""Random shapes, views, types, weights and outputs: what hypothesis finds that lists do not."""

from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from cases import METHODS, REDUCTIONS, Call, alone, assert_same_bits, make_call, make_weight, parts
from fastloss.accuracy.settings import Setting, all_settings, default_settings

ALL = all_settings()
DEFAULTS = default_settings()

hypothesis.settings.register_profile(
    "fastloss",
    max_examples=300,
    deadline=None,
    derandomize=True,
    print_blob=True,
)
hypothesis.settings.load_profile("fastloss")

lengths = st.one_of(st.integers(0, 5), st.sampled_from([7, 8, 9, 15, 16, 17, 33, 65]))
dtypes = st.sampled_from([np.float32, np.float64])


@st.composite
def shapes(draw: Any, setting: Setting) -> tuple[int, ...]:
    shape = draw(st.lists(lengths, min_size=1, max_size=4).filter(lambda x: np.prod(x) < 3000))
    if setting.loss.family != "pointwise":
        first = 2 if setting.loss.family == "overlap" and len(shape) > 2 else -1
        shape[first:] = [max(n, 1) for n in shape[first:]]
    return tuple(shape)


@st.composite
def placed(draw: Any, x: np.ndarray) -> np.ndarray:
    """Put an array somewhere into larger memory: any order, direction, steps, offset, alignment."""
    if x.ndim == 0:
        return x
    order = draw(st.permutations(range(x.ndim)))
    steps = [draw(st.sampled_from([1, 1, 1, 2, 3, -1, -2])) for _ in range(x.ndim)]
    before = [draw(st.integers(0, 2)) for _ in range(x.ndim)]
    odd = draw(st.sampled_from([0, 0, 1, 3]))
    dtype = x.dtype.newbyteorder("S") if draw(st.integers(0, 4)) == 0 else x.dtype
    lengths = [b + abs(s) * n for b, s, n in zip(before, steps, x.shape, strict=True)]
    count = int(np.prod(lengths)) * x.itemsize
    memory = np.full(count + odd, 0x5B, np.uint8)[odd:].view(dtype)
    whole = memory.reshape([lengths[k] for k in order]).transpose(np.argsort(order))
    view = whole[
        tuple(
            slice(b, b + abs(step) * n, abs(step))
            for b, step, n in zip(before, steps, x.shape, strict=True)
        )
    ]
    view = view[tuple(slice(None, None, -1 if step < 0 else 1) for step in steps)]
    view[...] = x
    assert view.shape == x.shape
    return view


@st.composite
def calls(draw: Any, among: list[Setting]) -> Call:
    """Draw a setting, a shape, a dtype, and perhaps a weight that broadcasts."""
    setting = draw(st.sampled_from(among))
    call = make_call(setting, draw(shapes(setting)), draw(dtypes), seed=draw(st.integers(0, 99)))
    if draw(st.booleans()):
        shape = call.terms_shape
        kept = draw(st.integers(0, len(shape)))
        full = make_weight(call, seed=draw(st.integers(0, 99)), dtype=draw(dtypes))
        index = tuple(slice(0, 1) if n > 0 and draw(st.booleans()) else slice(None) for n in shape)
        small = full[index]
        while small.ndim > kept and small.shape[0] == 1:
            small = small[0]
        call = call.given(weight=small)
    return call


def run(call: Call, method: str, reduction: str, **more: Any) -> Any:
    """Call a method; the mean of nothing, which warns, becomes a sum."""
    if reduction == "mean":
        unreduced = {k: x for k, x in call.keywords.items() if k != "reduction"}
        if Call(call.loss, call.arrays, unreduced)("weight_sum") == 0:
            reduction = "sum"
    return call(method, reduction=reduction, **more)


@hypothesis.given(st.data())
def test_views(data: Any) -> None:
    """Any view of any argument gives the bits of a contiguous copy."""
    call = data.draw(calls(ALL))
    method, reduction = data.draw(st.sampled_from(METHODS)), data.draw(st.sampled_from(REDUCTIONS))
    expected = run(call, method, reduction)
    odd = call.map(lambda x: data.draw(placed(x)))
    if "weight" in call.keywords:
        odd = odd.given(weight=data.draw(placed(np.asarray(call.keywords["weight"]))))
    assert_same_bits(run(odd, method, reduction), expected)


@hypothesis.given(st.data())
def test_outputs(data: Any) -> None:
    """Any view may be an output."""
    call = data.draw(calls(DEFAULTS))
    method, reduction = data.draw(st.sampled_from(METHODS)), data.draw(st.sampled_from(REDUCTIONS))
    expected = run(call, method, reduction)

    def output(x: Any) -> Any:
        if not isinstance(x, np.ndarray) or data.draw(st.integers(0, 3)) == 0:
            return None
        return data.draw(placed(np.full_like(x, 77)))

    def structure(result: Any) -> Any:
        return tuple(map(structure, result)) if isinstance(result, tuple) else output(result)

    out = structure(expected)
    result = run(call, method, reduction, out=out)
    for got, wanted, given in zip(parts(result), parts(expected), parts(out), strict=True):
        assert given is None or got is given
        assert_same_bits(np.asarray(got), np.asarray(wanted))


@hypothesis.given(st.data())
def test_overlaps(data: Any) -> None:
    """An output anywhere in an argument's memory gives the bits of a copy."""
    setting = data.draw(st.sampled_from(DEFAULTS))
    rows, columns = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 40))
    plain = make_call(setting, (rows, columns), seed=data.draw(st.integers(0, 99)))
    name = data.draw(st.sampled_from(sorted(plain.arrays)))
    x = plain.arrays[name]
    memory = np.zeros(4 * plain.first.size + 8)

    def view(dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        step = data.draw(st.sampled_from([1, 1, 2, -1, -2]))
        room = memory.size - abs(step) * size
        start = data.draw(st.integers(0, room))
        line = memory.view(dtype)[start : start + abs(step) * size : abs(step)]
        line = line[:: -1 if step < 0 else 1].reshape(shape[::-1]).T
        return line if data.draw(st.booleans()) else line.T.reshape(shape)

    inside = view(x.dtype, x.shape)
    inside[...] = x
    call = plain.map(lambda _: inside, (name,))
    method = data.draw(st.sampled_from(["grad", "grad_and_hess"]))
    expected = parts(plain(method, reduction="sum"))
    place = data.draw(st.integers(0, len(expected) - 1))
    out = view(np.float64, plain.first.shape)
    slots = iter([out if k == place else None for k in range(len(expected))])

    def structure(result: Any) -> Any:
        return tuple(map(structure, result)) if isinstance(result, tuple) else next(slots)

    call(method, reduction="sum", out=structure(plain(method, reduction="sum")))
    assert_same_bits(out, expected[place])


@hypothesis.given(st.data())
def test_batches(data: Any) -> None:
    """Terms of a part are those of the whole."""
    setting = data.draw(st.sampled_from(alone(ALL)))
    call = make_call(setting, (data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))))
    rows = call.first.shape[0]
    start = data.draw(st.integers(0, rows))
    stop = data.draw(st.integers(start, rows))
    whole = call("value_grad_and_hess", reduction="none")
    part = call.row(slice(start, stop))("value_grad_and_hess", reduction="none")
    assert_same_bits(tuple(parts(part)), tuple(x[start:stop] for x in parts(whole)))
