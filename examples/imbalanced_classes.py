# SPDX-License-Identifier: BSD-3-Clause
"""A rare class: which of 1,797 handwritten digits is an 8, by LightGBM with the focal loss.

One digit in ten is an 8. Half of the digits train the model, and early stopping watches the same
loss on a quarter; the last quarter is the test. The comparison is with LightGBM's own binary
objective. Needs the extra [lightgbm], scikit-learn and matplotlib.
"""

from __future__ import annotations

import argparse
from typing import Any

import lightgbm as lgb
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.model_selection import train_test_split

import fastloss as fl
from fastloss.boosting import init_score, lightgbm_metric, lightgbm_objective

LOSS, PARAMETERS = fl.binary_focal_with_logits, dict[str, Any](gamma=1.0)
RARE = 8
OPTIONS = {"num_leaves": 7, "learning_rate": 0.1, "num_threads": 1, "seed": 0, "verbosity": -1}

Array = NDArray[Any]


def by_fastloss(x: Array, y: Array, watched: tuple[Array, Array], new: Array) -> Array:
    """Return raw scores: what the model adds to the best constant."""
    start = float(init_score(LOSS, y, **PARAMETERS))
    train = lgb.Dataset(x, y, init_score=np.full(len(y), start))
    valid = lgb.Dataset(*watched, init_score=np.full(len(watched[1]), start), reference=train)
    objective = lightgbm_objective(LOSS, **PARAMETERS)
    model = lgb.train(
        {**OPTIONS, "objective": objective, "metric": "none"},
        train,
        500,
        valid_sets=[valid],
        feval=lightgbm_metric(LOSS, **PARAMETERS),
        callbacks=[lgb.early_stopping(20, verbose=False)],
    )
    return start + np.asarray(model.predict(new, num_threads=1))


def by_lightgbm(x: Array, y: Array, watched: tuple[Array, Array], new: Array) -> Array:
    """Return the raw scores of the built-in objective."""
    train = lgb.Dataset(x, y)
    model = lgb.train(
        {**OPTIONS, "objective": "binary", "metric": "binary_logloss"},
        train,
        500,
        valid_sets=[lgb.Dataset(*watched, reference=train)],
        callbacks=[lgb.early_stopping(20, verbose=False)],
    )
    return np.asarray(model.predict(new, raw_score=True, num_threads=1))


def report(name: str, scores: Array, y: Array) -> None:
    """Print how many of the rare class are found, and at what price."""
    found = scores > 0
    recall = np.mean(found[y == 1])
    precision = np.mean(y[found])
    ranked = average_precision_score(y, scores)
    print(f"{name:9}  {ranked:17.3f}  {recall:6.1%}  {precision:9.1%}")


def save_plot(path: str, results: dict[str, Array], y: Array) -> None:
    """Draw precision against recall."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    for name, scores in results.items():
        precision, recall, _ = precision_recall_curve(y, scores)
        (line,) = axes.plot(recall, precision, label=name)
        found = scores > 0
        chosen = np.mean(found[y == 1]), np.mean(y[found])
        axes.plot(*chosen, "o", color=line.get_color())
    axes.plot([], [], "o", color="grey", label="threshold 0")
    axes.set(xlabel="recall", ylabel="precision", title=f"Is it an {RARE}?")
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Train both models, print the comparison and save the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--save", default="fastloss-imbalanced-classes.png", help="where the plot goes"
    )
    given = parser.parse_args()
    x, digit = load_digits(return_X_y=True)
    y = (digit == RARE).astype(float)
    x, x_rest, y, y_rest = train_test_split(x, y, test_size=0.5, stratify=y, random_state=0)
    x_valid, x_test, y_valid, y_test = train_test_split(
        x_rest, y_rest, test_size=0.5, stratify=y_rest, random_state=0
    )
    watched = (x_valid, y_valid)
    results = {
        "LightGBM": by_lightgbm(x, y, watched, x_test),
        "fastloss": by_fastloss(x, y, watched, x_test),
    }
    print("           average precision  recall  precision")
    for name, scores in results.items():
        report(name, scores, y_test)
    save_plot(given.save, results, y_test)
    arguments = ", ".join(f"{name}={value:g}" for name, value in PARAMETERS.items())
    print(f"\nThe loss is {LOSS.__name__}({arguments}). Plot: {given.save}")


if __name__ == "__main__":
    main()
