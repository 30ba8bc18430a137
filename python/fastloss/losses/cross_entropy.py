# SPDX-License-Identifier: BSD-3-Clause
"""Row-wise losses: a row of scores, with its target, makes one term."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastloss.curvatures import SOFTMAX
from fastloss.domains import (
    LABELS_OR_PROBABILITIES,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_OR_NONE,
    UNIT,
)
from fastloss.families import Accuracy, Bounds, rowwise
from fastloss.reference import Parts, product


@rowwise(
    Accuracy(
        Bounds(2, 4, 8),
        soft=Bounds(3, 3, 8),
        uncovered=frozenset({"softcap"}),
    ),
    curvatures=SOFTMAX,
    target=LABELS_OR_PROBABILITIES,
    label_smoothing=UNIT,
    z_loss=NON_NEGATIVE,
    temperature=POSITIVE,
    softcap=POSITIVE_OR_NONE,
)
def cross_entropy(
    logits: Any,
    target: Any,
    *,
    class_weight: Any,
    label_smoothing: Any = 0.0,
    z_loss: Any = 0.0,
    temperature: Any = 1.0,
    softcap: Any = None,
) -> Any:
    """Cross-entropy of softmax(logits) against labels or probabilities.

    ℓ = −Σₖ cₖ·log softmax(z)ₖ + z_loss·lse(z)² with cₖ = class_weightₖ·((1 − ε)·yₖ + ε/K),
    where z is the logits x or, with the options, softcap·tanh(x/softcap)/temperature, lse is the
    logarithm of the sum of exponentials, ε is `label_smoothing`, and y the target: the
    probabilities, or a single 1 at the label.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers; −inf for a class that cannot be.
    target : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes; or
        probabilities of the shape of `logits`, which are not checked (see
        `fastloss.check_target`). The number of dimensions decides.
    label_smoothing : float, default 0.0
        ε in [0, 1].
    z_loss : float, default 0.0
        Factor of the squared log-partition, which keeps logits from drifting; not negative.
    temperature : float, default 1.0
        Divides the logits; positive.
    softcap : float, optional
        Bound of the logits' size; positive.

    Notes
    -----
    The denominator of the mean is Σₙ wₙ Σₖ class_weightₖ·yₙₖ with the unsmoothed y, for labels
    and probabilities alike. The gradient with respect to z is (Σⱼ cⱼ + 2·z_loss·lse)·p − c,
    p = softmax(z). Value and gradient keep their relative accuracy where the label's class is
    almost certain. A row with nothing but −inf, or with +inf twice, is NaN.

    References
    ----------
    ``torch.nn.functional.cross_entropy`` (whose mean over probabilities divides by the number of
    rows); ``optax.softmax_cross_entropy_with_integer_labels``. The z-loss is that of PaLM, the
    soft cap that of Gemma 2.

    Examples
    --------
    >>> import fastloss as fl
    >>> logits = [[2.0, 0.0, 0.0], [0.0, 0.0, 100.0]]
    >>> print(fl.cross_entropy(logits, [0, 2], reduction="none"))
    [2.39544766e-01 7.44015195e-44]
    >>> fl.cross_entropy.grad(logits, [0, 0], ignore_index=0, reduction="sum")
    array([[0., 0., 0.],
           [0., 0., 0.]])
    """
    x = logits
    z = (x if softcap is None else softcap * np.tanh(x / softcap)) / temperature
    c = class_weight * ((1 - label_smoothing) * target + label_smoothing / x.shape[-1])
    mass = c.sum(-1, keepdims=True)

    peak = z.max(-1, keepdims=True, initial=-np.inf)
    below = np.where(z == peak, 0, z - peak)
    e = np.exp(below)
    first_peak = np.arange(x.shape[-1]) == z.argmax(-1)[..., None]
    others = np.where(first_peak, 0, e).sum(-1, keepdims=True)
    undefined = (peak == -np.inf) | ((z == np.inf).sum(-1, keepdims=True) > 1)
    others = np.where(undefined, np.nan, others)
    excess = np.log1p(others)  # log-sum-exp = peak + excess
    p = e / (1 + others)

    likelihood = product(c, excess - below).sum(-1)
    squares = (peak**2, 2 * product(excess, peak), excess**2)
    value = Parts(likelihood, *(product(z_loss, x)[..., 0] for x in squares))
    pulls = [product(2 * z_loss, x) for x in (peak, excess)]
    against = np.where(below == 0, others, 1 + (others - e)) / (1 + others)  # 1 − p

    slope, curvature = 1 / temperature, 0
    if softcap is not None:
        slope = 1 / np.cosh(x / softcap) ** 2 / temperature
        curvature = -2 * np.tanh(x / softcap) * slope / softcap
    # (mass + pull)·p − c, and its derivative. A label's own class, which has all of the mass, keeps
    # the relative accuracy of 1 − p.
    grads = [product(p, mass - c), *(product(p, pull) for pull in pulls), -c * against]
    sizes = [np.where(c == mass, c * against, np.maximum(p * mass, c)), *map(np.abs, grads[1:-1])]
    hess = [product(p, mass * against + 2 * z_loss * p)]
    hess += [product(p, pull * against) for pull in pulls]
    return (
        value,
        Parts(*(part * slope for part in grads), size=functools.reduce(np.maximum, sizes) * slope),
        Parts(*(part * slope**2 for part in hess), *(part * curvature for part in grads)),
    )
