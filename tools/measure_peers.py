# SPDX-License-Identifier: BSD-3-Clause
"""Measure the errors of other libraries' losses; needs the extras [peers] and [test].

Values and gradients, with default parameters, at about 10**6 drawn points for each loss and type.
Conventions are not counted as errors: points where a library defines something else are left out,
and numbers that are not finite are replaced by 0. The result is docs/accuracy_peers.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import sklearn._loss as sk
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import special

from fastloss.accuracy import DTYPES, points, runs
from fastloss.accuracy.errors import distance
from fastloss.accuracy.measurement import exact_results
from fastloss.accuracy.settings import Setting, default_settings
from fastloss.reference import Parts

STORE = Path(__file__).resolve().parent.parent / "docs" / "accuracy_peers.json"
SEEDS = range(1, 17)  # of 2**16 numbers each

Array = NDArray[Any]
Results = Callable[..., list[Array]]
"""Of a loss's arguments, in the order of its formula: the value, and the gradients or nothing."""


@dataclass(frozen=True)
class Peer:
    """A loss of another library."""

    results: Results
    takes: Callable[..., Array] = lambda first, *_: np.ones(len(first), bool)
    """Tells at which points the library defines the same."""


def in_torch(function: Callable[..., Any], *inputs: int) -> Results:
    """Call PyTorch; `inputs` are the places of the arguments with gradients, else the first."""

    def results(*given: Array) -> list[Array]:
        tensors = [torch.tensor(x) for x in given]
        differentiable = [tensors[i].requires_grad_() for i in inputs or (0,)]
        value = function(*tensors, reduction="none")
        value.sum().backward()
        return [value.detach().numpy(), *(x.grad.numpy() for x in differentiable)]

    return results


def in_optax(function: Callable[..., Any]) -> Results:
    """Call optax, and differentiate by JAX."""

    def results(first: Array, target: Array) -> list[Array]:
        grad = jax.grad(lambda x: function(x, target).sum())
        return [np.asarray(function(first, target)), np.asarray(grad(first))]

    return results


def in_sklearn(loss: Callable[[int], Any], factor: int = 1) -> Results:
    """Call scikit-learn, whose loss times a factor is the one in question."""

    def results(first: Array, target: Array) -> list[Array]:
        found = loss(first.shape[-1]).loss_gradient(target.astype(first.dtype), first)
        return [factor * x for x in found]

    return results


def likelihood_of_bits(logits: Array, target: Array) -> list[Array]:
    """Compose binary cross-entropy of SciPy's functions."""
    ones, zeros = special.log_expit(logits), special.log_expit(-logits)
    return [-(target * ones + (1 - target) * zeros)]


def likelihood_of_labels(logits: Array, labels: Array) -> list[Array]:
    """Compose cross-entropy of SciPy's functions."""
    return [-np.take_along_axis(special.log_softmax(logits, -1), labels[:, None], -1)[:, 0]]


def likelihood_of_rows(logits: Array, target: Array) -> list[Array]:
    """Compose cross-entropy against probabilities of SciPy's functions."""
    return [-(target * special.log_softmax(logits, -1)).sum(-1)]


PEERS = {
    "PyTorch": {
        "mse defaults": Peer(in_torch(F.mse_loss)),
        "mae defaults": Peer(in_torch(F.l1_loss)),
        "huber defaults": Peer(in_torch(F.huber_loss)),
        "smooth_l1 defaults": Peer(in_torch(F.smooth_l1_loss)),
        "binary_cross_entropy_with_logits defaults": Peer(
            in_torch(F.binary_cross_entropy_with_logits)
        ),
        # Negative variances are refused; where it is clamped, the gradient is another one.
        "gaussian_nll defaults": Peer(
            in_torch(F.gaussian_nll_loss, 0, 2), lambda pred, target, var: var > 1e-6
        ),
        "cross_entropy labels": Peer(in_torch(F.cross_entropy)),
        "cross_entropy probabilities": Peer(in_torch(F.cross_entropy)),
    },
    "scikit-learn": {
        "mse defaults": Peer(in_sklearn(lambda _: sk.HalfSquaredError(), 2)),
        # At the kink the gradient is -1.
        "mae defaults": Peer(
            in_sklearn(lambda _: sk.AbsoluteError()), lambda pred, target: pred != target
        ),
        "huber defaults": Peer(in_sklearn(lambda _: sk.HuberLoss(delta=1.0))),
        "binary_cross_entropy_with_logits defaults": Peer(
            in_sklearn(lambda _: sk.HalfBinomialLoss())
        ),
        "cross_entropy labels": Peer(
            in_sklearn(lambda classes: sk.HalfMultinomialLoss(n_classes=classes))
        ),
    },
    "optax": {
        "mse defaults": Peer(in_optax(optax.squared_error)),
        "huber defaults": Peer(in_optax(optax.huber_loss)),
        "binary_cross_entropy_with_logits defaults": Peer(
            in_optax(optax.sigmoid_binary_cross_entropy)
        ),
        "cross_entropy labels": Peer(in_optax(optax.softmax_cross_entropy_with_integer_labels)),
        "cross_entropy probabilities": Peer(in_optax(optax.softmax_cross_entropy)),
    },
    "SciPy": {
        "huber defaults": Peer(lambda pred, target: [special.huber(1.0, pred - target)]),
        "binary_cross_entropy_with_logits defaults": Peer(likelihood_of_bits),
        "cross_entropy labels": Peer(likelihood_of_labels),
        "cross_entropy probabilities": Peer(likelihood_of_rows),
    },
}

PACKAGES = {
    "PyTorch": ("torch",),
    "scikit-learn": ("scikit-learn",),
    "optax": ("optax", "jax"),
    "SciPy": ("scipy",),
}


def calls(setting: Setting, dtype: str) -> Iterator[tuple[list[Array], list[Parts]]]:
    """Yield arguments in the order of the formula, and the exact results."""
    parameters = points.rounded(setting.parameters, dtype)
    for seed in SEEDS:
        drawn = points.drawn(setting, np.dtype(dtype), runs.BLOCK, seed)
        arrays = {name: np.where(np.isfinite(x), x, 0) for name, x in drawn.items()}
        given = [arrays[name] for name in setting.loss.formula.arguments]
        yield given, exact_results(setting, arrays, parameters)


def largest(got: Array, exact: Parts) -> float:
    """Return the largest error in ULP, or in the spacings of subnormal numbers."""
    return max(float(errors.max(initial=0)) for errors in distance(got, exact))


def measured(setting: Setting, dtype: str) -> dict[str, dict[str, Any]]:
    """Return the largest errors of the libraries that have the loss."""
    name = f"{setting.loss.__name__} {runs.group(setting)}"
    peers = {library: losses[name] for library, losses in PEERS.items() if name in losses}
    found: dict[str, dict[str, Any]] = {
        library: {"value": 0.0, "grad": None, "points": 0} for library in peers
    }
    for given, exact in calls(setting, dtype) if peers else ():
        for library, peer in peers.items():
            taken = peer.takes(*given)
            value, *grads = peer.results(*(x[taken] for x in given))
            worst = found[library]
            worst["points"] += value.size
            worst["value"] = max(worst["value"], largest(value, exact[0][taken]))
            for got, truth in zip(grads, exact[1:], strict=False):  # the others are second ones
                worst["grad"] = max(worst["grad"] or 0.0, largest(got, truth[taken]))
    return found


def main() -> int:
    """Measure all, and write the results."""
    argparse.ArgumentParser(description=__doc__, allow_abbrev=False).parse_args()
    jax.config.update("jax_enable_x64", True)
    torch.set_num_threads(1)
    store: dict[str, Any] = {
        library: {"versions": {name: version(name) for name in packages}, "errors": {}}
        for library, packages in PACKAGES.items()
    }
    for setting in default_settings():
        for dtype in DTYPES:
            key = f"{setting.loss.__name__} {dtype} {runs.group(setting)}"
            with np.errstate(all="ignore"):
                found = measured(setting, dtype)
            for library, errors in found.items():
                store[library]["errors"][key] = errors
                print(f"{key}: {library} {errors}", flush=True)
    STORE.write_text(json.dumps(store, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
