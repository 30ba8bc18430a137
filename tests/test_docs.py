# SPDX-License-Identifier: BSD-3-Clause
"""Docstrings: examples that run, and the sections that numpydoc has."""

import ast
import doctest
import inspect
import re
from typing import Any

import pytest

import fastloss as fl
from cases import losses

PUBLIC = {name: getattr(fl, name) for name in fl.__all__ if callable(getattr(fl, name))}
# Sections in numpydoc's order.
ORDER = [
    "Parameters",
    "Returns",
    "Yields",
    "Raises",
    "Warns",
    "See Also",
    "Notes",
    "References",
    "Examples",
]

each_public = pytest.mark.parametrize("name", PUBLIC)


def sections(function: Any) -> dict[str, str]:
    """Return the text of each section of a docstring by its title."""
    text = inspect.getdoc(function) or ""
    found = list(re.finditer(r"^(\w[\w ]+)\n(-+)$", text, re.M))
    ends = [match.start() for match in found[1:]] + [len(text)]
    for match in found:
        assert len(match[1]) == len(match[2]), f"the line under {match[1]!r}"
    return {m[1]: text[m.end() : end].strip("\n") for m, end in zip(found, ends, strict=True)}


def documented(section: str) -> list[str]:
    """Return the names that a section describes, in their order."""
    lines = re.findall(r"^([\w, *]+?)(?: : .+)?$", section, re.M)
    return [name.lstrip("*") for line in lines for name in line.split(", ")]


@each_public
def test_examples(name: str) -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(verbose=False)
    tests = finder.find(PUBLIC[name], name, globs={})
    assert sum(len(test.examples) for test in tests) > 0, "no example"
    report: list[str] = []
    for test in tests:
        runner.run(test, out=report.append)
    assert not report, "".join(report)


@each_public
def test_sections(name: str) -> None:
    function = PUBLIC[name]
    found = sections(function)
    assert [title for title in ORDER if title in found] == list(found)
    assert "Examples" in found
    text = inspect.getdoc(function)
    assert text
    summary, blank, *_ = [*text.split("\n"), ""]
    assert summary.endswith(".")
    assert blank == ""
    assert documented(found.get("Parameters", "")) == list(inspect.signature(function).parameters)
    result = inspect.get_annotations(function).get("return")
    returns = name in fl.losses or result not in (None, "None", "Iterator[None]")
    assert ("Returns" in found) == returns


@losses
def test_sections_of_losses(loss: Any) -> None:
    assert list(sections(loss)) == [
        "Parameters",
        "Returns",
        "Raises",
        "Notes",
        "References",
        "Examples",
    ]


@losses
def test_documented_defaults(loss: Any) -> None:
    """Where the text names a default, it is that of the signature."""
    described = sections(loss)["Parameters"]
    for name, p in inspect.signature(loss).parameters.items():
        if p.kind is not p.KEYWORD_ONLY:
            continue
        line = re.search(rf"^{name} : (.+)$", described, re.M)
        assert line, name
        if p.default is None:
            assert "optional" in line[1]
        else:
            assert ast.literal_eval(line[1].rpartition("default ")[2]) == p.default


def test_examples_of_methods() -> None:
    """Docstrings of methods need no examples of their own, but must not break the finder."""
    for loss in fl.losses.values():
        for method in ("grad", "value_and_grad", "grad_and_hess", "value_grad_and_hess"):
            assert (inspect.getdoc(getattr(loss, method)) or "").endswith(".")
