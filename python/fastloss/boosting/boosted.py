# SPDX-License-Identifier: BSD-3-Clause
"""What the objectives and metrics of all libraries have in common."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss.boosting import hessians
from fastloss.boosting.hessians import Policy
from fastloss.boosting.samples import (
    TARGETS,
    Sample,
    check_raw,
    group_weights,
    require_boostable,
)
from fastloss.curvatures import Terms
from fastloss.families import Loss, losses

Array = NDArray[Any]

HESSIAN_FLOOR = 1e-16
"""The least second derivative, relative to the weight: XGBoost's own."""

_NOT_OF_A_LOSS = ("axis", "weight", "reduction", "normalizer", "out")


def find_loss(function: str, loss: Loss | str) -> Loss:
    """Return a loss from itself or its name, or raise ValueError."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
    found = losses.get(name)
    if found is None or (found is not loss and not isinstance(loss, str)):
        raise ValueError(f"{function}: argument 'loss': expected a loss or its name, got {loss!r}")
    return found


def own_keywords(function: str, loss: Loss, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords of a loss, with arrays for sequences, or raise TypeError for others."""
    possible = [
        p.name
        for p in inspect.signature(loss).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in _NOT_OF_A_LOSS
    ]
    for name in given:
        if name not in possible:
            takes = ", ".join(possible) or "no parameters"
            raise TypeError(f"{function}: {loss.__name__} has no {name!r}; it has {takes}")
    return {k: np.asarray(v) if np.ndim(v) else v for k, v in given.items()}


class _Memory(threading.local):
    """What one thread keeps from one round to the next."""

    def __init__(self) -> None:
        self.sample: Sample | None = None
        self.shape: tuple[int, ...] = ()
        self.targets: tuple[Array, ...] = ()
        self.buffers: tuple[Array, Array] | None = None


class Boosted:
    """A loss with its parameters, and the labels of the training that it was last used in."""

    def __init__(self, function: str, loss: Loss | str, parameters: Mapping[str, Any]) -> None:
        self.loss = find_loss(function, loss)
        self.parameters = own_keywords(function, self.loss, parameters)
        require_boostable(function, self.loss, self.parameters)
        self._function = function
        self._memory = _Memory()

    def __repr__(self) -> str:
        """Show the call that made it."""
        keywords = {**self.parameters, **self._options()}
        arguments = [f"fl.{self.loss.__name__}", *(f"{k}={v!r}" for k, v in keywords.items())]
        return f"{self._function}({', '.join(arguments)})"

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle without what is kept between rounds."""
        return {**self.__dict__, "_memory": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin with nothing kept."""
        self.__dict__.update(state, _memory=_Memory())

    def _options(self) -> dict[str, Any]:
        return {}

    def targets(self, pred: Array, sample: Sample) -> tuple[Array, ...]:
        """Return the loss's targets; labels that are those of the last round are checked once."""
        memory = self._memory
        if (
            memory.sample is None
            or memory.shape != pred.shape
            or not memory.sample.has_targets_of(sample)
        ):
            memory.sample = None
            kept = sample.copy()
            memory.targets = TARGETS[self.loss.family](self.loss, self.parameters, pred, kept)
            memory.sample, memory.shape = kept, pred.shape
        return memory.targets

    def weight(self, pred: Array, sample: Sample) -> Array | None:
        """Return weights that broadcast to the terms."""
        weight = sample.weight
        if weight is None or self.loss.family == "rowwise":
            return weight
        if sample.group is not None:
            return group_weights(weight, sample.group)
        return weight if pred.ndim == 1 else weight[:, np.newaxis]


class Objective(Boosted):
    """Both derivatives of a loss, as a library trains with them."""

    def __init__(
        self,
        function: str,
        loss: Loss | str,
        parameters: Mapping[str, Any],
        hessian: Policy,
        hessian_floor: float,
    ) -> None:
        super().__init__(function, loss, parameters)
        hessians.curvature(self.loss, hessian)  # raises for a policy that the loss does not have
        if not 0 <= hessian_floor < np.inf:
            raise ValueError(
                f"{function}: argument 'hessian_floor': expected a finite number >= 0, "
                f"got {hessian_floor!r}"
            )
        self.hessian = hessian
        self.hessian_floor = hessian_floor

    def _options(self) -> dict[str, Any]:
        return {"hessian": self.hessian, "hessian_floor": self.hessian_floor}

    def derivatives(
        self, pred: Array, sample: Sample, out: tuple[Array, Array] | None = None
    ) -> tuple[Array, Array]:
        """Return gradient and second derivative; without `out`, in buffers that are reused."""
        grad, hess = self._buffers(pred) if out is None else out
        terms = Terms(
            loss=self.loss,
            pred=pred,
            targets=self.targets(pred, sample),
            weight=self.weight(pred, sample),
            keywords=self.parameters,
            grad=grad,
            hess=hess,
        )
        hessians.curvature(self.loss, self.hessian).fill(terms)
        floor = self.hessian_floor * terms.element_weight
        if not hess.min(initial=np.inf) >= np.max(floor, initial=0):  # seldom; to look is cheap
            np.maximum(hess, floor, out=hess)
        return grad, hess

    def _buffers(self, pred: Array) -> tuple[Array, Array]:
        """Return two arrays in single precision, in the memory order of the predictions."""
        layout = pred.shape, pred.flags.c_contiguous
        kept = self._memory.buffers
        if kept is None or (kept[0].shape, kept[0].flags.c_contiguous) != layout:
            grad = np.empty_like(pred, dtype=np.float32)
            kept = self._memory.buffers = grad, np.empty_like(grad)
        return kept


class Metric(Boosted):
    """The mean of a loss, as a library watches it."""

    def __init__(self, function: str, loss: Loss | str, parameters: Mapping[str, Any]) -> None:
        super().__init__(function, loss, parameters)
        self.__name__ = self.loss.__name__

    def mean(self, pred: Array, sample: Sample) -> float:
        """Return the weighted mean of the loss of raw predictions."""
        how = {**self.parameters, "weight": self._checked(pred, sample)}
        return float(self.loss(pred, *self.targets(pred, sample), **how))

    def total(self, pred: Array, sample: Sample) -> tuple[float, float]:
        """Return the weighted sum of the loss, and that of the weights."""
        how = {**self.parameters, "weight": self._checked(pred, sample)}
        targets = self.targets(pred, sample)
        total = self.loss(pred, *targets, **how, reduction="sum")
        return float(total), float(self.loss.weight_sum(pred, *targets, **how))

    def _checked(self, pred: Array, sample: Sample) -> Array | None:
        check_raw(self.loss, pred)
        return self.weight(pred, sample)
