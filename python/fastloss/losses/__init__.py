# SPDX-License-Identifier: BSD-3-Clause
"""The losses, in modules by what their targets are, and the registry that importing them fills."""

from fastloss.families import losses
from fastloss.losses import (
    binary,
    boxes,
    counts,
    cox,
    cross_entropy,
    distributions,
    embeddings,
    labels,
    margins,
    multiclass_margins,
    multilabel,
    ranking,
    regression,
    robust,
    segmentation,
    similarities,
    survival,
)

__all__ = [
    "binary",
    "boxes",
    "counts",
    "cox",
    "cross_entropy",
    "distributions",
    "embeddings",
    "labels",
    "losses",
    "margins",
    "multiclass_margins",
    "multilabel",
    "ranking",
    "regression",
    "robust",
    "segmentation",
    "similarities",
    "survival",
]
