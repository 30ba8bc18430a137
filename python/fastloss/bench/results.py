# SPDX-License-Identifier: BSD-3-Clause
"""What was measured, and the machine that it was measured on; stored as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import cpuinfo

import fastloss as fl
from fastloss.bench.problems import Problem, last_cache, parse_shape
from fastloss.bench.timing import Quartiles

VALUE_AND_GRAD = "value_and_grad"


@dataclass
class Row:
    """The times of calls that took turns."""

    kind: str  # what was compared: VALUE_AND_GRAD, or the name of another experiment
    loss: str
    dtype: str
    size: str
    times: dict[str, Quartiles] = field(default_factory=dict)  # by contestant
    errors: dict[str, str] = field(default_factory=dict)  # of contestants that have no time

    @classmethod
    def of(cls, kind: str, problem: Problem) -> Row:
        """Return a row without times."""
        return cls(kind, problem.loss.__name__, problem.dtype, problem.size)

    @property
    def problem(self) -> Problem:
        """What was computed."""
        return Problem(fl.losses[self.loss], self.dtype, parse_shape(self.size))


@dataclass
class Results:
    """Rows, and where they are from."""

    threads: int
    machine: dict[str, str]
    versions: dict[str, str]
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def here(cls, threads: int, distributions: Iterable[str]) -> Results:
        """Return results without rows, of this machine and these distributions' versions."""
        config = fl.show_config(mode="dicts")
        cpu = cpuinfo.get_cpu_info()
        machine = {
            "CPU": str(cpu.get("brand_raw", platform.machine())),
            "CPU level": "level " + str(config["isa"]),
            "last-level cache": f"last-level cache {last_cache() >> 20} MiB",
            "system": f"{platform.system()} {platform.machine()}",
        }
        versions = {
            "Python": platform.python_version(),
            "fastloss": f"{fl.__version__} ({config['compiler']})",
            **{name: version(name) for name in distributions},
        }
        return cls(threads, machine, versions)

    def save(self, path: Path) -> None:
        """Write them."""
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what was written."""
        stored = json.loads(path.read_text("utf-8"))
        rows = [
            Row(**{**row, "times": {name: Quartiles(**x) for name, x in row["times"].items()}})
            for row in stored.pop("rows")
        ]
        return cls(**stored, rows=rows)
