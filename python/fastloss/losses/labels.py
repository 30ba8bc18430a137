# SPDX-License-Identifier: BSD-3-Clause
"""Row-wise losses for labels: of a log-probability, of a softmax, of cumulative logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastloss.curvatures import Absolute, Curvatures
from fastloss.domains import (
    LABELS,
    NEGATIVE,
    NON_NEGATIVE,
    ORDINAL_LABELS,
    POSITIVE_UNIT,
    REAL,
)
from fastloss.families import Accuracy, Bounds, rowwise
from fastloss.reference import Parts, product, sigmoid, softplus

# Positive, and of no bound: a loss of a probability is not convex in the scores.
OF_PROBABILITY = Curvatures(Absolute())


def of_label(target: Any, a: Any) -> Any:
    """Take the number at the label of each row."""
    return np.where(target == 0, 0, a).sum(-1, keepdims=True)


@dataclass(frozen=True)
class _Softmax:
    """The softmax p of rows of logits, and a loss of its probability at the label.

    `p` and `against`, which is 1 − p, have a number for each class; `loss` = −log pₜ, `own` = pₜ
    and `rest` = 1 − pₜ one for each row.
    """

    target: Any
    p: Any
    against: Any
    loss: Any
    own: Any
    rest: Any

    @classmethod
    def of(cls, logits: Any, target: Any) -> _Softmax:
        x = logits
        peak = x.max(-1, keepdims=True, initial=-np.inf)
        below = np.where(x == peak, 0, x - peak)
        e = np.exp(below)
        first_peak = np.arange(x.shape[-1]) == x.argmax(-1)[..., None]
        others = np.where(first_peak, 0, e).sum(-1, keepdims=True)
        undefined = (peak == -np.inf) | ((x == np.inf).sum(-1, keepdims=True) > 1)
        others = np.where(undefined, np.nan, others)
        p = e / (1 + others)
        against = np.where(below == 0, others, 1 + (others - e)) / (1 + others)
        loss = np.log1p(others) - of_label(target, below)
        return cls(target, p, against, loss, of_label(target, p), of_label(target, against))

    def terms(self, weight: Any, value: Any, slope: Any, curve: Any) -> tuple[Parts, Parts, Parts]:
        """Weight a loss f(pₜ) and its derivatives, whose factors are given as sums of parts.

        grad = slope·(p − y) and hess = slope·p·(1 − p) + curve·(p − y)²/(1 − pₜ), with
        slope = −pₜ·f′(pₜ) and curve = −pₜ·slope′(pₜ)·(1 − pₜ).
        """
        away = np.where(self.target == 1, -self.against, self.p)  # p − y
        share = np.where(self.rest == 0, 0, away / self.rest)
        bend = [product(part, away * share) for part in curve]
        spread = [part * (self.p * self.against) for part in slope]
        return (
            Parts(*(product(weight, part)[..., 0] for part in value)),
            Parts(*(weight * (part * away) for part in slope)),
            Parts(*(weight * part for part in (*spread, *bend))),
        )


@rowwise(Accuracy(Bounds(3, 6, 8)), curvatures=OF_PROBABILITY, target=LABELS, gamma=NON_NEGATIVE)
def softmax_focal(logits: Any, target: Any, *, class_weight: Any, gamma: Any = 2.0) -> Any:
    """Focal loss of softmax(logits): cross-entropy with less weight on easy examples.

    ℓ = w·(1 − pₜ)^γ·(−log pₜ), with p = softmax(logits), the label t and w its class weight.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers; −inf for a class that cannot be.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.
    gamma : float, default 2.0
        γ, not negative: how much less easy examples count. 0 makes it the cross-entropy.

    Notes
    -----
    The gradient is s·(p − y) with y a single 1 at the label and s = w·(1 − pₜ)^γ·(1 + γ·pₜ·u),
    u = −log pₜ/(1 − pₜ), which is finite for every γ, also where pₜ = 1. Value and derivatives
    keep their relative accuracy where the label is almost certain; beyond γ = 20 their errors grow
    in proportion to it. A row with nothing but −inf, or with +inf twice, is NaN.

    In other libraries: Keras's ``CategoricalFocalCrossentropy(alpha=1.0, from_logits=True)`` with
    the label as a row with a single 1, the same number but for its clipping of p; the weights that
    are called α there and in the paper are `class_weight` here, but do not enter Keras's
    denominator. MONAI's ``FocalLoss(use_softmax=True, reduction="none")`` summed over the classes.

    References
    ----------
    T.-Y. Lin et al., Focal loss for dense object detection, ICCV 2017, of softmax.

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[2.0, 0.0, 0.0], [0.0, 0.0, 30.0]]
    >>> print(fl.softmax_focal(logits, [0, 2], reduction="none"))
    [1.08693309e-02 6.55521010e-39]
    """
    softmax = _Softmax.of(logits, target)
    loss, p, rest = softmax.loss, softmax.own, softmax.rest
    power = rest**gamma
    pu = product(p, np.where(rest == 0, 1, loss / rest))
    return softmax.terms(
        of_label(target, class_weight),
        value=[product(power, loss)],
        slope=[power * (1 + gamma * pu)],
        curve=[
            2 * gamma * p * power,
            -gamma * power * product(p, loss),
            gamma * (gamma - 1) * p * pu * power,
        ],
    )


def _linear_in_probability(logits: Any, target: Any, weight: Any, alpha: Any, beta: Any) -> Any:
    """Return α·(−log pₜ) + β·(1 − pₜ) and its derivatives."""
    softmax = _Softmax.of(logits, target)
    p, rest = softmax.own, softmax.rest
    return softmax.terms(
        weight,
        value=[product(alpha, softmax.loss), beta * rest],
        slope=[alpha, beta * p] if beta >= 0 else [alpha + beta, -beta * rest],
        curve=[-beta * p * rest],
    )


@rowwise(Accuracy(Bounds(4, 5, 8)), curvatures=OF_PROBABILITY, target=LABELS, epsilon=REAL)
def poly1_cross_entropy(logits: Any, target: Any, *, class_weight: Any, epsilon: Any = 2.0) -> Any:
    """Poly-1 cross-entropy: its expansion in 1 − p with another first coefficient.

    ℓ = w·(−log pₜ + ε·(1 − pₜ)), with p = softmax(logits), the label t and w its class weight.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers; −inf for a class that cannot be.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.
    epsilon : float, default 2.0
        ε, what is added to the coefficient 1 of 1 − pₜ. The paper has 2 for images and −1 for
        detection; 0 is the cross-entropy. Below −1 the loss is negative near pₜ = 1.

    Notes
    -----
    The gradient is w·(1 + ε·pₜ)·(p − y), with y a single 1 at the label. Value and derivatives
    keep their relative accuracy where the label is almost certain; only the value of a negative ε
    is then a difference. A row with nothing but −inf, or with +inf twice, is NaN.

    In other libraries: ``optax.losses.poly_loss_cross_entropy``, the same number and default, of
    the label as a row with a single 1.

    References
    ----------
    Z. Leng et al., PolyLoss: a polynomial expansion perspective of classification loss functions,
    ICLR 2022.

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[2.0, 0.0, 0.0], [0.0, 0.0, 30.0]]
    >>> print(fl.poly1_cross_entropy(logits, [0, 2], reduction="none"))
    [6.65572682e-01 5.61457378e-13]
    """
    weight = of_label(target, class_weight)
    return _linear_in_probability(logits, target, weight, 1, epsilon)


@rowwise(
    # With alpha = 0, derivatives are multiples of pₜ, which may be subnormal.
    Accuracy(Bounds(4, 5, 8), uncovered=frozenset({"alpha"})),
    curvatures=OF_PROBABILITY,
    target=LABELS,
    alpha=NON_NEGATIVE,
    beta=NON_NEGATIVE,
    log_zero=NEGATIVE,
)
def symmetric_cross_entropy(
    logits: Any,
    target: Any,
    *,
    class_weight: Any,
    alpha: Any = 0.1,
    beta: Any = 1.0,
    log_zero: Any = -4.0,
) -> Any:
    """Symmetric cross-entropy: with its reverse, which bounds what wrong labels cost.

    ℓ = w·(α·(−log pₜ) − β·A·(1 − pₜ)), with p = softmax(logits), the label t and w its class
    weight: −A·(1 − pₜ) is the cross-entropy of the label from p, −Σₖ pₖ·log yₖ, where A stands for
    log 0.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers; −inf for a class that cannot be.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.
    alpha : float, default 0.1
        Factor of the cross-entropy, not negative.
    beta : float, default 1.0
        Factor of the reverse cross-entropy, not negative.
    log_zero : float, default -4.0
        A, negative.

    Notes
    -----
    The gradient is w·(α − β·A·pₜ)·(p − y), with y a single 1 at the label. Value and gradient keep
    their relative accuracy where the label is almost certain. A row with nothing but −inf, or with
    +inf twice, is NaN.

    In other libraries: none of the common ones. The authors' code clips y to 1e-4, which is
    ``log_zero=-9.210340371976182``, and p to 1e-7.

    References
    ----------
    Y. Wang et al., Symmetric cross entropy for robust learning with noisy labels, ICCV 2019.

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[2.0, 0.0, 0.0], [0.0, 0.0, -1000.0]]
    >>> print(fl.symmetric_cross_entropy(logits, [0, 2], reduction="none"))
    [  0.87601031 104.06931472]
    """
    weight = of_label(target, class_weight)
    return _linear_in_probability(logits, target, weight, alpha, -(beta * log_zero))


@rowwise(Accuracy(Bounds(3, 5, 8)), curvatures=OF_PROBABILITY, target=LABELS, q=POSITIVE_UNIT)
def generalized_cross_entropy(logits: Any, target: Any, *, class_weight: Any, q: Any = 0.5) -> Any:
    """Generalized cross-entropy: between cross-entropy and absolute error, for noisy labels.

    ℓ = w·(1 − pₜ^q)/q, with p = softmax(logits), the label t and w its class weight.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers; −inf for a class that cannot be.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.
    q : float, default 0.5
        In (0, 1]. Towards 0 it is the cross-entropy, at 1 half the absolute error Σₖ |pₖ − yₖ|.
        The paper has 0.7.

    Notes
    -----
    The gradient is w·pₜ^q·(p − y), with y a single 1 at the label. Value and derivatives keep their
    relative accuracy where the label is almost certain, and where it is all but impossible. A row
    with nothing but −inf, or with +inf twice, is NaN.

    In other libraries: Keras's ``SparseCategoricalGeneralizedCrossEntropy`` or
    ``CategoricalGeneralizedCrossEntropy``, of p = softmax(logits), the same number and default.

    References
    ----------
    Z. Zhang and M. R. Sabuncu, Generalized cross entropy loss for training deep neural networks
    with noisy labels, NeurIPS 2018.

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[2.0, 0.0, 0.0], [0.0, 0.0, -1000.0]]
    >>> print(fl.generalized_cross_entropy(logits, [0, 2], reduction="none"))
    [0.22575532 2.        ]
    """
    softmax = _Softmax.of(logits, target)
    power = np.exp(-q * softmax.loss)
    return softmax.terms(
        of_label(target, class_weight),
        value=[-np.expm1(-q * softmax.loss) / q],
        slope=[power],
        curve=[-q * softmax.rest * power],
    )


@rowwise(Accuracy(Bounds(1, 1, 1)), hess="zero", target=LABELS)
def nll(log_prob: Any, target: Any, *, class_weight: Any) -> Any:
    """Negative log-likelihood of labels, from logarithms of probabilities.

    ℓ = −w·xₜ, with the log-probabilities x, the label t and w its class weight.

    Parameters
    ----------
    log_prob : array_like
        Logarithms of the classes' probabilities; what they add up to is not checked.
    target : array_like
        Labels in [0, K), integers of the shape of `log_prob` without the axis of the classes.

    Notes
    -----
    The gradient is −w at the label and 0 elsewhere, the second derivative 0. Of each row only the
    label's number is read. Of logits, use `cross_entropy`, which keeps digits that a log-softmax
    in between loses.

    In other libraries: ``torch.nn.functional.nll_loss``, where `class_weight` is called
    ``weight``, the same number under each reduction; ``sklearn.metrics.log_loss`` of
    probabilities.

    References
    ----------
    ``torch.nn.functional.nll_loss``.

    Examples
    --------
    >>> import numpy as np, fastloss as fl
    >>> log_prob = np.log([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]])
    >>> print(fl.nll(log_prob, [0, 1], reduction="none"))
    [0.69314718 2.07944154]
    >>> fl.nll.grad(log_prob, [0, 1], reduction="sum")
    array([[-1.,  0.,  0.],
           [ 0., -1.,  0.]])
    """
    x, elsewhere = log_prob, target == 0
    value = -np.where(elsewhere, 0, product(class_weight, x)).sum(-1)
    is_number = (x < 0) | (x >= 0)
    grad = np.where(elsewhere, 0, np.where(is_number, -class_weight, x))
    return value, grad, np.zeros_like(x)


@rowwise(Accuracy(Bounds(2, 3, 5)), target=ORDINAL_LABELS)
def ordinal_cross_entropy(logits: Any, target: Any, *, class_weight: Any) -> Any:
    """Cross-entropy of ordered classes, from the logits of being above each but the last.

    ℓ = w·(Σ_{k<t} softplus(−xₖ) + Σ_{k≥t} softplus(xₖ)), the sum of the binary cross-entropies
    of the K − 1 events "the label t is above k", where σ(xₖ) is the probability that it is, and w
    the label's class weight.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers, one less in each row than there are classes.
    target : array_like
        Labels in [0, K) for rows of K − 1 logits, integers of the shape of `logits` without their
        axis.

    Notes
    -----
    The gradient is w·(σ(xₖ) − 1) below the label and w·σ(xₖ) from it on. A model whose logits fall
    along each row, such as a score that all of them share less K − 1 growing thresholds, has
    probabilities that agree with each other; the loss does not require it.

    In other libraries: ``coral_loss`` of coral-pytorch, whose levels are made of the labels, the
    same number; ``torch.nn.functional.binary_cross_entropy_with_logits`` of the levels, summed over
    each row.

    References
    ----------
    W. Cao, V. Mirjalili and S. Raschka, Rank consistent ordinal regression for neural networks
    with application to age estimation, Pattern Recognition Letters 140 (2020).

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[3.0, -1.0, -4.0], [3.0, -1.0, -4.0]]  # most likely above 0, not above 1 or 2
    >>> print(fl.ordinal_cross_entropy(logits, [1, 3], reduction="none"))
    [0.37999897 5.37999897]
    """
    x = logits
    label = (np.arange(x.shape[-1] + 1) * target).sum(-1, keepdims=True)
    above = np.arange(x.shape[-1]) < label
    wrong = np.where(above, -x, x)
    weight = of_label(target, class_weight)
    slope = sigmoid(wrong)
    return (
        product(weight[..., 0], softplus(wrong).sum(-1)),
        weight * np.where(above, -slope, slope),
        weight * (slope * sigmoid(-wrong)),
    )
