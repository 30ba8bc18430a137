# SPDX-License-Identifier: BSD-3-Clause
"""Values and gradients against optax, in double precision."""

from typing import Any

import numpy as np
import pytest

import fastloss as fl

pytestmark = pytest.mark.peers
jax = pytest.importorskip("jax", reason="needs the extra [peers]")
optax = pytest.importorskip("optax", reason="needs the extra [peers]")


@pytest.mark.parametrize("name", ["hinge", "perceptron"])
def test_margins(name: str) -> None:
    """Away from kinks, whose conventions differ."""
    generator = np.random.default_rng(91)
    pred = generator.normal(scale=2, size=500)
    target = generator.choice([-1.0, 1.0], 500)
    theirs = getattr(optax.losses, f"{name}_loss")
    with jax.enable_x64(True):
        expected = theirs(pred, target)
        slope = jax.grad(lambda x: theirs(x, target).sum())(pred)
    value, grad = fl.losses[name].value_and_grad(pred, target, reduction="none")
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(grad, slope, rtol=1e-10)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("alpha", [None, 0.25, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0, 5.0])
def test_focal(gamma: float, alpha: float | None, hard: bool) -> None:
    generator = np.random.default_rng(93)
    logits, target = generator.normal(scale=4, size=500), generator.uniform(size=500)
    target = np.round(target) if hard else target
    theirs = optax.losses.sigmoid_focal_loss
    with jax.enable_x64(True):
        expected = theirs(logits, target, gamma=gamma, alpha=alpha)
        slope = jax.grad(lambda x: theirs(x, target, gamma=gamma, alpha=alpha).sum())(logits)
    value, grad = fl.binary_focal_with_logits.value_and_grad(
        logits, target, gamma=gamma, alpha=alpha, reduction="none"
    )
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(grad, slope, rtol=1e-10, atol=1e-12)


def test_half_squared_error() -> None:
    pred, target = np.random.default_rng(92).normal(size=(2, 500))
    with jax.enable_x64(True):
        expected = optax.losses.l2_loss(pred, target)
        slope = jax.grad(lambda x: optax.losses.l2_loss(x, target).sum())(pred)
    value, grad = fl.half_squared_error.value_and_grad(pred, target, reduction="none")
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(grad, slope, rtol=1e-10)


@pytest.mark.parametrize("smooth", [0.0, 1.0, 1e-5])
@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.3, 0.7), (1.0, 1.0), (2.0, 0.25)])
@pytest.mark.parametrize("from_logits", [False, True])
def test_masks(from_logits: bool, alpha: float, beta: float, smooth: float) -> None:
    """Their classes lie last, and logits are those of a single class."""
    generator = np.random.default_rng(93)
    shape = (3, 6, 7, 1 if from_logits else 4)
    pred = generator.normal(size=shape)
    if not from_logits:
        pred = np.exp(pred) / np.exp(pred).sum(-1, keepdims=True)
    target = (generator.uniform(size=shape) < 0.4).astype(float)
    keywords = {"alpha": alpha, "beta": beta, "smooth": smooth}

    def theirs(x: Any) -> Any:
        return optax.losses.dice_loss(
            x, target, apply_softmax=from_logits, reduction="none", **keywords
        )

    with jax.enable_x64(True):
        expected = theirs(pred)
        slope = jax.grad(lambda x: theirs(x).sum())(pred)
    value, grad = fl.tversky.value_and_grad(
        pred, target, from_logits=from_logits, axis=(1, 2), reduction="none", **keywords
    )
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(grad, slope, rtol=1e-10, atol=1e-16)
    if alpha == beta == 0.5:
        dice = fl.dice(
            pred, target, from_logits=from_logits, axis=(1, 2), smooth=2 * smooth, reduction="none"
        )
        np.testing.assert_allclose(dice, expected, rtol=1e-10)


def test_log_cosh() -> None:
    """Its value is a difference of numbers larger than 1: near 0 it has no relative accuracy."""
    pred, target = np.random.default_rng(93).normal(scale=3, size=(2, 500))
    with jax.enable_x64(True):
        expected = optax.losses.log_cosh(pred, target)
        slope = jax.grad(lambda x: optax.losses.log_cosh(x, target).sum())(pred)
    value, grad = fl.log_cosh.value_and_grad(pred, target, reduction="none")
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(grad, slope, rtol=1e-10, atol=1e-14)


def assert_same_of_labels(own: Any, theirs: Any, logits: Any, labels: Any) -> None:
    with jax.enable_x64(True):
        expected = theirs(logits, labels)
        slope = jax.grad(lambda x: theirs(x, labels).sum())(logits)
    value, grad = own.value_and_grad(logits, labels, reduction="none")
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(grad, slope, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("multiclass_hinge", "multiclass_hinge_loss"),
        ("multiclass_perceptron", "multiclass_perceptron_loss"),
        ("sparsemax", "multiclass_sparsemax_loss"),
    ],
)
@pytest.mark.parametrize("classes", [2, 5, 100])
def test_multiclass_margins(name: str, theirs: str, classes: int) -> None:
    """Away from kinks, whose conventions differ."""
    generator = np.random.default_rng(93)
    logits = generator.normal(scale=0.7, size=(200, classes))
    labels = generator.integers(classes, size=200)
    assert_same_of_labels(fl.losses[name], getattr(optax.losses, theirs), logits, labels)


@pytest.mark.parametrize("epsilon", [-1.0, 0.0, 2.0])
def test_poly_loss(epsilon: float) -> None:
    generator = np.random.default_rng(94)
    logits, labels = generator.normal(size=(200, 5)), generator.integers(5, size=200)
    with jax.enable_x64(True):

        def theirs(x: Any) -> Any:
            one_hot = jax.nn.one_hot(labels, 5, dtype=x.dtype)
            return optax.losses.poly_loss_cross_entropy(x, one_hot, epsilon=epsilon)

        expected, slope = theirs(logits), jax.grad(lambda x: theirs(x).sum())(logits)
    own = fl.poly1_cross_entropy.value_and_grad(logits, labels, epsilon=epsilon, reduction="none")
    np.testing.assert_allclose(own[0], expected, rtol=1e-10)
    np.testing.assert_allclose(own[1], slope, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("log_target", [False, True])
def test_kl_div(log_target: bool) -> None:
    generator = np.random.default_rng(93)
    log_prob = generator.normal(size=(60, 7))
    target = generator.dirichlet(np.ones(7), size=60)
    given = np.log(target) if log_target else target
    suffix = "_with_log_targets" if log_target else ""
    theirs = getattr(optax.losses, f"kl_divergence{suffix}")
    with jax.enable_x64(True):
        expected = theirs(log_prob, given)
        slope = jax.grad(lambda x: theirs(x, given).sum())(log_prob)
    value, grad = fl.kl_div.value_and_grad(log_prob, given, log_target=log_target, reduction="none")
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(grad, slope, rtol=1e-10)


@pytest.mark.parametrize("masked", [False, True])
def test_ranking_softmax(masked: bool) -> None:
    """An item that is not there has the logit -inf, and lists with such alone have no weight."""
    generator = np.random.default_rng(94)
    logits = generator.normal(scale=3, size=(60, 7))
    target = generator.integers(5, size=(60, 7)).astype(np.float64)
    where = generator.uniform(size=(60, 7)) < 0.7 if masked else np.ones((60, 7), bool)
    where[::10, 0] = True
    with jax.enable_x64(True):

        def theirs(x: Any) -> Any:
            return optax.losses.ranking_softmax_loss(x, target, where=where)

        expected, slope = jax.value_and_grad(theirs)(logits)
    value, grad = fl.ranking_softmax.value_and_grad(
        np.where(where, logits, -np.inf), np.where(where, target, 0), weight=where.any(1)
    )
    assert value == pytest.approx(float(expected), rel=1e-10)
    np.testing.assert_allclose(grad, slope, rtol=1e-10, atol=1e-15)


def test_distillation() -> None:
    student, teacher = np.random.default_rng(95).normal(scale=3, size=(2, 60, 7))

    def theirs(x: Any) -> Any:
        q, p = jax.nn.log_softmax(x / 2), jax.nn.log_softmax(teacher / 2)
        return 4 * optax.losses.kl_divergence_with_log_targets(q, p).mean()

    with jax.enable_x64(True):
        expected, slope = jax.value_and_grad(theirs)(student)
    value, grad = fl.distillation.value_and_grad(student, teacher, temperature=2.0)
    assert value == pytest.approx(float(expected), rel=1e-10)
    np.testing.assert_allclose(grad, slope, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", ["cosine_distance", "triplet_margin"])
def test_embeddings(name: str) -> None:
    """Triplets without eps, which optax has below the root."""
    inputs = np.random.default_rng(93).normal(size=(2 if name == "cosine_distance" else 3, 50, 7))
    options: dict[str, Any] = {} if name == "cosine_distance" else {"eps": 0.0}
    function = getattr(optax.losses, name if name == "cosine_distance" else f"{name}_loss")
    total = jax.grad(lambda *x: function(*x, **options).sum(), tuple(range(len(inputs))))
    with jax.enable_x64(True):
        expected, slopes = function(*inputs, **options), total(*inputs)
    value, grads = fl.losses[name].value_and_grad(*inputs, reduction="none", **options)
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-14)
    for grad, slope in zip(grads, slopes, strict=True):
        np.testing.assert_allclose(grad, slope, rtol=1e-10, atol=1e-14)
