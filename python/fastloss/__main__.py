# SPDX-License-Identifier: BSD-3-Clause
"""The command line: `python -m fastloss`, also installed as `fastloss`."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Sequence

import fastloss as fl
from fastloss import accuracy, bench, demo


def list_losses() -> None:
    """Print the registry, a line per loss."""
    width = max(map(len, fl.losses))
    for name, loss in fl.losses.items():
        signature = inspect.signature(loss).parameters
        arguments = [k for k in signature if k in (*loss.inputs, *loss.targets)]
        parameters = [f"{k}={p.default!r}" for k, p in loss.parameters.items()]
        print(f"{name:{width}}  {loss.family:9}  {', '.join(arguments + parameters)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="fastloss", description=fl.__doc__.split("\n")[0])
    parser.add_argument("--version", action="version", version=f"fastloss {fl.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo.add_arguments(
        commands.add_parser("demo", help="train models on real data, with NumPy and fastloss")
    )
    accuracy.add_arguments(
        commands.add_parser("accuracy", help="measure the errors of values and derivatives")
    )
    bench.add_arguments(
        commands.add_parser("bench", help="measure the speed, beside that of other libraries")
    )
    commands.add_parser("info", help="show version, CPU level and threads")
    commands.add_parser("list", help="list the losses")
    given = parser.parse_args(arguments)
    if given.command == "demo":
        return demo.run(given)
    if given.command == "accuracy":
        return accuracy.run(given)
    if given.command == "bench":
        return bench.run(given)
    if given.command == "info":
        fl.show_config()
    else:
        list_losses()
    return 0


if __name__ == "__main__":
    sys.exit(main())
