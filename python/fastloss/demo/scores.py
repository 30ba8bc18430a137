# SPDX-License-Identifier: BSD-3-Clause
"""What a user judges a model by: functions of its outputs and the targets."""

import numpy as np

from fastloss.demo.data import Floats, Targets


def two_class_accuracy(logits: Floats, targets: Targets) -> float:
    """Return the part of 0/1 targets on the right side of logit 0."""
    return float(np.mean((logits > 0) == targets))


def accuracy(logits: Floats, labels: Targets) -> float:
    """Return the part of the rows whose largest logit is that of the label."""
    return float(np.mean(logits.argmax(axis=1) == labels))


def mean_absolute_minutes(hours: Floats, target_hours: Targets) -> float:
    """Return the mean absolute error."""
    return float(60 * np.mean(np.abs(hours - target_hours)))


def median_absolute_minutes(hours: Floats, target_hours: Targets) -> float:
    """Return the median absolute error."""
    return float(60 * np.median(np.abs(hours - target_hours)))


def root_mean_squared_minutes(hours: Floats, target_hours: Targets) -> float:
    """Return the root of the mean squared error."""
    return float(60 * np.sqrt(np.mean((hours - target_hours) ** 2)))
