# SPDX-License-Identifier: BSD-3-Clause
"""A linear model, whose outputs may be logits too, and a network with one hidden layer."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fastloss.demo.data import Floats


class Model(Protocol):
    """What the training loop needs of a model."""

    @property
    def parameters(self) -> Sequence[Floats]:
        """The arrays that training changes, in place."""

    @property
    def regularised(self) -> Sequence[bool]:
        """For each parameter, whether L2 regularisation applies: to weights, not to biases."""

    def forward(self, inputs: Floats) -> Floats:
        """Return the outputs in a new array."""

    def backward(self, inputs: Floats, output_grad: Floats) -> Sequence[Floats]:
        """Return the gradient of each parameter; `inputs` are those of the last `forward`."""


class Linear:
    """One output per example: a weighted sum of its inputs, and a bias. All start at 0."""

    regularised = (True, False)

    def __init__(self, inputs: int) -> None:
        self.parameters = (np.zeros(inputs), np.zeros(1))

    def forward(self, inputs: Floats) -> Floats:
        """Return one output per row of inputs."""
        weights, bias = self.parameters
        return inputs @ weights + bias

    def backward(self, inputs: Floats, output_grad: Floats) -> Sequence[Floats]:
        """Return the gradients of the weights and the bias."""
        return inputs.T @ output_grad, output_grad.sum(keepdims=True)


class HiddenLayerNetwork:
    """One hidden layer of rectified linear units, then one output per class."""

    regularised = (True, False, True, False)

    def __init__(
        self, inputs: int, hidden: int, outputs: int, generator: np.random.Generator
    ) -> None:
        def he_weights(rows: int, columns: int) -> Floats:
            return generator.normal(scale=np.sqrt(2 / rows), size=(rows, columns))

        self.parameters = (
            he_weights(inputs, hidden),
            np.zeros(hidden),
            he_weights(hidden, outputs),
            np.zeros(outputs),
        )

    def forward(self, inputs: Floats) -> Floats:
        """Return one row of outputs per row of inputs."""
        hidden_weights, hidden_bias, weights, bias = self.parameters
        self._hidden = np.maximum(inputs @ hidden_weights + hidden_bias, 0)
        return self._hidden @ weights + bias

    def backward(self, inputs: Floats, output_grad: Floats) -> Sequence[Floats]:
        """Return the gradients of both layers' weights and biases."""
        _, _, weights, _ = self.parameters
        hidden_grad = (output_grad @ weights.T) * (self._hidden > 0)
        return (
            inputs.T @ hidden_grad,
            hidden_grad.sum(axis=0),
            self._hidden.T @ output_grad,
            output_grad.sum(axis=0),
        )
