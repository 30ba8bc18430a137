# SPDX-License-Identifier: BSD-3-Clause
"""Everything that can be wrong with a call, for any loss: the table that test_errors.py runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from cases import Call
from fastloss.accuracy.settings import Setting, takes_labels

HUGE = 10**400  # beyond every float


@dataclass(frozen=True)
class Fault:
    """One wrong call: what is raised, about which argument, and what the message says of it."""

    name: str
    call: Call
    argument: str
    error: type[Exception]
    got: str  # what the message says that came
    in_weight_sum: bool = True  # whether the method weight_sum has this argument


class Refusing:
    """Something that NumPy cannot make an array of."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise RuntimeError("not today")


def faults(setting: Setting, call: Call) -> Iterator[Fault]:
    """Yield all faults that a loss's call can have, but for those of `out`."""
    for name in call.arrays:
        yield from _arrays(call, name, lambda x, name=name: call.map(lambda _: x, (name,)))
        yield from _shapes(setting, call, name)
    yield from _arrays(call, "weight", lambda x: call.given(weight=x), call.terms_shape)
    yield from _weights(call)
    yield from _parameters(setting, call)
    yield from _reductions(call)
    if setting.loss.family == "rowwise":
        yield from _rowwise(setting, call)
    if setting.loss.family == "overlap":
        yield from _overlap(call)
    if setting.loss.family == "groupwise":
        floats = call.map(lambda x: x.astype(np.float64), call.loss.targets[-1:])
        yield Fault("ids that are floats", floats, call.loss.targets[-1], TypeError, "floats")


def _arrays(
    call: Call,
    name: str,
    put: Callable[[Any], Call],
    shape: tuple[int, ...] | None = None,
) -> Iterator[Fault]:
    """Yield arrays of types that no argument may have."""
    shape = np.shape(call.arrays[name]) if shape is None else shape
    ones = np.ones(shape)
    for dtype, text in [
        ("complex128", "dtype complex128"),
        ("complex64", "dtype complex64"),
        ("longdouble", f"dtype {np.dtype(np.longdouble)}"),
        ("object", "dtype object"),
        ("U3", "dtype <U3"),
        ("S3", r"dtype |S3"),
        ("M8[s]", r"dtype datetime64[s]"),
        ("m8[s]", r"dtype timedelta64[s]"),
        ("V8", "dtype |V8"),
    ]:
        wrong = np.zeros(shape, dtype) if dtype == "V8" else ones.astype(int).astype(dtype)
        yield Fault(f"{name} of {dtype}", put(wrong), name, TypeError, text)
    masked = np.ma.masked_array(ones, np.arange(ones.size).reshape(shape) == 0)
    yield Fault(f"masked {name}", put(masked), name, TypeError, "a masked array")
    yield Fault(f"{name} of text", put("text"), name, TypeError, "dtype <U4")
    yield Fault(f"{name} that is a set", put({1.0}), name, TypeError, "dtype object")
    if name != "weight":
        yield Fault(f"None as {name}", put(None), name, TypeError, "dtype object")
    yield Fault(f"ragged {name}", put([[1.0], [1.0, 2.0]]), name, ValueError, "inhomogeneous")
    yield Fault(f"refusing {name}", put(Refusing()), name, TypeError, "not today")
    yield Fault(f"{name} of fractions", put([Fraction(1, 2)]), name, TypeError, "dtype object")


def _shapes(setting: Setting, call: Call, name: str) -> Iterator[Fault]:
    """Yield arrays that do not fit the first one: nothing is broadcast silently."""
    x = call.arrays[name]
    if name == call.loss.inputs[0]:
        return
    wrong = {
        "one more": np.concatenate([x, x[:1]]),
        "one less": x[:-1],
        "one": x[:1],
        "one dimension more": x[..., None],
        "one dimension more before": x[None],
        "none": x[:0],
    }
    if x.ndim == call.first.ndim:
        wrong["one column"] = x[..., :1]
        wrong["another order"] = np.ascontiguousarray(x.T)
    if name in call.loss.inputs or setting.loss.family != "pointwise":
        wrong["number"] = x.ravel()[0]
    for kind, array in wrong.items():
        if setting.target_kind == "labels" and kind == "one dimension more":
            continue  # would be probabilities
        shape = str(np.shape(array))
        error = ValueError
        yield Fault(f"{name}: {kind}", call.map(lambda _, a=array: a, (name,)), name, error, shape)


def _weights(call: Call) -> Iterator[Fault]:
    shape = call.terms_shape
    for wrong in [(shape[0] + 1, *shape[1:]), (1, *shape), (*shape[:-1], 2 * shape[-1]), (0,)]:
        given = call.given(weight=np.ones(wrong))
        yield Fault(f"weight of shape {wrong}", given, "weight", ValueError, str(wrong))
    if call.loss.family == "ordered":
        for place in [(0,) * len(shape), tuple(n - 1 for n in shape)]:
            weight = np.ones(shape)
            weight[place] = -0.5
            given = call.given(weight=weight)
            text = f"-0.5 at index {place}"
            yield Fault(f"negative weight at {place}", given, "weight", ValueError, text)


def _parameters(setting: Setting, call: Call) -> Iterator[Fault]:
    for name, parameter in setting.loss.parameters.items():
        domain = parameter.domain

        def fault(x: Any, error: type[Exception], name: str = name) -> Fault:
            return Fault(f"{name}={str(x)[:9]}", call.given(**{name: x}), name, error, "", False)

        for x in (1j, np.complex128(1), np.longdouble(1), {}, Fraction(1, 2), b"1"):
            yield fault(x, TypeError)
        if domain.words:
            for x in ("", "1", domain.words[0].upper(), domain.words[0] + " "):
                yield fault(x, ValueError)
            for x in (0, 1.0, None, True, list(domain.words), domain.words[0].encode()):
                yield fault(x, TypeError)
            continue
        yield fault("1", TypeError)
        if domain.is_flag:
            for x in (0, 1, 1.0, None, "yes", np.int64(1)):
                yield fault(x, TypeError)
            continue
        if np.isnan(domain.when_none):
            yield fault(None, TypeError)
        wrong = [np.nan, np.inf, -np.inf, HUGE, -HUGE, np.float32(np.nan)]
        if np.isfinite(domain.low):
            wrong += [domain.low - 1, np.nextafter(domain.low, -np.inf)]
            wrong += [] if domain.includes_low else [domain.low, int(domain.low)]
            wrong += [-0.0] * (domain.low == 0 and not domain.includes_low)
        if np.isfinite(domain.high):
            wrong += [domain.high + 1, np.nextafter(domain.high, np.inf)]
            wrong += [] if domain.includes_high else [domain.high]
        for x in wrong:
            yield fault(x, ValueError)
        yield from _varying(setting, call, name)


def _varying(setting: Setting, call: Call, name: str) -> Iterator[Fault]:
    length = call.first.shape[-1]
    fine = 0.5
    row = np.full(length, fine)
    if setting.loss.family != "pointwise":
        wrong: dict[str, Any] = {"list": [fine] * length, "array": row}
        for kind, x in wrong.items():
            yield Fault(f"{name}: {kind}", call.given(**{name: x}), name, TypeError, "", False)
        return
    below = setting.loss.parameters[name].domain.low - 1  # infinite for any real number
    bad = row.copy()
    bad[-1] = np.nan
    for kind, x in {
        "longer": np.append(row, fine),
        "shorter": row[:-1],
        "one": row[:1],
        "matrix": row[None],
        "whole": np.full(call.first.shape, fine),
        "NaN among them": bad,
        "below the domain among them": np.where(np.isnan(bad), below, bad),
    }.items():
        yield Fault(f"{name}: {kind}", call.given(**{name: x}), name, ValueError, "", False)
    yield Fault(f"{name}: text", call.given(**{name: ["1"] * length}), name, TypeError, "", False)


def _reductions(call: Call) -> Iterator[Fault]:
    for x, error in [
        ("average", ValueError),
        ("", ValueError),
        ("Mean", ValueError),
        (None, TypeError),
        (1, TypeError),
        (b"mean", TypeError),
    ]:
        given = call.given(reduction=x)
        yield Fault(f"reduction={x!r}", given, "reduction", error, repr(x), False)
    for x, error in [
        (0.0, ValueError),
        (0, ValueError),
        (-1.0, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
        (HUGE, ValueError),
        ("1", TypeError),
        (1j, TypeError),
        ([1.0], TypeError),
        (np.ones(1), TypeError),
    ]:
        given = call.given(reduction="mean", normalizer=x)
        yield Fault(f"normalizer={str(x)[:9]}", given, "normalizer", error, "", False)
    for reduction in ("sum", "none"):
        given = call.given(reduction=reduction, normalizer=1.0)
        yield Fault(f"normalizer with {reduction}", given, "normalizer", ValueError, "", False)


def _rowwise(setting: Setting, call: Call) -> Iterator[Fault]:
    first = call.loss.inputs[0]
    ndim, classes = call.first.ndim, call.label_count
    for x, error in [
        (ndim, ValueError),
        (-ndim - 1, ValueError),
        (2**70, ValueError),
        (-(2**70), ValueError),
        (1.0, TypeError),
        (None, TypeError),
        ("0", TypeError),
        ((0,), TypeError),
    ]:
        yield Fault(f"axis={x!r}", call.given(axis=x), "axis", error, "")
    number = call.map(lambda _: 1.0)
    yield Fault("scores without dimensions", number, first, ValueError, "")
    no_class = call.map(lambda x: x[..., :0], (first,))
    yield Fault("no classes", no_class, first, ValueError, "shape")
    if call.loss.formula.row_length:
        longer = call.map(lambda x: np.concatenate([x, x[..., :1]], axis=-1))
        yield Fault("rows of another length", longer, first, ValueError, f"{classes + 1})")
    if not takes_labels(call.loss):
        return
    target = call.loss.targets[0]
    for wrong in [classes - 1, classes + 1, 1]:
        given = call.given(class_weight=np.ones(wrong))
        yield Fault(f"{wrong} class weights", given, "class_weight", ValueError, f"({wrong},)")
    matrix = call.given(class_weight=np.ones((1, classes)))
    yield Fault("matrix of class weights", matrix, "class_weight", ValueError, "(1,")
    for dtype in ("complex128", "object", "U1"):
        given = call.given(class_weight=np.ones(classes).astype(int).astype(dtype))
        yield Fault(f"class weights of {dtype}", given, "class_weight", TypeError, "dtype")
    if not setting.labelled:
        given = call.given(ignore_index=0)
        yield Fault("ignore_index", given, "ignore_index", ValueError, "0")
        return
    for x, error in [(1.0, TypeError), ("1", TypeError), (2**63, ValueError), ([1], TypeError)]:
        yield Fault(f"ignore_index={x}", call.given(ignore_index=x), "ignore_index", error, "")
    floats = call.map(lambda x: x.astype(np.float32), (target,))
    yield Fault("labels that are floats", floats, target, TypeError, "")
    yield from _labels(call, target)


def _overlap(call: Call) -> Iterator[Fault]:
    first, ndim = call.loss.inputs[0], call.first.ndim
    for x, error in [
        (ndim, ValueError),
        (-ndim - 1, ValueError),
        (2**70, ValueError),
        ((0, ndim), ValueError),
        ((1, 1), ValueError),
        ((1, 1 - ndim), ValueError),
        ((), ValueError),
        (1.0, TypeError),
        ("0", TypeError),
        ([0], TypeError),
        ((0, None), TypeError),
        (np.arange(2), TypeError),
    ]:
        yield Fault(f"axis={x!r}", call.given(axis=x), "axis", error, "")
    flat = call.map(lambda x: x.reshape(len(x), -1))
    yield Fault("no axes for masks", flat, first, ValueError, str(flat.first.shape))
    nothing = call.map(lambda x: x[..., :0])
    yield Fault("masks without elements", nothing, first, ValueError, "shape")


def _labels(call: Call, target: str) -> Iterator[Fault]:
    shape, classes = call.terms_shape, call.label_count
    for place in [(0,) * len(shape), tuple(n - 1 for n in shape), tuple(n // 2 for n in shape)]:
        position = place[0] if len(place) == 1 else place
        for dtype, bad in [
            (np.int8, -1),
            (np.int16, classes),
            (np.int32, -(2**31)),
            (np.int64, 2**63 - 1),
            (np.int64, -(2**63)),
            (np.uint8, 255),
            (np.uint32, 2**32 - 1),
            (np.uint64, 2**64 - 1),
            (np.uint64, 2**63),
            (np.uint64, 2**64 - 100),
            (np.int64, 2**32),
        ]:
            labels = np.zeros(shape, dtype)
            labels[place] = bad
            if place == (0,) * len(shape):
                labels[-1] = classes  # not the first one
            text = f"{bad} at index {position}"
            for ignored in (None, -100, -3):
                given = call.map(lambda _, x=labels: x, (target,)).given(ignore_index=ignored)
                name = f"label {bad} at {position}, ignore_index={ignored}"
                yield Fault(name, given, target, IndexError, text)
