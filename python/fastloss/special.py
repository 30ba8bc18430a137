# SPDX-License-Identifier: BSD-3-Clause
"""Special functions that NumPy lacks, for the formulas: in any floating type."""

from __future__ import annotations

from typing import Any

import numpy as np


def log1pmx(x: Any) -> Any:
    """Return log(1 + x) − x, without cancellation near 0."""
    near = np.abs(x) < 0.25
    s = np.where(near, x, 0) / (2 + x)  # log(1 + x) = 2 artanh(s)
    series = 0 * s
    for k in range(41, 1, -2):
        series = (series + (1 + 0 * s) / k) * s * s
    with np.errstate(invalid="ignore"):
        far = np.where(x == np.inf, -x, np.log1p(x) - x)
    return np.where(near, s * (2 * series - x) + 0, far)  # never −0


def student_t_log_normalizer(df: Any) -> Any:
    """Return −log of the density of Student's t distribution at 0."""
    x, shift = df / 2, 24
    # Brouncker's continued fraction of (2 Γ(y + 1/2) / Γ(y))², y = x + shift
    s = 4 * (x + shift) - 1
    fraction = 2 * s
    for k in range(79, 1, -2):
        fraction = 2 * s + k * k / fraction
    square = s + 1 / fraction
    pi = 0 * square + np.pi + np.sin(np.pi)  # the sine is what np.pi lacks
    steps = np.sqrt(4 * pi * df / square)
    for k in range(shift):
        steps = steps * ((x + k + 0.5) / (x + k))
    return np.log(steps)
