# SPDX-License-Identifier: BSD-3-Clause
"""Measure the errors of losses for long, and store them in docs/accuracy.json.

All 2**32 float32 inputs are tried, and 10**8 points drawn for each loss and type. A loss's entry
is stale when its kernel's sources have changed; then a test fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fastloss as fl
from fastloss.accuracy import DTYPES, table

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from kernel_sources import sources_of

STORE = ROOT / "docs" / "accuracy.json"


def stored() -> dict[str, Any]:
    """Return what has been measured: by loss and dtype."""
    store: dict[str, Any] = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    return store


def entry(loss: Any, dtype: str, points: int, exhaustive: bool, processes: int) -> dict[str, Any]:
    """Measure one loss in one type."""
    results = table.measured(loss, dtype, points, exhaustive, processes)
    return {
        "sources": sources_of(loss),
        "exhaustive": exhaustive and dtype == "float32",
        "results": [
            {"with": group, "result": result, **asdict(worst)}
            for (group, result), worst in sorted(results.items())
        ],
    }


def main() -> int:
    """Measure, and write each entry when it is there."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("loss", nargs="*", help="default: those whose entries are stale")
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--points", type=float, default=1e8, help="default: 1e8")
    parser.add_argument("--sampled", action="store_true", help="do not try all float32 inputs")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    for name, loss in fl.losses.items():
        for dtype in given.dtype:
            key = f"{name} {dtype}"
            is_stale = stored().get(key, {}).get("sources") != sources_of(loss)
            if name in given.loss or (not given.loss and is_stale):
                found = entry(loss, dtype, int(given.points), not given.sampled, given.processes)
                store = stored() | {key: found}
                text = json.dumps(dict(sorted(store.items())), indent=1)
                STORE.write_text(text + "\n", encoding="utf-8")
                print(key, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
