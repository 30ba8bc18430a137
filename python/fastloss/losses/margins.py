# SPDX-License-Identifier: BSD-3-Clause
"""Pointwise losses of margins: a score times a target of -1 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.domains import SIGN
from fastloss.families import Accuracy, Bounds, pointwise

ROUNDED_ONCE = Accuracy(Bounds(1, 1, 1))


@pointwise(ROUNDED_ONCE, hess="zero", target=SIGN)
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


@pointwise(ROUNDED_ONCE, target=SIGN)
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


@pointwise(ROUNDED_ONCE, hess="zero", target=SIGN)
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


@pointwise(ROUNDED_ONCE, target=SIGN)
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
