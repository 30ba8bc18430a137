# SPDX-License-Identifier: BSD-3-Clause
"""Values and gradients against optax, in double precision."""

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


def test_half_squared_error() -> None:
    pred, target = np.random.default_rng(92).normal(size=(2, 500))
    with jax.enable_x64(True):
        expected = optax.losses.l2_loss(pred, target)
        slope = jax.grad(lambda x: optax.losses.l2_loss(x, target).sum())(pred)
    value, grad = fl.half_squared_error.value_and_grad(pred, target, reduction="none")
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(grad, slope, rtol=1e-10)
