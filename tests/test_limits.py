# SPDX-License-Identifier: BSD-3-Clause
"""Sizes beyond 32 bits, and more memory than there is."""

from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import Call, losses, make_call, settings
from fastloss.accuracy.settings import Setting, default_settings

BEYOND_32_BITS = 2**31 + 7


def test_more_elements_than_32_bits_count() -> None:
    pred = np.broadcast_to(np.float32(1), (BEYOND_32_BITS,))
    assert fl.mse(pred, 3.0, reduction="sum") == 4.0 * BEYOND_32_BITS
    assert fl.mse.weight_sum(pred, 3.0) == BEYOND_32_BITS


def test_more_scores_than_32_bits_count() -> None:
    rows, classes = 2**16 + 1, 2**15 + 1
    assert rows * classes > 2**31
    logits = np.broadcast_to(np.float32(1), (rows, classes))
    labels = np.broadcast_to(np.int64(classes - 1), (rows,))
    value = fl.cross_entropy(logits, labels, reduction="sum")
    assert value == pytest.approx(rows * np.log(classes), rel=1e-6)


def endless(setting: Setting, length: int) -> Call:
    """Return a call of so many elements that their results fit into no memory."""
    small = make_call(setting, (1, 1))
    shape = small.first.shape
    if row := setting.loss.formula.row_length:
        return small.map(lambda x: np.broadcast_to(x, (length // row, *x.shape[1:])))
    return small.map(lambda x: np.broadcast_to(x, (*shape[:-1], length)) if x.shape == shape else x)


@pytest.mark.parametrize("length", [2**45, 2**58, 2**59, 2**60 - 1])
@settings([s for s in default_settings() if s.loss.family != "groupwise"])
def test_no_memory_for_results(setting: Setting, length: int) -> None:
    call = endless(setting, length)
    for threads in (1, 4, 8):
        with fl.threads(threads):
            for method in ("grad", "value_grad_and_hess"):
                with pytest.raises(MemoryError, match=setting.loss.__name__):
                    call(method)


@pytest.mark.parametrize("length", [2**57, 2**58, 2**59, 2**60 - 1])
@settings(
    [s for s in default_settings() if s.loss.family == "rowwise" and not s.loss.formula.row_length]
)
def test_no_memory_for_scratch(setting: Setting, length: int) -> None:
    """Rows that are packed into scratch, whose size must not wrap around."""
    call = endless(setting, length)
    for threads in (1, 2, 4, 8, 16):
        with fl.threads(threads), pytest.raises(MemoryError, match=setting.loss.__name__):
            call()


@losses
def test_no_results_after_no_memory(loss: Any) -> None:
    """The next call is as good as ever."""
    setting = next(s for s in default_settings() if s.loss is loss)
    expected = make_call(setting, (3, 4))()
    if loss.family == "groupwise":
        pytest.skip("first of all, the ids of groups are read")
    with pytest.raises(MemoryError):
        endless(setting, 2**59)("grad")
    assert make_call(setting, (3, 4))() == expected
