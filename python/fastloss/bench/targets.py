# SPDX-License-Identifier: BSD-3-Clause
"""What the times should be: a list of targets, and which rows reach them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import geometric_mean

from fastloss.bench.contest import FASTLOSS, ROOFLINES
from fastloss.bench.results import VALUE_AND_GRAD, Row

# Names for times that are no single contestant's.
BEST = "the best"
BEST_PEER = "the best peer"
ROOFLINE = "the roofline"
NANOSECOND_PER_ELEMENT = "1 ns per element"

SIMPLE = ("mse", "mae", "huber", "smooth_l1")
EXPONENTIAL = ("binary_cross_entropy_with_logits", "gaussian_nll")
POINTWISE = SIMPLE + EXPONENTIAL
LOSSES = {
    "all": (),
    "simple": SIMPLE,
    "exponential": EXPONENTIAL,
    "pointwise": POINTWISE,
    "cross_entropy": ("cross_entropy",),
}
"""The losses that targets are for, by a name."""

LARGE = ("100000", "10000000")
BEYOND_CACHE = ("10000000",)
LONG_ROWS = ("4096x1000", "1024x50257", "2048x32000")


@dataclass(frozen=True)
class Target:
    """A bound of the ratio of two times, in all rows of a kind, of these losses and sizes."""

    kind: str
    ratio: tuple[str, str]  # names of contestants, or of the above
    at_least: float | None = None
    at_most: float | None = None
    losses: str = "all"  # their name in LOSSES
    sizes: tuple[str, ...] = ()  # none: all

    def concerns(self, row: Row) -> bool:
        """Tell whether a row should reach it."""
        losses = LOSSES[self.losses]
        return (
            row.kind == self.kind
            and row.dtype == "float32"
            and (not losses or row.loss in losses)
            and (not self.sizes or row.size in self.sizes)
        )

    def is_met(self, ratio: float) -> bool:
        """Tell whether a ratio reaches it."""
        return (self.at_least is None or ratio >= self.at_least) and (
            self.at_most is None or ratio <= self.at_most
        )


TARGETS = (
    Target(VALUE_AND_GRAD, ("NumPy", FASTLOSS), at_least=1),
    Target(VALUE_AND_GRAD, (BEST_PEER, FASTLOSS), at_least=0.95),
    Target(VALUE_AND_GRAD, ("PyTorch", FASTLOSS), at_least=5, sizes=LARGE),
    Target(VALUE_AND_GRAD, ("JAX", FASTLOSS), at_least=5, sizes=LARGE),
    Target("threads", ("default", BEST), at_most=1.1),
    Target("call", ("value", "np.add"), at_most=1),
    Target("call", ("value_and_grad", "np.add"), at_most=1.5),
    *(
        Target(VALUE_AND_GRAD, (peer, FASTLOSS), at_least, None, losses, sizes)
        for losses, sizes, bounds in (
            ("pointwise", ("1000",), {"NumPy": 8, "PyTorch": 15, "JAX": 15}),
            (
                "simple",
                LARGE,
                {"NumPy": 15, "PyTorch": 8, "torch.compile": 5, "JAX": 5, "scikit-learn": 3},
            ),
            (
                "exponential",
                LARGE,
                {"NumPy": 15, "PyTorch": 8, "JAX": 8, "Numba, fastmath": 5, "scikit-learn": 20},
            ),
            ("cross_entropy", (), {"NumPy": 8, "PyTorch": 6, "JAX": 3}),
            ("simple", BEYOND_CACHE, {ROOFLINE: 0.85}),
            ("exponential", BEYOND_CACHE, {ROOFLINE: 0.4}),
            ("cross_entropy", LONG_ROWS, {ROOFLINE: 0.6}),
        )
        for peer, at_least in bounds.items()
    ),
    Target(
        "threads",
        (NANOSECOND_PER_ELEMENT, "1 thread"),
        at_least=1,
        losses="exponential",
        sizes=("10000", "100000"),
    ),
    Target("variant", ("probabilities", "plain"), at_most=1.6),
    Target("variant", ("label_smoothing=0.1", "plain"), at_most=1.2),
    Target("variant", ("class_weight", "plain"), at_most=1.2),
    Target("variant", ("axis=0", "plain"), at_most=1.5),
    Target("weight", ("weighted", "unweighted"), at_most=1.4),
    *(
        Target("storage", ("float32", dtype), at_least, None, losses, sizes)
        for dtype in ("float16", "bfloat16")
        for losses, sizes, at_least in (("simple", BEYOND_CACHE, 1.3), ("all", (), 0.9))
    ),
    Target("level", (BEST, "avx2"), at_least=0.5),
    Target("subnormal", ("subnormal", "normal"), at_most=3),
    Target("step", ("default stores", "ordinary stores"), at_most=1.05),
)


def time_of(row: Row, name: str) -> float | None:
    """Return a median of a row in nanoseconds, if the row has it."""
    if name == NANOSECOND_PER_ELEMENT:
        return float(row.problem.elements)
    others = {FASTLOSS, *ROOFLINES}
    among = {
        BEST: row.times.keys(),
        BEST_PEER: row.times.keys() - others,
        ROOFLINE: row.times.keys() & ROOFLINES.keys(),
    }.get(name, row.times.keys() & {name})
    return min((row.times[x].median for x in among), default=None)


def ratio_of(row: Row, ratio: tuple[str, str]) -> float | None:
    """Return the ratio of two times, if the row has both."""
    first, second = (time_of(row, name) for name in ratio)
    return None if first is None or second is None else first / second


@dataclass(frozen=True)
class Verdict:
    """A target and the rows that it concerns, each with its ratio, the worst one first."""

    target: Target
    ratios: tuple[tuple[float, Row], ...]

    @property
    def mean(self) -> float:
        """The geometric mean of the ratios."""
        return geometric_mean(ratio for ratio, _ in self.ratios)

    @property
    def missed(self) -> tuple[tuple[float, Row], ...]:
        """Those that do not reach it."""
        return tuple(x for x in self.ratios if not self.target.is_met(x[0]))


def verdicts(rows: Sequence[Row], targets: Iterable[Target] = TARGETS) -> Iterator[Verdict]:
    """Judge the rows by each target that concerns some of them."""
    for target in targets:
        found = [(ratio_of(row, target.ratio), row) for row in rows if target.concerns(row)]
        ratios = [(ratio, row) for ratio, row in found if ratio is not None]
        ratios.sort(key=lambda x: x[0], reverse=target.at_least is None)
        if ratios:
            yield Verdict(target, tuple(ratios))
