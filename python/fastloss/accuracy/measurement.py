# SPDX-License-Identifier: BSD-3-Clause
"""The largest errors of a loss against its formula in more digits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss import reference
from fastloss.accuracy.errors import distance
from fastloss.accuracy.points import Arrays
from fastloss.accuracy.settings import Setting
from fastloss.families import Loss
from fastloss.reference import Parts

LARGEST_INPUT = 128  # numbers of an argument that are kept with the error that they cause


@dataclass
class Worst:
    """The largest error of one result, and where it was found."""

    ulp: float = 0.0
    spacings: float = 0.0  # of subnormal results
    points: int = 0
    inputs: list[dict[str, Any]] = field(default_factory=list)  # of ulp and of spacings

    def add(self, other: Worst) -> None:
        """Take another one in."""
        self.points += other.points
        if other.inputs and (other.ulp > self.ulp or other.spacings > self.spacings):
            self.inputs = [*self.inputs, *other.inputs][-2:]
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


def exact_results(setting: Setting, arrays: Arrays, parameters: Mapping[str, Any]) -> list[Parts]:
    """Evaluate the formula in a wider type."""
    loss = setting.loss
    wide = wide_type(arrays[loss.inputs[0]].dtype)
    more = {}
    if setting.labelled:
        name = loss.targets[0]
        classes = arrays[loss.inputs[0]].shape[-1]
        arrays = arrays | {name: reference.one_hot(arrays[name], classes)}
    if loss.family == "rowwise":
        more["class_weight"] = np.ones(arrays[loss.inputs[0]].shape[-1]).astype(wide)
    widened = {name: arrays[name].astype(wide) for name in loss.formula.arguments}
    with np.errstate(all="ignore"):
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


def measure(setting: Setting, arrays: Arrays, parameters: Mapping[str, Any]) -> dict[str, Worst]:
    """Compare all results of one call with the exact ones."""
    got = results(setting, arrays, parameters)
    exact = exact_results(setting, arrays, parameters)
    found = {}
    for name, a, b in zip(result_names(setting.loss), got, exact, strict=True):
        errors = distance(a, b)
        worst = Worst(float(errors.ulp.max()), float(errors.spacings.max()), a.size)
        for error in errors:
            if error.max() > 0:
                index = np.unravel_index(int(error.argmax()), error.shape)
                worst.inputs += _inputs_at(setting, arrays, parameters, index[0])
        found[name] = worst
    return found


def _inputs_at(
    setting: Setting, arrays: Arrays, parameters: Mapping[str, Any], row: Any
) -> Iterable[dict[str, Any]]:
    inputs = {name: x[row].tolist() for name, x in arrays.items()}
    if any(np.size(x) > LARGEST_INPUT for x in inputs.values()):
        return []
    return [{"labelled": setting.labelled, "arrays": inputs, "parameters": dict(parameters)}]
