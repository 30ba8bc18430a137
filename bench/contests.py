# SPDX-License-Identifier: BSD-3-Clause
"""What is compared: losses of the registry on the same arrays, by NumPy and by fastloss."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fastloss as fl
from fastloss.families import Loss

# The arguments are those that the tests draw.
sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from cases import make_call, parts
from fastloss.accuracy.settings import default_settings
from numpy_spellings import SPELLINGS, ValueAndGrad

NUMPY = "NumPy"
# With the number of threads that fastloss is given, or None for all.
CONTESTANTS = {NUMPY: None, "fastloss, 1 thread": 1, "fastloss, all threads": None}

# By family. The last two are what the table of ratios has.
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "pointwise": ((1,), (8,), (1000,), (10**5,), (10**7,)),
    "rowwise": ((128, 10), (4096, 1000), (2048, 32000)),
}


@dataclass(frozen=True)
class Row:
    """A loss, and the arrays that it is computed on."""

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


class Contest:
    """The arguments of a row, and the functions that compute value and gradient of them."""

    def __init__(self, row: Row) -> None:
        self.row = row
        setting = next(s for s in default_settings() if s.loss is row.loss)
        call = make_call(setting, row.shape, np.dtype(row.dtype))
        self.arguments = tuple(call.arrays.values())
        grads = tuple(np.empty_like(call.arrays[name]) for name in row.loss.inputs)
        self.out: tuple[None, Any] = (None, grads[0] if len(grads) == 1 else grads)

    def function(self, contestant: str) -> Callable[[], ValueAndGrad]:
        """Return what a contestant calls; without a spelling, NumPy's is the reference."""
        loss = self.row.loss
        if contestant != NUMPY:
            return partial(loss.value_and_grad, *self.arguments, out=self.out)
        by_numpy = SPELLINGS.get(loss.__name__, loss.reference.value_and_grad)
        return partial(by_numpy, *self.arguments)

    def check(self) -> None:
        """Raise an error unless NumPy's result is that of fastloss, but for rounding."""
        results = (self.function(contestant)() for contestant in (NUMPY, "fastloss"))
        epsilon = np.finfo(self.row.dtype).eps
        for by_numpy, by_fastloss in zip(*map(parts, results), strict=True):
            # A sum of n numbers may err by more than a single element.
            terms = 0 if np.ndim(by_numpy) else self.arguments[0].size
            tolerance = (64 + terms**0.5) * epsilon * np.max(np.abs(by_fastloss))
            error = np.max(np.abs(by_numpy - by_fastloss))
            if not error <= tolerance:
                raise ValueError(f"{self.row}: NumPy and fastloss differ by {error}")


def rows(dtypes: tuple[str, ...] = ("float32", "float64")) -> list[Row]:
    """Return every loss of the registry with every dtype and shape."""
    return [
        Row(loss, dtype, shape)
        for loss in fl.losses.values()
        for dtype in dtypes
        for shape in SHAPES[loss.family]
    ]
