# SPDX-License-Identifier: BSD-3-Clause
"""The CPUs that all contestants share."""

from __future__ import annotations

import os
from pathlib import Path

TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def bind_to(count: int) -> None:
    """Bind the process to so many of its CPUs, on cores of their own where there are enough.

    That limits also the libraries that have no call for it, if they are imported later.
    """
    cpus = sorted(os.sched_getaffinity(0), key=lambda cpu: (_place_in_core(cpu), cpu))
    os.sched_setaffinity(0, cpus[:count])


def _place_in_core(cpu: int) -> int:
    """Return how many CPUs of the same core come before this one."""
    try:
        listed = Path(TOPOLOGY.format(cpu)).read_text("ascii").strip()
    except OSError:
        return 0
    siblings: list[int] = []
    for part in listed.split(","):
        first, _, last = part.partition("-")
        siblings += range(int(first), int(last or first) + 1)
    return sum(sibling < cpu for sibling in siblings)
