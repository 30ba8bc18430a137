# SPDX-License-Identifier: BSD-3-Clause
"""Other ways to compute value and gradient: a module per library, imported when it is asked for.

A module has `DISTRIBUTION`, what its version is that of, and `contestants(threads)`, which limits
the library's threads. Its dictionary of losses has a small entry for each that the library has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from fastloss.bench.problems import Array, Arrays, Problem

PEERS: Mapping[str, str] = {
    "numpy": "by_numpy",
    "torch": "by_torch",
    "torch.compile": "by_torch_compile",
    "jax": "by_jax",
    "sklearn": "by_sklearn",
    "numba": "by_numba",
    "numexpr": "by_numexpr",
}
"""The module of each, by the name that the command line has for it."""

ValueAndGrad = tuple[float, Array | tuple[Array, ...]]

INSTALL = 'pip install "fastloss[peers]"'


def flat(result: Any) -> list[Array]:
    """Return a value and its gradients, however nested, as arrays."""
    if isinstance(result, tuple):
        return [part for inner in result for part in flat(inner)]
    return [np.asarray(result)]


@dataclass(frozen=True)
class Call:
    """What is timed, and how its result is read: the value, then the inputs' gradients."""

    compute: Callable[[], Any]
    read: Callable[[Any], list[Array]] = flat


@dataclass(frozen=True)
class Contestant:
    """A way to compute value and gradient; no call where it lacks the loss."""

    name: str
    prepare: Callable[[Problem, Arrays], Call | None]


def load(name: str) -> ModuleType:
    """Import a peer; raise ImportError where it, or something that it needs, is missing."""
    return import_module(f"{__name__}.{PEERS[name]}")
