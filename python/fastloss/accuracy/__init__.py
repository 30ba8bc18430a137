# SPDX-License-Identifier: BSD-3-Clause
"""How accurate the losses are: measured against their formulas in more digits."""

from __future__ import annotations

import argparse
import os

import fastloss as fl
from fastloss.extras import tell_missing

DTYPES = ("float32", "float64")
EXTRA = {"numpy_quaddtype", "rich"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that `run` takes."""
    parser.add_argument("loss", nargs="*", choices=[[], *fl.losses], help="default: all")
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, default=DTYPES, metavar="DTYPE")
    parser.add_argument(
        "--points", type=float, default=1e6, help="for each loss and dtype (default: 1e6)"
    )
    parser.add_argument(
        "--exhaustive", action="store_true", help="also all 2**32 float32 inputs: minutes per loss"
    )
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))


def run(arguments: argparse.Namespace) -> int:
    """Measure and print a row per result; return 1 if a bound is missed."""
    try:
        # Only here: the extra [accuracy] must not be needed to parse the arguments.
        from fastloss.accuracy import table  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return tell_missing(error, "accuracy", EXTRA)
    return table.print_rows(
        [fl.losses[name] for name in arguments.loss or fl.losses],
        arguments.dtype,
        int(arguments.points),
        arguments.exhaustive,
        arguments.processes,
    )
