# SPDX-License-Identifier: BSD-3-Clause
"""How many threads calls use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastloss import _core


def set_num_threads(n: int) -> None:
    """Ask for `n` threads in every call of the process.

    Small calls use fewer. More than the machine has cores is allowed; the bits of the results
    are the same for any number.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If `n` is not an integer, or less than 1.

    Examples
    --------
    >>> import fastloss as fl
    >>> with fl.threads(2):
    ...     fl.get_num_threads()
    2
    """
    _core.set_process_threads(_checked("set_num_threads", "n", n))


def get_num_threads() -> int:
    """Return how many threads a large call by this thread would use.

    Returns
    -------
    int
        The number that was asked for or, without one, the least of OpenMP's own limit, the CPUs
        that the process may run on, and the container's quota. In a forked child it is 1.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.get_num_threads() >= 1
    True
    """
    return _core.available_threads()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Ask for `n` threads in the calls that this thread makes inside the context.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If `n` is not an integer, or less than 1.

    Examples
    --------
    >>> import fastloss as fl
    >>> with fl.threads(1):
    ...     fl.mse([1.0], [3.0])
    4.0
    """
    wanted = _checked("threads", "n", n)
    before = _core.local_threads()
    _core.set_local_threads(wanted)
    try:
        yield
    finally:
        _core.set_local_threads(before)


def _checked(function: str, argument: str, n: object) -> int:
    expected = f"{function}: argument '{argument}': expected an integer >= 1, got {n!r}"
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(expected)
    number = int(n.__index__())
    if not 1 <= number < 2**31:
        raise ValueError(expected)
    return number


def read_environment() -> None:
    """Take over what the environment and the container say, at import."""
    if asked := os.environ.get("FASTLOSS_NUM_THREADS"):
        if not asked.strip().isdecimal():
            raise ValueError(f"FASTLOSS_NUM_THREADS: expected an integer >= 1, got {asked!r}")
        _core.set_process_threads(_checked("FASTLOSS_NUM_THREADS", "n", int(asked)))
    _core.set_cpu_quota(cpu_quota())


def cpu_quota(
    membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int:
    """Return the CPUs that the process's control groups grant, rounded up; 0 for no limit.

    Parameters
    ----------
    membership : Path
        The file that names the groups of the process.
    root : Path
        Where the groups' file system is mounted.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return 0
    quotas = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":  # version 2: one tree for all controllers
            mount = root
        elif "cpu" in controllers.split(","):
            mount = root / "cpu"
        else:
            continue
        group = Path(path.lstrip("/"))
        # Inside a container the path may be the host's, so the mount itself counts too.
        quotas += [_quota_of(mount / g) for g in (group, *group.parents)]
    limits = [quota for quota in quotas if quota]
    return min(limits, default=0)


def _quota_of(group: Path) -> int:
    """Return the quota of one group in CPUs, rounded up; 0 for none."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text().strip()
        return 0 if quota == "max" or int(quota) <= 0 else math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return 0
