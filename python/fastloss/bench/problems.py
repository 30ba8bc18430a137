# SPDX-License-Identifier: BSD-3-Clause
"""What is computed: value and gradient of a loss, on arrays of some type and shape."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss.domains import BINARY, REAL, Domain, Labels, Probabilities
from fastloss.families import Loss

Array = NDArray[Any]
Arrays = dict[str, Array]

DTYPES = ("float32", "float64")

SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "pointwise": tuple((n,) for n in (1, 8, 100, 1000, 10**4, 10**5, 10**6, 10**7)),
    "ordered": tuple((n,) for n in (100, 10**4, 10**6)),
    "groupwise": ((1000, 10), (1000, 100), (10, 1000)),
    "rowwise": ((128, 10), (65536, 10), (4096, 1000), (1024, 50257), (2048, 32000)),
    "overlap": ((4, 1, 64, 64), (8, 4, 256, 256), (1, 1, 4096, 4096)),
}

FOREGROUND = 0.3  # the share of a mask

# Inputs that mean something only where they are positive, though any number is allowed.
POSITIVE_INPUTS = {"scale", "var"}

ARRAYS_IN_MEMORY = 12  # of a problem's size: those of all contestants and their temporaries


@dataclass(frozen=True)
class Problem:
    """Value and gradient of a loss on arrays of this type and shape.

    Classes and groups lie last; masks along all axes but the first two.
    """

    loss: Loss
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """Name it in tables and in the ids of benchmarks."""
        return f"{self.loss.__name__}-{self.dtype}-{self.size}"

    @property
    def size(self) -> str:
        """The shape as it is read aloud."""
        return "x".join(map(str, self.shape))

    @property
    def elements(self) -> int:
        """The number of elements of an input."""
        return math.prod(self.shape)

    def draw(self, labelled: bool = True) -> Arrays:
        """Draw the positional arguments; labels, where the loss takes them, or probabilities."""
        loss = self.loss
        generator = np.random.default_rng([*map(ord, loss.__name__), *self.shape])
        signature = inspect.signature(loss).parameters
        if loss.formula.row_length:
            names = (*loss.inputs, *loss.targets)
            return {name: _boxes(self.dtype, generator, self.shape) for name in names}
        return {
            name: self._input(name, generator)
            if name in loss.inputs
            else self._target(name, generator, labelled)
            for name in signature
            if name in (*loss.inputs, *loss.targets)
        }

    def _input(self, name: str, generator: np.random.Generator) -> Array:
        defaults = {name: p.default for name, p in self.loss.parameters.items()}
        domain = self.loss.input_domain[name].given(defaults)
        if domain is not REAL:
            return _numbers(domain, self.dtype, generator, self.shape)
        x = generator.standard_normal(self.shape, np.dtype(self.dtype).type)
        return np.exp(x / 2) if name in POSITIVE_INPUTS else 2 * x

    def _target(self, name: str, generator: np.random.Generator, labelled: bool) -> Array:
        domain = self.loss.domain[name]
        if self.loss.family == "overlap":
            return (generator.random(self.shape) < FOREGROUND).astype(self.dtype)
        rows = self.shape[:-1]
        if domain.kind == "key" and self.loss.family == "groupwise":
            return np.repeat(np.arange(rows[0]), self.shape[-1]).reshape(self.shape)
        if domain.kind == "labels" or (domain.kind == "labels or whole" and labelled):
            return generator.integers(self.shape[-1] + self.loss.formula.more_labels, size=rows)
        if domain == BINARY and len(self.shape) > 1:
            few = generator.random(self.shape) < min(0.5, 4 / self.shape[-1])
            return few.astype(self.dtype)
        if not isinstance(domain, Labels | Probabilities):
            shape = rows if domain.kind == "number" else self.shape
            return _numbers(domain, self.dtype, generator, shape)
        p = generator.standard_exponential(self.shape, np.dtype(self.dtype).type)
        p /= p.sum(-1, keepdims=True)
        return p


def _boxes(dtype: str, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw boxes by two opposite corners, most of which overlap."""
    kind = np.dtype(dtype).type
    corners: Array = generator.standard_normal((*shape[:-1], 2), kind)
    sizes = 1 + generator.standard_exponential((*shape[:-1], 2), kind)
    return np.concatenate([corners, corners + sizes], axis=-1)


def _numbers(
    domain: Domain, dtype: str, generator: np.random.Generator, shape: tuple[int, ...]
) -> Array:
    """Draw numbers of a domain, its ends left out if it has others."""
    low, high = domain.low, domain.high
    kind = np.dtype(dtype).type
    x: Array
    if math.isinf(low) and math.isinf(high):
        x = 2 * generator.standard_normal(shape, kind)
    elif math.isinf(high):
        x = kind(low) + generator.standard_exponential(shape, kind)
    elif math.isinf(low):
        x = kind(high) - generator.standard_exponential(shape, kind)
    else:
        x = kind(low) + kind(high - low) * generator.random(shape, kind)
    ends = np.where(x < (low + high) / 2, kind(low), kind(high))
    return np.where(domain.contains(x), x, ends)


def fitting(loss: Loss, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape of as many elements, if rows of the loss have a length of their own."""
    length = loss.formula.row_length
    return (math.prod(shape) // length, length) if length else shape


def problems(
    losses: Iterable[Loss],
    dtypes: Iterable[str] = DTYPES,
    shapes: Sequence[tuple[int, ...]] | None = None,
) -> Iterator[Problem]:
    """Yield every loss in every type and shape that has its family's dimensions."""
    for loss in losses:
        usual = SHAPES[loss.family]
        for dtype in dtypes:
            for shape in usual if shapes is None else shapes:
                if len(shape) == len(usual[0]):
                    yield Problem(loss, dtype, fitting(loss, shape))


def parse_shape(text: str) -> tuple[int, ...]:
    """Read a size such as 1000 or 4096x1000."""
    shape = tuple(map(int, text.split("x")))
    if min(shape) < 1:
        raise ValueError(text)
    return shape


def shapes_beyond_cache(dtype: str) -> tuple[tuple[int, ...], ...]:
    """Return shapes whose arrays are four times as large as the last cache, if memory allows."""
    size = 4 * last_cache() // np.dtype(dtype).itemsize
    if ARRAYS_IN_MEMORY * 4 * last_cache() > available_memory():
        return ()
    return (size,), (-(-size // 32000), 32000)


def last_cache() -> int:
    """Return the bytes of the last level of cache; 0 where the system does not say."""
    kilobytes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        kilobytes.append(int(file.read_text("ascii").strip().removesuffix("K")))
    return 1024 * max(kilobytes, default=0)


def available_memory() -> int:
    """Return the bytes of memory that can be had; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    found = (line.split() for line in lines if line.startswith("MemAvailable:"))
    return 1024 * next((int(kilobytes) for _, kilobytes, *_ in found), 0)
