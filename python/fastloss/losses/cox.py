# SPDX-License-Identifier: BSD-3-Clause
"""The partial likelihood of proportional hazards: the times of a sample order its elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss.domains import BINARY, TIME, choice
from fastloss.families import Accuracy, Bounds, ordered
from fastloss.reference import Parts


@ordered(Accuracy(Bounds(4, 4, 4)), time=TIME, event=BINARY, ties=choice("breslow", "efron"))
def cox(pred: Any, time: Any, event: Any, *, weight: Any, ties: Any = "breslow") -> Any:
    """Negative partial log-likelihood of Cox's proportional hazards.

    Of each event i: ℓᵢ = log Σⱼ wⱼ·exp(xⱼ) − xᵢ, summed over all j at risk: those with tⱼ ≥ tᵢ,
    events or not. x is `pred`, t `time` and w `weight`.

    Parameters
    ----------
    pred : array_like
        Logarithms of hazards: any real numbers, in an array of any shape. All of them are one
        sample.
    time : array_like
        Times of the shape of `pred`, until the event or until observation ended. Only their order
        matters: they are compared as they are, integers of 64 bits too.
    event : array_like
        Of the shape of `pred`: whether the event was seen at that time, or else, where it is 0,
        observation ended before (censored).
    ties : {"breslow", "efron"}, default "breslow"
        What is at risk of d events at the same time: Breslow has all of it at risk of each. Efron
        lets the events come one after the other, in the mean over all orders: of the k-th of them,
        from 0, the hazards of these d themselves count as 1 − k/d.

    Notes
    -----
    The terms are the events: Σ w in a mean is the weight of the events, and the value of a censored
    element is 0. It has a gradient nevertheless: with pᵢⱼ = wⱼ·exp(xⱼ) / Σₖ wₖ·exp(xₖ), the share
    of j in what is at risk of event i, the gradient is Σᵢ wᵢ·pᵢⱼ − wⱼ·[j is an event] and the
    second derivative Σᵢ wᵢ·pᵢⱼ·(1 − pᵢⱼ).

    Weights are those of R's `survival::coxph`: an element of weight 2 counts as two equal ones,
    among the events and at risk. To multiply all weights by c adds log c to each ℓ.

    Nothing overflows however large and far apart the predictions are. The order of the elements
    changes no bit: permuted arguments give permuted results. Sorting takes most of the time; times
    that descend are not sorted again. A prediction of −inf is a hazard of 0. NaN or +inf in an
    element makes every term that has it at risk NaN.

    In other libraries: `coxph(Surv(time, event) ~ x, weights=w, ties="breslow")` in R maximizes
    minus the sum; its default is Efron's. `lifelines` and `sksurv.linear_model` do the same.
    XGBoost's ``survival:cox`` has the sign of the label for the event (negative: censored),
    Breslow's ties, and this gradient and second derivative where all weights are 1; other weights
    multiply the derivatives of an element alone and not its hazard. Its exponentials overflow
    from about 700 on, and its metric ``cox-nloglik`` is the mean over events, without weights.
    CatBoost's ``Cox`` has the same label, does not treat ties as such, and ignores weights.

    References
    ----------
    .. [1] D. R. Cox, "Partial likelihood", Biometrika 62, 1975, pages 269-276.
    .. [2] N. E. Breslow, "Covariance analysis of censored survival data", Biometrics 30, 1974.
    .. [3] B. Efron, "The efficiency of Cox's likelihood function for censored data", Journal of the
       American Statistical Association 72, 1977.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.cox([0.5, 0.0, -1.0], [1, 2, 3], [1, 0, 1], reduction="none")
    array([0.60413061, 0.        , 0.        ])
    >>> fl.cox([800, 0], [1, 2], [1, 1])
    0.0
    """
    hazard = np.where(pred == np.inf, np.nan, pred) + np.log(weight)
    died = event != 0
    first = np.searchsorted(time, time)  # of those at the same time
    last = np.searchsorted(time, time, side="right") - 1

    def at_the_time(x: Any) -> Any:
        """Add up what has the same time."""
        total = np.zeros_like(x)
        np.add.at(total, first, x)
        return total[first]

    # Of the k-th of d events at the same time, k/d of the hazards of these events are not at risk.
    at_risk = np.logaddexp.accumulate(hazard[::-1])[::-1][first]
    tied_share = at_the_time(np.where(died, np.exp(hazard - at_risk), 0))
    before = np.cumsum(died) - died
    k, d = (before - before[first]) * (ties == "efron"), np.maximum(at_the_time(died * 1), 1)
    left = np.where(died, 1 - k * tied_share / d, 1)
    value = at_risk + at_the_time(np.log(left)) / d

    # Σ w/s and Σ w/s² over events up to now, where s is what is at risk; for the hazards of the
    # last events, over those before, and what the last ones make of these.
    event_weight = np.where(died, at_the_time(np.where(died, weight, 0)) / d, 0)
    own_left = np.where(died, 1 / left - k / left / d, 0)
    slopes = []
    for power in (1, 2):
        log_sum = np.log(event_weight) - power * (at_risk + np.log(left))
        log_sum = np.logaddexp.accumulate(log_sum)
        earlier = np.concatenate([np.full_like(log_sum[:1], -np.inf), log_sum])[first]
        up_to = np.exp(power * pred + np.where(died, earlier, log_sum[last]))
        own = np.exp(power * (pred - at_risk)) * at_the_time(event_weight * own_left**power)
        slopes.append(up_to + np.where(died, own, 0))
    return (
        Parts(np.where(died, value, 0), np.where(died, -pred, 0)),
        Parts(slopes[0], np.where(died, -1, 0)),
        Parts(slopes[0], -weight * slopes[1]),
    )
