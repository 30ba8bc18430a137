# SPDX-License-Identifier: BSD-3-Clause
"""The losses as users write them by hand in NumPy: stable, vectorised, one array at a time.

They are the other side of the comparison, and fast as such code goes: value and gradient share
what they have in common.
"""

import numpy as np

from fastloss.demo.data import Floats, Targets


def binary_cross_entropy_with_logits(logits: Floats, target: Floats) -> float:
    """Return the mean negative logarithm of the probability of each target, 0 or 1."""
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return float(np.mean(softplus - target * logits))


def binary_cross_entropy_with_logits_value_and_grad(
    logits: Floats, target: Floats
) -> tuple[float, Floats]:
    """Return the mean and its gradient, with one exponential for both."""
    exponential = np.exp(-np.abs(logits))
    softplus = np.maximum(logits, 0) + np.log1p(exponential)
    probability = np.where(logits >= 0, 1, exponential) / (1 + exponential)
    value = float(np.mean(softplus - target * logits))
    return value, (probability - target) / logits.size


def cross_entropy(logits: Floats, labels: Targets) -> float:
    """Return the mean negative logarithm of each row's softmax at its label."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(labels)), labels]))


def cross_entropy_value_and_grad(logits: Floats, labels: Targets) -> tuple[float, Floats]:
    """Return the mean and its gradient, with one exponential for both."""
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    value = float(np.mean(np.log(sums[:, 0]) - shifted[rows, labels]))
    grad = exponentials / sums
    grad[rows, labels] -= 1
    grad /= len(labels)
    return value, grad


def mse(pred: Floats, target: Floats) -> float:
    """Return the mean squared error."""
    return float(np.mean((pred - target) ** 2))


def mse_value_and_grad(pred: Floats, target: Floats) -> tuple[float, Floats]:
    """Return the mean squared error and its gradient."""
    residual = pred - target
    return float(np.mean(residual**2)), residual * (2 / residual.size)


def huber(pred: Floats, target: Floats, *, delta: float) -> float:
    """Return the mean Huber loss: quadratic within `delta` of the target, linear beyond."""
    residual = pred - target
    clipped = np.clip(residual, -delta, delta)
    return float(np.mean(clipped * (residual - clipped / 2)))


def huber_value_and_grad(pred: Floats, target: Floats, *, delta: float) -> tuple[float, Floats]:
    """Return the mean Huber loss and its gradient, the clipped residual."""
    residual = pred - target
    clipped = np.clip(residual, -delta, delta)
    return float(np.mean(clipped * (residual - clipped / 2))), clipped / residual.size
