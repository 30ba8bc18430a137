# SPDX-License-Identifier: BSD-3-Clause
"""Penalties on a model's parameters: values, gradients and proximal steps.

As with losses, a decorated function is three things at once: its signature is the API, its
docstring the documentation, and its body the specification (`penalty.reference`), of the value,
the gradient and the proximal step of each element.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np

from fastloss import _core
from fastloss.domains import NON_NEGATIVE, UNIT, Domain
from fastloss.families import Parameter, as_tuples
from fastloss.reference import is_narrow, product


class PenaltyMethods(Protocol):
    """A function that carries its gradient and its proximal step."""

    __name__: str
    __doc__: str | None
    grad: Callable[..., Any]
    value_and_grad: Callable[..., Any]
    prox: Callable[..., Any]

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Return the value."""


class Penalty(PenaltyMethods, Protocol):
    """A penalty as the registry holds it."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    reference: PenaltyMethods


_penalties: dict[str, Penalty] = {}
penalties: Mapping[str, Penalty] = MappingProxyType(_penalties)
"""Every penalty by its name."""

Body = TypeVar("Body", bound=Callable[..., Any])

_METHODS = ("", "grad", "value_and_grad", "prox")
_PROX = _METHODS.index("prox")
_DOCUMENTATION = {
    "grad": "Gradient of :func:`fastloss.{0}`, whose arguments it takes.",
    "value_and_grad": "Value and gradient of :func:`fastloss.{0}`, whose arguments it takes.",
    "prox": """Proximal step of :func:`fastloss.{0}`: where ‖z − x‖²/2 + step·{0}(z) is least.

Parameters
----------
x : array_like
    Where the step begins: any real numbers.
step : float or array_like of shape (x.shape[-1],), default 1.0
    The length of the step, not negative: the learning rate of the gradient step before it.
out : ndarray, optional
    Where to put the result. It may be `x`.

The penalty's own keywords are those of :func:`fastloss.{0}`.""",
}


def penalty(**domains: Domain) -> Callable[[Body], Penalty]:
    """Make a formula of single elements a penalty, whose value is their sum.

    The formula takes an array, the length of a proximal step, and parameters, of each of which the
    domain is given; it returns value, gradient and proximal step of each element.
    """

    def declare(body: Body) -> Penalty:
        name = body.__name__
        signature = inspect.signature(body).parameters.values()
        given = {
            p.name: Parameter(p.default, domains[p.name])
            for p in signature
            if p.kind is p.KEYWORD_ONLY
        }
        stepping = {"step": Parameter(1.0, NON_NEGATIVE)} | given
        own = _core.register_loss("penalty", name, ("x",), [], as_tuples(given), 0)
        steps = _core.register_loss(
            "proximal step", f"{name}.prox", ("x",), [], as_tuples(stepping), 0
        )

        def native(method: int) -> Any:
            number, index, parameters = (
                (steps, 0, stepping) if method == _PROX else (own, method, given)
            )
            defaults = {key: p.default for key, p in parameters.items()} | {"out": None}
            return _core.Function(number, index, ("x",), defaults)

        def plain(method: int) -> Any:
            return _reference(body, method)

        first = _with_methods(native, name, "", given, stepping)
        first.__doc__ = inspect.getdoc(body)
        for function, parameters in ((first, given), (first.prox, stepping)):
            function.inputs, function.targets = ("x",), ()
            function.parameters = MappingProxyType(parameters)
        first.reference = _with_methods(plain, name, ".reference", given, stepping)
        first.reference.__doc__ = first.__doc__
        _penalties[name] = first
        return _penalties[name]

    return declare


def _with_methods(
    make: Callable[[int], Any],
    name: str,
    suffix: str,
    parameters: Mapping[str, Parameter],
    stepping: Mapping[str, Parameter],
) -> Any:
    """Make the function that returns the value, with its methods as attributes."""
    functions = [make(index) for index in range(len(_METHODS))]
    kinds = inspect.Parameter
    for index, (method, function) in enumerate(zip(_METHODS, functions, strict=True)):
        own = stepping if index == _PROX else parameters
        defaults = {key: p.default for key, p in own.items()} | {"out": None}
        function.__signature__ = inspect.Signature(
            [kinds("x", kinds.POSITIONAL_OR_KEYWORD)]
            + [kinds(key, kinds.KEYWORD_ONLY, default=x) for key, x in defaults.items()]
        )
        function.__module__ = "fastloss"
        function.__name__ = method or name
        function.__qualname__ = f"{name}{suffix}.{method}" if method else f"{name}{suffix}"
        if method:
            function.__doc__ = _DOCUMENTATION[method].format(name)
            setattr(functions[0], method, function)
    return functions[0]


def _reference(body: Callable[..., Any], method: int) -> Callable[..., Any]:
    """Make one method in plain NumPy, in the arithmetic type of the call."""

    def function(*given: Any, **more: Any) -> Any:
        bound = inspect.signature(function).bind(*given, **more)
        bound.apply_defaults()
        x, out = np.asarray(bound.arguments.pop("x")), bound.arguments.pop("out")
        stored = np.dtype(np.float64) if x.dtype.kind in "biu" else x.dtype
        dtype = np.dtype(np.float32) if is_narrow(stored) else stored
        numbers = {key: np.asarray(p, dtype) for key, p in bound.arguments.items()}
        step = numbers.pop("step", None)
        with np.errstate(invalid="ignore", over="ignore"):
            terms = body(x.astype(dtype), np.ones((), dtype) if step is None else step, **numbers)
            total = np.sum(terms[0], dtype=np.result_type(dtype, np.float64))
            arrays = [np.asarray(array, dtype).astype(stored) for array in terms[1:]]
        value = total if dtype == np.longdouble else float(total)
        if _METHODS[method] == "value_and_grad":
            return value, _put(arrays[0], None if out is None else out[1])
        return value if method == 0 else _put(arrays[method == _PROX], out)

    return function


def _put(result: Any, out: Any) -> Any:
    if out is None:
        return result
    np.copyto(out, result, casting="same_kind")
    return out


@penalty(strength=NON_NEGATIVE)
def l1(x: Any, step: Any, *, strength: Any = 1.0) -> Any:
    """Sum of absolute values (lasso), which leaves few parameters other than 0.

    Σ λ·|x|, λ = strength.

    Parameters
    ----------
    x : array_like
        Parameters of a model: any real numbers.
    strength : float or array_like of shape (x.shape[-1],), default 1.0
        λ, not negative. An array has one for each place along the last axis: 0 for a parameter
        that is free.
    out : None or ndarray
        Of `grad` and `value_and_grad`: where to put the gradient, in the result's structure. It
        may be `x`.

    Returns
    -------
    float
        The sum over all elements.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type, shape or value.

    Notes
    -----
    The gradient is λ·sign(x), 0 at the kink x = 0. ``l1.prox(x, step=s)`` is soft thresholding,
    sign(x)·max(|x| − s·λ, 0): what is smaller than s·λ becomes 0.

    In other libraries: scikit-learn's `Lasso` adds α times it to half of the mean squared error;
    the step is `torch.nn.functional.softshrink` with lambd = s·λ.

    References
    ----------
    N. Parikh and S. Boyd, Proximal algorithms, Foundations and Trends in Optimization 1 (2014).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.l1([3.0, -0.5, 0.0], strength=2.0)
    7.0
    >>> fl.l1.grad([3.0, -0.5, 0.0], strength=2.0)
    array([ 2., -2.,  0.])
    >>> fl.l1.prox([3.0, -0.5, 0.0], step=0.5, strength=2.0)
    array([2., 0., 0.])
    """
    size = np.abs(x)
    shrunk = np.where(size <= step * strength, 0, np.sign(x) * (size - step * strength))
    return product(strength, size), strength * np.sign(x), shrunk


@penalty(strength=NON_NEGATIVE)
def l2(x: Any, step: Any, *, strength: Any = 1.0) -> Any:
    """Half of the sum of squares (ridge, weight decay).

    Σ λ·x²/2, λ = strength.

    Parameters
    ----------
    x : array_like
        Parameters of a model: any real numbers.
    strength : float or array_like of shape (x.shape[-1],), default 1.0
        λ, not negative. An array has one for each place along the last axis: 0 for a parameter
        that is free.
    out : None or ndarray
        Of `grad` and `value_and_grad`: where to put the gradient, in the result's structure. It
        may be `x`.

    Returns
    -------
    float
        The sum over all elements.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type, shape or value.

    Notes
    -----
    The gradient is λ·x. ``l2.prox(x, step=s)`` is x/(1 + s·λ).

    In other libraries: scikit-learn's `Ridge` adds α times the sum of squares, twice this, to the
    sum of squared errors; PyTorch's ``weight_decay`` adds this gradient.

    References
    ----------
    N. Parikh and S. Boyd, Proximal algorithms, Foundations and Trends in Optimization 1 (2014).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.l2([3.0, -1.0], strength=2.0)
    10.0
    >>> fl.l2.value_and_grad([3.0, -1.0], strength=[2.0, 0.0])
    (9.0, array([6., 0.]))
    >>> fl.l2.prox([3.0, -1.0], step=0.5, strength=2.0)
    array([ 1.5, -0.5])
    """
    grad = product(strength, x)
    return product(grad, x) / 2, grad, x / (1 + step * strength)


@penalty(strength=NON_NEGATIVE, l1_ratio=UNIT)
def elastic_net(x: Any, step: Any, *, strength: Any = 1.0, l1_ratio: Any = 0.5) -> Any:
    """Mixture of absolute values and squares.

    Σ λ·(ρ·|x| + (1 − ρ)·x²/2), λ = strength, ρ = l1_ratio.

    Parameters
    ----------
    x : array_like
        Parameters of a model: any real numbers.
    strength : float or array_like of shape (x.shape[-1],), default 1.0
        λ, not negative. An array has one for each place along the last axis: 0 for a parameter
        that is free.
    l1_ratio : float or array_like of shape (x.shape[-1],), default 0.5
        ρ in [0, 1]: `fastloss.l1` for 1, `fastloss.l2` for 0.
    out : None or ndarray
        Of `grad` and `value_and_grad`: where to put the gradient, in the result's structure. It
        may be `x`.

    Returns
    -------
    float
        The sum over all elements.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type, shape or value.

    Notes
    -----
    The gradient is λ·(ρ·sign(x) + (1 − ρ)·x), 0 at the kink x = 0. ``elastic_net.prox(x, step=s)``
    is sign(x)·max(|x| − s·λ·ρ, 0)/(1 + s·λ·(1 − ρ)).

    In other libraries: scikit-learn's `ElasticNet` adds this to half of the mean squared error,
    with α for λ and the same `l1_ratio`.

    References
    ----------
    H. Zou and T. Hastie, Regularization and variable selection via the elastic net, Journal of the
    Royal Statistical Society B 67 (2005).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.elastic_net([3.0, -1.0], strength=2.0)
    9.0
    >>> fl.elastic_net.grad([3.0, -1.0, 0.0], strength=2.0)
    array([ 4., -2.,  0.])
    >>> fl.elastic_net.prox([3.0, -1.0], step=1.0, strength=2.0)
    array([1., 0.])
    """
    size = np.abs(x)
    slope = product(1 - l1_ratio, size)
    value = product(product(strength, size), l1_ratio + slope / 2)
    grad = product(strength, np.sign(x) * (l1_ratio + slope))
    threshold = product(l1_ratio, step * strength)
    shrunk = np.where(size <= threshold, 0, np.sign(x) * (size - threshold))
    return value, grad, shrunk / (1 + product(1 - l1_ratio, step * strength))
