# SPDX-License-Identifier: BSD-3-Clause
"""The largest errors of a loss against its formula in more digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss import reference
from fastloss.accuracy.errors import distance, suspects
from fastloss.accuracy.points import Arrays
from fastloss.accuracy.settings import Setting
from fastloss.families import Loss
from fastloss.reference import Parts

IN_CACHES = 1 << 14  # numbers of each argument, which are compared at once
LARGEST_INPUT = 128  # numbers of an argument that are kept with the error that they cause


@dataclass(order=True)
class Largest:
    """An error and the arguments that cause it, if they are not too many to be kept."""

    error: float = 0.0
    inputs: dict[str, Any] | None = field(default=None, compare=False)


@dataclass
class Worst:
    """The largest errors of one result."""

    points: int = 0
    ulp: Largest = field(default_factory=Largest)
    spacings: Largest = field(default_factory=Largest)  # of subnormal results

    def add(self, other: Worst) -> None:
        """Take another one in."""
        self.points += other.points
        self.ulp = max(self.ulp, other.ulp)
        self.spacings = max(self.spacings, other.spacings)


def wide_type(dtype: Any) -> Any:
    """Return a type with at least twice the digits."""
    if np.dtype(dtype) == np.float32:
        return np.dtype(np.float64)
    from numpy_quaddtype import QuadPrecDType  # noqa: PLC0415 (only here: an extra)

    return QuadPrecDType()


def result_names(loss: Loss) -> Iterator[str]:
    """Name the results of `value_grad_and_hess` one by one."""
    yield "value"
    for kind in ("grad", "hess"):
        for name in loss.inputs:
            yield kind if len(loss.inputs) == 1 else f"{kind}[{name}]"


def exact_results(
    setting: Setting,
    arrays: Arrays,
    parameters: Mapping[str, Any],
    widen: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> list[Parts]:
    """Evaluate the formula in a wider type, or in the one that `widen` converts to."""
    loss = setting.loss
    first = arrays[loss.inputs[0]]
    wide = wide_type(first.dtype)
    convert = widen or (lambda x: x.astype(wide))
    more = {}
    labels = first.shape[-1] + loss.formula.more_labels
    if loss.formula.takes_labels:
        more["class_weight"] = convert(np.ones(labels))
    if setting.labelled:
        name = loss.targets[0]
        arrays = arrays | {name: reference.one_hot(arrays[name], labels)}
    keys = {name for name, kind in loss.formula.targets.items() if kind == "key"}
    widened = {
        name: arrays[name] if name in keys else convert(arrays[name])
        for name in loss.formula.arguments
    }
    with np.errstate(all="ignore"):
        if loss.family == "ordered":
            value, grads, hesses = reference.ordered_terms(
                loss.formula, widened, dict(parameters), convert(np.ones(len(first)))
            )
        else:
            value, grads, hesses = reference.terms(loss.formula, widened, dict(parameters), **more)
    return [value, *grads, *hesses]


def results(setting: Setting, arrays: Arrays, parameters: Mapping[str, Any]) -> list[NDArray[Any]]:
    """Evaluate the kernel."""
    loss = setting.loss
    given = [arrays[name] for name in loss.formula.arguments]
    value, grads, hesses = loss.value_grad_and_hess(*given, **parameters, reduction="none")
    if len(loss.inputs) == 1:
        return [value, grads, hesses]
    return [value, *grads, *hesses]


@np.errstate(all="ignore")
def measure(setting: Setting, arrays: Arrays, parameters: Mapping[str, Any]) -> dict[str, Worst]:
    """Compare all results of one call with the exact ones."""
    found = {name: Worst() for name in result_names(setting.loss)}
    first = arrays[setting.loss.inputs[0]]
    rows = max(IN_CACHES * len(first) // first.size, 1)
    for start in range(0, len(first), rows):
        part = {name: x[start : start + rows] for name, x in arrays.items()}
        got = results(setting, part, parameters)
        exact = exact_results(setting, part, parameters)
        for worst, a, b in zip(found.values(), got, exact, strict=True):
            worst.add(_largest(a, b, worst.ulp.error, _Call(setting, part, parameters)))
    return found


@dataclass
class _Call:
    setting: Setting
    arrays: Arrays
    parameters: Mapping[str, Any]

    def at(self, row: int) -> dict[str, Any] | None:
        """Return the arguments of a row, or nothing where they are too many to be kept."""
        if self.setting.loss.family == "ordered":
            return None  # the whole sample
        arrays = {name: x[row].tolist() for name, x in self.arrays.items()}
        if any(np.size(x) > LARGEST_INPUT for x in arrays.values()):
            return None
        labelled = self.setting.labelled
        return {"labelled": labelled, "arrays": arrays, "parameters": dict(self.parameters)}


def _largest(got: NDArray[Any], exact: Parts, known: float, call: _Call) -> Worst:
    """Find the largest errors beyond one that is known."""
    worst = Worst(got.size)
    suspect = suspects(got, exact, known)
    if suspect.any():
        rows = np.argwhere(suspect)[:, 0]
        errors = distance(got[suspect], exact[suspect])
        worst.ulp, worst.spacings = (
            Largest(float(x.max()), call.at(rows[x.argmax()])) for x in errors
        )
    return worst
