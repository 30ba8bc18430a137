# SPDX-License-Identifier: BSD-3-Clause
"""Forked children answer, with the same bits, whatever ran in parallel before the fork."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from processes import output

if not hasattr(os, "fork"):
    pytest.skip("this system has no fork", allow_module_level=True)

REGION = """
#include <omp.h>
int region(int wanted) {
  int seen = 0;
#pragma omp parallel num_threads(wanted) reduction(+ : seen)
  seen += 1;
  return seen;
}
"""

# What every script starts with: answers are large calls, and children that hang are killed.
START = """
    import ctypes, os, signal, sys, threading, warnings
    import numpy as np
    import fastloss as fl
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads: that is the test
    foreign = ctypes.CDLL(sys.argv[1]).region
    generator = np.random.default_rng(41)
    x, labels = generator.normal(size=(4000, 100)), generator.integers(100, size=4000)

    def answer():
        value, grad, hess = fl.huber.value_grad_and_hess(x, 0.0)
        rows = fl.cross_entropy.value_and_grad(x, labels)
        return value, grad.tobytes(), hess.tobytes(), rows[0], rows[1].tobytes()

    def in_child(body):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            code = 1
            try:
                code = 0 if body() else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert status == 0, f"child ended with {status}"
"""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile a library that runs OpenMP behind fastloss's back."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build another user of OpenMP with")
    folder = tmp_path_factory.mktemp("foreign")
    source, library = folder / "region.c", folder / "libregion.so"
    source.write_text(REGION)
    command = [compiler, "-fopenmp", "-shared", "-fPIC", "-o", str(library), str(source)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("the C compiler has no OpenMP")
    return library


PARALLEL_BEFORE = {
    "nothing": "",
    "fastloss": "answer()",
    "another library": "assert foreign(4) == 4",
    "both": "answer(); assert foreign(4) == 4; answer()",
    "more threads than cores": "fl.set_num_threads(8); answer(); assert foreign(8) == 8",
}


@pytest.mark.parametrize("before", PARALLEL_BEFORE)
def test_children_answer(foreign: Path, before: str) -> None:
    body = f"""
    {PARALLEL_BEFORE[before]}
    for _ in range(20):
        in_child(lambda: fl.get_num_threads() == 1 and len(answer()[1]) == x.nbytes)
    expected = answer()
    for _ in range(10):
        in_child(lambda: answer() == expected)
    assert answer() == expected
    assert foreign(4) == 4
"""
    output(START + body, foreign)


def test_children_stay_serial_whatever_they_ask_for(foreign: Path) -> None:
    body = """
    assert foreign(4) == 4
    expected = answer()
    fl.set_num_threads(2)

    def child():
        serial = fl.get_num_threads() == 1 and answer() == expected
        fl.set_num_threads(3)
        serial = serial and fl.get_num_threads() == 1 and answer() == expected
        with fl.threads(4):
            return serial and fl.get_num_threads() == 1 and answer() == expected

    with fl.threads(5):
        in_child(child)
        assert fl.get_num_threads() == 5
    for _ in range(10):
        in_child(child)
    assert fl.get_num_threads() == 2
"""
    output(START + body, foreign)


def test_children_of_children(foreign: Path) -> None:
    body = """
    assert foreign(4) == 4
    expected = answer()

    def child():
        in_child(lambda: answer() == expected)
        return answer() == expected

    for _ in range(5):
        in_child(child)
"""
    output(START + body, foreign)


def test_fork_while_other_threads_compute(foreign: Path) -> None:
    body = """
    expected = answer()
    stop = threading.Event()

    def work():
        while not stop.is_set():
            foreign(3)
            answer()

    others = [threading.Thread(target=work) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(15):
            in_child(lambda: answer() == expected)
    finally:
        stop.set()
        for other in others:
            other.join()
"""
    output(START + body, foreign)


def test_processes_of_multiprocessing(foreign: Path) -> None:
    body = """
    import multiprocessing
    assert foreign(4) == 4
    expected = answer()

    def compare(_):
        return answer() == expected and fl.get_num_threads() == 1

    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map_async(compare, range(12)).get(timeout=90) == [True] * 12
"""
    output(START + body, foreign)


def test_fork_before_the_import() -> None:
    """A child that imports fastloss itself is no fork of it."""
    code = """
        import os, sys
        child = os.fork()
        import numpy as np, fastloss as fl
        value = fl.mse(np.ones(300_000), 0.0)
        threads = fl.get_num_threads()
        if child == 0:
            os._exit(0 if value == 1.0 and threads >= 1 else 1)
        assert os.waitpid(child, 0)[1] == 0
        print(value, threads >= 1)
    """
    assert output(code) == "1.0 True"
