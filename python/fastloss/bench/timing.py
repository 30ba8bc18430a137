# SPDX-License-Identifier: BSD-3-Clause
"""Times of calls that take turns, so that a slow phase of the machine hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from statistics import quantiles
from timeit import Timer

ROUNDS = 15
LEAST_ROUNDS = 5
MOST_SECONDS = 6.0  # for all rounds, once there are the least
NANOSECONDS = 2_000_000  # that one measurement takes at least
# Threads of other libraries spin for some milliseconds after a call, on cores that the next
# contestant needs.
PAUSE = 0.01
# Untimed calls take this long before a measurement: after a pause clocks are low, and caches hold
# what the one before left, for milliseconds and whoever calls.
WARM_UP = 4_000_000


@dataclass(frozen=True)
class Timed:
    """What is timed: a function, or a statement with its names, within a context."""

    statement: Callable[[], object] | str
    names: Mapping[str, object] = field(default_factory=dict)
    context: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class Quartiles:
    """The nanoseconds of a call."""

    low: float
    median: float
    high: float


class _Clock:
    """A statement, and how many of it make one measurement."""

    def __init__(self, timed: Timed) -> None:
        self._timer = Timer(timed.statement, timer=time.perf_counter_ns, globals=dict(timed.names))
        self._context = timed.context
        self._number = 1
        self._taken = float(WARM_UP)
        self.measure()  # what is only done once
        while (taken := self.measure()) * self._number < NANOSECONDS:
            self._number = max(2 * self._number, 1 + int(NANOSECONDS / taken))

    def measure(self) -> float:
        """Return the nanoseconds of a call that finds its data as a call before left them."""
        time.sleep(PAUSE)
        with self._context():
            self._timer.timeit(1 + int(WARM_UP / self._taken))
            self._taken = max(self._timer.timeit(self._number) / self._number, 1)
        return self._taken


def interleaved(calls: Mapping[str, Timed], rounds: int = ROUNDS) -> dict[str, Quartiles]:
    """Time calls in turns, each as often; the slowest get fewer rounds."""
    clocks = {name: _Clock(timed) for name, timed in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in clocks}
    begun = time.monotonic()
    for done in range(rounds):
        if done >= LEAST_ROUNDS and time.monotonic() - begun > MOST_SECONDS:
            break
        for name, clock in clocks.items():
            times[name].append(clock.measure())
    return {name: Quartiles(*quantiles(x, n=4, method="inclusive")) for name, x in times.items()}
