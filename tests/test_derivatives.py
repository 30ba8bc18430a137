# SPDX-License-Identifier: BSD-3-Clause
"""The reference's derivatives against differences of its own values, in long double."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from accuracy import exactly
from cases import REDUCTIONS, Call, alone, losses, make_call, make_weight, parts, settings
from fastloss.accuracy.settings import Setting, all_settings, default_settings

STEP = np.longdouble(2) ** -10
# Of losses that change over shorter distances: by a large factor, or near a power's singularity.
FINER_STEPS = {"circle": STEP / 8, "triplet_margin": STEP / 64}


def difference(function: Callable[[Any], Any], step: Any) -> Any:
    """Differentiate a function at 0, to fourth order."""
    return (8 * (function(step) - function(-step)) - (function(2 * step) - function(-2 * step))) / (
        12 * step
    )


def step_for(call: Call) -> Any:
    return FINER_STEPS.get(call.loss.__name__, STEP)


def assert_is_derivative(call: Call, derivative: Any, function: Callable[[Any], Any]) -> None:
    """Compare with differences, as closely as those of two step sizes agree.

    They disagree about kinks and jumps; few points may lie so close to one.
    """
    step = step_for(call)
    coarse, fine = difference(function, step), difference(function, step / 2)
    assert np.shape(derivative) == np.shape(fine)
    scale = 1 + np.abs(fine)
    doubt = np.abs(coarse - fine)
    smooth = doubt < 1e-7 * scale
    assert smooth.mean() > 0.95
    assert np.all((np.abs(derivative - fine) <= 2 * doubt + 1e-11 * scale)[smooth])


def per_input(call: Call, result: Any) -> tuple[np.ndarray, ...]:
    """Return a derivative as a tuple over the inputs, however many there are."""
    return result if len(call.loss.inputs) > 1 else (result,)


def directions(call: Call) -> np.ndarray:
    """Return in which elements to move at once, each of them in a term of its own."""
    if call.loss.family == "pointwise":
        return np.ones(1, dtype=np.longdouble)
    if call.loss.family == "ordered":
        return np.eye(call.first.size, dtype=np.longdouble).reshape(-1, *call.first.shape)
    return np.eye(call.first.shape[-1], dtype=np.longdouble)


def moved(call: Call, name: str, change: Any) -> Call:
    """Add a change to one input."""
    return call.map(lambda x: x + change, (name,))


def along(call: Call, derivative: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Take what belongs to the elements that move."""
    if call.loss.family == "pointwise":
        return derivative
    return (derivative * direction).sum(None if call.loss.family == "ordered" else -1)


def exact_call(setting: Setting, seed: int) -> Call:
    shape = {"pointwise": (400,), "ordered": (7, 5)}.get(setting.loss.family, (40, 5))
    return exactly(make_call(setting, shape, seed=seed), np.float64)


def exact(which: list[Setting]) -> list[Setting]:
    """Return the settings of losses that hold nothing constant."""
    return [s for s in which if not s.loss.surrogate]


@settings(alone(exact(all_settings())))
def test_each_term(setting: Setting) -> None:
    call = exact_call(setting, seed=11)
    grads, hesses = (per_input(call, x) for x in call.reference("grad_and_hess", reduction="none"))
    for k, name in enumerate(call.loss.inputs):
        for direction in directions(call):

            def value(step: Any, name: str = name, direction: Any = direction) -> Any:
                return moved(call, name, step * direction).reference(reduction="none")

            def grad(step: Any, name: str = name, direction: Any = direction, k: int = k) -> Any:
                there = moved(call, name, step * direction).reference("grad", reduction="none")
                return along(call, per_input(call, there)[k], direction)

            assert_is_derivative(call, along(call, grads[k], direction), value)
            if call.loss.hess_kind != "absent":
                assert_is_derivative(call, along(call, hesses[k], direction), grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@settings(exact(default_settings()))
def test_of_what_the_call_returns(setting: Setting, reduction: str) -> None:
    """Under weights and reductions, derivatives are those of the result itself."""
    call = exact_call(setting, seed=12)
    weight = make_weight(call).astype(np.longdouble)
    for k, name in enumerate(call.loss.inputs):
        change = 0.01 * np.random.default_rng(13).normal(size=call.first.shape)

        def terms(step: Any, name: str = name, change: Any = change) -> Any:
            return moved(call, name, step * change).reference(reduction="none")

        step = step_for(call)
        slope = difference(terms, step)
        kinked = np.abs(slope - difference(terms, step / 2)) > 1e-9 * (1 + np.abs(slope))
        assert kinked.mean() < 0.05
        smooth = call.given(weight=np.where(kinked, 0, weight), reduction=reduction)

        def total(step: Any, name: str = name, change: Any = change, call: Call = smooth) -> Any:
            return np.sum(moved(call, name, step * change).reference())

        grads, hesses = (per_input(call, x) for x in smooth.reference("grad_and_hess"))
        assert_is_derivative(call, np.sum(grads[k] * change), total)
        if call.loss.hess_kind == "absent":
            continue
        for direction in directions(call):

            def grad(
                step: Any,
                name: str = name,
                direction: Any = direction,
                k: int = k,
                call: Call = smooth,
            ) -> Any:
                there = moved(call, name, step * direction).reference("grad")
                return along(call, per_input(call, there)[k], direction)

            assert_is_derivative(call, along(call, hesses[k], direction), grad)


@losses
def test_hess_kind(loss: Any) -> None:
    """A second derivative that is called zero is 0 whatever the parameters, and no other is."""
    calls = [make_call(s, (20, 5), seed=14) for s in all_settings() if s.loss is loss]
    results = [call("grad_and_hess") for call in calls]
    assert all(any(np.any(x != 0) for x in parts(grads)) for grads, _ in results)
    is_zero = all(np.all(x == 0) for _, hesses in results for x in parts(hesses))
    assert is_zero == (loss.hess_kind == "zero")
