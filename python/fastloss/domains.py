# SPDX-License-Identifier: BSD-3-Clause
"""What the targets and the parameters of a loss may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

TargetKind = Literal["whole", "key", "number", "labels", "labels or whole"]
"""What a target has: the shape of the inputs, be it numbers or keys that are only compared, or per
row a number or a label."""


@dataclass(frozen=True)
class Domain:
    """An interval of real numbers, the two truth values, or a few words."""

    description: str
    low: float = -math.inf
    high: float = math.inf
    includes_low: bool = False
    includes_high: bool = False
    is_flag: bool = False
    when_none: float = math.nan  # what None stands for; NaN: None is not allowed
    kind: TargetKind = "whole"  # of a target
    words: tuple[str, ...] = ()
    only_with: tuple[str, Any] | None = None  # a parameter's value; with others any real number

    @property
    def is_number(self) -> bool:
        """Tell whether it has numbers, which may then vary along the last axis."""
        return not self.is_flag and not self.words

    def number(self, x: Any) -> float:
        """Return what a kernel gets for a parameter: of a word, its place."""
        if x is None:
            return self.when_none
        return float(self.words.index(x) if self.words else x)

    def given(self, parameters: Mapping[str, Any]) -> Domain:
        """Return what an input may be with these parameters."""
        if self.only_with is None:
            return self
        name, value = self.only_with
        return self if parameters[name] == value else REAL

    def contains(self, x: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Tell for each element whether it lies in the domain."""
        above = np.greater_equal(x, self.low) if self.includes_low else np.greater(x, self.low)
        below = np.less_equal(x, self.high) if self.includes_high else np.less(x, self.high)
        return np.asarray(above & below)


@dataclass(frozen=True)
class Labels(Domain):
    """Integer class labels, or else a row of numbers if that is allowed."""

    more: int = 0  # labels than a row has scores

    def contains(self, x: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Tell for each element whether it may be a label, or a number of a row."""
        if np.issubdtype(x.dtype, np.floating):
            return super().contains(x)
        return np.asarray(np.greater_equal(x, 0))


@dataclass(frozen=True)
class Probabilities(Domain):
    """A row of class probabilities, whose sum is 1."""


@dataclass(frozen=True)
class Ends(Domain):
    """The two ends of an interval."""

    def contains(self, x: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Tell for each element whether it is an end."""
        return np.asarray((x == self.low) | (x == self.high))


def choice(*words: str) -> Domain:
    """Make the domain of a parameter that is one of these words."""
    *first, last = map(repr, words)
    return Domain(f"{', '.join(first)} or {last}", words=words)


REAL = Domain("a finite number")
POSITIVE = Domain("a finite number > 0", low=0.0)
NEGATIVE = Domain("a finite number < 0", high=0.0)
NON_NEGATIVE = Domain("a finite number >= 0", low=0.0, includes_low=True)
ABOVE_MINUS_ONE = Domain("a finite number > -1", low=-1.0)
AT_LEAST_ONE = Domain("a finite number >= 1", low=1.0, includes_low=True)
POSITIVE_OR_INFINITE = Domain("a number > 0, or inf", low=0.0, includes_high=True)
UNIT = Domain("a number in [0, 1]", 0.0, 1.0, includes_low=True, includes_high=True)
POSITIVE_UNIT = Domain("a number in (0, 1]", 0.0, 1.0, includes_high=True)
UNIT_OR_NONE = replace(UNIT, description="None or a number in [0, 1]", when_none=math.inf)
COSINE = Domain("a number in [-1, 1]", -1.0, 1.0, includes_low=True, includes_high=True)
SIGN = Ends("-1 or 1", -1.0, 1.0, includes_low=True, includes_high=True)
BINARY = Ends("0 or 1", 0.0, 1.0, includes_low=True, includes_high=True)
TIME = Domain("a finite number", kind="key")
GROUP = Domain("an integer", kind="key")
FLAG = Domain("True or False", is_flag=True)
AT_LEAST_ONE_OR_NONE = Domain(
    "None or a finite number >= 1", low=1.0, includes_low=True, when_none=math.inf
)
POSITIVE_OR_NONE = Domain("None or a finite number > 0", low=0.0, when_none=math.inf)
PROBABILITIES = Probabilities(
    "probabilities in [0, 1]", 0.0, 1.0, includes_low=True, includes_high=True
)
LABELS = Labels("labels >= 0", low=0.0, includes_low=True, kind="labels")
ORDINAL_LABELS = replace(LABELS, more=1)
LABELS_OR_PROBABILITIES = Labels(
    "labels >= 0 or probabilities in [0, 1]",
    0.0,
    1.0,
    includes_low=True,
    includes_high=True,
    kind="labels or whole",
)


def only_with(domain: Domain, parameter: str, value: Any) -> Domain:
    """Return the domain of an input that is any real number with other values of a parameter."""
    return replace(domain, only_with=(parameter, value))


def per_row(domain: Domain) -> Domain:
    """Return the domain of a target that is one number per row."""
    return replace(domain, kind="number")
