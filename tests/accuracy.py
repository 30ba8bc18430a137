# SPDX-License-Identifier: BSD-3-Clause
"""How far a result may lie from the exact one.

A result is right if it is the exact one, rounded, for arguments changed by a few units in the
last place: |result − exact| ≤ FACTOR·u·(|exact| + Σ |x·∂exact/∂x|), summed over all arguments x.
The sum is large just where the formula itself magnifies rounding, and it is measured, so that a
new loss needs no tolerance of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

from cases import METHODS, REDUCTIONS, Call, parts
from fastloss import _core
from fastloss.reference import Parts

FACTOR = 8.0
_STEP = np.longdouble(2) ** -36
_SIGNS = 16  # random changes of a row
_SMALLEST_NUMBERS = 64  # what underflow inside a formula may cost
_EVERYTHING = "value_grad_and_hess"


def exactly(call: Call, dtype: Any) -> Call:
    """Round every number to the arithmetic type, then widen it to long double."""

    def widen(x: Any) -> Any:
        return np.asarray(x).astype(dtype).astype(np.longdouble)

    arrays = {
        name: widen(x) if name in call.loss.inputs or np.asarray(x).dtype.kind == "f" else x
        for name, x in call.arrays.items()
    }
    keywords = {
        name: widen(x)[()] if _is_number(name, x) else x for name, x in call.keywords.items()
    }
    return Call(call.loss, arrays, keywords)


def _is_number(name: str, x: Any) -> bool:
    is_choice = name in ("axis", "ignore_index") or isinstance(x, bool | np.bool_ | str)
    return x is not None and not is_choice


def reference(call: Call, method: str, dtype: Any) -> Any:
    """Return the reference's result in long double."""
    with np.errstate(all="ignore"):
        return exactly(call, dtype).reference(method)


def sizes(call: Call, dtype: Any) -> dict[str, list[Any]]:
    """Return |exact| + Σ |x·∂exact/∂x| for each term: of the values, the grads, the hesses.

    Of a sum of parts that may cancel, |exact| is that of the largest part.
    """
    exact = exactly(call.given(reduction="none"), dtype)
    with np.errstate(all="ignore"):
        base = parts(exact.reference(_EVERYTHING))
        with mock.patch.object(Parts, "sum", Parts.size):
            totals = [np.abs(part) for part in parts(exact.reference(_EVERYTHING))]
        for changes in _changes(exact):
            largest = [np.zeros_like(part) for part in base]
            for changed in changes:
                for k, part in enumerate(parts(changed.reference(_EVERYTHING))):
                    largest[k] = np.fmax(largest[k], np.abs(part - base[k]) / _STEP)
            for k, change in enumerate(largest):
                totals[k] += np.where(np.isfinite(change), change, 0)
    inputs = len(call.loss.inputs)
    return {"value": totals[:1], "grad": totals[1 : 1 + inputs], "hess": totals[1 + inputs :]}


def _changes(call: Call) -> Iterator[list[Call]]:
    """Change one argument at a time a little; what makes one term, together and up or down."""
    generator = np.random.default_rng(3)
    for group in ("arrays", "keywords"):
        for name, x in getattr(call, group).items():
            if np.asarray(x).dtype != np.longdouble or name in ("weight", "normalizer"):
                continue
            if call.loss.formula.targets.get(name) == "key":
                continue
            signs = [np.ones(1)]
            if call.loss.family != "pointwise" and np.ndim(x) > 0:
                together = x.shape if call.loss.family == "ordered" else x.shape[-1:]
                signs = list(generator.choice([-1, 1], size=(_SIGNS, *together)))
            yield [
                replace(call, **{group: {**getattr(call, group), name: x * (1 + _STEP * sign)}})
                for sign in signs
            ]


def assert_accurate(call: Call, dtype: Any) -> None:
    """Compare all methods under all reductions with their exact results."""
    unit = np.finfo(dtype).eps / 2
    smallest = np.finfo(dtype).smallest_subnormal
    # Without fma, products are rounded before they are added.
    factor = 2 * FACTOR if _core.isa() == "baseline" else FACTOR
    allowed = {
        name: [factor * unit * size + _SMALLEST_NUMBERS * smallest for size in of_parts]
        for name, of_parts in sizes(call, dtype).items()
    }
    weight = {name: x for name, x in call.keywords.items() if name == "weight"}
    total = Call(call.loss, call.arrays, _options(call)).reference("weight_sum", **weight)
    overflow = float(np.finfo(dtype).max) / 16  # of a term, roughly, before it is divided
    for reduction in REDUCTIONS:
        normalizer = call.keywords.get("normalizer") or abs(total) if reduction == "mean" else 1
        reduced = call.given(reduction=reduction)
        for method in METHODS:
            names = [name for name in ("value", "grad", "hess") if name in method]
            tolerances = [tolerance for name in names for tolerance in allowed[name]]
            got, exact = parts(reduced(method)), parts(reference(reduced, method, dtype))
            for a, b, tolerance in zip(got, exact, tolerances, strict=True):
                summed = np.sum(tolerance) if np.ndim(b) < np.ndim(tolerance) else tolerance
                assert_within(
                    a,
                    b,
                    summed / normalizer + smallest,
                    f"{method} with reduction={reduction!r}: ",
                    overflow / normalizer,
                )


def _options(call: Call) -> dict[str, Any]:
    return {
        name: x
        for name, x in call.keywords.items()
        if name not in ("weight", "normalizer", "reduction")
    }


def assert_within(
    got: Any, exact: Any, tolerance: Any, what: str = "", overflow: float = np.inf
) -> None:
    """Compare with the exact result, which may be infinite from `overflow` on; show the worst."""
    got = np.asarray(got)
    assert got.shape == np.shape(exact), what
    with np.errstate(invalid="ignore"):
        error = np.abs(got - exact)
    same = (got == exact) | (np.isnan(got) & np.isnan(exact))
    same |= (got == np.copysign(np.inf, exact)) & (np.abs(exact) >= overflow)
    wrong = ~(same | (error <= tolerance))
    if wrong.any():
        ratio = np.where(wrong, error / tolerance, 0)
        worst = np.unravel_index(np.argmax(np.nan_to_num(ratio, nan=np.inf)), got.shape)
        raise AssertionError(
            f"{what}{wrong.sum()} of {got.size} differ, worst at {tuple(map(int, worst))}: "
            f"{got[worst]!r} instead of {np.asarray(exact)[worst]!r}, "
            f"{float(ratio[worst]):.3g} times what is allowed"
        )
