# SPDX-License-Identifier: BSD-3-Clause
"""One of the processes that `versions.py` compares: it calls the fastloss that it can import.

It reads pickled requests and answers each. Of fastloss it knows no more than users do, so that any
version can be compared.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from typing import Any

import fastloss as fl


def places(result: Any) -> Any:
    """Return `out` for later calls: the arrays of a result, and None for its numbers."""
    if isinstance(result, tuple):
        return tuple(map(places, result))
    return None if isinstance(result, float) else result


class Worker:
    """The requests, one method each."""

    call: Callable[[], Any]

    def about(self) -> dict[str, str]:
        """Return what this version is."""
        config = fl.show_config(mode="dicts")
        names = ("version", "numerics version", "compiler", "isa")
        return {"of": str(fl.__file__), **{name: str(config[name]) for name in names}}

    def losses(self) -> list[str]:
        """Return the names of the losses that this version has."""
        return list(fl.losses)

    def prepare(self, loss: str, method: str, threads: int, arguments: tuple[Any, ...]) -> Any:
        """Set what is measured, and return its result."""
        fl.set_num_threads(threads)
        function: Any = fl.losses[loss]
        if method != "value":
            function = getattr(function, method)
        out = places(function(*arguments))
        self.call = lambda: function(*arguments, out=out)
        return self.call()

    def measure(self, number: int) -> float:
        """Return the nanoseconds that one of this many calls takes, once the caches are full."""
        call = self.call
        call()
        start = time.perf_counter_ns()
        for _ in range(number):
            call()
        return (time.perf_counter_ns() - start) / number


def main() -> None:
    """Answer until there are no more requests."""
    worker = Worker()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            name, arguments = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(getattr(worker, name)(*arguments), answers)
        answers.flush()


if __name__ == "__main__":
    main()
