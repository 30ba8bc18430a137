# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of rows of scores and a row of targets for each."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.peers.by_numpy.binary import binary_cross_entropy_with_logits
from fastloss.bench.problems import Array


def kl_div(log_prob: Array, target: Array) -> ValueAndGrad:
    """Kullback-Leibler divergence from log-probabilities; a probability 0 adds 0."""
    terms = np.log(target, out=np.zeros_like(target), where=target > 0)
    terms -= log_prob
    terms *= target
    return float(np.sum(terms)) / len(target), target * (-1 / len(target))


def jensen_shannon(log_prob: Array, target: Array) -> ValueAndGrad:
    """Jensen-Shannon divergence from log-probabilities; a probability 0 adds 0."""
    q = np.exp(log_prob)
    log_mean = np.log((q + target) / 2)
    from_q = q * (log_prob - log_mean)
    terms = np.log(target, out=log_mean.copy(), where=target > 0)
    terms -= log_mean
    terms *= target
    value = (np.sum(terms) + np.sum(from_q)) / (2 * len(target))
    from_q *= 0.5 / len(target)
    return float(value), from_q


def total_variation(prob: Array, target: Array) -> ValueAndGrad:
    """Half of the absolute error of rows."""
    r = prob - target
    grad = np.sign(r)
    grad *= 0.5 / len(target)
    return float(np.sum(np.abs(r, out=r))) / (2 * len(target)), grad


def ranking_softmax(logits: Array, target: Array) -> ValueAndGrad:
    """Softmax loss of lists, with one exponential for value and gradient."""
    z = logits - logits.max(axis=1, keepdims=True)
    mass = target.sum(axis=1, keepdims=True)
    crossed = np.sum(target * z)
    e = np.exp(z, out=z)
    sums = e.sum(axis=1, keepdims=True)
    value = (np.sum(mass * np.log(sums)) - crossed) / len(target)
    e *= mass / sums
    e -= target
    e /= len(target)
    return float(value), e


def distillation(logits: Array, target: Array) -> ValueAndGrad:
    """Divergence of a teacher's softmax from a student's, at temperature 1."""
    q_below, p_below = (x - x.max(axis=1, keepdims=True) for x in (logits, target))
    q, p = np.exp(q_below), np.exp(p_below)
    q_sums, p_sums = q.sum(axis=1, keepdims=True), p.sum(axis=1, keepdims=True)
    q /= q_sums
    p /= p_sums
    p_below -= q_below
    p_below += np.log(q_sums / p_sums)
    value = np.sum(np.multiply(p, p_below, out=p_below)) / len(logits)
    q -= p
    q /= len(logits)
    return float(value), q


def multilabel_margin(logits: Array, target: Array) -> ValueAndGrad:
    """Hinge of pairs, for all rows that have a label at once."""
    grad, total = np.zeros_like(logits), 0.0
    for k in range(logits.shape[1]):
        rows = np.flatnonzero(target[:, k])
        hinge = logits[rows]
        hinge += 1 - logits[rows, k, None]
        hinge *= 1 - target[rows]
        np.maximum(hinge, 0, out=hinge)
        total += float(np.sum(hinge))
        nearer = hinge > 0
        grad[rows] += nearer
        grad[rows, k] -= nearer.sum(axis=1)
    grad /= grad.size
    return total / grad.size, grad


def multilabel_soft_margin(logits: Array, target: Array) -> ValueAndGrad:
    """Binary cross-entropy: its mean over classes and rows is that over elements."""
    return binary_cross_entropy_with_logits(logits, target)
