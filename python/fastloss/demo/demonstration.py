# SPDX-License-Identifier: BSD-3-Clause
"""A task from its data to its table and its picture, with progress bars on the way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fastloss.demo.comparison import compare
from fastloss.demo.curves import save_curves
from fastloss.demo.experiment import Experiment, Task
from fastloss.demo.table import comparison_table, score_lines


def demonstrate(
    task: Task, *, seed: int, epochs: int | None, stop_at: float | None, directory: Path
) -> bool:
    """Print the table, save the curves, and return whether the final losses agree.

    `epochs` and `stop_at` take the place of the task's own.
    """
    settings = replace(task.settings, epochs=epochs or task.settings.epochs, stop_at=stop_at)
    with _progress() as progress:
        with _bar(progress, f"{task.name}: reading the data", 1):
            data = task.read(np.random.default_rng(seed))
        experiment = Experiment(task, data, settings, seed)
        comparisons, curves = [], {}
        for objective in task.objectives:
            title = f"{task.name}: {objective.name}"
            with _bar(progress, f"{title}, NumPy and fastloss", 2 * settings.epochs) as advance:
                comparisons.append(compare(experiment, objective, advance))
            total = len(task.l2_strengths) * settings.epochs
            with _bar(progress, f"{title}, L2 strengths", total) as advance:
                curves[objective.name] = experiment.train_each_l2_strength(
                    objective.by_fastloss, advance
                )
    path = directory / f"fastloss-{task.name}.png"
    save_curves(path, task.title, curves)
    console = Console(highlight=False)
    console.print(comparison_table(task, comparisons))
    for line in score_lines(task, comparisons):
        console.print(line)
    console.print(f"Training and validation curves: {path}\n", markup=False, soft_wrap=True)
    return all(comparison.agrees() for comparison in comparisons)


def _progress() -> Progress:
    """Return progress bars on a terminal that vanish when done, and nothing elsewhere."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def _bar(progress: Progress, description: str, total: int) -> Iterator[Callable[[], None]]:
    """Give the block a function that advances a new bar, and complete the bar after it."""
    bar = progress.add_task(description, total=total)
    yield partial(progress.advance, bar)
    progress.update(bar, completed=total)
