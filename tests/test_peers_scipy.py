# SPDX-License-Identifier: BSD-3-Clause
"""Values and derivatives against SciPy and scikit-learn, where they define the same."""

from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES

special = pytest.importorskip("scipy.special", reason="needs the extra [test]")
stats = pytest.importorskip("scipy.stats", reason="needs the extra [test]")
metrics = pytest.importorskip("sklearn.metrics", reason="needs the extra [test]")

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def close(got: Any, expected: Any, dtype: type = np.float64, size: float = 1.0) -> None:
    np.testing.assert_allclose(
        got, expected, rtol=16 * np.finfo(dtype).eps, atol=16 * size * np.finfo(dtype).eps
    )


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(61)


# ---- SciPy ------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("delta", [0.25, 1.0, 1.345, 10.0])
def test_huber(generator: np.random.Generator, dtype: type, delta: float) -> None:
    pred, target = generator.normal(scale=3, size=(2, 1000)).astype(dtype)
    expected = special.huber(dtype(delta), pred - target)
    close(fl.huber(pred, target, delta=delta, reduction="none"), expected, dtype)
    close(fl.huber(pred, target, delta=delta), np.mean(expected, dtype=np.float64), dtype)


@each_dtype
@pytest.mark.parametrize("delta", [0.25, 1.0, 1.345, 10.0])
def test_pseudo_huber(generator: np.random.Generator, dtype: type, delta: float) -> None:
    pred, target = generator.normal(scale=3, size=(2, 1000)).astype(dtype)
    wide = pred.astype(np.float64) - target.astype(np.float64)
    expected = special.pseudo_huber(float(dtype(delta)), wide)
    close(fl.pseudo_huber(pred, target, delta=delta, reduction="none"), expected, dtype)


@pytest.mark.parametrize("scale", [0.25, 1.0, 2.4, 10.0])
@pytest.mark.parametrize(
    ("name", "peer"),
    [("pseudo_huber", "soft_l1"), ("cauchy", "cauchy"), ("arctan", "arctan")],
)
def test_least_squares(generator: np.random.Generator, name: str, peer: str, scale: float) -> None:
    """What the solver says of the point that it begins at."""
    optimize = pytest.importorskip("scipy.optimize", reason="needs the extra [test]")
    pred, target = generator.normal(scale=3, size=(2, 50))
    found = optimize.least_squares(
        lambda x: x - target, pred, lambda _: np.eye(50), loss=peer, f_scale=scale, max_nfev=1
    )
    keywords = {"delta" if name == "pseudo_huber" else "scale": scale}
    value, grad = fl.losses[name].value_and_grad(pred, target, reduction="sum", **keywords)
    close(value, found.cost, size=100)
    close(grad, found.grad, size=10)


@each_dtype
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_log_softmax(generator: np.random.Generator, dtype: type, axis: int) -> None:
    logits = generator.normal(scale=4, size=(30, 20)).astype(dtype)
    labels = generator.integers(20, size=30) if axis else generator.integers(30, size=20)
    log_softmax = np.moveaxis(special.log_softmax(logits.astype(np.float64), axis=axis), axis, -1)
    expected = -np.take_along_axis(log_softmax, labels[:, None], -1)[:, 0]
    value, grad = fl.cross_entropy.value_and_grad(logits, labels, axis=axis, reduction="none")
    close(value, expected, dtype, size=10)
    softmax = np.exp(log_softmax) - np.eye(log_softmax.shape[-1])[labels]
    close(np.moveaxis(grad, axis, -1), softmax, dtype)


@each_dtype
def test_logsumexp(generator: np.random.Generator, dtype: type) -> None:
    """A z-loss alone: all class weights are 0."""
    logits = generator.normal(scale=4, size=(50, 9)).astype(dtype)
    value = fl.cross_entropy(
        logits, np.zeros(50, int), class_weight=np.zeros(9), z_loss=0.5, reduction="none"
    )
    close(value, 0.5 * special.logsumexp(logits.astype(np.float64), axis=1) ** 2, dtype, size=10)


@each_dtype
def test_entropies(generator: np.random.Generator, dtype: type) -> None:
    logits = generator.normal(size=(50, 9)).astype(dtype)
    p = generator.dirichlet(np.ones(9), size=50).astype(dtype)
    q = special.log_softmax(logits.astype(np.float64), axis=1)
    expected = np.sum(special.entr(p.astype(np.float64)), 1)
    expected += np.sum(special.rel_entr(p.astype(np.float64), np.exp(q)), 1)
    close(fl.cross_entropy(logits, p, reduction="none"), expected, dtype, size=4)


@each_dtype
def test_relative_entropy(generator: np.random.Generator, dtype: type) -> None:
    x = generator.normal(size=(50, 9)).astype(dtype)
    p = generator.dirichlet(np.ones(9), size=50).astype(dtype)
    p[::2, 3] = 0
    q = np.exp(special.log_softmax(x.astype(np.float64), axis=1))
    expected = np.sum(special.rel_entr(p.astype(np.float64), q), 1)
    close(fl.kl_div(x, p, from_logits=True, reduction="none"), expected, dtype, size=4)
    log_q = np.log(q).astype(dtype)
    expected = np.sum(special.rel_entr(p.astype(np.float64), np.exp(log_q.astype(np.float64))), 1)
    close(fl.kl_div(log_q, p, reduction="none"), expected, dtype, size=4)


@each_dtype
def test_jensen_shannon(generator: np.random.Generator, dtype: type) -> None:
    distance = pytest.importorskip("scipy.spatial.distance", reason="needs the extra [test]")
    x = generator.normal(size=(50, 9)).astype(dtype)
    p = generator.dirichlet(np.ones(9), size=50).astype(dtype)
    p[::2, 3] = 0
    p /= p.sum(1, keepdims=True)
    q = special.softmax(x.astype(np.float64), axis=1)
    expected = distance.jensenshannon(q, p.astype(np.float64), axis=1) ** 2
    close(fl.jensen_shannon(x, p, from_logits=True, reduction="none"), expected, dtype)


@each_dtype
def test_logistic(generator: np.random.Generator, dtype: type) -> None:
    x = generator.normal(scale=8, size=1000).astype(dtype)
    y = generator.integers(2, size=1000).astype(dtype)
    value, grad, hess = fl.binary_cross_entropy_with_logits.value_grad_and_hess(
        x, y, reduction="none"
    )
    wide = x.astype(np.float64)
    p = special.expit(wide)
    np.testing.assert_allclose(
        value, -special.log_expit((2 * y - 1) * wide), rtol=16 * np.finfo(dtype).eps
    )
    np.testing.assert_allclose(
        grad, np.where(y == 1, -special.expit(-wide), p), rtol=16 * np.finfo(dtype).eps
    )
    np.testing.assert_allclose(hess, p * special.expit(-wide), rtol=16 * np.finfo(dtype).eps)


@each_dtype
def test_gaussian(generator: np.random.Generator, dtype: type) -> None:
    pred, target = generator.normal(size=(2, 1000)).astype(dtype)
    var = generator.lognormal(size=1000).astype(dtype)
    wide = [x.astype(np.float64) for x in (target, pred, var)]
    expected = -stats.norm.logpdf(wide[0], wide[1], np.sqrt(wide[2]))
    close(fl.gaussian_nll(pred, target, var, full=True, reduction="none"), expected, dtype, size=4)


@pytest.mark.parametrize("scale", [0.3, 20.0])
def test_logarithms_of_probabilities(generator: np.random.Generator, scale: float) -> None:
    pred = generator.normal(size=500) + np.log(scale)
    target = generator.poisson(scale, size=500)
    expected = -stats.poisson.logpmf(target, np.exp(pred))
    close(fl.poisson_nll(pred, target, full=True, reduction="none"), expected, size=100)
    means = fl.poisson_nll(
        np.exp(pred), target, log_input=False, eps=1e-300, full=True, reduction="none"
    )
    close(means, expected, size=100)
    for dispersion in (0.05, 1.0, 3.0):
        p = 1 / (1 + dispersion * np.exp(pred))
        expected = -stats.nbinom.logpmf(target, 1 / dispersion, p)
        got = fl.negative_binomial_nll(
            pred, target, dispersion=dispersion, full=True, reduction="none"
        )
        np.testing.assert_allclose(got, expected, rtol=1e-10)


@each_dtype
@pytest.mark.parametrize(("df", "scale"), [(0.5, 1.0), (1.0, 0.25), (4.0, 1.0), (30.0, 2.5)])
def test_student_t(generator: np.random.Generator, dtype: type, df: float, scale: float) -> None:
    pred, target = generator.normal(scale=3, size=(2, 1000)).astype(dtype)
    expected = -stats.t.logpdf(target.astype(np.float64), df, pred.astype(np.float64), scale)
    got = fl.student_t_nll(pred, target, df=df, scale=scale, full=True, reduction="none")
    close(got, expected, dtype, size=10)


@each_dtype
def test_laplace(generator: np.random.Generator, dtype: type) -> None:
    pred, target = generator.normal(size=(2, 1000)).astype(dtype)
    scale = generator.lognormal(size=1000).astype(dtype)
    wide = [x.astype(np.float64) for x in (target, pred, scale)]
    got = fl.laplace_nll(pred, target, scale, full=True, reduction="none")
    close(got, -stats.laplace.logpdf(*wide), dtype, size=10)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(
    ("distribution", "theirs"),
    [("normal", "norm"), ("logistic", "logistic"), ("extreme", "gumbel_l")],
)
def test_aft(generator: np.random.Generator, distribution: str, theirs: str, scale: float) -> None:
    pred, log_time = generator.normal(size=(2, 500))
    time, z = np.exp(log_time), (log_time - pred) / scale
    log_z = getattr(stats, theirs)

    def loss(lower: Any, upper: Any) -> Any:
        return fl.aft(pred, lower, upper, distribution=distribution, scale=scale, reduction="none")

    close(loss(time, time), np.log(scale * time) - log_z.logpdf(z), size=40)
    close(loss(time, np.inf), -log_z.logsf(z), size=20)
    close(loss(0.0, time), -log_z.logcdf(z), size=20)
    # The mass of an interval from whichever tail is the smaller one.
    end = z + 1.5 / scale
    with np.errstate(divide="ignore"):
        right = log_z.logsf(z) + np.log1p(-np.exp(log_z.logsf(end) - log_z.logsf(z)))
        left = log_z.logcdf(end) + np.log1p(-np.exp(log_z.logcdf(z) - log_z.logcdf(end)))
    expected = -np.where(z + end > 0, right, left)
    close(loss(time, time * np.exp(1.5)), expected, size=100)


# ---- scikit-learn's metrics -------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "metric"), [("mse", "mean_squared_error"), ("mae", "mean_absolute_error")]
)
def test_errors(generator: np.random.Generator, name: str, metric: str, weighted: bool) -> None:
    pred, target = generator.normal(size=(2, 500))
    weight = generator.lognormal(size=500) if weighted else None
    expected = getattr(metrics, metric)(target, pred, sample_weight=weight)
    close(fl.losses[name](pred, target, weight=weight), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_pinball_of_the_median(generator: np.random.Generator, weighted: bool) -> None:
    pred, target = generator.normal(size=(2, 500))
    weight = generator.lognormal(size=500) if weighted else None
    expected = 2 * metrics.mean_pinball_loss(target, pred, sample_weight=weight, alpha=0.5)
    close(fl.mae(pred, target, weight=weight), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_relative_errors(generator: np.random.Generator, weighted: bool) -> None:
    pred, target = generator.lognormal(size=(2, 500))
    target[:20] = 0
    weight = generator.lognormal(size=500) if weighted else None
    expected = metrics.mean_squared_log_error(target, pred, sample_weight=weight)
    close(fl.squared_log_error(pred, target, weight=weight), expected)
    expected = metrics.mean_absolute_percentage_error(target, pred, sample_weight=weight)
    eps = float(np.finfo(np.float64).eps)
    close(fl.absolute_percentage_error(pred, target, eps=eps, weight=weight), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss(generator: np.random.Generator, weighted: bool) -> None:
    weight = generator.lognormal(size=400) if weighted else None
    labels = generator.integers(2, size=400)
    x = generator.normal(scale=3, size=400)
    expected = metrics.log_loss(labels, special.expit(x), sample_weight=weight)
    close(fl.binary_cross_entropy_with_logits(x, labels, weight=weight), expected)
    p = generator.uniform(size=400)
    expected = metrics.log_loss(labels, p, sample_weight=weight)
    close(fl.binary_cross_entropy(p, labels, weight=weight), expected)
    labels = generator.integers(6, size=400)
    logits = generator.normal(scale=3, size=(400, 6))
    p = special.softmax(logits, axis=1)
    expected = metrics.log_loss(labels, p, sample_weight=weight, labels=range(6))
    close(fl.cross_entropy(logits, labels, weight=weight), expected)
    close(fl.nll(np.log(p), labels, weight=weight), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_multiclass_hinge(generator: np.random.Generator, weighted: bool) -> None:
    weight = generator.lognormal(size=400) if weighted else None
    logits, labels = generator.normal(size=(400, 6)), generator.integers(6, size=400)
    expected = metrics.hinge_loss(labels, logits, labels=range(6), sample_weight=weight)
    close(fl.multiclass_hinge(logits, labels, weight=weight), expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("power", [-1.0, 0.0, 1.0, 1.2, 1.5, 2.0, 3.0])
def test_tweedie_deviance(generator: np.random.Generator, power: float, weighted: bool) -> None:
    pred = generator.normal(size=500)
    target = generator.lognormal(size=500)
    target[::5] = np.where(power < 2, 0, target[::5])
    weight = generator.lognormal(size=500) if weighted else None
    mean = np.exp(pred)
    expected = metrics.mean_tweedie_deviance(target, mean, sample_weight=weight, power=power) / 2
    close(fl.half_tweedie_deviance(pred, target, power=power, weight=weight), expected)
    own = fl.half_tweedie_deviance(mean, target, power=power, link="identity", weight=weight)
    close(own, expected)
    if power == 1:
        close(fl.half_poisson_deviance(pred, target, weight=weight), expected)
    if power == 2:
        close(fl.half_gamma_deviance(pred, target, weight=weight), expected)


# ---- scikit-learn's losses of its boosting and its linear models ------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@each_dtype
def test_half_binomial_loss(generator: np.random.Generator, dtype: type, weighted: bool) -> None:
    losses = pytest.importorskip("sklearn._loss", reason="its losses are not public")
    x = generator.normal(scale=3, size=500).astype(dtype)
    y = generator.uniform(size=500).astype(dtype)
    y[:200] = y[:200] > 0.5
    weight = generator.lognormal(size=500).astype(dtype) if weighted else None
    peer = losses.HalfBinomialLoss()
    value, grad = peer.loss_gradient(y_true=y, raw_prediction=x, sample_weight=weight)
    _, hess = peer.gradient_hessian(y_true=y, raw_prediction=x, sample_weight=weight)
    got = fl.binary_cross_entropy_with_logits.value_and_grad(x, y, weight=weight, reduction="none")
    close(got[0], value, dtype, size=10)
    close(got[1], grad, dtype, size=10)
    curvature = fl.binary_cross_entropy_with_logits.grad_and_hess(
        x, y, weight=weight, reduction="sum"
    )[1]
    close(curvature, hess, dtype, size=10)


@pytest.mark.parametrize("weighted", [False, True])
@each_dtype
def test_exponential_loss(generator: np.random.Generator, dtype: type, weighted: bool) -> None:
    losses = pytest.importorskip("sklearn._loss.loss", reason="its losses are not public")
    x = generator.normal(size=500).astype(dtype)
    y = generator.uniform(size=500).astype(dtype)
    y[:200] = y[:200] > 0.5
    weight = generator.lognormal(size=500).astype(dtype) if weighted else None
    peer = losses.ExponentialLoss()
    value, grad = peer.loss_gradient(y_true=y, raw_prediction=x, sample_weight=weight)
    _, hess = peer.gradient_hessian(y_true=y, raw_prediction=x, sample_weight=weight)
    got = fl.exponential.value_grad_and_hess(x, y, weight=weight, reduction="none")
    for own, expected in zip(got, (value, grad, hess), strict=True):
        close(own, expected, dtype, size=20)


@pytest.mark.parametrize("weighted", [False, True])
@each_dtype
def test_half_multinomial_loss(generator: np.random.Generator, dtype: type, weighted: bool) -> None:
    losses = pytest.importorskip("sklearn._loss", reason="its losses are not public")
    logits = generator.normal(scale=3, size=(200, 5)).astype(dtype)
    labels = generator.integers(5, size=200)
    weight = generator.lognormal(size=200).astype(dtype) if weighted else None
    peer = losses.HalfMultinomialLoss(n_classes=5)
    y = labels.astype(dtype)
    value, grad = peer.loss_gradient(y_true=y, raw_prediction=logits, sample_weight=weight)
    _, hess = peer.gradient_hessian(y_true=y, raw_prediction=logits, sample_weight=weight)
    got = fl.cross_entropy.value_grad_and_hess(logits, labels, weight=weight, reduction="none")
    for own, expected in zip(got, (value, grad, hess), strict=True):
        close(own, expected, dtype, size=20)


@pytest.mark.parametrize(
    ("name", "peer", "factor"),
    [
        ("mse", "HalfSquaredError", 2),
        ("half_squared_error", "HalfSquaredError", 1),
        ("mae", "AbsoluteError", 1),
        ("huber", "HuberLoss", 1),
        ("quantile", "PinballLoss", 1),
    ],
)
def test_regression_losses(
    generator: np.random.Generator, name: str, peer: str, factor: int
) -> None:
    """Away from kinks, whose conventions differ."""
    losses = pytest.importorskip("sklearn._loss", reason="its losses are not public")
    pred, target = generator.normal(size=(2, 500))
    theirs = getattr(losses, peer)() if peer != "HuberLoss" else losses.HuberLoss(delta=1.0)
    value, grad = theirs.loss_gradient(y_true=target, raw_prediction=pred)
    got = fl.losses[name].value_and_grad(pred, target, reduction="none")
    close(got[0], factor * value)
    close(got[1], factor * grad)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "peer", "parameters"),
    [
        ("half_poisson_deviance", "HalfPoissonLoss", {}),
        ("half_gamma_deviance", "HalfGammaLoss", {}),
        *[
            ("half_tweedie_deviance", f"HalfTweedieLoss{link}", {"power": power})
            for power in (-1.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
            for link in ("", "Identity")
        ],
    ],
)
def test_deviances(
    generator: np.random.Generator,
    name: str,
    peer: str,
    parameters: dict[str, float],
    weighted: bool,
) -> None:
    """Values with what scikit-learn leaves out under a log link."""
    losses = pytest.importorskip("sklearn._loss.loss", reason="its losses are not public")
    pred, target = generator.normal(size=500), generator.lognormal(size=500)
    power = parameters.get("power", 2.0 if "gamma" in name else 1.0)
    if power < 2:
        target[::5] = 0
    if power <= 0:
        target[1::5] *= -1
    options: dict[str, Any] = dict(parameters)
    weight = generator.lognormal(size=500) if weighted else None
    theirs = getattr(losses, peer)(**parameters)
    constant = 0.0
    if peer.endswith("Identity"):
        options["link"] = "identity"
        pred = pred if power == 0 else np.exp(pred)
    else:
        constant = theirs.constant_to_optimal_zero(target, weight)
        if power == 0:  # it leaves nothing out
            constant = 0.0
    value, grad = theirs.loss_gradient(target, pred, weight)
    _, hess = theirs.gradient_hessian(target, pred, weight)
    got = fl.losses[name].value_grad_and_hess(
        pred, target, weight=weight, reduction="none", **options
    )
    for own, expected in zip(got, (value + constant, grad, hess), strict=True):
        close(own, expected, size=100)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_pinball_loss(generator: np.random.Generator, q: float) -> None:
    losses = pytest.importorskip("sklearn._loss", reason="its losses are not public")
    pred, target = generator.normal(size=(2, 500))
    value, grad = losses.PinballLoss(quantile=q).loss_gradient(target, pred)
    got = fl.quantile.value_and_grad(pred, target, q=q, reduction="none")
    close(got[0], value)
    close(got[1], grad)
    close(fl.quantile(pred, target, q=q), metrics.mean_pinball_loss(target, pred, alpha=q))


@pytest.mark.parametrize(
    ("name", "peer", "parameters"),
    [
        ("hinge", "Hinge", (1.0,)),
        ("perceptron", "Hinge", (0.0,)),
        ("squared_hinge", "SquaredHinge", (1.0,)),
        ("modified_huber", "ModifiedHuber", ()),
        ("epsilon_insensitive", "EpsilonInsensitive", (0.1,)),
        ("squared_epsilon_insensitive", "SquaredEpsilonInsensitive", (0.1,)),
    ],
)
def test_losses_of_linear_models(
    generator: np.random.Generator, name: str, peer: str, parameters: tuple[float, ...]
) -> None:
    """Away from kinks, whose conventions differ."""
    losses = pytest.importorskip("sklearn.linear_model._sgd_fast", reason="they are not public")
    theirs = getattr(losses, peer)(*parameters)
    loss = fl.losses[name]
    pred, target = generator.normal(scale=2, size=(2, 500))
    if loss.domain["target"].high == 1:
        target = np.sign(target)
    value, grad = loss.value_and_grad(pred, target, reduction="none")
    pairs = list(zip(pred, target, strict=True))
    close(value, [theirs.py_loss(*pair) for pair in pairs], size=10)
    close(grad, [theirs.py_dloss(*pair) for pair in pairs], size=10)
