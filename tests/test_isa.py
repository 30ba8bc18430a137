# SPDX-License-Identifier: BSD-3-Clause
"""CPU levels: each is right, and from AVX2 on all give the same bits."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from accuracy import assert_accurate
from cases import (
    DTYPES,
    METHODS,
    REDUCTIONS,
    Call,
    assert_same_bits,
    kinds_of_calls,
    make_call,
    make_weight,
    parts,
    settings,
)
from fastloss import _core
from fastloss.accuracy.settings import Setting, all_settings, default_settings
from processes import output, python

LEVELS = [name for name, runs in _core.isa_levels() if runs]
ONE_ANSWER = [name for name in LEVELS if name != "baseline"]
MISSING = [name for name, runs in _core.isa_levels() if not runs]
SIZES = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 1000]

each_level = pytest.mark.parametrize("level", LEVELS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
needs_two = pytest.mark.skipif(
    len(ONE_ANSWER) < 2, reason="this CPU has a single level that promises the same bits"
)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = _core.isa()
    yield
    fl.set_isa(before)


def at(level: str, call: Call) -> tuple[Any, ...]:
    """Return all results at one level."""
    fl.set_isa(level)
    return tuple(call(m, reduction=r) for m, r in itertools.product(METHODS, REDUCTIONS))


def shape_of(setting: Setting, size: int) -> tuple[int, ...]:
    return (size,) if setting.loss.family == "pointwise" else (3, size)


@each_level
@each_dtype
@settings(all_settings())
def test_each_level_is_accurate(setting: Setting, dtype: type, level: str) -> None:
    fl.set_isa(level)
    shape = (517,) if setting.loss.family == "pointwise" else (23, 37)
    call = make_call(setting, shape, dtype, seed=51)
    assert_accurate(call.given(weight=make_weight(call)), dtype)


@needs_two
@each_dtype
@pytest.mark.filterwarnings("ignore:Mean of empty slice")  # small samples may have no events
@settings(all_settings())
def test_same_bits(setting: Setting, dtype: type) -> None:
    for size in SIZES:
        call = make_call(setting, shape_of(setting, size), dtype, seed=52)
        for given in (call, call.given(weight=make_weight(call, dtype=dtype))):
            expected = at(ONE_ANSWER[0], given)
            for level in ONE_ANSWER[1:]:
                assert_same_bits(at(level, given), expected)


@needs_two
@each_dtype
@settings(all_settings())
def test_same_bits_of_special_numbers(setting: Setting, dtype: type) -> None:
    """Also NaN, infinities, subnormals and the largest numbers."""
    information = np.finfo(dtype)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 88.7, -103.9, 709.7, -745.1]
    special += [information.max, -information.max, information.tiny, information.smallest_subnormal]
    generator = np.random.default_rng(53)
    shape = (3000,) if setting.loss.family == "pointwise" else (1000, 3)
    with np.errstate(over="ignore"):
        call = make_call(setting, shape, dtype).map(
            lambda x: generator.choice(special, size=x.shape).astype(dtype), setting.loss.inputs
        )
    expected = at(ONE_ANSWER[0], call)
    for level in ONE_ANSWER[1:]:
        assert_same_bits(at(level, call), expected)


@needs_two
@each_dtype
@settings(default_settings())
def test_same_bits_of_random_bytes(setting: Setting, dtype: type) -> None:
    """Any bit pattern at all."""
    generator = np.random.default_rng(54)
    shape = (20_000,) if setting.loss.family == "pointwise" else (4000, 5)

    def random(x: np.ndarray) -> np.ndarray:
        return np.frombuffer(generator.bytes(x.size * x.itemsize), x.dtype).reshape(x.shape)

    names = tuple(n for n, x in make_call(setting, shape, dtype).arrays.items() if x.dtype == dtype)
    call = make_call(setting, shape, dtype).map(random, names)
    expected = at(ONE_ANSWER[0], call)
    for level in ONE_ANSWER[1:]:
        assert_same_bits(at(level, call), expected)


@needs_two
@settings(default_settings())
def test_same_bits_in_parallel(setting: Setting) -> None:
    shape = (300_001,) if setting.loss.family == "pointwise" else (3001, 65)
    call = make_call(setting, shape)
    with fl.threads(1):
        expected = at(ONE_ANSWER[0], call)
    with fl.threads(5):
        for level in ONE_ANSWER:
            assert_same_bits(at(level, call), expected)


@each_level
@each_dtype
@settings([s for s in kinds_of_calls() if s.loss.family == "pointwise"])
def test_same_bits_of_results_past_the_caches(setting: Setting, dtype: type, level: str) -> None:
    """So large that kernels store them in another way: arrays of more than 24 MiB."""
    fl.set_isa(level)
    call = make_call(setting, (10_007,), dtype, seed=55)
    size = (25 << 20) // np.dtype(dtype).itemsize + 13
    large = call.map(lambda x: np.resize(x, size))
    got = parts(large("value_grad_and_hess", reduction="none"))
    expected = parts(call("value_grad_and_hess", reduction="none"))
    assert_same_bits(tuple(got), tuple(np.resize(x, size) for x in expected))


def test_highest_level_is_the_default() -> None:
    assert output("from fastloss import _core; print(_core.isa())") == LEVELS[-1]


def test_baseline_runs_everywhere() -> None:
    assert _core.isa_levels()[0] == (LEVELS[0], True)
    assert LEVELS[0] in ("baseline", "neon")


@each_level
def test_set_isa(level: str) -> None:
    fl.set_isa(level)
    assert _core.isa() == level
    assert fl.show_config(mode="dicts")["isa"] == level


@pytest.mark.parametrize("name", ["sse9", "", "AVX2", "avx2 ", "avx512\0", *MISSING])
def test_impossible_level(name: str) -> None:
    before = _core.isa()
    possible = ", ".join(map(repr, LEVELS))
    with pytest.raises(ValueError, match=r"^set_isa: argument 'name': expected one of ") as caught:
        fl.set_isa(name)
    assert f"expected one of {possible}, got {name!r}" in str(caught.value)
    assert _core.isa() == before


@pytest.mark.parametrize("name", [None, 2, b"avx2", ["avx2"]])
def test_level_that_is_no_text(name: Any) -> None:
    with pytest.raises(TypeError, match=r"^set_isa: argument 'name': expected a string, got "):
        fl.set_isa(name)


@each_level
def test_environment(level: str) -> None:
    code = "import fastloss as fl; print(fl.show_config(mode='dicts')['isa'])"
    assert output(code, FASTLOSS_ISA=level) == level


@pytest.mark.parametrize("name", ["sse9", "AVX2", *MISSING])
def test_impossible_environment(name: str) -> None:
    done = python("import fastloss", FASTLOSS_ISA=name)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    possible = ", ".join(map(repr, LEVELS))
    assert last == f"ValueError: FASTLOSS_ISA: expected one of {possible}, got {name!r}"
