# SPDX-License-Identifier: BSD-3-Clause
"""Intervals that hold 80 % of the outcomes: the 10, 50 and 90 % quantiles from one XGBoost model.

The data are 442 diabetes patients, and the progression of the disease a year later. Every patient
is predicted by a model that has not seen them (five folds). The comparison is with XGBoost's own
quantile objective. Needs the extra [xgboost], scikit-learn and matplotlib.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import xgboost as xgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold

import fastloss as fl
from fastloss.boosting import init_score, xgboost_objective

LEVELS = (0.1, 0.5, 0.9)
ROUNDS = 60
OPTIONS = {"max_depth": 2, "eta": 0.1, "subsample": 0.8, "seed": 0, "nthread": 1}

Array = NDArray[Any]


def by_fastloss(x: Array, y: Array, new: Array) -> Array:
    """Train for all quantiles at once, beginning with those of all patients."""
    objective = xgboost_objective(fl.quantile, q=LEVELS)
    start = np.asarray(init_score(fl.quantile, y, q=LEVELS)).tolist()
    options = {**OPTIONS, "num_class": len(LEVELS), "base_score": start}
    model = xgb.train(options, xgb.DMatrix(x, y, nthread=1), ROUNDS, obj=objective)
    return np.asarray(model.predict(xgb.DMatrix(new, nthread=1), output_margin=True))


def by_xgboost(x: Array, y: Array, new: Array) -> Array:
    """Train with the built-in objective."""
    options = {**OPTIONS, "objective": "reg:quantileerror", "quantile_alpha": list(LEVELS)}
    model = xgb.train(options, xgb.DMatrix(x, y, nthread=1), ROUNDS)
    return np.asarray(model.predict(xgb.DMatrix(new, nthread=1)))


def report(name: str, pred: Array, y: Array) -> None:
    """Print coverage, width and loss."""
    low, _, high = np.sort(pred, axis=1).T
    inside = np.mean((low <= y) & (y <= high))
    below = "  ".join(f"{np.mean(y <= pred[:, k]):5.1%}" for k in range(len(LEVELS)))
    wide = np.broadcast_to(y[:, np.newaxis], pred.shape)
    loss = fl.quantile(pred.astype(np.float64), wide, q=LEVELS)
    print(f"{name:9}  {inside:8.1%}  {np.mean(high - low):10.1f}  {below}  {loss:12.2f}")


def save_plot(path: str, pred: Array, y: Array) -> None:
    """Draw every patient's interval and outcome, in the order of the medians."""
    order = np.argsort(pred[:, 1])
    low, middle, high = np.sort(pred[order], axis=1).T
    place = np.arange(len(y))
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(place, low, high, alpha=0.3, label="10 to 90 %, predicted")
    axes.plot(place, middle, label="median, predicted")
    axes.plot(place, y[order], ".", color="black", markersize=3, label="outcome")
    axes.set(xlabel="patients, by predicted median", ylabel="progression of the disease")
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Predict all patients, print the comparison and save the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--save", default="fastloss-quantile-intervals.png", help="where the plot goes"
    )
    given = parser.parse_args()
    x, y = load_diabetes(return_X_y=True)
    preds = {name: np.empty((len(y), len(LEVELS)), np.float32) for name in ("XGBoost", "fastloss")}
    for train, new in KFold(5, shuffle=True, random_state=0).split(x):
        preds["XGBoost"][new] = by_xgboost(x[train], y[train], x[new])
        preds["fastloss"][new] = by_fastloss(x[train], y[train], x[new])
    print("           coverage  mean width  at or below 10, 50, 90 %  quantile loss")
    for name, pred in preds.items():
        report(name, pred, y)
    save_plot(given.save, preds["fastloss"], y)
    print(f"\nThe nominal coverage is {LEVELS[-1] - LEVELS[0]:.0%}. Plot: {given.save}")


if __name__ == "__main__":
    main()
