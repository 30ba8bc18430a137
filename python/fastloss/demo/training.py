# SPDX-License-Identifier: BSD-3-Clause
"""Mini-batch SGD with momentum, L2 regularisation and early stopping."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from fastloss.demo.data import DataSet, Examples, Floats, Targets
from fastloss.demo.models import Model


@dataclass(frozen=True)
class Loss:
    """A mean loss as the loop calls it, whoever computes it.

    `value_and_grad` may overwrite the outputs that it is given: the loop is done with them.
    """

    value: Callable[[Floats, Targets], float]
    value_and_grad: Callable[[Floats, Targets], tuple[float, Floats]]


@dataclass(frozen=True)
class Settings:
    """How to train, and until when."""

    epochs: int
    batch_size: int
    learning_rate: float
    l2_strength: float
    """λ, where SGD minimises the loss + λ/2·‖weights‖²."""
    momentum: float = 0.9
    patience: int | None = 10
    """Stop after so many epochs in a row without a lower validation loss; None: never."""
    stop_at: float | None = None
    """Stop when the training loss is below this; None: never."""


class Training:
    """One training run, advanced epoch by epoch; equal arguments and seeds make equal runs."""

    def __init__(
        self,
        model: Model,
        loss: Loss,
        data: DataSet,
        settings: Settings,
        generator: np.random.Generator,
    ) -> None:
        self.model = model
        self.settings = settings
        self.training_losses: list[float] = []
        """The loss over the whole training part after each epoch, without the L2 term."""
        self.validation_losses: list[float] = []
        self.best_epoch = 0
        """The epoch with the lowest validation loss so far, counted from 1; 0 if there is none."""
        self.seconds = 0.0
        self.seconds_in_loss = 0.0
        """Those of `seconds` that went into the loss with its gradient."""
        self._loss = loss
        self._data = data
        self._generator = generator
        self._velocities = [np.zeros_like(parameter) for parameter in model.parameters]
        self._best_parameters = [parameter.copy() for parameter in model.parameters]
        self._best_validation_loss = math.inf

    @property
    def finished(self) -> bool:
        """Whether the epochs, the patience or the threshold `stop_at` have ended the run."""
        settings = self.settings
        epoch = len(self.training_losses)
        if epoch >= settings.epochs:
            return True
        if settings.patience is not None and epoch - self.best_epoch >= settings.patience:
            return True
        stop_at = -math.inf if settings.stop_at is None else settings.stop_at
        return epoch > 0 and self.training_losses[-1] < stop_at

    def run_epoch(self) -> None:
        """Use every training example once, in a new order, and evaluate."""
        start = perf_counter()
        training, size = self._data.training, self.settings.batch_size
        order = self._generator.permutation(len(training.targets))
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            self._step(training.inputs[batch], training.targets[batch])
        self.training_losses.append(self._evaluate(training))
        self.validation_losses.append(self._evaluate(self._data.validation))
        if self.validation_losses[-1] < self._best_validation_loss:
            self._best_validation_loss = self.validation_losses[-1]
            self.best_epoch = len(self.validation_losses)
            _copy(self.model.parameters, self._best_parameters)
        self.seconds += perf_counter() - start

    def best_losses(self) -> tuple[float, float]:
        """Return the training and the validation loss after the best epoch."""
        return (
            self.training_losses[self.best_epoch - 1],
            self.validation_losses[self.best_epoch - 1],
        )

    def restore_best(self) -> None:
        """Give the model back the parameters that it had after the best epoch."""
        _copy(self._best_parameters, self.model.parameters)

    def _step(self, inputs: Floats, targets: Targets) -> None:
        outputs = self.model.forward(inputs)
        start = perf_counter()
        _, output_grad = self._loss.value_and_grad(outputs, targets)
        self.seconds_in_loss += perf_counter() - start
        grads = self.model.backward(inputs, output_grad)
        for parameter, regularised, grad, velocity in zip(
            self.model.parameters, self.model.regularised, grads, self._velocities, strict=True
        ):
            self._update(parameter, velocity, grad, self.settings.l2_strength * regularised)

    def _update(
        self, parameter: Floats, velocity: Floats, grad: Floats, l2_strength: float
    ) -> None:
        velocity *= self.settings.momentum
        velocity -= self.settings.learning_rate * (grad + l2_strength * parameter)
        parameter += velocity

    def _evaluate(self, part: Examples) -> float:
        return self._loss.value(self.model.forward(part.inputs), part.targets)


def _copy(source: Sequence[Floats], destination: Sequence[Floats]) -> None:
    for values, array in zip(source, destination, strict=True):
        array[...] = values
