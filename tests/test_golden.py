# SPDX-License-Identifier: BSD-3-Clause
"""The stored hashes of results: they hold here, and no bit changes without a new version."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, losses
from golden_calls import Numbers, digest_of_results, golden_calls

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "golden.py"
CASE = "mse float32"


def test_results_have_the_stored_hashes() -> None:
    """At each level that runs here."""
    command = [sys.executable, str(TOOL), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_changelog_has_the_numerics_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f", numerics version {fl.numerics_version}\n" in changelog


# ---- what may be stored -----------------------------------------------------------------------


@pytest.fixture(name="tool", scope="module")
def _tool() -> dict[str, Any]:
    return runpy.run_path(str(TOOL))


def stored(version: int = fl.numerics_version, **digests: str) -> dict[str, Any]:
    hashes = {"calls": "c", "one answer": "a", "baseline": "b"} | digests
    return {"numerics version": version, "hashes": {CASE: hashes}}


def found(**digests: str) -> dict[str, dict[str, str]]:
    return {CASE: {"calls": "c", "avx2": "a", "avx512": "a", "baseline": "b"} | digests}


def test_equal_hashes_and_those_of_new_losses_are_stored(tool: dict[str, Any]) -> None:
    assert tool["updated"](stored(), found()) == stored()
    nothing = {"numerics version": fl.numerics_version, "hashes": {}}
    assert tool["updated"](nothing, found()) == stored()
    assert list(tool["differences"](stored(), found())) == []
    assert "is stale" in next(tool["differences"](nothing, found()))


@pytest.mark.parametrize("changed", [{"avx2": "x", "avx512": "x"}, {"baseline": "x"}])
def test_changed_bits_need_a_new_version(tool: dict[str, Any], changed: dict[str, str]) -> None:
    places = [m.split()[5] for m in tool["differences"](stored(), found(**changed))]
    assert places == list(changed)
    with pytest.raises(ValueError, match=r"raise it in python/fastloss/config\.py"):
        tool["updated"](stored(), found(**changed))
    older = stored(fl.numerics_version - 1)
    assert "is stale" in next(tool["differences"](older, found(**changed)))
    assert tool["updated"](older, found(**changed))["numerics version"] == fl.numerics_version


def test_hashes_of_other_calls_are_stored(tool: dict[str, Any]) -> None:
    """Such as after a loss got another parameter."""
    other = found(calls="d", avx2="x", avx512="x")
    assert "other calls" in next(tool["differences"](stored(), other))
    assert tool["updated"](stored(), other) == stored(calls="d", **{"one answer": "x"})


def test_levels_that_differ_are_not_stored(tool: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{CASE}: the CPU levels differ"):
        tool["updated"]({**stored(), "hashes": {}}, found(avx512="x"))


def test_both_sets_are_needed(tool: dict[str, Any]) -> None:
    for level in ("neon", "baseline"):
        with pytest.raises(ValueError, match="x86-64 processor with AVX2"):
            tool["updated"](stored(), {CASE: {"calls": "c", level: "a"}})


# ---- what is hashed ---------------------------------------------------------------------------


def test_integers_are_those_of_splitmix64() -> None:
    """As published with the generator, for the seed 1234567."""
    numbers = Numbers("")
    numbers._seed = 1234567
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [*numbers.bits((1,)), *numbers.bits((3,))] == expected


def test_nan_is_one_symbol_and_zeros_have_signs() -> None:
    nans = np.array([np.nan, -np.nan, 1]), np.array([-np.nan, np.nan, 1])
    assert digest_of_results([nans[0]]) == digest_of_results([nans[1]])
    assert digest_of_results([0.0]) != digest_of_results([-0.0])
    assert digest_of_results([1.0]) != digest_of_results([np.nextafter(1.0, 2.0)])


@pytest.mark.parametrize("dtype", DTYPES)
@losses
def test_sums_of_ordinary_numbers_are_numbers(loss: Any, dtype: type) -> None:
    """A sum that is NaN would say nothing. Infinite terms, of a tiny scale, may make one."""
    calls = [
        call
        for call in golden_calls(loss, dtype)
        if np.all(np.abs(call.first) < 1e6) and not np.isinf(call(reduction="none")).any()
    ]
    assert calls
    assert all(np.isfinite(call(reduction=r)) for call in calls for r in ("sum", "mean"))
