# SPDX-License-Identifier: BSD-3-Clause
"""The best constant prediction, from which boosting begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss.boosting.boosted import find_loss, own_keywords
from fastloss.boosting.samples import check_labels, class_labels, require_boostable, takes_bounds
from fastloss.curvatures import Kinked, Residual, parameters_of
from fastloss.families import Loss

Array = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
FAR = 1e3
"""A constant that is so far from all targets, or so large a score, is a sign that none is best."""


def init_score(
    loss: Loss | str,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    num_class: int | None = None,
    **parameters: Any,
) -> float | Array:
    """Return the constant raw prediction of least loss.

    Libraries find it for their own objectives only, and begin with 0 or 0.5 for others.

    Parameters
    ----------
    loss : function or str
        A loss of fastloss, or its name.
    target : array_like of shape (n,) or (n, K)
        Its targets: as labels have them. Of `aft` two columns are lower and upper bounds.
    weight : array_like of shape (n,), optional
        A weight for each row, not negative.
    num_class : int, optional
        The number of classes of a row-wise loss; by default what the labels need.
    **parameters
        The loss's own: ``delta``, ``pos_weight``, ``class_weight``, ...

    Returns
    -------
    float or ndarray of shape (K,)
        The constant; one for each class of a row-wise loss, for each column of the target, and for
        each number of a parameter that is an array.

    Raises
    ------
    TypeError
        If the loss has no such parameter.
    ValueError
        If targets are outside the domain, or no finite constant is best, as for labels that are
        all 1.

    Notes
    -----
    Where a loss is linear between kinks it is a weighted quantile of these: of the targets, for the
    absolute error their median, the middle of all medians. Elsewhere it is where the sum of the
    gradients changes its sign, to the last digits. For a loss that is not convex, that is the
    minimum next to the best of 65 quantiles of the targets. No constant changes a loss of the
    differences between predictions, as `cox` and losses of groups are: it is 0.

    In XGBoost it is ``base_score``; in LightGBM and CatBoost ``init_score`` and ``baseline`` of
    every row, which their predictions do not contain.

    Examples
    --------
    >>> from fastloss.boosting import init_score
    >>> init_score("mae", [1.0, 5.0, 2.0])
    2.0
    >>> round(init_score("binary_cross_entropy_with_logits", [0, 1, 1, 1]), 6)
    1.098612
    >>> print(init_score("cross_entropy", [0, 1, 1, 1]).round(6))
    [-1.386294 -0.287682]
    """
    found = find_loss("init_score", loss)
    keywords = own_keywords("init_score", found, parameters)
    require_boostable("init_score", found, keywords)
    y = np.asarray(target)
    if y.ndim not in (1, 2) or not len(y):
        raise ValueError(f"init_score: expected targets of shape (n,) or (n, K), got {y.shape}")
    w: Array = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    if w.shape != y.shape[:1] or not np.all((w >= 0) & (w < np.inf)) or not w.any():
        raise ValueError("init_score: expected a finite weight >= 0 per row, not all 0")
    if found.family == "rowwise":
        return _of_classes(found, y, w, keywords, num_class)
    if found.family in ("ordered", "groupwise"):
        return 0.0
    if takes_bounds(found):
        return _of_bounds(found, y, w, keywords)
    check_labels(found, y)
    y = y.astype(np.float64)
    columns = {len(v) for v in keywords.values() if np.ndim(v) == 1} | set(y.shape[1:])
    if not columns:
        return _of_column(found, y, w, keywords)
    if len(columns) > 1:
        raise ValueError(f"init_score: arrays have {sorted(columns)} columns")
    count = columns.pop()
    wide = np.broadcast_to(y if y.ndim == 2 else y[:, np.newaxis], (len(y), count))
    return np.array(
        [
            _of_column(
                found, wide[:, k], w, {n: v[k] if np.ndim(v) else v for n, v in keywords.items()}
            )
            for k in range(count)
        ]
    )


def _of_bounds(loss: Loss, y: Array, w: Array, keywords: Mapping[str, Any]) -> float:
    bounds = np.stack([y, y], axis=1) if y.ndim == 1 else y
    if bounds.shape[1] != 2:
        raise ValueError(
            f"init_score: {loss.__name__}: expected targets of shape (n,), or (n, 2) for lower and "
            f"upper bounds, got {y.shape}"
        )
    lower, upper = bounds[w > 0].astype(np.float64).T
    check_labels(loss, lower, upper)
    return _root(_Total(loss, (lower, upper), w[w > 0], keywords), 0.0)


def _of_column(loss: Loss, y: Array, w: Array, keywords: Mapping[str, Any]) -> float:
    y, w = y[w > 0], w[w > 0]
    curvature = loss.curvatures.positive
    if isinstance(curvature, Kinked):
        places = curvature.kinks(y, **parameters_of(loss, keywords))
        return _between_kinks(_Total(loss, (y,), w, keywords), w, places)
    total = _Total(loss, (y,), w, keywords)
    start = 0.0
    if isinstance(curvature, Residual):
        candidates = np.quantile(y, np.linspace(0, 1, 65))
        start = float(min(candidates, key=total.value))
    return _root(total, start)


class _Total:
    """The sum of a loss over all targets, as a function of one constant."""

    def __init__(
        self, loss: Loss, targets: tuple[Array, ...], w: Array, keywords: Mapping[str, Any]
    ) -> None:
        self.loss, self.targets = loss, targets
        self.how = {**keywords, "weight": w, "reduction": "sum"}
        self.spread = 1 + float(np.abs(targets[0]).max())

    def _at(self, x: float) -> Array:
        return np.broadcast_to(np.float64(x), self.targets[0].shape)

    def value(self, x: float) -> float:
        return float(self.loss(self._at(x), *self.targets, **self.how))

    def slopes(self, x: float) -> tuple[float, float]:
        with np.errstate(over="ignore", invalid="ignore"):
            grad, hess = self.loss.grad_and_hess(self._at(x), *self.targets, **self.how)
            return float(grad.sum()), float(hess.sum())

    def unbounded(self, x: float) -> ValueError:
        direction = "∞" if x > 0 else "-∞"
        return ValueError(
            f"init_score: {self.loss.__name__} of these targets falls without end towards "
            f"{direction}: no finite constant is best (are all labels the same?)"
        )


def _root(total: _Total, start: float) -> float:
    """Return where the slope turns from negative to positive, by Newton steps in a bracket."""
    x, (slope, bend) = start, total.slopes(start)
    if slope == 0:
        return x
    away = -np.sign(slope)
    step = 1.0 if bend <= 0 else min(abs(slope / bend), total.spread)
    low = high = x
    while True:
        x = x + away * step
        step *= 2
        slope, bend = total.slopes(x)
        if slope == 0 and bend > 0:
            return float(x)
        if slope * away > 0:
            break
        if not abs(slope) > 0 or abs(x - start) > FAR * total.spread:
            raise total.unbounded(x)
        low = high = x
    low, high = (low, x) if away > 0 else (x, high)
    step = high - low
    while high - low > 2 * EPS * max(abs(low), abs(high)):
        following = x - slope / bend if bend > 0 else x
        newton = low < following < high and abs(following - x) <= step / 2
        if not newton:  # not yet where steps shrink fast
            following = low + (high - low) / 2
            if following in (low, high):
                break
        step = abs(following - x)
        x = following
        slope, bend = total.slopes(x)
        if slope == 0 or (newton and step <= EPS * abs(x)):
            break
        low, high = (x, high) if slope < 0 else (low, x)
    return float(x)


def _between_kinks(total: _Total, w: Array, kinks: tuple[tuple[Any, Any], ...]) -> float:
    """Return where the slope, which jumps at the kinks and nowhere else, turns positive."""
    places = np.concatenate([np.broadcast_to(place, w.shape) for place, _ in kinks])
    jumps = np.concatenate([np.broadcast_to(jump, w.shape) * w for _, jump in kinks])
    order = np.argsort(places, kind="stable")
    places, jumps = places[order], jumps[order]
    leftmost, _ = total.slopes(float(places[0]) - total.spread)
    rising = leftmost + np.cumsum(jumps)
    rounding = len(places) * EPS * float(np.abs(jumps).sum())
    if leftmost > rounding or rising[-1] < -rounding:
        raise total.unbounded(-leftmost)
    first = int(np.argmax(rising >= -rounding))
    last = int(np.argmax(rising > rounding)) if rising[-1] > rounding else first
    return float(places[first] + (places[last] - places[first]) / 2)


def _of_classes(
    loss: Loss, y: NDArray[Any], w: Array, keywords: Mapping[str, Any], num_class: int | None
) -> Array:
    """Return scores by steps that divide by twice the diagonal, a majorant of a softmax."""
    name = loss.__name__
    if loss.hess_kind != "exact":
        raise ValueError(f"init_score: {name} has no second derivative to find a constant by")
    if y.ndim == 1:
        ignored = keywords.get("ignore_index")
        counted = y[y != ignored] if ignored is not None else y
        more = loss.formula.more_labels
        classes = num_class or int(counted.max()) + 1 - more
        labels = class_labels(name, y, classes + more, ignored)
        kept = labels != ignored if ignored is not None else np.ones(len(y), dtype=bool)
        # The rows of one class are one term.
        target: NDArray[Any] = np.arange(classes + more, dtype=np.int32)
        count = np.bincount(labels[kept], weights=w[kept], minlength=classes + more)
        mass = frequency = count.astype(np.float64)
    else:
        check_labels(loss, y)
        target, classes = y.astype(np.float64), y.shape[1]
        mass, frequency = w, w @ target
    occurring = frequency[frequency > 0]
    x = np.log(np.maximum(frequency, occurring.min() / 2) / occurring.sum())[:classes]
    shape = (len(target), classes)
    how = {**keywords, "weight": mass, "reduction": "sum"}
    for _ in range(20_000):
        value, grad, hess = loss.value_grad_and_hess(np.broadcast_to(x, shape), target, **how)
        curvature = np.maximum(np.abs(hess).sum(0), np.finfo(np.float64).tiny)
        step = grad.sum(0) / (2 * curvature)
        if hess.min() < 0:  # not convex here: no further than it goes down
            step = np.clip(step, -1, 1)
            while loss(np.broadcast_to(x - step, shape), target, **how) > value:
                step = step / 2
        x = x - step
        if np.abs(step).max() <= 4 * EPS * max(1.0, float(np.abs(x).max())):
            return np.asarray(x)
    absent = np.flatnonzero(frequency == 0)
    raise ValueError(
        f"init_score: {name} has no finite constant that its gradients lead to"
        + (f": class {absent[0]} is not in the data" if len(absent) else "")
    )
