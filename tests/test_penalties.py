# SPDX-License-Identifier: BSD-3-Clause
"""Penalties on parameters: l1, l2, elastic_net."""

import inspect
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, assert_same_bits, bound, parts
from fastloss import _core
from test_layouts import LAYOUTS, read_only, subclass, unmasked

INF, NAN = np.inf, np.nan
LEVELS = [name for name, runs in _core.isa_levels() if runs]
ULP = 3
PARAMETERS: dict[str, list[dict[str, float]]] = {
    "l1": [{}, {"strength": 0.0}, {"strength": 0.375}],
    "l2": [{}, {"strength": 0.0}, {"strength": 0.375}],
    "elastic_net": [
        {},
        {"strength": 0.375},
        {"l1_ratio": 0.0},
        {"l1_ratio": 1.0},
        {"strength": 2.5, "l1_ratio": 0.125},
    ],
}

METHODS = ("value", "grad", "value_and_grad", "prox")
NARROW = [np.float16, ml_dtypes.bfloat16]

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_type = pytest.mark.parametrize("dtype", [*DTYPES, *NARROW])
each_penalty = pytest.mark.parametrize("name", fl.penalties)
each_setting = pytest.mark.parametrize(
    ("name", "given"), [(name, given) for name, many in PARAMETERS.items() for given in many]
)


def drawn(dtype: Any, shape: tuple[int, ...] = (501,)) -> np.ndarray:
    """Draw numbers of all sizes; some are 0."""
    generator = np.random.default_rng([3, *shape])
    x = generator.normal(size=shape) * 10.0 ** generator.integers(-6, 4, shape)
    return np.where(generator.uniform(size=shape) < 0.1, 0, x).astype(dtype)


def exact(name: str, x: float, step: float, strength: float = 1.0, l1_ratio: float = 0.5) -> Any:
    """Return value, gradient and proximal step from their definitions, as fractions."""
    rho = {"l1": Fraction(1), "l2": Fraction(0)}.get(name, Fraction(l1_ratio))
    z, s, strong = Fraction(x), Fraction(step), Fraction(strength)
    sign = (z > 0) - (z < 0)
    value = strong * (rho * abs(z) + (1 - rho) * z * z / 2)
    threshold = s * strong * rho
    moved = sign * max(abs(z) - threshold, Fraction(0)) / (1 + s * strong * (1 - rho))
    return value, strong * (rho * sign + (1 - rho) * z), moved, max(abs(z), threshold)


@each_dtype
@each_setting
def test_definitions(name: str, given: dict[str, float], dtype: type) -> None:
    x, step = drawn(dtype), 0.3125
    penalty = fl.penalties[name]
    truth = [exact(name, float(each), step, **given) for each in x]
    grads, moved = penalty.grad(x, **given), penalty.prox(x, step=step, **given)
    assert grads.dtype == moved.dtype == dtype
    for got, place, size in ((grads, 1, 1), (moved, 2, 3)):
        for a, row in zip(got, truth, strict=True):
            unit = float(np.spacing(np.abs(dtype(float(row[size])))))
            assert abs(Fraction(float(a)) - row[place]) <= ULP * Fraction(unit)
    total = float(sum(row[0] for row in truth))
    assert penalty(x, **given) == pytest.approx(total, rel=4 * float(np.finfo(dtype).eps))
    value, grad = penalty.value_and_grad(x, **given)
    assert value == penalty(x, **given)
    assert_same_bits(grad, grads)


@each_dtype
@each_setting
def test_reference(name: str, given: dict[str, float], dtype: type) -> None:
    x = drawn(dtype)
    penalty = fl.penalties[name]
    close = {"rtol": 8 * float(np.finfo(dtype).eps)}
    value, grad = penalty.reference.value_and_grad(x, **given)
    moved = penalty.reference.prox(x, step=0.3125, **given)
    assert type(value) is float
    assert grad.dtype == moved.dtype == dtype
    np.testing.assert_allclose(penalty(x, **given), value, **close)
    np.testing.assert_allclose(penalty.grad(x, **given), grad, **close)
    size = float(np.finfo(dtype).eps) * (np.abs(x) + 1)
    assert np.all(np.abs(penalty.prox(x, step=0.3125, **given) - moved) <= 4 * size)
    assert penalty.reference(x, **given) == value
    assert_same_bits(penalty.reference.grad(x, **given), grad)


@each_penalty
def test_reference_takes_what_the_penalty_takes(name: str) -> None:
    penalty = fl.penalties[name]
    for method in METHODS:
        own, plain = bound(penalty, method), bound(penalty.reference, method)
        assert inspect.signature(own) == inspect.signature(plain)
        assert inspect.getdoc(own)
        assert inspect.getdoc(own) == inspect.getdoc(plain)
    for dtype in (np.int64, np.float16, np.float32, np.float64):
        x = np.array([[3, -2, 0], [1, 0, -5]], dtype)
        outputs = [np.full_like(penalty.grad(x), 77) for _ in range(2)]
        for strength in (0.5, [0.0, 0.5, 2.0]):
            for method in METHODS:
                got, plain = (
                    bound(function, method)(x, strength=strength)
                    for function in (penalty, penalty.reference)
                )
                for a, b in zip(parts(got), parts(plain), strict=True):
                    assert np.asarray(a).dtype == np.asarray(b).dtype
                    np.testing.assert_allclose(a, b, rtol=1e-3 if dtype == np.float16 else 1e-6)
        for function, out in zip((penalty, penalty.reference), outputs, strict=True):
            for method in ("grad", "prox"):
                assert getattr(function, method)(x, out=out) is out
            assert function.value_and_grad(x, out=(None, out))[1] is out
        np.testing.assert_array_equal(*outputs)


@each_setting
def test_a_proximal_step_is_least(name: str, given: dict[str, float]) -> None:
    penalty = fl.penalties[name]
    for x in (-3.0, -0.2, 0.0, 0.1, 2.0):
        best = penalty.prox([x], step=0.7, **given)[0]

        def cost(z: float, x: float = x) -> float:
            return (z - x) ** 2 / 2 + 0.7 * float(penalty([z], **given))

        assert all(cost(best) <= cost(best + d) + 1e-15 for d in (-1, -1e-3, -1e-7, 1e-7, 1e-3, 1))


@each_penalty
def test_parameters_that_vary(name: str) -> None:
    """Each place along the last axis is as if alone."""
    x = drawn(np.float32, (40, 3))
    strength = np.array([0.0, 0.5, 2.0])
    penalty = fl.penalties[name]
    grad, moved = penalty.grad(x, strength=strength), penalty.prox(x, step=0.5, strength=strength)
    for k, own in enumerate(strength):
        assert_same_bits(grad[:, k], penalty.grad(x[:, k], strength=own))
        assert_same_bits(moved[:, k], penalty.prox(x[:, k], step=0.5, strength=own))
    steps = np.array([0.25, 1.0, 4.0])
    moved = penalty.prox(x, step=steps)
    for k, own in enumerate(steps):
        assert_same_bits(moved[:, k], penalty.prox(x[:, k], step=own))


def test_proximal_gradient_stays_at_the_solution_of_scikit_learn() -> None:
    """Its `ElasticNet` and `Lasso` add these penalties to half of the mean squared error."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="needs the extra [test]")
    generator = np.random.default_rng(5)
    features = generator.normal(size=(200, 12))
    target = features[:, :4] @ [3.0, -2.0, 1.0, 0.2] + generator.normal(size=200)
    for penalty, given, model in [
        (fl.l1, {}, linear_model.Lasso),
        (fl.elastic_net, {"l1_ratio": 0.5}, linear_model.ElasticNet),
        (fl.elastic_net, {"l1_ratio": 0.125}, linear_model.ElasticNet),
    ]:
        fit = model(alpha=0.3, fit_intercept=False, tol=1e-14, max_iter=100_000, **given)
        w = fit.fit(features, target).coef_
        assert 0 < np.count_nonzero(w) < len(w)
        grad = features.T @ fl.half_squared_error.grad(features @ w, target)
        for step in (0.1, 0.5):
            moved = penalty.prox(w - step * grad, step=step, strength=0.3, **given)
            np.testing.assert_allclose(moved, w, atol=1e-7)
            assert np.array_equal(moved == 0, w == 0)


@each_penalty
def test_special_numbers(name: str) -> None:
    x = np.array([INF, -INF, NAN, 0.0, -0.0])
    penalty = fl.penalties[name]
    np.testing.assert_array_equal(penalty.prox(x, step=0.5), [INF, -INF, NAN, 0, 0])
    slope = {"l1": 1.0}.get(name, INF)
    np.testing.assert_array_equal(penalty.grad(x), [slope, -slope, NAN, 0, 0])
    assert penalty(x[:2]) == INF
    assert np.isnan(penalty(x))
    assert penalty(np.empty(0)) == 0


@each_dtype
@each_penalty
def test_what_is_not_penalised_may_be_infinite(name: str, dtype: type) -> None:
    """0·inf is 0; NaN stays NaN."""
    x = np.array([INF, -INF, np.finfo(dtype).max, -1.0, NAN], dtype)
    penalty = fl.penalties[name]
    value, grad = penalty.value_and_grad(x[:4], strength=0)
    assert value == 0
    np.testing.assert_array_equal(grad, np.zeros(4))
    np.testing.assert_array_equal(penalty.grad(x, strength=0)[4], NAN)
    np.testing.assert_array_equal(penalty.prox(x, strength=0), x)
    np.testing.assert_array_equal(penalty.prox(x, step=0), x)


@each_dtype
def test_an_elastic_net_of_one_kind_has_nothing_of_the_other(dtype: type) -> None:
    type_ = np.finfo(dtype)
    x = np.array([INF, -INF, NAN, type_.max, type_.tiny, 0, -2], dtype)
    large = float(type_.max) / 4
    for ratio, alone in ((1, fl.l1), (0, fl.l2)):
        for strength in (0.5, 3.0):
            given = {"strength": strength}
            np.testing.assert_array_equal(
                fl.elastic_net.grad(x, l1_ratio=ratio, **given), alone.grad(x, **given)
            )
            for x_, step in ((x, 0.25), (x, large), (x[2:], large * 4)):
                moved = fl.elastic_net.prox(x_, step=step, l1_ratio=ratio, **given)
                np.testing.assert_allclose(
                    moved, alone.prox(x_, step=step, **given), rtol=8 * type_.eps, atol=8
                )
        for part in (x[:2], x[2:3], x[4:]):
            value = fl.elastic_net(part, l1_ratio=ratio)
            np.testing.assert_allclose(value, alone(part), rtol=8 * type_.eps)


def results(name: str, x: Any, **more: Any) -> tuple[Any, ...]:
    penalty = fl.penalties[name]
    return penalty(x, **more), penalty.value_and_grad(x, **more), penalty.prox(x, step=0.3, **more)


def strengths(x: Any) -> list[Any]:
    """Return one for all, and one for each place along the last axis."""
    return [0.75, np.linspace(0, 2, x.shape[-1])]


@each_type
@each_penalty
def test_threads(name: str, dtype: Any) -> None:
    x = drawn(dtype, (700, 501))
    for strength in strengths(x):
        with fl.threads(1):
            expected = results(name, x, strength=strength)
        for threads in (2, 3, 8):
            with fl.threads(threads):
                assert_same_bits(results(name, x, strength=strength), expected)


@each_dtype
@each_penalty
def test_levels(name: str, dtype: type) -> None:
    """The same bits on each one that has fma."""
    x = drawn(dtype, (70, 501))
    highest = _core.isa()
    try:
        for strength in strengths(x):
            fl.set_isa(highest)
            expected = results(name, x, strength=strength)
            for level in LEVELS:
                if "baseline" not in (level, highest):
                    fl.set_isa(level)
                    assert_same_bits(results(name, x, strength=strength), expected)
    finally:
        fl.set_isa(highest)


@pytest.mark.parametrize("layout", LAYOUTS)
@each_type
@each_penalty
def test_layouts(name: str, dtype: Any, layout: Callable[[Any], Any]) -> None:
    for shape in ((20, 33), (3, 4099)):
        x = drawn(dtype, shape)
        for strength in strengths(x):
            expected = results(name, x, strength=strength)
            given = layout(x)
            before = given.tobytes()
            assert_same_bits(results(name, given, strength=strength), expected)
            assert given.tobytes() == before
            if layout in (read_only, subclass, unmasked):
                continue
            for method, wanted in (("grad", expected[1][1]), ("prox", expected[2])):
                out, more = layout(np.zeros_like(x)), {"step": 0.3} if method == "prox" else {}
                got = bound(fl.penalties[name], method)(x, strength=strength, out=out, **more)
                assert got is out
                assert_same_bits(np.asarray(out), wanted)


@each_dtype
@each_penalty
def test_batches(name: str, dtype: type) -> None:
    """The result of an element does not depend on its neighbours."""
    x = drawn(dtype, (5000,))
    penalty = fl.penalties[name]
    for part in (slice(0, 1), slice(3, 20), slice(17, 4500)):
        assert_same_bits(penalty.grad(x[part]), penalty.grad(x)[part])
        assert_same_bits(penalty.prox(x[part], step=0.3), penalty.prox(x, step=0.3)[part])


@each_penalty
def test_types_and_shapes(name: str) -> None:
    penalty = fl.penalties[name]
    numbers = np.array([[3, 0, 2], [1, 1, 0]])
    expected = results(name, numbers.astype(np.float64))
    for dtype in (np.int8, np.uint64, np.int32):
        assert_same_bits(results(name, numbers.astype(dtype)), expected)
    assert_same_bits(results(name, numbers.tolist()), expected)
    for shape in ((0,), (0, 3), (3, 0)):
        x = np.empty(shape, np.float32)
        value, grad = penalty.value_and_grad(x)
        assert value == 0
        assert grad.shape == penalty.prox(x).shape == shape
        assert grad.dtype == penalty.prox(x).dtype == np.float32
    assert penalty(-2.0) == penalty([-2.0])
    assert penalty.grad(-2.0) == penalty.grad([-2.0])[0]
    assert penalty.prox(-2.0) == penalty.prox([-2.0])[0]


@pytest.mark.parametrize("dtype", NARROW)
@each_penalty
def test_narrow_types(name: str, dtype: Any) -> None:
    x = np.clip(drawn(np.float32), -100, 100).astype(dtype)
    penalty = fl.penalties[name]
    wide = x.astype(np.float32)
    for method in ("grad", "prox"):
        got, expected = getattr(penalty, method)(x), getattr(penalty, method)(wide)
        assert got.dtype == dtype
        np.testing.assert_array_equal(
            got.astype(np.float32), expected.astype(dtype).astype(np.float32)
        )
    assert penalty(x) == penalty(wide)


@each_penalty
def test_in_place(name: str) -> None:
    penalty = fl.penalties[name]
    x = drawn(np.float64)
    for method in ("grad", "prox"):
        place = x.copy()
        assert getattr(penalty, method)(place, out=place) is place
        assert_same_bits(place, getattr(penalty, method)(x))
    grad = np.empty_like(x)
    value, same = penalty.value_and_grad(x, out=(None, grad))
    assert same is grad
    assert value == penalty(x)
    single = np.empty(x.shape, np.float32)
    assert penalty.prox(x, out=single) is single
    assert_same_bits(single, penalty.prox(x).astype(np.float32))


@each_penalty
def test_an_overlap_has_the_bits_of_a_copy(name: str) -> None:
    for method in ("grad", "prox"):
        for start in (1, 40):
            memory = drawn(np.float64, (200,))
            x, out = memory[:100], memory[start : start + 100]
            expected = getattr(fl.penalties[name], method)(x.copy())
            assert_same_bits(getattr(fl.penalties[name], method)(x, out=out).copy(), expected)


X = np.ones((2, 3))
READ_ONLY = np.ones((2, 3))
READ_ONLY.flags.writeable = False
FAULTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"strength": -1.0}, ValueError, "argument 'strength': expected a finite"),
    ({"strength": NAN}, ValueError, "argument 'strength': expected a finite"),
    ({"strength": INF}, ValueError, "argument 'strength': expected a finite"),
    ({"strength": [1.0, 2.0, -1.0]}, ValueError, r"argument 'strength': .*-1"),
    ({"strength": [1.0, 2.0]}, ValueError, "argument 'strength': "),
    ({"strength": X}, ValueError, "argument 'strength': "),
    ({"strength": "much"}, TypeError, "argument 'strength': "),
    ({"strength": None}, TypeError, "argument 'strength': "),
    ({"x": ["text"]}, TypeError, "argument 'x': "),
    ({"x": X + 0j}, TypeError, "argument 'x': "),
    ({"x": X.astype(np.longdouble)}, TypeError, "argument 'x': "),
    ({"x": np.ma.masked_array(X, X > 0)}, TypeError, "argument 'x': "),
]
FAULTS_OF_OUTPUTS: list[tuple[Any, type[Exception]]] = [
    (np.full((3, 2), 77.0), ValueError),
    (np.full((2, 3), 77), TypeError),
    (READ_ONLY, ValueError),
    ([[77.0] * 3] * 2, TypeError),
    (3.0, TypeError),
]


def refused(function: Any, error: type[Exception], message: str, **given: Any) -> None:
    """Expect an error that names function and argument, and outputs that are as before."""
    with pytest.raises(error, match=rf"^{function.__qualname__}: {message}") as caught:
        function(**{"x": X, **given})
    assert caught.type is error


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault[0]))
@each_penalty
def test_wrong_arguments(name: str, fault: Any) -> None:
    given, error, message = fault
    penalty = fl.penalties[name]
    out = np.full((2, 3), 77.0)
    refused(penalty, error, message, **given)
    refused(penalty.grad, error, message, out=out, **given)
    refused(penalty.value_and_grad, error, message, out=(None, out), **given)
    refused(penalty.prox, error, message, out=out, **given)
    if "strength" in given:
        refused(
            penalty.prox,
            error,
            message.replace("strength", "step"),
            step=given["strength"],
            out=out,
        )
    assert np.all(out == 77)


@pytest.mark.parametrize("fault", FAULTS_OF_OUTPUTS, ids=range(len(FAULTS_OF_OUTPUTS)))
@each_penalty
def test_wrong_outputs(name: str, fault: Any) -> None:
    out, error = fault
    before = np.array(out)
    penalty = fl.penalties[name]
    refused(penalty.grad, error, "argument 'out", out=out)
    refused(penalty.prox, error, "argument 'out", out=out)
    refused(penalty.value_and_grad, error, "argument 'out", out=(None, out))
    np.testing.assert_array_equal(np.array(out), before)


@each_penalty
def test_wrong_structures(name: str) -> None:
    penalty = fl.penalties[name]
    out = np.full((2, 3), 77.0)
    refused(penalty, TypeError, "argument 'out", out=out)
    refused(penalty.grad, TypeError, "argument 'out", out=(out,))
    refused(penalty.value_and_grad, TypeError, "argument 'out", out=out)
    refused(penalty.value_and_grad, TypeError, "argument 'out", out=(out, None))
    for wrong in ({"weight": 2.0}, {"reduction": "sum"}, {"step": 1.0}):
        with pytest.raises(
            TypeError, match=rf"^{name}.grad\(\) got an unexpected keyword argument"
        ):
            penalty.grad(X, **wrong, out=out)
    with pytest.raises(TypeError, match=rf"^{name}.prox\(\) takes 1 positional"):
        penalty.prox(X, 1.0)
    assert np.all(out == 77)


@pytest.mark.parametrize("wrong", [-0.125, 1.5, NAN, [0.5, 0.5, 2.0]])
def test_wrong_ratios(wrong: Any) -> None:
    for function in (fl.elastic_net, fl.elastic_net.grad, fl.elastic_net.prox):
        refused(function, ValueError, "argument 'l1_ratio': expected", l1_ratio=wrong)


def test_registry() -> None:
    kernels = {name for name, *_ in _core.kernel_signatures("penalty")}
    assert kernels == {kernel for name in fl.penalties for kernel in (name, f"{name}.prox")}
    assert not kernels & set(fl.losses)
    with pytest.raises(TypeError):
        fl.penalties["another"] = fl.l1  # type: ignore[index]


@each_penalty
def test_function(name: str) -> None:
    penalty = fl.penalties[name]
    assert getattr(fl, name) is penalty
    assert name in fl.__all__
    for function in (
        bound(owner, method) for owner in (penalty, penalty.reference) for method in METHODS
    ):
        assert pickle.loads(pickle.dumps(function)) is function
        assert list(inspect.signature(function).parameters)[-1] == "out"
    for function in (penalty, penalty.prox):
        assert list(function.parameters) == list(inspect.signature(function).parameters)[1:-1]
        assert (function.inputs, function.targets) == (("x",), ())
