# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of two classes."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def hinge(pred: Array, target: Array) -> ValueAndGrad:
    """Hinge loss."""
    margin = pred * target
    np.subtract(1, margin, out=margin)
    grad = target * (margin > 0)
    grad /= -margin.size
    return float(np.mean(np.maximum(margin, 0, out=margin))), grad


def squared_hinge(pred: Array, target: Array) -> ValueAndGrad:
    """Squared hinge loss."""
    margin = pred * target
    np.subtract(1, margin, out=margin)
    np.maximum(margin, 0, out=margin)
    grad = target * margin
    grad *= -2 / margin.size
    return float(np.mean(np.square(margin, out=margin))), grad


def perceptron(pred: Array, target: Array) -> ValueAndGrad:
    """Perceptron loss."""
    wrong = pred * target
    grad = target * (wrong < 0)
    grad /= -wrong.size
    return -float(np.mean(np.minimum(wrong, 0, out=wrong))), grad


def modified_huber(pred: Array, target: Array) -> ValueAndGrad:
    """Squared hinge that becomes linear, c·(2m - c) with c the margin clipped to [0, 2]."""
    margin = pred * target
    np.subtract(1, margin, out=margin)
    np.maximum(margin, 0, out=margin)
    clipped = np.minimum(margin, 2)
    grad = target * clipped
    grad *= -2 / margin.size
    margin *= 2
    margin -= clipped
    margin *= clipped
    return float(np.mean(margin)), grad


def binary_cross_entropy_with_logits(logits: Array, target: Array) -> ValueAndGrad:
    """Binary cross-entropy, with one exponential for value and gradient."""
    e = np.exp(-np.abs(logits))
    value = np.mean(np.maximum(logits, 0) - target * logits + np.log1p(e))
    grad = np.where(logits < 0, e, 1)
    e += 1
    grad /= e
    grad -= target
    grad /= grad.size
    return float(value), grad


def binary_cross_entropy(pred: Array, target: Array) -> ValueAndGrad:
    """Binary cross-entropy of probabilities between 0 and 1."""
    rest = 1 - pred
    grad = pred * rest
    np.divide(pred - target, grad, out=grad)
    grad /= -grad.size
    np.log1p(-pred, out=rest)
    value = np.mean(target * (np.log(pred) - rest) + rest)
    return -float(value), np.negative(grad, out=grad)


def exponential(pred: Array, target: Array) -> ValueAndGrad:
    """Exponential loss, with one exponential for both classes."""
    rising = np.exp(pred)
    falling = target / rising
    rising *= 1 - target
    value = np.mean(rising + falling)
    rising -= falling
    rising /= rising.size
    return float(value), rising


def soft_margin(pred: Array, target: Array) -> ValueAndGrad:
    """Logistic loss of a margin, with one exponential for value and gradient."""
    z = pred * target
    e = np.exp(-np.abs(z))
    value = np.mean(np.log1p(e) - np.minimum(z, 0))
    grad = np.where(z > 0, e, 1)
    e += 1
    grad /= e
    grad *= target
    grad /= -grad.size
    return float(value), grad


def hinge_embedding(pred: Array, target: Array, margin: float = 1.0) -> ValueAndGrad:
    """Distances of similar pairs, and what those of others lack of a margin."""
    similar = target > 0
    lack = margin - pred
    grad = np.where(similar, 1, np.where(lack > 0, -1, 0)).astype(pred.dtype)
    grad /= grad.size
    np.maximum(lack, 0, out=lack)
    np.copyto(lack, pred, where=similar)
    return float(np.mean(lack)), grad


def margin_ranking(
    input1: Array, input2: Array, target: Array, margin: float = 0.0
) -> ValueAndGrad:
    """Hinge loss of a difference of scores."""
    lack = input2 - input1
    lack *= target
    lack += margin
    grad = target * (lack > 0)
    grad /= grad.size
    return float(np.mean(np.maximum(lack, 0, out=lack))), (-grad, grad)


def binary_focal_with_logits(logits: Array, target: Array) -> ValueAndGrad:
    """Focal loss with gamma = 2, with one exponential for value and gradient."""
    e = np.exp(-np.abs(logits))
    cross_entropy = np.maximum(logits, 0) - target * logits + np.log1p(e)
    p = np.where(logits < 0, e, 1)
    e += 1
    p /= e
    rest = 1 - p
    missed = target * rest + (1 - target) * p
    grad = (2 - 4 * target) * p
    grad *= rest
    grad *= cross_entropy
    p -= target
    p *= missed
    grad += p
    grad *= missed
    grad /= grad.size
    missed *= missed
    missed *= cross_entropy
    return float(np.mean(missed)), grad


def asymmetric_focal(logits: Array, target: Array, clip: float = 0.05) -> ValueAndGrad:
    """Asymmetric loss with exponents 1 and 4, which soft targets mix."""
    e = np.exp(-np.abs(logits))
    positive = np.log1p(e) + np.maximum(-logits, 0)
    p = np.where(logits < 0, e, 1)
    e += 1
    p /= e
    rest = 1 - p
    q = np.maximum(p - clip, 0)
    q_rest = 1 - q
    negative = np.log(q_rest)
    cross_entropy = target * (positive + negative) - negative
    missed = target * (rest - q) + q
    exponent = 4 - 3 * target
    power = missed ** (exponent - 1)
    counted = (1 - target) * (q > 0)
    bulk = p * rest
    grad = missed * (counted * bulk / q_rest - target * rest)
    grad += exponent * (counted - target) * bulk * cross_entropy
    grad *= power
    grad /= grad.size
    power *= missed
    power *= cross_entropy
    return float(np.mean(power)), grad
