# SPDX-License-Identifier: BSD-3-Clause
"""The finished library and, where a build left them, its object files."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fastloss import _core

LIBRARY = Path(_core.__file__)
# Every function of C's math library that rounds as it likes; fma, sqrt and rounding are exact.
TRANSCENDENTALS = (
    "acos acosh asin asinh atan atan2 atanh cbrt cos cosh erf erfc exp exp10 exp2 expm1 hypot "
    "j0 j1 jn lgamma log log10 log1p log2 pow sin sincos sinh tan tanh tgamma y0 y1 yn"
)
LIBM = re.compile(rf"(__)?({TRANSCENDENTALS.replace(' ', '|')})(f|l|f32|f64|_finite|_r)*")
# What compilers call on their own.
COMPILERS_OWN = {"memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"}
KERNELS = [path.stem for path in Path(__file__).parents[1].glob("cpp/*_kernels.cpp")]
# The one symbol that each kernel file defines.
ENTRIES = {name: name.replace("_kernels", "_table") for name in KERNELS} | {
    "narrow_kernels": "narrow_kernels",
    "sum_kernels": "sum_kernels",
    "roofline_kernels": "roofline_kernel",
}


def tool(name: str, *arguments: str) -> str:
    """Run a program of binutils."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} of binutils is not installed")
    return subprocess.run([name, *arguments], capture_output=True, text=True, check=True).stdout


def symbols(path: Path, *options: str) -> set[str]:
    """Return names without the versions that a dynamic library has of them."""
    lines = tool("nm", "-C", *options, str(path)).splitlines()
    return {line.split(maxsplit=1)[-1].split(" ", 1)[-1].split("@")[0].strip() for line in lines}


def kernel_objects() -> list[Path]:
    """Return the kernels' object files of a build folder that is kept."""
    root = Path(os.environ.get("FASTLOSS_BUILD_DIR", Path(__file__).parents[1] / "build"))
    found = sorted(root.glob("**/kernels_*.dir/**/*_kernels.cpp.o"))
    if not found:
        pytest.skip("no build folder: build with -Cbuild-dir=build, or set FASTLOSS_BUILD_DIR")
    return found


def test_pattern_of_transcendentals() -> None:
    for name in ("exp", "expf", "__expf_finite", "log1p", "tanhf", "powl", "lgamma_r"):
        assert LIBM.fullmatch(name)
    for name in ("memcpy", "fma", "sqrtf", "floor", "explode", "logical"):
        assert not LIBM.fullmatch(name)


def test_library_imports_no_transcendental() -> None:
    imported = symbols(LIBRARY, "-D", "--undefined-only")
    assert any(name.startswith("Py") for name in imported)
    assert [name for name in imported if LIBM.fullmatch(name)] == []


def test_library_needs_no_math_library() -> None:
    needed = re.findall(r"NEEDED\s+(\S+)", tool("objdump", "-p", str(LIBRARY)))
    assert needed
    assert not [name for name in needed if name.startswith("libmvec")]


def test_library_asks_for_no_fast_math() -> None:
    """crtfastmath.o would set flush-to-zero for the whole process."""
    assert "set_fast_math" not in " ".join(symbols(LIBRARY, "-D"))
    assert "stmxcsr" not in tool("objdump", "-d", "--no-show-raw-insn", str(LIBRARY))


def test_library_has_no_executable_stack() -> None:
    headers = tool("objdump", "-p", str(LIBRARY))
    stack = re.search(r"STACK.*\n.*flags (\S+)", headers)
    assert stack
    assert "x" not in stack[1]


def test_kernels_define_their_entry_and_nothing_else() -> None:
    for path in kernel_objects():
        level = re.search(r"kernels_(\w+)\.dir", str(path))
        assert level
        name = path.name.removesuffix(".cpp.o")
        entry = f"fastloss::{level[1]}::{ENTRIES[name]}"
        assert symbols(path, "--defined-only", "--extern-only") == {entry}


def test_kernels_need_nothing() -> None:
    for path in kernel_objects():
        assert symbols(path, "--undefined-only") <= COMPILERS_OWN, path


def test_every_level_has_every_kernel() -> None:
    built = {(path.parts[-3], path.name.removesuffix(".cpp.o")) for path in kernel_objects()}
    levels = [name for name, _ in _core.isa_levels()]
    assert built == {(f"kernels_{level}.dir", name) for level in levels for name in ENTRIES}


def test_shared_code_is_built_for_the_baseline() -> None:
    """Wide registers would be an illegal instruction on the CPUs that the baseline is for."""
    if not any(name == "baseline" for name, _ in _core.isa_levels()):
        pytest.skip("on this architecture there is a single level")
    folder = kernel_objects()[0].parents[2]
    shared = sorted(folder.glob("_core.dir/**/*.o")) + sorted(
        folder.glob("kernels_baseline.dir/**/*.o")
    )
    assert len(shared) > len(ENTRIES)
    for path in shared:
        assert not re.search(
            r"%[yz]mm\d", tool("objdump", "-d", "--no-show-raw-insn", str(path))
        ), path
