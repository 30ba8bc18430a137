# SPDX-License-Identifier: BSD-3-Clause
"""What libraries hand over, as the targets that losses take; and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss.curvatures import parameters_of
from fastloss.domains import REAL, SIGN, UNIT
from fastloss.families import Loss, losses
from fastloss.targets import check_target

Array = NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """The labels of a data set and their weights, and what else some losses need."""

    label: Array
    weight: Array | None = None  # of each row, or of each group
    bounds: tuple[Array, Array] | None = None  # lower and upper ones, instead of labels
    group: Array | None = None  # the sizes of groups of rows, one after the other

    def copy(self) -> Sample:
        """Copy the arrays, whose memory is the library's."""
        bounds = self.bounds and (self.bounds[0].copy(), self.bounds[1].copy())
        group = None if self.group is None else self.group.copy()
        return Sample(self.label.copy(), bounds=bounds, group=group)

    def has_targets_of(self, other: Sample) -> bool:
        """Tell whether another one differs in no more than weights."""
        bounds = zip(self.bounds or (), other.bounds or (), strict=True)
        return (
            np.array_equal(self.label, other.label)
            and (self.bounds is None) == (other.bounds is None)
            and all(np.array_equal(a, b) for a, b in bounds)
            and np.array_equal(_empty_if_none(self.group), _empty_if_none(other.group))
        )


def _empty_if_none(x: Array | None) -> Array:
    return np.empty(0) if x is None else x


def takes_bounds(loss: Loss) -> bool:
    """Tell whether targets are intervals, of which the label of a row is one."""
    return loss.family == "pointwise" and len(loss.targets) == 2


def takes_groups(loss: Loss) -> bool:
    """Tell whether rows are compared within groups."""
    return loss.family == "groupwise"


Targets = Callable[[Loss, Mapping[str, Any], Array, Sample], tuple[Array, ...]]
"""From a loss, its parameters, predictions and a sample: the loss's targets, checked."""


def group_weights(weight: Array, sizes: Array) -> Array:
    """Return a weight for each group that has rows, given one per group, or per row: their mean."""
    is_there = sizes > 0
    if weight.size == sizes.size:
        return weight[is_there]
    starts = (np.cumsum(sizes) - sizes)[is_there]
    return np.asarray(np.add.reduceat(weight, starts) / sizes[is_there])


def require_boostable(function: str, loss: Loss, parameters: Mapping[str, Any]) -> None:
    """Raise ValueError unless a model's raw predictions can be the input of a loss."""
    name = loss.__name__
    if loss.family not in TARGETS:
        raise ValueError(
            f"{function}: {name} is of the family {loss.family!r}, whose targets cannot be handed "
            f"over; the families {', '.join(TARGETS)} can"
        )
    if len(loss.inputs) > 1:
        raise ValueError(
            f"{function}: {name} has {len(loss.inputs)} inputs ({', '.join(loss.inputs)}), "
            "and a model has one kind of prediction"
        )
    if loss.formula.row_length:
        raise ValueError(
            f"{function}: {name} takes rows of {loss.formula.row_length} numbers that are no "
            "scores, and its second derivative may be 0 or negative; boost each number with a "
            "pointwise loss, such as smooth_l1"
        )
    domain = loss.input_domain[loss.inputs[0]].given(parameters_of(loss, parameters))
    raw = loss.inputs[0] in RAW and domain is REAL
    if not raw:
        more = f"{name}_with_logits"
        advice = f"; use {more}" if more in losses else ""
        raise ValueError(
            f"{function}: {name} takes {loss.inputs[0]} in its domain, but the predictions of a "
            f"model under training are any real numbers{advice}"
        )


RAW = ("pred", "logits")
"""What inputs are called that may be any number a model puts out."""


def pointwise_targets(
    loss: Loss, keywords: Mapping[str, Any], pred: Array, sample: Sample
) -> tuple[Array, ...]:
    """Return labels of the shape of the predictions, or their bounds."""
    if takes_bounds(loss):
        return bounds_of(loss, pred, sample)
    label = sample.label
    check_labels(loss, label)
    if label.size == pred.size:
        return (label.reshape(pred.shape),)
    if pred.ndim == 2 and label.shape == pred.shape[:1]:
        columns = [name for name, value in keywords.items() if np.ndim(value) == 1]
        if columns:
            return (np.broadcast_to(label[:, np.newaxis], pred.shape),)
        raise ValueError(
            f"{loss.__name__}: the model puts out {pred.shape[1]} numbers per row, one for each "
            "class, but this loss takes one: leave out num_class, or use cross_entropy for labels "
            "of classes, or give a parameter an array with a number for each of them"
        )
    raise ValueError(
        f"{loss.__name__}: there are {label.size} labels for predictions of shape {pred.shape}"
    )


def bounds_of(loss: Loss, pred: Array, sample: Sample) -> tuple[Array, Array]:
    """Return lower and upper bounds: of a label that is known, twice itself."""
    bounds = sample.bounds or (sample.label, sample.label)
    for bound in bounds:
        require_one_per_row(loss, pred, bound)
    check_labels(loss, *bounds)
    return bounds


def require_one_per_row(loss: Loss, pred: Array, label: Array) -> None:
    """Raise ValueError unless there is one prediction and one label per row."""
    if pred.ndim != 1 or label.shape != pred.shape:
        raise ValueError(
            f"{loss.__name__}: expected a prediction and a label per row, got predictions of "
            f"shape {pred.shape} and labels of shape {label.shape}"
        )


def ordered_targets(
    loss: Loss, _: Mapping[str, Any], pred: Array, sample: Sample
) -> tuple[Array, ...]:
    """Return the size of each label, and whether it is an event: whether its sign is positive."""
    require_one_per_row(loss, pred, sample.label)
    check_labels(loss, sample.label)
    return np.abs(sample.label), (sample.label > 0).astype(np.int8)


def groupwise_targets(
    loss: Loss, _: Mapping[str, Any], pred: Array, sample: Sample
) -> tuple[Array, ...]:
    """Return labels, and the number of each one's group among those that have rows."""
    name = loss.__name__
    require_one_per_row(loss, pred, sample.label)
    if sample.group is None:
        raise ValueError(
            f"{name}: the data set has no groups: give it their sizes (group=...); XGBoost's "
            "interface of scikit-learn hands none over, its train() does"
        )
    if sample.group.sum() != pred.size:
        raise ValueError(
            f"{name}: the groups have {sample.group.sum()} rows, the predictions {pred.size}"
        )
    check_labels(loss, sample.label)
    sizes = sample.group[sample.group > 0]
    return sample.label, np.repeat(np.arange(len(sizes)), sizes)


def rowwise_targets(
    loss: Loss, keywords: Mapping[str, Any], pred: Array, sample: Sample
) -> tuple[Array, ...]:
    """Return a label, a number or a row per row of predictions."""
    name, label = loss.__name__, sample.label
    if pred.ndim != 2:
        raise ValueError(
            f"{name}: expected predictions of shape (n, K), a score per class, got {pred.shape}: "
            "set num_class=K; a metric must see raw scores, not the predicted classes"
        )
    rows, classes = pred.shape
    kind = next(iter(loss.domain.values())).kind
    if label.size == pred.size and kind in ("whole", "labels or whole"):
        check_labels(loss, label)
        return (label.reshape(pred.shape),)
    if label.shape != (rows,) or kind == "whole":
        raise ValueError(
            f"{name}: the labels have the shape {label.shape}, the predictions {pred.shape}"
        )
    if kind == "number":
        check_labels(loss, label)
        return (label,)
    labels = classes + loss.formula.more_labels
    return (class_labels(name, label, labels, keywords.get("ignore_index")),)


TARGETS: Mapping[str, Targets] = MappingProxyType(
    {
        "pointwise": pointwise_targets,
        "rowwise": rowwise_targets,
        "ordered": ordered_targets,
        "groupwise": groupwise_targets,
    }
)
"""By family: how labels become targets."""


def class_labels(name: str, label: Array, classes: int, ignored: int | None) -> Array:
    """Return integer labels, or raise ValueError with the first that is none in [0, K)."""
    with np.errstate(invalid="ignore"):
        whole = label.astype(np.int32)
    wrong = whole != label
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name}: expected class labels 0, 1, ..., got {label[row].item()!r} in row {row}: "
            "a number to be predicted takes a regression loss, such as half_squared_error"
        )
    wrong = (whole < 0) | (whole >= classes)
    if ignored is not None:
        wrong &= whole != ignored
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name}: expected labels in [0, {classes}), got {whole[row]} in row {row}: "
            + _renumber(whole, classes)
        )
    return whole


def _renumber(label: Array, classes: int) -> str:
    low, high = int(label.min()), int(label.max())
    if low == 1 and high == classes:
        return "they begin with 1; subtract it"
    if low < 0:
        return "number the classes from 0, for example with sklearn's LabelEncoder"
    return f"set num_class={high + 1}, or number the classes from 0 without gaps"


def check_labels(loss: Loss, *labels: Array) -> None:
    """Raise ValueError for labels outside the loss's domain, and say what they look like."""
    try:
        check_target(loss, *labels)
    except ValueError as error:
        values = np.unique(labels[0][:1_000_000])
        domain = next(iter(loss.domain.values()))
        raise ValueError(f"{loss.__name__}: {error}{_advice(domain, values)}") from None


def _advice(domain: Any, values: Array) -> str:
    if domain is SIGN and set(values) <= {0, 1}:
        return "; labels of 0 and 1 become these by 2 * label - 1"
    if domain is UNIT and set(values) <= {-1, 1}:
        return "; labels of -1 and 1 become these by (label + 1) / 2"
    if domain is UNIT and np.all(values == np.floor(values)) and len(values) > 2:
        return "; for labels of several classes use cross_entropy, with num_class"
    return ""


def check_raw(loss: Loss, pred: Array) -> None:
    """Raise ValueError where a metric of logits sees what can only be probabilities.

    A library hands raw predictions to a metric if it trains with a custom objective, and transforms
    them otherwise. Scores that lie in [0, 1] by chance do not reach both ends, nor have rows whose
    sum is 1.
    """
    if loss.inputs[0] != "logits" or pred.size < 2:
        return
    low, high = pred.min(), pred.max()
    if low < 0 or high > 1 or low == high:
        return
    if loss.family == "rowwise":
        transformed = bool(np.all(np.abs(pred.sum(-1) - 1) < 1e-4)) and bool(np.ptp(pred, 0).any())
    else:
        transformed = bool(low < 0.05 and high > 0.95)
    if transformed:
        raise ValueError(
            f"{loss.__name__}: the metric sees probabilities, and takes raw predictions: train "
            "with an objective of fastloss.boosting beside it, which libraries hand raw "
            "predictions for, or use the library's own metric"
        )
