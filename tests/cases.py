# SPDX-License-Identifier: BSD-3-Clause
"""Arguments for any loss, made from what the registry says about it and nothing else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pytest

import fastloss as fl
from fastloss.domains import Domain, LabelsOrProbabilities

METHODS = ("value", "grad", "value_and_grad", "grad_and_hess", "value_grad_and_hess")
REDUCTIONS = ("mean", "sum", "none")
DTYPES = (np.float32, np.float64)
LOSSES = tuple(fl.losses.values())


def losses(function: Callable[..., None]) -> Callable[..., None]:
    """Run a test for every loss of the registry."""
    return pytest.mark.parametrize("loss", [pytest.param(x, id=x.__name__) for x in LOSSES])(
        function
    )


@dataclass(frozen=True)
class Setting:
    """A loss, the kind of its target, and values of its parameters."""

    loss: Any
    labelled: bool
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        """Name it in the id of a test."""
        changed = [
            f"{name}={_short(value)}"
            for name, value in self.parameters.items()
            if value is not self.loss.parameters[name].default
        ]
        kind = ["labels" if self.labelled else "probabilities"] if takes_labels(self.loss) else []
        return "-".join([self.loss.__name__, *kind, *changed])


def _short(value: Any) -> str:
    return "array" if isinstance(value, np.ndarray) else str(value)


def takes_labels(loss: Any) -> bool:
    """Tell whether integer labels may stand for rows of probabilities."""
    return any(isinstance(d, LabelsOrProbabilities) for d in loss.domain.values())


def default_settings() -> list[Setting]:
    """Return every loss with the defaults of its parameters, once for each kind of target."""
    return [
        Setting(loss, labelled, {name: p.default for name, p in loss.parameters.items()})
        for loss in LOSSES
        for labelled in ((True, False) if takes_labels(loss) else (False,))
    ]


def all_settings() -> list[Setting]:
    """Return the defaults, every parameter changed alone, and all of them changed together."""
    return [setting for base in default_settings() for setting in _variations(base)]


def _variations(base: Setting) -> Iterator[Setting]:
    yield base
    others = {
        name: [v for v in values_in(p.domain) if v is not None and v != p.default]
        for name, p in base.loss.parameters.items()
    }
    for name, values in others.items():
        for value in values:
            yield replace(base, parameters={**base.parameters, name: value})
    if len(others) > 1:
        yield replace(base, parameters={name: values[-1] for name, values in others.items()})


def values_in(domain: Domain) -> list[Any]:
    """Return a few values of a parameter's domain, its ends included where they belong to it."""
    if domain.is_flag:
        return [False, True]
    low, high = domain.low, domain.high
    if math.isinf(low) and math.isinf(high):
        values = [-1.5, 0.0, 0.75]
    elif math.isinf(high):
        values = [low + 0.375, low + 2.5]
    elif math.isinf(low):
        values = [high - 2.5, high - 0.375]
    else:
        values = [low + 0.75 * (high - low), low + 0.1 * (high - low)]
    ends = [low] * domain.includes_low + [high] * domain.includes_high
    none = [] if math.isnan(domain.when_none) else [None]
    return none + ends + values


def settings(which: list[Setting]) -> Callable[..., Any]:
    """Run a test for each of these settings."""
    return pytest.mark.parametrize("setting", [pytest.param(s, id=str(s)) for s in which])


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
    return np.where((chance > 0.8) & domain.includes_high, high, x)


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
    def terms_shape(self) -> tuple[int, ...]:
        """The shape of the values under reduction="none"; classes lie along the last axis."""
        return self.first.shape[:-1] if self.loss.family == "rowwise" else self.first.shape


def bound(function: Any, method: str) -> Callable[..., Any]:
    """Return a method by its name; the value is the function itself."""
    return function if method == "value" else getattr(function, method)


class Source(Protocol):
    """Where the arguments of calls come from."""

    def real(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw numbers of either sign."""

    def in_domain(self, domain: Domain, shape: tuple[int, ...]) -> np.ndarray:
        """Draw numbers of a domain."""

    def integers(self, stop: int, shape: tuple[int, ...]) -> np.ndarray:
        """Draw from [0, stop)."""

    def distributions(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw rows of class probabilities."""


def make_call(
    setting: Setting, shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0
) -> Call:
    """Draw valid arguments; in row-wise losses the last length is the number of classes."""
    generator = np.random.default_rng([seed, *map(ord, setting.loss.__name__), *shape])
    return make_call_from(_Random(generator), setting, shape, dtype)


def make_call_from(source: Source, setting: Setting, shape: tuple[int, ...], dtype: Any) -> Call:
    """Draw valid arguments from this source."""
    loss = setting.loss
    arrays = {}
    for name in arguments_of(loss):
        if name in loss.inputs:
            arrays[name] = source.real(shape).astype(dtype)
        elif not takes_labels(loss):
            arrays[name] = source.in_domain(loss.domain[name], shape).astype(dtype)
        elif setting.labelled:
            arrays[name] = source.integers(max(shape[-1], 1), shape[:-1])
        else:
            arrays[name] = source.distributions(shape).astype(dtype)
    return Call(loss, arrays, dict(setting.parameters))


@dataclass(frozen=True)
class _Random:
    generator: np.random.Generator

    def real(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.generator.normal(scale=2.5, size=shape)

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
    """Draw a weight per term: some are 0, some negative."""
    generator = np.random.default_rng([seed, 1])
    weight = generator.lognormal(size=call.terms_shape)
    chance = generator.uniform(size=call.terms_shape)
    return np.where(chance < 0.15, 0, np.where(chance > 0.9, -weight, weight)).astype(dtype)


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
