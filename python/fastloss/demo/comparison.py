# SPDX-License-Identifier: BSD-3-Clause
"""The comparison: one run with the loss written by hand, one with fastloss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastloss.demo.experiment import Experiment, Objective
from fastloss.demo.training import Training

TOLERANCE = 1e-5
"""The relative difference of final losses that rounding may explain."""


@dataclass(frozen=True)
class Comparison:
    """Two finished runs that differ in nothing but who computed the loss."""

    loss: str
    by_hand: Training
    by_fastloss: Training
    scores: Mapping[str, tuple[float, float]]
    """By name, the test scores of both runs' best epochs."""

    def differences(self) -> list[float]:
        """Return the relative differences of the best epochs' training and validation losses."""
        return [
            abs(by_fastloss - by_hand) / abs(by_hand)
            for by_hand, by_fastloss in zip(
                self.by_hand.best_losses(), self.by_fastloss.best_losses(), strict=True
            )
        ]

    def agrees(self) -> bool:
        """Whether the losses are the same up to rounding, which NaN never is."""
        return all(difference <= TOLERANCE for difference in self.differences())


def compare(
    experiment: Experiment, objective: Objective, after_epoch: Callable[[], object]
) -> Comparison:
    """Train twice; the runs take turns by the epoch, so that both meet the same machine."""
    by_hand = experiment.prepare(objective.by_hand)
    by_fastloss = experiment.prepare(objective.by_fastloss)
    turns = [by_hand, by_fastloss]
    while not all(run.finished for run in turns):
        for run in turns:
            if not run.finished:
                run.run_epoch()
                after_epoch()
        turns.reverse()
    by_hand.restore_best()
    by_fastloss.restore_best()
    test = experiment.data.test
    outputs = by_hand.model.forward(test.inputs), by_fastloss.model.forward(test.inputs)
    scores = {
        name: (score(outputs[0], test.targets), score(outputs[1], test.targets))
        for name, score in experiment.task.scores.items()
    }
    return Comparison(objective.name, by_hand, by_fastloss, scores)
