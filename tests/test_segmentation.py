# SPDX-License-Identifier: BSD-3-Clause
"""The definitions of the overlap losses, which masks they see, and how large ones are cut."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, LOSSES, METHODS, REDUCTIONS, assert_same_bits, parts

Array = np.ndarray

OVERLAP = [loss for loss in LOSSES if loss.family == "overlap"]
each_loss = pytest.mark.parametrize("loss", OVERLAP, ids=lambda loss: loss.__name__)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
from_both = pytest.mark.parametrize("from_logits", [False, True], ids=["probabilities", "logits"])

BLOCK = 16384  # elements that a kernel takes at once
SHARED = 32  # masks that threads may share


def masks(shape: tuple[int, ...], *, from_logits: bool = False, dtype: Any = np.float64) -> Any:
    """Draw predictions and hard targets."""
    generator = np.random.default_rng([*shape, from_logits])
    pred = generator.normal(size=shape) * 2 if from_logits else generator.uniform(size=shape)
    return pred.astype(dtype), (generator.uniform(size=shape) < 0.4).astype(dtype)


def all_results(loss: Any, *arguments: Any, **keywords: Any) -> tuple[Any, ...]:
    methods = [loss if m == "value" else getattr(loss, m) for m in METHODS]
    return tuple(f(*arguments, reduction=r, **keywords) for f in methods for r in REDUCTIONS)


# ---- definitions ------------------------------------------------------------------------------


def as_monai_has_dice(p: Any, t: Any, smooth: Any = 0) -> Any:
    """`DiceLoss(smooth_nr=smooth, smooth_dr=smooth)`."""
    return 1 - (2 * sum(p * t) + smooth) / (sum(p) + sum(t) + smooth)


def as_monai_has_jaccard(p: Any, t: Any, smooth: Any = 0) -> Any:
    """`DiceLoss(jaccard=True)`."""
    both = sum(p * t)
    return 1 - (2 * both + 2 * smooth) / (2 * (sum(p) + sum(t) - both) + 2 * smooth)


def as_monai_has_tversky(p: Any, t: Any, alpha: Any = 0.5, beta: Any = 0.5, smooth: Any = 0) -> Any:
    """`TverskyLoss(alpha, beta)`."""
    found = sum(p * t)
    wrong = alpha * sum(p * (1 - t)) + beta * sum((1 - p) * t)
    return 1 - (found + smooth) / (found + wrong + smooth)


def as_smp_has_focal_tversky(p: Any, t: Any, gamma: Any = 4 / 3, **parameters: Any) -> Any:
    """`TverskyLoss(gamma=1/gamma)` of segmentation_models_pytorch."""
    return as_monai_has_tversky(p, t, **parameters) ** (1 / mpmath.mpf(gamma))


CASES: list[tuple[Any, Callable[..., Any], dict[str, float]]] = [
    (fl.dice, as_monai_has_dice, {}),
    (fl.dice, as_monai_has_dice, {"smooth": 1e-5}),
    (fl.dice, as_monai_has_dice, {"smooth": 3.0}),
    (fl.jaccard, as_monai_has_jaccard, {}),
    (fl.jaccard, as_monai_has_jaccard, {"smooth": 0.25}),
    (fl.tversky, as_monai_has_tversky, {}),
    (fl.tversky, as_monai_has_tversky, {"alpha": 0.3, "beta": 0.7}),
    (fl.tversky, as_monai_has_tversky, {"alpha": 0.9, "beta": 0.1, "smooth": 1.0}),
    (fl.tversky, as_monai_has_tversky, {"alpha": 2.0, "beta": 3.0}),
    (fl.focal_tversky, as_smp_has_focal_tversky, {}),
    (fl.focal_tversky, as_smp_has_focal_tversky, {"alpha": 0.3, "beta": 0.7, "gamma": 0.75}),
    (fl.focal_tversky, as_smp_has_focal_tversky, {"gamma": 2.5, "smooth": 0.5}),
]


@from_both
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize(("loss", "definition", "parameters"), CASES)
def test_definitions(
    loss: Any, definition: Any, parameters: dict[str, float], soft: bool, from_logits: bool
) -> None:
    """Value, gradient and the diagonal of the Hessian, against mpmath's derivatives."""
    pred, target = masks((1, 1, 6), from_logits=from_logits)
    if soft:
        target = np.random.default_rng(5).uniform(size=target.shape)
    value, grad, hess = loss.value_grad_and_hess(
        pred, target, from_logits=from_logits, **parameters
    )
    with mpmath.workdps(40):
        x = [mpmath.mpf(float(v)) for v in pred.ravel()]
        t = np.array([mpmath.mpf(float(v)) for v in target.ravel()])

        def term(i: int, moved: Any) -> Any:
            numbers = [moved if k == i else v for k, v in enumerate(x)]
            p = [1 / (1 + mpmath.exp(-v)) for v in numbers] if from_logits else numbers
            return definition(np.array(p), t, **parameters)

        assert value == pytest.approx(float(term(0, x[0])), rel=1e-14)
        for i in range(6):
            for n, result in ((1, grad), (2, hess)):
                truth = mpmath.diff(lambda v, i=i: term(i, v), x[i], n)
                assert result.flat[i] == pytest.approx(float(truth), rel=1e-12, abs=1e-15)


@each_dtype
@from_both
@pytest.mark.parametrize("shape", [(3, 2, 7), (2, 1, 5, 9), (1, 1, 2 * BLOCK + 5)])
@pytest.mark.parametrize("smooth", [0.0, 0.75])
def test_special_cases_have_the_same_bits(
    shape: tuple[int, ...], smooth: float, from_logits: bool, dtype: type
) -> None:
    arrays = masks(shape, from_logits=from_logits, dtype=dtype)
    options = {"from_logits": from_logits, "smooth": smooth}
    tversky = all_results(fl.tversky, *arrays, **options)
    twice = {**options, "smooth": 2 * smooth}
    assert_same_bits(all_results(fl.dice, *arrays, **twice), tversky)
    assert_same_bits(all_results(fl.focal_tversky, *arrays, gamma=1.0, **options), tversky)
    jaccard = all_results(fl.jaccard, *arrays, **options)
    assert_same_bits(all_results(fl.tversky, *arrays, alpha=1, beta=1, **options), jaccard)


@from_both
def test_jaccard_by_dice(from_logits: bool) -> None:
    arrays = masks((4, 3, 50), from_logits=from_logits)
    dice = fl.dice(*arrays, from_logits=from_logits, reduction="none")
    jaccard = fl.jaccard(*arrays, from_logits=from_logits, reduction="none")
    np.testing.assert_allclose(jaccard, 2 * dice / (1 + dice), rtol=1e-15)


def test_logits_are_those_of_probabilities() -> None:
    logits, target = masks((2, 3, 40), from_logits=True)
    p, rest = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits))
    value, grad = fl.dice.value_and_grad(logits, target, from_logits=True)
    expected, by_p = fl.dice.value_and_grad(p, target)
    assert value == pytest.approx(expected, rel=1e-15)
    np.testing.assert_allclose(grad, by_p * p * rest, rtol=1e-14)


# ---- nothing, everything, almost everything ---------------------------------------------------


@each_loss
@each_dtype
def test_nothing_where_nothing_is(loss: Any, dtype: type) -> None:
    target = np.zeros((2, 3, 40), dtype)
    for pred, from_logits in ((target, False), (target - np.inf, True), (target - 2000, True)):
        value, grad, hess = loss.value_grad_and_hess(pred, target, from_logits=from_logits)
        assert value == 0
        assert not grad.any()
        assert not hess.any()


@each_loss
@from_both
def test_nothing_with_smoothing(loss: Any, from_logits: bool) -> None:
    """The first false positive costs something."""
    nothing = np.zeros((1, 1, 40))
    pred = nothing - np.inf if from_logits else nothing
    value, grad = loss.value_and_grad(pred, nothing, smooth=0.5, from_logits=from_logits)
    assert value == 0
    slope = {"dice": 2.0, "jaccard": 2.0, "tversky": 1.0, "focal_tversky": 0.0}[loss.__name__]
    np.testing.assert_array_equal(grad, 0 if from_logits else slope)


@each_loss
@from_both
def test_something_where_nothing_is(loss: Any, from_logits: bool) -> None:
    """The worst that can be, however little it is: less of it is as bad."""
    pred, target = masks((2, 3, 40), from_logits=from_logits)
    for size in (1.0, 1e-9):
        given = pred + np.log(size) if from_logits else pred * size
        value, grad, hess = loss.value_grad_and_hess(
            given, np.zeros_like(target), from_logits=from_logits
        )
        assert value == 1
        assert not grad.any()
        assert not hess.any()


@each_loss
def test_nothing_where_something_is(loss: Any) -> None:
    target = np.ones((1, 1, 5))
    value, grad = loss.value_and_grad(np.zeros_like(target), target)
    assert value == 1
    assert (grad < 0).all()


@each_loss
@each_dtype
def test_perfect(loss: Any, dtype: type) -> None:
    target = np.arange(2 * 3 * 40).reshape(2, 3, 40) % 3 == 0
    assert loss(target.astype(dtype), target) == 0
    certain = np.where(target, np.inf, -np.inf).astype(dtype)
    value, grad, hess = loss.value_grad_and_hess(certain, target, from_logits=True)
    assert value == 0
    assert not grad.any()
    assert not hess.any()


@each_dtype
def test_almost_perfect(dtype: type) -> None:
    """The smallest errors count, among as many elements as one likes."""
    target = np.zeros((1, 1, 1000), dtype)
    target[..., :250] = 1
    pred = target.copy()
    pred[..., 900] = 1e-30
    assert fl.dice(pred, target) == float(dtype(dtype(1e-30) / 500))
    pred[..., 0] -= np.finfo(dtype).epsneg
    expected = float(np.finfo(dtype).epsneg) / 500
    assert fl.dice(pred, target) == pytest.approx(expected, rel=1e-7 if dtype is np.float32 else 0)
    logits = np.where(target == 1, dtype(60), dtype(-60))
    expected = float(mpmath.exp(-60) * 1000 / 500)
    eps = float(np.finfo(dtype).eps)
    assert fl.dice(logits, target, from_logits=True) == pytest.approx(expected, rel=2 * eps)
    grad = fl.dice.grad(logits, target, from_logits=True)
    a = float(mpmath.exp(-60) / 500)
    np.testing.assert_allclose(grad, np.where(target == 1, -a, a), rtol=3 * eps)


def test_tails_of_logits() -> None:
    """A factor meets a subnormal probability before that is rounded."""
    logits, target = np.full((1, 1, 2), [-95.0, 3.0], np.float32), [[[1, 0]]]
    keywords = {"from_logits": True, "weight": 1e25, "reduction": "sum"}
    single = fl.tversky.grad(logits, target, **keywords)
    double = fl.tversky.grad(logits.astype(np.float64), target, **keywords)
    np.testing.assert_allclose(single[..., 0], double[..., 0], rtol=1e-6)


def test_powers_at_zero() -> None:
    """Infinite derivatives are 0, finite ones are what they are."""
    perfect = np.array([[[1.0, 0.0]]])
    plain = fl.tversky.grad(perfect, perfect)
    for gamma, slope, curvature in ((4 / 3, 0, 0), (1.0, 1, None), (0.8, 0, 0), (0.5, 0, 2)):
        value, grad, hess = fl.focal_tversky.value_grad_and_hess(perfect, perfect, gamma=gamma)
        assert value == 0
        np.testing.assert_array_equal(grad, slope * plain)
        if curvature is not None:
            np.testing.assert_array_equal(hess, curvature * plain**2)


# ---- which masks ------------------------------------------------------------------------------


@each_loss
@from_both
def test_axes(loss: Any, from_logits: bool) -> None:
    """Whichever they are, however they are written: the bits of arrays (N, C, ...)."""
    pred, target = masks((3, 4, 5, 6), from_logits=from_logits)
    for axes in ((2, 3), (1, 2), (0, 2, 3), (0,), (3,), (1, 3), (0, 1, 2, 3)):
        others = tuple(k for k in range(4) if k not in axes)
        order = (*others, *axes)
        terms = tuple(pred.shape[k] for k in others)

        def as_usual(x: Array, order: Any = order, terms: Any = terms) -> Array:
            return x.transpose(order).reshape(int(np.prod(terms)), 1, -1)

        def back(x: Array, order: Any = order, terms: Any = terms) -> Array:
            if x.ndim < 3:
                return x.reshape(terms)
            moved = x.reshape([pred.shape[k] for k in order])
            return moved.transpose(np.argsort(order))

        usual = as_usual(pred), as_usual(target)
        expected = [
            back(x) if isinstance(x, Array) else x
            for result in all_results(loss, *usual, from_logits=from_logits)
            for x in parts(result)
        ]
        spellings = [axes, axes[::-1], tuple(k - 4 for k in axes), np.array(axes)[0]][
            : 4 if len(axes) == 1 else 3
        ]
        for axis in spellings:
            results = all_results(loss, pred, target, from_logits=from_logits, axis=axis)
            got = [x for result in results for x in parts(result)]
            for a, b in zip(got, expected, strict=True):
                assert_same_bits(np.asarray(a), np.asarray(b))
            reference = loss.reference.value_and_grad(
                pred, target, from_logits=from_logits, axis=axis, reduction="none"
            )
            own = loss.value_and_grad(
                pred, target, from_logits=from_logits, axis=axis, reduction="none"
            )
            for a, b in zip(own, reference, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)
                assert a.shape == b.shape


@each_loss
def test_types_of_masks(loss: Any) -> None:
    for dtype in DTYPES:
        pred, target = masks((2, 3, 9), dtype=dtype)
        expected = all_results(loss, pred, target)
        for kind in (bool, np.uint8, np.int64, ">i2"):
            assert_same_bits(all_results(loss, pred, target.astype(kind)), expected)


def test_weights_of_classes() -> None:
    pred, target = masks((3, 4, 20))
    weight = np.array([0.0, 1.0, 2.5, 1.0])
    terms = fl.dice(pred, target, reduction="none")
    assert fl.dice(pred, target, weight=weight) == pytest.approx(
        np.average(terms, weights=np.broadcast_to(weight, terms.shape)), rel=1e-15
    )
    pred[:, 0] = np.nan
    grad = fl.dice.grad(pred, target, weight=weight)
    assert not grad[:, 0].any()
    np.testing.assert_array_equal(grad[:, 1:], fl.dice.grad(pred, target, weight=weight)[:, 1:])
    assert np.isfinite(fl.dice(pred[:, 1:], target[:, 1:]))


# ---- large masks ------------------------------------------------------------------------------

LARGE = [
    (1, 1, 5 * BLOCK + 77),  # threads share it
    (2, 3, BLOCK + 1),
    (SHARED + 1, 1, BLOCK + 9),  # each thread takes whole ones
    (1, 2, 41, 43, 47),
]


@each_dtype
@from_both
@pytest.mark.parametrize("shape", LARGE)
def test_threads(shape: tuple[int, ...], from_logits: bool, dtype: type) -> None:
    arrays = masks(shape, from_logits=from_logits, dtype=dtype)
    weight = np.resize([1.5, 0.0, 2.0], shape[:2])
    for more in ({}, {"weight": weight}):
        with fl.threads(1):
            expected = all_results(fl.dice, *arrays, from_logits=from_logits, **more)
        for number in (2, 3, 8):
            with fl.threads(number):
                got = all_results(fl.dice, *arrays, from_logits=from_logits, **more)
            assert_same_bits(got, expected)


@each_dtype
@from_both
@pytest.mark.parametrize("shape", LARGE)
def test_layouts(shape: tuple[int, ...], from_logits: bool, dtype: type) -> None:
    """Blocks in place or packed, inputs and outputs."""
    plain = masks(shape, from_logits=from_logits, dtype=dtype)
    expected = fl.dice.value_grad_and_hess(*plain, from_logits=from_logits)

    def without_first_class(x: Array) -> Array:
        return np.concatenate([x[:, :1] + 7, x], axis=1)[:, 1:]

    def last_axis_longer(x: Array) -> Array:
        return np.concatenate([x, x[..., :3]], axis=-1)[..., :-3]

    def classes_last(x: Array) -> Array:
        return np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)

    def backwards(x: Array) -> Array:
        return x[..., ::-1].copy()[..., ::-1]

    for layout in (without_first_class, last_axis_longer, classes_last, backwards):
        pred, target = map(layout, plain)
        out = layout(np.zeros_like(pred)), layout(np.zeros(shape))
        got = fl.dice.value_grad_and_hess(pred, target, from_logits=from_logits, out=(None, *out))
        assert_same_bits((got[0], np.array(out[0])), expected[:2])
        assert_same_bits(out[1].astype(dtype), expected[2])
        assert_same_bits(fl.dice.grad(pred, target, from_logits=from_logits, out=pred), expected[1])


@each_dtype
def test_sums_of_large_masks(dtype: type) -> None:
    """Many small errors beside few large ones: no rounding is left over."""
    pred, target = masks((1, 1, 70, 71, 72), dtype=dtype)
    pred = (pred ** np.float32(16)).astype(dtype)
    wide, masked = pred.astype(np.longdouble), target.astype(np.longdouble)
    wrong = np.sum(wide * (1 - masked)) + np.sum((1 - wide) * masked)
    exact = wrong / (wrong + 2 * np.sum(wide * masked))
    assert abs(fl.dice(pred, target) - exact) <= np.finfo(dtype).eps * exact


def test_broadcast_masks() -> None:
    """One mask for all samples: no copy is made of it."""
    pred, target = masks((5, 2, BLOCK + 3))
    wide = np.broadcast_to(target[:1], pred.shape)
    expected = fl.dice.value_and_grad(pred, wide.copy())
    assert_same_bits(fl.dice.value_and_grad(pred, wide), expected)
