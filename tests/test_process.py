# SPDX-License-Identifier: BSD-3-Clause
"""What importing and calling fastloss does to the process: nothing that others would notice."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import assert_same_bits, make_call, settings
from fastloss.accuracy.settings import Setting, default_settings
from processes import output, python


def test_import_loads_no_optional_package() -> None:
    code = """
        import sys
        import numpy
        before = set(sys.modules)
        import fastloss as fl
        fl.mse([1.0], [2.0])
        fl.show_config(mode="dicts")
        roots = {name.split(".")[0] for name in set(sys.modules) - before}
        print(*sorted(roots - set(sys.stdlib_module_names) - {"fastloss", "numpy"}))
    """
    assert output(code) == ""


def test_import_prints_nothing_and_warns_of_nothing() -> None:
    done = python("import fastloss")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_import_starts_no_thread_and_changes_no_state() -> None:
    code = """
        import os, signal, sys, threading, locale
        import numpy as np
        def state():
            handlers = [signal.getsignal(s) for s in signal.valid_signals()]
            affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
            return (handlers, affinity, dict(os.environ), os.getcwd(), threading.active_count(),
                    np.geterr(), locale.setlocale(locale.LC_ALL), sys.getswitchinterval(),
                    np.random.get_state()[1].tobytes())
        before = state()
        import fastloss as fl
        assert state() == before
        fl.cross_entropy.value_and_grad(np.zeros((3000, 200)), np.zeros(3000, int))
        assert state() == before
    """
    output(code)


def test_import_starts_no_thread_of_the_system() -> None:
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("this system does not list its threads in /proc")
    code = """
        import os
        import numpy
        before = len(os.listdir("/proc/self/task"))
        import fastloss
        print(len(os.listdir("/proc/self/task")) - before)
    """
    assert output(code) == "0"


def test_subnormal_numbers_stay_numbers() -> None:
    """No flush to zero after the import, nor after calls, nor in threads that start later."""
    code = """
        import threading
        import numpy as np
        import fastloss as fl
        def check():
            tiny = np.array([5e-324, 1e-310])
            assert np.all(tiny * 1.0 != 0) and np.all(np.float64(1e-300) * 1e-10 != 0)
            assert float(tiny[0]) + 0.0 == 5e-324
            single = np.array([1e-45], np.float32)
            assert np.all(single * np.float32(1) != 0)
            assert np.all(fl.mae(tiny, 0.0, reduction="none") == tiny)
            assert np.all(fl.mae(single, 0.0, reduction="none") == single)
        check()
        fl.mse(np.ones(500_000), 0.0)
        check()
        problems = []
        def in_thread():
            try:
                check()
            except AssertionError as error:
                problems.append(error)
        for _ in range(4):
            other = threading.Thread(target=in_thread)
            other.start()
            other.join()
        assert not problems
    """
    output(code)


def test_floating_point_flags_raise_nothing() -> None:
    """Overflow and the like inside a call are no business of NumPy's error state."""
    with np.errstate(all="raise"):
        fl.mse(np.array([1e300]), np.array([-1e300]))
        fl.cross_entropy.value_grad_and_hess(np.array([[0.0, 1e308, np.nan]]), [0])
        fl.binary_cross_entropy_with_logits.grad(np.array([1e-320, -800.0, np.inf]), 1.0)
        assert np.array([1.0]) + 1.0 == 2.0


def test_large_calls_release_the_interpreter() -> None:
    """While a long call runs, another thread goes on."""
    pred = np.broadcast_to(np.float32(1), (2**27,))
    turns = 0
    running, done = threading.Event(), threading.Event()

    def count() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            running.set()
            time.sleep(0)  # lets the interpreter go

    other = threading.Thread(target=count, daemon=True)
    other.start()
    running.wait()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # nothing is taken away: who has the interpreter must let it go
    try:
        before = turns
        fl.huber(pred, 0.0)
        after = turns
    finally:
        sys.setswitchinterval(interval)
        done.set()
        other.join()
    assert after > before


@settings(default_settings())
def test_calls_from_several_threads(setting: Setting) -> None:
    """Each thread gets its own result, whether calls are small or parallel themselves."""
    shapes = [(3, 5), (40, 300), (500, 400)]
    calls = [make_call(setting, shape, seed=k) for k, shape in enumerate(shapes)]
    expected = [call("value_grad_and_hess") for call in calls]

    def work(number: int) -> None:
        for turn in range(12):
            k = (number + turn) % len(calls)
            with fl.threads(1 + turn % 4):
                assert_same_bits(calls[k]("value_grad_and_hess"), expected[k])

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, number) for number in range(8)]:
            future.result(timeout=120)


def test_nothing_leaks() -> None:
    """Arguments and results are released, after errors too."""
    pred, target, out = np.ones((4, 5)), np.zeros((4, 5)), np.empty((4, 5))
    objects: list[Any] = [pred, target, out, fl.mse]
    before = [sys.getrefcount(x) for x in objects]
    for _ in range(200):
        fl.mse.value_and_grad(pred, target, reduction="sum", out=(None, out))
        fl.huber.grad_and_hess(pred, target, delta=[1.0, 2.0, 1.0, 2.0, 1.0])
        fl.mse.grad(pred[:, ::2], target[:, ::2], out=out[:, ::2])
        fl.mse.grad(pred, target, out=pred.T.copy().T)
        for wrong in (pred[:1], "text", None):
            with pytest.raises((TypeError, ValueError)):
                fl.mse(pred, wrong, out=None)
        with pytest.raises(TypeError):
            fl.mse.value_and_grad(pred, target, out=(out, out))
    assert [sys.getrefcount(x) for x in objects] == before


def test_exit_while_a_thread_computes() -> None:
    """The process ends as usual, though calls and the threads of OpenMP are still at work."""
    code = """
        import threading
        import numpy as np
        import fastloss as fl
        x = np.ones(2_000_000)
        started = threading.Event()
        def work():
            while True:
                with fl.threads(3):
                    fl.huber.value_and_grad(x, 0.0)
                started.set()
        for _ in range(2):
            threading.Thread(target=work, daemon=True).start()
        started.wait()
        print("end")
    """
    for _ in range(3):
        assert output(code) == "end"


def test_an_interrupt_is_no_type_error() -> None:
    """What converting an argument raises beyond errors goes through."""

    class Interrupted:
        def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.mse(Interrupted(), 0.0)
