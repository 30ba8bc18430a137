# SPDX-License-Identifier: BSD-3-Clause
"""Objectives, metrics and first predictions, without the libraries that they are for."""

import copy
import doctest
import importlib
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import LOSSES, losses, sample
from fastloss import boosting, curvatures
from fastloss.boosting import (
    catboost_metric,
    catboost_objective,
    init_score,
    lightgbm_metric,
    lightgbm_objective,
    xgboost_metric,
    xgboost_objective,
)
from fastloss.boosting.hessians import LIGHTGBM, POLICIES, XGBOOST
from fastloss.curvatures import Curvature, Terms, parameters_of
from fastloss.domains import REAL, Labels

CLASSES = 4
SCORES = np.zeros((3, 3), np.float32)
FLAT = np.zeros(3, np.float32)


@dataclass
class DataSet:
    """Labels and more as a library's own data set has them."""

    label: Any
    weight: Any = field(default_factory=lambda: np.empty(0, np.float32))
    group: Any = field(default_factory=lambda: np.empty(0, int))
    lower: Any = field(default_factory=lambda: np.empty(0, np.float32))
    upper: Any = field(default_factory=lambda: np.empty(0, np.float32))

    def get_label(self) -> Any:
        return self.label.copy()

    def get_weight(self) -> Any:
        return self.weight

    def get_group(self) -> Any:
        return self.group

    def get_float_info(self, name: str) -> Any:
        return {"label_lower_bound": self.lower, "label_upper_bound": self.upper}[name]


def can_be_boosted(loss: Any) -> bool:
    try:
        xgboost_objective(loss)
    except ValueError:
        return False
    return True


def has_one_target(loss: Any) -> bool:
    """Tell whether a label per row is all that it takes."""
    return loss.family in ("pointwise", "rowwise") and len(loss.targets) == 1


BOOSTED = [loss for loss in LOSSES if can_be_boosted(loss) and has_one_target(loss)]
boosted = pytest.mark.parametrize("loss", [pytest.param(x, id=x.__name__) for x in BOOSTED])


def draw(loss: Any, n: int = 50, dtype: Any = np.float32) -> tuple[Any, Any]:
    """Draw predictions and labels as XGBoost hands them over."""
    generator = np.random.default_rng([3, *map(ord, loss.__name__)])
    domain = loss.domain[loss.targets[0]]
    if loss.family == "pointwise":
        pred = generator.normal(scale=2, size=n)
        return pred.astype(dtype), np.asarray(sample(domain, generator, (n,))).astype(np.float32)
    pred = generator.normal(scale=2, size=(n, CLASSES)).astype(dtype)
    if isinstance(domain, Labels):
        return pred, generator.integers(CLASSES, size=n).astype(np.float32)
    shape = (n,) if domain.kind == "number" else pred.shape
    label = np.array(sample(domain, generator, shape), np.float32)
    label[..., 0] = np.where(label.any(-1), label[..., 0], 1)  # rows of zeros have no loss
    return pred, label


def as_target(loss: Any, label: Any) -> Any:
    labelled = isinstance(loss.domain[loss.targets[0]], Labels) and label.ndim == 1
    return label.astype(int) if labelled else label


# ---- objectives ------------------------------------------------------------------------------


def test_which_losses_can_be_boosted() -> None:
    """What cannot has a reason that the registry knows."""
    for loss in LOSSES:
        one_raw_input = (
            len(loss.inputs) == 1
            and loss.inputs[0] in ("pred", "logits")
            and loss.input_domain[loss.inputs[0]].given(parameters_of(loss, {})) is REAL
        )
        possible = one_raw_input and loss.family != "overlap" and not loss.formula.row_length
        assert can_be_boosted(loss) == possible, loss.__name__


@boosted
@pytest.mark.parametrize("weighted", [False, True])
def test_derivatives(loss: Any, weighted: bool) -> None:
    """The gradient is that of the loss, in other units where the loss is kinked; hess > 0."""
    pred, label = draw(loss)
    weight = np.linspace(0, 2, len(pred), dtype=np.float32) if weighted else None
    grad, hess = xgboost_objective(loss, hessian_floor=0)(label, pred, weight)
    expected = loss.grad(pred, as_target(loss, label), weight=weight, reduction="sum")
    kinked = isinstance(loss.curvatures.positive, curvatures.Kinked)
    scale = np.abs(grad).max() / np.abs(expected).max() if kinked else 1
    np.testing.assert_allclose(grad, expected * np.float32(scale), rtol=1e-5, atol=1e-7)
    counted = np.ones(len(pred), bool) if weight is None else weight > 0
    assert np.all(hess[counted] > 0)
    assert np.all(np.isfinite(hess))
    assert np.all(hess[~counted] == 0)
    assert grad.dtype == hess.dtype == np.float32


@boosted
def test_weights_are_factors(loss: Any) -> None:
    """Rows of weight 2 are rows that are there twice."""
    pred, label = draw(loss)
    objective = lightgbm_objective(loss)
    twice = [np.array(x) for x in objective(np.repeat(label, 2, 0), np.repeat(pred, 2, 0))]
    weighted = objective(label, pred, np.full(len(pred), 2, np.float32))
    for a, b in zip(twice, weighted, strict=True):
        np.testing.assert_allclose(2 * a[::2], b, rtol=1e-5)


@boosted
def test_both_interfaces(loss: Any) -> None:
    pred, label = draw(loss)
    weight = np.linspace(0.5, 2, len(pred), dtype=np.float32)
    for make in (xgboost_objective, lightgbm_objective):
        objective: Any = make(loss)
        native = [np.array(x) for x in objective(pred, DataSet(label, weight))]
        for a, b in zip(native, objective(label, pred, weight), strict=True):
            np.testing.assert_array_equal(a, b)


@boosted
def test_metrics_are_means(loss: Any) -> None:
    pred, label = draw(loss)
    weight = np.linspace(0.5, 2, len(pred), dtype=np.float32)
    expected = loss(pred, as_target(loss, label), weight=weight)
    for_xgboost, for_lightgbm = xgboost_metric(loss), lightgbm_metric(loss)
    assert for_xgboost(label, pred, weight) == expected
    assert for_xgboost(pred, DataSet(label, weight)) == (loss.__name__, expected)
    assert for_lightgbm(label, pred, weight) == (loss.__name__, expected, False)
    assert for_lightgbm(pred, DataSet(label, weight)) == (loss.__name__, expected, False)
    assert for_xgboost.__name__ == loss.__name__


@boosted
def test_catboost(loss: Any) -> None:
    """Derivatives are those of −loss; the metric adds up to the mean."""
    if loss.family != "pointwise":
        for make in (catboost_objective, catboost_metric):
            with pytest.raises(ValueError, match="one per call from Python"):
                make(loss)
        return
    pred, label = draw(loss, dtype=np.float64)
    weight = np.linspace(0.5, 2, len(pred), dtype=np.float32)
    ders = catboost_objective(loss).calc_ders_range(pred, label, weight)
    grad, hess = lightgbm_objective(loss)(label, pred, weight)
    np.testing.assert_allclose(-ders, np.stack([grad, hess], -1), rtol=1e-6)
    metric = catboost_metric(loss)
    sums = np.add(
        metric.evaluate([pred[:20]], label[:20], weight[:20]),
        metric.evaluate([pred[20:]], label[20:], weight[20:]),
    )
    mean = metric.get_final_error(*sums)
    assert mean == pytest.approx(loss(pred, label, weight=weight), rel=1e-12)
    assert not metric.is_max_optimal()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrices_keep_their_order(order: Any, dtype: type) -> None:
    pred, label = draw(fl.cross_entropy, dtype=dtype)
    objective = xgboost_objective("cross_entropy")
    pred = np.array(pred, order=order)
    grad, hess = objective(label, pred)
    for x in (grad, hess):
        assert x.flags[f"{order}_CONTIGUOUS"]
        assert x.dtype == np.float32
    again = objective(label, pred)
    assert again[0] is grad
    assert again[1] is hess
    assert objective(label[:7], pred[:7])[0].shape == (7, CLASSES)


def test_threads_do_not_share_buffers() -> None:
    pred, label = draw(fl.mse)
    objective = xgboost_objective("mse")
    here, _ = objective(label, pred)
    there: list[Any] = []
    thread = threading.Thread(target=lambda: there.extend(objective(label, 2 * pred)))
    thread.start()
    thread.join()
    assert not np.shares_memory(here, there[0])


def test_several_quantiles_at_once() -> None:
    """A parameter with a number per output lets one label stand for all of them."""
    levels = [0.1, 0.5, 0.9]
    pred, label = draw(fl.cross_entropy)
    pred, label = np.array(pred[:, :3]), pred[:, 3].copy()
    grad, hess = xgboost_objective("quantile", q=levels, hessian="ones")(label, pred)
    for k, q in enumerate(levels):
        np.testing.assert_array_equal(
            grad[:, k], fl.quantile.grad(pred[:, k].copy(), label, q=q, reduction="sum")
        )
    assert np.all(hess == 1)
    weight = np.linspace(0.5, 2, len(pred), dtype=np.float32)
    _, hess = xgboost_objective("quantile", q=levels, hessian="ones")(label, pred, weight)
    np.testing.assert_array_equal(hess, np.broadcast_to(weight[:, None], pred.shape))
    together = [np.array(x) for x in xgboost_objective("quantile", q=levels)(label, pred, weight)]
    for k, q in enumerate(levels):
        alone = xgboost_objective("quantile", q=q)(label, pred[:, k].copy(), weight)
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_allclose(a, b[:, k], rtol=1e-6)
    assert np.shape(init_score("quantile", label, q=levels)) == (3,)


def test_labels_that_change_are_noticed() -> None:
    objective = xgboost_objective("cross_entropy")
    pred, label = draw(fl.cross_entropy)
    before = np.array(objective(label, pred)[0])
    label += 1
    label %= CLASSES
    assert not np.array_equal(before, objective(label, pred)[0])
    with pytest.raises(ValueError, match="row 0"):
        objective(label + 10, pred)


def test_labels_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(boosting.samples, "check_target", lambda *args: calls.append(args))
    objective = xgboost_objective("huber")
    pred, label = draw(fl.huber)
    for _ in range(5):
        objective(pred, DataSet(label))
    assert len(calls) == 1


def test_copies_and_pickles() -> None:
    """An estimator is cloned and stored with its objective."""
    pred, label = draw(fl.quantile)
    for original in (
        xgboost_objective("quantile", q=0.9, hessian="ones"),
        xgboost_metric("quantile", q=0.9),
        lightgbm_objective(fl.quantile, q=0.9),
        lightgbm_metric(fl.quantile, q=0.9),
    ):
        expected = original(label, pred)
        for twin in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
            assert repr(twin) == repr(original)
            np.testing.assert_array_equal(twin(label, pred), expected)
            assert type(twin) is type(original)


# ---- groups and times ------------------------------------------------------------------------


def assert_derivatives(objective: Any, arguments: tuple[Any, ...], expected: Any) -> None:
    got = objective(*arguments)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-12)


def draw_groups() -> tuple[Any, Any, Any, Any]:
    """Draw scores and grades, in groups of these sizes, and their ids."""
    generator = np.random.default_rng(23)
    sizes = np.array([5, 1, 0, 12, 3])
    pred = generator.normal(size=sizes.sum()).astype(np.float32)
    label = generator.integers(4, size=pred.size).astype(np.float32)
    return pred, label, sizes, np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize("name", ["pairwise_logistic", "lambdarank"])
def test_groups(name: str) -> None:
    loss = fl.losses[name]
    pred, label, sizes, ids = draw_groups()
    expected = loss.grad_and_hess(pred, label, ids, reduction="sum")
    for_xgboost, for_lightgbm = xgboost_objective(loss), lightgbm_objective(loss)
    assert_derivatives(for_xgboost, (pred, DataSet(label, group=sizes)), expected)
    assert_derivatives(for_lightgbm, (pred, DataSet(label, None, sizes)), expected)
    assert_derivatives(for_lightgbm, (label, pred, None, sizes), expected)
    mean = loss(pred, label, ids)
    assert xgboost_metric(loss)(pred, DataSet(label, group=sizes)) == (name, mean)
    assert lightgbm_metric(loss)(label, pred, None, sizes) == (name, mean, False)
    assert init_score(loss, label) == 0


@pytest.mark.parametrize("name", ["pairwise_logistic", "lambdarank"])
def test_weights_of_groups(name: str) -> None:
    """XGBoost has one per group; LightGBM one per row, whose mean is that of the group."""
    loss = fl.losses[name]
    pred, label, sizes, ids = draw_groups()
    own = np.array([0.5, 2.0, 7.0, 0.0, 3.0], np.float32)
    weight = own[[0, 1, 3, 4]]  # of the groups that have rows
    expected = loss.grad_and_hess(pred, label, ids, weight=weight, reduction="sum")
    rows = own[ids]
    rows[[0, 1]] += np.float32([0.25, -0.25])
    assert_derivatives(xgboost_objective(loss), (pred, DataSet(label, own, sizes)), expected)
    assert_derivatives(lightgbm_objective(loss), (label, pred, rows, sizes), expected)
    mean = loss(pred, label, ids, weight=weight)
    assert lightgbm_metric(loss)(label, pred, rows, sizes)[1] == pytest.approx(mean, rel=1e-6)
    _, hess = xgboost_objective(loss, hessian_floor=0.5)(pred, DataSet(label, own, sizes))
    np.testing.assert_array_equal(hess, np.maximum(expected[1], 0.5 * own[ids]))


def test_groups_that_change_are_noticed() -> None:
    pred, label, sizes, ids = draw_groups()
    objective = lightgbm_objective("pairwise_logistic")
    objective(label, pred, None, sizes)
    whole = fl.pairwise_logistic.grad_and_hess(pred, label, 0 * ids, reduction="sum")
    assert_derivatives(objective, (label, pred, None, np.array([pred.size])), whole)


def test_events_have_positive_labels() -> None:
    generator = np.random.default_rng(29)
    pred = generator.normal(size=60).astype(np.float32)
    time = generator.integers(1, 40, size=60).astype(np.float32)
    event = generator.uniform(size=60) < 0.6
    weight = generator.exponential(size=60).astype(np.float32)
    label = np.where(event, time, -time)
    how = {"ties": "efron", "weight": weight}
    expected = fl.cox.grad_and_hess(pred, time, event, reduction="sum", **how)
    for make in (xgboost_objective, lightgbm_objective):
        objective: Any = make("cox", ties="efron")
        assert_derivatives(objective, (label, pred, weight), expected)
        assert_derivatives(objective, (pred, DataSet(label, weight)), expected)
    mean = fl.cox(pred, time, event, **how)
    assert xgboost_metric("cox", ties="efron")(label, pred, weight) == pytest.approx(mean)
    assert init_score("cox", label) == 0


def test_bounds_of_times() -> None:
    """XGBoost hands two over; a label is a time that is known."""
    generator = np.random.default_rng(31)
    pred = generator.normal(size=60).astype(np.float32)
    lower = generator.lognormal(size=60).astype(np.float32)
    upper = np.where(np.arange(60) % 3, lower * 2, np.inf).astype(np.float32)
    how = {"distribution": "logistic", "scale": 0.8}
    objective = xgboost_objective("aft", **how)
    expected = fl.aft.grad_and_hess(pred, lower, upper, reduction="sum", **how)
    empty = np.empty(0, np.float32)
    assert_derivatives(objective, (pred, DataSet(empty, lower=lower, upper=upper)), expected)
    known = fl.aft.grad_and_hess(pred, lower, lower, reduction="sum", **how)
    assert_derivatives(objective, (pred, DataSet(lower)), known)
    assert_derivatives(lightgbm_objective("aft", **how), (lower, pred), known)
    with pytest.raises(ValueError, match=r"got -1\.0 at index 0"):
        objective(pred, DataSet(empty, lower=-lower / lower, upper=upper))


def test_init_score_of_bounds() -> None:
    generator = np.random.default_rng(37)
    lower = generator.lognormal(size=101)
    bounds = np.stack([lower, np.where(np.arange(101) % 3, lower, np.inf)], 1)
    weight = generator.exponential(size=101)
    for distribution in ("normal", "logistic", "extreme"):
        how: Any = {"distribution": distribution, "scale": 0.7}
        best = init_score("aft", bounds, weight, **how)
        grad = fl.aft.grad(np.full(101, best), *bounds.T, weight=weight, **how)
        assert abs(grad.sum()) < 1e-14
        known = init_score("aft", lower, **how)
        assert known == pytest.approx(init_score("aft", np.stack([lower, lower], 1), **how))
    assert init_score("aft", lower) == pytest.approx(np.log(lower).mean(), rel=1e-14)
    with pytest.raises(ValueError, match="towards ∞: no finite constant"):
        init_score("aft", [[1.0, np.inf], [2.0, np.inf]])
    with pytest.raises(ValueError, match=r"expected targets of shape .* or \(n, 2\)"):
        init_score("aft", np.ones((4, 3)))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("lambdarank", (np.ones(3), FLAT), "has no groups: give it their sizes"),
        ("lambdarank", (np.ones(3), FLAT, None, np.array([2])), "have 2 rows, the predictions 3"),
        ("lambdarank", (-np.ones(3), FLAT, None, np.array([3])), "expected a finite number >= 0"),
        ("cox", (np.ones(2), FLAT), "expected a prediction and a label per row"),
        ("cox", (np.array([1, 2, np.nan]), FLAT), "expected a finite number, got nan at index 2"),
        ("aft", (np.ones((3, 3)), SCORES), "expected a prediction and a label per row"),
    ],
)
def test_wrong_groups_and_times(name: str, arguments: tuple[Any, ...], message: str) -> None:
    for call in (lightgbm_objective(name), lightgbm_metric(name)):
        with pytest.raises(ValueError, match=message):
            call(*arguments)


@pytest.mark.parametrize("name", ["aft", "cox", "lambdarank", "pairwise_logistic"])
def test_catboost_hands_over_a_label_per_row(name: str) -> None:
    for make in (catboost_objective, catboost_metric):
        with pytest.raises(ValueError, match="no groups, second labels or whole samples"):
            make(name)


# ---- second derivatives ----------------------------------------------------------------------


def fill(loss: Any, curvature: Curvature, pred: Any, target: Any, **keywords: Any) -> Any:
    grad, hess = np.empty_like(pred), np.empty_like(pred)
    curvature.fill(Terms(loss, pred, (target,), None, keywords, grad, hess))
    return grad, hess


def policies_of(loss: Any) -> set[str]:
    there = {
        "exact": loss.hess_kind == "exact",
        "gauss_newton": loss.curvatures.gauss_newton is not None,
        "upper_bound": loss.curvatures.upper_bound is not None,
        "xgboost": loss.__name__ in XGBOOST,
        "lightgbm": loss.__name__ in LIGHTGBM,
    }
    return {"auto", "ones", *(name for name, has in there.items() if has)}


@boosted
@pytest.mark.parametrize("policy", POLICIES)
def test_policies(loss: Any, policy: str) -> None:
    """Each is either there or an error that names those that are."""
    pred, label = draw(loss)
    if policy not in policies_of(loss):
        with pytest.raises(ValueError, match=f"has no '{policy}'; it has auto"):
            xgboost_objective(loss, hessian=policy)
        return
    objective = xgboost_objective(loss, hessian=policy)
    _, hess = objective(label, pred)
    assert np.all(hess > 0)
    if policy == "ones":
        assert np.all(hess == 1)
    if policy == "exact":
        _, exact = loss.grad_and_hess(pred, as_target(loss, label), reduction="sum")
        np.testing.assert_array_equal(hess, np.maximum(exact, np.float32(1e-16)))


def test_hessians_of_libraries_name_losses() -> None:
    """A loss that is not there yet is no error; one that is must be boosted."""
    for name in {*XGBOOST, *LIGHTGBM} & set(fl.losses):
        assert can_be_boosted(fl.losses[name])


def test_softmax_of_libraries() -> None:
    pred, label = draw(fl.cross_entropy)
    exact = np.array(xgboost_objective("cross_entropy")(label, pred)[1])
    theirs = np.array(xgboost_objective("cross_entropy", hessian="xgboost")(label, pred)[1])
    np.testing.assert_array_equal(theirs, 2 * exact)
    theirs = lightgbm_objective("cross_entropy", hessian="lightgbm")(label, pred)[1]
    np.testing.assert_allclose(theirs, exact * CLASSES / (CLASSES - 1), rtol=1e-6)


def test_second_derivatives_under_a_softcap() -> None:
    """They are negative where the cap bends the scores more than the loss is curved."""
    pred, label = draw(fl.cross_entropy)
    _, exact = fl.cross_entropy.grad_and_hess(pred, label.astype(int), softcap=1.0, reduction="sum")
    _, hess = xgboost_objective("cross_entropy", softcap=1.0)(label, pred)
    assert exact.min() < -1e-3
    np.testing.assert_array_equal(hess, np.maximum(np.abs(exact), np.float32(1e-16)))


def test_gauss_newton_in_probability() -> None:
    """Of the cross-entropy it is the square of the gradient."""
    pred, label = draw(fl.binary_cross_entropy_with_logits)
    label = np.round(label)
    curvature = curvatures.InProbability()
    grad, hess = fill(fl.binary_cross_entropy_with_logits, curvature, pred, label)
    np.testing.assert_allclose(hess, grad**2, rtol=1e-4, atol=1e-7)


def test_floor() -> None:
    pred, label = np.array([500.0, -500.0]), np.array([1.0, 0.0])
    weight = np.array([1.0, 3.0])
    name = "binary_cross_entropy_with_logits"
    _, hess = xgboost_objective(name)(label, pred, weight)
    np.testing.assert_array_equal(hess, np.float32([1e-16, 3e-16]))
    _, hess = xgboost_objective(name, hessian_floor=0.125)(label, pred, weight)
    np.testing.assert_array_equal(hess, np.float32([0.125, 0.375]))
    for floor in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="hessian_floor"):
            xgboost_objective(name, hessian_floor=floor)


MAJORANTS = [
    loss
    for loss in BOOSTED
    if loss.family == "pointwise" and loss.curvatures.upper_bound is not None
]


@pytest.mark.parametrize("loss", MAJORANTS, ids=lambda loss: loss.__name__)
def test_upper_bounds_are_majorants(loss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parabola that touches the loss is nowhere below it."""
    monkeypatch.setattr(curvatures, "SOFTENING", 0.0)
    pred, target = (x.astype(np.float64) for x in draw(loss, n=400))
    grad, hess = fill(loss, loss.curvatures.upper_bound, pred, target)
    expected = loss.grad(pred, target, reduction="sum")
    sloped = expected != 0
    scale = (grad[sloped] / expected[sloped]).max(initial=0) or 1.0
    before = scale * loss(pred, target, reduction="none")
    for step in np.concatenate([-np.logspace(-3, 1, 9), np.logspace(-3, 1, 9)]):
        after = scale * loss(pred + step, target, reduction="none")
        bound = before + grad * step + hess * step**2 / 2
        assert np.all(after <= bound + 1e-9 * (1 + np.abs(bound)))


def test_weights_of_robust_regression() -> None:
    """ψ(r)/r, and the exact second derivative where r is 0."""
    pred, target = np.array([0.0, 0.5, -3.0]), np.zeros(3)
    _, hess = fill(fl.huber, fl.huber.curvatures.positive, pred, target, delta=1.5)
    np.testing.assert_allclose(hess, [1, 1, 0.5])


def test_kinks() -> None:
    """s·jump/(2(|r| + 0.2·s)), s = (mean √|r|)²; the gradient is multiplied by s as well."""
    pred, target = np.array([1.0, -9.0]), np.zeros(2)
    grad, hess = fill(fl.mae, fl.mae.curvatures.positive, pred, target)
    np.testing.assert_allclose(grad, [4, -4])
    np.testing.assert_allclose(hess, [4 / 1.8, 4 / 9.8])
    objective = xgboost_objective("quantile", q=0.75, hessian="gauss_newton")
    grad, hess = objective(target, pred)
    np.testing.assert_allclose(grad, [1, -3])
    np.testing.assert_allclose(hess, [1 / 1.8, 3 / 9.8], rtol=1e-6)


def test_perfect_predictions_of_kinked_losses() -> None:
    zero = np.zeros(3)
    for name in ("mae", "quantile", "epsilon_insensitive"):
        grad, hess = xgboost_objective(name)(zero, zero)
        assert np.all(grad == 0)
        assert np.all((hess > 0) & np.isfinite(hess))


# ---- first predictions -----------------------------------------------------------------------


@boosted
def test_init_score_is_best(loss: Any) -> None:
    """No other constant has less loss, to the last digits."""
    _, label = draw(loss, n=101)
    generator = np.random.default_rng(9)
    weight = generator.exponential(size=101)
    if loss.family == "rowwise" and loss.hess_kind != "exact":
        with pytest.raises(ValueError, match="no second derivative"):
            init_score(loss, label, weight)
        return
    best = init_score(loss, label, weight)
    shape = label.shape if loss.family == "pointwise" else (len(label), len(best))

    def cost(constant: Any) -> float:
        pred = np.broadcast_to(np.asarray(constant, np.float64), shape)
        return float(loss(pred, as_target(loss, label), weight=weight))

    least = cost(best)
    for distance in (1e-6, 1e-3, 0.1, 1.0):
        steps = np.eye(len(best)) if loss.family == "rowwise" else np.ones(1)
        for step in distance * np.concatenate([steps, -steps]):
            assert least <= cost(best + step) + 4e-16 * abs(least)


@pytest.fixture
def numbers() -> Any:
    generator = np.random.default_rng(17)
    return generator.lognormal(size=1001), generator.exponential(size=1001)


def test_closed_forms(numbers: Any) -> None:
    y, w = numbers
    mean = np.average(y, weights=w)
    for name in ("mse", "half_squared_error"):
        assert init_score(name, y, w) == pytest.approx(mean, rel=1e-14)
    assert init_score("mae", y) == np.median(y)
    assert init_score("mae", y[:1000]) == pytest.approx(np.median(y[:1000]), rel=1e-15)
    assert init_score("quantile", y, q=0.3) == np.quantile(y, 0.3)
    share = np.average(y > 1, weights=w)
    logit = init_score("binary_cross_entropy_with_logits", y > 1, w, pos_weight=3.0)
    assert logit == pytest.approx(np.log(3 * share / (1 - share)), rel=1e-14)
    half = init_score("exponential", y > 1, w)
    assert half == pytest.approx(np.log(share / (1 - share)) / 2, rel=1e-13)
    tiny = 1e-12
    far = init_score("exponential", [tiny, tiny])
    assert far == pytest.approx(np.log(tiny / (1 - tiny)) / 2, rel=1e-14)
    label = np.digitize(y, [0.5, 1, 2])
    shares = np.bincount(label, w) / w.sum()
    np.testing.assert_allclose(init_score("cross_entropy", label, w), np.log(shares), rtol=1e-14)


def test_weighted_quantile(numbers: Any) -> None:
    y, _ = numbers
    times = np.arange(len(y)) % 4
    for q in (0.1, 0.25, 0.5, 0.9):
        several = init_score("quantile", np.repeat(y, times), q=q)
        assert init_score("quantile", y, times, q=q) == several


def test_columns(numbers: Any) -> None:
    y, w = numbers
    both = np.stack([y, -2 * y], 1)
    np.testing.assert_allclose(
        init_score("mse", both, w), [init_score("mse", x, w) for x in both.T], rtol=1e-15
    )


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_init_score_in_other_units(numbers: Any, scale: float) -> None:
    y, w = numbers
    for name, keywords in (("huber", {"delta": scale}), ("expectile", {"q": 0.8})):
        there = init_score(name, scale * y, w, **keywords)
        here = init_score(name, y, w, **({"delta": 1.0} if "delta" in keywords else keywords))
        assert there == pytest.approx(scale * here, rel=1e-12)


def test_softmax_with_options(numbers: Any) -> None:
    y, _ = numbers
    label = np.digitize(y, [0.5, 1, 2])
    options = {"label_smoothing": 0.1, "class_weight": [1.0, 2.0, 3.0, 4.0], "z_loss": 0.01}
    best = init_score("cross_entropy", label, **options)
    pred = np.broadcast_to(best, (len(label), 4))
    slopes = fl.cross_entropy.grad(pred, label, **options).sum(0)
    np.testing.assert_allclose(slopes, 0, atol=1e-15)


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "label", "pred", "message"),
    [
        ("hinge", [0, 1, 1], FLAT, "expected -1 or 1, got 0.0 at index 0.*2 [*] label - 1"),
        (
            "binary_cross_entropy_with_logits",
            [-1, 1, 1],
            FLAT,
            r"expected a number in \[0, 1\], got -1.0 at index 0.*\(label \+ 1\) / 2",
        ),
        ("binary_cross_entropy_with_logits", [0, 1, 2], FLAT, "use cross_entropy, with num_class"),
        ("huber", [0, np.nan, 2], FLAT, "expected a finite number, got nan at index 1"),
        ("huber", [0, 1, 2], SCORES, "puts out 3 numbers per row.*leave out num_class"),
        ("huber", [0, 1], FLAT, "2 labels for predictions of shape"),
        ("cross_entropy", [0, 1, 2], FLAT, "set num_class"),
        ("cross_entropy", [0, 1, 3], SCORES, "got 3 in row 2: set num_class=4"),
        ("cross_entropy", [1, 2, 3], SCORES, "begin with 1; subtract it"),
        ("cross_entropy", [-1, 0, 1], SCORES, "number the classes from 0"),
        ("cross_entropy", [0, 0.5, 1], SCORES, "got 0.5 in row 1.*takes a regression loss"),
        ("cross_entropy", [0, 1], SCORES, "labels have the shape"),
    ],
)
def test_wrong_labels(name: str, label: list[float], pred: Any, message: str) -> None:
    y = np.array(label, np.float32)
    for call in (xgboost_objective(name), lightgbm_objective(name), xgboost_metric(name)):
        with pytest.raises(ValueError, match=message):
            call(pred, DataSet(y))


def test_ignored_labels() -> None:
    objective = xgboost_objective("cross_entropy", ignore_index=-1)
    grad, _ = objective(np.array([0, -1, 2], np.float32), SCORES)
    assert np.all(grad[1] == 0)
    with pytest.raises(ValueError, match="got -2 in row 1"):
        objective(np.array([0, -2, 2], np.float32), SCORES)


def test_transformed_predictions() -> None:
    """A metric tells probabilities from raw scores where these cannot be such."""
    label = np.array([0, 1, 2, 2], np.float32)
    logits = np.random.default_rng(5).normal(size=(4, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    metric = xgboost_metric("cross_entropy")
    metric(label, logits)
    with pytest.raises(ValueError, match="the metric sees probabilities"):
        metric(label, p)
    binary = lightgbm_metric("binary_cross_entropy_with_logits")
    with pytest.raises(ValueError, match="the metric sees probabilities"):
        binary(np.array([0, 1, 1], np.float32), np.array([0.01, 0.5, 0.99]))
    for pred in ([0.5, 0.5, 0.5], [0.4, 0.5, 0.6], [-0.1, 0.5, 0.99]):  # may be raw
        binary(np.array([0, 1, 1], np.float32), np.array(pred))
    lightgbm_metric("huber")(np.array([0, 1, 1], np.float32), np.array([0.01, 0.5, 0.99]))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="expected a loss or its name, got 'hubert'"):
        xgboost_objective("hubert")
    with pytest.raises(ValueError, match="expected a loss or its name, got <function"):
        lightgbm_metric(np.median)
    with pytest.raises(TypeError, match="huber has no 'detla'; it has delta"):
        xgboost_objective("huber", detla=1)
    with pytest.raises(TypeError, match="mse has no 'axis'; it has no parameters"):
        xgboost_objective("mse", axis=0)
    with pytest.raises(ValueError, match=r"expected one of auto, exact.*, got 'newton'"):
        xgboost_objective("huber", hessian="newton")
    with pytest.raises(ValueError, match="mae has no 'exact'; it has auto, gauss_newton"):
        lightgbm_objective("mae", hessian="exact")
    with pytest.raises(ValueError, match=r"has 2 inputs \(pred, var\)"):
        xgboost_objective("gaussian_nll")
    with pytest.raises(ValueError, match="use binary_cross_entropy_with_logits"):
        xgboost_objective("binary_cross_entropy")


def test_no_constant_is_best() -> None:
    with pytest.raises(ValueError, match="towards ∞: no finite constant"):
        init_score("binary_cross_entropy_with_logits", [1, 1, 1])
    with pytest.raises(ValueError, match="towards -∞: no finite constant"):
        init_score("hinge_embedding", [1, 1, 1])
    with pytest.raises(ValueError, match="class 1 is not in the data"):
        init_score("cross_entropy", [0, 2, 2])
    assert init_score("cross_entropy", [0, 2, 2], label_smoothing=0.1)[1] < -3
    for weight in ([1, 1], [1, -1, 1], [0, 0, 0], [1, np.inf, 1]):
        with pytest.raises(ValueError, match="weight"):
            init_score("mse", [1, 2, 3], weight)
    with pytest.raises(ValueError, match="shape"):
        init_score("mse", [])


def test_libraries_are_not_imported() -> None:
    code = (
        "import sys, fastloss.boosting\n"
        "assert not {'xgboost', 'lightgbm', 'catboost', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- the module ------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["xgboost", "lightgbm", "catboost", "initial"])
def test_examples(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(f"fastloss.boosting.{module}"))
    assert tried
    assert not failed


@losses
def test_every_loss_says_what_stands_in_for_its_second_derivative(loss: Any) -> None:
    assert isinstance(loss.curvatures, curvatures.Curvatures)
    if loss.hess_kind != "exact":
        assert not isinstance(loss.curvatures.positive, curvatures.Exact)
