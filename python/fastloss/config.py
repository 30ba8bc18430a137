# SPDX-License-Identifier: BSD-3-Clause
"""What this build is, and the CPU level that it uses."""

from __future__ import annotations

import os
from typing import Any, Literal, overload

from fastloss import _core

numerics_version = 1
"""Changes whenever any bit of any result does."""


def set_isa(name: str) -> None:
    """Use the kernels of one CPU level.

    The environment variable ``FASTLOSS_ISA`` does the same at import. By default the highest
    level is used that the CPU and the operating system support. Results are the same bits from
    AVX2 on; the baseline level has no fused multiply-add and may differ in the last places.

    Parameters
    ----------
    name : str
        ``"baseline"``, ``"avx2"`` or ``"avx512"``; on 64-bit Arm, ``"neon"``.

    Raises
    ------
    ValueError
        If this machine or this build does not have the level; the message lists those it has.

    Examples
    --------
    >>> import fastloss as fl
    >>> before = fl.show_config(mode="dicts")["isa"]
    >>> fl.set_isa(before)
    """
    _activate("set_isa: argument 'name'", name)


def read_environment() -> None:
    """Take over what the environment says, at import."""
    if name := os.environ.get("FASTLOSS_ISA"):
        _activate("FASTLOSS_ISA", name)


def _activate(source: str, name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{source}: expected a string, got {type(name).__name__}")
    if not _core.activate_isa(name):
        possible = ", ".join(repr(level) for level, runs in _core.isa_levels() if runs)
        raise ValueError(f"{source}: expected one of {possible}, got {name!r}")


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> dict[str, Any] | None:
    """Show what this build is and what it uses here.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default "stdout"
        Whether to print it or to return it.

    Returns
    -------
    dict or None
        Version, numerics version, compiler, CPU level in use, levels available, threads.

    Raises
    ------
    ValueError
        If `mode` is something else.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.show_config(mode="dicts")["numerics version"]
    1
    """
    config = {
        "version": _core.version,
        "numerics version": numerics_version,
        "compiler": _core.compiler,
        "isa": _core.isa(),
        "isa available": [level for level, runs in _core.isa_levels() if runs],
        "threads": _core.available_threads(),
    }
    if mode == "dicts":
        return config
    if mode != "stdout":
        raise ValueError(
            f"show_config: argument 'mode': expected 'stdout' or 'dicts', got {mode!r}"
        )
    for key, value in config.items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        print(f"{key + ':':18}{text}")
    return None
