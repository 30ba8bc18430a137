# SPDX-License-Identifier: BSD-3-Clause
"""What is measured of fastloss alone: rows of calls that differ in one thing."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

import fastloss as fl
from fastloss import _core
from fastloss.bench.contest import out_for
from fastloss.bench.problems import SHAPES, Array, Arrays, Problem, fitting
from fastloss.bench.results import Row
from fastloss.bench.targets import POINTWISE
from fastloss.bench.timing import Timed, interleaved

# So small that inputs stay what they are, however often a step is repeated.
LEARNING_RATE = 1e-20
SUBNORMAL = 1e-40  # what inputs of size 1 are multiplied by, in float32

IN_CACHE = {"pointwise": ((10_000,),), "rowwise": ((64, 1000),), "overlap": ((4, 1, 64, 64),)}
LARGE = {"pointwise": ((10_000_000,),)}
IN_AND_BEYOND_CACHE = {"pointwise": ((100_000,), (10_000_000,)), "rowwise": ((4096, 1000),)}

EXAMPLES = frozenset({*POINTWISE, "cross_entropy", "dice"})
"""What is measured of them is much the same for other losses."""

Calls = dict[str, Timed]
Shapes = Mapping[str, tuple[tuple[int, ...], ...]]


@dataclass(frozen=True)
class Experiment:
    """A kind of rows: their problems, and the calls that are compared."""

    kind: str
    calls: Callable[[Problem], Calls]
    shapes: Shapes  # by family
    losses: Container[str] = frozenset(fl.losses)

    def problems(self) -> Iterator[Problem]:
        """Yield what is computed."""
        for name, loss in fl.losses.items():
            for shape in self.shapes.get(loss.family, ()):
                if name in self.losses:
                    yield Problem(loss, "float32", fitting(loss, shape))

    def measure(self, problem: Problem) -> Row:
        """Time the calls in turns."""
        row = Row.of(self.kind, problem)
        row.times = interleaved(self.calls(problem))
        return row


def with_out(problem: Problem, arrays: Arrays, context: Any = None, **keywords: Any) -> Timed:
    """Return a call of value_and_grad with preallocated gradients."""
    call = partial(problem.loss.value_and_grad, *arrays.values())
    timed = partial(call, out=out_for(problem, arrays), **keywords)
    return Timed(timed, context=context) if context else Timed(timed)


def by_threads(problem: Problem) -> Calls:
    """Compare the number of threads that a call chooses with given ones."""
    arrays = problem.draw()
    most = fl.get_num_threads()
    numbers = sorted({1, most, *(2**i for i in range(most.bit_length()) if 2**i <= most)})
    pinned = {
        f"{n} thread{'s' * (n > 1)}": with_out(problem, arrays, partial(fl.threads, n))
        for n in numbers
    }
    return {"default": with_out(problem, arrays), **pinned}


def small_calls(problem: Problem) -> Calls:
    """Compare a ufunc of NumPy with the value, and with value and gradient."""
    arrays = problem.draw()
    names = {f"x{i}": x for i, x in enumerate(arrays.values())}
    arguments = ", ".join(names)
    a = np.ones(8, problem.dtype)
    loss, out = problem.loss, out_for(problem, arrays)
    return {
        "np.add": Timed("add(a, b)", {"add": np.add, "a": a, "b": a.copy()}),
        "value": Timed(f"f({arguments})", {"f": loss, **names}),
        "value_and_grad": Timed(
            f"f({arguments}, out=out)", {"f": loss.value_and_grad, "out": out, **names}
        ),
    }


def variants(problem: Problem) -> Calls:
    """Compare other targets, options and layouts."""
    arrays = problem.draw()
    logits = arrays[problem.loss.inputs[0]]
    weight = np.linspace(0.5, 2, logits.shape[-1], dtype=logits.dtype)
    columns = {**arrays, problem.loss.inputs[0]: np.ascontiguousarray(logits.T)}
    return {
        "plain": with_out(problem, arrays),
        "probabilities": with_out(problem, problem.draw(labelled=False)),
        "label_smoothing=0.1": with_out(problem, arrays, label_smoothing=0.1),
        "class_weight": with_out(problem, arrays, class_weight=weight),
        "axis=0": with_out(problem, columns, axis=0),
    }


def weights(problem: Problem) -> Calls:
    """Compare with a weight per term."""
    arrays = problem.draw()
    terms = problem.shape if problem.loss.family == "pointwise" else problem.shape[:-1]
    weight = np.random.default_rng(1).random(terms, np.float32)
    return {
        "unweighted": with_out(problem, arrays),
        "weighted": with_out(problem, arrays, weight=weight),
    }


def levels(problem: Problem) -> Calls:
    """Compare the CPU levels, the best one first, on one thread."""
    arrays = problem.draw()
    return {
        name: with_out(problem, arrays, partial(_at_level, name))
        for name, runs_here in reversed(_core.isa_levels())
        if runs_here
    }


def subnormal_inputs(problem: Problem) -> Calls:
    """Compare with numbers that some CPUs are slow with, on one thread."""
    arrays = problem.draw()
    tiny = {
        name: (x * SUBNORMAL).astype(x.dtype) if np.issubdtype(x.dtype, np.floating) else x
        for name, x in arrays.items()
    }
    one = partial(fl.threads, 1)
    return {
        "normal": with_out(problem, arrays, one),
        "subnormal": with_out(problem, tiny, one),
    }


def storage_types(problem: Problem) -> Calls:
    """Compare the types that arrays may be stored in."""
    arrays = problem.draw()

    def stored_as(dtype: Any) -> Timed:
        return with_out(
            problem,
            {
                name: x.astype(dtype) if np.issubdtype(x.dtype, np.floating) else x
                for name, x in arrays.items()
            },
        )

    return {
        "float32": stored_as(np.float32),
        "float16": stored_as(np.float16),
        "bfloat16": stored_as(ml_dtypes.bfloat16),
    }


def steps(problem: Problem) -> Calls:
    """Compare stores of a gradient that an optimiser's step reads at once.

    Non-temporal stores need 16-byte alignment: a gradient that lacks it is stored ordinarily.
    """
    arrays = problem.draw()
    return {
        "default stores": step(problem, arrays, aligned=True),
        "ordinary stores": step(problem, arrays, aligned=False),
    }


def step(problem: Problem, arrays: Arrays, aligned: bool) -> Timed:
    """Return gradient and step; the gradient is 16-byte aligned or not."""
    weights = [arrays[name] for name in problem.loss.inputs]
    grads = tuple(empty_like(w, aligned) for w in weights)
    out = grads if len(grads) > 1 else grads[0]

    def move() -> None:
        problem.loss.grad(*arrays.values(), out=out)
        for w, grad in zip(weights, grads, strict=True):
            np.multiply(grad, LEARNING_RATE, out=grad)
            np.subtract(w, grad, out=w)

    return Timed(move)


def empty_like(x: Array, aligned: bool) -> Array:
    """Return an array that begins at a multiple of 64 bytes, or an element behind one."""
    room = np.empty(x.size + 64 // x.itemsize, x.dtype)
    first = -room.ctypes.data // x.itemsize % (64 // x.itemsize) + (0 if aligned else 1)
    return room[first : first + x.size].reshape(x.shape)


@contextmanager
def _at_level(name: str) -> Iterator[None]:
    before = _core.isa()
    fl.set_isa(name)
    try:
        with fl.threads(1):
            yield
    finally:
        fl.set_isa(before)


EXPERIMENTS = (
    Experiment("threads", by_threads, SHAPES, EXAMPLES),
    Experiment(
        "call",
        small_calls,
        {"pointwise": ((8,),), "rowwise": ((1, 8),), "overlap": ((1, 1, 2, 4),)},
        EXAMPLES,
    ),
    Experiment("variant", variants, {"rowwise": ((4096, 1000),)}, {"cross_entropy"}),
    Experiment("weight", weights, LARGE, EXAMPLES),
    Experiment("storage", storage_types, IN_AND_BEYOND_CACHE),
    Experiment(
        "level",
        levels,
        IN_CACHE,
        {"binary_cross_entropy_with_logits", "gaussian_nll", "cross_entropy"},
    ),
    Experiment("subnormal", subnormal_inputs, IN_CACHE, EXAMPLES),
    Experiment("step", steps, LARGE, EXAMPLES),
)
