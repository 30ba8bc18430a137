# SPDX-License-Identifier: BSD-3-Clause
"""The CPUs that a container grants, read from control groups of both versions."""

from pathlib import Path

import pytest

from fastloss.threading import cpu_quota

V1_MEMBERSHIP = "4:memory:/a/b\n3:cpu,cpuacct:/a/b\n2:cpuset:/a/b\n"


def v1(group: str, quota: str, period: str = "100000") -> dict[str, str]:
    """Return the files of a group of version 1."""
    return {
        f"cpu{group}/cpu.cfs_quota_us": f"{quota}\n",
        f"cpu{group}/cpu.cfs_period_us": f"{period}\n",
    }


NESTED = {
    "a/cpu.max": "200000 100000\n",
    "a/b/cpu.max": "max 100000\n",
    "a/b/c/cpu.max": "900000 100000\n",
}
QUOTAS: list[tuple[str, str, dict[str, str], int]] = [
    ("none", "0::/\n", {}, 0),
    ("version 2", "0::/a\n", {"a/cpu.max": "150000 100000\n"}, 2),
    ("version 2, a whole number", "0::/a\n", {"a/cpu.max": "300000 100000\n"}, 3),
    ("version 2, less than one", "0::/a\n", {"a/cpu.max": "1000 100000\n"}, 1),
    ("version 2, unlimited", "0::/a\n", {"a/cpu.max": "max 100000\n"}, 0),
    ("version 2, the least of the groups above", "0::/a/b/c\n", NESTED, 2),
    ("version 2, at the mount", "0::/of/the/host\n", {"cpu.max": "250000 100000\n"}, 3),
    ("version 1", V1_MEMBERSHIP, v1("/a/b", "250000"), 3),
    ("version 1, unlimited", V1_MEMBERSHIP, v1("/a/b", "-1"), 0),
    ("version 1, a group above", V1_MEMBERSHIP, v1("/a", "100000"), 1),
    ("version 1, at the mount", V1_MEMBERSHIP, v1("", "50000", "25000"), 2),
    ("nonsense", "0::/a\n", {"a/cpu.max": "many per second\n"}, 0),
    ("one word", "0::/a\n", {"a/cpu.max": "100000\n"}, 0),
    ("a period of nothing", "0::/a\n", {"a/cpu.max": "100000 0\n"}, 0),
    ("a colon in the path", "0::/a:b\n", {"a:b/cpu.max": "100000 100000\n"}, 1),
    ("an empty line", "\n0::/a\n", {"a/cpu.max": "100000 100000\n"}, 1),
]


@pytest.mark.parametrize(
    ("membership", "files", "cpus"), [pytest.param(*row[1:], id=row[0]) for row in QUOTAS]
)
def test_quota(tmp_path: Path, membership: str, files: dict[str, str], cpus: int) -> None:
    (tmp_path / "membership").write_text(membership)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cpu_quota(tmp_path / "membership", tmp_path / "groups") == cpus


def test_without_control_groups(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "nothing", tmp_path) == 0
