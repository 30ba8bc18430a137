# SPDX-License-Identifier: BSD-3-Clause
"""Row-wise losses of the margin between a label's score and the other ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.curvatures import Constant, Curvatures, at_most
from fastloss.domains import LABELS, NON_NEGATIVE
from fastloss.families import Accuracy, Bounds, rowwise
from fastloss.losses.labels import of_label
from fastloss.reference import Parts, product


def _sum_over_margins(logits: Any, target: Any, weight: Any, margin: Any) -> tuple[Any, Any, Any]:
    """Return what each class lacks of the margin, its sign, and the mask of the quadratic side."""
    own = of_label(target, logits)
    lacking = np.where(target == 1, -np.inf, margin + (logits - own))
    h = np.where(lacking <= 0, 0, lacking)
    return h, np.where(lacking > 0, 1, h), lacking >= 0


def _with_label(target: Any, weight: Any, slope: Any, classes: int) -> Any:
    """Give the label the slope of all other classes together, less."""
    total = slope.sum(-1, keepdims=True)
    return weight * np.where(target == 1, -total, slope) / classes


@rowwise(Accuracy(Bounds(2, 2, 1)), hess="zero", target=LABELS, margin=NON_NEGATIVE)
def multi_margin(logits: Any, target: Any, *, class_weight: Any, margin: Any = 1.0) -> Any:
    """Hinge loss of all other classes: the multi-class hinge of Weston and Watkins, as a mean.

    ℓ = w·Σ_{k≠t} max(0, m + xₖ − xₜ)/K, with the label t, w its class weight and K classes.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.
    margin : float, default 1.0
        m, by how much the label's score shall exceed each other one; not negative.

    Notes
    -----
    The gradient is w/K for each class that is too near, and −w·(their number)/K at the label; at
    the kink m + xₖ = xₜ it is 0, the subgradient of least norm. The second derivative is 0 almost
    everywhere.

    In other libraries: ``torch.nn.functional.multi_margin_loss(p=1)``, where `class_weight` is
    called ``weight`` and does not enter the denominator of the mean; there a NaN beside the label
    counts as 0.

    References
    ----------
    J. Weston and C. Watkins, Support vector machines for multi-class pattern recognition, ESANN
    1999, where the sum is not divided by K.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.multi_margin([[2.0, 1.5, 0.0, 3.0]], [0], reduction="none")
    array([0.625])
    >>> fl.multi_margin.grad([[2.0, 1.5, 0.0, 3.0]], [0], reduction="sum")
    array([[-0.5 ,  0.25,  0.  ,  0.25]])
    """
    weight = of_label(target, class_weight)
    h, slope, _ = _sum_over_margins(logits, target, weight, margin)
    classes = logits.shape[-1]
    value = product(weight[..., 0], h.sum(-1) / classes)
    return value, _with_label(target, weight, slope, classes), np.zeros_like(logits)


@rowwise(
    Accuracy(Bounds(4, 3, 1)),
    curvatures=Curvatures(Constant(2)),
    target=LABELS,
    margin=NON_NEGATIVE,
)
def squared_multi_margin(logits: Any, target: Any, *, class_weight: Any, margin: Any = 1.0) -> Any:
    """Squared hinge loss of all other classes, as a mean.

    ℓ = w·Σ_{k≠t} max(0, m + xₖ − xₜ)²/K, with the label t, w its class weight and K classes.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.
    margin : float, default 1.0
        m, by how much the label's score shall exceed each other one; not negative.

    Notes
    -----
    The gradient is 2w·max(0, m + xₖ − xₜ)/K, and less the sum of these at the label. The second
    derivative is 2w/K for each class that is too near, at m + xₖ = xₜ that of the quadratic side,
    and their sum at the label.

    In other libraries: ``torch.nn.functional.multi_margin_loss(p=2)``, where `class_weight` is
    called ``weight`` and does not enter the denominator of the mean.

    References
    ----------
    ``torch.nn.functional.multi_margin_loss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.squared_multi_margin([[2.0, 1.5, 0.0, 3.0]], [0], reduction="none")
    array([1.0625])
    >>> fl.squared_multi_margin.grad([[2.0, 1.5, 0.0, 3.0]], [0], reduction="sum")
    array([[-1.25,  0.25,  0.  ,  1.  ]])
    """
    weight = of_label(target, class_weight)
    h, _, curved = _sum_over_margins(logits, target, weight, margin)
    classes = logits.shape[-1]
    sides = 2 * np.where(curved, 1, 0)
    bends = np.where(target == 1, sides.sum(-1, keepdims=True), sides)
    return (
        product(weight[..., 0], (h * h).sum(-1) / classes),
        _with_label(target, weight, 2 * h, classes),
        weight * bends / classes,
    )


def _largest_over_margin(logits: Any, target: Any, class_weight: Any, margin: Any) -> Any:
    """Return max(0, margin + max_{k≠t} xₖ − xₜ) and its derivatives."""
    weight = of_label(target, class_weight)
    others = np.where(target == 1, -np.inf, logits)
    rival = others.max(-1, keepdims=True, initial=-np.inf)
    lacking = margin + (rival - of_label(target, logits))
    h = np.where(lacking <= 0, 0, lacking)
    ties = np.where((target == 0) & (others == rival), 1, 0)
    slope = np.where(target == 1, -1, ties / ties.sum(-1, keepdims=True))
    grad = np.where(lacking > 0, slope, h)
    return product(weight, h)[..., 0], weight * grad, np.zeros_like(logits)


@rowwise(Accuracy(Bounds(1, 1, 1)), hess="zero", target=LABELS)
def multiclass_hinge(logits: Any, target: Any, *, class_weight: Any) -> Any:
    """Multi-class hinge of Crammer and Singer: what the label lacks of a margin of 1 to the others.

    ℓ = w·max(0, 1 + max_{k≠t} xₖ − xₜ), with the label t and w its class weight.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.

    Notes
    -----
    Where the margin is not kept the gradient is −w at the label and w at the largest other class;
    several that are the largest share it. At the kink it is 0. Both are the subgradient of least
    norm. The second derivative is 0 almost everywhere.

    In other libraries: ``optax.losses.multiclass_hinge_loss``, the same number and, away from
    the kink, the same gradient; ``sklearn.metrics.hinge_loss`` of more than two classes. Keras's
    ``CategoricalHinge`` takes 0 for the label's score among the others.

    References
    ----------
    K. Crammer and Y. Singer, On the algorithmic implementation of multiclass kernel-based vector
    machines, JMLR 2 (2001).

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[2.0, 1.5, 0.0], [0.0, 0.0, 1.0], [-1.0, 2.0, 2.0]]
    >>> fl.multiclass_hinge(logits, [0, 2, 0], reduction="none")
    array([0.5, 0. , 4. ])
    >>> fl.multiclass_hinge.grad(logits, [0, 2, 0], reduction="sum")
    array([[-1. ,  1. ,  0. ],
           [ 0. ,  0. ,  0. ],
           [-1. ,  0.5,  0.5]])
    """
    return _largest_over_margin(logits, target, class_weight, 1)


@rowwise(Accuracy(Bounds(1, 1, 1)), hess="zero", target=LABELS)
def multiclass_perceptron(logits: Any, target: Any, *, class_weight: Any) -> Any:
    """Multi-class perceptron loss: what the label lacks to be the largest.

    ℓ = w·(maxₖ xₖ − xₜ), with the label t and w its class weight.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.

    Notes
    -----
    Where the label is not among the largest the gradient is −w at the label and w at the largest
    class; several that are the largest share it. Elsewhere it is 0. Both are the subgradient of
    least norm. The second derivative is 0 almost everywhere.

    In other libraries: ``optax.losses.multiclass_perceptron_loss``, the same number and, but for
    ties with the label, the same gradient.

    References
    ----------
    M. Collins, Discriminative training methods for hidden Markov models: theory and experiments
    with perceptron algorithms, EMNLP 2002.

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[2.0, 1.5, 0.0], [0.0, 1.0, 1.0], [-1.0, 2.0, 2.0]]
    >>> fl.multiclass_perceptron(logits, [0, 2, 0], reduction="none")
    array([0., 0., 3.])
    >>> fl.multiclass_perceptron.grad(logits, [0, 2, 0], reduction="sum")
    array([[ 0. ,  0. ,  0. ],
           [ 0. ,  0. ,  0. ],
           [-1. ,  0.5,  0.5]])
    """
    return _largest_over_margin(logits, target, class_weight, 0)


@rowwise(Accuracy(Bounds(3, 3, 1)), curvatures=at_most(1), target=LABELS)
def sparsemax(logits: Any, target: Any, *, class_weight: Any) -> Any:
    """Sparsemax loss, that of the projection of logits onto the probabilities, which has zeros.

    ℓ = w·(Σ_{k≠t} pₖ² + (1 − pₜ)²)/2 + w·max(0, τ − xₜ), where p = max(0, x − τ) with Σₖ pₖ = 1
    is the row of probabilities that is nearest to the logits x, t the label and w its class weight.
    It is the Fenchel–Young loss of |p|²/2, often written −xₜ + Σ_{pₖ>0} (xₖ² − τ²)/2 + 1/2.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers; −inf for a class that cannot be.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.

    Notes
    -----
    The loss is 0 where the label's score exceeds all other ones by 1 or more. The gradient is
    w·(p − y) with y a single 1 at the label. The second derivative is w·(1 − 1/n) for each of the
    n classes of the support, in which xₖ ≥ τ, and 0 for the others: a class at the edge, with
    xₖ = τ and p = 0, belongs to it. Equal logits are in or out together, in whatever order they
    come. A row with nothing but −inf, or with +inf twice, is NaN.

    In other libraries: ``optax.losses.multiclass_sparsemax_loss``, the same number.

    References
    ----------
    A. F. T. Martins and R. F. Astudillo, From softmax to sparsemax: a sparse model of attention
    and multi-label classification, ICML 2016. The threshold is found as by C. Michelot, A finite
    algorithm for finding the projection of a point onto the canonical simplex of Rⁿ, 1986.

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[2.0, 1.5, 0.0], [2.0, 1.0, 0.0]]
    >>> fl.sparsemax(logits, [0, 0], reduction="none")
    array([0.0625, 0.    ])
    >>> fl.sparsemax.grad(logits, [0, 2], reduction="sum")
    array([[-0.25,  0.25,  0.  ],
           [ 1.  ,  0.  , -1.  ]])
    """
    x = logits
    peak = x.max(-1, keepdims=True, initial=-np.inf)
    first_peak = np.arange(x.shape[-1]) == x.argmax(-1)[..., None]
    several = (x == np.inf).sum(-1, keepdims=True) > 1
    invalid = np.where((peak > -np.inf) & ~several, 0, np.nan)
    height = np.where(x == peak, 1, 1 + (x - peak))
    inside, smaller = height >= 0, None
    while smaller is None or (smaller != inside).any():
        # With the threshold θ of heights, Σ (height − θ) = 1; one class at the peak has height 1.
        inside = inside if smaller is None else smaller
        others = np.where(inside & ~first_peak, height, 0).sum(-1, keepdims=True)
        support = inside.sum(-1, keepdims=True)
        theta = others / support
        smaller = inside & (height >= theta)

    kept = np.where(inside & (target == 0), height - theta, 0)
    against = kept.sum(-1, keepdims=True)
    beyond = np.maximum(theta - of_label(target, height), 0)
    weight = of_label(target, class_weight) + invalid
    value = ((kept * kept).sum(-1, keepdims=True) + against * against) / 2 + beyond
    return (
        product(weight, value)[..., 0],
        Parts(
            weight * np.where(target == 1, -against, np.where(inside, height, 0)),
            weight * np.where(target == 1, 0, np.where(inside, -theta, 0)),
        ),
        np.where(inside, weight * (support - 1) / support, weight * 0),
    )
