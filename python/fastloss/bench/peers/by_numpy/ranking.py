# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses that rank within groups."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def pairwise_logistic(pred: Array, target: Array, group: Array) -> ValueAndGrad:
    """Logistic loss of all pairs of groups that lie in rows, with one exponential for each pair."""
    del group
    margin = pred[:, :, None] - pred[:, None, :]
    better = target[:, :, None] > target[:, None, :]
    e = np.exp(-np.abs(margin))
    value = np.sum((np.log1p(e) - np.minimum(margin, 0)) * better)
    slope = np.where(margin > 0, e, 1)
    e += 1
    slope /= e
    slope *= better
    grad = slope.sum(1) - slope.sum(2)
    grad /= len(pred)
    return float(value) / len(pred), grad


def lambdarank(pred: Array, target: Array, group: Array, truncation: int = 30) -> ValueAndGrad:
    """LambdaRank of groups that lie in rows: in the order of scores, the first ones with all."""
    del group
    order = np.argsort(-pred, axis=1)
    x, y = np.take_along_axis(pred, order, 1), np.take_along_axis(target, order, 1)
    discount = 1 / np.log2(np.arange(2, x.shape[1] + 2))
    change = np.triu(discount[:truncation, None] - discount, 1).astype(x.dtype)
    best = np.exp2(-np.sort(-target, axis=1)[:, :truncation]) - 1
    gain = np.exp2(y) / np.sum(best * discount[:truncation], axis=1, keepdims=True)
    gain = gain.astype(x.dtype)
    margin = x[:, :truncation, None] - x[:, None, :]
    weight = gain[:, :truncation, None] - gain[:, None, :]
    sign = np.sign(weight)
    weight *= sign
    weight *= change
    weight /= np.abs(margin) + x.dtype.type(0.01)
    margin *= sign
    e = np.exp(-np.abs(margin))
    slope = np.where(margin > 0, e, 1) / (1 + e)
    slope *= weight
    total = 2 * slope.sum((1, 2))
    factor = np.log2(1 + total) / total
    value = np.sum(factor * np.sum((np.log1p(e) - np.minimum(margin, 0)) * weight, axis=(1, 2)))
    slope *= sign
    sorted_grad = slope.sum(1)
    sorted_grad[:, :truncation] -= slope.sum(2)
    sorted_grad *= factor[:, None] / len(x)
    grad = np.empty_like(sorted_grad)
    np.put_along_axis(grad, order, sorted_grad, 1)
    return float(value) / len(x), grad
