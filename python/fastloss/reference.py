# SPDX-License-Identifier: BSD-3-Clause
"""The specification in plain NumPy: what a loss's formula becomes under weights and reductions.

It is written to be read and to be compared with, not to be fast. It computes in the arithmetic
type of the call, and also in long double where an argument is one.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.typing import NDArray

from fastloss.domains import TargetKind

Array = NDArray[Any]


class Parts:
    """A sum whose parts may cancel, as a formula returns it where they do.

    No formula in floating point keeps the relative accuracy of such a sum: its error is counted
    in ULP of its largest part, or of `size`, where other parts are meant.
    """

    def __init__(self, *parts: Any, size: Any = None) -> None:
        self._parts = parts
        self._size = size

    def __getitem__(self, index: Any) -> Parts:
        """Take a part of the elements."""
        shape = self.sum().shape
        size = None if self._size is None else self._size[index]
        return Parts(*(np.broadcast_to(part, shape)[index] for part in self._parts), size=size)

    def sum(self) -> Array:
        """Add the parts."""
        return np.asarray(sum(self._parts[1:], start=self._parts[0]))

    def size(self) -> Array:
        """Return the size of the largest part, or of the sum if it is larger."""
        sizes = [np.abs(np.asarray(sum(self._parts[1:], start=self._parts[0])))]
        if self._size is not None:
            sizes.append(self._size)
        elif len(self._parts) > 1:
            sizes += map(np.abs, self._parts)
        return np.asarray(functools.reduce(np.maximum, sizes))


def product(a: Any, b: Any) -> Any:
    """Return a·b, where 0·inf is 0 and 0·NaN is NaN, for formulas."""
    return np.where((a == 0) & ((b <= 0) | (b > 0)), 0, a * b)


def softplus(x: Any) -> Any:
    """Return log(1 + exp(x)), for formulas."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), for formulas."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


Terms = tuple[Parts, tuple[Parts, ...], tuple[Parts, ...]]
"""Value, first and second derivatives, the latter for each differentiable input."""


@dataclass(frozen=True)
class Formula:
    """The body of a loss and how its arguments are called."""

    body: Callable[..., Any]
    family: str
    arguments: tuple[str, ...]
    targets: Mapping[str, TargetKind]
    parameters: tuple[str, ...]
    more_labels: int = 0  # than a row has scores
    row_length: int = 0  # which each row has; 0: any

    @property
    def takes_labels(self) -> bool:
        """Whether a target may be labels."""
        return any(kind.startswith("labels") for kind in self.targets.values())


_formulas: dict[int, Formula] = {}

VALUE, GRAD, HESS = 0, 1, 2
# By method: value, grad, value_and_grad, grad_and_hess, value_grad_and_hess.
_PARTS = ((VALUE,), (GRAD,), (VALUE, GRAD), (GRAD, HESS), (VALUE, GRAD, HESS))
_WEIGHT_SUM = len(_PARTS)


def register(number: int, formula: Formula) -> None:
    """Make a formula known under the number of its loss."""
    _formulas[number] = formula


def make_function(
    loss: int, method: int, arguments: tuple[str, ...], keywords: dict[str, Any]
) -> Callable[..., Any]:
    """Make one method of one loss, as `_core.Function` does."""

    def function(*given: Any, **more: Any) -> Any:
        bound = inspect.signature(function).bind(*given, **more)
        bound.apply_defaults()
        return _evaluate(_formulas[loss], method, bound.arguments)

    return function


def _evaluate(formula: Formula, method: int, values: dict[str, Any]) -> Any:
    positional = {name: values[name] for name in formula.arguments}
    parameters = {name: values[name] for name in formula.parameters}
    weight, reduction = values["weight"], values.get("reduction", "none")
    arrays, stored = _in_arithmetic_type(formula, positional)
    (value, grads, hesses), mass, spread = _FAMILIES[formula.family](
        formula, arrays, parameters, values
    )
    w = np.ones_like(mass) if weight is None else np.broadcast_to(weight, mass.shape)
    w = w.astype(value.dtype)
    denominator = float(np.sum(np.where(w == 0, 0, w * mass), dtype=_wide(value)))
    if method == _WEIGHT_SUM:
        return denominator
    if reduction == "mean":
        normalizer = values["normalizer"]
        denominator = denominator if normalizer is None else normalizer
    else:
        denominator = 1.0

    def weighted(x: Array, factor: Array) -> Array:
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(np.where(factor == 0, 0, factor * x), value.dtype)

    def scaled(x: Array) -> Array:
        if not denominator:
            return np.zeros_like(x)
        return np.asarray(weighted(x, spread(w)) / value.dtype.type(denominator))

    results: list[Any] = []
    for part in _PARTS[method]:
        if part == VALUE:
            reduced = _reduce(weighted(value, w), reduction, denominator)
            results.append(reduced if reduction != "none" else reduced.astype(stored)[()])
        else:
            arrays_out = [scaled(x).astype(stored) for x in (grads, hesses)[part - 1]]
            results.append(arrays_out[0] if len(arrays_out) == 1 else tuple(arrays_out))
    result = results[0] if len(results) == 1 else tuple(results)
    return _put(result, values["out"])


def is_narrow(dtype: np.dtype[Any]) -> bool:
    """Tell whether this is float16 or bfloat16, which are stored so and computed in float32."""
    return dtype == np.float16 or dtype.name == "bfloat16"


def _in_arithmetic_type(
    formula: Formula, positional: dict[str, Any]
) -> tuple[dict[str, Array], np.dtype[Any]]:
    """Convert inputs and floating targets to the promotion of their types.

    Also return the type of the results, which differs where all of them have 16 bits.
    """
    arrays = {name: np.asarray(x) for name, x in positional.items()}
    promoting = [
        np.float64 if x.dtype.kind in "biu" else x.dtype
        for name, x in arrays.items()
        if not isinstance(positional[name], (float, int))
        and (name not in formula.targets or x.dtype.kind not in "biu")
    ]
    types = {np.dtype(np.float32) if is_narrow(np.dtype(t)) else np.dtype(t) for t in promoting}
    dtype = np.result_type(*types) if types else np.dtype(np.float64)
    stored = np.dtype(promoting[0]) if len(set(promoting)) == 1 else dtype

    def is_kept(name: str) -> bool:
        kind = formula.targets.get(name, "whole")
        is_label = kind.startswith("labels") and arrays[name].dtype.kind in "biu"
        return is_label or kind == "key"

    converted = {name: x if is_kept(name) else x.astype(dtype) for name, x in arrays.items()}
    return converted, stored


def _as_number(parameter: Any, pred: Array) -> Any:
    """Round a parameter that is a number to the arithmetic type."""
    if parameter is None or isinstance(parameter, bool | str):
        return parameter
    return np.asarray(parameter).astype(pred.dtype)[()]


def _wide(x: Array) -> Any:
    return np.result_type(x.dtype, np.float64)


def terms(
    formula: Formula, arrays: dict[str, Array], parameters: dict[str, Any], **more: Any
) -> Terms:
    """Evaluate a formula on arrays of one floating type, and parameters rounded to it."""
    first = arrays[formula.arguments[0]]
    rounded = {name: _as_number(x, first) for name, x in parameters.items()}
    value, *derivatives = formula.body(**arrays, **rounded, **more)
    grads, hesses = (x if isinstance(x, tuple) else (x,) for x in derivatives)
    return _as_parts(value), tuple(map(_as_parts, grads)), tuple(map(_as_parts, hesses))


def _as_parts(x: Any) -> Parts:
    return x if isinstance(x, Parts) else Parts(np.asarray(x))


def _added_up(terms: Terms) -> tuple[Array, tuple[Array, ...], tuple[Array, ...]]:
    value, grads, hesses = terms
    total = value.sum()
    return (
        total,
        tuple(np.asarray(x.sum(), total.dtype) for x in grads),
        tuple(np.asarray(x.sum(), total.dtype) for x in hesses),
    )


class _FamilyTerms(NamedTuple):
    """What a family makes of a formula."""

    results: tuple[Array, tuple[Array, ...], tuple[Array, ...]]  # value, grads and hesses
    mass: Array  # each term's part of the denominator
    spread: Callable[[Array], Array]  # from a number per term to one per element


def _pointwise_terms(
    formula: Formula, arrays: dict[str, Array], parameters: dict[str, Any], _: dict[str, Any]
) -> _FamilyTerms:
    arrays = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        results = _added_up(terms(formula, arrays, parameters))
    return _FamilyTerms(results, np.ones_like(results[0]), lambda w: w)


def _rowwise_terms(
    formula: Formula, arrays: dict[str, Array], parameters: dict[str, Any], values: dict[str, Any]
) -> _FamilyTerms:
    axis = values["axis"]
    rows = {
        name: x if _is_per_row(formula, name, x, arrays) else np.moveaxis(x, axis, -1)
        for name, x in arrays.items()
    }
    scores = rows[formula.arguments[0]]
    ignored = np.zeros(scores.shape[:-1], bool)
    mass = np.ones(scores.shape[:-1], scores.dtype)
    more = {}
    with np.errstate(invalid="ignore", over="ignore"):
        if formula.takes_labels:
            name = next(iter(formula.targets))
            target, ignore_index = rows[name], values["ignore_index"]
            labels = scores.shape[-1] + formula.more_labels
            cw = np.ones(labels) if values["class_weight"] is None else values["class_weight"]
            cw = np.asarray(cw).astype(scores.dtype)
            if target.ndim == scores.ndim - 1:
                if ignore_index is not None:
                    ignored = target == ignore_index
                rows[name] = one_hot(np.where(ignored, -1, target), len(cw)).astype(cw.dtype)
            more["class_weight"] = cw
            mass = np.sum(cw * rows[name], axis=-1)
        value, grads, hesses = _added_up(terms(formula, rows, parameters, **more))

    def kept(x: Array) -> Array:
        return np.moveaxis(np.where(ignored[..., None], 0, x), -1, axis)

    results = np.where(ignored, 0, value), tuple(map(kept, grads)), tuple(map(kept, hesses))
    return _FamilyTerms(results, np.where(ignored, 0, mass), lambda w: np.expand_dims(w, axis))


def _overlap_terms(
    formula: Formula, arrays: dict[str, Array], parameters: dict[str, Any], values: dict[str, Any]
) -> _FamilyTerms:
    first = arrays[formula.arguments[0]]
    given = range(2, first.ndim) if values["axis"] is None else values["axis"]
    axes = tuple(sorted(normalize_axis_tuple(given, first.ndim)))
    last = tuple(range(-len(axes), 0))

    def flat(x: Array) -> Array:
        moved = np.moveaxis(x, axes, last)
        return moved.reshape(*moved.shape[: last[0]], -1)

    def whole(x: Array) -> Array:
        return np.moveaxis(x.reshape(np.moveaxis(first, axes, last).shape), last, axes)

    masks = {name: flat(x) for name, x in arrays.items()}
    value, grads, hesses = _added_up(terms(formula, masks, parameters))
    results = value, tuple(map(whole, grads)), tuple(map(whole, hesses))
    return _FamilyTerms(results, np.ones_like(value), lambda w: np.expand_dims(w, axes))


def _ordered_terms(
    formula: Formula, arrays: dict[str, Array], parameters: dict[str, Any], values: dict[str, Any]
) -> _FamilyTerms:
    first = arrays[formula.arguments[0]]
    event = formula.arguments[-1]
    weight = np.asarray(1.0 if values["weight"] is None else values["weight"]).astype(first.dtype)
    weight = np.broadcast_to(weight, first.shape)
    kept = np.nonzero(weight)
    sample = {name: x[kept] for name, x in arrays.items()}
    with np.errstate(all="ignore"):
        value, (grad,), (hess,) = _added_up(
            ordered_terms(formula, sample, parameters, weight[kept])
        )

    def placed(x: Array) -> Array:
        result = np.zeros_like(first)
        result[kept] = x
        return result

    mass = (arrays[event] != 0).astype(first.dtype)
    return _FamilyTerms((placed(value), (placed(grad),), (placed(hess),)), mass, lambda w: w)


def ordered_terms(
    formula: Formula, arrays: dict[str, Array], parameters: dict[str, Any], weight: Array
) -> Terms:
    """Evaluate a formula of a sample: its elements in their order, NaN where any argument is."""
    key = arrays[next(iter(formula.targets))]
    order = np.argsort(key, kind="stable")
    given = {name: x[order] for name, x in arrays.items()}
    pred = formula.arguments[0]
    for x in given.values():
        given[pred] = np.where(x == x, given[pred], np.nan)  # noqa: PLR0124 (not NaN: objects have no isnan)
    place = np.argsort(order)
    value, grads, hesses = terms(formula, given, parameters, weight=weight[order])
    return value[place], tuple(x[place] for x in grads), tuple(x[place] for x in hesses)


def _groupwise_terms(
    formula: Formula, arrays: dict[str, Array], parameters: dict[str, Any], _: dict[str, Any]
) -> _FamilyTerms:
    first = arrays[formula.arguments[0]]
    ids = formula.arguments[-1]
    groups, group = np.unique(arrays[ids], return_inverse=True)
    value = np.zeros(len(groups), first.dtype)
    grad, hess = np.zeros_like(first), np.zeros_like(first)
    for k in range(len(groups)):
        here = group.reshape(first.shape) == k
        elements = {name: x[here] for name, x in arrays.items()}
        with np.errstate(all="ignore"):
            results = _added_up(terms(formula, elements, parameters))
        holds_nan = any((x != x).any() for x in elements.values())  # noqa: PLR0124
        value[k], (grad[here],), (hess[here],) = (
            (np.nan, (np.nan,), (np.nan,)) if holds_nan else results
        )
    return _FamilyTerms(
        (value, (grad,), (hess,)), np.ones_like(value), lambda w: w[group].reshape(first.shape)
    )


def _is_per_row(formula: Formula, name: str, x: Array, arrays: dict[str, Array]) -> bool:
    kind = formula.targets.get(name, "whole")
    return kind != "whole" and x.ndim < arrays[formula.arguments[0]].ndim


_FAMILIES = {
    "pointwise": _pointwise_terms,
    "rowwise": _rowwise_terms,
    "overlap": _overlap_terms,
    "ordered": _ordered_terms,
    "groupwise": _groupwise_terms,
}


def one_hot(labels: Array, classes: int) -> Array:
    """Return rows that are True at the label alone."""
    return np.asarray(labels[..., None] == np.arange(classes))


def _reduce(values: Array, reduction: str, denominator: float) -> Any:
    if reduction == "none":
        return values
    total = np.sum(values, dtype=_wide(values))
    if denominator == 0:
        warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=4)
        return float("nan")
    mean = total / denominator
    return mean if mean.dtype == np.longdouble else float(mean)


def _put(result: Any, out: Any) -> Any:
    if out is None:
        return result
    if isinstance(result, tuple):
        return tuple(_put(r, o) for r, o in zip(result, out, strict=True))
    np.copyto(out, result, casting="same_kind")
    return out
