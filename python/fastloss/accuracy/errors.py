# SPDX-License-Identifier: BSD-3-Clause
"""How far a result lies from the exact one, in units in the last place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastloss.reference import Parts


class Distance(NamedTuple):
    """Errors of normal results in ULP, and of subnormal ones in their spacings."""

    ulp: NDArray[np.float64]
    spacings: NDArray[np.float64]


def suspects(got: NDArray[Any], exact: Parts, ulp: float) -> NDArray[np.bool_]:
    """Tell where an error may be larger than so many ULP: not one is missed."""
    truth = exact.sum()
    smallest_unit = np.finfo(got.dtype).epsneg
    with np.errstate(all="ignore"):
        error = np.abs(got.astype(truth.dtype) - truth)
        return np.asarray(~(error <= exact.size() * (ulp * smallest_unit)))


def distance(got: NDArray[Any], exact: Parts) -> Distance:
    """Compare with exact results, which are of a wider type.

    Infinitely far is what is NaN, infinite or 0 where the exact result, rounded, is not. Where the
    largest part is too large for a number, the result may be anything.
    """
    kind = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        truth, size = exact.sum(), exact.size()
        rounded = truth.astype(got.dtype)
        rounded_size = np.minimum(size.astype(got.dtype), kind.max)
        unit = np.spacing(rounded_size).astype(truth.dtype)
        error = (np.abs(got.astype(truth.dtype) - truth) / unit).astype(np.float64)
    same = (got == rounded) | (np.isnan(got) & np.isnan(truth))
    lost = (got == 0) & (np.abs(truth) > kind.smallest_subnormal) & (np.abs(truth) == size)
    error = np.where(np.isfinite(error) & ~lost, error, np.where(same, 0, np.inf))
    error = np.where(np.isfinite(size) & np.isinf(size.astype(got.dtype)), 0, error)
    subnormal = rounded_size < kind.smallest_normal
    return Distance(np.where(subnormal, 0, error), np.where(subnormal, error, 0))
