# SPDX-License-Identifier: BSD-3-Clause
"""Training and validation curves, a pair for each L2 strength."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastloss.demo.training import Training


def save_curves(path: Path, title: str, runs: Mapping[str, Sequence[Training]]) -> None:
    """Draw one panel per loss, whose runs differ in their L2 strength."""
    figure = Figure(figsize=(7 * len(runs), 6), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(runs), squeeze=False)[0]
    for axes, (loss, panel_runs) in zip(panels, runs.items(), strict=True):
        axes.set(title=loss, xlabel="epoch", ylabel="mean loss")
        _draw(axes, panel_runs)
    figure.savefig(path, dpi=150)


def _draw(axes: Axes, runs: Sequence[Training]) -> None:
    for run in runs:
        epochs = range(1, len(run.training_losses) + 1)
        label = f"L2 strength {run.settings.l2_strength:g}"
        (line,) = axes.plot(epochs, run.validation_losses, label=label)
        color = line.get_color()
        axes.plot(epochs, run.training_losses, color=color, linestyle="--")
        axes.plot(run.best_epoch, run.best_losses()[1], color=color, marker="o")
    axes.plot([], [], color="grey", label="validation")
    axes.plot([], [], color="grey", linestyle="--", label="training")
    axes.plot([], [], color="grey", linestyle="", marker="o", label="best epoch")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
