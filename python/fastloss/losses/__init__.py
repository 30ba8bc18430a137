# SPDX-License-Identifier: BSD-3-Clause
"""The losses, in modules by what their targets are, and the registry that importing them fills."""

from fastloss.families import losses
from fastloss.losses import (
    binary,
    counts,
    cross_entropy,
    distributions,
    labels,
    margins,
    multiclass_margins,
    multilabel,
    regression,
    robust,
    segmentation,
)

__all__ = [
    "binary",
    "counts",
    "cross_entropy",
    "distributions",
    "labels",
    "losses",
    "margins",
    "multiclass_margins",
    "multilabel",
    "regression",
    "robust",
    "segmentation",
]
