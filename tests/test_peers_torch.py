# SPDX-License-Identifier: BSD-3-Clause
"""Values and gradients against PyTorch, over the grid of the options that both have."""

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest

import fastloss as fl

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch", reason="needs the extra [peers]")

REDUCTIONS = ["mean", "sum", "none"]
RELATIVE = 1e-10

each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(71)


def tensor(x: Any) -> Any:
    return None if x is None else torch.tensor(x, dtype=torch.float64)


def theirs(function: Any, inputs: list[np.ndarray], *more: Any, **keywords: Any) -> list[Any]:
    """Return PyTorch's value and its gradients with respect to the inputs."""
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    value = function(*tensors, *more, **keywords)
    value.sum().backward()
    return [value.detach().numpy(), *(t.grad.numpy() for t in tensors)]


def reduced(terms: Any, reduction: str) -> Any:
    return terms if reduction == "none" else getattr(terms, reduction)()


def assert_close(own: Any, expected: list[Any]) -> None:
    value, grad = own
    flat = [value, *(grad if isinstance(grad, tuple) else (grad,))]
    for a, b in zip(flat, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=RELATIVE, atol=RELATIVE * np.max(np.abs(b)))


@each_reduction
@pytest.mark.parametrize("name", ["mse", "l1", "huber"])
def test_errors(generator: np.random.Generator, name: str, reduction: str) -> None:
    pred, target = generator.normal(scale=2, size=(2, 30, 7))
    function = getattr(torch.nn.functional, f"{name}_loss")
    own = fl.losses["mae" if name == "l1" else name]
    for keywords in [{"delta": d} for d in (0.3, 1.0, 5.0)] if name == "huber" else [{}]:
        expected = theirs(function, [pred], torch.tensor(target), reduction=reduction, **keywords)
        assert_close(own.value_and_grad(pred, target, reduction=reduction, **keywords), expected)


@each_reduction
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pos_weight", [None, 2.5, [0.5, 1.0, 3.0]])
def test_binary_cross_entropy(
    generator: np.random.Generator, reduction: str, weighted: bool, pos_weight: Any
) -> None:
    logits = generator.normal(scale=4, size=(40, 3))
    target = generator.uniform(size=(40, 3))
    target[::2] = target[::2] > 0.5
    weight = generator.lognormal(size=(40, 3)) if weighted else None
    expected = theirs(
        torch.nn.functional.binary_cross_entropy_with_logits,
        [logits],
        torch.tensor(target),
        weight=tensor(weight),
        pos_weight=tensor(pos_weight),
        reduction=reduction,
    )
    # PyTorch's mean divides by the number of elements, not by the weight.
    normalizer = float(logits.size) if reduction == "mean" else None
    own = fl.binary_cross_entropy_with_logits.value_and_grad(
        logits,
        target,
        weight=weight,
        pos_weight=1.0 if pos_weight is None else pos_weight,
        reduction=reduction,
        normalizer=normalizer,
    )
    assert_close(own, expected)


@each_reduction
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy_of_probabilities(
    generator: np.random.Generator, reduction: str, weighted: bool
) -> None:
    """Away from 0 and 1, where PyTorch clamps the logarithms."""
    pred, target = generator.uniform(1e-6, 1 - 1e-6, size=(2, 40, 3))
    target[::2] = target[::2] > 0.5
    weight = generator.lognormal(size=(40, 3)) if weighted else None
    expected = theirs(
        torch.nn.functional.binary_cross_entropy,
        [pred],
        torch.tensor(target),
        weight=tensor(weight),
        reduction=reduction,
    )
    normalizer = float(pred.size) if reduction == "mean" else None
    own = fl.binary_cross_entropy.value_and_grad(
        pred, target, weight=weight, reduction=reduction, normalizer=normalizer
    )
    assert_close(own, expected)


@each_reduction
@pytest.mark.parametrize("margin", [None, -0.5, 0.0, 2.0])
@pytest.mark.parametrize("name", ["soft_margin", "hinge_embedding", "margin_ranking"])
def test_margins(
    generator: np.random.Generator, name: str, margin: float | None, reduction: str
) -> None:
    """Away from kinks, whose conventions differ."""
    if name == "soft_margin" and margin is not None:
        pytest.skip("it has no margin")
    loss = fl.losses[name]
    inputs = list(generator.normal(scale=2, size=(len(loss.inputs), 60)))
    target = generator.choice([-1.0, 1.0], 60)
    keywords = {} if margin is None else {"margin": margin}
    function = getattr(torch.nn.functional, f"{name}_loss")
    expected = theirs(function, inputs, torch.tensor(target), reduction=reduction, **keywords)
    assert_close(loss.value_and_grad(*inputs, target, reduction=reduction, **keywords), expected)


FOCUS = list(itertools.product([0.0, 0.5, 1.0, 2.0, 3.5], [None, 0.0, 0.25, 1.0]))


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(("gamma", "alpha"), FOCUS)
def test_focal(
    generator: np.random.Generator, gamma: float, alpha: float | None, hard: bool
) -> None:
    """As torchvision's sigmoid_focal_loss composes it."""
    logits = generator.normal(scale=3, size=60)
    y = generator.uniform(size=60)
    y = (y > 0.5).astype(float) if hard else y
    target = torch.tensor(y)

    def composed(x: Any) -> Any:
        p = torch.sigmoid(x)
        cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(
            x, target, reduction="none"
        )
        p_t = p * target + (1 - p) * (1 - target)
        loss = cross_entropy * (1 - p_t) ** gamma
        if alpha is not None:
            loss = (alpha * target + (1 - alpha) * (1 - target)) * loss
        return loss

    own = fl.binary_focal_with_logits.value_and_grad(
        logits, y, gamma=gamma, alpha=alpha, reduction="none"
    )
    expected = theirs(composed, [logits])
    np.testing.assert_allclose(own[0], expected[0], rtol=RELATIVE)
    np.testing.assert_allclose(own[1], expected[1], rtol=RELATIVE)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("clip", [0.0, 0.05, 0.3])
@pytest.mark.parametrize(("gamma_pos", "gamma_neg"), [(1.0, 4.0), (0.0, 0.0), (2.5, 0.5)])
def test_asymmetric_focal(
    generator: np.random.Generator, gamma_pos: float, gamma_neg: float, clip: float, hard: bool
) -> None:
    """As its authors compose it, with the gradient of all of it.

    Where p is less than clip, a power of 0 has no gradient in PyTorch: these points are left out.
    """
    logits = generator.normal(scale=3, size=200)
    y = generator.uniform(size=200)
    y = (y > 0.5).astype(float) if hard else y
    keep = (1 / (1 + np.exp(-logits)) > clip + 1e-3) | (y > 0)
    logits, y = logits[keep], y[keep]
    target = torch.tensor(y)

    def composed(x: Any) -> Any:
        p = torch.sigmoid(x)
        negative = (1 - p + clip).clamp(max=1)
        cross_entropy = target * torch.log(p) + (1 - target) * torch.log(negative)
        p_t = p * target + negative * (1 - target)
        exponent = gamma_pos * target + gamma_neg * (1 - target)
        return -cross_entropy * torch.pow(1 - p_t, exponent)

    own = fl.asymmetric_focal.value_and_grad(
        logits, y, gamma_pos=gamma_pos, gamma_neg=gamma_neg, clip=clip, reduction="none"
    )
    assert_close(own, theirs(composed, [logits]))


@each_reduction
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("eps", [1e-6, 0.5])
def test_gaussian(generator: np.random.Generator, reduction: str, full: bool, eps: float) -> None:
    """Where the variance is clamped, PyTorch's gradient goes on: that is left out."""
    pred, target = generator.normal(size=(2, 60))
    var = eps + generator.lognormal(size=60)
    expected = theirs(
        lambda p, v: torch.nn.functional.gaussian_nll_loss(
            p, torch.tensor(target), v, full=full, eps=eps, reduction=reduction
        ),
        [pred, var],
    )
    own = fl.gaussian_nll.value_and_grad(pred, target, var, full=full, eps=eps, reduction=reduction)
    assert_close(own, expected)


@each_reduction
@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("eps", [1e-8, 0.5])
def test_poisson(
    generator: np.random.Generator, reduction: str, log_input: bool, eps: float
) -> None:
    pred = generator.normal(size=(30, 4))
    pred = pred if log_input else np.exp(pred)
    target = generator.poisson(3.0, size=(30, 4)).astype(np.float64)
    options = {"log_input": log_input, "eps": eps, "reduction": reduction}
    function = torch.nn.functional.poisson_nll_loss
    own = fl.poisson_nll.value_and_grad(pred, target, **options)
    assert_close(own, theirs(function, [pred], torch.tensor(target), **options))


def test_poisson_with_its_constant(generator: np.random.Generator) -> None:
    """PyTorch's is Stirling's approximation, and 0 up to 1; that is the only difference."""
    pred = generator.normal(size=60)
    target = generator.integers(200, size=60).astype(np.float64)
    function = torch.nn.functional.poisson_nll_loss
    value, grad = theirs(function, [pred], torch.tensor(target), full=True, reduction="none")
    large = np.where(target > 1, target, 1)
    stirling = large * np.log(large) - large + np.log(2 * np.pi * large) / 2
    exact = torch.lgamma(torch.tensor(target + 1)).numpy()
    value += exact - np.where(target > 1, stirling, 0)
    assert_close(
        fl.poisson_nll.value_and_grad(pred, target, full=True, reduction="none"), [value, grad]
    )


@each_reduction
@pytest.mark.parametrize("dispersion", [0.01, 0.5, 1.0, 4.0])
def test_negative_binomial(
    generator: np.random.Generator, reduction: str, dispersion: float
) -> None:
    pred = generator.normal(size=60)
    target = generator.poisson(3.0, size=60).astype(np.float64)

    def composed(x: Any) -> Any:
        distribution = torch.distributions.NegativeBinomial(
            1 / dispersion, logits=x + np.log(dispersion)
        )
        terms = -distribution.log_prob(torch.tensor(target))
        return {"mean": terms.mean, "sum": terms.sum, "none": lambda: terms}[reduction]()

    own = fl.negative_binomial_nll.value_and_grad(
        pred, target, dispersion=dispersion, full=True, reduction=reduction
    )
    assert_close(own, theirs(composed, [pred]))


@each_reduction
def test_laplace(generator: np.random.Generator, reduction: str) -> None:
    """PyTorch's distribution, whose scale is not clamped."""
    pred, target = generator.normal(size=(2, 60))
    scale = generator.lognormal(size=60)
    expected = theirs(
        lambda p, s: reduced(
            -torch.distributions.Laplace(p, s).log_prob(tensor(target)), reduction
        ),
        [pred, scale],
    )
    own = fl.laplace_nll.value_and_grad(pred, target, scale, full=True, reduction=reduction)
    assert_close(own, expected)


@each_reduction
@pytest.mark.parametrize("df", [0.5, 1.0, 4.0, 50.0])
@pytest.mark.parametrize("scale", [0.25, 1.0])
def test_student_t(generator: np.random.Generator, reduction: str, df: float, scale: float) -> None:
    pred, target = generator.normal(scale=3, size=(2, 60))
    expected = theirs(
        lambda p: reduced(
            -torch.distributions.StudentT(tensor(df), p, tensor(scale)).log_prob(tensor(target)),
            reduction,
        ),
        [pred],
    )
    own = fl.student_t_nll.value_and_grad(
        pred, target, df=df, scale=scale, full=True, reduction=reduction
    )
    assert_close(own, expected)


OPTIONS = list(
    itertools.product([None, [0.5, 2.0, 1.0, 0.25, 3.0]], [0.0, 0.1, 1.0], [None, -100, 2])
)


@each_reduction
@pytest.mark.parametrize(("class_weight", "smoothing", "ignored"), OPTIONS)
def test_cross_entropy_of_labels(
    generator: np.random.Generator,
    reduction: str,
    class_weight: Any,
    smoothing: float,
    ignored: int | None,
) -> None:
    logits = generator.normal(scale=4, size=(50, 5))
    labels = generator.integers(5, size=50)
    if ignored is not None:
        labels[::7] = ignored
    expected = theirs(
        torch.nn.functional.cross_entropy,
        [logits],
        torch.tensor(labels),
        weight=tensor(class_weight),
        label_smoothing=smoothing,
        ignore_index=-100 if ignored is None else ignored,
        reduction=reduction,
    )
    own = fl.cross_entropy.value_and_grad(
        logits,
        labels,
        class_weight=class_weight,
        label_smoothing=smoothing,
        ignore_index=ignored,
        reduction=reduction,
    )
    assert_close(own, expected)


@each_reduction
@pytest.mark.parametrize("class_weight", [None, [0.5, 2.0, 1.0, 0.25, 3.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_of_probabilities(
    generator: np.random.Generator, reduction: str, class_weight: Any, smoothing: float
) -> None:
    logits = generator.normal(scale=4, size=(50, 5))
    p = generator.dirichlet(np.ones(5), size=50)
    expected = theirs(
        torch.nn.functional.cross_entropy,
        [logits],
        torch.tensor(p),
        weight=tensor(class_weight),
        label_smoothing=smoothing,
        reduction=reduction,
    )
    # PyTorch's mean over probabilities divides by the number of rows.
    own = fl.cross_entropy.value_and_grad(
        logits,
        p,
        class_weight=class_weight,
        label_smoothing=smoothing,
        reduction=reduction,
        normalizer=50.0 if reduction == "mean" else None,
    )
    assert_close(own, expected)


@each_reduction
def test_cross_entropy_along_another_axis(generator: np.random.Generator, reduction: str) -> None:
    """PyTorch's classes are axis 1."""
    logits = generator.normal(scale=4, size=(6, 5, 4, 3))
    labels = generator.integers(5, size=(6, 4, 3))
    expected = theirs(
        torch.nn.functional.cross_entropy, [logits], torch.tensor(labels), reduction=reduction
    )
    own = fl.cross_entropy.value_and_grad(logits, labels, axis=1, reduction=reduction)
    assert_close(own, expected)


@each_reduction
def test_cross_entropy_with_a_soft_cap_and_a_temperature(
    generator: np.random.Generator, reduction: str
) -> None:
    logits = generator.normal(scale=4, size=(50, 5))
    labels = generator.integers(5, size=50)
    cap, temperature, z_loss = 3.0, 0.7, 0.01

    def composed(x: Any) -> Any:
        z = cap * torch.tanh(x / cap) / temperature
        terms = torch.nn.functional.cross_entropy(z, torch.tensor(labels), reduction="none")
        terms = terms + z_loss * torch.logsumexp(z, 1) ** 2
        return {"mean": terms.mean, "sum": terms.sum, "none": lambda: terms}[reduction]()

    own = fl.cross_entropy.value_and_grad(
        logits,
        labels,
        softcap=cap,
        temperature=temperature,
        z_loss=z_loss,
        reduction=reduction,
    )
    assert_close(own, theirs(composed, [logits]))


def monai_dice(x: Any, t: Any, smooth: float) -> Any:
    """`DiceLoss(sigmoid=True, smooth_nr=smooth, smooth_dr=smooth, reduction="none")` of MONAI."""
    both = (x * t).sum((2, 3))
    return 1 - (2 * both + smooth) / (x.sum((2, 3)) + t.sum((2, 3)) + smooth)


def smp_tversky(x: Any, t: Any, smooth: float, gamma: float = 1.0) -> Any:
    """`TverskyLoss("multilabel", alpha=0.3, beta=0.7)` of segmentation_models_pytorch."""
    both = (x * t).sum((0, 2, 3))
    wrong = 0.3 * (x * (1 - t)).sum((0, 2, 3)) + 0.7 * ((1 - x) * t).sum((0, 2, 3))
    return (1 - (both + smooth) / (both + wrong + smooth)) ** gamma


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("smooth", [0.0, 1e-5, 1.0])
def test_masks(generator: np.random.Generator, from_logits: bool, smooth: float) -> None:
    """As libraries on top of PyTorch write them."""
    shape = (3, 2, 6, 7)
    pred = generator.normal(size=shape) if from_logits else generator.uniform(size=shape)
    target = (generator.uniform(size=shape) < 0.4).astype(float)
    whole_batch = {"axis": (0, 2, 3), "alpha": 0.3, "beta": 0.7}
    for own, keywords, function in (
        (fl.dice, {}, monai_dice),
        (fl.tversky, whole_batch, smp_tversky),
        (fl.focal_tversky, whole_batch, partial(smp_tversky, gamma=0.75)),
    ):

        def composed(x: Any, function: Any = function) -> Any:
            p = torch.sigmoid(x) if from_logits else x
            return function(p, torch.tensor(target), smooth)

        found = own.value_and_grad(
            pred, target, from_logits=from_logits, smooth=smooth, reduction="none", **keywords
        )
        assert_close(found, theirs(composed, [pred]))


@each_reduction
@pytest.mark.parametrize("class_weight", [None, [0.5, 2.0, 1.0, 0.25, 3.0]])
@pytest.mark.parametrize("ignored", [None, -100, 2])
def test_nll(
    generator: np.random.Generator, reduction: str, class_weight: Any, ignored: int | None
) -> None:
    log_prob = -generator.lognormal(size=(50, 5))
    labels = generator.integers(5, size=50)
    if ignored is not None:
        labels[::7] = ignored
    expected = theirs(
        torch.nn.functional.nll_loss,
        [log_prob],
        torch.tensor(labels),
        weight=tensor(class_weight),
        ignore_index=-100 if ignored is None else ignored,
        reduction=reduction,
    )
    own = fl.nll.value_and_grad(
        log_prob, labels, class_weight=class_weight, ignore_index=ignored, reduction=reduction
    )
    assert_close(own, expected)


@each_reduction
@pytest.mark.parametrize("class_weight", [None, [0.5, 2.0, 1.0, 0.25, 3.0]])
@pytest.mark.parametrize("margin", [0.3, 1.0, 7.0])
@pytest.mark.parametrize(("name", "p"), [("multi_margin", 1), ("squared_multi_margin", 2)])
def test_multi_margin(  # noqa: PLR0917
    generator: np.random.Generator,
    reduction: str,
    class_weight: Any,
    margin: float,
    name: str,
    p: int,
) -> None:
    logits = generator.normal(scale=2, size=(50, 5))
    labels = generator.integers(5, size=50)
    expected = theirs(
        torch.nn.functional.multi_margin_loss,
        [logits],
        torch.tensor(labels),
        p=p,
        margin=margin,
        weight=tensor(class_weight),
        reduction=reduction,
    )
    # PyTorch's mean divides by the number of rows, not by the weight.
    own = fl.losses[name].value_and_grad(
        logits,
        labels,
        margin=margin,
        class_weight=class_weight,
        reduction=reduction,
        normalizer=50.0 if reduction == "mean" else None,
    )
    assert_close(own, expected)


def focal(p: Any, gamma: float) -> Any:
    return (1 - p) ** gamma * -p.log()


def poly1(p: Any, epsilon: float) -> Any:
    return epsilon * (1 - p) - p.log()


def generalized(p: Any, q: float) -> Any:
    return (1 - p**q) / q


def symmetric(p: Any, alpha: float, beta: float, log_zero: float) -> Any:
    return -alpha * p.log() - beta * log_zero * (1 - p)


@each_reduction
@pytest.mark.parametrize("class_weight", [None, [0.5, 2.0, 1.0, 0.25, 3.0]])
@pytest.mark.parametrize(
    ("name", "function", "parameters"),
    [
        *(("softmax_focal", focal, {"gamma": gamma}) for gamma in (0.0, 0.5, 2.0, 5.0)),
        *(("poly1_cross_entropy", poly1, {"epsilon": e}) for e in (-1.0, 0.5, 2.0)),
        *(("generalized_cross_entropy", generalized, {"q": q}) for q in (0.1, 0.7, 1.0)),
        (
            "symmetric_cross_entropy",
            symmetric,
            {"alpha": 6.0, "beta": 0.1, "log_zero": -9.210340371976182},
        ),
    ],
)
def test_losses_of_a_probability(  # noqa: PLR0917
    generator: np.random.Generator,
    reduction: str,
    class_weight: Any,
    name: str,
    function: Any,
    parameters: dict[str, float],
) -> None:
    """PyTorch has none of them: it differentiates their definitions."""
    logits = generator.normal(scale=2, size=(50, 5))
    labels = torch.tensor(generator.integers(5, size=50))
    weight = torch.ones(5, dtype=torch.float64) if class_weight is None else tensor(class_weight)

    def composed(x: Any) -> Any:
        p = torch.softmax(x, 1).gather(1, labels[:, None])[:, 0]
        terms = weight[labels] * function(p, **parameters)
        mean = terms.sum() / weight[labels].sum()
        return {"mean": mean, "sum": terms.sum(), "none": terms}[reduction]

    own = fl.losses[name].value_and_grad(
        logits, labels.numpy(), class_weight=class_weight, reduction=reduction, **parameters
    )
    assert_close(own, theirs(composed, [logits]))


@each_reduction
def test_ordinal_cross_entropy(generator: np.random.Generator, reduction: str) -> None:
    """As coral-pytorch computes it, from log-sigmoids."""
    logits = generator.normal(scale=3, size=(50, 4))
    labels = generator.integers(5, size=50)
    levels = torch.tensor(np.arange(4) < labels[:, None], dtype=torch.float64)

    def coral(x: Any) -> Any:
        log_sigmoid = torch.nn.functional.logsigmoid(x)
        terms = -torch.sum(log_sigmoid * levels + (log_sigmoid - x) * (1 - levels), dim=1)
        return {"mean": terms.mean, "sum": terms.sum, "none": lambda: terms}[reduction]()

    own = fl.ordinal_cross_entropy.value_and_grad(logits, labels, reduction=reduction)
    assert_close(own, theirs(coral, [logits]))


@each_reduction
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("from_logits", [False, True])
def test_kl_div(
    generator: np.random.Generator, reduction: str, from_logits: bool, log_target: bool
) -> None:
    """PyTorch's "batchmean" is the mean over rows; it has no rows where nothing is reduced."""
    scores = generator.normal(scale=4, size=(50, 5))
    target = generator.dirichlet(np.ones(5), size=50)
    target[::3, 1] = 0
    given = np.log(np.where(target == 0, 1e-300, target)) if log_target else target

    def composed(x: Any) -> Any:
        x = torch.log_softmax(x, 1) if from_logits else x
        peer = torch.nn.functional.kl_div
        keywords = {"log_target": log_target}
        if reduction == "none":
            return peer(x, torch.tensor(given), reduction="none", **keywords).sum(1)
        kind = "batchmean" if reduction == "mean" else "sum"
        return peer(x, torch.tensor(given), reduction=kind, **keywords)

    own = fl.kl_div.value_and_grad(
        scores, given, from_logits=from_logits, log_target=log_target, reduction=reduction
    )
    assert_close(own, theirs(composed, [scores]))


@each_reduction
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("from_logits", [False, True])
def test_jensen_shannon(
    generator: np.random.Generator, reduction: str, from_logits: bool, log_target: bool
) -> None:
    """Half of both divergences from the mean of the two distributions."""
    scores = generator.normal(scale=3, size=(50, 5)) - 2
    target = generator.dirichlet(np.ones(5), size=50)
    target[::3, 1] = 0
    given = np.log(np.where(target == 0, 1e-300, target)) if log_target else target

    def composed(x: Any) -> Any:
        log_q = torch.log_softmax(x, 1) if from_logits else x
        p, q = torch.tensor(target), log_q.exp()
        log_mean = ((p + q) / 2).log()
        peer = torch.nn.functional.kl_div
        terms = (peer(log_mean, p, reduction="none") + peer(log_mean, q, reduction="none")).sum(1)
        return {"mean": terms.mean, "sum": terms.sum, "none": lambda: terms}[reduction]() / 2

    own = fl.jensen_shannon.value_and_grad(
        scores, given, from_logits=from_logits, log_target=log_target, reduction=reduction
    )
    assert_close(own, theirs(composed, [scores]))


@each_reduction
def test_total_variation(generator: np.random.Generator, reduction: str) -> None:
    prob, target = generator.dirichlet(np.ones(5), size=(2, 50))

    def composed(x: Any) -> Any:
        terms = torch.nn.functional.l1_loss(x, torch.tensor(target), reduction="none").sum(1)
        return {"mean": terms.mean, "sum": terms.sum, "none": lambda: terms}[reduction]() / 2

    own = fl.total_variation.value_and_grad(prob, target, reduction=reduction)
    assert_close(own, theirs(composed, [prob]))


@each_reduction
@pytest.mark.parametrize("temperature", [1.0, 0.5, 4.0])
def test_distillation(generator: np.random.Generator, reduction: str, temperature: float) -> None:
    student, teacher = generator.normal(scale=3, size=(2, 50, 5))

    def composed(x: Any) -> Any:
        q, p = (torch.log_softmax(z / temperature, 1) for z in (x, torch.tensor(teacher)))
        terms = torch.nn.functional.kl_div(q, p, reduction="none", log_target=True).sum(1)
        reduced = {"mean": terms.mean, "sum": terms.sum, "none": lambda: terms}[reduction]()
        return temperature**2 * reduced

    own = fl.distillation.value_and_grad(
        student, teacher, temperature=temperature, reduction=reduction
    )
    assert_close(own, theirs(composed, [student]))


@each_reduction
def test_multilabel_margin(generator: np.random.Generator, reduction: str) -> None:
    """PyTorch has a list of labels, which ends at the first -1."""
    logits = generator.normal(size=(50, 7))
    target = generator.uniform(size=(50, 7)) < 0.3
    target[:5] = [[False], [True], [False], [True], [False]]
    lists = np.full((50, 7), -1)
    for row, labels in zip(lists, target, strict=True):
        row[: labels.sum()] = np.flatnonzero(labels)
    function = torch.nn.functional.multilabel_margin_loss
    expected = theirs(function, [logits], torch.tensor(lists), reduction=reduction)
    assert_close(fl.multilabel_margin.value_and_grad(logits, target, reduction=reduction), expected)


@each_reduction
def test_multilabel_soft_margin(generator: np.random.Generator, reduction: str) -> None:
    logits = generator.normal(scale=4, size=(50, 7))
    target = generator.uniform(size=(50, 7))
    target[::2] = target[::2] > 0.5
    function = torch.nn.functional.multilabel_soft_margin_loss
    expected = theirs(function, [logits], torch.tensor(target), reduction=reduction)
    own = fl.multilabel_soft_margin.value_and_grad(logits, target, reduction=reduction)
    assert_close(own, expected)


@each_reduction
def test_cosine_distance(generator: np.random.Generator, reduction: str) -> None:
    """Of rows that are not so short that PyTorch takes them for longer ones."""
    inputs = list(generator.normal(size=(2, 40, 9)))

    def distance(x: Any, y: Any) -> Any:
        return reduced(1 - torch.nn.functional.cosine_similarity(x, y), reduction)

    expected = theirs(distance, inputs)
    assert_close(fl.cosine_distance.value_and_grad(*inputs, reduction=reduction), expected)


@each_reduction
@pytest.mark.parametrize("margin", [-0.5, 0.0, 0.25])
def test_cosine_embedding(generator: np.random.Generator, reduction: str, margin: float) -> None:
    inputs = list(generator.normal(size=(2, 40, 9)))
    target = generator.choice([-1.0, 1.0], 40)
    expected = theirs(
        torch.nn.functional.cosine_embedding_loss,
        inputs,
        torch.tensor(target),
        margin=margin,
        reduction=reduction,
    )
    own = fl.cosine_embedding.value_and_grad(*inputs, target, margin=margin, reduction=reduction)
    assert_close(own, expected)


@each_reduction
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize(("margin", "eps"), [(1.0, 1e-6), (0.25, 0.1)])
def test_triplet_margin(  # noqa: PLR0917
    generator: np.random.Generator, reduction: str, swap: bool, p: float, margin: float, eps: float
) -> None:
    inputs = list(generator.normal(size=(3, 40, 9)))
    options: dict[str, Any] = {"margin": margin, "p": p, "eps": eps, "swap": swap}
    function = torch.nn.functional.triplet_margin_loss
    expected = theirs(function, inputs, reduction=reduction, **options)
    own = fl.triplet_margin.value_and_grad(*inputs, reduction=reduction, **options)
    assert_close(own, expected)


@each_reduction
@pytest.mark.parametrize("eps", [1e-7, 0.25])
@pytest.mark.parametrize("name", ["giou", "diou", "ciou"])
def test_boxes(generator: np.random.Generator, reduction: str, name: str, eps: float) -> None:
    """torchvision's formulas, but that equal boxes lose nothing and that no weight is constant."""
    corners, sizes = generator.normal(size=(2, 60, 2)), generator.lognormal(size=(2, 60, 2))
    pred, target = np.concatenate([corners, corners + sizes], axis=2)
    t = torch.tensor(target)

    def loss(p: Any) -> Any:
        inner = torch.minimum(p[:, 2:], t[:, 2:]) - torch.maximum(p[:, :2], t[:, :2])
        hull = torch.maximum(p[:, 2:], t[:, 2:]) - torch.minimum(p[:, :2], t[:, :2])
        size, wanted = p[:, 2:] - p[:, :2], t[:, 2:] - t[:, :2]
        shared = inner.clamp(min=0).prod(1)
        union = size.prod(1) + wanted.prod(1) - shared
        lacking = 1 - (shared + eps) / (union + eps)
        if name == "giou":
            return reduced(lacking + 1 - (union + eps) / (hull.prod(1) + eps), reduction)
        centre = (p[:, :2] + p[:, 2:] - t[:, :2] - t[:, 2:]) / 2
        terms = lacking + centre.square().sum(1) / (hull.square().sum(1) + eps)
        if name == "ciou":
            angle = torch.atan(wanted[:, 0] / wanted[:, 1]) - torch.atan(size[:, 0] / size[:, 1])
            v = 4 / torch.pi**2 * angle.square()
            terms = terms + v * v / (lacking + v + eps)
        return reduced(terms, reduction)

    own = fl.losses[name].value_and_grad(pred, target, eps=eps, reduction=reduction)
    assert_close(own, theirs(loss, [pred]))


@each_reduction
@pytest.mark.parametrize(("gamma", "margin"), [(80.0, 0.4), (256.0, 0.25), (2.0, 0.0)])
def test_circle(
    generator: np.random.Generator, reduction: str, gamma: float, margin: float
) -> None:
    """Keras's and, but for weights that are constant there, pytorch-metric-learning's formula."""
    similarity = generator.uniform(-1, 1, size=(40, 9))
    target = generator.choice([0, 0.5, 1], similarity.shape)
    positive, negative = torch.tensor(target == 1), torch.tensor(target == 0)

    def loss(s: Any) -> Any:
        attract, repel = (1 + margin - s).clamp(min=0), (s + margin).clamp(min=0)
        pull = -gamma * attract * (s - (1 - margin))
        push = gamma * repel * (s - margin)
        both = sum(
            torch.logsumexp(x.masked_fill(~which, -torch.inf), 1)
            for x, which in ((pull, positive), (push, negative))
        )
        return reduced(torch.logaddexp(both, torch.zeros_like(both)), reduction)

    own = fl.circle.value_and_grad(
        similarity, target, gamma=gamma, margin=margin, reduction=reduction
    )
    assert_close(own, theirs(loss, [similarity]))


def test_penalties(generator: np.random.Generator) -> None:
    x = generator.normal(size=(30, 7))
    x[0] = 0  # where both take the slope 0
    for penalty, term in [
        (fl.l1, lambda x: x.abs()),
        (fl.l2, lambda x: x.square() / 2),
        (fl.elastic_net, lambda x: 0.5 * x.abs() + 0.25 * x.square()),
    ]:
        expected = theirs(lambda x, term=term: 0.75 * term(x).sum(), [x])
        assert_close(penalty.value_and_grad(x, strength=0.75), expected)
    shrunk = torch.nn.functional.softshrink(torch.tensor(x), lambd=0.5 * 0.75).numpy()
    np.testing.assert_array_equal(fl.l1.prox(x, step=0.5, strength=0.75), shrunk)


@pytest.mark.parametrize("order", ["torch first", "fastloss first"])
def test_both_in_one_process(generator: np.random.Generator, order: str) -> None:
    """Two users of OpenMP in turns."""
    x = generator.normal(size=(2000, 300))
    labels = generator.integers(300, size=2000)
    expected = fl.cross_entropy(x, labels)
    turns = ["torch", "fastloss"] * 5
    for turn in turns if order == "torch first" else turns[::-1]:
        if turn == "torch":
            value = torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(labels)).item()
            assert value == pytest.approx(expected, rel=RELATIVE)
        else:
            assert fl.cross_entropy(x, labels) == expected


@each_reduction
def test_pairwise_logistic(generator: np.random.Generator, reduction: str) -> None:
    pred, target = generator.normal(size=(6, 9)), generator.integers(4, size=(6, 9))
    group = np.repeat(np.arange(6), 9).reshape(6, 9)
    better = torch.tensor(target[:, :, None] > target[:, None, :])

    def function(x: Any) -> Any:
        pairs = torch.nn.functional.softplus(x[:, None, :] - x[:, :, None])
        values = torch.where(better, pairs, 0).sum((1, 2))
        return values if reduction == "none" else getattr(values, reduction)()

    own = fl.pairwise_logistic.value_and_grad(pred, target, group, reduction=reduction)
    assert_close(own, theirs(function, [pred]))
