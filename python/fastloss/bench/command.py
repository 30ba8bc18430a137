# SPDX-License-Identifier: BSD-3-Clause
"""The command `python -m fastloss bench`: measures, shows, stores and draws."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator

from rich.console import Console

import fastloss as fl
from fastloss.bench import cpus, peers, plots
from fastloss.bench.contest import compare
from fastloss.bench.experiments import EXPERIMENTS
from fastloss.bench.peers import Contestant
from fastloss.bench.problems import Problem, problems, shapes_beyond_cache
from fastloss.bench.results import Results, Row
from fastloss.bench.tables import about, table, table_of_targets


def measure_and_show(arguments: argparse.Namespace) -> int:
    """Do what the command line asks for; return 1 where a contestant failed."""
    console = Console(highlight=False)
    threads = arguments.threads or fl.get_num_threads()
    cpus.bind_to(threads)
    contestants, distributions = load_peers(arguments.peers or peers.PEERS, threads)
    results = Results.here(threads, distributions)
    console.print(*about(results), sep="\n", end="\n\n")

    for row in measured(arguments, contestants, console):
        console.print(table(row))
        results.rows.append(row)
        if arguments.save:
            results.save(arguments.save)
    if not results.rows:
        print("no loss that was chosen has such sizes", file=sys.stderr)
        return 1
    if arguments.table:
        console.print(table_of_targets(results.rows))
    if arguments.plot:
        plots.save(arguments.plot, results)
    return 1 if any(row.errors for row in results.rows) else 0


def measured(
    arguments: argparse.Namespace, contestants: list[Contestant], console: Console
) -> Iterator[Row]:
    """Yield the rows that are asked for."""
    for problem in chosen_problems(arguments, console):
        yield compare(problem, contestants)
    for experiment in EXPERIMENTS if arguments.table else ():
        for problem in experiment.problems():
            if problem.loss.__name__ in (arguments.loss or fl.losses):
                yield experiment.measure(problem)


def chosen_problems(arguments: argparse.Namespace, console: Console) -> Iterator[Problem]:
    """Yield the problems that are asked for."""
    losses = [fl.losses[name] for name in arguments.loss or fl.losses]
    yield from problems(losses, arguments.dtype, arguments.sizes)
    for dtype in arguments.dtype if arguments.huge else ():
        shapes = shapes_beyond_cache(dtype)
        if not shapes:
            console.print(f"--huge: {dtype} arrays of that size need more memory than there is")
        yield from problems(losses, [dtype], shapes)


def load_peers(names: Iterable[str], threads: int) -> tuple[list[Contestant], list[str]]:
    """Return the contestants that are installed, and their distributions; name the others."""
    contestants: list[Contestant] = []
    distributions: list[str] = []
    for name in names:
        try:
            peer = peers.load(name)
        except ImportError as error:
            print(f"without {name} ({error}): {peers.INSTALL}", file=sys.stderr)
            continue
        contestants += peer.contestants(threads)
        if peer.DISTRIBUTION not in distributions:
            distributions.append(peer.DISTRIBUTION)
    return contestants, distributions
