# SPDX-License-Identifier: BSD-3-Clause
"""JAX on the CPU: value_and_grad, compiled, with its arguments on the device.

JAX has no call that limits its threads; it takes as many as the process has CPUs, so the process
must be bound to no more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fastloss.bench.peers import Call, Contestant
from fastloss.bench.problems import Arrays, Problem

DISTRIBUTION = "jax"


def huber(pred: Any, target: Any) -> Any:
    """Huber loss, c·(r − c/2) with c the clipped residual's size."""
    r = jnp.abs(pred - target)
    clipped = jnp.minimum(r, 1)
    return clipped * (r - clipped / 2)


def binary_cross_entropy_with_logits(logits: Any, target: Any) -> Any:
    """Binary cross-entropy."""
    return jax.nn.softplus(logits) - target * logits


def binary_focal_with_logits(logits: Any, target: Any) -> Any:
    """Focal loss with gamma = 2."""
    p = jax.nn.sigmoid(logits)
    return (p + target - 2 * p * target) ** 2 * binary_cross_entropy_with_logits(logits, target)


def gaussian_nll(pred: Any, target: Any, var: Any) -> Any:
    """Negative log-likelihood of a Gaussian."""
    v = jnp.maximum(var, 1e-6)
    return (jnp.log(v) + (pred - target) ** 2 / v) / 2


def half_poisson_deviance(pred: Any, target: Any) -> Any:
    """Half of the Poisson deviance."""
    return jnp.exp(pred) - target * (1 + pred) + jax.scipy.special.xlogy(target, target)


def half_gamma_deviance(pred: Any, target: Any) -> Any:
    """Half of the Gamma deviance."""
    log_ratio = jnp.log(target) - pred
    return jnp.exp(log_ratio) - log_ratio - 1


def half_tweedie_deviance(pred: Any, target: Any) -> Any:
    """Half of the Tweedie deviance with power 1.5."""
    high = jnp.exp(pred / 2)
    return 2 * high + 2 * target / high - 4 * jnp.sqrt(target)


def negative_binomial_nll(pred: Any, target: Any) -> Any:
    """Negative log-likelihood of a negative binomial distribution with dispersion 1."""
    return (target + 1) * jax.nn.softplus(pred) - target * pred


def of_label(scores: Any, labels: Any) -> Any:
    """Scores of the labels."""
    return jnp.take_along_axis(scores, labels[:, None], axis=-1)[:, 0]


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Cross-entropy of softmax."""
    return jax.nn.logsumexp(logits, axis=-1) - of_label(logits, labels)


def softmax_focal(logits: Any, labels: Any) -> Any:
    """Focal loss of softmax."""
    loss = cross_entropy(logits, labels)
    return jnp.expm1(-loss) ** 2 * loss


def poly1_cross_entropy(logits: Any, labels: Any) -> Any:
    """Poly-1 cross-entropy."""
    loss = cross_entropy(logits, labels)
    return loss - 2 * jnp.expm1(-loss)


def symmetric_cross_entropy(logits: Any, labels: Any) -> Any:
    """Symmetric cross-entropy."""
    loss = cross_entropy(logits, labels)
    return loss / 10 - 4 * jnp.expm1(-loss)


def multiclass_hinge(logits: Any, labels: Any) -> Any:
    """Multi-class hinge of Crammer and Singer."""
    margin = 1 - jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return jnp.max(logits + margin, axis=-1) - of_label(logits, labels)


def log_cosh(pred: Any, target: Any) -> Any:
    """Log-cosh loss."""
    r = pred - target
    return jnp.logaddexp(r, -r) - jnp.log(2.0).astype(r.dtype)


def tversky(pred: Any, target: Any, weight: float = 0.5, exponent: float = 1.0) -> Any:
    """Tversky loss of masks with α = β."""
    both = jnp.sum(pred * target, (2, 3))
    wrong = jnp.sum(pred, (2, 3)) + jnp.sum(target, (2, 3)) - 2 * both
    return (weight * wrong / (both + weight * wrong)) ** exponent


def kl_div(log_prob: Any, target: Any) -> Any:
    """Kullback-Leibler divergence from log-probabilities."""
    return jnp.sum(jax.scipy.special.xlogy(target, target) - target * log_prob, axis=-1)


def jensen_shannon(log_prob: Any, target: Any) -> Any:
    """Jensen-Shannon divergence from log-probabilities."""
    q = jnp.exp(log_prob)
    log_mean = jnp.log((q + target) / 2)
    from_target = jax.scipy.special.xlogy(target, target) - target * log_mean
    return jnp.sum(from_target + q * (log_prob - log_mean), axis=-1) / 2


def total_variation(prob: Any, target: Any) -> Any:
    """Half of the absolute error of rows."""
    return jnp.sum(jnp.abs(prob - target), axis=-1) / 2


def ranking_softmax(logits: Any, target: Any) -> Any:
    """Softmax loss of lists."""
    return -jnp.sum(target * jax.nn.log_softmax(logits, axis=-1), axis=-1)


def distillation(logits: Any, target: Any) -> Any:
    """Divergence of a teacher's softmax from a student's."""
    q, p = jax.nn.log_softmax(logits, axis=-1), jax.nn.log_softmax(target, axis=-1)
    return jnp.sum(jnp.exp(p) * (p - q), axis=-1)


def cosine(x: Any, y: Any) -> Any:
    """Cosine of the angle between embeddings."""
    norms = jnp.linalg.norm(x, axis=-1) * jnp.linalg.norm(y, axis=-1)
    return jnp.sum(x * y, axis=-1) / norms


def cosine_embedding(input1: Any, input2: Any, target: Any) -> Any:
    """Cosine distance of what belongs together, cosine of what does not."""
    c = cosine(input1, input2)
    return jnp.where(target > 0, 1 - c, jnp.maximum(c, 0))


def contrastive(input1: Any, input2: Any, target: Any) -> Any:
    """Distance of what belongs together, and what is missing to 1 of other distances."""
    d = jnp.linalg.norm(input1 - input2, axis=-1)
    return target * d + (1 - target) * jnp.maximum(1 - d, 0)


def triplet_margin(anchor: Any, positive: Any, negative: Any) -> Any:
    """Triplet loss."""
    near = jnp.linalg.norm(anchor - positive + 1e-6, axis=-1)
    far = jnp.linalg.norm(anchor - negative + 1e-6, axis=-1)
    return jnp.maximum(near - far + 1, 0)


LOSSES: dict[str, Callable[..., Any]] = {
    "mse": lambda pred, target: (pred - target) ** 2,
    "mae": lambda pred, target: jnp.abs(pred - target),
    "half_squared_error": lambda pred, target: (pred - target) ** 2 / 2,
    "log_cosh": log_cosh,
    "hinge": lambda pred, target: jnp.maximum(0, 1 - pred * target),
    "perceptron": lambda pred, target: jnp.maximum(0, -pred * target),
    "soft_margin": lambda pred, target: jax.nn.softplus(-pred * target),
    "margin_ranking": lambda a, b, target: jnp.maximum(0, target * (b - a)),
    "huber": huber,
    "smooth_l1": huber,  # the same where beta is 1
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "binary_focal_with_logits": binary_focal_with_logits,
    "gaussian_nll": gaussian_nll,
    "poisson_nll": lambda pred, target: jnp.exp(pred) - target * pred,
    "half_poisson_deviance": half_poisson_deviance,
    "half_gamma_deviance": half_gamma_deviance,
    "half_tweedie_deviance": half_tweedie_deviance,
    "negative_binomial_nll": negative_binomial_nll,
    "cross_entropy": cross_entropy,
    "softmax_focal": softmax_focal,
    "poly1_cross_entropy": poly1_cross_entropy,
    "generalized_cross_entropy": lambda x, t: -2 * jnp.expm1(-cross_entropy(x, t) / 2),
    "symmetric_cross_entropy": symmetric_cross_entropy,
    "nll": lambda log_prob, labels: -of_label(log_prob, labels),
    "multiclass_hinge": multiclass_hinge,
    "multiclass_perceptron": lambda x, t: jnp.max(x, axis=-1) - of_label(x, t),
    "dice": tversky,
    "jaccard": partial(tversky, weight=1),
    "tversky": tversky,
    "focal_tversky": partial(tversky, exponent=0.75),
    "kl_div": kl_div,
    "jensen_shannon": jensen_shannon,
    "total_variation": total_variation,
    "ranking_softmax": ranking_softmax,
    "distillation": distillation,
    "multilabel_soft_margin": binary_cross_entropy_with_logits,  # the mean is the same
    "cosine_distance": lambda x, y: 1 - cosine(x, y),
    "cosine_embedding": cosine_embedding,
    "contrastive": contrastive,
    "triplet_margin": triplet_margin,
}


def contestants(threads: int) -> list[Contestant]:
    """Return JAX, on whose threads this has no influence."""
    del threads
    jax.config.update("jax_platforms", "cpu")
    return [Contestant("JAX", prepare)]


def prepare(problem: Problem, arrays: Arrays) -> Call | None:
    """Return the compiled call, which waits for its result."""
    terms = LOSSES.get(problem.loss.__name__)
    if terms is None:
        return None
    jax.config.update("jax_enable_x64", problem.dtype == "float64")
    places = tuple(i for i, name in enumerate(arrays) if name in problem.loss.inputs)
    argnums = places if len(places) > 1 else places[0]
    function = jax.jit(jax.value_and_grad(lambda *x: jnp.mean(terms(*x)), argnums))
    arguments = [jnp.asarray(x) for x in arrays.values()]
    return Call(lambda: jax.block_until_ready(function(*arguments)))
