# SPDX-License-Identifier: BSD-3-Clause
"""What commands need beyond NumPy."""

from __future__ import annotations

import sys
from collections.abc import Collection


def tell_missing(error: ModuleNotFoundError, extra: str, modules: Collection[str]) -> int:
    """Print which extra has the missing module, and return 1; another module's error goes on."""
    missing = str(error.name).partition(".")[0]
    if missing not in modules:
        raise error
    print(f"this needs {missing}: pip install 'fastloss[{extra}]'", file=sys.stderr)
    return 1
