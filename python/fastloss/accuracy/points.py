# SPDX-License-Identifier: BSD-3-Clause
"""The arguments at which accuracy is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss.accuracy.settings import Setting, examples
from fastloss.domains import BINARY, REAL, Domain, Labels, Probabilities

Array = NDArray[Any]
Arrays = dict[str, Array]

CLASSES = (2, 3, 5, 10, 17, 64, 100, 1000, 4096)
MANY_CLASSES = 1_000_000
ELEMENTS = (1, 3, 17, 64, 1000, 40_000)  # of a mask
LENGTHS = (2, 3, 5, 10, 17, 64)  # of groups
PATTERNS = 1 << 32  # of the bits of a float32


@np.errstate(all="ignore")
def drawn(setting: Setting, dtype: Any, count: int, seed: int) -> Arrays:
    """Draw arguments where much can go wrong; rows and masks hold about `count` numbers."""
    generator = np.random.default_rng(seed)
    loss = setting.loss
    if loss.family == "rowwise":
        classes = CLASSES[seed % len(CLASSES)] if seed % 100 else MANY_CLASSES
        classes = loss.formula.row_length or classes
        return _rows(setting, dtype, max(count // classes, 1), classes, generator)
    if loss.family == "overlap":
        elements = ELEMENTS[seed % len(ELEMENTS)]
        return _masks(setting, dtype, max(count // elements, 1), elements, generator)
    if loss.family == "groupwise":
        return _groups(setting, dtype, count, LENGTHS[seed % len(LENGTHS)], generator)
    if loss.family == "ordered":
        return _sample(setting, dtype, count, generator)
    arrays = {
        name: _inputs(domain, dtype, count, generator)
        for name, domain in setting.input_domain.items()
    }
    first = arrays[loss.inputs[0]]
    return arrays | {name: _targets(loss.domain[name], first, generator) for name in loss.targets}


def _sample(setting: Setting, dtype: Any, count: int, generator: np.random.Generator) -> Arrays:
    """Draw a sample: near together or wide, far from 0, of few places or of many."""
    loss = setting.loss
    spread = np.ldexp(1.0, generator.integers(-12, 8)) * generator.choice([0.01, 1, 1], count)
    pred = generator.normal(size=count) * spread + generator.choice([0, 0, 1, -30, 800])
    places = generator.choice([10, count // 10 + 1, count * count])
    key, event = loss.targets
    return {
        loss.inputs[0]: pred.astype(dtype),
        key: generator.integers(places, size=count),
        event: (generator.uniform(size=count) < generator.uniform()).astype(dtype),
    }


def _groups(
    setting: Setting, dtype: Any, count: int, length: int, generator: np.random.Generator
) -> Arrays:
    """Draw groups: of grades, with scores near together or far apart, some of them equal."""
    loss = setting.loss
    shape = (max(count // length, 1), length)
    scores = generator.normal(size=shape) * np.ldexp(1.0, generator.integers(-12, 9, (shape[0], 1)))
    coarse = np.round(scores * 4) / 4
    scores = np.where(generator.uniform(size=(shape[0], 1)) < 0.2, coarse, scores)
    target, group = loss.targets
    return {
        loss.inputs[0]: scores.astype(dtype),
        target: generator.integers(generator.choice([2, 5, 31]), size=shape).astype(dtype),
        group: np.broadcast_to(np.arange(shape[0])[:, None], shape),
    }


def consecutive(setting: Setting, start: int, count: int, variant: int) -> Arrays:
    """Return `count` of all float32 patterns as an input, the scores of rows, or masks.

    The variant says which input that is, and what the others and the targets are.
    """
    numbers = np.arange(start, start + count, dtype=np.uint32).view(np.float32)
    loss = setting.loss
    if loss.family == "rowwise":
        return _rows_of(setting, numbers, variant)
    if loss.family == "overlap":
        return _masks_of(setting, numbers)
    values: dict[str, list[float]] = {
        name: [2.0, 0.1] if domain is REAL else examples(domain)
        for name, domain in setting.input_domain.items()
    }
    values |= {name: examples(loss.domain[name]) for name in loss.targets}
    arrays = {name: np.full(count, x[variant % len(x)], np.float32) for name, x in values.items()}
    return arrays | {loss.inputs[variant % len(loss.inputs)]: numbers}


def rounded(parameters: Mapping[str, Any], dtype: Any) -> dict[str, Any]:
    """Round parameters to the arithmetic type: the errors are those of the rounded ones."""
    return {
        name: x if x is None or isinstance(x, bool | str) else float(np.asarray(x, dtype))
        for name, x in parameters.items()
    }


def _numbers(dtype: Any, count: int, generator: np.random.Generator) -> Array:
    """Draw a third each: any bits, sizes around 1, and where exponentials have values."""
    kind = np.finfo(dtype)
    bits = np.frombuffer(generator.bytes(count * kind.bits // 8), dtype)
    sizes = np.ldexp(generator.uniform(1, 2, count), generator.integers(-30, 12, count))
    range_of_exp = -math.log(float(kind.smallest_subnormal)) + 2
    moderate = generator.uniform(-range_of_exp, range_of_exp, count)
    which = generator.integers(3, size=count)
    sign = generator.choice([-1, 1], count)
    return np.choose(which, [bits, (sign * sizes).astype(dtype), moderate.astype(dtype)])


def _inputs(domain: Domain, dtype: Any, count: int, generator: np.random.Generator) -> Array:
    """Draw numbers, and others of the domain in the place of those that lie beyond it."""
    numbers = _numbers(dtype, count, generator)
    if domain is REAL:
        return numbers
    beyond = (numbers < domain.low) | (numbers > domain.high)
    return np.where(beyond, _targets(domain, numbers, generator), numbers)


def _targets(domain: Domain, first: Array, generator: np.random.Generator) -> Array:
    """Draw targets of a domain; where it has them, also next to the first input or to its exp."""
    dtype, count = first.dtype, len(first)
    numbers = _numbers(dtype, count, generator)
    near = first * (1 + generator.integers(-8, 9, count) * np.finfo(dtype).eps)
    edges = generator.choice([float(x) for x in examples(domain)], count)
    tiny = np.ldexp(1.0, -generator.integers(1, 60, count)).astype(dtype)
    if math.isinf(domain.low):
        candidates = [numbers, near, edges, tiny]
    elif math.isinf(domain.high):
        candidates = [domain.low + np.abs(x) for x in (numbers, near, edges, tiny)]
        apart = np.ldexp(1.0, -generator.integers(1, np.finfo(dtype).nmant - 7, count))
        candidates.append(np.exp(first) * (1 + generator.choice([-1, 1], count) * apart))
    else:
        span = domain.high - domain.low
        inside = generator.uniform(domain.low, domain.high, count)
        candidates = [inside, domain.low + span * tiny, domain.high - span * tiny, edges]
    which = generator.integers(len(candidates), size=count)
    targets = np.choose(which, candidates).astype(dtype)
    return np.where(domain.contains(targets), targets, edges.astype(dtype))


def _rows(
    setting: Setting, dtype: Any, count: int, classes: int, generator: np.random.Generator
) -> Arrays:
    """Draw rows: ordinary ones, wide ones, with a leader, far from 0, and next to equal."""
    shape = (count, classes)
    scale = np.ldexp(1.0, generator.integers(-12, 8, (count, 1)))
    scores = generator.normal(size=shape) * scale
    leader = generator.integers(classes, size=count)
    gap = generator.uniform(0, 700, count) * generator.choice([0, 0.05, 1], count)
    scores[np.arange(count), leader] = scores.max(-1) + gap
    scores += generator.choice([0, 0, 1, -30, 1000, 1e5], (count, 1))
    scores = np.where(generator.uniform(size=shape) < 0.01, -np.inf, scores).astype(dtype)
    scores[:, 0] = np.where(np.isinf(scores.max(-1)), 0, scores[:, 0])
    every = classes + setting.loss.formula.more_labels
    labels = np.where(
        generator.uniform(size=count) < 0.5, leader, generator.integers(every, size=count)
    )
    arrays = {name: scores for name in setting.loss.inputs[:1]}
    for name in setting.loss.inputs[1:]:
        arrays[name] = _near(scores, scale, generator)
    for name, domain in setting.loss.domain.items():
        arrays[name] = _row_targets(setting, domain, scores, scale, labels, generator)
    return arrays


def _near(scores: Array, scale: Array, generator: np.random.Generator) -> Array:
    """Draw rows far from others, near them, or the same."""
    step = generator.choice([0, 1e-6, 1e-2, 1, 1], (len(scores), 1)) * scale
    return np.asarray(scores + step * generator.normal(size=scores.shape), scores.dtype)


def _row_targets(  # noqa: PLR0917
    setting: Setting,
    domain: Domain,
    scores: Array,
    scale: Array,
    labels: Array,
    generator: np.random.Generator,
) -> Array:
    """Draw targets: of numbers on one side of 0, as of probabilities, some are 0 and one leads."""
    if setting.labelled and isinstance(domain, Labels):
        return labels
    if domain.kind == "number":
        return _targets(domain, scores[:, 0], generator)
    if domain == BINARY:
        few = generator.uniform(size=scores.shape) < min(0.5, 4 / scores.shape[1])
        few[np.arange(len(scores)), labels] = generator.uniform(size=len(scores)) < 0.9
        return np.asarray(few, scores.dtype)
    if not math.isinf(domain.high) and not isinstance(domain, Labels | Probabilities):
        return _targets(domain, scores.ravel(), generator).reshape(scores.shape)
    if math.isinf(domain.low):
        return _near(scores, scale, generator)
    target = generator.exponential(size=scores.shape) ** generator.integers(1, 6, (len(scores), 1))
    target = np.where(generator.uniform(size=scores.shape) < 0.2, 0, target)
    target[np.arange(len(scores)), labels] += 1
    if isinstance(domain, Labels | Probabilities):
        target /= target.sum(-1, keepdims=True)
    return np.asarray(target, scores.dtype)


def _rows_of(setting: Setting, numbers: Array, variant: int) -> Arrays:
    """Make rows of 1024 scores and a first one that is 0 or so; without NaN and +inf."""
    loss = setting.loss
    scores = np.where(np.isnan(numbers) | np.isposinf(numbers), 0, numbers)
    scores = scores.reshape(-1, loss.formula.row_length or 1024).copy()
    if not loss.formula.row_length:
        first = np.full_like(scores[:, :1], (0, 3.25)[variant % 2])
        scores = np.concatenate([first, scores], axis=1)
    labels = np.where(np.arange(len(scores)) % 2, 0, scores.shape[1] - 1)
    arrays = {name: np.roll(scores, k, axis=0) for k, name in enumerate(loss.inputs)}
    for name, domain in loss.domain.items():
        if setting.labelled and isinstance(domain, Labels):
            arrays[name] = labels
        elif domain == BINARY:
            arrays[name] = np.asarray(np.arange(scores.shape[1]) == labels[:, None], scores.dtype)
        elif isinstance(domain, Labels | Probabilities):
            target = np.full_like(scores, 0.5 / (scores.shape[1] - 1))
            target[np.arange(len(scores)), labels] = 0.5
            arrays[name] = target
        else:
            shape = scores.shape[:1] if domain.kind == "number" else scores.shape
            arrays[name] = np.full(shape, examples(domain)[variant], scores.dtype)
    return arrays


def _masks(
    setting: Setting, dtype: Any, count: int, elements: int, generator: np.random.Generator
) -> Arrays:
    """Draw masks, hard ones, empty and full ones, soft ones, and predictions from bad to perfect.

    One logit of each is ordinary, since a prediction that rounds to 0 everywhere is nothing.
    """
    shape, each = (count, 1, elements), (count, 1, 1)
    hard = generator.uniform(size=shape) < generator.choice([0, 0.01, 0.3, 0.7, 1], each)
    tiny = np.ldexp(generator.uniform(1, 2, shape), -generator.integers(1, 60, shape))
    soft = np.where(hard, 1 - tiny, tiny)
    target = np.select(
        [generator.uniform(size=each) < 0.6, generator.uniform(size=each) < 0.5],
        [hard, soft],
        generator.uniform(size=shape),
    ).astype(dtype)
    if setting.input_domain["pred"] is not REAL:
        error = tiny ** generator.choice([0.05, 1, 1], each)
        candidates = [generator.uniform(size=shape), np.abs(hard - error), tiny, target]
    else:
        scale = np.ldexp(1.0, generator.integers(-12, 8, each))
        drawn = generator.normal(size=shape) * scale + generator.choice([0, 0, -20, 20], each)
        right = np.where(target > 0.5, np.abs(drawn), -np.abs(drawn))
        candidates = [drawn, right, right, -right]
    pred = np.choose(generator.integers(4, size=each), candidates).astype(dtype)
    if setting.input_domain["pred"] is REAL:
        infinite = generator.uniform(size=shape) < 0.01
        pred = np.where(infinite, np.copysign(np.inf, pred), pred)
        pred[..., 0] = np.clip(pred[..., 0], -60, 60)
    return dict(zip(setting.loss.formula.arguments, (pred, target), strict=True))


def _masks_of(setting: Setting, numbers: Array) -> Arrays:
    """Make masks of 1024 numbers and a first one that is ordinary; without NaN."""
    numbers = np.where(np.isnan(numbers), 0, numbers)
    if setting.input_domain["pred"] is not REAL:  # all between 0 and 1, twice
        numbers = np.abs(numbers)
        numbers = np.where(numbers > 1, 1 / numbers, numbers)
    pred = np.insert(numbers.reshape(-1, 1, 1024), 0, 0.25, axis=-1)
    target = np.zeros_like(pred)
    target[..., ::3] = 1
    return dict(zip(setting.loss.formula.arguments, (pred, target), strict=True))
