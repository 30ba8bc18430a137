# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses that outliers hardly move."""

from __future__ import annotations

import math

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def pseudo_huber(pred: Array, target: Array, delta: float = 1.0) -> ValueAndGrad:
    """Pseudo-Huber loss, r²/(1 + h) with h = √(1 + (r/δ)²)."""
    r = pred - target
    h = r / delta
    np.square(h, out=h)
    h += 1
    np.sqrt(h, out=h)
    grad = r / h
    grad /= r.size
    h += 1
    np.square(r, out=r)
    r /= h
    return float(np.mean(r)), grad


def fair(pred: Array, target: Array, scale: float = 1.0) -> ValueAndGrad:
    """Fair loss."""
    grad = pred - target
    u = np.abs(grad)
    u /= scale
    terms = np.log1p(u)
    np.subtract(u, terms, out=terms)
    u += 1
    grad /= u
    grad /= grad.size
    return scale**2 * float(np.mean(terms)), grad


def cauchy(pred: Array, target: Array, scale: float = 1.0) -> tuple[float, Array]:
    """Cauchy loss."""
    grad = pred - target
    square = grad / scale
    np.square(square, out=square)
    value = scale**2 / 2 * float(np.mean(np.log1p(square)))
    square += 1
    grad /= square
    grad /= grad.size
    return value, grad


def arctan(pred: Array, target: Array, scale: float = 1.0) -> ValueAndGrad:
    """Arctan loss."""
    grad = pred - target
    square = grad / scale
    np.square(square, out=square)
    value = scale**2 / 2 * float(np.mean(np.arctan(square)))
    np.square(square, out=square)
    square += 1
    grad /= square
    grad /= grad.size
    return value, grad


def log_cosh(pred: Array, target: Array) -> ValueAndGrad:
    """Log-cosh loss, with one exponential for value and gradient."""
    r = pred - target
    size = np.abs(r)
    e = size * -2
    np.expm1(e, out=e)
    grad = e + 2
    np.divide(e, grad, out=grad)
    np.copysign(grad, r, out=grad)
    grad /= r.size
    e *= 0.5
    size += np.log1p(e, out=e)
    return float(np.mean(size)), grad


def lq(pred: Array, target: Array, q: float = 1.5) -> ValueAndGrad:
    """Power of the absolute error, with one power for value and gradient."""
    r = pred - target
    size = np.abs(r)
    power = np.power(size, q - 1)
    size *= power
    power *= q / r.size
    return float(np.mean(size)), np.copysign(power, r, out=power)


def wing(pred: Array, target: Array, width: float = 5.0, curvature: float = 0.5) -> ValueAndGrad:
    """Wing loss."""
    r = pred - target
    size = np.abs(r)
    within = size <= width
    rest = width - width * math.log1p(width / curvature)
    value = np.mean(np.where(within, width * np.log1p(size / curvature), size - rest))
    size += curvature
    grad = np.sign(r)
    np.divide(grad * width, size, out=grad, where=within)
    grad /= r.size
    return float(value), grad


def student_t_nll(pred: Array, target: Array, df: float = 4.0, scale: float = 1.0) -> ValueAndGrad:
    """Negative log-likelihood of Student's t distribution."""
    value, grad = cauchy(pred, target, scale * math.sqrt(df))
    factor = (df + 1) / (df * scale**2)
    grad *= factor
    return factor * value, grad


def laplace_nll(pred: Array, target: Array, scale: Array, eps: float = 1e-6) -> ValueAndGrad:
    """Negative log-likelihood of a Laplace distribution."""
    s = np.maximum(scale, eps)
    r = pred - target
    u = np.abs(r)
    u /= s
    value = np.mean(u + np.log(s))
    grad = np.sign(r, out=r)
    s *= r.size
    grad /= s
    scale_grad = np.subtract(1, u, out=u)
    scale_grad /= s
    scale_grad *= scale > eps
    return float(value), (grad, scale_grad)


def absolute_percentage_error(pred: Array, target: Array, eps: float = 1e-7) -> ValueAndGrad:
    """Absolute error relative to the target."""
    divisor = np.abs(target)
    np.maximum(divisor, eps, out=divisor)
    r = pred - target
    grad = np.sign(r)
    grad /= divisor
    grad /= r.size
    np.abs(r, out=r)
    r /= divisor
    return float(np.mean(r)), grad


def squared_log_error(pred: Array, target: Array, floor: float = -0.999999) -> ValueAndGrad:
    """Squared error of logarithms."""
    x = np.maximum(pred, floor)
    d = np.log1p(x)
    d -= np.log1p(target)
    x += 1
    grad = np.divide(d, x, out=x)
    grad *= pred > floor
    grad *= 2 / d.size
    return float(np.mean(np.square(d, out=d))), grad
