# SPDX-License-Identifier: BSD-3-Clause
"""XGBoost: predictions and derivatives are (n,) or (n, K) in C order, in single precision."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from fastloss.boosting.boosted import HESSIAN_FLOOR, Metric, Objective
from fastloss.boosting.hessians import Policy
from fastloss.boosting.samples import Sample, takes_bounds, takes_groups
from fastloss.families import Loss

Array = NDArray[Any]


def xgboost_objective(
    loss: Loss | str,
    *,
    hessian: Policy = "auto",
    hessian_floor: float = HESSIAN_FLOOR,
    **parameters: Any,
) -> XGBoostObjective:
    """Make a loss an objective for XGBoost.

    It serves ``xgboost.train(..., obj=...)`` and ``XGBRegressor(objective=...)`` alike.

    Parameters
    ----------
    loss : function or str
        A loss of fastloss, or its name: pointwise, row-wise, or of groups or times (see Notes).
    hessian : str, default "auto"
        Which second derivative to hand over: "auto" (the exact one if it is positive, else a
        positive majorant of the loss), "exact", "gauss_newton", "upper_bound", "ones", "xgboost"
        or "lightgbm" (those of the built-in objectives).
    hessian_floor : float, default 1e-16
        The least second derivative, relative to the weight.
    **parameters
        The loss's own: ``delta``, ``pos_weight``, ``class_weight``, ...

    Returns
    -------
    XGBoostObjective
        A callable that can be copied and pickled. The arrays that it returns are overwritten in the
        next round.

    Raises
    ------
    TypeError
        If the loss has no such parameter.
    ValueError
        If the loss cannot be boosted or has no such second derivative. In training: if labels are
        outside the domain, or the number of classes is wrong.

    Notes
    -----
    Groups are those of the `DMatrix` (``group=`` or ``qid=``), whose weights are one per group.
    `aft` takes ``label_lower_bound`` and ``label_upper_bound``, or labels for times that are known;
    `cox` a time as label, whose sign is negative where the element is censored.

    Examples
    --------
    >>> from fastloss.boosting import xgboost_objective
    >>> import numpy as np
    >>> objective = xgboost_objective("huber", delta=2.0)
    >>> objective
    xgboost_objective(fl.huber, delta=2.0, hessian='auto', hessian_floor=1e-16)
    >>> grad, hess = objective(np.array([0.0, 0.0]), np.array([1.0, 4.0]))
    >>> print(grad, hess)
    [1. 2.] [1.  0.5]
    """
    return XGBoostObjective("xgboost_objective", loss, parameters, hessian, hessian_floor)


def xgboost_metric(loss: Loss | str, **parameters: Any) -> XGBoostMetric:
    """Make a loss a metric for XGBoost, to be watched beside the objective of the same loss.

    It serves ``xgboost.train(..., custom_metric=...)`` and ``XGBRegressor(eval_metric=...)`` alike.

    Parameters
    ----------
    loss : function or str
        A loss of fastloss, or its name: pointwise, row-wise, or of groups or times (see Notes).
    **parameters
        The loss's own.

    Returns
    -------
    XGBoostMetric
        A callable whose value is the weighted mean of the loss; less is better.

    Raises
    ------
    TypeError
        If the loss has no such parameter.
    ValueError
        If the loss cannot be boosted. In training: as for an objective, and if the predictions are
        probabilities where the loss takes raw ones.

    Examples
    --------
    >>> from fastloss.boosting import xgboost_metric
    >>> import numpy as np
    >>> xgboost_metric("mae")(np.array([0.0, 0.0]), np.array([1.0, 4.0]))
    2.5
    """
    return XGBoostMetric("xgboost_metric", loss, parameters)


class XGBoostObjective(Objective):
    """The derivatives of a loss, from either of XGBoost's interfaces."""

    def __call__(
        self, first: Array, second: Any, sample_weight: Array | None = None
    ) -> tuple[Array, Array]:
        """Take ``(pred, DMatrix)``, or ``(label, pred)`` with weights."""
        return self.derivatives(*_read(self.loss, first, second, sample_weight))


class XGBoostMetric(Metric):
    """The mean of a loss, from either of XGBoost's interfaces."""

    def __call__(
        self, first: Array, second: Any, sample_weight: Array | None = None
    ) -> float | tuple[str, float]:
        """Take ``(pred, DMatrix)`` for a name and a value, or ``(label, pred)`` for the value."""
        value = self.mean(*_read(self.loss, first, second, sample_weight))
        return (self.__name__, value) if _is_native(second) else value


def _read(
    loss: Loss, first: Array, second: Any, sample_weight: Array | None
) -> tuple[Array, Sample]:
    if not _is_native(second):
        return second, Sample(first, sample_weight)
    weight = _none_if_empty(second.get_weight())
    if takes_groups(loss):
        sizes = _none_if_empty(second.get_group())
        return first, Sample(second.get_label(), weight, group=sizes)
    if takes_bounds(loss):
        lower = second.get_float_info("label_lower_bound")
        if lower.size:
            upper = second.get_float_info("label_upper_bound")
            return first, Sample(second.get_label(), weight, bounds=(lower, upper))
    return first, Sample(second.get_label(), weight)


def _none_if_empty(x: Array) -> Array | None:
    return x if x.size else None


def _is_native(second: Any) -> bool:
    return hasattr(second, "get_label")
