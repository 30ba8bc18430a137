# SPDX-License-Identifier: BSD-3-Clause
"""Write hashes of all results to tests/golden.json; with --check, compare with them.

They are the same on every machine, CPU level from AVX2 on, and compiler, from commit to commit: a
change of any bit needs a new numerics version. The baseline level has hashes of its own.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import fastloss as fl
from fastloss import _core

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from golden_calls import (
    Evaluate,
    digest_of_calls,
    digest_of_results,
    evaluate_at,
    evaluate_by,
    functions,
    golden_calls,
)

STORE = Path(__file__).resolve().parent.parent / "tests" / "golden.json"
COMMAND = "python tools/golden.py"
CALLS, ONE_ANSWER, BASELINE = "calls", "one answer", "baseline"

Hashes = dict[str, dict[str, str]]  # by function and dtype, then by what is hashed


def measure(places: Mapping[str, Evaluate]) -> Hashes:
    """Hash the calls of each function that has kernels, and their results in each place."""
    found: Hashes = {}
    for name, loss in functions().items():
        for dtype in (np.float32, np.float64):
            calls = list(golden_calls(loss, dtype))
            found[f"{name} {dtype.__name__}"] = {CALLS: digest_of_calls(calls)} | {
                place: digest_of_results(evaluate(calls)) for place, evaluate in places.items()
            }
    return found


def differences(stored: Mapping[str, Any], found: Hashes) -> Iterator[str]:
    """Tell how what is found differs from what is stored."""
    hashes = stored["hashes"]
    if stored["numerics version"] != fl.numerics_version or hashes.keys() != found.keys():
        yield f"{STORE.name} is stale: run {COMMAND}"
    for case, digests in found.items():
        if case not in hashes:
            continue
        if digests[CALLS] != hashes[case][CALLS]:
            yield f"{case}: other calls than those of {STORE.name}: run {COMMAND}"
            continue
        for place, digest in digests.items():
            kind = place if place in (CALLS, BASELINE) else ONE_ANSWER
            if digest != hashes[case][kind]:
                yield f"{case}: other bits at {place} than those of {STORE.name}"


def updated(stored: Mapping[str, Any], found: Hashes) -> dict[str, Any]:
    """Return what to store. Raises ValueError if that would hide a change."""
    hashes = {}
    for case, digests in found.items():
        answers = {x for place, x in digests.items() if place not in (CALLS, BASELINE)}
        if BASELINE not in digests or not answers:
            raise ValueError("this needs an x86-64 processor with AVX2")
        if len(answers) > 1:
            raise ValueError(f"{case}: the CPU levels differ")
        (answer,) = answers
        hashes[case] = {
            CALLS: digests[CALLS],
            ONE_ANSWER: answer,
            BASELINE: digests[BASELINE],
        }
        before = stored["hashes"].get(case, hashes[case])
        same_version = stored["numerics version"] == fl.numerics_version
        if same_version and before[CALLS] == digests[CALLS] and before != hashes[case]:
            raise ValueError(
                f"{case}: bits have changed since numerics version {fl.numerics_version}: raise it "
                "in python/fastloss/config.py, add a line to CHANGELOG.md, measure the accuracy "
                f"again, then run {COMMAND}"
            )
    return {"numerics version": fl.numerics_version, "hashes": hashes}


def main() -> int:
    """Write the hashes, or tell whether they are those of the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail if bits differ")
    parser.add_argument(
        "--by", metavar="COMMAND", help="check a build of tests/evaluate_calls.cpp, run like this"
    )
    options = parser.parse_args()
    stored = {"numerics version": fl.numerics_version, "hashes": {}}
    if STORE.exists():
        stored = json.loads(STORE.read_text())
    places = {level: evaluate_at(level) for level, runs in _core.isa_levels() if runs}
    if options.by:
        places = {options.by: evaluate_by(shlex.split(options.by))}
    found = measure(places)
    if options.check or options.by:
        problems = list(differences(stored, found))
    else:
        try:
            text = json.dumps(updated(stored, found), indent=2)
            STORE.write_text(text + "\n")
            problems = []
        except ValueError as error:
            problems = [str(error)]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
