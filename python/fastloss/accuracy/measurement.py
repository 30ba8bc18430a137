# SPDX-License-Identifier: BSD-3-Clause
"""The largest errors of a loss against its formula in more digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss import reference
from fastloss.accuracy.errors import Distance, distance, suspects
from fastloss.accuracy.points import Arrays
from fastloss.accuracy.settings import Setting
from fastloss.families import Loss
from fastloss.reference import Parts

IN_CACHES = 1 << 14  # numbers of each argument that are compared at once
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
    """Compare all results of one call with the exact ones, a part that fits the caches at a time."""
    found = {name: Worst() for name in result_names(setting.loss)}
    first = arrays[setting.loss.inputs[0]]
    rows = max(IN_CACHES * len(first) // first.size, 1)
    for start in range(0, len(first), rows):
        part = {name: x[start : start + rows] for name, x in arrays.items()}
        got = results(setting, part, parameters)
        exact = exact_results(setting, part, parameters)
        for worst, a, b in zip(found.values(), got, exact, strict=True):
            worst.points += a.size
            suspect = suspects(a, b, worst.ulp.error)
            if suspect.any():
                places = np.argwhere(suspect)[:, 0]
                _look_closely(
                    worst, setting, part, parameters, places, distance(a[suspect], b[suspect])
                )
    return found


def _look_closely(
    worst: Worst,
    setting: Setting,
    arrays: Arrays,
    parameters: Mapping[str, Any],
    rows: NDArray[np.intp],
    errors: Distance,
) -> None:
    for name, of_kind in errors._asdict().items():
        index = int(of_kind.argmax())
        if of_kind[index] > getattr(worst, name).error:
            inputs = {key: x[rows[index]].tolist() for key, x in arrays.items()}
            largest = Largest(float(of_kind[index]), _kept(setting, inputs, parameters))
            setattr(worst, name, largest)


def _kept(
    setting: Setting, inputs: dict[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any] | None:
    if any(np.size(x) > LARGEST_INPUT for x in inputs.values()):
        return None
    return {"labelled": setting.labelled, "arrays": inputs, "parameters": dict(parameters)}
