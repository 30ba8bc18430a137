# SPDX-License-Identifier: BSD-3-Clause
"""The demonstration: its losses, its training loop, its comparison and its command."""

import argparse
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fastloss as fl
from fastloss import demo
from fastloss.demo import numpy_losses
from fastloss.demo.comparison import compare
from fastloss.demo.data import DataSet, Floats, Targets, split, standardised
from fastloss.demo.experiment import Experiment, Objective, Task
from fastloss.demo.models import HiddenLayerNetwork, Linear
from fastloss.demo.training import Loss, Settings, Training

MSE = Loss(numpy_losses.mse, numpy_losses.mse_value_and_grad)
SETTINGS = Settings(epochs=40, batch_size=8, learning_rate=0.02, l2_strength=0.0)

needs_extra = pytest.mark.skipif(
    any(find_spec(module) is None for module in demo.EXTRA), reason="needs the extra [demo]"
)


@pytest.fixture
def data() -> DataSet:
    """Return noise on 20 features, of which 24 training examples are soon learned by heart."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(124, 20))
    targets = inputs[:, 0] + generator.normal(size=124)
    return split(inputs, targets, training=24, validation=50, generator=generator)


def train(data: DataSet, settings: Settings) -> Training:
    """Return a finished run of the linear model."""
    run = Training(Linear(20), MSE, data, settings, np.random.default_rng(1))
    while not run.finished:
        run.run_epoch()
    return run


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("binary_cross_entropy_with_logits", {}),
        ("cross_entropy", {}),
        ("mse", {}),
        ("huber", {"delta": 0.25}),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_by_hand_agree_with_fastloss(
    name: str, parameters: dict[str, float], dtype: type[np.floating]
) -> None:
    generator = np.random.default_rng(2)
    outputs = generator.normal(scale=5, size=(50, 10) if name == "cross_entropy" else 50)
    outputs = outputs.astype(dtype)
    targets: Targets = generator.integers(0, 2, 50)
    if name != "cross_entropy":
        targets = targets.astype(dtype)
    value, grad = getattr(numpy_losses, f"{name}_value_and_grad")(outputs, targets, **parameters)
    expected_value, expected_grad = fl.losses[name].value_and_grad(outputs, targets, **parameters)
    rounding = 100 * float(np.finfo(dtype).eps)
    assert value == pytest.approx(expected_value, rel=rounding)
    assert getattr(numpy_losses, name)(outputs, targets, **parameters) == value
    assert grad.dtype == dtype
    np.testing.assert_allclose(grad, expected_grad, rtol=rounding, atol=rounding / 50)


def test_parts_are_shuffled_and_disjoint() -> None:
    data = split(
        np.arange(10.0)[:, None],
        np.arange(10),
        training=5,
        validation=3,
        generator=np.random.default_rng(0),
    )
    parts = [data.training.targets, data.validation.targets, data.test.targets]
    assert [len(part) for part in parts] == [5, 3, 2]
    assert sorted(np.concatenate(parts)) == list(range(10))
    assert list(np.concatenate(parts)) != list(range(10))
    np.testing.assert_array_equal(data.training.inputs[:, 0], data.training.targets)


def test_standardising_uses_the_training_part_only(data: DataSet) -> None:
    scaled = standardised(data)
    np.testing.assert_allclose(scaled.training.inputs.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.training.inputs.std(axis=0), 1)
    assert np.abs(scaled.test.inputs.mean(axis=0)).max() > 0.01


def test_network_gradient_is_the_derivative_of_its_loss() -> None:
    generator = np.random.default_rng(3)
    network = HiddenLayerNetwork(5, 4, 3, generator)
    inputs, labels = generator.normal(size=(6, 5)), generator.integers(0, 3, 6)

    def loss() -> float:
        return numpy_losses.cross_entropy(network.forward(inputs), labels)

    _, output_grad = numpy_losses.cross_entropy_value_and_grad(network.forward(inputs), labels)
    grads = network.backward(inputs, output_grad)
    step = 1e-6
    for parameter, grad in zip(network.parameters, grads, strict=True):
        direction = generator.normal(size=parameter.shape)
        start = parameter.copy()
        parameter[...] = start + step * direction
        above = loss()
        parameter[...] = start - step * direction
        below = loss()
        parameter[...] = start
        assert (above - below) / (2 * step) == pytest.approx(float(np.sum(grad * direction)))


def test_early_stopping_keeps_the_best_parameters(data: DataSet) -> None:
    run = train(data, replace(SETTINGS, patience=5))
    assert len(run.validation_losses) == run.best_epoch + 5 < SETTINGS.epochs
    assert run.best_losses()[1] == min(run.validation_losses) < run.validation_losses[-1]
    run.restore_best()
    kept = numpy_losses.mse(run.model.forward(data.validation.inputs), data.validation.targets)
    assert kept == run.best_losses()[1]


def test_without_patience_a_run_takes_all_its_epochs(data: DataSet) -> None:
    run = train(data, replace(SETTINGS, patience=None))
    assert len(run.training_losses) == SETTINGS.epochs
    assert 0 < run.seconds_in_loss < run.seconds


def test_stop_at_ends_a_run_at_the_first_training_loss_below_it(data: DataSet) -> None:
    run = train(data, replace(SETTINGS, stop_at=0.5))
    assert run.training_losses[-1] < 0.5 <= min(run.training_losses[:-1])


def test_runs_from_the_same_seed_are_equal(data: DataSet) -> None:
    assert train(data, SETTINGS).training_losses == train(data, SETTINGS).training_losses


def test_l2_strength_shrinks_weights(data: DataSet) -> None:
    free, regularised = (
        train(data, replace(SETTINGS, patience=None, l2_strength=strength)) for strength in (0, 1)
    )
    assert np.linalg.norm(regularised.model.parameters[0]) < np.linalg.norm(
        free.model.parameters[0]
    )


@pytest.mark.parametrize(("error", "agrees"), [(0.0, True), (1e-6, True), (1e-4, False)])
def test_comparison_tells_rounding_from_a_wrong_loss(
    data: DataSet, error: float, agrees: bool
) -> None:
    def inexact_mse(outputs: Floats, targets: Targets) -> float:
        return (1 + error) * numpy_losses.mse(outputs, targets)

    objective = Objective("mse", MSE, Loss(inexact_mse, MSE.value_and_grad))
    task = Task(
        name="",
        title="",
        read=lambda _: data,
        build_model=lambda *_: Linear(20),
        objectives=[objective],
        scores={"test loss": numpy_losses.mse},
        score_format="{}",
        settings=SETTINGS,
        l2_strengths=[],
    )
    comparison = compare(Experiment(task, data, SETTINGS, 1), objective, lambda: None)
    assert comparison.agrees() is agrees
    assert comparison.differences() == pytest.approx([error, error], abs=1e-12)
    by_hand, by_fastloss = comparison.scores["test loss"]
    assert by_hand == by_fastloss


def parse(*arguments: str) -> argparse.Namespace:
    """Parse a command line of the demonstration."""
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("arguments", [["birds"], ["--epochs", "0"], ["--seed", "-1"]])
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)


def test_missing_extra_names_the_command_that_installs_it() -> None:
    script = (
        "import argparse, sys\n"
        "from fastloss import demo\n"
        "sys.modules.update(dict.fromkeys(demo.EXTRA))\n"  # None: the import fails
        "parser = argparse.ArgumentParser()\n"
        "demo.add_arguments(parser)\n"
        "sys.exit(demo.run(parser.parse_args([])))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert finished.stdout == ""
    (message,) = finished.stderr.splitlines()
    assert message.endswith("pip install 'fastloss[demo]'")


@needs_extra
def test_spam_from_data_to_table_and_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.run(parse("spam", "--epochs", "3", "--output", str(tmp_path / "new"))) == 0
    output = capsys.readouterr().out
    assert "test accuracy" in output
    assert "best epoch" in output
    picture = tmp_path / "new" / "fastloss-spam.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


@needs_extra
def test_disagreement_is_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fastloss.demo.demonstration.demonstrate", lambda *_, **__: False)
    assert demo.run(parse("all", "--output", str(tmp_path))) == 1
    assert "disagree" in capsys.readouterr().err
