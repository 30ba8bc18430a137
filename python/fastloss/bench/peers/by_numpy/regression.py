# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of numbers to be predicted."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def mse(pred: Array, target: Array) -> ValueAndGrad:
    """Squared error."""
    r = pred - target
    grad = r * (2 / r.size)
    return float(np.mean(np.square(r, out=r))), grad


def mae(pred: Array, target: Array) -> ValueAndGrad:
    """Absolute error."""
    r = pred - target
    grad = np.sign(r)
    grad /= r.size
    return float(np.mean(np.abs(r, out=r))), grad


def huber(pred: Array, target: Array, delta: float = 1.0) -> ValueAndGrad:
    """Huber loss, c·(r − c/2) with c the clipped residual."""
    r = pred - target
    clipped = np.clip(r, -delta, delta)
    r -= clipped / 2
    r *= clipped
    clipped /= r.size
    return float(np.mean(r)), clipped


def smooth_l1(pred: Array, target: Array, beta: float = 1.0) -> ValueAndGrad:
    """Smooth L1 loss: the Huber loss with delta = beta, over beta."""
    r = pred - target
    clipped = np.clip(r, -beta, beta)
    r -= clipped / 2
    r *= clipped
    clipped /= beta * r.size
    return float(np.mean(r)) / beta, clipped


def half_squared_error(pred: Array, target: Array) -> ValueAndGrad:
    """Half of the squared error."""
    r = pred - target
    grad = r / r.size
    return float(np.mean(np.square(r, out=r))) / 2, grad


def quantile(pred: Array, target: Array, q: float = 0.5) -> ValueAndGrad:
    """Pinball loss, the larger one of -q·r and (1 - q)·r."""
    r = pred - target
    grad = np.where(r < 0, r.dtype.type(-q / r.size), r.dtype.type((1 - q) / r.size))
    r *= grad
    return float(np.sum(r)), grad


def expectile(pred: Array, target: Array, q: float = 0.5) -> ValueAndGrad:
    """Asymmetric squared error."""
    r = pred - target
    grad = np.where(r < 0, r.dtype.type(2 * q / r.size), r.dtype.type(2 * (1 - q) / r.size))
    grad *= r
    r *= grad
    return float(np.sum(r)) / 2, grad


def epsilon_insensitive(pred: Array, target: Array, epsilon: float = 0.1) -> ValueAndGrad:
    """Absolute error beyond a tube."""
    r = pred - target
    grad = np.sign(r)
    excess = np.abs(r, out=r)
    excess -= epsilon
    grad *= excess > 0
    grad /= r.size
    return float(np.mean(np.maximum(excess, 0, out=excess))), grad


def squared_epsilon_insensitive(pred: Array, target: Array, epsilon: float = 0.1) -> ValueAndGrad:
    """Squared error beyond a tube."""
    r = pred - target
    r -= np.clip(r, -epsilon, epsilon)
    grad = r * (2 / r.size)
    return float(np.mean(np.square(r, out=r))), grad


def gaussian_nll(pred: Array, target: Array, var: Array, eps: float = 1e-6) -> ValueAndGrad:
    """Negative log-likelihood of a Gaussian."""
    v = np.maximum(var, eps)
    r = pred - target
    grad = r / v
    r *= grad
    r += np.log(v)
    value = np.mean(r) / 2
    var_grad = np.where(var > eps, 1 / v - grad**2, 0)
    var_grad /= 2 * r.size
    grad /= r.size
    return float(value), (grad, var_grad)
