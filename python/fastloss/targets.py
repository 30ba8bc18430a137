# SPDX-License-Identifier: BSD-3-Clause
"""Checks of targets that calls leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss.domains import Domain
from fastloss.families import Loss
from fastloss.reference import is_narrow


def check_target(loss: Loss, *targets: ArrayLike) -> None:
    """Check that targets lie in the domain of a loss.

    Calls apply their formula to whatever targets hold; only labels are checked there. Do this
    once, before training.

    Parameters
    ----------
    loss : function
        A loss of `fastloss.losses`.
    *targets : array_like
        Its targets, in the order of a call; the last of several may be left out.

    Raises
    ------
    TypeError
        If `loss` is not a loss with so many targets, or one of them is not of real numbers.
    ValueError
        If a target is NaN or outside the domain; the message says which is the first.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.check_target(fl.binary_cross_entropy_with_logits, [0, 1, 0.5])
    >>> fl.check_target(fl.binary_cross_entropy_with_logits, [0, 1, 2])
    Traceback (most recent call last):
        ...
    ValueError: check_target: argument 'target': expected a number in [0, 1], got 2 at index 2
    """
    domains = getattr(loss, "domain", None)
    if domains is None:
        raise TypeError(f"check_target: argument 'loss': expected a loss, got {loss!r}")
    if not domains:
        raise TypeError(f"check_target: argument 'loss': expected one with a target, got {loss!r}")
    if not 1 <= len(targets) <= len(domains):
        raise TypeError(
            f"check_target: expected the targets of {loss.__name__} ({', '.join(domains)}), "
            f"got {len(targets)} arrays"
        )
    for (name, domain), target in zip(domains.items(), targets, strict=False):
        _check(name, domain, np.asarray(target))


def _check(name: str, domain: Domain, values: NDArray[Any]) -> None:
    if is_narrow(values.dtype):
        values = values.astype(np.float32)
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"check_target: argument '{name}': expected real numbers, got dtype {values.dtype}"
        )
    outside = ~domain.contains(values)
    if outside.any():
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        position = index[0] if len(index) == 1 else index
        raise ValueError(
            f"check_target: argument '{name}': expected {domain.description}, "
            f"got {values[index].item()!r} at index {position}"
        )
