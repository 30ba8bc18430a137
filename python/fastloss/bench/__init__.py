# SPDX-License-Identifier: BSD-3-Clause
"""How fast the losses are, beside other libraries on the same arrays."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import fastloss as fl
from fastloss.bench.peers import PEERS
from fastloss.bench.problems import DTYPES, parse_shape
from fastloss.extras import tell_missing

EXTRA = {"cpuinfo", "matplotlib", "rich"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that `run` takes."""
    parser.add_argument("loss", nargs="*", choices=[[], *fl.losses], help="default: all")
    parser.add_argument(
        "--peers",
        type=_peers,
        metavar="NAME,...",
        help=f"of {', '.join(PEERS)} (default: all that are installed)",
    )
    parser.add_argument(
        "--threads", type=_threads, metavar="N", help="of each contestant (default: all CPUs)"
    )
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, default=DTYPES[:1], metavar="DTYPE")
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=parse_shape,
        metavar="SIZE",
        help="such as 1000 for pointwise losses, 4096x1000 for row-wise, 8x4x256x256 for masks",
    )
    parser.add_argument(
        "--huge", action="store_true", help="also arrays of four times the last-level cache"
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="also threads, small calls, options, weights, CPU levels; and which targets are met",
    )
    parser.add_argument("--save", type=Path, metavar="FILE.json", help="store the results")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the results")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the times; return 1 where a contestant failed."""
    try:
        # Only here: the extra [bench] must not be needed to parse the arguments.
        from fastloss.bench import command  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return tell_missing(error, "bench", EXTRA)
    return command.measure_and_show(arguments)


def _peers(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in PEERS]:
        raise argparse.ArgumentTypeError(f"no peer is called {', '.join(map(repr, unknown))}")
    return names


def _threads(text: str) -> int:
    available = len(os.sched_getaffinity(0))
    if not text.isdecimal() or not 1 <= int(text) <= available:
        raise argparse.ArgumentTypeError(f"expected 1 to {available}, got {text!r}")
    return int(text)
