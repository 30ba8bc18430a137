# SPDX-License-Identifier: BSD-3-Clause
"""Losses that rank: they compare the elements of a group, which are the documents of a query."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.domains import AT_LEAST_ONE_OR_NONE, FLAG, GROUP, NON_NEGATIVE, POSITIVE, REAL
from fastloss.families import Accuracy, Bounds, groupwise
from fastloss.reference import Parts, sigmoid, softplus


def _pairs(x: Any) -> tuple[Any, Any]:
    """Return the first and the second element of every pair of a group."""
    return x[..., :, None], x[..., None, :]


@groupwise(Accuracy(Bounds(2, 4, 4)), target=REAL, group=GROUP)
def pairwise_logistic(pred: Any, target: Any, group: Any) -> Any:
    """Logistic loss of all pairs of a group: RankNet.

    Of each group: ℓ = Σ softplus(−(xᵢ − xⱼ)) over its pairs with yᵢ > yⱼ, where x is `pred` and y
    `target`.

    Parameters
    ----------
    pred : array_like
        Scores: any real numbers, in an array of any shape; the largest rank first.
    target : array_like
        How relevant each element is, of the shape of `pred`. Only what is larger than what matters.
    group : array_like
        Integers of the shape of `pred`: elements of the same id are a group, the documents of a
        query. They need not be adjacent, but where ids ascend nothing is sorted or copied. Of the
        sizes of groups, one after the other, they are ``np.repeat(np.arange(len(sizes)), sizes)``.

    Notes
    -----
    The terms are the groups, by ascending ids; a group whose targets are all equal has the value 0
    and counts. The gradient of a pair is −p for the better and p for the worse element, with
    p = 1 / (1 + exp(xᵢ − xⱼ)), and its second derivative p·(1 − p) for both.

    A group of n elements takes time for its n² / 2 pairs, since the softplus of a difference is no
    sum of products that sorting could share, and memory for n. A group that holds NaN is NaN.
    Elements that are alike have equal derivatives, and the order of the elements within a group
    changes no bit.

    In other libraries: CatBoost's ``PairLogit`` is the mean of the pairs, of those of all queries
    alike, with this as each pair's. XGBoost's ``rank:pairwise`` draws pairs, whose second
    derivatives it doubles, and divides by log₂(1 + Σλ) / Σλ in a group
    (`lambdarank_normalization`); with ``lambdarank_pair_method="topk"`` and as many as there are
    documents, and without the normalization, its gradient is this one for ``reduction="sum"``. In
    PyTorch, a pair is ``F.softplus(x[j] - x[i])``; in JAX, ``rax.pairwise_logistic_loss`` is the
    mean over pairs.

    References
    ----------
    .. [1] C. Burges et al., "Learning to rank using gradient descent", ICML 2005.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.pairwise_logistic.value_and_grad(
    ...     [1.5, 0.5, 0.0, 2.0], [1, 0, 2, 0], [7, 7, 7, 8], reduction="none"
    ... )
    >>> value
    array([2.98875195, 0.        ])
    >>> grad
    array([ 0.54863305,  0.89140075, -1.44003381,  0.        ])
    """
    del group
    x, other = _pairs(pred)
    better = np.greater(*_pairs(target))
    p = np.where(better, sigmoid(other - x), 0)
    curvature = np.where(better, p * sigmoid(x - other), 0)
    return (
        np.sum(np.where(better, softplus(other - x), 0), axis=(-2, -1)),
        Parts(np.sum(p, axis=-2), -np.sum(p, axis=-1)),
        np.sum(curvature, axis=-2) + np.sum(curvature, axis=-1),
    )


@groupwise(
    Accuracy(Bounds(8, 8, 8)),
    surrogate=True,
    target=NON_NEGATIVE,
    group=GROUP,
    sigma=POSITIVE,
    truncation=AT_LEAST_ONE_OR_NONE,
    norm=FLAG,
)
def lambdarank(
    pred: Any,
    target: Any,
    group: Any,
    *,
    sigma: Any = 1.0,
    truncation: Any = 30,
    norm: Any = True,
) -> Any:
    """LambdaRank for NDCG: the logistic loss of pairs, weighed by what their exchange would change.

    Of each group: ℓ = c·Σ ωᵢⱼ·softplus(−σ·(xᵢ − xⱼ)) over its pairs with yᵢ > yⱼ, where x is
    `pred`, y `target` and σ `sigma`. With the elements' places in the order of descending x, from
    0, and the discounts d = 1 / log₂(place + 2), ωᵢⱼ is |ΔNDCG|: (2^yᵢ − 2^yⱼ)·|dᵢ − dⱼ| over the
    largest possible Σ (2^y − 1)·d of the first `truncation` places, and 0 for pairs of which
    neither is among these. With `norm`, ωᵢⱼ is divided by 0.01 + |xᵢ − xⱼ|, unless all x of the
    group are equal, and c = log₂(1 + S) / S with S = 2·Σ σ·ωᵢⱼ / (1 + exp(σ·(xᵢ − xⱼ))); otherwise
    c = 1.

    Parameters
    ----------
    pred : array_like
        Scores: any real numbers, in an array of any shape; the largest rank first.
    target : array_like
        Relevance grades, numbers >= 0 of the shape of `pred`: mostly 0, 1, 2, 3 and 4. Their gain
        is 2^y − 1.
    group : array_like
        Integers of the shape of `pred`: elements of the same id are a group, the documents of a
        query. They need not be adjacent, but where ids ascend nothing is sorted or copied. Of the
        sizes of groups, one after the other, they are ``np.repeat(np.arange(len(sizes)), sizes)``.
    sigma : float, default 1.0
        How steep the logistic function is, > 0.
    truncation : float or None, default 30
        How many places are the first ones; None: all.
    norm : bool, default True
        Whether groups of many pairs, and pairs far apart, count less.

    Notes
    -----
    **The derivatives are those of ℓ with c and ω held constant**, as LambdaRank is defined: with
    pᵢⱼ = 1 / (1 + exp(σ·(xᵢ − xⱼ))), those of a pair are −c·ω·σ·p for the better element, c·ω·σ·p
    for the worse one, and c·ω·σ²·p·(1 − p) for both. Without `norm`, ω changes only where two
    elements change places, and they are the derivatives of ℓ.

    The terms are the groups, by ascending ids; a group whose targets are all equal has the value 0
    and counts. A group that holds NaN is NaN. Of elements with equal x the more relevant one comes
    first; elements that are alike in both have the mean of the derivatives of their places: the
    order of the elements within a group changes no bit. A group of n elements takes time for
    min(n, `truncation`)·n pairs, and memory for n.

    In other libraries: with the defaults and ``reduction="sum"`` these are LightGBM's
    ``lambdarank`` derivatives (`sigmoid`, `lambdarank_truncation_level`, `lambdarank_norm`), where
    it has no equal scores, whose order is that of its data; LightGBM takes the logistic function
    from a table. XGBoost's ``rank:ndcg`` doubles the second derivative, has other pairs
    (`lambdarank_pair_method`, `lambdarank_num_pair_per_sample`), σ = 1, and NDCG over all places;
    the normalizations are the same. CatBoost's ``LambdaMart`` has its own.

    References
    ----------
    .. [1] C. Burges, R. Ragno, Q. Le, "Learning to rank with nonsmooth cost functions", NIPS 2006.
    .. [2] C. Burges, "From RankNet to LambdaRank to LambdaMART: an overview", MSR-TR-2010-82.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.lambdarank.grad([1.5, 0.5, 0.0, 2.0], [1, 0, 2, 0], [7, 7, 7, 8], reduction="sum")
    array([ 0.13717573,  0.17881265, -0.31598838,  0.        ])
    """
    del group
    count = np.arange(pred.shape[-1])
    truncation = np.inf if truncation is None else truncation
    zero = 0 * target  # of the arithmetic type
    x, other = _pairs(pred)
    y, other_y = _pairs(target)
    before, after = _pairs(count)
    is_before = (x > other) | (x == other) & ((y > other_y) | (y == other_y) & (before < after))
    place = np.sum(is_before, axis=-2)

    log_2 = np.log(2 + zero)
    discount = log_2 / np.log(place + 2 + zero)
    best_gain = (2 + zero) ** np.sort(target, axis=-1)[..., ::-1] - 1
    best = np.where(count < truncation, best_gain * log_2 / np.log(count + 2 + zero), 0)
    gain, other_gain = _pairs((2 + zero) ** target)
    change = (gain - other_gain) * np.abs(np.subtract(*_pairs(discount)))
    weight = change / np.sum(best, axis=-1)[..., None, None]
    if norm:
        is_varied = np.max(pred, axis=-1) != np.min(pred, axis=-1)
        weight = weight / np.where(is_varied[..., None, None], 0.01 + np.abs(x - other), 1)
    weight = np.where((y > other_y) & np.logical_or(*_pairs(place < truncation)), weight, 0)

    def weighed(pairs: Any) -> Any:
        return np.where(weight == 0, 0, weight * pairs)

    def alike(elements: Any) -> Any:
        """Give elements that are alike the mean of their results."""
        are_alike = (x == other) & (y == other_y)
        return np.sum(np.where(are_alike, elements[..., None], 0), -2) / np.sum(are_alike, -2)

    p = sigmoid(sigma * (other - x))
    slope = sigma * weighed(p)
    c: Any = 1
    if norm:
        s = 2 * np.sum(slope, axis=(-2, -1))
        c = np.where(s > 0, np.log1p(s) / (s * log_2[..., 0]), 1)[..., None]
    curvature = sigma**2 * weighed(p * sigmoid(sigma * (x - other)))
    values = np.sum(weighed(softplus(sigma * (other - x))), axis=-1)
    return (
        np.sum(c * values, axis=-1),
        Parts(c * alike(np.sum(slope, axis=-2)), -c * alike(np.sum(slope, axis=-1))),
        c * alike(np.sum(curvature, axis=-2) + np.sum(curvature, axis=-1)),
    )
