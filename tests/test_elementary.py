# SPDX-License-Identifier: BSD-3-Clause
"""The elementary functions keep the bounds in the comments above them, at every level.

The marked test looks for the largest errors, for hours, and stores them; `-k` picks functions.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from elementary import (
    FUNCTIONS,
    LIFT,
    Points,
    Suspect,
    Worst,
    as_points,
    close_look,
    each_exponent,
    exact_truth,
    fast_truth,
    in_domain,
    promised,
    result,
    sources,
    ulp_errors,
    uniform_bits,
)
from fastloss import _core

STORE = Path(__file__).with_name("elementary_accuracy.json")
LEVELS = [name for name, runs in _core.isa_levels() if runs]
CHUNK = 1 << 14
MANY = 220_000_000  # points of each function that is not tried on all arguments;
MANY_BALLS = 40_000_000  # where the truth takes microseconds

each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = _core.isa()
    yield
    fl.set_isa(before)


def stored() -> dict[str, Any]:
    """Return {function: {dtype: {"points", "sources", "fma" and "baseline": {"ulp", "at"}}}}."""
    return json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}


def strata(name: str, dtype: Any) -> Points:
    """Return numbers of all sizes, many where it matters, and the worst ones ever found."""
    rng = np.random.default_rng(61)
    x = np.concatenate([each_exponent(dtype, rng), close_look(name, dtype, 1000, rng)])
    points = as_points(name, x, rng)
    for kind in ("fma", "baseline"):
        worst = stored()[name][dtype.__name__][kind]["at"]
        points = tuple(
            np.append(x, dtype(float.fromhex(one))) for x, one in zip(points, worst, strict=True)
        )
    return points


def test_every_function_is_tried() -> None:
    assert dict(_core.elementary_functions()) == {
        name: function.arguments for name, function in FUNCTIONS.items()
    }


@each_function
@each_dtype
def test_bounds(name: str, dtype: Any) -> None:
    points = strata(name, dtype)
    truth = exact_truth(name, points)
    for level in LEVELS:
        fl.set_isa(level)
        errors = ulp_errors(result(name, points), truth)
        worst = int(np.argmax(errors))
        assert errors[worst] <= promised(name, dtype, level), (level, [x[worst] for x in points])


@each_function
@each_dtype
def test_one_answer(name: str, dtype: Any) -> None:
    points = strata(name, dtype)
    answers = []
    for level in [level for level in LEVELS if level != "baseline"]:
        fl.set_isa(level)
        answers.append(result(name, points))
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


@each_function
@each_dtype
def test_edges(name: str, dtype: Any) -> None:
    """Zeros with their signs, infinities and NaN are as NumPy and SciPy have them."""
    f = FUNCTIONS[name]
    edges = np.array([-np.inf, -1, -0.0, 0.0, 1, np.inf, np.nan], dtype)
    edges = edges[~((edges < f.low) | (edges > f.high))]
    if f.arguments == 2:
        y = np.array([-np.inf, -2.5, -1, -0.0, 0.0, 1, 3, np.inf, np.nan], dtype)
        x = np.concatenate([np.abs(edges), np.array([0.5, 2], dtype)])
        points = tuple(np.ascontiguousarray(part.ravel()) for part in np.meshgrid(x, y))
    else:
        points = (edges,)
    with np.errstate(all="ignore"):
        expected = f.single(*(x.astype(np.float64) for x in points)).astype(dtype)
    for level in LEVELS:
        fl.set_isa(level)
        got = result(name, points)
        np.testing.assert_array_almost_equal_nulp(got[np.isfinite(got)], expected[np.isfinite(got)])
        for same in (np.isnan, np.isposinf, np.isneginf, np.signbit):
            kept = ~np.isnan(expected) if same is np.signbit else slice(None)
            np.testing.assert_array_equal(same(got[kept]), same(expected[kept]))


@each_dtype
def test_bases_below_zero(dtype: Any) -> None:
    x, y = np.array([-1, -2, -np.inf], dtype), np.array([2, 0.5, 1], dtype)
    for level in LEVELS:
        fl.set_isa(level)
        assert np.isnan(result("pow", (x, y))).all()


@each_function
@each_dtype
def test_every_length(name: str, dtype: Any) -> None:
    """The last lanes get the same bits as the others, in place too, and nothing beyond changes."""
    points = tuple(np.resize(x, 80) for x in as_points(name, np.array([0.5, 0.25], dtype), rng()))
    for level in LEVELS:
        fl.set_isa(level)
        expected = result(name, points)
        for length in range(len(expected)):
            out = points[0].copy()
            _core.elementary(
                name, out[:length], *(x[:length] for x in points[1:]), out=out[:length]
            )
            np.testing.assert_array_equal(out[:length], expected[:length])
            np.testing.assert_array_equal(out[length:], points[0][length:])


def rng() -> np.random.Generator:
    return np.random.default_rng(62)


@each_function
@each_dtype
def test_fast_truth(name: str, dtype: Any) -> None:
    """What many points are compared with is itself right."""
    points = strata(name, dtype)
    high, low = exact_truth(name, points)
    fast_high, fast_low = fast_truth(name, points)
    with np.errstate(all="ignore"):
        spacing = np.spacing(np.abs(high).astype(dtype)).astype(np.float64)
        difference = (fast_high - high) + (fast_low - low) / LIFT
        outside = np.isinf(high.astype(dtype)) & np.isinf(fast_high.astype(dtype))
    assert (outside | (np.abs(difference) <= 1e-3 * spacing)).all()


@pytest.mark.parametrize(
    ("arguments", "keywords", "error"),
    [
        (("exp",), {"out": np.ones(2)}, TypeError),
        (("exp", np.ones(2), np.ones(2)), {"out": np.ones(2)}, TypeError),
        (("pow", np.ones(2)), {"out": np.ones(2)}, TypeError),
        (("exp", [1.0, 2.0]), {"out": np.ones(2)}, TypeError),
        (("exp", np.ones(2, np.float32)), {"out": np.ones(2)}, TypeError),
        (("exp", np.ones(2, np.int64)), {"out": np.ones(2, np.int64)}, TypeError),
        (("exp", np.ones((2, 2))), {"out": np.ones((2, 2))}, TypeError),
        (("exp", np.ones(4)[::2]), {"out": np.ones(2)}, TypeError),
        (("exp", np.ones(3)), {"out": np.ones(2)}, ValueError),
        (("exp", np.ones(2)), {"out": np.frombuffer(bytes(16))}, ValueError),
        (("cosh", np.ones(2)), {"out": np.ones(2)}, ValueError),
    ],
)
def test_wrong_arguments(arguments: Any, keywords: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=arguments[0]):
        _core.elementary(*arguments, **keywords)


# ---- the store ---------------------------------------------------------------------------------


@each_function
@each_dtype
def test_the_store_is_up_to_date(name: str, dtype: Any) -> None:
    entry = stored()[name][dtype.__name__]
    assert entry["sources"] == sources(name), f"run: pytest -m exhaustive -k '[{name}-'"
    assert entry["fma"]["ulp"] <= promised(name, dtype, "avx2")
    assert entry["baseline"]["ulp"] <= promised(name, dtype, "baseline")


def many_points(name: str, dtype: Any) -> Iterator[Points]:
    """Yield all arguments where there are few, else numbers of all sizes and a close look."""
    f = FUNCTIONS[name]
    generator = np.random.default_rng(63)
    if f.arguments == 1 and dtype == np.float32:
        for start in range(0, 1 << 32, CHUNK):
            bits = np.arange(start, start + CHUNK, dtype=np.uint64).astype(np.uint32)
            yield (in_domain(name, bits.view(dtype)),)
    else:
        left = MANY_BALLS if f.quad is None else MANY
        while left > 0:
            x = uniform_bits(dtype, CHUNK, generator)
            pieces = len(f.dense) + len(f.near)
            x = np.concatenate([x, close_look(name, dtype, CHUNK // pieces, generator)])
            points = as_points(name, x, generator)
            left -= len(points[0])
            yield points


@pytest.mark.exhaustive
@pytest.mark.skipif(
    LEVELS[0] != "baseline" or len(LEVELS) < 2, reason="x86-64 with fma has both kinds of levels"
)
@each_dtype
@each_function
def test_exhaustively(name: str, dtype: Any) -> None:
    entry: dict[str, Any] = {"sources": sources(name)}
    worsts = {"fma": Worst(LEVELS[-1]), "baseline": Worst("baseline")}
    tried = 0
    for points in many_points(name, dtype):
        tried += len(points[0])
        if len(points[0]) > 0:
            truth = fast_truth(name, points)
            suspect = Suspect(dtype, truth)
            for worst in worsts.values():
                worst.update(name, points, truth, suspect)
    entry |= {kind: {"ulp": worst.ulp, "at": worst.at} for kind, worst in worsts.items()}
    entry["points"] = tried
    all_entries = stored()
    all_entries.setdefault(name, {})[dtype.__name__] = entry
    STORE.write_text(json.dumps(all_entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for level in ("avx2", "baseline"):
        kind = "baseline" if level == "baseline" else "fma"
        assert worsts[kind].ulp <= promised(name, dtype, level)
