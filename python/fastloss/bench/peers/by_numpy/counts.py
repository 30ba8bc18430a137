# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of counts and other positive targets."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def poisson_nll(pred: Array, target: Array) -> ValueAndGrad:
    """Negative log-likelihood of a Poisson distribution, with one exponential."""
    mean = np.exp(pred)
    line = target * pred
    value = np.mean(np.subtract(mean, line, out=line))
    mean -= target
    mean /= mean.size
    return float(value), mean


def half_poisson_deviance(pred: Array, target: Array) -> ValueAndGrad:
    """Half of the Poisson deviance: y·(log y − x − 1) + exp(x)."""
    mean = np.exp(pred)
    rest = np.log(np.where(target > 0, target, 1))
    rest -= pred
    rest -= 1
    rest *= target
    rest += mean
    mean -= target
    mean /= mean.size
    return float(np.mean(rest)), mean


def half_gamma_deviance(pred: Array, target: Array) -> ValueAndGrad:
    """Half of the Gamma deviance, a function of the ratio's logarithm."""
    log_ratio = np.log(target)
    log_ratio -= pred
    ratio = np.exp(log_ratio)
    np.subtract(ratio, log_ratio, out=log_ratio)
    grad = np.subtract(1, ratio, out=ratio)
    grad /= grad.size
    return float(np.mean(log_ratio)) - 1, grad


def half_tweedie_deviance(pred: Array, target: Array, power: float = 1.5) -> ValueAndGrad:
    """Half of the Tweedie deviance with log link."""
    a, b = 2 - power, 1 - power
    high = np.exp(a * pred)
    low = np.exp(b * pred)
    low *= target
    value = np.mean(high) / a - np.mean(low) / b + np.mean(target**a) / (a * b)
    high -= low
    high /= high.size
    return float(value), high


def negative_binomial_nll(pred: Array, target: Array, dispersion: float = 1.0) -> ValueAndGrad:
    """Negative log-likelihood of a negative binomial distribution, with one exponential."""
    mean = np.exp(pred)
    w = dispersion * mean
    terms = np.log1p(w)
    terms *= target + 1 / dispersion
    terms -= target * pred
    mean -= target
    w += 1
    mean /= w
    mean /= mean.size
    return float(np.mean(terms)), mean
