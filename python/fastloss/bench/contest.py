# SPDX-License-Identifier: BSD-3-Clause
"""fastloss and its peers on the same arrays: equal results first, then the times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fastloss import _core
from fastloss.bench.peers import Call, Contestant, flat
from fastloss.bench.problems import Array, Arrays, Problem
from fastloss.bench.results import VALUE_AND_GRAD, Row
from fastloss.bench.timing import ROUNDS, Timed, interleaved

FASTLOSS = "fastloss"
ROOFLINES = {"roofline": False, "roofline, non-temporal": True}
"""What memory alone costs, and whether the stores go past the caches."""


def out_for(problem: Problem, arrays: Arrays) -> tuple[None, Any]:
    """Return what value_and_grad writes to."""
    grads = tuple(np.empty_like(arrays[name]) for name in problem.loss.inputs)
    return None, grads[0] if len(grads) == 1 else grads


def own_call(problem: Problem, arrays: Arrays) -> Call:
    """Return the call of fastloss, with preallocated gradients."""
    out = out_for(problem, arrays)
    return Call(partial(problem.loss.value_and_grad, *arrays.values(), out=out))


def roofline(problem: Problem, arrays: Arrays, past_cache: bool) -> Timed:
    """Return what reads the same arrays and writes as many; labels and ids are left out."""
    outputs = [np.empty_like(arrays[name]) for name in problem.loss.inputs]
    inputs = [x for x in arrays.values() if x.nbytes == outputs[0].nbytes]
    return Timed(partial(_core.move_bytes, inputs, outputs, past_cache=past_cache))


def compare(problem: Problem, contestants: Sequence[Contestant], rounds: int = ROUNDS) -> Row:
    """Time fastloss and those who have the loss and the same results."""
    arrays = problem.draw()
    row = Row.of(VALUE_AND_GRAD, problem)
    own = own_call(problem, arrays)
    expected = [x.copy() for x in flat(own.compute())]
    calls = {FASTLOSS: Timed(own.compute)}
    for contestant in contestants:
        try:
            call = contestant.prepare(problem, arrays)
            if call is None:
                continue
            check(call.read(call.compute()), expected, problem)
            calls[contestant.name] = Timed(call.compute)
        except Exception as error:  # another library's, whatever it is
            row.errors[contestant.name] = f"{type(error).__name__}: {error}".partition("\n")[0]
    for name, past_cache in ROOFLINES.items():
        calls[name] = roofline(problem, arrays, past_cache)
    row.times = interleaved(calls, rounds)
    return row


def check(found: list[Array], expected: list[Array], problem: Problem) -> None:
    """Raise ArithmeticError unless results are equal but for rounding."""
    epsilon = np.finfo(problem.dtype).eps
    for a, b in zip(found, expected, strict=True):
        # A sum of n numbers may err by more than a single element.
        terms = 0 if b.ndim else problem.elements
        tolerance = (64 + terms**0.5) * epsilon * np.max(np.abs(b))
        error = np.max(np.abs(a.reshape(b.shape) - b))
        if not error <= tolerance:
            raise ArithmeticError(f"its result differs by {error:.3g}, from {FASTLOSS}'s")
