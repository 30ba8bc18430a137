# SPDX-License-Identifier: BSD-3-Clause
"""Functions of rows that losses are made of, by themselves: values alone, without derivatives.

As with losses, the decorated function is three things at once: its signature is the API, its
docstring the documentation, and its body the specification (`function.reference`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np

from fastloss import _core
from fastloss.domains import LABELS, Domain
from fastloss.losses.distributions import softmax_of


class RowFunction(Protocol):
    """A function of rows as the registry holds it."""

    __name__: str
    __doc__: str | None
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    ulp: float
    reference: Callable[..., Any]

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Return a row or a number for each row."""


_row_functions: dict[str, RowFunction] = {}
row_functions: Mapping[str, RowFunction] = MappingProxyType(_row_functions)
"""Every function of rows by its name."""

Body = TypeVar("Body", bound=Callable[..., Any])

_OPTIONS = {"axis": -1, "out": None}


def row_function(ulp: float, **domains: Domain) -> Callable[[Body], RowFunction]:
    """Make a formula of rows a function along any axis.

    Parameters
    ----------
    ulp : float
        The kernel's largest error, in units in the last place of the result; of `logsumexp`, of
        the larger one of the result and the largest score.
    **domains : Domain
        Of each argument that is not scores.

    Notes
    -----
    The formula takes scores whose rows lie along the last axis, and labels of their shape without
    it. It returns an array of either shape.
    """

    def declare(body: Body) -> RowFunction:
        signature = inspect.signature(body).parameters.values()
        arguments = tuple(p.name for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD)
        kinds = [(name, domain.kind) for name, domain in domains.items()]
        number = _core.register_loss("row function", body.__name__, arguments, kinds, [], 1)
        function: Any = _core.Function(number, 0, arguments, _OPTIONS)
        function.inputs = tuple(name for name in arguments if name not in domains)
        function.targets = tuple(domains)
        function.ulp = ulp
        function.reference = _reference(body)
        for given, name in (
            (function, body.__name__),
            (function.reference, f"{body.__name__}.reference"),
        ):
            given.__signature__ = inspect.signature(body)
            given.__doc__ = inspect.getdoc(body)
            given.__module__ = "fastloss"
            given.__name__ = body.__name__
            given.__qualname__ = name
        _row_functions[body.__name__] = function
        return _row_functions[body.__name__]

    return declare


def _reference(body: Callable[..., Any]) -> Callable[..., Any]:
    def function(*given: Any, **more: Any) -> Any:
        bound = inspect.signature(body).bind(*given, **more)
        bound.apply_defaults()
        axis, out = (bound.arguments.pop(name) for name in _OPTIONS)
        scores, *labels = map(np.asarray, bound.arguments.values())
        scores = scores.astype(np.float64) if scores.dtype.kind in "biu" else scores
        with np.errstate(invalid="ignore"):
            result = np.asarray(body(np.moveaxis(scores, axis, -1), *labels), scores.dtype)
        if result.ndim == scores.ndim:
            result = np.moveaxis(result, -1, axis)
        if out is None:
            return result[()]
        np.copyto(out, result, casting="same_kind")
        return out

    return function


@row_function(2)
def log_softmax(x: Any, *, axis: Any = -1, out: Any = None) -> Any:
    """Logarithm of the softmax of each row.

    xₖ − log Σⱼ exp(xⱼ) for each score x of a row.

    Parameters
    ----------
    x : array_like
        Scores: any real numbers; −inf for a class that cannot be.
    axis : int, default -1
        The axis along which a row lies.
    out : ndarray, optional
        Where to put the result. It may be `x`.

    Returns
    -------
    ndarray
        Of the shape of `x`, and of its type where that is floating, else float64.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type, shape or value.

    Notes
    -----
    Within 2 ULP of the exact result, also where a class is almost certain. A score of −inf gives
    −inf; a single +inf gives 0, and −inf elsewhere. A row with nothing but −inf, with +inf
    twice, or with a NaN is NaN.

    References
    ----------
    P. Blanchard, D. J. Higham and N. J. Higham, Accurately computing the log-sum-exp and softmax
    functions, IMA Journal of Numerical Analysis 41 (2021). ``scipy.special.log_softmax``;
    ``torch.log_softmax``.

    Examples
    --------
    >>> import fastloss as fl
    >>> print(fl.log_softmax([[1.0, 1.0], [0.0, 100.0]]))
    [[-6.93147181e-01 -6.93147181e-01]
     [-1.00000000e+02 -3.72007598e-44]]
    """
    del axis, out
    return softmax_of(x).log


@row_function(3)
def softmax(x: Any, *, axis: Any = -1, out: Any = None) -> Any:
    """Softmax of each row.

    exp(xₖ) / Σⱼ exp(xⱼ) for each score x of a row.

    Parameters
    ----------
    x : array_like
        Scores: any real numbers; −inf for a class that cannot be.
    axis : int, default -1
        The axis along which a row lies.
    out : ndarray, optional
        Where to put the result. It may be `x`.

    Returns
    -------
    ndarray
        Of the shape of `x`, and of its type where that is floating, else float64.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type, shape or value.

    Notes
    -----
    Within 3 ULP of the exact result. A score of −inf gives 0; a single +inf gives 1, and 0
    elsewhere. A row with nothing but −inf, with +inf twice, or with a NaN is NaN.

    References
    ----------
    ``scipy.special.softmax``; ``torch.softmax``.

    Examples
    --------
    >>> import fastloss as fl
    >>> import numpy as np
    >>> fl.softmax([[1.0, 1.0], [0.0, -np.inf]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    del axis, out
    return softmax_of(x).p


@row_function(2)
def logsumexp(x: Any, *, axis: Any = -1, out: Any = None) -> Any:
    """Logarithm of the sum of exponentials of each row.

    log Σⱼ exp(xⱼ) over the scores x of a row.

    Parameters
    ----------
    x : array_like
        Scores: any real numbers, and infinities.
    axis : int, default -1
        The axis along which a row lies.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray
        Of the shape of `x` without the axis, and of its type where that is floating, else float64;
        a number for a single row.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type, shape or value.

    Notes
    -----
    It is the largest score and the logarithm of what the others make of it, which may cancel:
    within 2 ULP of the larger one of the result and that score. A row with nothing but −inf is
    −inf, one with +inf is +inf, and one with a NaN is NaN.

    References
    ----------
    ``scipy.special.logsumexp``; ``torch.logsumexp``.

    Examples
    --------
    >>> import fastloss as fl
    >>> import numpy as np
    >>> print(fl.logsumexp([[0.0, 0.0], [80.0, 80.0], [-np.inf, 3.0]]))
    [ 0.69314718 80.69314718  3.        ]
    """
    del axis, out
    peak = x.max(-1)
    return np.where(np.abs(peak) == np.inf, peak, peak - softmax_of(x).log.max(-1))


@row_function(2, labels=LABELS)
def selected_log_prob(logits: Any, labels: Any, *, axis: Any = -1, out: Any = None) -> Any:
    """Logarithm of the softmax of each row at its label, without the rest of the row.

    xₜ − log Σⱼ exp(xⱼ) for the logits x of a row and its label t: what policy gradients and
    perplexities of language models need.

    Parameters
    ----------
    logits : array_like
        Raw scores: any real numbers; −inf for a class that cannot be.
    labels : array_like
        Labels in [0, K), integers of the shape of `logits` without the axis of the classes.
    axis : int, default -1
        The axis of the classes.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray
        Of the shape of `labels`, and of the type of `logits` where that is floating, else float64;
        a number for a single row.

    Raises
    ------
    IndexError
        If a label is outside [0, K).
    TypeError, ValueError
        If an argument has a wrong type, shape or value.

    Notes
    -----
    It is minus `cross_entropy` of each row, within 2 ULP, also where the label is almost certain. A
    label whose score is −inf has −inf. A row with nothing but −inf, with +inf twice, or with a NaN
    is NaN.

    References
    ----------
    ``torch.log_softmax(logits, -1).gather(-1, labels[..., None])``, which makes all of the row.

    Examples
    --------
    >>> import fastloss as fl
    >>> print(fl.selected_log_prob([[1.0, 1.0], [0.0, 100.0]], [0, 1]))
    [-6.93147181e-01 -3.72007598e-44]
    """
    del axis, out
    return np.take_along_axis(softmax_of(logits).log, labels[..., None], -1)[..., 0]
