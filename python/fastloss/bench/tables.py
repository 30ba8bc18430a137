# SPDX-License-Identifier: BSD-3-Clause
"""What the terminal shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from fastloss.bench.contest import FASTLOSS
from fastloss.bench.results import VALUE_AND_GRAD, Results, Row
from fastloss.bench.targets import Verdict, verdicts

TITLES = ("ratio of times", "losses; sizes", "target", "met", "mean", "worst", "where")
UNITS = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1))


def about(results: Results) -> Iterator[str]:
    """Yield what the times depend on."""
    yield ", ".join([*results.machine.values(), f"threads: {results.threads}, NumPy: 1"])
    yield ", ".join(f"{name} {version}" for name, version in results.versions.items())
    yield "value_and_grad of a mean with default parameters; medians and quartiles of turns"


def table(row: Row) -> Table:
    """Lay out the times of a row, the fastest first."""
    kind = "" if row.kind == VALUE_AND_GRAD else f" ({row.kind})"
    table = _titled(f"{row.loss}, {row.dtype}, {row.size}{kind}")
    table.add_column("", width=23, no_wrap=True)
    own = FASTLOSS if FASTLOSS in row.times else next(iter(row.times))
    for heading in ("median", "quartiles", f"{own} is"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in sorted(row.times.items(), key=lambda item: item[1].median):
        table.add_row(
            name,
            spelled(found.median),
            f"{spelled(found.low)} to {spelled(found.high)}",
            "" if name == own else f"{found.median / row.times[own].median:.2f}× as fast",
            style="green" if name == own else None,
        )
    table.caption = "\n".join(f"{name}: {error}" for name, error in row.errors.items()) or None
    table.caption_justify, table.caption_style = "left", "red"
    return table


def table_of_targets(rows: Sequence[Row]) -> Table:
    """Lay out the targets, each with the worst ratio of all rows that it concerns."""
    table = _titled("targets")
    for heading in TITLES:
        may_wrap = heading in {"losses; sizes", "where"}
        width = 11 if may_wrap else None
        table.add_column(heading, no_wrap=not may_wrap, min_width=width, overflow="fold")
    for verdict in verdicts(rows):
        table.add_row(*cells(verdict), style="red" if verdict.missed else None)
    return table


def cells(verdict: Verdict) -> tuple[str, ...]:
    """Spell what was to be reached, in how many rows it was, their mean, and the worst one."""
    target = verdict.target
    bound = f"≥ {target.at_least:g}" if target.at_least is not None else f"≤ {target.at_most:g}"
    ratio, row = verdict.ratios[0]
    rows = len(verdict.ratios)
    sizes = ", ".join(map(short, target.sizes)) or "all"
    return (
        " / ".join(target.ratio),
        f"{target.losses}; {sizes}",
        bound,
        f"{rows - len(verdict.missed)} of {rows}",
        f"{verdict.mean:.3g}",
        f"{ratio:.3g}",
        f"{row.loss} {short(row.size)}",
    )


def short(size: str) -> str:
    """Spell a large power of ten by its exponent."""
    zeros = len(size) - 1
    return f"1e{zeros}" if zeros >= 4 and size == str(10**zeros) else size


def _titled(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)


def spelled(nanoseconds: float) -> str:
    """Spell a time with three digits."""
    unit, size = next((u, s) for u, s in UNITS if nanoseconds >= s or s == 1)
    number = nanoseconds / size
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f} {unit}"
