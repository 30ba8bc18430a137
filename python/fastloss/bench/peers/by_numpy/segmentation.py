# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of masks."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def dice(pred: Array, target: Array) -> ValueAndGrad:
    """Dice loss."""
    return tversky(pred, target, 0.5, 0.5)


def jaccard(pred: Array, target: Array) -> ValueAndGrad:
    """Jaccard loss."""
    return tversky(pred, target, 1.0, 1.0)


def focal_tversky(pred: Array, target: Array) -> ValueAndGrad:
    """Focal Tversky loss with γ = 4/3."""
    return tversky(pred, target, 0.5, 0.5, exponent=0.75)


def tversky(
    pred: Array, target: Array, alpha: float = 0.5, beta: float = 0.5, exponent: float = 1.0
) -> ValueAndGrad:
    """Tversky loss of masks along all axes but the first two, whose gradient is up − (up + down)·t.

    Predictions that are nothing where nothing is are not provided for.
    """
    axes = tuple(range(2, pred.ndim))
    product = pred * target
    both = product.sum(axes, keepdims=True)
    false_positive = np.subtract(pred, product, out=product).sum(axes, keepdims=True)
    false_negative = target.sum(axes, keepdims=True) - both
    wrong = alpha * false_positive + beta * false_negative
    whole = both + wrong
    distance = wrong / whole
    value = distance**exponent
    scale = exponent * value / (distance * whole**2 * value.size)
    up = alpha * both * scale
    grad = np.multiply(target, -(up + (beta * both + wrong) * scale), out=product)
    grad += up
    return float(np.mean(value)), grad
