# SPDX-License-Identifier: BSD-3-Clause
"""Every loss keeps the bounds that it declares, and what measures that is right itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import fastloss as fl
from cases import losses, sample
from fastloss import _core
from fastloss.accuracy import errors, measurement, points, runs
from fastloss.accuracy.settings import Setting, all_settings, examples
from fastloss.domains import REAL, Ends
from fastloss.families import Bounds
from fastloss.reference import Parts
from kernel_sources import sources_of
from many_digits import Real, logaddexp, to_real

STORE = Path(__file__).resolve().parent.parent / "docs" / "accuracy.json"
SAMPLE = 1 << 12
DTYPES = ("float32", "float64")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


PROMISED = [name for name, runs_here in _core.isa_levels() if runs_here and name != "baseline"]

pytestmark = pytest.mark.skipif(
    not PROMISED, reason="without fma there is no promise, and this CPU has none"
)


@pytest.fixture(autouse=True)
def _at_a_level_with_fma() -> Iterator[None]:
    before = _core.isa()
    if before not in PROMISED:
        fl.set_isa(PROMISED[0])
    yield
    fl.set_isa(before)


def entry(loss: Any, dtype: str) -> dict[str, Any]:
    return json.loads(STORE.read_text(encoding="utf-8"))[f"{loss.__name__} {dtype}"]


def assert_kept(loss: Any, group: str, result: str, *found: float) -> None:
    bound = getattr(runs.bounds(loss, group), result.partition("[")[0])
    assert max(found) <= bound, f"{group}, {result}: {max(found)} ULP instead of {bound}"


@each_dtype
@losses
def test_drawn_points(loss: Any, dtype: str) -> None:
    for setting in runs.settings(loss):
        parameters = points.rounded(setting.parameters, dtype)
        for seed in range(901, 904):
            arrays = points.drawn(setting, np.dtype(dtype), SAMPLE, seed)
            for result, worst in measurement.measure(setting, arrays, parameters).items():
                assert_kept(
                    loss, runs.group(setting), result, worst.ulp.error, worst.spacings.error
                )


@each_dtype
@losses
def test_stored_worst_points(loss: Any, dtype: str) -> None:
    """They are as bad as they were when they were found."""
    for row in entry(loss, dtype)["results"]:
        for kind in ("ulp", "spacings"):
            inputs, error = row[kind]["inputs"], row[kind]["error"]
            if inputs is None:
                continue
            setting = Setting(loss, inputs["labelled"], inputs["parameters"])
            arrays = {
                name: np.array([x], np.int64 if is_integer(setting, name, x) else dtype)
                for name, x in inputs["arrays"].items()
            }
            found = measurement.measure(setting, arrays, inputs["parameters"])[row["result"]]
            assert getattr(found, kind).error == pytest.approx(error, rel=1e-6)


def is_integer(setting: Setting, name: str, x: Any) -> bool:
    kind = setting.loss.formula.targets.get(name, "whole")
    return kind == "key" or (kind.startswith("labels") and setting.labelled and np.size(x) == 1)


@each_dtype
@losses
def test_the_store_is_up_to_date(loss: Any, dtype: str) -> None:
    found = entry(loss, dtype)
    assert found["sources"] == sources_of(loss), "run: python tools/measure.py"
    for row in found["results"]:
        assert_kept(loss, row["with"], row["result"], row["ulp"]["error"], row["spacings"]["error"])


def test_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fastloss", "accuracy", "mse", "--points", "1", "--processes", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("mse")]
    assert [row[:4] for row in rows] == [
        ["mse", dtype, "defaults", result]
        for dtype in DTYPES
        for result in ("grad", "hess", "value")
    ]
    assert all(0 <= float(row[4]) <= 1 and float(row[7]) >= runs.BLOCK for row in rows)


def test_a_missed_bound_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = runs.settings(fl.mse)[0]
    arrays = {"pred": np.array([0.1, 0.7]), "target": np.array([0.3, -0.4])}
    found = {("defaults", k): x for k, x in measurement.measure(setting, arrays, {}).items()}
    assert not list(runs.missed(fl.mse, found))
    monkeypatch.setattr(runs, "bounds", lambda *_: Bounds(0.01, 0.01, 0))
    assert [x.partition(" is off")[0] for x in runs.missed(fl.mse, found)] == [
        "mse, defaults: value",
        "mse, defaults: grad",
    ]


# ---- the exact results -------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [pytest.param(s, id=str(s)) for s in all_settings()])
def test_exact_results_in_more_digits(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The formula in quadruple precision agrees with itself in 60 digits."""
    arrays = ordinary(setting)
    parameters = points.rounded(setting.parameters, np.float64)
    exact = measurement.exact_results(setting, arrays, parameters)
    real = {
        name: x if x is None or isinstance(x, bool | str) else Real(x)
        for name, x in parameters.items()
    }
    select = np.where

    def where(*arguments: Any) -> Any:
        """Select, and make the integers among Real numbers Real, too."""
        result = select(*arguments)
        return to_real(result) if result.dtype == object else result

    monkeypatch.setattr(np, "where", where)
    monkeypatch.setattr(np, "logaddexp", logaddexp)
    with mpmath.workdps(60):
        for a, b in zip(
            exact, measurement.exact_results(setting, arrays, real, to_real), strict=True
        ):
            quad, many, sizes = a.sum(), to_real(b.sum()), to_real(b.size())
            for index in np.ndindex(quad.shape):
                error = abs(in_two_parts(quad[index]) - many[index].x)
                assert error <= mpmath.mpf(2) ** -90 * max(sizes[index].x, mpmath.mpf(2) ** -900)


def in_two_parts(x: Any) -> mpmath.mpf:
    high = float(x)
    return mpmath.mpf(high) + mpmath.mpf(float(x - high))


def ordinary(setting: Setting, count: int = 12) -> points.Arrays:
    """Draw a few arguments of ordinary size."""
    loss = setting.loss
    generator = np.random.default_rng(7)
    shapes = {"rowwise": (6, 4), "groupwise": (6, 4), "overlap": (3, 2, 5)}
    shape = shapes.get(loss.family, (count,))
    arrays = {
        name: generator.normal(size=shape) * 3
        if domain is REAL
        else sample(replace(domain, includes_low=False, includes_high=False), generator, shape)
        for name, domain in setting.input_domain.items()
    }
    for name, domain in loss.domain.items():
        if setting.labelled:
            labels = shape[-1] + loss.formula.more_labels
            arrays[name] = generator.integers(labels, size=shape[:-1])
        elif domain.kind == "key":
            arrays[name] = generator.integers(count // 2, size=shape)
        elif domain.kind == "number":
            arrays[name] = generator.choice([float(x) for x in examples(domain)], shape[:-1])
        elif isinstance(domain, Ends):
            arrays[name] = generator.choice([domain.low, domain.high], shape)
        else:
            x = generator.uniform(size=shape)
            arrays[name] = x / x.sum(-1, keepdims=True) if len(shape) == 2 else x
    return arrays


# ---- the unit ----------------------------------------------------------------------------------


@each_dtype
def test_distance(dtype: str) -> None:
    one, kind = np.dtype(dtype).type(1), np.finfo(dtype)
    wide = measurement.wide_type(dtype)

    def error(got: Any, exact: Any, kinds: str = "ulp") -> float:
        return float(getattr(errors.distance(np.array([got], dtype), parts(exact)), kinds)[0])

    def parts(*exact: Any) -> Parts:
        return Parts(*(np.array([x], np.float64).astype(wide) for x in exact))

    tiny = kind.smallest_subnormal
    assert error(1, 1) == 0
    assert error(one + kind.eps, 1) == 1
    assert error(one - kind.epsneg, 1) == 0.5
    assert error(3 * tiny, tiny, "spacings") == 2
    assert error(0, tiny, "spacings") == 1
    assert error(0, 2 * float(tiny), "spacings") == np.inf
    assert error(np.nan, np.nan) == error(np.inf, np.inf) == error(-np.inf, -np.inf) == 0
    assert error(np.nan, 1) == error(np.inf, 1) == error(1, np.nan) == error(-np.inf, np.inf)
    assert error(np.nan, 1) == np.inf
    assert error(kind.max, kind.max) == 0
    cancelling = errors.distance(np.array([kind.eps], dtype), parts(1, -1))
    assert cancelling.ulp[0] == 1


@each_dtype
def test_no_large_error_is_overlooked(dtype: str) -> None:
    setting = runs.settings(fl.binary_cross_entropy_with_logits)[0]
    arrays = {name: x.astype(dtype) for name, x in ordinary(setting, 1000).items()}
    got = measurement.results(setting, arrays, setting.parameters)
    exact = measurement.exact_results(setting, arrays, setting.parameters)
    for a, b in zip(got, exact, strict=True):
        large = errors.distance(a, b).ulp > 0.75
        assert large.any()
        assert errors.suspects(a, b, 0.75)[large].all()
        assert not errors.suspects(a, b, 0.75).all()
