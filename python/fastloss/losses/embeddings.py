# SPDX-License-Identifier: BSD-3-Clause
"""Row-wise losses of embeddings: two or three rows make one term."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastloss.domains import (
    COSINE,
    FLAG,
    NON_NEGATIVE,
    SIGN,
    UNIT,
    Domain,
    per_row,
)
from fastloss.families import Accuracy, Bounds, rowwise
from fastloss.reference import Parts, product

EXPONENT = Domain("a finite number >= 1", low=1.0, includes_low=True)


def _largest(*sizes: Any) -> Any:
    return functools.reduce(np.maximum, map(np.abs, sizes))


def _cosine(x: Any, y: Any) -> Any:
    """Return the cosine, 1 − cosine, and for each input the parts of the cosine's derivatives.

    Parts are a tuple and the size of the largest. The cosine is a sum that may cancel, too.
    """
    norms = [np.sqrt((row * row).sum(-1, keepdims=True)) for row in (x, y)]
    u, v = (row / np.where(norm == 0, 1, norm) for row, norm in zip((x, y), norms, strict=True))
    inverses = [np.where(norm == 0, 0, 1 / np.where(norm == 0, 1, norm)) for norm in norms]
    cosine, size = (u * v).sum(-1, keepdims=True), np.abs(u * v).sum(-1, keepdims=True)
    none = (norms[0] == 0) | (norms[1] == 0)
    apart, together = (((u - sign * v) ** 2).sum(-1, keepdims=True) / 2 for sign in (1, -1))
    distance = np.where(none, 1 - cosine, apart)
    near, far = (apart < 0.5) & ~none, (together < 0.5) & ~none
    cosine = np.where(near, 1 - apart, np.where(far, together - 1, cosine))
    grads, hesses = [], []
    for own, other, inverse in ((u, v, inverses[0]), (v, u, inverses[1])):
        grads.append(((other, -cosine * own), _largest(other, size * own), inverse))
        parts = (3 * cosine * own * own, -cosine, -2 * own * other)
        hesses.append((parts, _largest(*parts, size, 3 * size * own * own), inverse * inverse))
    return (cosine, size), distance, grads, hesses


def _scaled(derivatives: Any, factor: Any) -> tuple[Parts, ...]:
    """Multiply the derivatives of the cosine by a factor."""
    return tuple(
        Parts(
            *(np.where(factor == 0, 0, factor * part * scale) for part in parts),
            size=np.abs(np.where(factor == 0, 0, factor * size * scale)),
        )
        for parts, size, scale in derivatives
    )


def _distance_of(cosine: Any, distance: Any) -> Parts:
    """Return 1 − cosine; below an angle of 2⁻²³, where u − v cancels, in units of the angle."""
    return Parts(distance, size=np.maximum(distance, np.sqrt(np.abs(distance)) * 2.0**-24))


@rowwise(Accuracy(Bounds(5, 6, 7)))
def cosine_distance(input1: Any, input2: Any) -> Any:
    """Cosine distance of two embeddings: 1 less the cosine of the angle between them.

    ℓ = 1 − u·v, u = input1 / |input1|, v = input2 / |input2|.

    Parameters
    ----------
    input1, input2 : array_like
        Embeddings: any real numbers, both of the same shape.

    Notes
    -----
    There are two differentiable inputs: gradients and second derivatives are tuples
    ``(input1, input2)``. They are (u·v·u − v)/|input1|, and likewise for the second; and
    (u·v·(1 − 3u²) + 2uv)/|input1|² elementwise. Nearly parallel embeddings lose no digits: it is
    |u − v|²/2, and 0 for equal ones. A row of zeros has no direction: its cosine counts as 0, so
    that ℓ = 1, and its gradient as 0. A row with an infinite number is NaN.

    In other libraries: ``1 - torch.nn.functional.cosine_similarity(x1, x2)``, which puts the
    norms' product at 1e-8 at least, and ``optax.losses.cosine_distance``, which is NaN for a row
    of zeros unless ``epsilon`` is given. Keras's ``CosineSimilarity`` is ℓ − 1.

    References
    ----------
    ``torch.nn.functional.cosine_similarity``; ``optax.losses.cosine_distance``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.cosine_distance([[3.0, 4.0], [1.0, 0.0]], [[4.0, 3.0], [-2.0, 0.0]], reduction="none")
    array([0.04, 2.  ])
    >>> value, (grad1, grad2) = fl.cosine_distance.value_and_grad([[2.0, 0.0]], [[0.0, 1.0]])
    >>> grad1, grad2
    (array([[-0. , -0.5]]), array([[-1., -0.]]))
    """
    (cosine, _), distance, grads, hesses = _cosine(input1, input2)
    one = np.ones_like(distance)
    value = _distance_of(cosine, distance)
    return value[..., 0], _scaled(grads, -one), _scaled(hesses, -one)


@rowwise(Accuracy(Bounds(5, 6, 7)), target=per_row(SIGN), margin=COSINE)
def cosine_embedding(input1: Any, input2: Any, target: Any, *, margin: Any = 0.0) -> Any:
    """Cosine embedding loss: embeddings that belong together are to be parallel, others not.

    ℓ = 1 − c where the target is 1, max(0, c − margin) where it is −1, with c the cosine of the
    angle between the embeddings.

    Parameters
    ----------
    input1, input2 : array_like
        Embeddings: any real numbers, both of the same shape.
    target : array_like
        1 where the two belong together and −1 where they do not, of the shape of the inputs
        without `axis`. They are not checked; see `fastloss.check_target`.
    margin : float, default 0.0
        A cosine that costs nothing where the two do not belong together, in [−1, 1].

    Notes
    -----
    There are two differentiable inputs: gradients and second derivatives are tuples
    ``(input1, input2)``. They are those of `fastloss.cosine_distance`, or the opposite for c above
    the margin and 0 below; at the kink c = margin they are 0, the subgradient of least norm. A
    row of zeros has the cosine 0 and the gradient 0.

    In other libraries: ``torch.nn.functional.cosine_embedding_loss``, which adds 1e-12 to the
    squared norms.

    References
    ----------
    ``torch.nn.functional.cosine_embedding_loss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> x, y = [[3.0, 4.0], [3.0, 4.0]], [[4.0, 3.0], [4.0, 3.0]]
    >>> fl.cosine_embedding(x, y, [1, -1], margin=0.5, reduction="none")
    array([0.04, 0.46])
    """
    (cosine, size), distance, grads, hesses = _cosine(input1, input2)
    target = target[..., None]
    alike, far = target > 0, cosine <= margin
    excess = Parts(
        *(np.where(far, 0, part) for part in (cosine, -margin)),
        size=np.where(far, 0, _largest(size, margin)),
    )
    near = _distance_of(cosine, distance)
    value = Parts(
        np.where(alike, distance, excess.sum()) + 0 * target,
        size=np.where(alike, near.size(), excess.size()),
    )
    factor = np.where(alike, -1, np.where(far, 0, 1)) + 0 * target + 0 * cosine
    return value[..., 0], _scaled(grads, factor), _scaled(hesses, factor)


def _norm(r: Any, p: Any) -> Any:
    """Return the norm of each row, and its first and second derivatives; those of 0 are 0."""
    size = np.abs(r)
    largest = size.max(-1, keepdims=True)
    none = largest == 0
    unit = np.where(none | (largest == np.inf), 1, largest)
    q = size / unit
    total = (q**p).sum(-1, keepdims=True)
    norm = unit * total ** (1 / p)
    total = np.where(none, 1, total)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.sign(r) * q ** (p - 1) * total ** ((1 - p) / p)
        steep = (p - 1) * q ** (p - 2) * total ** ((1 - p) / p) / unit
        steep = np.where(none | (p == 1), 0, steep)
        return norm, slope, (steep, np.where((q == 0) | (p == 1), 0, -steep * (q**p / total)))


@rowwise(
    Accuracy(Bounds(4, 4, 6)),
    target=per_row(UNIT),
    pos_margin=NON_NEGATIVE,
    neg_margin=NON_NEGATIVE,
)
def contrastive(
    input1: Any, input2: Any, target: Any, *, pos_margin: Any = 0.0, neg_margin: Any = 1.0
) -> Any:
    """Contrastive loss of pairs: the two of a pair are to be near, or else far from each other.

    ℓ = y·max(0, d − pos_margin) + (1 − y)·max(0, neg_margin − d), d = |input1 − input2|, with y
    the target.

    Parameters
    ----------
    input1, input2 : array_like
        Embeddings: any real numbers, both of the same shape. They are not normalised.
    target : array_like
        1 for pairs that belong together, 0 for others, or a number between, of the shape of the
        inputs without `axis`. They are not checked; see `fastloss.check_target`.
    pos_margin : float, default 0.0
        A distance that costs nothing where the two belong together; not negative.
    neg_margin : float, default 1.0
        A distance that is enough where they do not; not negative.

    Notes
    -----
    There are two differentiable inputs: gradients and second derivatives are tuples
    ``(input1, input2)``. With r = input1 − input2, d has the gradient ±r/d and the second
    derivative (1 − (r/d)²)/d. At the kinks d = 0, d = pos_margin and d = neg_margin, gradients are
    0, the subgradient of least norm.

    In other libraries: pytorch-metric-learning's ``ContrastiveLoss`` (with
    ``LpDistance(normalize_embeddings=False)``) has the same terms for all pairs of a batch, and
    adds the mean of those that are not 0 among the pairs that belong together to that among the
    others. The loss of Hadsell et al. squares both parts.

    References
    ----------
    R. Hadsell, S. Chopra and Y. LeCun, Dimensionality reduction by learning an invariant mapping,
    CVPR 2006; ``pytorch_metric_learning.losses.ContrastiveLoss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> x, y = [[3.0, 0.0], [0.5, 0.0]], [[0.0, 4.0], [0.0, 0.0]]
    >>> fl.contrastive(x, y, [1, 0], reduction="none")
    array([5. , 0.5])
    >>> fl.contrastive.grad(x, y, [1, 0], reduction="sum")[0]
    array([[ 0.6, -0.8],
           [-1. , -0. ]])
    """
    d, slope, parts = _norm(input1 - input2, 0 * pos_margin + 2)
    y = target[..., None]
    near, far = d <= pos_margin, d >= neg_margin

    gone = [product(y, np.where(near, 0, part)) for part in (d, -pos_margin)]
    gone += [product(1 - y, np.where(far, 0, part)) for part in (neg_margin, -d)]
    factor = np.where(near, 0, y) - np.where(far, 0, 1 - y) + np.where(d == np.inf, 0, 0 * d)
    grad = np.where(factor == 0, 0, factor * slope)
    hess = Parts(*(np.where(factor == 0, 0, factor * part) for part in parts))
    return Parts(*gone)[..., 0], (grad, -grad), (hess, hess)


@rowwise(
    # With a margin of 0, distances that differ in the order of their sums alone are at the kink.
    Accuracy(Bounds(4, 5, 6), uncovered=frozenset({"margin"})),
    margin=NON_NEGATIVE,
    p=EXPONENT,
    swap=FLAG,
    eps=NON_NEGATIVE,
)
def triplet_margin(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    margin: Any = 1.0,
    p: Any = 2.0,
    swap: Any = False,
    eps: Any = 1e-6,
) -> Any:
    """Triplet loss: what belongs to an anchor is to be nearer to it than what does not.

    ℓ = max(0, d(anchor, positive) − d(anchor, negative) + margin), where d(x, y) is the norm of
    x − y + eps with exponent p: (Σₖ |xₖ − yₖ + eps|ᵖ)^(1/p).

    Parameters
    ----------
    anchor, positive, negative : array_like
        Embeddings: any real numbers, all of the same shape.
    margin : float, default 1.0
        How much nearer; not negative.
    p : float, default 2.0
        The exponent of the norm, 1 at least.
    swap : bool, default False
        Whether the distance of the negative is that from the positive where this is smaller than
        that from the anchor.
    eps : float, default 1e-6
        What is added to each difference; not negative.

    Notes
    -----
    There are three differentiable inputs: gradients and second derivatives are tuples ``(anchor,
    positive, negative)``. With r = x − y + eps and q = |r|/d, d has the gradient ±sign(r)·qᵖ⁻¹ and
    the second derivative (p − 1)·qᵖ⁻²·(1 − qᵖ)/d. Where ℓ = 0, and at a distance of 0, gradients
    are 0, the subgradient of least norm. Where with `swap` both distances of the negative are the
    same, it is that from the anchor.

    In other libraries: ``torch.nn.functional.triplet_margin_loss``, the same number.
    ``optax.losses.triplet_margin_loss`` has eps below the root, and no absolute value there:
    for odd p it is something else. pytorch-metric-learning's ``TripletMarginLoss`` normalises
    embeddings first, and averages over the terms that are not 0.

    References
    ----------
    F. Schroff, D. Kalenichenko and J. Philbin, FaceNet, CVPR 2015; V. Balntas et al., Learning
    local feature descriptors with triplets and shallow convolutional neural networks, BMVC 2016
    (swap).

    Examples
    --------
    >>> import fastloss as fl
    >>> anchor, positive, negative = [[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 5.5]]
    >>> value, (d_anchor, d_positive, d_negative) = fl.triplet_margin.value_and_grad(
    ...     anchor, positive, negative, eps=0.0
    ... )
    >>> value
    0.5
    >>> d_anchor, d_positive, d_negative
    (array([[-0.6,  0.2]]), array([[0.6, 0.8]]), array([[ 0., -1.]]))
    """
    near, near_slope, near_parts = _norm(anchor - positive + eps, p)
    far, far_slope, far_parts = _norm(anchor - negative + eps, p)
    swapped = np.zeros_like(far) > 0
    if swap:
        other, other_slope, other_parts = _norm(positive - negative + eps, p)
        swapped = other < far
        far, far_slope = np.where(swapped, other, far), np.where(swapped, other_slope, far_slope)
        far_parts = [np.where(swapped, a, b) for a, b in zip(other_parts, far_parts, strict=True)]
    excess = near - far + margin
    counts, enough = excess > 0, excess <= 0

    def kept(*parts: Any) -> Parts:
        return Parts(*(np.where(counts, part, np.where(enough, 0, excess)) for part in parts))

    def of(which: Any, *parts: Any) -> Any:
        return [np.where(which, part, 0) for part in parts]

    grads = (
        kept(near_slope, *of(~swapped, -far_slope)),
        kept(-near_slope, *of(swapped, -far_slope)),
        kept(far_slope),
    )
    minus = [-part for part in far_parts]
    hesses = (
        kept(*near_parts, *of(~swapped, *minus)),
        kept(*near_parts, *of(swapped, *minus)),
        kept(*minus),
    )
    value = Parts(*(np.where(enough, 0, part) for part in (near, -far, margin)))
    return value[..., 0], grads, hesses
