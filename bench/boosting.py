# SPDX-License-Identifier: BSD-3-Clause
"""Print, as Markdown, what objectives cost in training: fastloss, NumPy as usual, the built-in.

A round is a training with trees of one split on one input, less the same training with gradients
that are ready: what is left is the objective and the way to it. Contestants take turns, and the
least time counts; on one thread it is that of the processor, which other work on the machine hardly
changes. Built-in objectives do not hand predictions to Python, which the training that
is subtracted does, so that theirs may be next to nothing; the time of the callable alone stands
beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

import fastloss as fl
from fastloss.boosting import lightgbm_objective, xgboost_objective
from fastloss.boosting.hessians import Policy

Array = NDArray[Any]
Objective = Callable[[Array, Any], tuple[Array, Array]]


def logistic(pred: Array, data: Any) -> tuple[Array, Array]:
    """Return the derivatives as a user writes them."""
    p = 1 / (1 + np.exp(-pred))
    return p - data.get_label(), p * (1 - p)


def softmax(pred: Array, data: Any) -> tuple[Array, Array]:
    """Return the derivatives as a user writes them, with XGBoost's factor of 2."""
    e = np.exp(pred - pred.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    grad = p.copy()
    grad[np.arange(len(p)), data.get_label().astype(int)] -= 1
    return grad, 2 * p * (1 - p)


def focal(pred: Array, data: Any) -> tuple[Array, Array]:
    """Return the derivatives of the focal loss of gamma 2, as published for boosting."""
    gamma = 2.0
    y = data.get_label()
    p = 1 / (1 + np.exp(-pred))
    sign = 2 * y - 1
    t = np.clip(np.where(y == 1, p, 1 - p), 1e-15, 1 - 1e-15)
    slope = gamma * t * np.log(t) + t - 1
    grad = sign * (1 - t) ** gamma * slope
    bend = gamma * np.log(t) + gamma + 1
    hess = t * (1 - t) * ((1 - t) ** gamma * bend - gamma * (1 - t) ** (gamma - 1) * slope)
    return grad, np.maximum(hess, 1e-16)


@dataclass(frozen=True)
class Problem:
    """What is trained for, and by which objectives."""

    loss: str
    by_numpy: Objective
    classes: int
    builtin: Mapping[str, str]


PROBLEMS = {
    "logistic": Problem(
        "binary_cross_entropy_with_logits",
        logistic,
        1,
        {"xgboost": "binary:logistic", "lightgbm": "cross_entropy"},
    ),
    "softmax": Problem(
        "cross_entropy", softmax, 10, {"xgboost": "multi:softprob", "lightgbm": "multiclass"}
    ),
    "focal": Problem("binary_focal_with_logits", focal, 1, {}),
}


class Clock:
    """An objective that adds up the time that it takes itself."""

    def __init__(self, objective: Objective, now: Callable[[], float]) -> None:
        self.objective, self.now = objective, now
        self.seconds = 0.0

    def __call__(self, pred: Array, data: Any) -> tuple[Array, Array]:
        """Return the objective's derivatives."""
        start = self.now()
        result = self.objective(pred, data)
        self.seconds += self.now() - start
        return result

    def __deepcopy__(self, memo: Any) -> Clock:
        """Remain one: LightGBM copies its parameters."""
        return self


def ready(problem: Problem, rows: int, order: Any) -> Objective:
    """Return an objective whose derivatives are there before."""
    shape = (rows,) if problem.classes == 1 else (rows, problem.classes)
    generator = np.random.default_rng(1)
    grad = np.asarray(generator.normal(size=shape), dtype=np.float32, order=order)
    hess = np.ones_like(grad)
    return lambda pred, data: (grad, hess)


def train_xgboost(
    problem: Problem, data: Any, objective: Objective | str, rounds: int, threads: int
) -> None:
    """Train a model and forget it."""
    parameters: dict[str, Any] = {"max_depth": 1, "max_bin": 16, "base_score": 0.5}
    parameters |= {"nthread": threads, "verbosity": 0}
    if problem.classes > 1:
        parameters["num_class"] = problem.classes
    if isinstance(objective, str):
        xgb.train({**parameters, "objective": objective}, data, rounds)
    else:
        xgb.train(parameters, data, rounds, obj=objective)


def train_lightgbm(
    problem: Problem, data: Any, objective: Objective | str, rounds: int, threads: int
) -> None:
    """Train a model and forget it."""
    parameters: dict[str, Any] = {"num_leaves": 2, "max_bin": 15}
    parameters |= {"num_threads": threads, "verbosity": -1}
    parameters |= {"num_class": problem.classes, "objective": objective}
    parameters |= {"force_col_wise": True, "boost_from_average": False}
    lgb.train(parameters, data, rounds)


def contestants(problem: Problem, library: str, rows: int) -> Iterator[tuple[str, Any]]:
    """Yield names and objectives; the first is subtracted from the others."""
    yield "ready", ready(problem, rows, "C" if library == "xgboost" else "F")
    if problem.loss in fl.losses:
        policy: Policy = "auto"
        if problem.loss == "cross_entropy":
            policy = "xgboost" if library == "xgboost" else "lightgbm"
        make = xgboost_objective if library == "xgboost" else lightgbm_objective
        yield "fastloss", make(problem.loss, hessian=policy)
    yield "NumPy", problem.by_numpy
    if library in problem.builtin:
        yield "built-in", problem.builtin[library]


def measure(name: str, library: str, threads: int, given: argparse.Namespace) -> None:
    """Print the rows of one problem."""
    problem = PROBLEMS[name]
    rows, rounds, repeats = given.rows, given.rounds, given.repeats
    generator = np.random.default_rng(0)
    x = generator.normal(size=(rows, 1)).astype(np.float32)
    y = generator.integers(max(problem.classes, 2), size=rows).astype(np.float32)
    train = train_xgboost if library == "xgboost" else train_lightgbm
    data = (
        xgb.QuantileDMatrix(x, y, max_bin=16)
        if library == "xgboost"
        else lgb.Dataset(x, y, params={"max_bin": 15, "verbosity": -1}, free_raw_data=False)
    )
    objectives = dict(contestants(problem, library, rows))
    whole = dict.fromkeys(objectives, np.inf)
    alone = dict.fromkeys(objectives, np.inf)
    now = time.process_time if threads == 1 else time.perf_counter
    with fl.threads(threads):
        for _ in range(repeats):
            for contestant, objective in objectives.items():
                clock = objective if isinstance(objective, str) else Clock(objective, now)
                start = now()
                train(problem, data, clock, rounds, threads)
                whole[contestant] = min(whole[contestant], now() - start)
                if isinstance(clock, Clock):
                    alone[contestant] = min(alone[contestant], clock.seconds)
    for contestant in list(objectives)[1:]:
        extra = 1e3 * (whole[contestant] - whole["ready"]) / rounds
        own = f"{1e3 * alone[contestant] / rounds:.2f}" if contestant != "built-in" else ""
        cells = name, library, threads, contestant, f"{extra:.2f}", own
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--libraries", nargs="+", default=["xgboost", "lightgbm"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    print("| problem | library | threads | objective | ms per round in training | ms alone |")
    print("|---|---|---:|---|---:|---:|")
    for name in given.problems:
        for library in given.libraries:
            for threads in given.threads:
                measure(name, library, threads, given)


if __name__ == "__main__":
    main()
