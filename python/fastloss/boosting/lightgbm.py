# SPDX-License-Identifier: BSD-3-Clause
"""LightGBM: predictions are (n,) or (n, K) in Fortran order, in double precision."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from fastloss.boosting.boosted import HESSIAN_FLOOR, Metric, Objective
from fastloss.boosting.hessians import Policy
from fastloss.boosting.samples import Sample, takes_groups
from fastloss.families import Loss

Array = NDArray[Any]


def lightgbm_objective(
    loss: Loss | str,
    *,
    hessian: Policy = "auto",
    hessian_floor: float = HESSIAN_FLOOR,
    **parameters: Any,
) -> LightGBMObjective:
    """Make a loss an objective for LightGBM.

    It serves ``lightgbm.train({"objective": ...})`` and ``LGBMRegressor(objective=...)`` alike.

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
    LightGBMObjective
        A callable that can be copied and pickled. The arrays that it returns, single precision in
        the order of the predictions, are overwritten in the next round.

    Raises
    ------
    TypeError
        If the loss has no such parameter.
    ValueError
        If the loss cannot be boosted or has no such second derivative. In training: if labels are
        outside the domain, or the number of classes is wrong.

    Notes
    -----
    Groups are those of the `Dataset`; the weight of a group is the mean of its rows'. `cox` takes a
    time as label, whose sign is negative where the element is censored, and `aft` times that are
    known: LightGBM has no second label.

    Examples
    --------
    >>> from fastloss.boosting import lightgbm_objective
    >>> import numpy as np
    >>> objective = lightgbm_objective("cross_entropy")
    >>> grad, hess = objective(np.array([0.0, 1.0]), np.zeros((2, 2), order="F"))
    >>> grad
    array([[-0.5,  0.5],
           [ 0.5, -0.5]], dtype=float32)
    """
    return LightGBMObjective("lightgbm_objective", loss, parameters, hessian, hessian_floor)


def lightgbm_metric(loss: Loss | str, **parameters: Any) -> LightGBMMetric:
    """Make a loss a metric for LightGBM, to be watched beside the objective of the same loss.

    It serves ``lightgbm.train(..., feval=...)`` and ``fit(eval_metric=...)`` alike.

    Parameters
    ----------
    loss : function or str
        A loss of fastloss, or its name: pointwise, row-wise, or of groups or times (see Notes).
    **parameters
        The loss's own.

    Returns
    -------
    LightGBMMetric
        A callable that returns the loss's name, its weighted mean, and False: less is better.

    Raises
    ------
    TypeError
        If the loss has no such parameter.
    ValueError
        If the loss cannot be boosted. In training: as for an objective, and if the predictions are
        probabilities where the loss takes raw ones.

    Examples
    --------
    >>> from fastloss.boosting import lightgbm_metric
    >>> import numpy as np
    >>> lightgbm_metric("mae")(np.array([0.0, 0.0]), np.array([1.0, 4.0]))
    ('mae', 2.5, False)
    """
    return LightGBMMetric("lightgbm_metric", loss, parameters)


class LightGBMObjective(Objective):
    """The derivatives of a loss, from either of LightGBM's interfaces."""

    # LightGBM counts the parameters: with four it hands over weights and groups.
    def __call__(
        self, first: Array, second: Any, weight: Array | None = None, group: Array | None = None
    ) -> tuple[Array, Array]:
        """Take ``(pred, Dataset)``, or ``(label, pred, weight, group)``."""
        return self.derivatives(*_read(self.loss, first, second, weight, group))


class LightGBMMetric(Metric):
    """The mean of a loss, from either of LightGBM's interfaces."""

    def __call__(
        self, first: Array, second: Any, weight: Array | None = None, group: Array | None = None
    ) -> tuple[str, float, bool]:
        """Take ``(pred, Dataset)``, or ``(label, pred, weight, group)``."""
        return self.__name__, self.mean(*_read(self.loss, first, second, weight, group)), False


def _read(
    loss: Loss, first: Array, second: Any, weight: Array | None, group: Array | None
) -> tuple[Array, Sample]:
    pred = second
    if hasattr(second, "get_label"):
        pred, first, weight = first, second.get_label(), second.get_weight()
        group = second.get_group() if takes_groups(loss) else None
    return pred, Sample(first, weight, group=group if takes_groups(loss) else None)
