# SPDX-License-Identifier: BSD-3-Clause
"""The three tasks: what is learned from which data, with which losses and settings."""

from functools import partial

import numpy as np

import fastloss as fl
from fastloss.demo import numpy_losses, real_data, scores
from fastloss.demo.data import DataSet, Floats, Targets
from fastloss.demo.experiment import Objective, Task
from fastloss.demo.models import HiddenLayerNetwork, Linear, Model
from fastloss.demo.training import Loss, Settings
from fastloss.families import Methods


def _by_fastloss(function: Methods, **parameters: float) -> Loss:
    def value_and_grad(outputs: Floats, targets: Targets) -> tuple[float, Floats]:
        result: tuple[float, Floats] = function.value_and_grad(
            outputs, targets, **parameters, out=(None, outputs)
        )
        return result

    return Loss(partial(function, **parameters), value_and_grad)


def _linear(data: DataSet, _generator: np.random.Generator) -> Model:
    return Linear(data.training.inputs.shape[1])


def _network(data: DataSet, generator: np.random.Generator) -> Model:
    return HiddenLayerNetwork(data.training.inputs.shape[1], 64, 10, generator)


DELTA = 0.25  # hours: a quarter of an hour is when an arrival counts as late

TASKS = (
    Task(
        name="spam",
        title="4,601 e-mails, logistic regression",
        read=real_data.read_spam,
        build_model=_linear,
        objectives=(
            Objective(
                "binary_cross_entropy_with_logits",
                Loss(
                    numpy_losses.binary_cross_entropy_with_logits,
                    numpy_losses.binary_cross_entropy_with_logits_value_and_grad,
                ),
                _by_fastloss(fl.binary_cross_entropy_with_logits),
            ),
        ),
        scores={"test accuracy": scores.two_class_accuracy},
        score_format="{:.1%}",
        settings=Settings(epochs=60, batch_size=128, learning_rate=0.01, l2_strength=0.01),
        l2_strengths=(0, 0.01, 0.1, 1),
    ),
    Task(
        name="digits",
        title="1,000 of 5,000 MNIST images, one hidden layer",
        read=real_data.read_digits,
        build_model=_network,
        objectives=(
            Objective(
                "cross_entropy",
                Loss(numpy_losses.cross_entropy, numpy_losses.cross_entropy_value_and_grad),
                _by_fastloss(fl.cross_entropy),
            ),
        ),
        scores={"test accuracy": scores.accuracy},
        score_format="{:.1%}",
        settings=Settings(epochs=50, batch_size=128, learning_rate=0.1, l2_strength=0.01),
        l2_strengths=(0, 0.001, 0.01, 0.1),
    ),
    Task(
        name="flights",
        title="327,346 flights, arrival delay by a linear model",
        read=real_data.read_flights,
        build_model=_linear,
        objectives=(
            Objective(
                "mse",
                Loss(numpy_losses.mse, numpy_losses.mse_value_and_grad),
                _by_fastloss(fl.mse),
            ),
            Objective(
                "huber",
                Loss(
                    partial(numpy_losses.huber, delta=DELTA),
                    partial(numpy_losses.huber_value_and_grad, delta=DELTA),
                ),
                _by_fastloss(fl.huber, delta=DELTA),
            ),
        ),
        scores={
            "test mean absolute error": scores.mean_absolute_minutes,
            "test median absolute error": scores.median_absolute_minutes,
            "test root mean squared error": scores.root_mean_squared_minutes,
        },
        score_format="{:.2f} min",
        settings=Settings(epochs=15, batch_size=1024, learning_rate=0.005, l2_strength=0.01),
        l2_strengths=(0, 0.01, 0.1, 1),
    ),
)
