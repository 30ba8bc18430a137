# SPDX-License-Identifier: BSD-3-Clause
"""Spellings of losses of embeddings and their similarities."""

from __future__ import annotations

import numpy as np

from fastloss.bench.peers import ValueAndGrad
from fastloss.bench.problems import Array


def norms(rows: Array) -> Array:
    """Return the norm of each row, as a column."""
    lengths: Array = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return lengths[:, None]


def angles(input1: Array, input2: Array) -> tuple[Array, Array, tuple[Array, Array]]:
    """Return 1 - cosine without cancellation, the cosine, and the negative cosine's gradients."""
    norm1, norm2 = norms(input1), norms(input2)
    u, v = input1 / norm1, input2 / norm2
    apart = u - v
    distance = np.einsum("ij,ij->i", apart, apart)
    distance /= 2
    cosine = np.einsum("ij,ij->i", u, v)
    grad1 = np.multiply(u, cosine[:, None], out=apart)
    grad1 -= v
    grad1 /= norm1
    v *= cosine[:, None]
    v -= u
    v /= norm2
    return distance, cosine, (grad1, v)


def cosine_distance(input1: Array, input2: Array) -> ValueAndGrad:
    """Cosine distance."""
    distance, _, (grad1, grad2) = angles(input1, input2)
    grad1 /= len(input1)
    grad2 /= len(input1)
    return float(np.mean(distance)), (grad1, grad2)


def cosine_embedding(
    input1: Array, input2: Array, target: Array, margin: float = 0.0
) -> ValueAndGrad:
    """Cosine distance of what belongs together, cosine of what does not."""
    distance, cosine, (grad1, grad2) = angles(input1, input2)
    excess = np.maximum(cosine - margin, 0)
    slope = np.where(target > 0, 1, -(excess > 0).astype(cosine.dtype))[:, None]
    slope /= len(input1)
    grad1 *= slope
    grad2 *= slope
    return float(np.mean(np.where(target > 0, distance, excess))), (grad1, grad2)


def contrastive(
    input1: Array,
    input2: Array,
    target: Array,
    pos_margin: float = 0.0,
    neg_margin: float = 1.0,
) -> ValueAndGrad:
    """Distance of what belongs together, and what is missing to a margin of other distances."""
    r = input1 - input2
    d = norms(r)
    y = target[:, None]
    near, far = np.maximum(d - pos_margin, 0), np.maximum(neg_margin - d, 0)
    slope = y * (near > 0) - (1 - y) * (far > 0)
    slope /= np.where(d > 0, d, 1) * len(r)
    r *= slope
    return float(np.mean(y * near + (1 - y) * far)), (r, -r)


def triplet_margin(
    anchor: Array, positive: Array, negative: Array, margin: float = 1.0, eps: float = 1e-6
) -> ValueAndGrad:
    """Triplet loss with Euclidean distances."""
    near, far = anchor - positive, anchor - negative
    near += eps
    far += eps
    near_norm, far_norm = norms(near), norms(far)
    excess = np.maximum(near_norm - far_norm + margin, 0)
    counts = excess > 0
    near *= counts / (near_norm * len(near))
    far *= counts / (far_norm * len(far))
    return float(np.mean(excess)), (near - far, -near, far)


def circle(
    similarity: Array, target: Array, gamma: float = 80.0, margin: float = 0.4
) -> ValueAndGrad:
    """Circle loss."""
    belongs = target > 0.5
    w = np.where(belongs, 1 - similarity, similarity)
    np.maximum(w, -margin, out=w)
    shares = np.zeros_like(w)
    log_sum = np.full((len(w), 1), -2 * gamma * margin**2, w.dtype)
    for which in (belongs, target < 0.5):
        size = np.where(which, np.abs(w), 0)
        largest = size.max(axis=1, keepdims=True)
        e = np.exp(gamma * (size - largest) * (size + largest), where=which, out=np.zeros_like(w))
        total = e.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            log_sum += gamma * largest**2 + np.log(total)
        e /= np.maximum(total, 1)
        shares += e
    loss = np.logaddexp(0, log_sum)
    shares *= np.exp(log_sum - loss) * (2 * gamma / len(w))
    shares *= np.where(w > -margin, w, 0)
    np.negative(shares, where=belongs, out=shares)
    return float(np.mean(loss)), shares
