# SPDX-License-Identifier: BSD-3-Clause
"""Losses and their methods as functions: pickled by name, with signatures and help."""

import copy
import inspect
import pickle
import pydoc
from typing import Any

import pytest

import fastloss as fl
from cases import METHODS, bound, losses
from processes import output

ALL = [*METHODS, "weight_sum"]


def functions(loss: Any) -> dict[str, Any]:
    """Return every function that a loss carries, by its qualified name."""
    name = loss.__name__
    named = {}
    for prefix, owner in ((name, loss), (f"{name}.reference", loss.reference)):
        for method in ALL:
            named[prefix if method == "value" else f"{prefix}.{method}"] = bound(owner, method)
    return named


@losses
def test_names(loss: Any) -> None:
    for qualified, function in functions(loss).items():
        assert inspect.isroutine(function)
        assert function.__module__ == "fastloss"
        assert function.__qualname__ == qualified
        last = qualified.split(".")[-1]
        assert function.__name__ == (loss.__name__ if last == "reference" else last)


@losses
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_by_name(loss: Any, protocol: int) -> None:
    if protocol < 4:  # these know no names within names
        assert pickle.loads(pickle.dumps(loss, protocol)) is loss
        return
    for function in functions(loss).values():
        pickled = pickle.dumps(function, protocol)
        assert pickle.loads(pickled) is function
        assert len(pickled) < 200


@losses
def test_unpickled_in_another_process(loss: Any) -> None:
    code = """
        import pickle, sys
        print(*(function.__qualname__ for function in pickle.loads(bytes.fromhex(sys.argv[1]))))
    """
    pickled = pickle.dumps(list(functions(loss).values()))
    assert output(code, pickled.hex()).split() == list(functions(loss))


@losses
def test_copies_are_the_function_itself(loss: Any) -> None:
    for function in functions(loss).values():
        assert copy.copy(function) is function
        assert copy.deepcopy(function) is function


@losses
def test_signatures_spell_everything_out(loss: Any) -> None:
    for function in functions(loss).values():
        text = str(inspect.signature(function))
        assert "*args" not in text
        assert "**" not in text
        for name in (*loss.inputs, *loss.targets, *loss.parameters, "weight"):
            assert name in text
        for name, parameter in loss.parameters.items():
            assert f"{name}={parameter.default!r}" in text


@losses
def test_help(loss: Any) -> None:
    text = pydoc.plain(pydoc.render_doc(loss))
    assert "in module fastloss" in text
    assert f"\n{loss.__name__}(" in text
    assert "Parameters" in text
    for name in (*loss.inputs, *loss.targets, *loss.parameters):
        assert name in text
    for method in METHODS[1:]:
        text = pydoc.plain(pydoc.render_doc(bound(loss, method)))
        assert loss.__name__ in text
        assert f"{method}{inspect.signature(bound(loss, method))}" in text


@losses
def test_methods_say_what_they_return(loss: Any) -> None:
    for method in ALL:
        if method != "value":
            text = inspect.getdoc(getattr(loss, method))
            assert text
            assert f":func:`fastloss.{loss.__name__}`" in text


def test_reference_takes_what_the_loss_takes() -> None:
    for loss in fl.losses.values():
        for method in ALL:
            own, reference = bound(loss, method), bound(loss.reference, method)
            assert inspect.signature(own) == inspect.signature(reference)
