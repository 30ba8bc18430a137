# SPDX-License-Identifier: BSD-3-Clause
"""Numbers of any precision as elements of NumPy's arrays, so that formulas run on them."""

from __future__ import annotations

import operator
from typing import Any

import mpmath
import numpy as np


class Real:
    """An mpmath number with the methods that NumPy's functions look for."""

    def __init__(self, x: Any) -> None:
        self.x = x.x if isinstance(x, Real) else mpmath.mpf(x)

    def __repr__(self) -> str:
        return f"Real({self.x})"

    def __bool__(self) -> bool:
        return bool(self.x)

    def __neg__(self) -> Real:
        return Real(-self.x)

    def __abs__(self) -> Real:
        return Real(abs(self.x))


def _operation(of: Any) -> Any:
    def operation(a: Any, b: Any) -> Any:
        if isinstance(b, np.ndarray):
            return NotImplemented  # the array's own operation goes through its elements
        result = of(Real(a).x, Real(b).x)
        return Real(result) if isinstance(result, mpmath.mpf) else result

    return operation


def _quotient(a: Any, b: Any) -> Any:
    return a / b if b else a * mpmath.inf


def _function(of: Any) -> Any:
    return lambda self: Real(of(self.x))


for _name, _of in (
    ("add", operator.add),
    ("sub", operator.sub),
    ("mul", operator.mul),
    ("truediv", _quotient),
    ("pow", operator.pow),
):
    setattr(Real, f"__{_name}__", _operation(_of))
    setattr(Real, f"__r{_name}__", _operation(lambda a, b, of=_of: of(b, a)))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Real, f"__{_name}__", _operation(getattr(operator, _name)))
for _name in ("exp", "expm1", "log", "log1p", "sqrt", "sinh", "tanh", "cosh"):
    setattr(Real, _name, _function(getattr(mpmath, _name)))
Real.arctan = _function(mpmath.atan)  # type: ignore[attr-defined]


def to_real(x: Any) -> np.ndarray:
    """Convert an array."""
    return np.vectorize(lambda y: y if isinstance(y, Real) else Real(float(y)), otypes=[object])(x)


logaddexp = np.frompyfunc(lambda a, b: Real(mpmath.log(mpmath.exp(a.x) + mpmath.exp(b.x))), 2, 1)
"""What np.logaddexp would be, had it a loop for objects."""
