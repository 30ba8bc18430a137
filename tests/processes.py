# SPDX-License-Identifier: BSD-3-Clause
"""Python in a process of its own, for what can be seen only in a fresh one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

TIMEOUT = 120  # seconds; a hang fails the test


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code with these environment variables and none of those that fastloss and OpenMP read."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FASTLOSS_", "OMP_", "GOMP_"))
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *map(str, arguments)],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def output(code: str, *arguments: object, **environment: str) -> str:
    """Run code that must succeed, and return what it prints."""
    done = python(code, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
