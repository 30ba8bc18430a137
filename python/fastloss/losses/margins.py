# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses of margins: a score times a target of -1 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.curvatures import LOGISTIC, at_most, kinked
from fastloss.domains import REAL, SIGN
from fastloss.families import Accuracy, Bounds, pointwise

ROUNDED_ONCE = Accuracy(Bounds(1, 1, 1), otherwise=Bounds(1, 1, 1))


@pointwise(
    ROUNDED_ONCE, hess="zero", curvatures=kinked(lambda target: ((target, 1.0),)), target=SIGN
)
def hinge(pred: Any, target: Any) -> Any:
    """Hinge loss, of support vector machines.

    ℓ = max(0, 1 − z), z = target·pred.

    Parameters
    ----------
    pred : array_like
        Raw scores: any real numbers.
    target : array_like
        -1 or 1, of the shape of `pred` or a single one. They are not checked; see
        `fastloss.check_target`.

    Notes
    -----
    The gradient is −target for z < 1 and 0 beyond; at the kink z = 1 it is 0, the subgradient of
    least norm. The second derivative is 0 almost everywhere.

    In other libraries: ``optax.hinge_loss``, Keras's ``Hinge`` (a mean over the last axis),
    ``sklearn.metrics.hinge_loss`` and ``SGDClassifier(loss="hinge")``, the same number; XGBoost's
    ``binary:hinge`` has targets 0 and 1.

    References
    ----------
    C. Cortes and V. Vapnik, Support-vector networks, Machine Learning 20 (1995).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.hinge([0.5, -2.0, 3.0], [1, 1, 1], reduction="none")
    array([0.5, 3. , 0. ])
    >>> fl.hinge.grad([0.5, -2.0, 3.0], [1, 1, 1], reduction="sum")
    array([-1., -1.,  0.])
    """
    margin = 1 - target * pred
    slope = np.where(margin > 0, -target, np.where(margin <= 0, 0, margin))
    return np.where(margin <= 0, 0, margin), slope, np.zeros_like(margin)


@pointwise(ROUNDED_ONCE, curvatures=at_most(2), target=SIGN)
def squared_hinge(pred: Any, target: Any) -> Any:
    """Squared hinge loss, of smooth support vector machines.

    ℓ = max(0, 1 − z)², z = target·pred.

    Parameters
    ----------
    pred : array_like
        Raw scores: any real numbers.
    target : array_like
        -1 or 1, of the shape of `pred` or a single one. They are not checked; see
        `fastloss.check_target`.

    Notes
    -----
    The gradient is −2·target·(1 − z) for z < 1 and 0 beyond; the second derivative is 2 and 0, at
    z = 1 that of the quadratic side.

    In other libraries: Keras's ``SquaredHinge`` (a mean over the last axis) and
    ``SGDClassifier(loss="squared_hinge")`` of scikit-learn, the same number.

    References
    ----------
    Y. Tang, Deep learning using linear support vector machines, 2013.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.squared_hinge([0.5, -2.0, 3.0], [1, 1, 1], reduction="none")
    array([0.25, 9.  , 0.  ])
    >>> fl.squared_hinge.grad([0.5, -2.0, 3.0], [1, 1, 1], reduction="sum")
    array([-1., -6.,  0.])
    """
    margin = 1 - target * pred
    excess = np.where(margin <= 0, 0, margin)
    return excess**2, -2 * target * excess, 2 * (~(margin < 0)).astype(margin.dtype)


@pointwise(ROUNDED_ONCE, hess="zero", curvatures=kinked(lambda target: ((0.0, 1.0),)), target=SIGN)
def perceptron(pred: Any, target: Any) -> Any:
    """Perceptron loss: what a score on the wrong side of 0 lacks.

    ℓ = max(0, −z), z = target·pred.

    Parameters
    ----------
    pred : array_like
        Raw scores: any real numbers.
    target : array_like
        -1 or 1, of the shape of `pred` or a single one. They are not checked; see
        `fastloss.check_target`.

    Notes
    -----
    The gradient is −target for z < 0 and 0 beyond; at the kink z = 0 it is 0, the subgradient of
    least norm. The second derivative is 0 almost everywhere.

    In other libraries: ``optax.perceptron_loss`` and ``SGDClassifier(loss="perceptron")`` of
    scikit-learn, the same number.

    References
    ----------
    F. Rosenblatt, The perceptron, Psychological Review 65 (1958).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.perceptron([0.5, -2.0, 3.0], [1, 1, -1], reduction="none")
    array([0., 2., 3.])
    >>> fl.perceptron.grad([0.5, -2.0, 3.0], [1, 1, -1], reduction="sum")
    array([ 0., -1.,  1.])
    """
    wrong = -target * pred
    slope = np.where(wrong > 0, -target, np.where(wrong <= 0, 0, wrong))
    return np.where(wrong <= 0, 0, wrong), slope, np.zeros_like(wrong)


@pointwise(ROUNDED_ONCE, curvatures=at_most(2), target=SIGN)
def modified_huber(pred: Any, target: Any) -> Any:
    """Squared hinge that becomes linear: the modified Huber loss of classification.

    ℓ = max(0, 1 − z)² for z ≥ −1, −4z beyond, z = target·pred.

    Parameters
    ----------
    pred : array_like
        Raw scores: any real numbers.
    target : array_like
        -1 or 1, of the shape of `pred` or a single one. They are not checked; see
        `fastloss.check_target`.

    Notes
    -----
    The gradient is −2·target·max(0, 1 − z) for z ≥ −1 and −4·target beyond; the second derivative
    is 2 for −1 ≤ z ≤ 1, its ends included, and 0 elsewhere.

    In other libraries: ``SGDClassifier(loss="modified_huber")`` of scikit-learn, the same number.

    References
    ----------
    T. Zhang, Solving large scale linear prediction problems using stochastic gradient descent
    algorithms, ICML 2004.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.modified_huber([0.5, -2.0, 3.0], [1, 1, 1], reduction="none")
    array([0.25, 8.  , 0.  ])
    >>> fl.modified_huber.grad([0.5, -2.0, 3.0], [1, 1, 1], reduction="sum")
    array([-1., -4.,  0.])
    """
    z = target * pred
    excess = np.where(z >= 1, 0, 1 - z)
    linear = z < -1
    value = np.where(linear, -4 * z, excess**2)
    grad = np.where(linear, -4 * target, -2 * target * excess)
    return value, grad, 2 * (~(linear | (z > 1))).astype(z.dtype)


@pointwise(Accuracy(Bounds(1, 1, 2)), curvatures=LOGISTIC, target=SIGN)
def soft_margin(pred: Any, target: Any) -> Any:
    """Logistic loss of a margin.

    ℓ = log(1 + exp(−z)), z = target·pred.

    Parameters
    ----------
    pred : array_like
        Raw scores: any real numbers.
    target : array_like
        -1 or 1, of the shape of `pred` or a single one. They are not checked; see
        `fastloss.check_target`.

    Notes
    -----
    The gradient is −target·σ(−z), the second derivative σ(z)·σ(−z), σ the sigmoid. It is
    `fastloss.binary_cross_entropy_with_logits` of targets 0 and 1.

    In other libraries: ``torch.nn.functional.soft_margin_loss``, the same number, but infinite
    where exp(−z) is; ``SGDClassifier(loss="log_loss")`` of scikit-learn;
    ``optax.sigmoid_binary_cross_entropy`` and XGBoost's ``binary:logistic`` with targets 0 and 1.

    References
    ----------
    ``torch.nn.functional.soft_margin_loss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.soft_margin([0.5, -2.0, 3.0], [1, 1, 1], reduction="none").round(6)
    array([0.474077, 2.126928, 0.048587])
    >>> fl.soft_margin.grad([0.0, -2000.0, 3.0], [1, 1, 1], reduction="sum").round(6)
    array([-0.5     , -1.      , -0.047426])
    """
    z = target * pred
    e = np.exp(-np.abs(z))
    tail, rest = e / (1 + e), 1 / (1 + e)
    wrong = np.where(z < 0, rest, tail)
    return np.log1p(e) + np.where(z < 0, -z, 0), -target * wrong, target**2 * tail * rest


@pointwise(ROUNDED_ONCE, hess="zero", target=SIGN, margin=REAL)
def hinge_embedding(pred: Any, target: Any, *, margin: Any = 1.0) -> Any:
    """Distances of similar pairs, and what distances of dissimilar pairs lack of a margin.

    ℓ = pred where the target is 1, max(0, margin − pred) where it is −1.

    Parameters
    ----------
    pred : array_like
        Distances, though any real numbers may be given.
    target : array_like
        1 for a similar pair, -1 for a dissimilar one, of the shape of `pred` or a single one.
        They are not checked; see `fastloss.check_target`.
    margin : float or array_like of shape (pred.shape[-1],), default 1.0
        The distance from which a dissimilar pair costs nothing. An array has one for each place
        along the last axis.

    Notes
    -----
    The gradient is 1 for similar pairs; for dissimilar ones it is −1 within the margin and 0
    beyond, also at the kink pred = margin: the subgradient of least norm. The second derivative is
    0 almost everywhere.

    In other libraries: ``torch.nn.functional.hinge_embedding_loss``, the same number, with a
    gradient of −1 at the kink.

    References
    ----------
    ``torch.nn.functional.hinge_embedding_loss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.hinge_embedding([0.25, 0.25, 3.0], [1, -1, -1], reduction="none")
    array([0.25, 0.75, 0.  ])
    >>> fl.hinge_embedding.grad([0.25, 0.25, 3.0], [1, -1, -1], reduction="sum")
    array([ 1., -1.,  0.])
    """
    linear = np.where(target > 0, pred, margin + target * pred)
    far = (target < 0) & (linear <= 0)
    slope = np.where((linear <= 0) | (linear > 0), target, linear)
    return np.where(far, 0, linear), np.where(far, 0, slope), np.zeros_like(linear)


@pointwise(ROUNDED_ONCE, hess="zero", target=SIGN, margin=REAL)
def margin_ranking(input1: Any, input2: Any, target: Any, *, margin: Any = 0.0) -> Any:
    """Hinge loss of the difference of two scores: which of them shall be higher.

    ℓ = max(0, margin − target·(input1 − input2)).

    Parameters
    ----------
    input1, input2 : array_like
        Scores: any real numbers, both of the same shape.
    target : array_like
        1 where `input1` shall rank higher, -1 where `input2` shall, of the shape of the scores or
        a single one. They are not checked; see `fastloss.check_target`.
    margin : float or array_like of shape (input1.shape[-1],), default 0.0
        By how much the one shall be higher. An array has one for each place along the last axis.

    Notes
    -----
    There are two differentiable inputs: gradients and second derivatives are tuples
    ``(input1, input2)``. The gradients are −target and target where the loss is positive and 0
    elsewhere, also at the kink: the subgradient of least norm. The second derivatives are 0 almost
    everywhere.

    In other libraries: ``torch.nn.functional.margin_ranking_loss``, the same number, with
    gradients of −target and target at the kink.

    References
    ----------
    ``torch.nn.functional.margin_ranking_loss``.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, (grad1, grad2) = fl.margin_ranking.value_and_grad(
    ...     [3.0, 1.0], [2.0, 2.0], [1, 1], margin=0.5, reduction="sum"
    ... )
    >>> value
    1.5
    >>> grad1, grad2
    (array([ 0., -1.]), array([0., 1.]))
    """
    lack = margin - target * (input1 - input2)
    slope = np.where(lack > 0, target, np.where(lack <= 0, 0, lack))
    zero = np.zeros_like(lack)
    return np.where(lack <= 0, 0, lack), (-slope, slope), (zero, zero)
