# SPDX-License-Identifier: BSD-3-Clause
"""The number of threads: what asks for it, and that no bit depends on it."""

import ctypes
import ctypes.util
import os
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import (
    DTYPES,
    METHODS,
    REDUCTIONS,
    Call,
    assert_same_bits,
    kinds_of_calls,
    make_call,
    make_weight,
    settings,
)
from fastloss import _core
from fastloss.accuracy.settings import Setting, default_settings
from fastloss.threading import cpu_quota
from processes import output, python
from test_layouts import backwards, byte_swapped, strided

SHAPES = {
    "pointwise": (300_001,),
    "rowwise": (3001, 257),
    "overlap": (2, 3, 100_001),
    "ordered": (300_001,),
    "groupwise": (3001, 57),
}
needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity"
)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    _core.set_process_threads(0)


def results(call: Call) -> tuple[Any, ...]:
    return tuple(call(method, reduction=r) for method in METHODS for r in REDUCTIONS)


@settings(default_settings())
def test_same_bits_with_few_threads(setting: Setting) -> None:
    call = make_call(setting, SHAPES[setting.loss.family], np.float32)
    with fl.threads(1):
        expected = call("value_grad_and_hess")
    for number in (2, 3):
        with fl.threads(number):
            assert_same_bits(call("value_grad_and_hess"), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(kinds_of_calls())
def test_same_bits_for_any_number(setting: Setting, dtype: type) -> None:
    call = make_call(setting, SHAPES[setting.loss.family], dtype)
    weight = make_weight(call, dtype=dtype)
    for given in (call, call.given(weight=weight)):
        with fl.threads(1):
            expected, denominator = results(given), given("weight_sum")
        for number in (2, 5):
            with fl.threads(number):
                assert_same_bits((*results(given), given("weight_sum")), (*expected, denominator))
        for number in (3, 8, 16, 64):
            with fl.threads(number):
                last = tuple(given(METHODS[-1], reduction=r) for r in REDUCTIONS)
                assert_same_bits(last, expected[-len(last) :])


@pytest.mark.parametrize("layout", [strided, backwards, byte_swapped])
@settings(kinds_of_calls())
def test_same_bits_of_odd_layouts(setting: Setting, layout: Any) -> None:
    plain = make_call(setting, SHAPES[setting.loss.family])
    call = plain.map(layout)
    expected = plain("value_grad_and_hess")
    for number in (1, 2, 5):
        with fl.threads(number):
            assert_same_bits(call("value_grad_and_hess"), expected)
            assert_same_bits(call("value_and_grad", reduction="none")[0], plain(reduction="none"))


@settings(kinds_of_calls())
def test_same_bits_of_wide_and_tall_shapes(setting: Setting) -> None:
    wide = 2_003 if setting.loss.family == "groupwise" else 200_003  # which compares all pairs
    for shape in [(2, wide), (200_003, 2)]:
        call = make_call(setting, shape)
        with fl.threads(1):
            expected = call("value_grad_and_hess")
        for number in (2, 3, 64):
            with fl.threads(number):
                assert_same_bits(call("value_grad_and_hess"), expected)


@settings(kinds_of_calls())
def test_in_place_in_parallel(setting: Setting) -> None:
    call = make_call(setting, SHAPES[setting.loss.family])
    expected = call("grad", reduction="sum")
    names = setting.loss.inputs
    for number in (1, 5):
        copy = call.map(lambda x: x.copy())
        out = tuple(copy.arrays[name] for name in names) if len(names) > 1 else copy.first
        with fl.threads(number):
            assert_same_bits(copy("grad", reduction="sum", out=out), expected)


def test_fewer_threads_than_asked_for() -> None:
    """OpenMP may give fewer: the results are the same."""
    code = """
        import numpy as np, fastloss as fl
        x = np.random.default_rng(1).normal(size=400_000)
        with fl.threads(5):
            value, grad = fl.huber.value_and_grad(x, 0.0)
            rows = fl.cross_entropy(x.reshape(-1, 8), np.zeros(50_000, int))
        print(value.hex(), rows.hex(), grad.sum().hex())
    """
    expected = output(code)
    for environment in (
        {"OMP_THREAD_LIMIT": "1"},
        {"OMP_THREAD_LIMIT": "2"},
        {"OMP_DYNAMIC": "true"},
    ):
        assert output(code, **environment).split()[:3] == expected.split()[:3]


# ---- what is asked for ------------------------------------------------------------------------


def test_process_and_thread() -> None:
    before = fl.get_num_threads()
    fl.set_num_threads(7)
    assert fl.get_num_threads() == 7
    with fl.threads(3):
        assert fl.get_num_threads() == 3
        with fl.threads(11):
            assert fl.get_num_threads() == 11
        assert fl.get_num_threads() == 3
        fl.set_num_threads(9)
        assert fl.get_num_threads() == 3
    assert fl.get_num_threads() == 9
    _core.set_process_threads(0)
    assert fl.get_num_threads() == before


def test_context_ends_with_an_error() -> None:
    before = fl.get_num_threads()
    with pytest.raises(KeyError), fl.threads(before + 1):
        raise KeyError
    assert fl.get_num_threads() == before


def test_context_is_of_one_thread() -> None:
    seen = []
    before = fl.get_num_threads()

    def look() -> None:
        seen.append(fl.get_num_threads())
        with fl.threads(before + 5):
            seen.append(fl.get_num_threads())

    with fl.threads(before + 2):
        other = threading.Thread(target=look)
        other.start()
        other.join()
        assert fl.get_num_threads() == before + 2
    assert seen == [before, before + 5]


def test_process_wide_number_reaches_other_threads() -> None:
    fl.set_num_threads(6)
    seen = []
    other = threading.Thread(target=lambda: seen.append(fl.get_num_threads()))
    other.start()
    other.join()
    assert seen == [6]


@pytest.mark.parametrize("function", [fl.set_num_threads, fl.threads])
@pytest.mark.parametrize(
    ("n", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (2**31, ValueError),
        (10**30, ValueError),
        (1.0, TypeError),
        ("2", TypeError),
        (None, TypeError),
        (True, TypeError),
        (np.bool_(True), TypeError),
        ([2], TypeError),
    ],
    ids=repr,
)
def test_wrong_numbers(function: Any, n: Any, error: type[Exception]) -> None:
    before = fl.get_num_threads()
    message = rf"^{function.__name__}: argument 'n': expected an integer >= 1, got "
    with pytest.raises(error, match=message), function(n) or nullcontext():
        pass
    assert fl.get_num_threads() == before


@pytest.mark.parametrize("n", [2, np.int8(2), np.uint64(2), np.array(2)])
def test_kinds_of_integers(n: Any) -> None:
    fl.set_num_threads(n)
    assert fl.get_num_threads() == 2
    with fl.threads(n):
        assert fl.get_num_threads() == 2


NUMBER = "import fastloss as fl; print(fl.get_num_threads())"


@pytest.mark.parametrize(("asked", "number"), [("1", 1), ("3", 3), (" 64 ", 64)])
def test_environment(asked: str, number: int) -> None:
    assert output(NUMBER, FASTLOSS_NUM_THREADS=asked) == str(number)


def test_environment_goes_behind_calls() -> None:
    code = """
        import fastloss as fl
        fl.set_num_threads(2)
        print(fl.get_num_threads())
        with fl.threads(4):
            print(fl.get_num_threads())
    """
    assert output(code, FASTLOSS_NUM_THREADS="3").split() == ["2", "4"]


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5", "1e3", "99999999999", "²", "0x2"])
def test_wrong_environment(asked: str) -> None:
    done = python(NUMBER, FASTLOSS_NUM_THREADS=asked)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: FASTLOSS_NUM_THREADS: ")
    assert "expected an integer >= 1, got " in last


def test_limit_of_openmp() -> None:
    assert output(NUMBER, OMP_NUM_THREADS="1") == "1"
    assert int(output(NUMBER, OMP_NUM_THREADS="1000")) <= (os.cpu_count() or 1)
    assert output(NUMBER, OMP_NUM_THREADS="1", FASTLOSS_NUM_THREADS="4") == "4"


@needs_affinity
def test_affinity() -> None:
    code = """
        import os, fastloss as fl
        one = {min(os.sched_getaffinity(0))}
        before = fl.get_num_threads()
        os.sched_setaffinity(0, one)
        print(fl.get_num_threads(), before <= os.cpu_count(), os.sched_getaffinity(0) == one)
    """
    assert output(code).split() == ["1", "True", "True"]


@needs_affinity
def test_affinity_before_import() -> None:
    code = """
        import os
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        import fastloss as fl
        print(fl.get_num_threads())
    """
    assert output(code) == "1"


def test_quota_limits_the_default_alone() -> None:
    try:
        _core.set_cpu_quota(1)
        assert fl.get_num_threads() == 1
        with fl.threads(3):
            assert fl.get_num_threads() == 3
    finally:
        _core.set_cpu_quota(cpu_quota())


# ---- other libraries --------------------------------------------------------------------------


def test_settings_of_openmp_do_not_change() -> None:
    """Neither the import nor a call changes what another user of OpenMP sees."""
    library = ctypes.util.find_library("gomp")
    if library is None:
        pytest.skip("no GNU OpenMP library to ask")
    code = """
        import ctypes, os, sys
        omp = ctypes.CDLL(sys.argv[1])
        names = ["max_threads", "num_threads", "dynamic", "max_active_levels", "thread_limit"]
        state = lambda: [getattr(omp, f"omp_get_{name}")() for name in names]
        omp.omp_set_num_threads(3)
        before, environment = state(), dict(os.environ)
        import numpy as np, fastloss as fl
        assert state() == before
        fl.set_num_threads(4)
        with fl.threads(2):
            fl.mse(np.zeros(300_000), 1.0)
            assert state() == before
        fl.mse(np.zeros(300_000), 1.0)
        assert state() == before
        assert dict(os.environ) == environment
    """
    output(code, library)


@needs_affinity
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed by Linux only")
def test_threads_keep_off_their_callers_cpu() -> None:
    """Also those that were there before others came, and after the caller has moved."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is no other CPU")
    code = """
        import os
        import numpy as np
        import fastloss as fl
        usable = os.sched_getaffinity(0)
        before = set(os.listdir("/proc/self/task"))
        x = np.zeros(1_000_000)
        for cpu, threads in zip(sorted(usable)[:2], (2, 3)):
            os.sched_setaffinity(0, {cpu})
            os.sched_setaffinity(0, usable)
            for _ in range(50):
                with fl.threads(threads):
                    fl.mse(x, 0.0)
        new = sorted(set(os.listdir("/proc/self/task")) - before)
        places = [sorted(os.sched_getaffinity(int(thread))) for thread in new]
        assert len(places) >= 2, places
        assert all(p == places[0] and len(p) == len(usable) - 1 for p in places), places
    """
    assert output(code) == ""
