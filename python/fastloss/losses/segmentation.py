# SPDX-License-Identifier: BSD-3-Clause
"""Overlap losses: how far a predicted mask and the true one are from covering each other."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastloss.domains import FLAG, NON_NEGATIVE, POSITIVE, UNIT
from fastloss.families import Accuracy, Bounds, overlap
from fastloss.reference import Parts, sigmoid

RATIONAL = Accuracy(Bounds(1, 3, 5))


@overlap(RATIONAL, target=UNIT, from_logits=FLAG, smooth=NON_NEGATIVE)
def dice(pred: Any, target: Any, *, from_logits: Any = False, smooth: Any = 0.0) -> Any:
    """Soft Dice loss: 1 less the Sørensen-Dice coefficient of two masks.

    ℓ = 1 − (2·TP + s)/(2·TP + FP + FN + s), with TP = Σ p·t, FP = Σ p·(1 − t) and
    FN = Σ (1 − p)·t over the elements of a mask, where p is the prediction, or the sigmoid of it
    with `from_logits`, t the target, and s is `smooth`.

    Parameters
    ----------
    pred : array_like
        Probabilities in [0, 1], of shape (N, C, ...): a mask for each sample and class. Other
        shapes say with `axis` what a mask is.
    target : array_like
        The true masks, of the shape of `pred`: 0 or 1, as integers or bools too, or numbers
        between. They are not checked; see `fastloss.check_target`.
    from_logits : bool, default False
        Whether `pred` are logits instead, any real numbers, of which the sigmoid is taken. Where
        classes exclude each other, give the probabilities of a softmax.
    smooth : float, default 0.0
        Added to numerator and denominator; not negative.

    Notes
    -----
    A perfect prediction of a hard target has loss 0, and an almost perfect one does not round to
    0: the loss is computed as (FP + FN)/(2·TP + FP + FN + s). An empty prediction of an empty
    target is perfect, too: 0/0 is 0, without gradient; with logits, a prediction is empty where
    all of it rounds to 0. The gradient is (1 − t)·a − t·b, with numbers a and b ≥ 0 that a mask
    has in common, times p·(1 − p) with logits; the second derivative is the diagonal of the
    Hessian. Dice is the Tversky loss with α = β = 1/2 and half the smoothing.

    Probabilities are the default, since logits in their place are soon noticed, but not the
    reverse. Images with classes last have ``axis=(1, 2)``; with ``axis=(0, 2, 3)`` a term is a
    class in the whole batch. ``weight=[0, 1, 1]`` leaves the first of three classes out.

    In other libraries: MONAI's ``DiceLoss(smooth_nr=s, smooth_dr=s)``, both 1e-5 by default;
    ``DiceLoss(mode, smooth=s)`` of segmentation_models_pytorch (SMP), of the whole batch, from
    logits by default, and 0 for classes that the target lacks; optax's
    ``dice_loss(smooth=s/2)``, with classes last and s/2 = 1 by default; Keras's ``Dice``, of all
    axes together, where nothing and nothing is 1. With soft targets, MONAI's
    ``soft_label`` and later versions of SMP take Σ min(p, t) for TP.

    References
    ----------
    F. Milletari, N. Navab and S.-A. Ahmadi, V-Net, 3DV 2016 (with squares in the denominator);
    C. H. Sudre et al., Generalised Dice overlap as a deep learning loss function, DLMIA 2017.

    Examples
    --------
    >>> import fastloss as fl
    >>> pred = [[[0.75, 0.25, 0.0, 0.0]]]
    >>> target = [[[1, 1, 0, 0]]]
    >>> round(fl.dice(pred, target), 6)
    0.333333
    >>> fl.dice.grad(pred, target).round(3)
    array([[[-0.444, -0.444,  0.222,  0.222]]])
    >>> fl.dice([[0.75, 0.25, 0.0, 0.0]], [[1, 1, 0, 0]], axis=1, reduction="none").round(6)
    array([0.333333])
    """
    return _tversky(pred, target, from_logits, 0.5, 0.5, smooth / 2)


@overlap(RATIONAL, target=UNIT, from_logits=FLAG, smooth=NON_NEGATIVE)
def jaccard(pred: Any, target: Any, *, from_logits: Any = False, smooth: Any = 0.0) -> Any:
    """Soft Jaccard loss: 1 less the intersection over the union of two masks (IoU).

    ℓ = 1 − (TP + s)/(TP + FP + FN + s), with TP = Σ p·t, FP = Σ p·(1 − t) and
    FN = Σ (1 − p)·t over the elements of a mask, where p is the prediction, or the sigmoid of it
    with `from_logits`, t the target, and s is `smooth`.

    Parameters
    ----------
    pred : array_like
        Probabilities in [0, 1], of shape (N, C, ...): a mask for each sample and class. Other
        shapes say with `axis` what a mask is.
    target : array_like
        The true masks, of the shape of `pred`: 0 or 1, as integers or bools too, or numbers
        between. They are not checked; see `fastloss.check_target`.
    from_logits : bool, default False
        Whether `pred` are logits instead, any real numbers, of which the sigmoid is taken. Where
        classes exclude each other, give the probabilities of a softmax.
    smooth : float, default 0.0
        Added to numerator and denominator; not negative.

    Notes
    -----
    What `fastloss.dice` says of perfect and empty masks, of axes and of classes holds here too.
    With d its loss, ℓ = 2·d/(1 + d) without smoothing. It is the Tversky loss with α = β = 1.

    In other libraries: ``JaccardLoss(mode, smooth=s)`` of segmentation_models_pytorch, of the
    whole batch and from logits by default; MONAI's ``DiceLoss(jaccard=True)`` with ``smooth_nr``
    and ``smooth_dr`` of 2·s.

    References
    ----------
    M. A. Rahman and Y. Wang, Optimizing intersection-over-union in deep neural networks for image
    segmentation, ISVC 2016.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.jaccard([[[0.75, 0.25, 0.0, 0.0]]], [[[1, 1, 0, 0]]])
    0.5
    >>> fl.jaccard.grad([[[0.75, 0.25, 0.0, 0.0]]], [[[1, 1, 0, 0]]])
    array([[[-0.5 , -0.5 ,  0.25,  0.25]]])
    """
    return _tversky(pred, target, from_logits, 1.0, 1.0, smooth)


@overlap(
    RATIONAL,
    target=UNIT,
    from_logits=FLAG,
    alpha=NON_NEGATIVE,
    beta=NON_NEGATIVE,
    smooth=NON_NEGATIVE,
)
def tversky(
    pred: Any,
    target: Any,
    *,
    from_logits: Any = False,
    alpha: Any = 0.5,
    beta: Any = 0.5,
    smooth: Any = 0.0,
) -> Any:
    """Tversky loss: a Dice loss that weighs false positives and false negatives.

    ℓ = 1 − (TP + s)/(TP + α·FP + β·FN + s), with TP = Σ p·t, FP = Σ p·(1 − t) and
    FN = Σ (1 − p)·t over the elements of a mask, where p is the prediction, or the sigmoid of it
    with `from_logits`, t the target, and s is `smooth`.

    Parameters
    ----------
    pred : array_like
        Probabilities in [0, 1], of shape (N, C, ...): a mask for each sample and class. Other
        shapes say with `axis` what a mask is.
    target : array_like
        The true masks, of the shape of `pred`: 0 or 1, as integers or bools too, or numbers
        between. They are not checked; see `fastloss.check_target`.
    from_logits : bool, default False
        Whether `pred` are logits instead, any real numbers, of which the sigmoid is taken. Where
        classes exclude each other, give the probabilities of a softmax.
    alpha : float, default 0.5
        α, the weight of false positives; not negative.
    beta : float, default 0.5
        β, the weight of false negatives; not negative. More than `alpha` finds small masks.
    smooth : float, default 0.0
        Added to numerator and denominator; not negative.

    Notes
    -----
    What `fastloss.dice` says of perfect and empty masks, of axes and of classes holds here too.
    `fastloss.dice` has α = β = 1/2 and twice the smoothing, `fastloss.jaccard` α = β = 1.

    In other libraries: MONAI's ``TverskyLoss(alpha, beta, smooth_nr=s, smooth_dr=s)``,
    segmentation_models_pytorch's ``TverskyLoss(mode, smooth=s, alpha, beta)``, of the whole
    batch and from logits by default, and optax's ``dice_loss(alpha, beta, smooth=s)``. Keras's
    ``Tversky`` had α and β the other way round up to version 3.15.1.

    References
    ----------
    S. S. M. Salehi, D. Erdogmus and A. Gholipour, Tversky loss function for image segmentation
    using 3D fully convolutional deep networks, MLMI 2017.

    Examples
    --------
    >>> import fastloss as fl
    >>> pred, target = [[[0.75, 0.25, 0.5, 0.0]]], [[[1, 1, 0, 0]]]
    >>> fl.tversky(pred, target, alpha=0.0, beta=1.0)  # the share that is missed
    0.5
    >>> round(fl.tversky(pred, target, alpha=1.0, beta=0.0), 6)  # the share that is wrong
    0.333333
    """
    return _tversky(pred, target, from_logits, alpha, beta, smooth)


@overlap(
    Accuracy(Bounds(2, 4, 6)),
    target=UNIT,
    from_logits=FLAG,
    alpha=NON_NEGATIVE,
    beta=NON_NEGATIVE,
    gamma=POSITIVE,
    smooth=NON_NEGATIVE,
)
def focal_tversky(
    pred: Any,
    target: Any,
    *,
    from_logits: Any = False,
    alpha: Any = 0.5,
    beta: Any = 0.5,
    gamma: Any = 4 / 3,
    smooth: Any = 0.0,
) -> Any:
    """Focal Tversky loss: a power of the Tversky loss.

    ℓ = (1 − (TP + s)/(TP + α·FP + β·FN + s))^(1/γ), with TP = Σ p·t, FP = Σ p·(1 − t) and
    FN = Σ (1 − p)·t over the elements of a mask, where p is the prediction, or the sigmoid of it
    with `from_logits`, t the target, and s is `smooth`.

    Parameters
    ----------
    pred : array_like
        Probabilities in [0, 1], of shape (N, C, ...): a mask for each sample and class. Other
        shapes say with `axis` what a mask is.
    target : array_like
        The true masks, of the shape of `pred`: 0 or 1, as integers or bools too, or numbers
        between. They are not checked; see `fastloss.check_target`.
    from_logits : bool, default False
        Whether `pred` are logits instead, any real numbers, of which the sigmoid is taken. Where
        classes exclude each other, give the probabilities of a softmax.
    alpha : float, default 0.5
        α, the weight of false positives; not negative. The authors take 0.3.
    beta : float, default 0.5
        β, the weight of false negatives; not negative. The authors take 0.7.
    gamma : float, default 1.3333333333333333
        γ; positive. Above 1 almost perfect predictions still have a large gradient, below 1 bad
        ones have most of it.
    smooth : float, default 0.0
        Added to numerator and denominator; not negative.

    Notes
    -----
    What `fastloss.dice` says of perfect and empty masks, of axes and of classes holds here too.
    Where the loss is 0, derivatives that would be infinite are 0, the subgradient of least norm.
    With γ = 1 it is `fastloss.tversky`.

    In other libraries the exponent itself is called gamma: segmentation_models_pytorch's
    ``TverskyLoss(gamma=1/γ)``, of the whole batch and from logits by default; MONAI's
    ``AsymmetricFocalTverskyLoss(gamma=1 − 1/γ)`` in its foreground class.

    References
    ----------
    N. Abraham and N. M. Khan, A novel focal Tversky loss function with improved attention U-Net
    for lesion segmentation, ISBI 2019.

    Examples
    --------
    >>> import fastloss as fl
    >>> pred, target = [[[0.75, 0.25, 0.5, 0.0]]], [[[1, 1, 0, 0]]]
    >>> round(fl.focal_tversky(pred, target, alpha=0.3, beta=0.7), 6)
    0.558066
    >>> fl.focal_tversky(pred, target, gamma=1.0) == fl.tversky(pred, target)
    True
    """
    return _tversky(pred, target, from_logits, alpha, beta, smooth, gamma)


def _tversky(  # noqa: PLR0917
    x: Any, t: Any, from_logits: Any, alpha: Any, beta: Any, smooth: Any, gamma: Any = 1.0
) -> Any:
    """Evaluate the focal Tversky loss, which the others are cases of."""
    p, complement = (sigmoid(x), sigmoid(-x)) if from_logits else (x, 1 - x)
    rest = 1 - t

    def total(of_elements: Any) -> Any:
        return of_elements.sum(-1, keepdims=True)

    found = total(p * t) + smooth
    wrong = alpha * total(p * rest) + beta * total(complement * t)
    whole = np.where(found + wrong == 0, 1, found + wrong)  # 0/0 is 0
    distance = wrong / whole
    # Its derivatives by p are the sum of `grads`, and that times the sum of `turns`.
    grads = [rest * alpha * found / whole / whole, -t * (beta * found + wrong) / whole / whole]
    turns = [-2 * alpha * rest / whole, -2 * (1 - beta) * t / whole]

    exponent = 1 / gamma
    slope = exponent * _power(distance, exponent - 1)
    bend = exponent * (exponent - 1) * _power(distance, exponent - 2)
    turns = [slope * turn for turn in turns] + [bend * grad for grad in grads]
    if from_logits:
        by_logit = p * complement
        turns = [by_logit * turn for turn in turns] + [-slope * np.tanh(x / 2)]
        grads = [by_logit * grad for grad in grads]
    return (
        _power(distance, exponent)[..., 0],
        Parts(*(slope * grad for grad in grads)),
        Parts(sum(grads) * sum(turns), size=_largest(grads) * _largest(turns)),
    )


def _largest(parts: list[Any]) -> Any:
    return functools.reduce(np.maximum, map(np.abs, parts))


def _power(x: Any, exponent: Any) -> Any:
    """Return a power of numbers that are not negative; 0 where it is infinite."""
    infinite = (x == 0) & (exponent < 0)
    return np.where(infinite, 0, np.where(infinite, 1, x) ** exponent)
