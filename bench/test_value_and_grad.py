# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks of value and gradient in one call; the test run leaves them out.

    python -m pytest bench --benchmark-enable

runs them all, a few minutes long; `-k "huber and float32"` chooses, `--benchmark-json=FILE` keeps
the numbers. `--benchmark-disable` runs each of them once, to see that NumPy and fastloss agree.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import fastloss as fl
from contests import CONTESTANTS, Contest, rows


# The scope makes the contestants of a row follow each other on the same arrays.
@pytest.fixture(scope="module", params=rows(), ids=str)
def contest(request: pytest.FixtureRequest) -> Contest:
    """Draw the arguments of a row, and check that NumPy and fastloss agree on them."""
    contest = Contest(request.param)
    contest.check()
    return contest


@pytest.mark.parametrize("contestant", CONTESTANTS)
def test_value_and_grad(benchmark: BenchmarkFixture, contest: Contest, contestant: str) -> None:
    """Time one contestant on one row; the gradients go to arrays that fastloss is given."""
    benchmark.group = str(contest.row)
    benchmark.extra_info.update(fl.show_config(mode="dicts"))
    with fl.threads(CONTESTANTS[contestant] or fl.get_num_threads()):
        benchmark(contest.function(contestant))
