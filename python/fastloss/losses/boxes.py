# SPDX-License-Identifier: BSD-3-Clause
"""Row-wise losses of bounding boxes: a box and its target make one term."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastloss.domains import POSITIVE, REAL
from fastloss.families import Accuracy, Bounds, rowwise
from fastloss.reference import Parts

Sum = list[Any]
"""The parts of a sum, which may cancel."""


def _times(factor: Any, parts: Sum) -> Sum:
    return [factor * part for part in parts]


def _product(a: Sum, b: Sum) -> Sum:
    return [x * y for x in a for y in b]


class _Slope(NamedTuple):
    """A first and a second derivative."""

    first: Sum
    second: Sum


class _Axis(NamedTuple):
    """Both boxes on one axis: lengths, and what the overlap leaves of each."""

    pred: Any
    target: Any
    overlap: Any
    hull: Any
    pred_rest: Any
    target_rest: Any
    centre: Any  # that of pred less that of target
    is_empty: Any  # pred
    inside: tuple[Any, Any]  # whether the beginning and the end of pred are inside of target,
    together: tuple[Any, Any]  # or just at its beginning and end


def _axis(pred: Any, target: Any, k: int) -> _Axis:
    p1, p2, t1, t2 = pred[..., k], pred[..., k + 2], target[..., k], target[..., k + 2]
    beginning, end = np.maximum(p1, t1), np.minimum(p2, t2)

    def positive(x: Any) -> Any:
        return np.where(x <= 0, 0, x)

    return _Axis(
        positive(p2 - p1),
        positive(t2 - t1),
        end - beginning,
        positive(np.maximum(p2, t2) - np.minimum(p1, t1)),
        (beginning - p1) + (p2 - end),
        (beginning - t1) + (t2 - end),
        ((p1 - t1) + (p2 - t2)) / 2,
        p2 <= p1,
        (p1 > t1, p2 < t2),
        (p1 == t1, p2 == t2),
    )


class _Boxes:
    """Areas and 1 − IoU: sums of what the intersection leaves, in which nothing cancels."""

    def __init__(self, pred: Any, target: Any, eps: Any) -> None:
        x, y = self.axes = _axis(pred, target, 0), _axis(pred, target, 1)
        self.eps = eps
        self.overlap = (x.overlap > 0) & (y.overlap > 0)
        areas = x.pred * y.pred, x.target * y.target
        rests = (
            np.where(self.overlap, x.pred * y.pred_rest + x.pred_rest * y.overlap, areas[0]),
            np.where(self.overlap, x.target * y.target_rest + x.target_rest * y.overlap, areas[1]),
        )
        self.intersection = np.where(self.overlap, x.overlap * y.overlap, 0)
        self.union = rests[0] + areas[1]
        self.hull = x.hull * y.hull
        both = x.pred_rest * y.target_rest + x.target_rest * y.pred_rest
        self.hull_rest = np.where(self.overlap, both, self.hull - areas[0] - areas[1])
        self.lacking = (rests[0] + rests[1]) / (self.union + eps)

    def growth(self, k: int) -> Any:
        """Return how much pred grows as an end of it moves outwards on an axis."""
        return np.where(self.axes[k].is_empty, 0, self.axes[1 - k].pred)

    def union_growth(self, k: int, inside: bool) -> Any:
        """Return the same of the union."""
        growth = self.growth(k)
        return np.where(self.overlap, self.axes[1 - k].pred_rest, growth) if inside else growth

    def hull_growth(self, k: int, inside: bool) -> Any:
        """Return the same of the hull."""
        hull = np.where(self.axes[k].hull == 0, 0, self.axes[1 - k].hull)
        return np.zeros_like(hull) if inside else hull

    def slope(self, k: int, inside: bool) -> _Slope:
        """Differentiate 1 − IoU."""
        divisor = self.union + self.eps
        first = [self.growth(k) * ((self.intersection + self.eps) / divisor) / divisor]
        if inside:
            both = (self.union + self.intersection + 2 * self.eps) / divisor
            shared = np.where(self.overlap, self.axes[1 - k].overlap, 0)
            first.append(-shared * both / divisor)
        return _Slope(first, _times(-2 * self.union_growth(k, inside) / divisor, first))


Penalty = Callable[[_Boxes], tuple[Any, Callable[[int, int, bool, _Slope], _Slope]]]
"""Its value, and its derivatives from those of 1 − IoU, by axis, end of pred and side of it."""


def _hull_penalty(boxes: _Boxes) -> Any:
    divisor = boxes.hull + boxes.eps

    def slope(k: int, end: int, inside: bool, of_lacking: _Slope) -> _Slope:
        if inside:
            return _Slope([-boxes.union_growth(k, True) / divisor], [np.zeros_like(divisor)])
        growth = boxes.hull_growth(k, False) / divisor
        first = [(boxes.union + boxes.eps) / divisor * growth, -boxes.growth(k) / divisor]
        return _Slope(first, _times(-2 * growth, first))

    return boxes.hull_rest / divisor, slope


def _centre_penalty(boxes: _Boxes) -> Any:
    x, y = boxes.axes
    divisor = x.hull**2 + y.hull**2 + boxes.eps
    value = (x.centre**2 + y.centre**2) / divisor

    def slope(k: int, end: int, inside: bool, of_lacking: _Slope) -> _Slope:
        along = boxes.axes[k]
        moves = np.where(inside | (along.hull == 0), 0, 2 + 0 * divisor)
        growth = moves * along.hull / divisor
        first = [(-along.centre if end == 0 else along.centre) / divisor, -value * growth]
        second = [(0.5 + 0 * divisor) / divisor, -value * moves / divisor]
        return _Slope(first, second + _times(-2 * growth, first))

    return value, slope


def _aspect_penalty(boxes: _Boxes) -> Any:
    x, y = boxes.axes
    centres, slope_of_centres = _centre_penalty(boxes)
    opposite = x.target * y.pred - x.pred * y.target
    adjacent = y.target * y.pred + x.target * x.pred
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.where(opposite == 0, 0 * adjacent, np.arctan(opposite / adjacent))
    pi = 0 * boxes.eps + np.pi + np.sin(np.pi)  # the sine is what np.pi lacks
    scale = 4 / pi**2
    v = scale * angle**2
    divisor = boxes.lacking + v + boxes.eps
    value = v * (v / divisor)

    def slope(k: int, end: int, inside: bool, of_lacking: _Slope) -> _Slope:
        along, across = boxes.axes[k], boxes.axes[1 - k]
        square = np.where(along.is_empty, 1, along.pred**2 + across.pred**2)
        turn = np.where(along.is_empty, 0, (-across.pred if k == 0 else across.pred) / square)
        bend = np.where(along.is_empty, 0, -2 * along.pred / square * turn)
        of_v = _Slope([2 * scale * angle * turn], [2 * scale * turn**2, 2 * scale * angle * bend])
        divisor_first = of_lacking.first + of_v.first
        divisor_second = of_lacking.second + of_v.second
        first = _times(2 * v / divisor, of_v.first) + _times(-value / divisor, divisor_first)
        second = _times(2 / divisor, _product(of_v.first, of_v.first))
        second += _times(2 * v / divisor, of_v.second) + _times(-value / divisor, divisor_second)
        second += _times(-2 / divisor, _product(first, divisor_first))
        of_centres = slope_of_centres(k, end, inside, of_lacking)
        return _Slope(first + of_centres.first, second + of_centres.second)

    return centres + value, slope


def _box_loss(pred: Any, target: Any, eps: Any, penalty: Any) -> Any:
    """Return 1 − IoU and a penalty, and their derivatives."""
    boxes = _Boxes(pred, target, eps)
    nothing = (pred - pred + (target - target)).sum(-1)  # NaN where a coordinate is infinite
    value, slope_of_penalty = penalty(boxes)
    grads, hesses = [], []
    for k, end in ((0, 0), (1, 0), (0, 1), (1, 1)):

        def slope(inside: bool, k: int = k, end: int = end) -> _Slope:
            of_lacking = boxes.slope(k, inside)
            of_penalty = slope_of_penalty(k, end, inside, of_lacking)
            return _Slope(
                of_lacking.first + of_penalty.first, of_lacking.second + of_penalty.second
            )

        within, beyond = slope(True), slope(False)
        inside, together = boxes.axes[k].inside[end], boxes.axes[k].together[end]
        a, b = Parts(*within.first).sum(), Parts(*beyond.first).sum()
        agree = (a > 0) & (b > 0) | (a < 0) & (b < 0)
        nearer = np.abs(a) < np.abs(b)
        uses = inside | together & agree & nearer, ~inside & ~together | together & agree & ~nearer
        outwards = -1 if end == 0 else 1
        grads.append(
            [outwards * np.where(uses[0], part, 0) for part in within.first]
            + [outwards * np.where(uses[1], part, 0) for part in beyond.first]
            + [nothing]
        )
        hesses.append(
            [np.where(inside | together, part, 0) for part in within.second]
            + [np.where(inside | together, 0, part) for part in beyond.second]
            + [nothing]
        )
    grad, hess = (
        Parts(*(np.stack(parts, -1) for parts in zip(*of_ends, strict=True)))
        for of_ends in (grads, hesses)
    )
    return boxes.lacking + value + nothing, grad, hess


@rowwise(Accuracy(Bounds(1, 1, 1), otherwise=Bounds(1, 1, 1)), target=REAL, eps=POSITIVE)
def giou(pred: Any, target: Any, *, eps: Any = 1e-7) -> Any:
    """Generalized IoU loss of bounding boxes.

    ℓ = 1 − IoU + (hull − union)/(hull + eps), 1 − IoU = (union − intersection)/(union + eps), with
    the areas of both boxes' union, of their intersection, and of the smallest box that holds both.

    Parameters
    ----------
    pred : array_like
        Predicted boxes, x₁, y₁, x₂, y₂ along `axis`: any real numbers. A box whose x₂ ≤ x₁ or
        y₂ ≤ y₁ is empty: its area is 0.
    target : array_like
        True boxes likewise, of the shape of `pred`.
    eps : float, default 1e-7
        What is added to areas that divide; positive.

    Notes
    -----
    Equal boxes have ℓ = 0, nearly equal ones no lost digits, and empty ones a finite loss. Where
    an edge of `pred` lies just at that of `target`, or would leave the empty box, the gradient is
    that of least norm between both sides; the second derivative is that of the side of `target`.
    Coordinates are to have cubes that are finite; with an infinite one, all is NaN.

    In other libraries: ``torchvision.ops.generalized_box_iou_loss``, which has 1 − intersection /
    (union + eps) for 1 − IoU: more by eps/(union + eps), so that equal boxes have no loss of 0.

    References
    ----------
    H. Rezatofighi et al., Generalized intersection over union, CVPR 2019.

    Examples
    --------
    >>> import fastloss as fl
    >>> pred, target = [[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0]], [[1.0, 0.0, 3.0, 2.0]] * 2
    >>> print(fl.giou(pred, target, reduction="none").round(6))
    [0.666667 1.166667]
    >>> value, grad = fl.giou.value_and_grad(target, target)
    >>> value, float(abs(grad).max())
    (0.0, 0.0)
    """
    return _box_loss(pred, target, eps, _hull_penalty)


@rowwise(Accuracy(Bounds(1, 1, 1), otherwise=Bounds(1, 1, 1)), target=REAL, eps=POSITIVE)
def diou(pred: Any, target: Any, *, eps: Any = 1e-7) -> Any:
    """Distance IoU loss of bounding boxes.

    ℓ = 1 − IoU + ρ²/(c² + eps), 1 − IoU = (union − intersection)/(union + eps), with the distance
    ρ of both boxes' centres and the diagonal c of the smallest box that holds both.

    Parameters
    ----------
    pred : array_like
        Predicted boxes, x₁, y₁, x₂, y₂ along `axis`: any real numbers. A box whose x₂ ≤ x₁ or
        y₂ ≤ y₁ is empty: its area is 0.
    target : array_like
        True boxes likewise, of the shape of `pred`.
    eps : float, default 1e-7
        What is added to areas that divide; positive.

    Notes
    -----
    Equal boxes have ℓ = 0, nearly equal ones no lost digits. Where an edge of `pred` lies just at
    that of `target`, the gradient is that of least norm between both sides; the second derivative
    is that of the side of `target`. Coordinates are to have cubes that are finite; with an
    infinite one, all is NaN.

    In other libraries: ``torchvision.ops.distance_box_iou_loss``, which has 1 − intersection /
    (union + eps) for 1 − IoU: more by eps/(union + eps), so that equal boxes have no loss of 0.

    References
    ----------
    Z. Zheng et al., Distance-IoU loss, AAAI 2020.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.diou([[0.0, 0.0, 2.0, 2.0]], [[1.0, 0.0, 3.0, 2.0]]), 6)
    0.74359
    """
    return _box_loss(pred, target, eps, _centre_penalty)


@rowwise(Accuracy(Bounds(2, 2, 2)), target=REAL, eps=POSITIVE)
def ciou(pred: Any, target: Any, *, eps: Any = 1e-7) -> Any:
    """Complete IoU loss of bounding boxes.

    ℓ = 1 − IoU + ρ²/(c² + eps) + α·v, the distance IoU loss and a part for how differently wide
    the boxes are: v = (2/π·(arctan(w'/h') − arctan(w/h)))², with the widths and heights of both
    boxes, and α = v/(1 − IoU + v + eps).

    Parameters
    ----------
    pred : array_like
        Predicted boxes, x₁, y₁, x₂, y₂ along `axis`: any real numbers. A box whose x₂ ≤ x₁ or
        y₂ ≤ y₁ is empty: its area is 0.
    target : array_like
        True boxes likewise, of the shape of `pred`.
    eps : float, default 1e-7
        What is added to areas that divide, and to the divisor of α; positive.

    Notes
    -----
    The gradient is that of ℓ, so α is differentiated, too. Equal boxes have ℓ = 0, nearly equal
    ones no lost digits. A box without width and height is as wide as any other. Where an edge of
    `pred` lies just at that of `target`, the gradient is that of least norm between both sides; the
    second derivative is that of the side of `target`. Coordinates are to have cubes that are
    finite; with an infinite one, all is NaN.

    In other libraries: ``torchvision.ops.complete_box_iou_loss``, which has 1 − intersection /
    (union + eps) for 1 − IoU, more by eps/(union + eps), so that equal boxes have no loss of 0.
    There, as in the paper, α counts as constant in the gradient, and the first parts have an eps of
    1e-7 whatever was given.

    References
    ----------
    Z. Zheng et al., Distance-IoU loss, AAAI 2020.

    Examples
    --------
    >>> import fastloss as fl
    >>> pred, target = [[0.0, 0.0, 2.0, 1.0]], [[0.0, 0.0, 1.0, 2.0]]
    >>> fl.ciou(pred, target) > fl.diou(pred, target)
    True
    """
    return _box_loss(pred, target, eps, _aspect_penalty)
