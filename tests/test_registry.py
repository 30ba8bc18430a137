# SPDX-License-Identifier: BSD-3-Clause
"""The registry of Python, that of the kernels, and what a loss says about itself."""

import inspect
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import LOSSES, METHODS, arguments_of, bound, losses
from fastloss import _core
from fastloss.accuracy.settings import takes_labels

FAMILIES = sorted({loss.family for loss in LOSSES})
RESULT_KEYWORDS = {"weight": None, "reduction": "mean", "normalizer": None, "out": None}


def family_keywords(loss: Any) -> dict[str, Any]:
    if loss.family == "overlap":
        return {"axis": None}
    if loss.family != "rowwise":
        return {}
    more = {"ignore_index": None, "class_weight": None} if takes_labels(loss) else {}
    return {"axis": -1, **more}


def test_kernels_and_losses_are_the_same() -> None:
    kernels = {
        (family, name, inputs, targets, parameters)
        for family in FAMILIES
        for name, inputs, targets, parameters in _core.kernel_signatures(family)
    }
    declared = {
        (loss.family, name, len(loss.inputs), len(loss.targets), len(loss.parameters))
        for name, loss in fl.losses.items()
    }
    assert kernels == declared


def test_no_kernel_is_declared_twice() -> None:
    names = [name for family in FAMILIES for name, *_ in _core.kernel_signatures(family)]
    assert Counter(names).most_common(1)[0][1] == 1


def test_unknown_family_and_unknown_kernel() -> None:
    with pytest.raises(ValueError, match="no family is called 'nothing'"):
        _core.kernel_signatures("nothing")
    with pytest.raises(ValueError, match="no kernel is called 'nothing'"):
        _core.register_loss(
            "pointwise", "nothing", ["pred", "target"], [("target", "whole")], [], 0
        )


@losses
def test_kernel_refuses_another_signature(loss: Any) -> None:
    arguments = [*arguments_of(loss), "more"]
    with pytest.raises(ValueError, match=f"{loss.__name__}: the kernel takes"):
        _core.register_loss(
            loss.family, loss.__name__, arguments, list(loss.formula.targets.items()), [], 0
        )


def test_registry_is_read_only() -> None:
    with pytest.raises(TypeError):
        fl.losses["another"] = fl.mse  # type: ignore[index]


@losses
def test_losses_are_attributes_of_the_package(loss: Any) -> None:
    assert getattr(fl, loss.__name__) is loss
    assert fl.losses[loss.__name__] is loss
    assert loss.__name__ in fl.__all__


def test_public_names_exist() -> None:
    assert len(set(fl.__all__)) == len(fl.__all__)
    for name in fl.__all__:
        assert getattr(fl, name) is not None


@losses
def test_metadata(loss: Any) -> None:
    assert loss.inputs
    assert set(loss.inputs) | set(loss.targets) == set(arguments_of(loss))
    assert arguments_of(loss)[0] == loss.inputs[0]
    assert set(loss.domain) == set(loss.targets)
    assert loss.hess_kind in ("exact", "zero", "absent")


@losses
def test_default_lies_in_its_domain(loss: Any) -> None:
    for parameter in loss.parameters.values():
        domain = parameter.domain
        if domain.is_flag:
            assert parameter.default in (False, True)
        elif domain.words:
            assert parameter.default in domain.words
        elif parameter.default is None:
            assert not math.isnan(domain.when_none)
        else:
            assert domain.contains(np.float64(parameter.default))


@losses
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["kernel", "reference"])
def test_signature(loss: Any, method: str, kind: str) -> None:
    function = bound(loss if kind == "kernel" else loss.reference, method)
    parameters = inspect.signature(function).parameters
    positional = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    keywords = {p.name: p.default for p in parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert positional == list(arguments_of(loss))
    assert keywords == {
        **{name: p.default for name, p in loss.parameters.items()},
        **family_keywords(loss),
        **RESULT_KEYWORDS,
    }
    assert len(positional) + len(keywords) == len(parameters)


@losses
def test_signature_of_weight_sum(loss: Any) -> None:
    for function in (loss.weight_sum, loss.reference.weight_sum):
        parameters = inspect.signature(function).parameters
        assert list(parameters) == [
            *arguments_of(loss),
            *loss.parameters,
            *family_keywords(loss),
            "weight",
        ]


@losses
def test_arguments_may_be_named(loss: Any) -> None:
    signature = inspect.signature(loss)
    with pytest.raises(TypeError, match="missing"):
        loss()
    with pytest.raises(TypeError, match="unexpected keyword"):
        loss(**dict.fromkeys(signature.parameters), another=1)
    with pytest.raises(TypeError, match="positional"):
        loss(*[1.0] * (len(arguments_of(loss)) + 1))
