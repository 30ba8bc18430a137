# SPDX-License-Identifier: BSD-3-Clause
"""The losses, a module per family, and the registry that importing them fills."""

from fastloss.families import losses
from fastloss.losses import pointwise, rowwise

__all__ = ["losses", "pointwise", "rowwise"]
