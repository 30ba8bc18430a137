# SPDX-License-Identifier: BSD-3-Clause
"""CatBoost: parts of the predictions come in double precision; it takes derivatives of −loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss.boosting.boosted import HESSIAN_FLOOR, Metric, Objective, find_loss
from fastloss.boosting.hessians import Policy
from fastloss.boosting.samples import Sample, takes_bounds
from fastloss.families import Loss

Array = NDArray[Any]


def catboost_objective(
    loss: Loss | str,
    *,
    hessian: Policy = "auto",
    hessian_floor: float = HESSIAN_FLOOR,
    **parameters: Any,
) -> CatBoostObjective:
    """Make a pointwise loss an objective for CatBoost.

    It is the ``loss_function`` of a model. With ``leaf_estimation_method="Newton"`` the second
    derivative counts; say so, since CatBoost's default for custom objectives may be another.

    Parameters
    ----------
    loss : function or str
        A pointwise loss of fastloss, or its name.
    hessian : str, default "auto"
        Which second derivative to hand over: "auto" (the exact one if it is positive, else a
        positive majorant of the loss), "exact", "gauss_newton", "upper_bound", "ones", "xgboost"
        or "lightgbm" (those of the built-in objectives).
    hessian_floor : float, default 1e-16
        The least second derivative, relative to the weight.
    **parameters
        The loss's own: ``delta``, ``pos_weight``, ...

    Returns
    -------
    CatBoostObjective
        An object that can be copied and pickled.

    Raises
    ------
    TypeError
        If the loss has no such parameter.
    ValueError
        If the loss cannot be boosted or has no such second derivative. In training: if labels are
        outside the domain.

    Examples
    --------
    >>> from fastloss.boosting import catboost_objective
    >>> import numpy as np
    >>> objective = catboost_objective("half_squared_error")
    >>> print(objective.calc_ders_range(np.array([1.0, 4.0]), np.array([3.0, 4.0]), None))
    [[ 2. -1.]
     [-0. -1.]]
    """
    _require_pointwise("catboost_objective", loss)
    return CatBoostObjective("catboost_objective", loss, parameters, hessian, hessian_floor)


def catboost_metric(loss: Loss | str, **parameters: Any) -> CatBoostMetric:
    """Make a pointwise loss a metric for CatBoost, the ``eval_metric`` of a model.

    Parameters
    ----------
    loss : function or str
        A pointwise loss of fastloss, or its name.
    **parameters
        The loss's own.

    Returns
    -------
    CatBoostMetric
        An object whose value is the weighted mean of the loss; less is better.

    Raises
    ------
    TypeError
        If the loss has no such parameter.
    ValueError
        If the loss cannot be boosted. In training: if labels are outside the domain.

    Examples
    --------
    >>> from fastloss.boosting import catboost_metric
    >>> import numpy as np
    >>> catboost_metric("mae").evaluate([np.array([1.0, 4.0])], np.array([0.0, 0.0]), None)
    (5.0, 2.0)
    """
    _require_pointwise("catboost_metric", loss)
    return CatBoostMetric("catboost_metric", loss, parameters)


class CatBoostObjective(Objective):
    """The derivatives of −loss, of a range of elements."""

    no_jit = True  # for CatBoost, which would try to compile the method below with numba, and warn

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Array:
        """Return an array of shape (n, 2): first and second derivatives of −loss."""
        pred = np.asarray(approxes, dtype=np.float64)
        ders = np.empty((len(pred), 2))
        self.derivatives(pred, _sample(targets, weights), out=(ders[:, 0], ders[:, 1]))
        return np.negative(ders, out=ders)


class CatBoostMetric(Metric):
    """The mean of a loss, as CatBoost adds it up from parts."""

    no_jit = True

    def is_max_optimal(self) -> bool:
        """Tell that less is better."""
        return False

    def evaluate(self, approxes: Sequence[Any], target: Any, weight: Any) -> tuple[float, float]:
        """Return the weighted sum of the loss, and that of the weights."""
        pred = np.asarray(approxes[0], dtype=np.float64)
        return self.total(pred, _sample(target, weight))

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the mean."""
        return error / weight if weight else float("nan")


def _sample(targets: Any, weights: Any) -> Sample:
    return Sample(np.asarray(targets), None if weights is None else np.asarray(weights))


def _require_pointwise(function: str, loss: Loss | str) -> None:
    found = find_loss(function, loss)
    if found.family != "pointwise" or takes_bounds(found):
        raise ValueError(
            f"{function}: {found.__name__} takes more than a prediction and a label per row: "
            "CatBoost hands rows of scores over one per call from Python, and no groups, second "
            "labels or whole samples; use its built-in objective, XGBoost or LightGBM"
        )
