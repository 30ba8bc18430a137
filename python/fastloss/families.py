# SPDX-License-Identifier: BSD-3-Clause
"""Decorators that make a NumPy formula a loss, and the registry of all losses.

The decorated function is three things at once: its signature is the API, its docstring the
documentation, and its body the specification (`loss.reference`). The call itself goes to the
kernel of the same name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from fastloss import _core, reference
from fastloss.curvatures import Constant, Curvatures
from fastloss.domains import REAL, UNIT, Domain, Labels, only_with
from fastloss.reference import Formula

HessKind = Literal["exact", "zero", "absent"]


@dataclass(frozen=True)
class Parameter:
    """A keyword of one loss: its default and what it may be."""

    default: Any
    domain: Domain


class Bounds(NamedTuple):
    """The largest errors of value, grad and hess in ULP: with reduction="none", without weights.

    The unit is the spacing of the numbers at the exact result, or at its largest part where it is
    a sum of parts that may cancel (`reference.Parts`), none of which is too large for a number.
    """

    value: float
    grad: float
    hess: float


FLOOR = Bounds(8, 8, 8)
"""What every loss keeps, whatever its parameters."""


@dataclass(frozen=True)
class Accuracy:
    """The bounds of a loss, which the accuracy run and the tests hold it to."""

    ulp: Bounds  # with the parameters' defaults and, where there are labels, with labels
    soft: Bounds = FLOOR  # with rows of probabilities instead of labels
    otherwise: Bounds = FLOOR  # with other parameters
    uncovered: frozenset[str] = frozenset()  # parameters whose other values have no bound


class Methods(Protocol):
    """A function that carries its derivatives."""

    __name__: str
    __doc__: str | None
    grad: Callable[..., Any]
    value_and_grad: Callable[..., Any]
    grad_and_hess: Callable[..., Any]
    value_grad_and_hess: Callable[..., Any]
    weight_sum: Callable[..., Any]

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Return the value."""


class Loss(Methods, Protocol):
    """A loss as the registry holds it."""

    family: str
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    hess_kind: HessKind
    curvatures: Curvatures
    surrogate: bool
    domain: Mapping[str, Domain]
    input_domain: Mapping[str, Domain]
    accuracy: Accuracy
    reference: Methods
    formula: Formula


_losses: dict[str, Loss] = {}
losses: Mapping[str, Loss] = MappingProxyType(_losses)
"""Every loss by its name."""

Body = TypeVar("Body", bound=Callable[..., Any])


@dataclass(frozen=True)
class _Family:
    name: str
    options: Mapping[str, Any]  # keywords that every loss of the family has, with their defaults
    options_doc: str = ""
    raises_doc: str = ""
    weight_doc: str = """\
weight : array_like, optional
    One weight per term, broadcast to the terms. A term of weight 0 is masked: it adds
    exactly 0, whatever it holds.
"""


_RESULT_KEYWORDS = {"weight": None, "reduction": "mean", "normalizer": None, "out": None}

_POINTWISE = _Family("pointwise", {})
_ROWWISE = _Family(
    "rowwise",
    {"axis": -1},
    """\
axis : int, default -1
    The axis along which a row lies.
""",
)
_LABELLED = _Family(
    "rowwise",
    {"axis": -1, "ignore_index": None, "class_weight": None},
    """\
axis : int, default -1
    The axis of the classes.
ignore_index : int, optional
    A label that is not counted: its rows get no gradient, whatever their scores hold.
class_weight : array_like, shape (K,), optional
    A weight for each class. It enters the denominator of the mean.
""",
    """\
IndexError
    If a label is outside [0, K) and is not `ignore_index`.
""",
)
_OVERLAP = _Family(
    "overlap",
    {"axis": None},
    """\
axis : int or tuple of ints, optional
    The axes along which a mask lies; there is a term for each place along the others. By default
    all axes but the first two, of arrays (N, C, ...).
""",
)

_ORDERED = _Family(
    "ordered",
    {},
    weight_doc="""\
weight : array_like, optional
    One weight per element, not negative, broadcast to the elements. An element of weight 0 is
    masked: it is left out, whatever it holds.
""",
)

_GROUPWISE = _Family(
    "groupwise",
    {},
    weight_doc="""\
weight : array_like, optional
    One weight per group, in the order of ascending ids, broadcast to the groups. A group of
    weight 0 is masked: it adds exactly 0, whatever it holds.
""",
)

_RESULT_DOC = """\
reduction : {"mean", "sum", "none"}, default "mean"
    Σ w·ℓ / Σ w, Σ w·ℓ, or the array of all w·ℓ.
normalizer : float, optional
    Replaces Σ w in a mean, for example by that of several batches together.
out : ndarray, None or tuple of them, optional
    Where to put the result, in the result's structure. It may be an input.

Returns
-------
float
    The reduced value, or an array of all terms under ``reduction="none"``.

Raises
------
"""
_RAISES_DOC = """\
TypeError, ValueError
    If an argument has a wrong type, shape or value.
"""

# Name, what it returns, and the first line of its documentation.
_METHODS = (
    ("", "Value"),
    ("grad", "Gradient"),
    ("value_and_grad", "Value and gradient, in one pass"),
    ("grad_and_hess", "Gradient and diagonal of the Hessian, in one pass"),
    ("value_grad_and_hess", "Value, gradient and diagonal of the Hessian, in one pass"),
    ("weight_sum", "Denominator that the mean would use"),
)


def pointwise(
    accuracy: Accuracy,
    hess: HessKind = "exact",
    inputs: Mapping[str, Domain] = MappingProxyType({}),
    curvatures: Curvatures | None = None,
    **domains: Domain,
) -> Callable[[Body], Loss]:
    """Make a formula of single elements a loss: one term per element.

    Parameters
    ----------
    accuracy : Accuracy
        The kernel's bounds.
    hess : {"exact", "zero", "absent"}
        What the second derivative is: exact, zero almost everywhere, or not there.
    inputs : mapping of str to Domain
        Of each differentiable input that may not be any real number.
    curvatures : Curvatures, optional
        What stands in for the second derivative where a positive one is needed; the exact one if
        there is one, else 1.
    **domains : Domain
        Of each target and each parameter. Positional arguments without one are the
        differentiable inputs.

    Notes
    -----
    The formula takes arrays and returns `value, grad, hess`, each with one number per element;
    with several differentiable inputs, `grad` and `hess` are tuples over them. It runs in any
    floating type; a result whose parts may cancel is a `reference.Parts`.
    """
    return lambda body: _declare(
        _POINTWISE,
        domains,
        body,
        accuracy=accuracy,
        hess=hess,
        input_domains=inputs,
        curvatures=curvatures,
    )


def rowwise(
    accuracy: Accuracy,
    hess: HessKind = "exact",
    curvatures: Curvatures | None = None,
    **domains: Domain,
) -> Callable[[Body], Loss]:
    """Make a formula of rows a loss: one term per row of scores.

    Parameters
    ----------
    accuracy, hess, curvatures, **domains
        As in `pointwise`.

    Notes
    -----
    The formula takes inputs whose rows lie along the last axis, and targets: arrays of that shape
    (labels come as rows with a number for each label and a single 1) or, where the domain is
    `per_row`, of that shape without the last axis. Where there are labels it also takes
    `class_weight`, an array. It returns one value per row and derivatives of the inputs' shape.
    """
    labelled = any(isinstance(domain, Labels) for domain in domains.values())
    family = _LABELLED if labelled else _ROWWISE
    return lambda body: _declare(
        family,
        domains,
        body,
        accuracy=accuracy,
        hess=hess,
        input_domains={},
        curvatures=curvatures,
    )


def overlap(
    accuracy: Accuracy, hess: HessKind = "exact", **domains: Domain
) -> Callable[[Body], Loss]:
    """Make a formula of masks a loss: one term per mask.

    Parameters
    ----------
    accuracy, hess, **domains
        As in `pointwise`.

    Notes
    -----
    The formula takes a prediction and a target whose masks lie along the last axis, and
    `from_logits` first of its parameters. It returns one value per mask and derivatives of the
    prediction's shape.
    """
    inputs = {"pred": only_with(UNIT, "from_logits", False)}
    return lambda body: _declare(
        _OVERLAP, domains, body, accuracy=accuracy, hess=hess, input_domains=inputs, curvatures=None
    )


def ordered(
    accuracy: Accuracy, hess: HessKind = "exact", **domains: Domain
) -> Callable[[Body], Loss]:
    """Make a formula of a whole sample a loss: one term per event, of all that come later.

    Parameters
    ----------
    accuracy, hess, **domains
        As in `pointwise`. There are two targets: the key that orders the elements, and whether one
        is an event.

    Notes
    -----
    The formula takes arrays of one dimension, in the order of their keys, and `weight`, an array
    of positive numbers. It returns one number per element: the value 0 where there is no event,
    and derivatives that are divided by the element's own weight.
    """
    return lambda body: _declare(
        _ORDERED, domains, body, accuracy=accuracy, hess=hess, input_domains={}
    )


def groupwise(
    accuracy: Accuracy,
    hess: HessKind = "exact",
    *,
    surrogate: bool = False,
    **domains: Domain,
) -> Callable[[Body], Loss]:
    """Make a formula of groups of elements a loss: one term per group.

    Parameters
    ----------
    accuracy, hess, **domains
        As in `pointwise`. There are two targets; the second one has the ids of the groups.
    surrogate : bool
        Whether derivatives take something for constant that depends on the input.

    Notes
    -----
    The formula takes arrays in which a group lies along the last axis; all it needs to know of the
    ids is that. It returns one value per group and derivatives of the input's shape.
    """
    return lambda body: _declare(
        _GROUPWISE,
        domains,
        body,
        accuracy=accuracy,
        hess=hess,
        input_domains={},
        surrogate=surrogate,
    )


def _declare(
    family: _Family,
    domains: Mapping[str, Domain],
    body: Body,
    *,
    accuracy: Accuracy,
    hess: HessKind,
    input_domains: Mapping[str, Domain],
    curvatures: Curvatures | None = None,
    surrogate: bool = False,
) -> Loss:
    signature = inspect.signature(body).parameters.values()
    arguments = tuple(p.name for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD)
    common = {**family.options, **_RESULT_KEYWORDS}
    keywords = [p for p in signature if p.kind is p.KEYWORD_ONLY and p.name not in common]
    parameters = {p.name: Parameter(p.default, domains[p.name]) for p in keywords}
    targets = tuple(name for name in arguments if name in domains)
    inputs = tuple(name for name in arguments if name not in domains)
    number = _core.register_loss(
        family.name,
        body.__name__,
        arguments,
        [(name, domains[name].kind) for name in targets],
        as_tuples(parameters),
        len(family.options),
    )
    kinds = {name: domains[name].kind for name in targets}
    formula = Formula(
        body,
        family.name,
        arguments,
        kinds,
        tuple(parameters),
        more_labels=sum(domain.more for domain in domains.values() if isinstance(domain, Labels)),
        row_length=_core.row_length(number),
    )
    reference.register(number, formula)

    def methods(make: Callable[..., Any], qualname: str) -> Any:
        """Build the loss and its methods, all with their whole signature spelled out."""
        defaults = {name: p.default for name, p in parameters.items()} | dict(family.options)
        first: Any = None
        for index, (method, title) in enumerate(_METHODS):
            # The sum of the weights has nothing to reduce.
            results = {"weight": None} if method == "weight_sum" else _RESULT_KEYWORDS
            keywords = defaults | results
            function = make(number, index, arguments, keywords)
            function.__signature__ = _signature(arguments, keywords)
            function.__module__ = "fastloss"
            function.__name__ = method or body.__name__
            function.__qualname__ = f"{qualname}.{method}" if method else qualname
            if first is None:
                function.__doc__ = _document(body, family)
                first = function
            else:
                function.__doc__ = (
                    f"{title}, of :func:`fastloss.{body.__name__}`, whose arguments it takes."
                )
                setattr(first, method, function)
        return first

    loss: Loss = methods(_core.Function, body.__name__)
    loss.reference = methods(reference.make_function, f"{body.__name__}.reference")
    loss.family = family.name
    loss.inputs = inputs
    loss.targets = targets
    loss.parameters = MappingProxyType(parameters)
    loss.hess_kind = hess
    loss.curvatures = curvatures or (Curvatures() if hess == "exact" else Curvatures(Constant()))
    loss.surrogate = surrogate
    loss.domain = MappingProxyType({name: domains[name] for name in targets})
    loss.input_domain = MappingProxyType({name: input_domains.get(name, REAL) for name in inputs})
    loss.accuracy = accuracy
    loss.formula = formula
    _losses[body.__name__] = loss
    return loss


def as_tuples(parameters: Mapping[str, Parameter]) -> list[tuple[Any, ...]]:
    """Return parameters as the binding takes them."""
    return [
        (
            name,
            p.default,
            p.domain.number(p.default),
            p.domain.description,
            p.domain.low,
            p.domain.high,
            p.domain.includes_low,
            p.domain.includes_high,
            p.domain.is_flag,
            p.domain.when_none,
            p.domain.words,
        )
        for name, p in parameters.items()
    ]


def _signature(arguments: tuple[str, ...], keywords: Mapping[str, Any]) -> inspect.Signature:
    kinds = inspect.Parameter
    return inspect.Signature(
        [kinds(name, kinds.POSITIONAL_OR_KEYWORD) for name in arguments]
        + [kinds(name, kinds.KEYWORD_ONLY, default=x) for name, x in keywords.items()]
    )


def _document(body: Callable[..., Any], family: _Family) -> str:
    """Add to a docstring, after the loss's own parameters, what all losses have in common."""
    own, separator, rest = (inspect.getdoc(body) or "").partition("\n\nNotes\n-----\n")
    common = family.options_doc + family.weight_doc + _RESULT_DOC + family.raises_doc + _RAISES_DOC
    return f"{own}\n{common.rstrip()}{separator}{rest}"
