# SPDX-License-Identifier: BSD-3-Clause
"""Row-wise losses of which any number of classes may be labels: targets are rows of 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.domains import BINARY, UNIT
from fastloss.families import Accuracy, Bounds, rowwise
from fastloss.losses.binary import binary_cross_entropy_with_logits
from fastloss.reference import Parts


@rowwise(Accuracy(Bounds(2, 1, 1)), hess="zero", target=BINARY)
def multilabel_margin(logits: Any, target: Any) -> Any:
    """Hinge loss of every pair of a label and a class that is none.

    ℓ = Σⱼ yⱼ·Σₖ(1 − yₖ)·max(0, 1 − (xⱼ − xₖ)) / K, where x is the logits, y the target, and K the
    number of classes.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers.
    target : array_like
        1 at the labels of a row and 0 elsewhere, of the shape of `logits`; not checked (see
        `fastloss.check_target`), the formula applies to all numbers.

    Notes
    -----
    The gradient counts a label's pairs that are nearer than the margin 1, with minus, and those of
    another class, and divides them by K; a pair at the margin has none, the subgradient of
    least norm. The second derivative is 0 almost everywhere. A row takes time in proportion to
    K times its number of labels.

    In other libraries: ``torch.nn.functional.multilabel_margin_loss(logits, labels)``, where the
    row of `labels` is not of 0 and 1, but lists the labels' numbers and ends with −1.

    References
    ----------
    J. Weston and C. Watkins, Support vector machines for multi-class pattern recognition,
    ESANN 1999.

    Examples
    --------
    >>> import fastloss as fl
    >>> logits, target = [[0.5, 2.0, 0.0, 1.0]], [[1, 1, 0, 0]]
    >>> value, grad = fl.multilabel_margin.value_and_grad(logits, target)
    >>> value
    0.5
    >>> grad
    array([[-0.5 ,  0.  ,  0.25,  0.25]])
    """
    x, classes = logits, logits.shape[-1]
    value, grad = np.zeros_like(x[..., 0]), np.zeros_like(x)
    for j in range(classes):
        label = target[..., j : j + 1]
        if not np.any(label != 0):
            continue
        weight = label * (1 - target)
        short_of = 1 - (x[..., j : j + 1] - x)
        hinge = np.where(short_of <= 0, 0, short_of)
        slope = np.where(weight == 0, 0, np.where(short_of > 0, weight, hinge))
        value = value + np.where(weight == 0, 0, weight * hinge).sum(-1)
        own = np.where(np.arange(classes) == j, slope.sum(-1, keepdims=True), 0)
        grad = grad + (slope - own)
    return value / classes, grad / classes, np.zeros_like(x)


@rowwise(Accuracy(Bounds(3, 4, 7)), target=UNIT)
def multilabel_soft_margin(logits: Any, target: Any) -> Any:
    """Mean over the classes of a row of the binary cross-entropy with logits.

    ℓ = Σₖ(yₖ·softplus(−xₖ) + (1 − yₖ)·softplus(xₖ)) / K, softplus(x) = log(1 + exp(x)), where x is
    the logits, y the target, and K the number of classes.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers, the logarithms of the odds.
    target : array_like
        Probabilities in [0, 1], 0 and 1 included, of the shape of `logits`; not checked (see
        `fastloss.check_target`).

    Notes
    -----
    A row is a term: with `binary_cross_entropy_with_logits`, which has the same mean, each
    element is one. The gradient is (σ(x) − y)/K, the second derivative σ(x)·σ(−x)/K, σ the sigmoid.

    In other libraries: ``torch.nn.functional.multilabel_soft_margin_loss(logits, target)``.

    References
    ----------
    D. R. Cox, The regression analysis of binary sequences, Journal of the Royal Statistical
    Society B 20 (1958).

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.multilabel_soft_margin([[0.0, 50.0, -2.0]], [[1, 1, 0]]), 6)
    0.273358
    >>> fl.multilabel_soft_margin.grad([[0.0, 0.0]], [[1, 0]])
    array([[-0.25,  0.25]])
    """
    terms = binary_cross_entropy_with_logits.formula.body(
        logits, target, pos_weight=1, label_smoothing=0
    )
    classes = logits.shape[-1]
    value, grad, hess = (x if isinstance(x, Parts) else Parts(x) for x in terms)
    return (
        value.sum().sum(-1) / classes,
        Parts(grad.sum() / classes, size=grad.size() / classes),
        hess.sum() / classes,
    )
