# SPDX-License-Identifier: BSD-3-Clause
"""The policies of second derivatives: which curvature of a loss an objective hands over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, get_args

from fastloss.curvatures import Constant, Curvature, Exact, Terms
from fastloss.families import Loss

Policy = Literal["auto", "exact", "gauss_newton", "upper_bound", "ones", "xgboost", "lightgbm"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


class _OfClasses:
    """K/(K − 1) times the exact one, K the number of classes."""

    def fill(self, terms: Terms) -> None:
        classes = terms.pred.shape[-1]
        Exact(classes / (classes - 1)).fill(terms)


_MAX_DELTA_STEP = Exact(math.exp(0.7))

XGBOOST: Mapping[str, Curvature] = MappingProxyType(
    {
        "aft": Exact(),
        "binary_cross_entropy_with_logits": Exact(),
        "cox": Exact(),
        "cross_entropy": Exact(2),
        "half_gamma_deviance": Exact(),
        "half_poisson_deviance": _MAX_DELTA_STEP,
        "half_squared_error": Exact(),
        "half_tweedie_deviance": Exact(),
        "lambdarank": Exact(2),
        "mae": Constant(),
        "mse": Exact(),
        "pairwise_logistic": Exact(2),
        "poisson_nll": _MAX_DELTA_STEP,
        "pseudo_huber": Exact(),
        "quantile": Constant(),
    }
)
"""What XGBoost's own objectives have, up to version 3.3."""

LIGHTGBM: Mapping[str, Curvature] = MappingProxyType(
    {
        "absolute_percentage_error": Constant(),
        "binary_cross_entropy_with_logits": Exact(),
        "cross_entropy": _OfClasses(),
        "half_gamma_deviance": Exact(),
        "half_poisson_deviance": _MAX_DELTA_STEP,
        "half_squared_error": Exact(),
        "half_tweedie_deviance": Exact(),
        "huber": Constant(),
        "lambdarank": Exact(),
        "mae": Constant(),
        "mse": Exact(),
        "poisson_nll": _MAX_DELTA_STEP,
        "quantile": Constant(),
    }
)
"""What LightGBM's own objectives have."""


def curvature(loss: Loss, policy: Policy) -> Curvature:
    """Return the curvature that a policy means for a loss, or raise ValueError."""
    if policy not in POLICIES:
        raise ValueError(f"hessian: expected one of {', '.join(POLICIES)}, got {policy!r}")
    found: Curvature | None = _FIND[policy](loss)
    if found is None:
        possible = [name for name in POLICIES if _FIND[name](loss) is not None]
        raise ValueError(
            f"hessian: {loss.__name__} has no {policy!r}; it has {', '.join(possible)}"
        )
    return found


_FIND: Mapping[str, Callable[[Loss], Any]] = MappingProxyType(
    {
        "auto": lambda loss: loss.curvatures.positive,
        "exact": lambda loss: Exact() if loss.hess_kind == "exact" else None,
        "gauss_newton": lambda loss: loss.curvatures.gauss_newton,
        "upper_bound": lambda loss: loss.curvatures.upper_bound,
        "ones": lambda loss: Constant(),
        "xgboost": lambda loss: XGBOOST.get(loss.__name__),
        "lightgbm": lambda loss: LIGHTGBM.get(loss.__name__),
    }
)
