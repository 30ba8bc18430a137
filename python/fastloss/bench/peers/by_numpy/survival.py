# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of times to an event."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def cox(pred: Array, time: Array, event: Array) -> ValueAndGrad:
    """Partial likelihood with Breslow's ties, by one sort and two running sums."""
    order = np.argsort(time, kind="stable")
    time, pred, died = time[order], pred[order], event[order] != 0
    pred -= pred.max()
    hazard = np.exp(pred)
    at_risk = np.cumsum(hazard[::-1])[::-1][np.searchsorted(time, time)]
    count = np.count_nonzero(died)
    value = np.sum(np.log(at_risk[died]) - pred[died]) / count
    slope = np.cumsum(died / at_risk)[np.searchsorted(time, time, side="right") - 1]
    hazard *= slope
    hazard -= died
    hazard /= count
    grad = np.empty_like(hazard)
    grad[order] = hazard
    return float(value), grad


def aft(pred: Array, lower: Array, upper: Array) -> ValueAndGrad:
    """Likelihood of intervals of normal numbers, by Gauss's rule: NumPy has no error function."""
    low, high = (np.log(x) - pred for x in (np.minimum(lower, upper), np.maximum(lower, upper)))
    peak = np.clip(0, low, high)
    reach = 40 / np.maximum(np.abs(peak), 4.5)
    start = np.maximum(low, peak - reach)
    half = (np.minimum(high, peak + reach) - start) / 2
    mass, mean = np.zeros_like(pred), np.zeros_like(pred)
    points, weights = np.polynomial.legendre.leggauss(40)
    for point, weight in zip(points.tolist(), weights.tolist(), strict=True):
        y = start + half * (1 + point)
        density = weight * np.exp((peak - y) * (peak + y) / 2)
        mass += density
        density *= y
        mean += density
    mean /= mass
    mean /= -mean.size
    half *= mass
    half /= (2 * np.pi) ** 0.5
    return float(np.mean(peak**2 / 2 - np.log(half))), mean
