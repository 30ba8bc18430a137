# SPDX-License-Identifier: BSD-3-Clause
"""The settings in which a loss is measured and tested, from what the registry says about it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastloss.domains import Domain
from fastloss.families import Loss, losses


@dataclass(frozen=True)
class Setting:
    """A loss, the kind of its target, and values of its parameters."""

    loss: Loss
    labelled: bool
    parameters: Mapping[str, Any]

    @property
    def target_kind(self) -> str:
        """What the target is, where it may be two things."""
        if "labels or whole" not in self.loss.formula.targets.values():
            return ""
        return "labels" if self.labelled else "probabilities"

    @property
    def input_domain(self) -> dict[str, Domain]:
        """The domain of each input with these parameters."""
        return {name: x.given(self.parameters) for name, x in self.loss.input_domain.items()}

    def is_default(self, name: str) -> bool:
        """Tell whether a parameter has its default."""
        return self.parameters[name] is self.loss.parameters[name].default

    def __str__(self) -> str:
        """Name it: what differs from the defaults."""
        changed = [
            f"{name}={'array' if isinstance(value, np.ndarray) else value}"
            for name, value in self.parameters.items()
            if not self.is_default(name)
        ]
        kind = [self.target_kind] if self.target_kind else []
        return "-".join([self.loss.__name__, *kind, *changed])


def takes_labels(loss: Loss) -> bool:
    """Tell whether a target may be integer labels."""
    return loss.formula.takes_labels


def defaults_of(loss: Loss) -> list[Setting]:
    """Return a loss with the defaults of its parameters, once for each kind of target."""
    return [
        Setting(loss, labelled, {name: p.default for name, p in loss.parameters.items()})
        for labelled in _kinds_of_target(loss)
    ]


def _kinds_of_target(loss: Loss) -> tuple[bool, ...]:
    if "labels or whole" in loss.formula.targets.values():
        return (True, False)
    return (takes_labels(loss),)


def default_settings() -> list[Setting]:
    """Return the defaults of every loss."""
    return [setting for loss in losses.values() for setting in defaults_of(loss)]


def all_settings() -> list[Setting]:
    """Return the defaults, every parameter changed alone, and all of them changed together."""
    return [setting for base in default_settings() for setting in variations(base)]


def variations(base: Setting) -> Iterator[Setting]:
    """Yield a setting, and those that differ from it by one parameter, or by all."""
    yield base
    others = {
        name: [v for v in examples(p.domain) if v is not None and v != p.default]
        for name, p in base.loss.parameters.items()
    }
    for name, values in others.items():
        for value in values:
            yield replace(base, parameters={**base.parameters, name: value})
    if len(others) > 1:
        yield replace(base, parameters={name: values[-1] for name, values in others.items()})


def examples(domain: Domain) -> list[Any]:
    """Return a few values of a parameter's domain, its ends included where they belong to it."""
    if domain.is_flag:
        return [False, True]
    if domain.words:
        return list(domain.words)
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
    return none + ends + [x for x in values if domain.contains(np.asarray(x))]
