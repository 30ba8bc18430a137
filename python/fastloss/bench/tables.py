# SPDX-License-Identifier: BSD-3-Clause
"""What the terminal shows."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.table import Table

from fastloss.bench.contest import FASTLOSS, ROOFLINES
from fastloss.bench.results import Results, Row

UNITS = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1))


def about(results: Results) -> Iterator[str]:
    """Yield what the times depend on."""
    yield ", ".join([*results.machine.values(), f"{results.threads} threads for all but NumPy"])
    yield ", ".join(f"{name} {version}" for name, version in results.versions.items())
    yield "value_and_grad of a mean with default parameters; medians and quartiles of turns"


def table(row: Row) -> Table:
    """Lay out the times of a row, the fastest first."""
    title = f"{row.loss}, {row.dtype}, {row.size}"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("", width=23, no_wrap=True)
    for heading in ("median", "quartiles", "fastloss is"):
        table.add_column(heading, justify="right", no_wrap=True)
    own = row.times[FASTLOSS].median
    for name, found in sorted(row.times.items(), key=lambda item: item[1].median):
        table.add_row(
            name,
            spelled(found.median),
            f"{spelled(found.low)} to {spelled(found.high)}",
            ratio(name, found.median / own),
            style="green" if name == FASTLOSS else None,
        )
    for name, error in row.errors.items():
        table.add_row(name, f"[red]{error}", style="red")
    return table


def ratio(name: str, to_own: float) -> str:
    """Say how a time compares with that of fastloss."""
    if name == FASTLOSS:
        return ""
    return f"at {to_own:.0%}" if name in ROOFLINES else f"{to_own:.2f}× as fast"


def spelled(nanoseconds: float) -> str:
    """Spell a time with three digits."""
    unit, size = next((u, s) for u, s in UNITS if nanoseconds >= s or s == 1)
    number = nanoseconds / size
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f} {unit}"
