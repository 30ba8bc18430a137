# SPDX-License-Identifier: BSD-3-Clause
"""A data set in three parts: one to train on, one to decide when to stop, one for the score."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Targets = NDArray[Any]
"""One target per example: a real number, or the label of a class."""


@dataclass(frozen=True)
class Examples:
    """One row of `inputs` and one target per example."""

    inputs: Floats
    targets: Targets


@dataclass(frozen=True)
class DataSet:
    """Three parts that have no example in common."""

    training: Examples
    validation: Examples
    test: Examples


def split(
    inputs: Floats,
    targets: Targets,
    *,
    training: int,
    validation: int,
    generator: np.random.Generator,
) -> DataSet:
    """Shuffle the examples and deal them out; the test part is what the other two leave."""
    order = generator.permutation(len(targets))
    parts = np.split(order, [training, training + validation])
    return DataSet(*(Examples(inputs[part], targets[part]) for part in parts))


def standardised(data: DataSet) -> DataSet:
    """Shift and scale all inputs by the means and deviations of the training part."""
    mean = data.training.inputs.mean(axis=0)
    deviation = data.training.inputs.std(axis=0)
    parts = (data.training, data.validation, data.test)
    return DataSet(*(Examples((part.inputs - mean) / deviation, part.targets) for part in parts))
