# SPDX-License-Identifier: BSD-3-Clause
"""Calls of everything that has kernels, with arguments that are the same on any machine, and hashes
of their results.

Numbers come from integers by exact operations alone: neither NumPy's generators nor a math library
has a part in them.
"""

from __future__ import annotations

import hashlib
import math
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import fastloss as fl
from cases import METHODS, REDUCTIONS, Call, make_call_from, parts
from fastloss import _core
from fastloss.accuracy.settings import Setting, all_settings, default_settings, examples
from fastloss.domains import Domain
from fastloss.families import Parameter

Shape = tuple[int, ...]
Evaluate = Callable[[Iterable[Call]], Iterator[Any]]

# One term, tails and whole blocks of either type, more than one block, more than one thread.
SHAPES: dict[str, list[Shape]] = {
    "pointwise": [(1,), (7,), (16,), (33,), (4_099,), (70_001,)],
    "rowwise": [(1, 1), (5, 2), (17, 16), (3, 33), (2, 1_000), (700, 3)],
    "overlap": [(1, 1, 1), (3, 5, 2), (2, 2, 16), (3, 1, 33), (2, 1, 1_000), (1, 2, 40_001)],
    "ordered": [(7,), (33,), (4_099,)],
    "groupwise": [(1, 1), (5, 2), (17, 16), (3, 33), (1, 300), (200, 3)],
}
# For everything that a loss may be given: parameters, weights, special numbers.
SHAPE: dict[str, Shape] = {
    "pointwise": (1_001,),
    "rowwise": (37, 29),
    "overlap": (37, 1, 29),
    "ordered": (1_001,),
    "groupwise": (37, 29),
}

# What is asked of every call of a loss: methods and reductions.
RESULTS = [(method, reduction) for method in METHODS for reduction in REDUCTIONS]


# ---- numbers ----------------------------------------------------------------------------------


class Numbers:
    """A sequence of 64-bit integers (splitmix64), and what numbers are made of them."""

    def __init__(self, seed: str) -> None:
        """Begin where the text says."""
        self._seed = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "little")
        self._drawn = 0

    def bits(self, shape: Shape) -> np.ndarray:
        """Draw integers of 64 bits."""
        count = math.prod(shape)
        z = np.arange(self._drawn + 1, self._drawn + count + 1, dtype=np.uint64)
        self._drawn += count
        z = z * np.uint64(0x9E3779B97F4A7C15) + np.uint64(self._seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (z ^ (z >> np.uint64(31))).reshape(shape)

    def integers(self, stop: int, shape: Shape) -> np.ndarray:
        """Draw from [0, stop)."""
        return (self.bits(shape) % np.uint64(stop)).astype(np.int64)

    def choice(self, values: Sequence[float], shape: Shape) -> np.ndarray:
        """Draw one of these numbers."""
        return np.asarray(values, np.float64)[self.integers(len(values), shape)]

    def real(self, shape: Shape) -> np.ndarray:
        """Draw numbers of any sign and many sizes below 16."""
        exponent = self.integers(14, shape).astype(np.uint64) + np.uint64(1023 - 10)
        bits = self.bits(shape)
        sign, mantissa = bits & np.uint64(1 << 63), bits & np.uint64((1 << 52) - 1)
        return (sign | exponent << np.uint64(52) | mantissa).view(np.float64)

    def inside(self, domain: Domain, shape: Shape) -> np.ndarray:
        """Draw numbers of an input's domain without its ends, where losses may be infinite."""
        return self.in_domain(replace(domain, includes_low=False, includes_high=False), shape)

    def in_domain(self, domain: Domain, shape: Shape) -> np.ndarray:
        """Draw numbers of a domain; its ends come often, where they belong to it."""
        low, high = domain.low, domain.high
        if math.isinf(low) and math.isinf(high):
            return self.real(shape)
        if math.isinf(high):
            x = low + np.abs(self.real(shape))
        elif math.isinf(low):
            x = high - np.abs(self.real(shape))
        else:
            fraction = (self.bits(shape) >> np.uint64(11)).astype(np.float64) * 2.0**-53
            x = low + (high - low) * fraction
        chance = self.integers(10, shape)
        x = np.where((chance < 2) & domain.includes_low, low, x)
        return np.where((chance > 7) & domain.includes_high, high, x)

    def distributions(self, shape: Shape) -> np.ndarray:
        """Draw rows of probabilities; some are a single 1, some have zeros."""
        p = self.integers(1000, shape) * (self.integers(5, shape) > 0)
        p = np.where(self.integers(5, (*shape[:-1], 1)) == 0, 0, p)
        label = self.integers(shape[-1], (*shape[:-1], 1))
        p = np.where(np.arange(shape[-1]) == label, p + 1, p)
        return p / p.sum(-1, keepdims=True)

    def special(self, shape: Shape, dtype: Any) -> np.ndarray:
        """Draw zeros, infinities, NaN, the ends of the type's range and of exp's, and eighths."""
        type_ = np.finfo(dtype)
        values = [0.0, -0.0, np.inf, -np.inf, np.nan, type_.max, type_.tiny]
        values += [type_.smallest_subnormal, -type_.max, -type_.tiny, 1e-10, -1e-10]
        values += [88.5, 89.5, -88.5, -104.5, 709.5, 710.5, -709.5, -746.5]
        chance = self.integers(8, shape)
        x = np.where(chance == 0, self.choice([float(v) for v in values], shape), self.real(shape))
        return np.where(chance > 4, self.eighths(shape), x)

    def eighths(self, shape: Shape) -> np.ndarray:
        """Draw from a grid so coarse that two of them often meet, or lie at a kink."""
        return (self.integers(49, shape) - 24) * 0.125


# ---- calls ------------------------------------------------------------------------------------


def functions() -> dict[str, Any]:
    """Return what has hashes: losses, functions of rows, penalties and their proximal steps."""
    steps = {f"{name}.prox": penalty.prox for name, penalty in fl.penalties.items()}
    return {**fl.losses, **fl.row_functions, **fl.penalties, **steps}


def golden_calls(loss: Any, dtype: Any) -> Iterator[Call]:
    """Make the calls that the hash of a loss, or of another function, stands for."""
    if not is_loss(loss):
        elementwise = parameters_of(loss)
        yield from (penalty_calls if elementwise else function_calls)(loss, dtype)
        return
    for setting in default_settings():
        if setting.loss is loss:
            for shape in SHAPES[loss.family]:
                yield make_call_from(Numbers(f"{setting} {shape}"), setting, shape, dtype)
    for setting in all_settings():
        if setting.loss is loss:
            yield from variations(setting, SHAPE[loss.family], dtype)


def is_loss(function: Any) -> bool:
    """Tell losses from other functions."""
    return function.__name__ in fl.losses


def parameters_of(function: Any) -> Mapping[str, Parameter]:
    """Return a function's own keywords. Functions of rows have none, penalties always some."""
    parameters: Mapping[str, Parameter] = getattr(function, "parameters", {})
    return parameters


def function_calls(function: Any, dtype: Any) -> Iterator[Call]:
    """Make calls with rows of every kind, of ordinary and special numbers."""
    for shape in (*SHAPES["rowwise"], SHAPE["rowwise"]):
        numbers = Numbers(f"{function.__name__} {shape}")
        labels = {name: numbers.integers(shape[-1], shape[:-1]) for name in function.targets}
        for x in (numbers.real(shape), numbers.special(shape, dtype)):
            yield Call(function, dict.fromkeys(function.inputs, x.astype(dtype)) | labels)


def penalty_calls(penalty: Any, dtype: Any) -> Iterator[Call]:
    """Make calls of a penalty, or its proximal step, with parameters that vary and that do not."""
    for shape in (*SHAPES["pointwise"], SHAPE["pointwise"]):
        numbers = Numbers(f"{penalty.__qualname__} {shape}")
        domains = {name: p.domain for name, p in penalty.parameters.items()}
        for x in (numbers.real(shape), numbers.special(shape, dtype)):
            call = Call(penalty, {"x": x.astype(dtype)})
            yield call.given(**{name: p.default for name, p in penalty.parameters.items()})
            yield call.given(
                **{n: float(numbers.in_domain(d, (1,))[0]) for n, d in domains.items()}
            )
            yield call.given(**{n: numbers.in_domain(d, shape) for n, d in domains.items()})


def variations(setting: Setting, shape: Shape, dtype: Any) -> Iterator[Call]:
    """Make one call of every kind: all kernels of the loss have a part in them."""
    loss, numbers = setting.loss, Numbers(f"{setting}")
    call = make_call_from(numbers, setting, shape, dtype)
    least = 0.25 if loss.family == "ordered" else -0.25
    weight = numbers.choice([0.0, 0.5, 1.0, 1.75, 3.0, least], call.terms_shape).astype(dtype)
    yield call
    yield call.given(weight=weight)
    special = call.map(lambda x: numbers.special(x.shape, dtype).astype(dtype), loss.inputs)
    if all(math.isinf(d.low) and math.isinf(d.high) for d in loss.domain.values()):
        targets = tuple(name for name, kind in loss.formula.targets.items() if kind != "key")
        special = special.map(lambda x: numbers.eighths(x.shape).astype(dtype), targets)
    yield special
    if loss.family == "pointwise":
        arrays = {
            # Of any numbers as exponents, most results would be infinite.
            name: numbers.choice(examples(p.domain), shape)
            if math.isinf(p.domain.low)
            else numbers.in_domain(p.domain, shape)
            for name, p in loss.parameters.items()
            if p.domain.is_number
        }
        if arrays:
            yield call.given(**arrays)
            yield call.given(**arrays, weight=weight)
    if loss.formula.takes_labels:
        class_weight = numbers.choice([0.0, 0.5, 1.0, 2.5], (call.label_count,))
        yield call.given(class_weight=class_weight, weight=weight)
        if setting.labelled:
            yield call.given(ignore_index=1)


# ---- results ----------------------------------------------------------------------------------


def evaluate_at(level: str) -> Evaluate:
    """Evaluate calls in this process, by every method under every reduction."""

    def evaluate(calls: Iterable[Call]) -> Iterator[Any]:
        before = _core.isa()
        fl.set_isa(level)
        for call in calls:
            if is_loss(call.loss):
                for method, reduction in RESULTS:
                    yield from parts(call(method, reduction=reduction))
            elif call.loss.__name__ in fl.penalties:
                yield from parts(call("value_and_grad"))
            else:
                yield call()
        fl.set_isa(before)

    return evaluate


def digest_of_results(results: Iterable[Any]) -> str:
    """Hash numbers and arrays; NaN is one symbol."""
    sha = hashlib.sha256()
    for result in results:
        x = np.asarray(result)
        x = np.where(np.isnan(x), x.dtype.type(np.nan), x)
        sha.update(x.astype(x.dtype.newbyteorder("<")).tobytes())
    return sha.hexdigest()


def digest_of_calls(calls: Iterable[Call]) -> str:
    """Hash everything that a call is given."""
    sha = hashlib.sha256()
    for call in calls:
        for method, reduction in asked_of(call):
            sha.update(b"".join(request(call, method, reduction)))
    return sha.hexdigest()


# ---- another process: tests/evaluate_calls.cpp ------------------------------------------------

HEADER = np.dtype(
    [
        ("loss", "S64"),
        ("item_size", "<i8"),
        ("call", "<i8"),
        ("reduction", "<i8"),
        ("rows", "<i8"),
        ("classes", "<i8"),
        ("takes_labels", "<i8"),
        ("labelled", "<i8"),
        ("ignores", "<i8"),
        ("ignore_index", "<i8"),
        ("parameters", "<f8", 8),
    ]
)


def asked_of(call: Call) -> list[tuple[str, str]]:
    """Tell what is asked of a call, or what its result is in the place of."""
    if is_loss(call.loss):
        return RESULTS
    if call.loss.__name__ in fl.penalties:
        return [("value_and_grad", "sum")]
    gives_rows = call().shape == call.first.shape
    return [("grad" if gives_rows else "value", "none")]


def terms_shape(call: Call) -> Shape:
    """Return the shape of the values, or what it would be."""
    if is_loss(call.loss):
        return call.terms_shape
    return call.first.shape if parameters_of(call.loss) else call.first.shape[:-1]


def request(call: Call, method: str, reduction: str) -> list[bytes]:
    """Spell a call as evaluate_calls.cpp reads it."""
    loss, given = call.loss, call.keywords
    header = np.zeros((), HEADER)
    header["loss"] = loss.__qualname__
    header["item_size"] = call.first.itemsize
    header["call"] = METHODS.index(method)
    header["reduction"] = REDUCTIONS.index(reduction)
    header["rows"] = math.prod(terms_shape(call))
    header["classes"] = 0 if terms_shape(call) == call.first.shape else call.first.shape[-1]
    header["takes_labels"] = is_loss(loss) and loss.formula.takes_labels
    header["labelled"] = any(call.arrays[name].dtype.kind == "i" for name in loss.targets)
    header["ignores"] = "ignore_index" in given
    header["ignore_index"] = given.get("ignore_index", 0)
    arrays = [call.arrays[name] for name in (*loss.inputs, *loss.targets)]
    arrays += [given.get("weight"), given.get("class_weight")]
    for k, (name, p) in enumerate(parameters_of(loss).items()):
        varies = isinstance(given[name], np.ndarray)
        arrays.append(given[name] if varies else None)
        if not varies:
            header["parameters"][k] = p.domain.number(given[name])
    blocks = [b"" if x is None else x.astype(x.dtype.newbyteorder("<")).tobytes() for x in arrays]
    sized = [piece for block in blocks for piece in (np.int64(len(block)).tobytes(), block)]
    return [header.tobytes(), *sized]


def evaluate_by(command: Sequence[str]) -> Evaluate:
    """Evaluate calls by a build of evaluate_calls.cpp."""

    def evaluate(calls: Iterable[Call]) -> Iterator[Any]:
        asked = [(call, *question) for call in calls for question in asked_of(call)]
        pieces = b"".join(piece for call in asked for piece in request(*call))
        results = subprocess.run(command, input=pieces, stdout=subprocess.PIPE, check=True).stdout
        offset = 0
        for call, method, reduction in asked:
            for dtype, shape in result_types(call, method, reduction):
                yield np.frombuffer(results, dtype, math.prod(shape), offset).reshape(shape)
                offset += dtype.itemsize * math.prod(shape)
        assert offset == len(results)

    return evaluate


def result_types(call: Call, method: str, reduction: str) -> Iterator[tuple[Any, Shape]]:
    """Tell the type and the shape of each part of a result."""
    dtype = call.first.dtype
    if "value" in method:
        terms = terms_shape(call)
        yield (dtype, terms) if reduction == "none" else (np.dtype(np.float64), ())
    for part in ("grad", "hess"):
        if part in method:
            yield from [(dtype, call.first.shape)] * len(call.loss.inputs)
