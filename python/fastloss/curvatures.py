# SPDX-License-Identifier: BSD-3-Clause
"""Second derivatives that stand in for the exact one where a positive one is needed.

Newton steps, those of boosting included, divide by the second derivative. That of a loss may be 0
almost everywhere, as of the absolute error, or negative somewhere, as of a loss that is not convex.
A `Curvature` fills in what to divide by; a loss says by `Curvatures` which ones it has.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastloss.families import Loss

Array = NDArray[Any]


@dataclass(frozen=True)
class Terms:
    """The terms of a sum of losses, and where their derivatives go."""

    loss: Loss
    pred: Array
    targets: tuple[Array, ...]
    weight: Array | None  # which broadcasts to the terms
    keywords: Mapping[str, Any]  # the loss's own
    grad: Array
    hess: Array

    def fill_grad(self) -> None:
        """Write the exact gradient."""
        self.loss.grad(self.pred, *self.targets, **self.how, out=self.grad)

    def fill_grad_and_hess(self) -> None:
        """Write the exact derivatives."""
        self.loss.grad_and_hess(self.pred, *self.targets, **self.how, out=(self.grad, self.hess))

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters of the loss."""
        return parameters_of(self.loss, self.keywords)

    @property
    def how(self) -> dict[str, Any]:
        """The keywords of a call for these terms."""
        return {**self.keywords, "weight": self.weight, "reduction": "sum"}

    @property
    def element_weight(self) -> Any:
        """What the derivatives of one element are multiplied with; it broadcasts to them."""
        if self.weight is None:
            return 1.0
        if self.loss.family == "groupwise":
            return self.weight[self.targets[-1]]  # the numbers of groups, from 0
        return self.weight[..., np.newaxis] if self.loss.family == "rowwise" else self.weight


class Curvature(Protocol):
    """What a Newton step divides by."""

    def fill(self, terms: Terms) -> None:
        """Write `terms.grad` and `terms.hess`."""


@dataclass(frozen=True)
class Exact:
    """The exact second derivative, or that times a factor."""

    factor: float = 1.0

    def fill(self, terms: Terms) -> None:
        """Write both derivatives."""
        terms.fill_grad_and_hess()
        if self.factor != 1:
            np.multiply(terms.hess, self.factor, out=terms.hess)


@dataclass(frozen=True)
class Absolute:
    """The size of the exact second derivative, which may be negative under some parameters."""

    def fill(self, terms: Terms) -> None:
        """Write both derivatives."""
        terms.fill_grad_and_hess()
        if terms.hess.min(initial=0) < 0:
            np.abs(terms.hess, out=terms.hess)


@dataclass(frozen=True)
class InProbability:
    """Gauss-Newton for a loss that is convex in σ(x), the probability, if not in x, the logit.

    What the curvature of the sigmoid contributes, −gradient·tanh(x/2), is left out. For a focal
    loss the rest is positive, whatever its exponent.
    """

    def fill(self, terms: Terms) -> None:
        """Write both derivatives."""
        terms.fill_grad_and_hess()
        np.add(terms.hess, terms.grad * np.tanh(terms.pred / 2), out=terms.hess)


@dataclass(frozen=True)
class Constant:
    """One number for all elements."""

    value: float = 1.0

    def fill(self, terms: Terms) -> None:
        """Write both derivatives."""
        terms.fill_grad()
        np.multiply(terms.element_weight, self.value, out=terms.hess)


@dataclass(frozen=True)
class AtZero:
    """The exact second derivative of a prediction of 0, where that is its largest."""

    def fill(self, terms: Terms) -> None:
        """Write both derivatives."""
        terms.fill_grad()
        zero = np.broadcast_to(np.zeros((), terms.pred.dtype), terms.pred.shape)
        terms.loss.grad_and_hess(zero, *terms.targets, **terms.how, out=(None, terms.hess))


@dataclass(frozen=True)
class Formula:
    """A function of prediction, target and the loss's parameters."""

    of: Callable[..., Any]

    def fill(self, terms: Terms) -> None:
        """Write both derivatives."""
        terms.fill_grad()
        curvature = self.of(terms.pred, *terms.targets, **terms.parameters)
        np.multiply(curvature, terms.element_weight, out=terms.hess)


def parameters_of(loss: Loss, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of a loss, of which some are given."""
    return {name: keywords.get(name, p.default) for name, p in loss.parameters.items()}


SOFTENING = 0.2
"""What is added to distances that are divided by, in units of the typical distance."""


@dataclass(frozen=True)
class Residual:
    """ψ(r)/r, where ψ is the derivative of a loss of the difference r = pred − target.

    The parabola with this curvature that touches the loss at r is nowhere below it, if the loss
    is symmetric and its curvature falls with |r|, as for all robust losses: each step goes down.
    At r = 0 it is the exact second derivative; where that is 0 or infinite, distances are softened.
    """

    def fill(self, terms: Terms) -> None:
        """Write both derivatives."""
        terms.fill_grad()
        distance = np.abs(np.subtract(terms.pred, terms.targets[0], out=terms.hess), out=terms.hess)
        at_zero = self._at_zero(terms)
        if not np.all(np.isfinite(at_zero) & (at_zero > 0)):
            np.divide(np.abs(terms.grad), softened(distance, terms.weight), out=terms.hess)
            return
        perfect = distance == 0
        np.divide(np.abs(terms.grad), distance, out=terms.hess, where=~perfect)
        np.copyto(terms.hess, at_zero * terms.element_weight, where=perfect)

    @staticmethod
    def _at_zero(terms: Terms) -> Array:
        zero = np.zeros(terms.pred.shape[-1] if terms.pred.ndim > 1 else 1)
        _, hess = terms.loss.grad_and_hess(zero, zero, **terms.keywords, reduction="none")
        return np.asarray(hess)


Kinks = Callable[..., tuple[tuple[Any, Any], ...]]
"""From the target and the parameters: the places where the slope jumps, and by how much."""


@dataclass(frozen=True)
class Kinked:
    """For a loss that is linear between kinks: Σ jump/(2·distance), of the distances to them.

    The parabola with this curvature that touches the loss is nowhere below it. Distances are
    then softened, so that no element that is met almost exactly holds its leaf fast.

    Both derivatives are multiplied by the typical distance. That is the loss in other units: its
    second derivative has no unit then, like that of a squared error, so that regularisation and
    the least curvature of a leaf mean the same whatever the unit of the target.
    """

    kinks: Kinks

    def fill(self, terms: Terms) -> None:
        """Write both derivatives."""
        terms.fill_grad()
        places = self.kinks(terms.targets[0], **terms.parameters)
        distances = [np.abs(terms.pred - place) for place, _ in places]
        scale = typical(functools.reduce(np.minimum, distances), terms.weight)
        terms.hess[...] = 0
        for distance, (_, jump) in zip(distances, places, strict=True):
            np.add(distance, SOFTENING * scale, out=distance)
            np.divide(self.numerator(terms, jump) * scale, distance, out=distance)
            np.add(terms.hess, distance, out=terms.hess)
        np.multiply(terms.grad, scale, out=terms.grad)

    def numerator(self, terms: Terms, jump: Any) -> Any:
        """Return what a distance divides."""
        return jump / 2 * terms.element_weight


@dataclass(frozen=True)
class Reweighted(Kinked):
    """For a loss with one kink: |slope|/distance, the weights of reweighted least squares.

    Where the two slopes differ it is no majorant, but takes larger steps down the gentle one.
    """

    def numerator(self, terms: Terms, jump: Any) -> Any:
        """Return what a distance divides."""
        return np.abs(terms.grad)


def typical(distance: Array, weight: Array | None) -> Array:
    """Return (mean of √distance)² of each column, which a few large ones hardly move.

    Where all are 0 it is 1.
    """
    root = np.sqrt(distance)
    if weight is None:
        mean = root.mean(axis=0, dtype=np.float64)
    else:
        total = max(float(weight.sum(dtype=np.float64)), np.finfo(np.float64).tiny)
        mean = np.multiply(root, weight, out=root).sum(axis=0, dtype=np.float64) / total
    return np.asarray(np.where(mean > 0, mean**2, 1), dtype=distance.dtype)


def softened(distance: Array, weight: Array | None) -> Array:
    """Return distances that are not near 0."""
    return distance + SOFTENING * typical(distance, weight)


@dataclass(frozen=True)
class Curvatures:
    """What stands in for the second derivative of a loss.

    Attributes
    ----------
    positive
        Positive everywhere: the exact one if it is, or else a majorant.
    gauss_newton
        The part of it that is left when what is between prediction and loss is linearised: the
        expected second derivative of a likelihood, the weights of reweighted least squares.
    upper_bound
        That of a parabola which touches the loss and is nowhere below it, so that no step
        overshoots; of several scores, a diagonal that bounds the matrix of second derivatives.
    """

    positive: Curvature = Exact()
    gauss_newton: Curvature | None = None
    upper_bound: Curvature | None = None


CONSTANT = Curvatures(Exact(), gauss_newton=Exact(), upper_bound=Exact())
"""Of a loss whose second derivative is positive and does not depend on the prediction."""

LOGISTIC = Curvatures(Exact(), gauss_newton=Exact(), upper_bound=AtZero())
"""Of a loss whose second derivative is that of a likelihood, and largest at 0."""

SOFTMAX = Curvatures(Absolute(), gauss_newton=Exact(), upper_bound=Exact(2))
"""Of a cross-entropy of softmax: the matrix of second derivatives is at most twice its diagonal."""

FOCAL = Curvatures(InProbability(), gauss_newton=InProbability())
"""Of a loss that falls off for what is already well classified."""

ROBUST = Curvatures(Residual(), gauss_newton=Residual(), upper_bound=Residual())
"""Of a symmetric loss of pred − target whose curvature falls."""


REWEIGHTED = Curvatures(Residual(), gauss_newton=Residual())
"""Of a symmetric loss of pred − target whose curvature may also grow, or jump."""


def at_most(value: float) -> Curvatures:
    """Return the curvatures of a loss whose second derivative is this or 0."""
    return Curvatures(Constant(value), upper_bound=Constant(value))


def of_parts(formula: Callable[..., Any]) -> Curvatures:
    """Return the curvatures of a loss whose Gauss-Newton part has a formula.

    It is a function of predictions, targets and the loss's parameters.
    """
    return Curvatures(Formula(formula), gauss_newton=Formula(formula))


def kinked(kinks: Kinks) -> Curvatures:
    """Return the curvatures of a loss that is linear between kinks."""
    return Curvatures(Kinked(kinks), upper_bound=Kinked(kinks))


def wedge(kinks: Kinks) -> Curvatures:
    """Return the curvatures of a loss that is linear on both sides of one kink."""
    return Curvatures(Kinked(kinks), gauss_newton=Reweighted(kinks), upper_bound=Kinked(kinks))
