# SPDX-License-Identifier: BSD-3-Clause
"""Row-wise losses of similarities: those of an anchor with others make one term."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastloss.domains import NON_NEGATIVE, POSITIVE, UNIT
from fastloss.families import Accuracy, Bounds, rowwise
from fastloss.reference import product


class _Side(NamedTuple):
    """Those that belong to the anchor, or those that do not."""

    largest: Any  # |w|
    exponentials: Any  # exp(γ(w² − largest²))
    total: Any
    others: Any  # of the total, for each exponential


def _side(w: Any, which: Any, gamma: Any) -> _Side:
    size = np.where(which, np.abs(w), -1)
    largest = size.max(-1, keepdims=True)
    is_largest = which & (size == largest)
    below = np.where(is_largest, 0, gamma * (size - largest) * (size + largest))
    e = np.where(which, np.exp(below), 0)
    first_largest = is_largest & (np.arange(w.shape[-1]) == size.argmax(-1)[..., None])
    others = np.where(first_largest, 0, e).sum(-1, keepdims=True)
    total = np.where(largest == -1, 0, 1 + others)
    lacking = np.where(is_largest, others, 1 + (others - e))
    return _Side(np.where(largest == -1, 0, largest), e, total, lacking)


@rowwise(Accuracy(Bounds(4, 5, 7)), target=UNIT, gamma=POSITIVE, margin=NON_NEGATIVE)
def circle(similarity: Any, target: Any, *, gamma: Any = 80.0, margin: Any = 0.4) -> Any:
    """Circle loss: an anchor is to be similar to what belongs to it, and to nothing else.

    ℓ = log(1 + Σₚ exp(h(1 − sₚ))·Σₙ exp(h(sₙ))), h(u) = γ·max(0, u + m)·(u − m), with the
    similarities s of those p that belong to the anchor and of those n that do not.

    Parameters
    ----------
    similarity : array_like
        Similarities of an anchor with others along `axis`, such as cosines: any real numbers.
    target : array_like
        1 for those that belong to the anchor and 0 for those that do not, of the shape of
        `similarity`. Other numbers count as the nearer of both; 0.5 leaves one out, as an anchor's
        similarity with itself should be. They are not checked; see `fastloss.check_target`.
    gamma : float, default 80.0
        The scale γ; positive.
    margin : float, default 0.4
        The margin m: wanted are similarities above 1 − m, and below m; not negative.

    Notes
    -----
    With w = max(1 − s, −m) or max(s, −m), h is γ(w² − m²), which has the slope 2γw. The gradient is
    that of ℓ: the weights max(0, u + m), too, are differentiated. At the kink u = −m it is 0, the
    subgradient of least norm. An anchor with nothing that belongs to it, or nothing else, has
    ℓ = 0. Sums that are too large or too small for a number do no harm.

    In other libraries: Keras's ``Circle`` and pytorch-metric-learning's ``CircleLoss`` compute the
    cosines of a batch of embeddings, and have the same terms for each. The latter, as the paper,
    counts the weights as constant in the gradient, and averages over the terms that are not 0.

    References
    ----------
    Y. Sun et al., Circle loss: a unified perspective of pair similarity optimization, CVPR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> similarity = np.array([[1.0, 0.5, 0.25], [0.5, 1.0, 0.0], [0.25, 0.0, 1.0]])
    >>> label = np.array([0, 0, 1])
    >>> target = np.where(np.eye(3) == 1, 0.5, label[:, None] == label)
    >>> print(fl.circle(similarity, target, gamma=8.0, reduction="none"))
    [0.66359711 0.45184543 0.        ]
    """
    belongs, differs = target > 0.5, ~(target >= 0.5)
    u = np.where(belongs, 1 - similarity, similarity) + 0 * target
    w = np.where(u <= -margin, -margin, u)
    positive, negative = _side(w, belongs, gamma), _side(w, differs, gamma)

    # The product of both sums is both·exp(x).
    both = positive.total * negative.total
    x = gamma * (positive.largest**2 + negative.largest**2 - 2 * margin**2)
    decay = np.exp(-np.abs(x))
    above = (x > 0) & (both > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where(above, decay / both, decay * both)
        larger = np.log1p(np.where(above, 0, odds))
        value = np.where(above, x + np.log(both) + np.log1p(decay / both), larger)
    slope, against = 1 / (1 + odds), odds / (1 + odds)
    slope, against = np.where(above, slope, against), np.where(above, against, slope)

    def of_side(a: Any, b: Any) -> Any:
        return np.where(belongs, a, b)

    total = of_side(positive.total, negative.total)
    share = of_side(positive.exponentials, negative.exponentials) / np.where(total == 0, 1, total)
    others = of_side(positive.others, negative.others) / np.where(total == 0, 1, total)
    pull = slope * share
    without = against + slope * others  # 1 − pull
    grad = of_side(-1, 1) * product(pull, 2 * gamma * w)
    hess = product(pull, 2 * gamma * (1 + product(without, 2 * gamma * w**2)))
    left_out = target == 0.5
    return (
        value[..., 0],
        np.where(left_out | (u <= -margin), 0, grad),
        np.where(left_out | (u < -margin), 0, hess),
    )
