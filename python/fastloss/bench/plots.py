# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of the results: times against sizes, and ratios of the largest sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from fastloss.bench.contest import FASTLOSS
from fastloss.bench.results import VALUE_AND_GRAD, Results, Row
from fastloss.bench.tables import UNITS
from fastloss.bench.targets import ROOFLINE, time_of

COLUMNS = 4  # of panels
GROUPS = 7  # of bars beside each other
COLORS = {
    "NumPy": "#4c78a8",
    "PyTorch": "#e45756",
    "torch.compile": "#f2a2a2",
    "JAX": "#54a24b",
    "scikit-learn": "#eeb62b",
    "Numba": "#8a5fa8",
    "Numba, fastmath": "#c9a6dc",
    "NumExpr": "#9c755f",
}
OWN_COLOR = "black"
ROOFLINE_COLOR = "0.6"


def save(path: Path, results: Results) -> None:
    """Draw the rows of value and gradient, times above and ratios below."""
    rows = [row for row in results.rows if row.kind == VALUE_AND_GRAD]
    titles = list(dict.fromkeys((row.loss, row.dtype) for row in rows))
    columns = min(COLUMNS, len(titles))
    lines = -(-len(titles) // columns)
    colors = colors_of(rows)

    heights = 3.2 * lines + 0.8, 4.7 * -(-len(titles) // GROUPS) + 0.5
    figure = Figure(figsize=(3.5 * max(columns, 2), sum(heights)), layout="constrained")
    halves = figure.subfigures(2, 1, squeeze=False, height_ratios=heights).flat
    _times(halves[0], rows, titles, colors)
    _ratios(halves[1], rows, titles, colors)
    cpu, level = results.machine["CPU"], results.machine["CPU level"]
    title = f"Value and gradient: {cpu}, {level}, threads: {results.threads}"
    figure.suptitle(title, fontsize=13, fontweight="bold")
    figure.savefig(path, dpi=110)


def colors_of(rows: Sequence[Row]) -> dict[str, str]:
    """Return the colours of those who are in any row."""
    names = {name for row in rows for name in row.times}
    return {name: color for name, color in COLORS.items() if name in names}


def _times(
    figure: SubFigure,
    rows: Sequence[Row],
    titles: Sequence[tuple[str, str]],
    colors: dict[str, str],
) -> None:
    columns = min(COLUMNS, len(titles))
    panels = figure.subplots(-(-len(titles) // columns), columns, squeeze=False).flat
    for (loss, dtype), axes in zip(titles, panels, strict=False):
        own = [row for row in rows if (row.loss, row.dtype) == (loss, dtype)]
        _panel(axes, sorted(own, key=lambda row: row.problem.elements), colors)
        axes.set_title(f"{loss}\n{dtype}", fontsize=10)
    for axes in list(panels):
        axes.set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=max(3, columns + 2), frameon=False
    )
    figure.supxlabel("elements", fontsize=10)
    figure.supylabel("time of a call", fontsize=10)


def _panel(axes: Axes, rows: Sequence[Row], colors: dict[str, str]) -> None:
    def line(name: str, **style: Any) -> None:
        points = [(row.problem.elements, time_of(row, name)) for row in rows]
        measured = [(x, t) for x, t in points if t is not None]
        axes.plot(*zip(*measured, strict=True) if measured else ([], []), label=name, **style)

    for name, color in colors.items():
        line(name, color=color, marker="o", markersize=3, linewidth=1.2)
    line(ROOFLINE, color=ROOFLINE_COLOR, linestyle="--", linewidth=1.5)
    line(FASTLOSS, color=OWN_COLOR, marker="o", markersize=4, linewidth=2.4)
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda t, _: _time(t)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8)


def _time(nanoseconds: float) -> str:
    unit, size = next((u, s) for u, s in UNITS if nanoseconds >= s or s == 1)
    return f"{nanoseconds / size:g} {unit}"


def _ratios(
    figure: SubFigure,
    rows: Sequence[Row],
    titles: Sequence[tuple[str, str]],
    colors: dict[str, str],
) -> None:
    largest = [
        max(
            (row for row in rows if (row.loss, row.dtype) == title),
            key=lambda row: row.problem.elements,
        )
        for title in titles
    ]
    parts = [largest[i : i + GROUPS] for i in range(0, len(largest), GROUPS)]
    panels = figure.subplots(len(parts), 1, squeeze=False, sharey=True).flat
    for axes, part in zip(panels, parts, strict=True):
        _bars(axes, part, colors)
    low, high = panels[0].get_ylim()
    panels[0].set_ylim(min(low, 0.8), high * 2.2)  # room for the numbers
    figure.suptitle("The largest size: how many times faster fastloss is", fontsize=11)
    figure.supylabel(f"time of the others / time of {FASTLOSS}", fontsize=10)


def _bars(axes: Axes, rows: Sequence[Row], colors: dict[str, str]) -> None:
    width = 0.84 / max(len(colors), 1)
    for place, (name, color) in enumerate(colors.items()):
        for group, row in enumerate(rows):
            if name not in row.times:
                continue
            ratio = row.times[name].median / row.times[FASTLOSS].median
            x = group + (place - (len(colors) - 1) / 2) * width
            axes.bar(x, ratio - 1, width, bottom=1, color=color)
            above = max(ratio, 1)
            axes.text(x, above, f" {ratio:.3g}", rotation=90, ha="center", va="bottom", fontsize=8)
    axes.axhline(1, color=OWN_COLOR, linewidth=2)
    axes.set(yscale="log", xlim=(-0.5, len(rows) - 0.5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    names = [row.loss.replace("_with", "\n_with") for row in rows]
    names = [f"{x}\n{row.dtype}, {row.size}" for x, row in zip(names, rows, strict=True)]
    axes.set_xticks(range(len(rows)), names, fontsize=9)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
