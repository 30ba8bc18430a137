# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks of value and gradient in one call; the test run leaves them out.

    python -m pytest bench --benchmark-enable

runs them all, a few minutes long; `-k "huber and float32"` chooses, `--benchmark-json=FILE` keeps
the numbers for `--benchmark-compare`. `python -m fastloss bench` compares with other libraries.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import fastloss as fl
from fastloss.bench.contest import own_call
from fastloss.bench.problems import Problem, problems


@pytest.mark.parametrize("problem", list(problems(fl.losses.values())), ids=str)
@pytest.mark.parametrize("threads", ["one thread", "all threads"])
def test_value_and_grad(benchmark: BenchmarkFixture, problem: Problem, threads: str) -> None:
    """Time one problem; the gradients go to arrays that fastloss is given."""
    benchmark.group = str(problem)
    benchmark.extra_info.update(fl.show_config(mode="dicts"))
    call = own_call(problem, problem.draw())
    with fl.threads(1 if threads == "one thread" else fl.get_num_threads()):
        benchmark(call.compute)
