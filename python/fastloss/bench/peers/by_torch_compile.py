# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch with the loss compiled, anew for each shape; needs a C++ compiler."""

from __future__ import annotations

import torch

from fastloss.bench.peers import Call, Contestant
from fastloss.bench.peers.by_torch import LOSSES, forward_and_backward
from fastloss.bench.problems import Arrays, Problem

DISTRIBUTION = "torch"


def contestants(threads: int) -> list[Contestant]:
    """Return compiled PyTorch with this number of threads."""
    torch.set_num_threads(threads)
    return [Contestant("torch.compile", prepare)]


def prepare(problem: Problem, arrays: Arrays) -> Call | None:
    """Return the call, which compiles when it is first made."""
    function = LOSSES.get(problem.loss.__name__)
    if function is None:
        return None
    torch.compiler.reset()  # else later shapes are compiled for any shape, or not at all
    return forward_and_backward(torch.compile(function, dynamic=False), problem, arrays)
