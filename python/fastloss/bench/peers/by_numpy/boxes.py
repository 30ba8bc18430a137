# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of bounding boxes."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def area(low: Array, high: Array, low_moves: Array, high_moves: Array) -> tuple[Array, Array]:
    """Return areas and their gradients with respect to those ends of pred that move them."""
    size = np.maximum(high - low, 0)
    other, some = size[:, ::-1], size > 0
    grad = np.concatenate([-other * (low_moves & some), other * (high_moves & some)], axis=1)
    return size.prod(axis=1, keepdims=True), grad


def iou(pred: Array, target: Array, eps: float) -> tuple[Array, Array, Array, Array]:
    """Return 1 - IoU and the union, each with its gradient."""
    always = np.ones((len(pred), 2), bool)
    low, high, target_low, target_high = pred[:, :2], pred[:, 2:], target[:, :2], target[:, 2:]
    union, union_grad = area(low, high, always, always)
    shared, shared_grad = area(
        np.maximum(low, target_low),
        np.minimum(high, target_high),
        low > target_low,
        high < target_high,
    )
    union += area(target_low, target_high, always, always)[0]
    union -= shared
    union_grad -= shared_grad
    lacking = (union - shared) / (union + eps)
    grad = (union_grad - shared_grad - lacking * union_grad) / (union + eps)
    return lacking, grad, union, union_grad


def giou(pred: Array, target: Array, eps: float = 1e-7) -> ValueAndGrad:
    """Generalized IoU loss."""
    lacking, grad, union, union_grad = iou(pred, target, eps)
    low, high, target_low, target_high = pred[:, :2], pred[:, 2:], target[:, :2], target[:, 2:]
    hull, hull_grad = area(
        np.minimum(low, target_low),
        np.maximum(high, target_high),
        low < target_low,
        high > target_high,
    )
    penalty = (hull - union) / (hull + eps)
    grad += (hull_grad - union_grad - penalty * hull_grad) / (hull + eps)
    grad /= len(pred)
    return float(np.mean(lacking + penalty)), grad


def centre_penalty(pred: Array, target: Array, eps: float) -> tuple[Array, Array]:
    """Squared distance of the centres in units of the hull's diagonal, and its gradient."""
    apart = pred - target
    centre = (apart[:, :2] + apart[:, 2:]) / 2
    hull = np.maximum(pred, target)[:, 2:] - np.minimum(pred, target)[:, :2]
    np.maximum(hull, 0, out=hull)
    diagonal = np.square(hull).sum(axis=1, keepdims=True) + eps
    penalty = np.square(centre).sum(axis=1, keepdims=True) / diagonal
    stretch = penalty * hull
    grad = np.concatenate(
        [centre + 2 * stretch * (apart[:, :2] < 0), centre - 2 * stretch * (apart[:, 2:] > 0)], 1
    )
    grad /= diagonal
    return penalty, grad


def diou(pred: Array, target: Array, eps: float = 1e-7) -> ValueAndGrad:
    """Distance IoU loss."""
    value, grad, _, _ = iou(pred, target, eps)
    penalty, penalty_grad = centre_penalty(pred, target, eps)
    grad += penalty_grad
    grad /= len(pred)
    return float(np.mean(value + penalty)), grad


def ciou(pred: Array, target: Array, eps: float = 1e-7) -> ValueAndGrad:
    """Complete IoU loss."""
    lacking, grad, _, _ = iou(pred, target, eps)
    penalty, penalty_grad = centre_penalty(pred, target, eps)
    size = np.maximum(pred[:, 2:] - pred[:, :2], 0)
    wanted = np.maximum(target[:, 2:] - target[:, :2], 0)
    opposite = wanted[:, :1] * size[:, 1:] - size[:, :1] * wanted[:, 1:]
    angle = np.arctan2(opposite, (size * wanted).sum(axis=1, keepdims=True))
    v = np.square(2 / np.pi * angle)
    weight = v / (lacking + v + eps)
    square = np.square(size).sum(axis=1, keepdims=True)
    across = size[:, ::-1] * np.array((-1, 1), size.dtype)
    turn = np.where(size > 0, across, 0) / np.where(square > 0, square, 1)
    turn *= 8 / np.pi**2 * angle
    v_grad = np.concatenate([-turn, turn], axis=1)
    penalty_grad += weight * (2 - weight) * v_grad - weight**2 * grad
    grad += penalty_grad
    grad /= len(pred)
    return float(np.mean(lacking + penalty + weight * v)), grad
