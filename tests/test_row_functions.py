# SPDX-License-Identifier: BSD-3-Clause
"""Functions of rows: log_softmax, softmax, logsumexp, selected_log_prob."""

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, assert_same_bits
from fastloss import _core
from test_layouts import LAYOUTS, read_only, subclass, unmasked

special = pytest.importorskip("scipy.special", reason="needs the extra [test]")

INF, NAN = np.inf, np.nan
SHAPES = [(1, 1), (1, 2), (3, 16), (3, 17), (5, 64), (5, 65), (2, 3, 33), (2, 1000), (700, 3)]

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_function = pytest.mark.parametrize("name", fl.row_functions)


def arguments(name: str, shape: tuple[int, ...], dtype: Any, seed: int = 0) -> list[Any]:
    """Draw scores, of any size and with some -inf, and labels where the function takes them."""
    generator = np.random.default_rng([seed, *shape])
    rows = (*shape[:-1], 1)
    x = generator.normal(size=shape) * 4.0 ** generator.integers(-8, 5, rows)
    x += generator.choice([0, 0, 700, -1e4], rows)
    x[..., 1:] = np.where(generator.uniform(size=shape) < 0.02, -INF, x)[..., 1:]
    labels = [generator.integers(shape[-1], size=shape[:-1])] if name == "selected_log_prob" else []
    return [x.astype(dtype), *labels]


def gives_rows(name: str) -> bool:
    return "softmax" in name


# ---- what they are ------------------------------------------------------------------------------


def exact_row(name: str, x: Any, *label: int) -> list[Any]:
    """Return the result of a row from its definition, in the working precision of mpmath."""
    x = [mpmath.mpf(float(score)) for score in x]
    sum_of_exp = mpmath.fsum(map(mpmath.exp, x))
    if name == "softmax":
        return [mpmath.exp(score) / sum_of_exp for score in x]
    lse = mpmath.log(sum_of_exp)
    if name == "log_softmax":
        return [score - lse for score in x]
    return [x[label[0]] - lse if label else lse]


def errors_in_ulp(got: Any, exact: Any, size: Any = 0.0) -> list[float]:
    """Return the distances, in units of the last place of the exact numbers or their size."""
    units = np.spacing(np.maximum(np.abs([float(e) for e in exact]), size).astype(got.dtype))
    return [
        0.0 if float(a) == e else float(abs(mpmath.mpf(float(a)) - e) / float(unit))
        for a, e, unit in zip(got, exact, units, strict=True)
    ]


@each_dtype
@each_function
def test_accuracy(name: str, dtype: type) -> None:
    """In ULP of the result; of log-sum-exp, whose two parts may cancel, of the larger part."""
    for shape in [(40, 2), (40, 3), (30, 7), (4, 65), (2, 1000)]:
        given = arguments(name, shape, dtype, seed=1)
        got = getattr(fl, name)(*given).reshape(len(given[0]), -1)
        with mpmath.workdps(500):
            for row in range(len(got)):
                exact = exact_row(name, *(x[row] for x in given))
                size = np.abs(given[0][row].max()) if name == "logsumexp" else 0.0
                errors = errors_in_ulp(got[row], exact, size)
                assert max(errors) <= fl.row_functions[name].ulp, (shape, row)


@each_dtype
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_as_scipy_has_them(dtype: type, axis: int) -> None:
    x = np.random.default_rng(2).normal(size=(20, 30)).astype(dtype)
    wide, close = x.astype(np.float64), {"rtol": 16 * np.finfo(dtype).eps}
    np.testing.assert_allclose(
        fl.log_softmax(x, axis=axis), special.log_softmax(wide, axis=axis), **close
    )
    np.testing.assert_allclose(fl.softmax(x, axis=axis), special.softmax(wide, axis=axis), **close)
    np.testing.assert_allclose(
        fl.logsumexp(x, axis=axis), special.logsumexp(wide, axis=axis), **close
    )


@each_dtype
def test_selected_log_prob_is_minus_cross_entropy(dtype: type) -> None:
    for shape in SHAPES:
        x, labels = arguments("selected_log_prob", shape, dtype)
        loss = fl.cross_entropy(x, labels, reduction="none")
        np.testing.assert_array_equal(fl.selected_log_prob(x, labels), -loss)


@each_dtype
@each_function
def test_as_the_reference_has_them(name: str, dtype: type) -> None:
    for shape in SHAPES:
        given = arguments(name, shape, dtype)
        for axis in range(len(shape)):
            turned = [np.moveaxis(given[0], -1, axis), *given[1:]]
            function = getattr(fl, name)
            got, wide = function(*turned, axis=axis), turned[0].astype(np.longdouble)
            exact = function.reference(wide, *turned[1:], axis=axis)
            assert got.shape == exact.shape
            size = np.abs(wide).max(axis) if name == "logsumexp" else 0
            tolerance = 4 * np.finfo(dtype).eps * np.maximum(np.abs(exact), size)
            with np.errstate(invalid="ignore"):
                near = np.abs(got - exact) <= tolerance + np.finfo(dtype).smallest_subnormal
            assert np.all((got == exact) | near)


ROWS = [
    # scores, log_softmax, softmax, logsumexp
    ([5.0], [0.0], [1.0], 5.0),
    ([0.0, 0.0, -INF], [-np.log(2), -np.log(2), -INF], [0.5, 0.5, 0.0], np.log(2)),
    ([-INF, 3.0, -INF], [-INF, 0.0, -INF], [0.0, 1.0, 0.0], 3.0),
    ([-INF] * 3, [NAN] * 3, [NAN] * 3, -INF),
    ([0.0, INF, 7.0], [-INF, 0.0, -INF], [0.0, 1.0, 0.0], INF),
    ([INF, INF, 7.0], [NAN] * 3, [NAN] * 3, INF),
    ([NAN, 0.0, 1.0], [NAN] * 3, [NAN] * 3, NAN),
    ([NAN, INF, 1.0], [NAN] * 3, [NAN] * 3, NAN),
    ([NAN, -INF, -INF], [NAN] * 3, [NAN] * 3, NAN),
    ([1e300, 0.0, -1e300], [0.0, -1e300, -2e300], [1.0, 0.0, 0.0], 1e300),
]


@pytest.mark.parametrize("padding", [0, 100])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_limits(row: Any, padding: int) -> None:
    """Also with classes around that are impossible."""
    x, *expected = row
    given = np.array([[-INF] * padding + x] * 2)
    got = [fl.log_softmax(given), fl.softmax(given), fl.logsumexp(given)]
    got[:2] = [result[:, padding:] for result in got[:2]]
    got.append(np.stack([fl.selected_log_prob(given, [padding + k] * 2) for k in range(len(x))], 1))
    for result, wanted in zip(got, [*expected, expected[0]], strict=True):
        np.testing.assert_allclose(result, [wanted] * 2, rtol=1e-15)
        reference = [np.signbit(result[~np.isnan(result)]), np.signbit(np.nan_to_num(wanted))]
        assert np.any(reference[0]) <= np.any(reference[1])  # no -0


@each_dtype
@each_function
def test_not_a_number_stays_in_its_row(name: str, dtype: type) -> None:
    for classes in (5, 100):
        given = arguments(name, (9, classes), dtype)
        expected = getattr(fl, name)(*given)
        given[0][4, 2] = NAN
        got = getattr(fl, name)(*given)
        assert np.isnan(got[4]).all()
        assert_same_bits(np.delete(got, 4, 0), np.delete(expected, 4, 0))


# ---- arrays -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@each_dtype
@each_function
def test_layouts(name: str, dtype: type, layout: Callable[[Any], Any]) -> None:
    for shape in [(7, 5), (6, 33), (3, 70), (2, 3, 65)]:
        given = arguments(name, shape, dtype)
        expected = getattr(fl, name)(*given)
        assert_same_bits(getattr(fl, name)(*map(layout, given)), expected)
        if layout in (read_only, subclass, unmasked):
            continue
        out = layout(np.zeros(expected.shape, dtype))
        assert getattr(fl, name)(*given, out=out) is out
        assert_same_bits(np.asarray(out), expected)


@each_dtype
@each_function
def test_axes(name: str, dtype: type) -> None:
    for shape in [(4, 3, 5), (3, 2, 90)]:
        given = arguments(name, shape, dtype)
        expected = getattr(fl, name)(*given)
        for axis in (0, 1, 2, -1, -2, -3):
            turned = [np.moveaxis(given[0], -1, axis), *given[1:]]
            got = getattr(fl, name)(*turned, axis=axis)
            if gives_rows(name):
                assert got.strides == turned[0].strides
                got = np.moveaxis(got, axis, -1)
            assert_same_bits(got, expected)


@each_function
def test_types(name: str) -> None:
    given = arguments(name, (6, 5), np.float32)
    assert getattr(fl, name)(*given).dtype == np.float32
    integers = np.arange(30).reshape(6, 5) % 7
    expected = getattr(fl, name)(integers.astype(np.float64), *given[1:])
    for dtype in (np.int8, np.uint64, np.int32):
        got = getattr(fl, name)(integers.astype(dtype), *(x.astype(dtype) for x in given[1:]))
        assert got.dtype == np.float64
        assert_same_bits(got, expected)
    assert_same_bits(
        getattr(fl, name)(integers.tolist(), *(x.tolist() for x in given[1:])), expected
    )


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@each_function
def test_narrow_types(name: str, dtype: Any) -> None:
    """They are storage: the result in float32 is rounded once."""
    for shape in [(6, 5), (3, 70)]:
        x, *labels = arguments(name, shape, np.float32)
        x = np.clip(x, -6e4, 6e4).astype(dtype)
        expected = getattr(fl, name)(x.astype(np.float32), *labels)
        with np.errstate(over="ignore"):
            rounded = expected.astype(dtype)
        assert_same_bits(getattr(fl, name)(x, *labels), rounded)
        out = np.zeros(expected.shape, np.float32)
        assert_same_bits(getattr(fl, name)(x, *labels, out=out), expected)


@each_function
def test_one_row(name: str) -> None:
    given = arguments(name, (1, 5), np.float64)
    got = getattr(fl, name)(*(x[0] for x in given))
    np.testing.assert_array_equal(np.asarray(got), getattr(fl, name)(*given)[0])
    assert isinstance(got, np.ndarray if gives_rows(name) else np.float64)


@each_function
def test_no_rows(name: str) -> None:
    x = np.zeros((0, 4, 3), np.float32)
    labels = [np.zeros((0, 4), int)] * (name == "selected_log_prob")
    got = getattr(fl, name)(x, *labels)
    assert got.shape == (x.shape if gives_rows(name) else x.shape[:-1])
    assert got.dtype == np.float32


@each_dtype
@pytest.mark.parametrize("name", ["log_softmax", "softmax"])
def test_in_place(name: str, dtype: type) -> None:
    for shape in [(9, 4), (3, 64), (3, 65), (2, 1000)]:
        (x,) = arguments(name, shape, dtype)
        x[0, :2] = INF, 0  # a row that is read twice
        expected = getattr(fl, name)(x)
        assert getattr(fl, name)(x, out=x) is x
        assert_same_bits(x, expected)


@pytest.mark.parametrize("name", ["log_softmax", "softmax"])
def test_an_overlap_has_the_bits_of_a_copy(name: str) -> None:
    for start in (1, 3, 40):
        memory = np.random.default_rng(3).normal(size=200)
        x = memory[:100].reshape(5, 20)
        expected = getattr(fl, name)(x.copy())
        out = memory[start : start + 100].reshape(5, 20)
        assert_same_bits(getattr(fl, name)(x, out=out).copy(), expected)


@each_function
def test_out_of_another_type(name: str) -> None:
    given = arguments(name, (6, 5), np.float64)
    expected = getattr(fl, name)(*given)
    out = np.zeros(expected.shape, np.float32)
    getattr(fl, name)(*given, out=out)
    assert_same_bits(out, expected.astype(np.float32))


# ---- errors -------------------------------------------------------------------------------------

X = np.ones((4, 3))
ERRORS: list[tuple[str, list[Any], dict[str, Any], type, str]] = [
    ("softmax", [1.0], {}, ValueError, "softmax: argument 'x': expected at least one dimension"),
    ("softmax", [X + 0j], {}, TypeError, "softmax: argument 'x'"),
    ("softmax", [X], {"axis": 2}, ValueError, "softmax: argument 'axis'"),
    ("softmax", [X], {"axis": 0.5}, TypeError, "softmax: argument 'axis': expected an integer"),
    ("softmax", [X[:, :0]], {}, ValueError, "softmax: argument 'x': expected at least one class"),
    ("softmax", [X], {"out": np.zeros((3, 4))}, ValueError, "softmax: argument 'out'"),
    ("softmax", [X], {"out": np.zeros((4, 3), int)}, TypeError, "softmax: argument 'out'"),
    ("softmax", [X], {"out": (np.zeros((4, 3)),)}, TypeError, "softmax: argument 'out'"),
    ("logsumexp", [X], {"out": np.zeros((4, 3))}, ValueError, "logsumexp: argument 'out'"),
    ("selected_log_prob", [X, [0, 1, 3, 2]], {}, IndexError, r"'labels': .*got 3 at index 2"),
    ("selected_log_prob", [X, [0, -1, 1, 2]], {}, IndexError, r"'labels': .*got -1 at index 1"),
    ("selected_log_prob", [X, [0.0] * 4], {}, TypeError, "'labels': expected integers"),
    ("selected_log_prob", [X, [0, 1]], {}, ValueError, "'labels': expected shape"),
    ("selected_log_prob", [X, X], {}, ValueError, "'labels': expected labels of shape"),
    ("selected_log_prob", [X], {}, TypeError, "missing required argument: 'labels'"),
    ("softmax", [X], {"weight": 1}, TypeError, "unexpected keyword argument 'weight'"),
    ("softmax", [X, X], {}, TypeError, "takes 1 positional"),
]


@pytest.mark.parametrize(
    ("name", "given", "keywords", "error", "message"),
    ERRORS,
    ids=[f"{row[0]}-{k}" for k, row in enumerate(ERRORS)],
)
def test_errors(
    name: str, given: Any, keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    out = keywords.get("out", np.full(X.shape if gives_rows(name) else X.shape[:1], 77.0))
    before = np.array(out, copy=True)
    with pytest.raises(error, match=message):
        getattr(fl, name)(*given, **{"out": out, **keywords})
    np.testing.assert_array_equal(out, before)


# ---- one answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@each_function
def test_threads(name: str, threads: int) -> None:
    for shape in [(3000, 7), (300, 700)]:
        given = arguments(name, shape, np.float32)
        with fl.threads(1):
            expected = getattr(fl, name)(*given)
        with fl.threads(threads):
            assert_same_bits(getattr(fl, name)(*given), expected)


@each_dtype
@each_function
def test_batches(name: str, dtype: type) -> None:
    """A row's result does not depend on its neighbours."""
    for classes in (3, 64, 65, 500):
        given = arguments(name, (40, classes), dtype)
        whole = getattr(fl, name)(*given)
        for part in (slice(0, 1), slice(3, 20), slice(17, 40)):
            assert_same_bits(getattr(fl, name)(*(x[part] for x in given)), whole[part])


# ---- the registry -------------------------------------------------------------------------------


def test_registry() -> None:
    kernels = {name for name, *_ in _core.kernel_signatures("row function")}
    assert kernels == set(fl.row_functions)
    assert not kernels & set(fl.losses)
    with pytest.raises(TypeError):
        fl.row_functions["another"] = fl.softmax  # type: ignore[index]


@each_function
def test_function(name: str) -> None:
    function = fl.row_functions[name]
    assert getattr(fl, name) is function
    assert name in fl.__all__
    assert pickle.loads(pickle.dumps(function)) is function
    signature = inspect.signature(function)
    assert list(signature.parameters)[-2:] == ["axis", "out"]
    assert str(signature) == str(inspect.signature(function.reference))
    assert repr(function) == f"<fastloss function {name}>"


def test_only_the_call_itself_exists() -> None:
    number = _core.register_loss("row function", "softmax", ["x"], [], [], 1)
    with pytest.raises(ValueError, match="no method"):
        _core.Function(number, 1, ("x",), {"axis": -1, "out": None})
    with pytest.raises(ValueError, match="no method"):
        _core.Function(number, 0, ("x",), {"axis": -1, "weight": None, "out": None})
