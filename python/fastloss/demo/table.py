# SPDX-License-Identifier: BSD-3-Clause
"""What the terminal shows of a task's comparisons."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from fastloss.demo.comparison import Comparison
from fastloss.demo.experiment import Task
from fastloss.demo.training import Training


def comparison_table(task: Task, comparisons: Sequence[Comparison]) -> Table:
    """Return a table with one section per loss."""
    table = Table(title=task.title, box=box.SIMPLE_HEAD)
    table.add_column("")
    for heading in ("NumPy", "fastloss", "relative difference\nor ratio"):
        table.add_column(heading, justify="right")
    for comparison in comparisons:
        table.add_row(comparison.loss, style="bold")
        for row in _rows(task, comparison):
            table.add_row(*row)
        table.add_section()
    return table


def score_lines(task: Task, comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield, per score, what fastloss reached with each of several losses."""
    first, *others = comparisons
    for name, (_, score) in first.scores.items():
        for other in others:
            other_score = other.scores[name][1]
            yield (
                f"{name}: {task.score_format.format(score)} with {first.loss}, "
                f"{task.score_format.format(other_score)} with {other.loss}"
            )


def _rows(task: Task, comparison: Comparison) -> Iterator[tuple[str, ...]]:
    by_hand, by_fastloss = comparison.by_hand, comparison.by_fastloss
    for name, hand, fast, difference in zip(
        ("training loss", "validation loss"),
        by_hand.best_losses(),
        by_fastloss.best_losses(),
        comparison.differences(),
        strict=True,
    ):
        yield name, f"{hand:.6f}", f"{fast:.6f}", f"{difference:.1e}"
    for name, (hand, fast) in comparison.scores.items():
        yield name, task.score_format.format(hand), task.score_format.format(fast)
    yield "best epoch", _best_epoch(by_hand), _best_epoch(by_fastloss)
    for name, hand, fast in (
        ("time in loss and gradient", by_hand.seconds_in_loss, by_fastloss.seconds_in_loss),
        ("time in the whole loop", by_hand.seconds, by_fastloss.seconds),
    ):
        yield name, f"{hand:.4f} s", f"{fast:.4f} s", f"{hand / fast:.2f}"


def _best_epoch(run: Training) -> str:
    return f"{run.best_epoch} of {len(run.training_losses)}"
