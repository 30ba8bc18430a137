# SPDX-License-Identifier: BSD-3-Clause
"""Row-wise losses that compare a row of scores, as a distribution, with another row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastloss.domains import FLAG, NON_NEGATIVE, POSITIVE, PROBABILITIES, REAL
from fastloss.families import Accuracy, Bounds, rowwise
from fastloss.reference import Parts, product


class Softmax(NamedTuple):
    """The softmax p of each row: log p, p, and 1 - p."""

    log: Any
    p: Any
    others: Any


def softmax_of(x: Any) -> Softmax:
    """Return the softmax of rows along the last axis."""
    peak = x.max(-1, keepdims=True, initial=-np.inf)
    below = np.where(x == peak, 0, x - peak)
    e = np.exp(below)
    first_peak = np.arange(x.shape[-1]) == x.argmax(-1)[..., None]
    others = np.where(first_peak, 0, e).sum(-1, keepdims=True)
    undefined = (peak == -np.inf) | ((x == np.inf).sum(-1, keepdims=True) > 1)
    others = np.where(undefined, np.nan, others)
    of_others = np.where(below == 0, others, 1 + (others - e))
    return Softmax(below - np.log1p(others), e / (1 + others), of_others / (1 + others))


def _log(p: Any) -> Any:
    """Return log p, or 0 where p is 0."""
    return np.log(np.where(p == 0, 1, p))


def _expm1_rest(r: Any) -> Any:
    """Return exp(r) - 1 - r."""
    x = np.where(np.abs(r) < 0.01, r, 0)
    series = 1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6 * (1 + x / 7 * (1 + x / 8)))))
    return np.where(np.abs(r) < 0.01, x**2 / 2 * series, np.expm1(r) - r)


def _through_softmax(q: Softmax, slope: Parts, curvature: Parts) -> tuple[Parts, Parts]:
    """Turn derivatives with respect to log q, of a sum over classes, to those of the logits.

    Where a single class has a slope, the gradient keeps the relative accuracy of 1 - q.
    """

    def total(x: Any) -> Any:
        return x.sum(-1, keepdims=True)

    g, h, g_size, h_size = slope.sum(), curvature.sum(), slope.size(), curvature.size()
    own, pull = g * q.others, q.p * (total(g) - g)
    single = total(np.where(g == 0, 0, 1)) <= 1
    tight, loose = np.maximum(np.abs(own), np.abs(pull)), np.maximum(g_size, q.p * total(g_size))
    hess = h * q.others**2, q.p**2 * (total(h) - h), -total(g) * q.p * q.others
    largest = np.maximum(h_size, q.p**2 * total(h_size))
    return (
        Parts(own, -pull, size=np.where(single, tight, loose)),
        Parts(*hess, size=np.maximum(largest, q.p * q.others * total(g_size))),
    )


@rowwise(
    Accuracy(Bounds(2, 1, 1), otherwise=Bounds(3, 5, 6)),
    target=PROBABILITIES,
    from_logits=FLAG,
    log_target=FLAG,
)
def kl_div(log_prob: Any, target: Any, *, from_logits: Any = False, log_target: Any = False) -> Any:
    """Kullback-Leibler divergence of a target distribution from the predicted one.

    ℓ = Σₖ tₖ·(log tₖ − log qₖ), where log q is `log_prob`, or its log softmax if `from_logits`,
    and t is `target`, or its exponential if `log_target`.

    Parameters
    ----------
    log_prob : array_like
        Predicted logarithms of probabilities; with `from_logits`, raw scores. Any real numbers,
        and −inf for what cannot be.
    target : array_like
        Probabilities, or their logarithms, of the shape of `log_prob`. They are not checked (see
        `fastloss.check_target`), and need not have the sum 1.
    from_logits : bool, default False
        Whether `log_prob` is raw scores.
    log_target : bool, default False
        Whether `target` is logarithms of probabilities.

    Notes
    -----
    A class of probability 0 adds 0, also where log q is −inf. The gradient with respect to log q
    is −t, that with respect to logits q·Σt − t; both keep all of their digits, as does the loss of
    an almost certain class. Where the two distributions are almost the same, the sum cancels down
    to the rounding of the probabilities given; `distillation` takes logits for both, and does not.

    In other libraries: ``torch.nn.functional.kl_div(log_prob, target, reduction="batchmean",
    log_target=log_target)`` for rows along the last of two axes (its "mean" divides by the number
    of elements); the mean of ``optax.losses.kl_divergence(log_prob, target)``, with
    ``_with_log_targets`` for logarithms; ``scipy.special.rel_entr(target, exp(log_prob))`` summed
    over the classes.

    References
    ----------
    S. Kullback and R. A. Leibler, On information and sufficiency, Annals of Mathematical
    Statistics 22 (1951).

    Examples
    --------
    >>> import fastloss as fl
    >>> import numpy as np
    >>> q, t = [[0.5, 0.25, 0.25]], [[0.25, 0.75, 0.0]]
    >>> round(fl.kl_div(np.log(q), t), 6)
    0.650672
    >>> fl.kl_div.grad([[3.0, 2.0, 2.0]], t, from_logits=True).round(3)
    array([[ 0.326, -0.538,  0.212]])
    """
    q = softmax_of(log_prob)
    log_q = q.log if from_logits else log_prob
    t = np.exp(target) if log_target else target
    log_t = np.where(t == 0, 0, target) if log_target else _log(target)
    entropy = np.abs(product(t, log_t)).sum(-1)
    crossed = np.abs(product(t, log_q)).sum(-1)
    value = Parts(product(t, log_t - log_q).sum(-1), size=np.maximum(entropy, crossed))
    slope = product(0, log_q) - t
    if not from_logits:
        return value, slope, np.zeros_like(t)
    return value, *_through_softmax(q, Parts(slope), Parts(np.zeros_like(t)))


@rowwise(
    Accuracy(Bounds(4, 4, 4), otherwise=Bounds(4, 6, 7)),
    target=PROBABILITIES,
    from_logits=FLAG,
    log_target=FLAG,
)
def jensen_shannon(
    log_prob: Any, target: Any, *, from_logits: Any = False, log_target: Any = False
) -> Any:
    """Jensen-Shannon divergence of the predicted and a target distribution.

    ℓ = ½·Σₖ(tₖ·log(tₖ/mₖ) + qₖ·log(qₖ/mₖ)), m = (t + q)/2, where log q is `log_prob`, or its log
    softmax if `from_logits`, and t is `target`, or its exponential if `log_target`.

    Parameters
    ----------
    log_prob : array_like
        Predicted logarithms of probabilities; with `from_logits`, raw scores. Any real numbers,
        and −inf for what cannot be.
    target : array_like
        Probabilities, or their logarithms, of the shape of `log_prob`. They are not checked (see
        `fastloss.check_target`), and need not have the sum 1.
    from_logits : bool, default False
        Whether `log_prob` is raw scores.
    log_target : bool, default False
        Whether `target` is logarithms of probabilities.

    Notes
    -----
    Between distributions it lies in [0, log 2]. No class adds less than 0, and where t and q are
    nearly equal nothing cancels but what the logarithm of a probability lost in rounding. The
    gradient with respect to log q is g = ½·q·log(q/m), the second derivative g + ½·q·t/(q + t);
    with respect to logits they are taken through the softmax.

    In other libraries: Liger's ``LigerJSD(beta=0.5)(log_prob, target)``, with ``log_target``;
    the square of ``scipy.spatial.distance.jensenshannon(exp(log_prob), target)``.

    References
    ----------
    J. Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on Information
    Theory 37 (1991).

    Examples
    --------
    >>> import fastloss as fl
    >>> import numpy as np
    >>> round(fl.jensen_shannon(np.log([[0.5, 0.25, 0.25]]), [[0.25, 0.75, 0.0]]), 6)
    0.173287
    >>> fl.jensen_shannon.grad([[0.0, 0.0]], [[0.5, 0.5]], from_logits=True)
    array([[0., 0.]])
    """
    q = softmax_of(log_prob)
    log_q, q_ = (q.log, q.p) if from_logits else (log_prob, np.exp(log_prob))
    t = np.exp(target) if log_target else target
    log_t = np.where(t == 0, 0, target) if log_target else _log(target)
    rho = np.where(t == 0, np.inf, np.abs(log_q - log_t))
    z = np.tanh(rho / 2)  # the larger one of q and t is 1 + z times the mean
    of_larger = np.log1p(z)
    of_smaller = np.where(rho < 1, np.log1p(-np.where(rho < 1, z, 0)), of_larger - rho)
    u = np.exp(-rho)
    larger = product(of_larger, np.maximum(t, q_))
    smaller = product(np.minimum(t, q_), np.where(u == 0, 0, of_smaller))
    size = np.maximum(larger.sum(-1), np.abs(smaller).sum(-1)) / 2
    value = Parts((larger + smaller).sum(-1) / 2, size=size)
    q_leads = (t == 0) | (log_q >= log_t)  # q and t may round to the same
    of_q = np.where(q_leads, of_larger, of_smaller)
    from_q = product(q_, of_q) / 2
    rounding = np.where(rho < 1, np.abs(log_t), 0)  # what nearly equal logarithms may have lost
    slope = Parts(from_q, size=product(q_, np.maximum(np.abs(of_q), rounding)) / 2)
    curvature = Parts(from_q, np.minimum(q_, t) / (1 + u) / 2)
    if from_logits:
        return value, *_through_softmax(q, slope, curvature)
    return value, slope, curvature


@rowwise(Accuracy(Bounds(2, 1, 1)), hess="zero", target=PROBABILITIES)
def total_variation(prob: Any, target: Any) -> Any:
    """Total variation distance of the predicted and a target distribution.

    ℓ = ½·Σₖ|qₖ − tₖ|, q the predicted probabilities and t the target.

    Parameters
    ----------
    prob : array_like
        Predicted probabilities; any real numbers.
    target : array_like
        Probabilities, of the shape of `prob`; not checked (see `fastloss.check_target`).

    Notes
    -----
    Between distributions it lies in [0, 1]. The gradient is half the sign of q − t; at a tie it is
    0, the subgradient of least norm. The second derivative is 0 almost everywhere.

    In other libraries: Liger's ``LigerTVDLoss()(prob, target)``; half the mean of
    ``torch.nn.functional.l1_loss(prob, target, reduction="none").sum(-1)``.

    References
    ----------
    D. A. Levin, Y. Peres and E. L. Wilmer, Markov Chains and Mixing Times, chapter 4 (2009).

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.total_variation.value_and_grad([[0.5, 0.25, 0.25]], [[0.25, 0.5, 0.25]])
    >>> value
    0.25
    >>> grad
    array([[ 0.5, -0.5,  0. ]])
    """
    r = prob - target
    return np.abs(r).sum(-1) / 2, np.sign(r) / 2, np.zeros_like(r)


@rowwise(Accuracy(Bounds(3, 5, 6)), target=NON_NEGATIVE)
def ranking_softmax(logits: Any, target: Any) -> Any:
    """Softmax loss of a list of items that are ranked by their scores (ListNet).

    ℓ = −Σₖ yₖ·log softmax(x)ₖ, where x is the logits of the items of a list and y the target.

    Parameters
    ----------
    logits : array_like
        Scores of the items: any real numbers; −inf for an item that is not there.
    target : array_like
        How relevant each item is, of the shape of `logits`; not negative (not checked, see
        `fastloss.check_target`), and 0 for an item that is not there.

    Notes
    -----
    The gradient is p·Σy − y, p = softmax(x), the second derivative p·(1 − p)·Σy. The relevances are
    not normalised; where they have the sum 1, the loss is `cross_entropy` with probabilities,
    whose mean divides by their sums instead of the number of lists. A list without items is NaN:
    give it the weight 0.

    In other libraries: ``optax.losses.ranking_softmax_loss(logits, target)``, with ``where`` for
    items that are not there; CatBoost's QuerySoftMax, negated, but for its regularisation.

    References
    ----------
    Z. Cao, T. Qin, T.-Y. Liu, M.-F. Tsai and H. Li, Learning to rank: from pairwise approach to
    listwise approach, ICML 2007.

    Examples
    --------
    >>> import fastloss as fl
    >>> import numpy as np
    >>> round(fl.ranking_softmax([[2.0, 0.0, -np.inf]], [[2.0, 1.0, 0.0]]), 6)
    2.380784
    >>> fl.ranking_softmax.grad([[0.0, 0.0, -np.inf]], [[2.0, 1.0, 0.0]])
    array([[-0.5,  0.5,  0. ]])
    """
    q = softmax_of(logits)
    value = -product(target, q.log).sum(-1)
    return value, *_through_softmax(q, Parts(-target), Parts(np.zeros_like(target)))


@rowwise(Accuracy(Bounds(6, 5, 5)), target=REAL, temperature=POSITIVE)
def distillation(logits: Any, target: Any, *, temperature: Any = 1.0) -> Any:
    """Divergence of a teacher's softened distribution from a student's, from the logits of both.

    ℓ = τ²·Σₖ pₖ·log(pₖ/qₖ), q = softmax(x/τ), p = softmax(y/τ), where x is the student's logits, y
    the teacher's, and τ the temperature.

    Parameters
    ----------
    logits : array_like
        The student's logits: any real numbers; −inf for a class that cannot be.
    target : array_like
        The teacher's logits, of the shape of `logits`.
    temperature : float, default 1.0
        τ, which divides the logits of both; positive.

    Notes
    -----
    The gradient is τ·(q − p), the second derivative q·(1 − q): with the factor τ² they are of the
    same size whatever the temperature. Student and teacher may be as near to each other as numbers
    can be, and value and gradient keep their digits. A class that only the student rules out costs
    +inf. A row without a softmax, of student or teacher, is NaN.

    In other libraries: ``temperature**2 * torch.nn.functional.kl_div(log_softmax(logits /
    temperature, -1), log_softmax(target / temperature, -1), reduction="batchmean",
    log_target=True)``; the same with ``optax.losses.kl_divergence_with_log_targets``. Liger's
    distillation losses leave τ² out.

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, Distilling the knowledge in a neural network (2015),
    arXiv:1503.02531.

    Examples
    --------
    >>> import fastloss as fl
    >>> student, teacher = [[2.0, 0.0, 0.0]], [[3.0, 1.0, 0.0]]
    >>> round(fl.distillation(student, teacher, temperature=2.0), 6)
    0.067815
    >>> fl.distillation(student, [[2.0, 1e-9, 0.0]]) > 0
    True
    """
    q, p = softmax_of(logits / temperature), softmax_of(target / temperature)
    # log(q/p) is the difference of the logits, up to what all classes have in common. Where student
    # and teacher are near, that comes from the differences themselves.
    first_peak = np.arange(target.shape[-1]) == target.argmax(-1)[..., None]
    apart = np.where(target == logits, 0, logits - target) / temperature
    at_peak = (np.where(first_peak, x, 0).sum(-1, keepdims=True) for x in (apart, p.p, q.p))
    apart_at_peak, p_peak, q_peak = at_peak
    d = apart - apart_at_peak
    is_larger = (d > 0.5) | (target == -np.inf)
    grown = q.p * (p_peak / np.where(q_peak == 0, 1, q_peak)) - p.p
    surplus = np.where(is_larger, grown, product(p.p, np.expm1(np.where(is_larger, 0, d))))
    surplus = surplus.sum(-1, keepdims=True)
    near = (np.abs(surplus) < 0.9) & (q_peak > 0)
    r = np.where(near, d - np.log1p(np.where(near, surplus, 0)), q.log - p.log)

    is_far = (r > 4) | (target == -np.inf)
    small = np.where(is_far, 0, r)
    change = np.where(is_far, q.p - p.p, product(p.p, np.expm1(small)))
    linear = np.where(p.p == 0, 0, p.p * r)
    curved = np.where(is_far, change - linear, product(p.p, _expm1_rest(small)))
    impossible = (logits == -np.inf) & (target > -np.inf)
    value = np.where(impossible, np.inf, curved).sum(-1)
    size = np.maximum(np.abs(change), q.p * np.abs(change).sum(-1, keepdims=True))
    grad = Parts(temperature * change, size=temperature * size)
    return temperature**2 * value, grad, q.p * q.others
