# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of rows of scores and a label for each."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def cross_entropy(logits: Array, labels: Array) -> ValueAndGrad:
    """Cross-entropy of softmax, with one exponential for value and gradient."""
    rows = np.arange(len(labels))
    z = logits - logits.max(axis=1, keepdims=True)
    at_label = z[rows, labels]
    e = np.exp(z, out=z)
    sums = e.sum(axis=1, keepdims=True)
    value = np.mean(np.log(sums[:, 0]) - at_label)
    e /= sums * len(labels)
    e[rows, labels] -= 1 / len(labels)
    return float(value), e


def softmax_and_loss(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Softmax, and the cross-entropy of each row."""
    z = logits - logits.max(axis=1, keepdims=True)
    at_label = z[np.arange(len(labels)), labels]
    e = np.exp(z, out=z)
    sums = e.sum(axis=1, keepdims=True)
    e /= sums
    return e, np.log(sums[:, 0]) - at_label


def sloped(p: Array, labels: Array, slope: Array) -> Array:
    """Gradient of a mean over rows whose slope along p − y is given; p is overwritten."""
    p[np.arange(len(labels)), labels] -= 1
    p *= slope[:, None] / len(labels)
    return p


def softmax_focal(logits: Array, labels: Array, gamma: float = 2.0) -> ValueAndGrad:
    """Focal loss of softmax, with 1 − p of the label from its logarithm."""
    p, loss = softmax_and_loss(logits, labels)
    rest = -np.expm1(-loss)
    power = rest**gamma
    ratio = loss / np.maximum(rest, np.finfo(rest.dtype).tiny)
    slope = power * (1 + gamma * (1 - rest) * ratio)
    return float(np.mean(power * loss)), sloped(p, labels, slope)


def poly1_cross_entropy(logits: Array, labels: Array, epsilon: float = 2.0) -> ValueAndGrad:
    """Poly-1 cross-entropy."""
    p, loss = softmax_and_loss(logits, labels)
    own = np.exp(-loss)
    return float(np.mean(loss + epsilon * (1 - own))), sloped(p, labels, 1 + epsilon * own)


def symmetric_cross_entropy(
    logits: Array, labels: Array, alpha: float = 0.1, beta: float = 1.0, log_zero: float = -4.0
) -> ValueAndGrad:
    """Symmetric cross-entropy."""
    p, loss = softmax_and_loss(logits, labels)
    own = np.exp(-loss)
    factor = -beta * log_zero
    value = np.mean(alpha * loss + factor * (1 - own))
    return float(value), sloped(p, labels, alpha + factor * own)


def generalized_cross_entropy(logits: Array, labels: Array, q: float = 0.5) -> ValueAndGrad:
    """Generalized cross-entropy."""
    p, loss = softmax_and_loss(logits, labels)
    power = np.exp(-q * loss)
    return float(np.mean(1 - power)) / q, sloped(p, labels, power)


def nll(log_prob: Array, labels: Array) -> ValueAndGrad:
    """Negative log-likelihood."""
    rows = np.arange(len(labels))
    grad = np.zeros_like(log_prob)
    grad[rows, labels] = -1 / len(labels)
    return -float(np.mean(log_prob[rows, labels])), grad


def ordinal_cross_entropy(logits: Array, labels: Array) -> ValueAndGrad:
    """Binary cross-entropies of "the label is above k", with one exponential."""
    above = np.arange(logits.shape[1]) < labels[:, None]
    e = np.exp(-np.abs(logits))
    value = np.sum(np.maximum(np.where(above, -logits, logits), 0) + np.log1p(e)) / len(labels)
    grad = np.where(logits < 0, e, 1)
    e += 1
    grad /= e
    grad -= above
    grad /= len(labels)
    return float(value), grad


def lacking_margins(logits: Array, labels: Array, margin: float) -> Array:
    """Lack of the margin in each other class; 0 at the label."""
    rows = np.arange(len(labels))
    h = logits - (logits[rows, labels] - margin)[:, None]
    np.maximum(h, 0, out=h)
    h[rows, labels] = 0
    return h


def multi_margin(logits: Array, labels: Array, margin: float = 1.0) -> ValueAndGrad:
    """Hinge loss of all other classes."""
    h = lacking_margins(logits, labels, margin)
    grad = (h > 0).astype(h.dtype)
    grad[np.arange(len(labels)), labels] = -grad.sum(axis=1)
    grad /= grad.size
    return float(np.mean(h)), grad


def squared_multi_margin(logits: Array, labels: Array, margin: float = 1.0) -> ValueAndGrad:
    """Squared hinge loss of all other classes."""
    h = lacking_margins(logits, labels, margin)
    grad = h * (2 / h.size)
    grad[np.arange(len(labels)), labels] = -grad.sum(axis=1)
    return float(np.mean(np.square(h, out=h))), grad


def largest_over_margin(logits: Array, labels: Array, margin: float) -> ValueAndGrad:
    """Lack of the margin to the largest other class; a tie goes to the first."""
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    rival = others.argmax(axis=1)
    h = others[rows, rival] - logits[rows, labels] + margin
    slope = (h > 0) / len(labels)
    grad = np.zeros_like(logits)
    grad[rows, rival] = slope
    grad[rows, labels] = -slope
    return float(np.mean(np.maximum(h, 0, out=h))), grad


def multiclass_hinge(logits: Array, labels: Array) -> ValueAndGrad:
    """Hinge loss of the largest other class."""
    return largest_over_margin(logits, labels, 1)


def multiclass_perceptron(logits: Array, labels: Array) -> ValueAndGrad:
    """Perceptron loss of the largest other class."""
    return largest_over_margin(logits, labels, 0)


def sparsemax(logits: Array, labels: Array) -> ValueAndGrad:
    """Sparsemax loss, with the threshold from sorted scores."""
    rows = np.arange(len(labels))
    ordered = np.sort(logits, axis=1)[:, ::-1]
    sums = ordered.cumsum(axis=1) - 1
    ordered *= np.arange(1, logits.shape[1] + 1, dtype=logits.dtype)
    count = np.count_nonzero(ordered > sums, axis=1)
    threshold = (sums[rows, count - 1] / count).astype(logits.dtype)
    p = logits - threshold[:, None]
    np.maximum(p, 0, out=p)
    conjugate = np.sum(p * (logits + threshold[:, None]), axis=1) / 2
    value = np.mean(conjugate - logits[rows, labels]) + 0.5
    p[rows, labels] -= 1
    p /= len(labels)
    return float(value), p
