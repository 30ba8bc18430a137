# SPDX-License-Identifier: BSD-3-Clause
"""What a task consists of, and its runs: any number of them from the same start."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastloss.demo.data import DataSet, Floats, Targets
from fastloss.demo.models import Model
from fastloss.demo.training import Loss, Settings, Training


@dataclass(frozen=True)
class Objective:
    """One loss, spelled twice."""

    name: str
    by_hand: Loss
    by_fastloss: Loss


@dataclass(frozen=True)
class Task:
    """A data set with a model, the losses to train it with, and the scores to judge it by."""

    name: str
    title: str
    read: Callable[[np.random.Generator], DataSet]
    build_model: Callable[[DataSet, np.random.Generator], Model]
    objectives: Sequence[Objective]
    scores: Mapping[str, Callable[[Floats, Targets], float]]
    """By name, functions of the outputs and targets of the test part."""
    score_format: str
    settings: Settings
    l2_strengths: Sequence[float]
    """The strengths to draw curves for."""


@dataclass(frozen=True)
class Experiment:
    """What all runs of a task share; the same seed gives the same weights and batches."""

    task: Task
    data: DataSet
    settings: Settings
    seed: int

    def prepare(self, loss: Loss) -> Training:
        """Return a run that has not begun."""
        generator = np.random.default_rng(self.seed)
        model = self.task.build_model(self.data, generator)
        return Training(model, loss, self.data, self.settings, generator)

    def train_each_l2_strength(
        self, loss: Loss, after_epoch: Callable[[], object]
    ) -> list[Training]:
        """Train once per strength, each to the last epoch, where overfitting shows."""
        runs = []
        for l2_strength in self.task.l2_strengths:
            settings = replace(self.settings, l2_strength=l2_strength, patience=None)
            run = replace(self, settings=settings).prepare(loss)
            while not run.finished:
                run.run_epoch()
                after_epoch()
            runs.append(run)
        return runs
