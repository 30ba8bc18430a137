# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch: forward and backward, gradients set to None between the calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from fastloss.bench.peers import Call, Contestant
from fastloss.bench.problems import Array, Arrays, Problem

DISTRIBUTION = "torch"


def binary_focal_with_logits(logits: Any, target: Any) -> Any:
    """Focal loss with gamma = 2, as torchvision composes it."""
    p = torch.sigmoid(logits)
    missed = p + target - 2 * p * target
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (missed**2 * cross_entropy).mean()


def tversky(pred: Any, target: Any, weight: float = 0.5, exponent: float = 1.0) -> Any:
    """Tversky loss of masks with α = β, as it is usually written: PyTorch itself has none."""
    both = (pred * target).sum((2, 3))
    wrong = pred.sum((2, 3)) + target.sum((2, 3)) - 2 * both
    return ((1 - both / (both + weight * wrong)) ** exponent).mean()


def distillation(logits: Any, target: Any) -> Any:
    """Divergence of a teacher's softmax from a student's."""
    q, p = F.log_softmax(logits, -1), F.log_softmax(target, -1)
    return F.kl_div(q, p, reduction="batchmean", log_target=True)


def cosine_embedding(input1: Any, input2: Any, target: Any) -> Any:
    """F.cosine_embedding_loss but for the 1e-12 that it adds to the squared norms."""
    cosine = F.cosine_similarity(input1, input2)
    return torch.mean(torch.where(target > 0, 1 - cosine, cosine.clamp(min=0)))


LOSSES: dict[str, Callable[..., Any]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
    "smooth_l1": F.smooth_l1_loss,
    "binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits,
    "binary_cross_entropy": F.binary_cross_entropy,
    "soft_margin": F.soft_margin_loss,
    "hinge_embedding": F.hinge_embedding_loss,
    "margin_ranking": F.margin_ranking_loss,
    "binary_focal_with_logits": binary_focal_with_logits,
    "gaussian_nll": F.gaussian_nll_loss,
    "poisson_nll": F.poisson_nll_loss,
    "cross_entropy": F.cross_entropy,
    "nll": F.nll_loss,
    "multi_margin": F.multi_margin_loss,
    "squared_multi_margin": partial(F.multi_margin_loss, p=2),
    "dice": tversky,
    "jaccard": partial(tversky, weight=1),
    "tversky": tversky,
    "focal_tversky": partial(tversky, exponent=0.75),
    "kl_div": partial(F.kl_div, reduction="batchmean"),
    "distillation": distillation,
    "multilabel_soft_margin": F.multilabel_soft_margin_loss,
    "cosine_distance": lambda x, y: torch.mean(1 - F.cosine_similarity(x, y)),
    "cosine_embedding": cosine_embedding,
    "triplet_margin": F.triplet_margin_loss,
}


def contestants(threads: int) -> list[Contestant]:
    """Return PyTorch with this number of threads."""
    torch.set_num_threads(threads)
    return [Contestant("PyTorch", prepare)]


def prepare(problem: Problem, arrays: Arrays) -> Call | None:
    """Return the eager call."""
    function = LOSSES.get(problem.loss.__name__)
    return forward_and_backward(function, problem, arrays) if function else None


def forward_and_backward(function: Callable[..., Any], problem: Problem, arrays: Arrays) -> Call:
    """Return a call of a mean, whose gradients accumulate in its leaves."""
    tensors = {name: torch.from_numpy(x) for name, x in arrays.items()}
    leaves = [tensors[name].requires_grad_() for name in problem.loss.inputs]
    arguments = tuple(tensors.values())

    def compute() -> Any:
        for leaf in leaves:
            leaf.grad = None
        value = function(*arguments)
        value.backward()
        return value

    def read(value: Any) -> list[Array]:
        return [value.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)]

    return Call(compute, read)
