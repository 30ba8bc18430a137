# SPDX-License-Identifier: BSD-3-Clause
"""What the build says of itself, and the check of targets."""

from importlib.metadata import version
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import arguments_of, losses, losses_with_targets, sample
from fastloss.accuracy.settings import takes_labels

KEYS = ["version", "numerics version", "compiler", "isa", "isa available", "threads"]


def test_version() -> None:
    assert fl.__version__ == version("fastloss")
    assert isinstance(fl.numerics_version, int)


def test_configuration() -> None:
    config = fl.show_config(mode="dicts")
    assert config is not None
    assert list(config) == KEYS
    assert config["version"] == fl.__version__
    assert config["numerics version"] == fl.numerics_version
    assert config["compiler"].split()[0] in ("GCC", "Clang")
    assert config["isa"] in config["isa available"]
    assert config["threads"] == fl.get_num_threads()


def test_configuration_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert fl.show_config() is None
    shown = capsys.readouterr().out
    assert [line.partition(":")[0] for line in shown.splitlines()] == KEYS
    assert fl.__version__ in shown


@pytest.mark.parametrize("mode", ["json", None, 1])
def test_wrong_mode(mode: Any) -> None:
    with pytest.raises(ValueError, match=r"^show_config: argument 'mode': expected .+, got "):
        fl.show_config(mode=mode)


# ---- check_target -----------------------------------------------------------------------------


@losses_with_targets
def test_targets_of_the_domain(loss: Any) -> None:
    domain = loss.domain[loss.targets[0]]
    for shape in ((50,), (5, 10), ()):
        x = sample(domain, np.random.default_rng(81), shape)
        assert fl.check_target(loss, x) is None
        assert fl.check_target(loss, np.asarray(x, np.float32)) is None
    assert fl.check_target(loss, []) is None
    assert fl.check_target(loss, [1, 1]) is None
    assert fl.check_target(loss, np.array([True, True])) is None


@losses_with_targets
def test_targets_outside_the_domain(loss: Any) -> None:
    domain = loss.domain[loss.targets[0]]
    bad = [np.nan]
    bad += [np.nextafter(domain.low, -np.inf), domain.low - 1] * bool(np.isfinite(domain.low))
    bad += [np.nextafter(domain.high, np.inf), domain.high + 1] * bool(np.isfinite(domain.high))
    bad += [np.inf, -np.inf]
    for x in bad:
        target = sample(domain, np.random.default_rng(82), (4, 5))
        target[2, 3] = x
        target[3, 0] = np.nan
        name = loss.targets[0]
        message = rf"^check_target: argument '{name}': expected .+, got {x} at index \(2, 3\)$"
        with pytest.raises(ValueError, match=message):
            fl.check_target(loss, target)
        with pytest.raises(ValueError, match=rf"got {x} at index 3$"):
            fl.check_target(loss, target[2])


@losses
def test_labels(loss: Any) -> None:
    if takes_labels(loss):
        assert fl.check_target(loss, [0, 7, 1000]) is None
        with pytest.raises(ValueError, match="got -1 at index 2"):
            fl.check_target(loss, [0, 7, -1])


@losses_with_targets
@pytest.mark.parametrize("dtype", ["complex128", "object", "U1", "M8[s]"])
def test_targets_of_wrong_types(loss: Any, dtype: str) -> None:
    message = rf"^check_target: argument '{loss.targets[0]}': expected .+, got dty"
    with pytest.raises(TypeError, match=message):
        fl.check_target(loss, np.ones(3, int).astype(dtype))


@pytest.mark.parametrize("loss", [None, "huber", np.add, fl.check_target, 3])
def test_something_that_is_no_loss(loss: Any) -> None:
    with pytest.raises(TypeError, match=r"^check_target: argument 'loss': expected a loss, got "):
        fl.check_target(loss, [1.0])


def test_several_targets() -> None:
    fl.check_target(fl.aft, [1.0, 0.0], [2.0, np.inf])
    message = r"^check_target: argument 'upper': expected .+, got 0\.0 at"
    with pytest.raises(ValueError, match=message):
        fl.check_target(fl.aft, [0.0], [0.0])
    for targets in ((), ([1.0], [1.0], [1.0])):
        with pytest.raises(TypeError, match=r"expected the targets of aft \(lower, upper\), got"):
            fl.check_target(fl.aft, *targets)


def test_a_loss_without_targets() -> None:
    message = r"^check_target: argument 'loss': expected one with a target, got "
    with pytest.raises(TypeError, match=message):
        fl.check_target(fl.cosine_distance, [1.0])


@losses
def test_calls_do_not_check(loss: Any) -> None:
    """The formula applies to whatever floating targets hold."""
    kinds, length = loss.formula.targets, loss.formula.row_length or 3
    if "labels" not in kinds.values():
        ends = {x: () if kinds.get(x) == "number" else (length,) for x in arguments_of(loss)}
        wrong = [np.full((2, 1, *ends[x]), 0.75 if x in loss.inputs else 7.5) for x in ends]
        if loss.family == "groupwise":
            wrong[-1] = wrong[-1].astype(int)
        with np.errstate(invalid="ignore"):
            expected = loss.reference(*wrong)
        np.testing.assert_allclose(loss(*wrong), expected, rtol=1e-9)
