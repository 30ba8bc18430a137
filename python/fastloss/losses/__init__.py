# SPDX-License-Identifier: BSD-3-Clause
"""The losses, in modules by what their targets are, and the registry that importing them fills."""

from fastloss.families import losses
from fastloss.losses import binary, margins, regression, rowwise

__all__ = ["binary", "losses", "margins", "regression", "rowwise"]
