# SPDX-License-Identifier: BSD-3-Clause
"""The losses, a module per family. Importing this package fills the registry."""

from fastloss.losses import pointwise, rowwise

__all__ = ["pointwise", "rowwise"]
