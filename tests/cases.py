# SPDX-License-Identifier: BSD-3-Clause
"""Arguments for any loss, made from what the registry says about it and nothing else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pytest

import fastloss as fl
from fastloss.accuracy.settings import Setting, default_settings
from fastloss.domains import REAL, Domain, Labels, Probabilities

METHODS = ("value", "grad", "value_and_grad", "grad_and_hess", "value_grad_and_hess")
REDUCTIONS = ("mean", "sum", "none")
DTYPES = (np.float32, np.float64)
LOSSES = tuple(fl.losses.values())


def _each(losses: tuple[Any, ...]) -> Callable[..., Any]:
    return pytest.mark.parametrize("loss", [pytest.param(x, id=x.__name__) for x in losses])


losses = _each(LOSSES)
"""Runs a test for every loss of the registry."""
losses_with_targets = _each(tuple(loss for loss in LOSSES if loss.targets))


def settings(which: list[Setting]) -> Callable[..., Any]:
    """Run a test for each of these settings."""
    return pytest.mark.parametrize("setting", [pytest.param(s, id=str(s)) for s in which])


def alone(which: list[Setting]) -> list[Setting]:
    """Return the settings of losses whose terms do not depend on each other."""
    return [s for s in which if s.loss.family != "ordered"]


def kinds_of_calls() -> list[Setting]:
    """Return one setting for each kind of call that the drivers tell apart.

    Losses differ in their formula; what is done to memory and by threads depends on how many
    arrays of which kind there are.
    """
    kinds: dict[tuple[Any, ...], Setting] = {}
    for setting in default_settings():
        loss = setting.loss
        targets = tuple(loss.formula.targets.values())
        kind = (loss.family, len(loss.inputs), targets, setting.labelled, bool(loss.parameters))
        kinds.setdefault(kind, setting)
    return list(kinds.values())


def sample(domain: Domain, generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Draw numbers of a domain; its ends come often, where they belong to it."""
    low, high = domain.low, domain.high
    if math.isinf(low) and math.isinf(high):
        return generator.normal(scale=2, size=shape)
    if math.isinf(high):
        x = low + generator.lognormal(size=shape)
    elif math.isinf(low):
        x = high - generator.lognormal(size=shape)
    else:
        x = generator.uniform(low, high, size=shape)
    chance = generator.uniform(size=shape)
    x = np.where((chance < 0.2) & domain.includes_low, low, x)
    x = np.where((chance > 0.8) & domain.includes_high, high, x)
    return np.where(domain.contains(x), x, np.where(chance < 0.5, low, high))


@dataclass(frozen=True)
class Call:
    """The arguments of a call, which any method, or the reference, can be given."""

    loss: Any
    arrays: Mapping[str, Any]  # positional, in their order
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, method: str = "value", **more: Any) -> Any:
        """Call one method of the loss."""
        return bound(self.loss, method)(*self.arrays.values(), **{**self.keywords, **more})

    def reference(self, method: str = "value", **more: Any) -> Any:
        """Call one method of the loss's reference."""
        return bound(self.loss.reference, method)(
            *self.arrays.values(), **{**self.keywords, **more}
        )

    def map(self, change: Callable[[Any], Any], names: tuple[str, ...] | None = None) -> Call:
        """Change the positional arrays, or those of these names."""
        return replace(
            self,
            arrays={
                name: change(x) if names is None or name in names else x
                for name, x in self.arrays.items()
            },
        )

    def given(self, **keywords: Any) -> Call:
        """Set keywords."""
        return replace(self, keywords={**self.keywords, **keywords})

    def row(self, index: Any) -> Call:
        """Take a part of the terms: an index or a slice of the first axis."""
        return self.map(lambda x: x[index])

    @property
    def first(self) -> np.ndarray:
        """The first differentiable input, whose shape and dtype results have."""
        return self.arrays[self.loss.inputs[0]]

    @property
    def label_count(self) -> int:
        """How many labels there are."""
        return self.first.shape[-1] + self.loss.formula.more_labels

    @property
    def terms_shape(self) -> tuple[int, ...]:
        """The shape of the values under reduction="none".

        Classes lie along the last axis, and so does a group; masks along all but the first two.
        """
        shape = self.first.shape
        if self.loss.family == "groupwise":
            return (len(np.unique(self.arrays[self.loss.targets[-1]])),)
        return shape[: {"rowwise": -1, "overlap": 2}.get(self.loss.family)]


def bound(function: Any, method: str) -> Callable[..., Any]:
    """Return a method by its name; the value is the function itself."""
    return function if method == "value" else getattr(function, method)


class Source(Protocol):
    """Where the arguments of calls come from."""

    def inside(self, domain: Domain, shape: tuple[int, ...]) -> np.ndarray:
        """Draw numbers of either sign, or of a bounded domain, away from its ends."""

    def in_domain(self, domain: Domain, shape: tuple[int, ...]) -> np.ndarray:
        """Draw numbers of a domain."""

    def integers(self, stop: int, shape: tuple[int, ...]) -> np.ndarray:
        """Draw from [0, stop)."""

    def distributions(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw rows of class probabilities."""


def make_call(
    setting: Setting, shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0
) -> Call:
    """Draw valid arguments: rows and groups lie last, and rows have their loss's own length.

    Masks lie along the third axis on; with fewer lengths, the last one is that of a mask.
    """
    generator = np.random.default_rng([seed, *map(ord, setting.loss.__name__), *shape])
    return make_call_from(_Random(generator), setting, shape, dtype)


def make_call_from(source: Source, setting: Setting, shape: tuple[int, ...], dtype: Any) -> Call:
    """Draw valid arguments from this source."""
    loss = setting.loss
    if loss.family == "overlap" and len(shape) < 3:
        shape = (*shape[:-1], *[1] * (3 - len(shape)), *shape[-1:])
    arrays = {}
    if loss.formula.row_length:
        shape = (*shape[:-1], loss.formula.row_length)
    for name in arguments_of(loss):
        if name in loss.inputs:
            arrays[name] = _input(source, setting, name, arrays, shape).astype(dtype)
        else:
            arrays[name] = _target(source, setting, name, shape, dtype)
    return Call(loss, arrays, dict(setting.parameters))


def _input(
    source: Source,
    setting: Setting,
    name: str,
    before: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Draw an input; every other row of a second or third one is near that of the first."""
    x = source.inside(setting.input_domain[name], shape)
    if before and setting.loss.family == "rowwise":
        x[::2] = before[setting.loss.inputs[0]][::2] + x[::2] / 16
    return x


def _target(
    source: Source, setting: Setting, name: str, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
    domain = setting.loss.domain[name]
    if isinstance(domain, Labels) and setting.labelled:
        return source.integers(max(shape[-1] + setting.loss.formula.more_labels, 1), shape[:-1])
    if isinstance(domain, Labels | Probabilities):
        return source.distributions(shape).astype(dtype)
    if domain.kind == "key" and setting.loss.family == "groupwise":
        rows = np.arange(math.prod(shape[:-1])).reshape(*shape[:-1], 1)
        return np.broadcast_to(rows, shape).copy()
    if domain.kind == "key":  # of which some are equal
        return source.integers(max(math.prod(shape) // 2, 1), shape).astype(dtype)
    own_shape = shape[:-1] if domain.kind == "number" else shape
    return source.in_domain(domain, own_shape).astype(dtype)


@dataclass(frozen=True)
class _Random:
    generator: np.random.Generator

    def inside(self, domain: Domain, shape: tuple[int, ...]) -> np.ndarray:
        if domain is REAL:
            return self.generator.normal(scale=2.5, size=shape)
        if math.isinf(domain.high):
            return self.in_domain(replace(domain, includes_low=False), shape)
        span = domain.high - domain.low
        return self.generator.uniform(domain.low + 0.1 * span, domain.high - 0.1 * span, shape)

    def in_domain(self, domain: Domain, shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(sample(domain, self.generator, shape))

    def integers(self, stop: int, shape: tuple[int, ...]) -> np.ndarray:
        return self.generator.integers(stop, size=shape)

    def distributions(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw rows of which some are a single 1 and some have zeros."""
        label = self.integers(max(shape[-1], 1), (*shape[:-1], 1))
        p = self.generator.exponential(size=shape) * (self.generator.uniform(size=shape) < 0.8)
        p = np.where(self.generator.uniform(size=label.shape) < 0.2, 0, p)
        p = np.where(np.arange(shape[-1]) == label, p + 1, p)
        return p / p.sum(-1, keepdims=True)


def arguments_of(loss: Any) -> tuple[str, ...]:
    """Return the names of the positional arguments in their order."""
    return tuple(
        p.name
        for p in inspect.signature(loss).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    )


def make_weight(call: Call, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    """Draw a weight per term: some are 0, some negative, where they may be."""
    generator = np.random.default_rng([seed, 1])
    weight = generator.lognormal(size=call.terms_shape)
    chance = generator.uniform(size=call.terms_shape)
    negative = (chance > 0.9) & (call.loss.family != "ordered")
    return np.where(chance < 0.15, 0, np.where(negative, -weight, weight)).astype(dtype)


def parts(result: Any) -> list[Any]:
    """Return the numbers and arrays of a result, however nested, in their order."""
    if isinstance(result, tuple):
        return [part for inner in result for part in parts(inner)]
    return [result]


def assert_same_bits(got: Any, expected: Any) -> None:
    """Compare two results byte by byte; NaN equals NaN, whatever it carries."""
    got, expected = parts(got), parts(expected)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert type(a) is type(b)
        x, y = np.asarray(a), np.asarray(b)
        assert x.shape == y.shape
        assert x.dtype.newbyteorder("=") == y.dtype.newbyteorder("=")
        different = ~((x == y) & (np.signbit(x) == np.signbit(y)) | (np.isnan(x) & np.isnan(y)))
        assert not different.any(), (
            f"{different.sum()} of {x.size} differ, first at {np.argwhere(different)[0]}: "
            f"{x[different][0]!r} and {y[different][0]!r}"
        )
