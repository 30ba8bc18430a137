# SPDX-License-Identifier: BSD-3-Clause
"""Every wrong call raises what it should, says what is wrong, and changes no output."""

import re
from typing import Any

import numpy as np
import pytest

from cases import METHODS, REDUCTIONS, Call, make_call, parts, settings
from fastloss.accuracy.settings import Setting, default_settings
from faults import faults

SHAPES = {
    "pointwise": (4, 3),
    "rowwise": (2, 3, 4),
    "overlap": (2, 3, 4),
    "ordered": (4, 3),
    "groupwise": (4, 3),
}
MESSAGE = re.compile(
    r"(?P<function>[\w.]+): argument '(?P<argument>[\w\[\]]+)': expected .+, got (?P<got>.+)", re.S
)


def right_call(setting: Setting) -> Call:
    return make_call(setting, SHAPES[setting.loss.family])


def filled(result: Any) -> Any:
    """Return arrays of 77 in the structure of a result, and None for a number."""
    if isinstance(result, tuple):
        return tuple(filled(x) for x in result)
    return np.full_like(result, 77) if isinstance(result, np.ndarray) else None


def assert_untouched(out: Any) -> None:
    assert all(x is None or np.all(x == 77) for x in parts(out))


def assert_raises(
    call: Call, method: str, error: type[Exception], argument: str, got: str, **more: Any
) -> None:
    """Check type and message of an error."""
    with pytest.raises(error) as caught:
        call(method, **more)
    assert caught.type is error
    match = MESSAGE.fullmatch(str(caught.value))
    assert match, str(caught.value)
    name = call.loss.__name__
    assert match["function"] == (name if method == "value" else f"{name}.{method}")
    assert match["argument"] == argument
    assert got in match["got"]


@pytest.mark.parametrize("method", [*METHODS, "weight_sum"])
@settings(default_settings())
def test_wrong_arguments(setting: Setting, method: str) -> None:
    right = right_call(setting)
    results = {r: right(method, reduction=r) for r in REDUCTIONS if method in METHODS}
    failures = []
    for fault in faults(setting, right):
        more: dict[str, Any] = {}
        if method in METHODS:
            given = fault.call.keywords.get("reduction", "none")
            more = {"reduction": given, "out": filled(results.get(given, results["none"]))}
        elif not fault.in_weight_sum:
            continue
        try:
            assert_raises(fault.call, method, fault.error, fault.argument, fault.got, **more)
            assert_untouched(more.get("out"))
        except (AssertionError, pytest.fail.Exception) as error:
            failures.append(f"{fault.name}: {error}")
    assert not failures, "\n".join(failures)


def wrong_outputs(x: np.ndarray) -> list[tuple[Any, type[Exception], str]]:
    """Return what cannot stand for an output like x, and why not."""
    read_only = x.copy()
    read_only.flags.writeable = False
    steps = (0,) if x.ndim == 1 else (8,) * x.ndim
    overlapping = np.lib.stride_tricks.as_strided(np.full(x.size, 77.0), x.shape, steps)
    half_steps = np.lib.stride_tricks.as_strided(
        np.full(x.size + 1, 77.0), x.shape, (*x.strides[:-1], 4)
    )
    return [
        (3.0, TypeError, "float"),
        ([77.0], TypeError, "list"),
        ("text", TypeError, "str"),
        (memoryview(x), TypeError, "memoryview"),
        (np.float64(77), TypeError, "float64"),
        (np.full(x.shape, 77), TypeError, "dtype int64"),
        (np.full(x.shape, 77, bool), TypeError, "dtype bool"),
        (np.full(x.shape, 77, complex), TypeError, "dtype complex128"),
        (np.full(x.shape, 77, object), TypeError, "dtype object"),
        (np.full(x.shape, 77, np.longdouble), TypeError, f"dtype {np.dtype(np.longdouble)}"),
        (np.full(x.shape, "77"), TypeError, "dtype <U2"),
        (x[:-1], ValueError, str(x[:-1].shape)),
        (x[:1], ValueError, str(x[:1].shape)),
        (x[..., None], ValueError, str(x[..., None].shape)),
        (x[None], ValueError, str(x[None].shape)),
        (x[0, ...], ValueError, str(x[0].shape)),
        (np.full((*x.shape[::-1], 2), 77.0), ValueError, str((*x.shape[::-1], 2))),
        (np.full((), 77.0), ValueError, "()"),
        (read_only, ValueError, "read-only"),
        (np.broadcast_to(x[:1], x.shape), ValueError, ""),
        (overlapping, ValueError, ""),
        (half_steps, ValueError, ""),
    ]


def paths(structure: Any, name: str = "out") -> list[str]:
    """Return how messages call each part of `out`."""
    if not isinstance(structure, tuple):
        return [name]
    return [path for k, x in enumerate(structure) for path in paths(x, f"{name}[{k}]")]


def with_part(structure: Any, path: str, part: Any, name: str = "out") -> Any:
    """Put something in the place of one part of `out`."""
    if not isinstance(structure, tuple):
        return part if name == path else structure
    return tuple(with_part(x, path, part, f"{name}[{k}]") for k, x in enumerate(structure))


@pytest.mark.parametrize("method", METHODS)
@settings(default_settings())
def test_wrong_outputs(setting: Setting, method: str) -> None:
    right = right_call(setting).given(reduction="none")
    result = right(method)
    for k, path in enumerate(paths(result)):
        count = len(wrong_outputs(parts(result)[k]))
        for number in range(count):
            out = filled(result)
            wrong, error, got = wrong_outputs(parts(out)[k])[number]
            before = np.asarray(wrong).tobytes()
            given = with_part(out, path, wrong)
            assert_raises(right, method, error, path, got, out=given)
            assert_untouched(out)
            assert np.asarray(wrong).tobytes() == before


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@settings(default_settings())
def test_a_number_has_no_place(setting: Setting, reduction: str) -> None:
    right = right_call(setting).given(reduction=reduction)
    for method in METHODS:
        if "value" not in method:
            continue
        out = filled(right(method))
        path = paths(out)[0]
        for wrong in (np.full((), 77.0), np.full((4, 3), 77.0), 77.0, np.float64(77)):
            given = with_part(out, path, wrong)
            assert_raises(right, method, TypeError, path, "", out=given)
            assert_untouched(out)


@settings(default_settings())
def test_wrong_structures(setting: Setting) -> None:
    right = right_call(setting).given(reduction="none")
    for method in METHODS:
        out = filled(right(method))
        single = not isinstance(out, tuple)
        wrong: list[Any] = [(out,), (out, out)]
        if not single:
            wrong = [list(out), parts(out)[0], out[:1], (*out, None), ()]
        for given in wrong:
            is_tuple = isinstance(given, tuple)
            error = ValueError if is_tuple and not single else TypeError
            assert_raises(right, method, error, "out", "", out=given)
        assert_untouched(out)


@settings([s for s in default_settings() if len(s.loss.inputs) > 1])
def test_wrong_inner_structures(setting: Setting) -> None:
    right = right_call(setting).given(reduction="mean")
    _, grad, _ = filled(right("value_grad_and_hess"))
    for inner, error in [(grad[0], TypeError), (grad[:1], ValueError), (list(grad), TypeError)]:
        assert_raises(right, "value_grad_and_hess", error, "out[1]", "", out=(None, inner, None))
        assert_raises(right, "grad", error, "out", "", out=inner)
    assert_untouched(grad)


@settings(default_settings())
def test_outputs_that_share_memory(setting: Setting) -> None:
    right = right_call(setting).given(reduction="none")
    for method in METHODS:
        out = filled(right(method))
        arrays = [k for k, x in enumerate(parts(out)) if x.shape == right.first.shape]
        for first in arrays:
            for second in arrays:
                if first == second:
                    continue
                memory = np.full((right.first.size + 1), 77.0)
                one = memory[:-1].reshape(right.first.shape)
                for other in (one, memory[1:].reshape(right.first.shape), one[::-1]):
                    given = with_part(out, paths(out)[first], one)
                    given = with_part(given, paths(out)[second], other)
                    with pytest.raises(ValueError, match=r"argument 'out.*': expected .*, got "):
                        right(method, out=given)
                    assert np.all(memory == 77)
                    assert_untouched(out)


@settings(default_settings())
def test_outputs_in_turns_do_not_share_memory(setting: Setting) -> None:
    """Interleaved outputs lie in the same memory, but have no element in common."""
    right = right_call(setting).given(reduction="none")
    method = "grad_and_hess" if len(right.loss.inputs) == 1 else "grad"
    expected = right(method)
    memory = np.empty((*right.first.shape, len(expected)))
    out = tuple(memory[..., k] for k in range(len(expected)))
    right(method, out=out)
    for got, wanted in zip(out, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


@settings(default_settings())
def test_parameters_stay_in_their_domain_in_float32(setting: Setting) -> None:
    """A number that rounds out of the domain is refused where the arithmetic is float32."""
    for name, parameter in setting.loss.parameters.items():
        domain = parameter.domain
        if not domain.is_number:
            continue
        bad = [1e300] * (domain.high == np.inf)
        bad += [1e-300] * (domain.low == 0 and not domain.includes_low)
        for x in bad:
            single = make_call(setting, (4, 3), np.float32)
            assert_raises(single, "grad", ValueError, name, repr(x), **{name: x})
            make_call(setting, (4, 3))("grad", **{name: x})
