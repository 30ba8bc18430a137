# SPDX-License-Identifier: BSD-3-Clause
"""Objectives, metrics and first predictions for XGBoost, LightGBM and CatBoost.

An objective hands a library both derivatives of a loss in the layout and with the sign that it
expects; the metric beside it is the loss itself, for early stopping. None of the libraries is
imported here.
"""

from fastloss.boosting.catboost import catboost_metric, catboost_objective
from fastloss.boosting.initial import init_score
from fastloss.boosting.lightgbm import lightgbm_metric, lightgbm_objective
from fastloss.boosting.xgboost import xgboost_metric, xgboost_objective

__all__ = [
    "catboost_metric",
    "catboost_objective",
    "init_score",
    "lightgbm_metric",
    "lightgbm_objective",
    "xgboost_metric",
    "xgboost_objective",
]
