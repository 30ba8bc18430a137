# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel is made of: a measurement is stale when that changes, and only then."""

import hashlib
import re
from functools import cache
from pathlib import Path

from fastloss.families import Loss

CPP = Path(__file__).resolve().parent.parent / "cpp"

INCLUDED = re.compile(r'#include "([\w./]+\.hpp)"')
DEFINITIONS = re.compile(
    r"^(?=template )|(?<!>\n)^(?=(?:INLINE|struct|class|using|constexpr) )", flags=re.MULTILINE
)
DEFINED = re.compile(
    r"^(?:(?:INLINE|\[\[gnu::noinline\]\]) [^(]*?(\w+)\W*\(|(?:struct|class) (\w+)|using (\w+)"
    r"|constexpr \w+ (\w+))",
    flags=re.MULTILINE,
)


@cache
def headers(root: str) -> dict[str, str]:
    """Return the texts of the headers that a file includes, and of what these include."""
    texts: dict[str, str] = {}
    names = {root}
    while names:
        file = CPP / names.pop()
        text = file.read_text(encoding="utf-8")
        texts[str(file.relative_to(CPP))] = text
        included = {(file.parent / name).resolve() for name in INCLUDED.findall(text)}
        names |= {str(path.relative_to(CPP)) for path in included} - texts.keys() - {"kernels.hpp"}
    del texts[root]
    return texts


def list_of(kernels: str) -> str:
    """Return the header of the losses whose kernels a file has, which may use those of others."""
    return f"losses/{kernels.removesuffix('_kernels.cpp')}.hpp"


def formula_of(loss: str) -> tuple[str, str]:
    """Return the kernel file that has a loss, and the name of the struct that is its formula."""
    pattern = rf'struct (\w+) {{\n  static constexpr auto name = "{loss}";'
    found = [
        (path.name, str(struct))
        for path in CPP.glob("*_kernels.cpp")
        for struct in re.findall(pattern, headers(path.name).get(list_of(path.name), ""))
    ]
    assert len(found) == 1, loss
    return found[0]


def sources_of(loss: Loss) -> str:
    """Hash what the kernel of a loss is made of: its formula, and for masks what elements add."""
    kernels = {"overlap": ["MaskKernel"]}.get(loss.family, [])
    return digest(*formula_of(loss.__name__), *kernels)


def digest(root: str, *names: str) -> str:
    """Hash the definitions that some are made of, without comments and white space."""
    definitions: dict[str, list[str]] = {}
    for _, text in sorted(headers(root).items()):
        for block in DEFINITIONS.split(re.sub(r"//.*", "", text)):
            if found := DEFINED.search(block):
                definitions.setdefault(next(filter(None, found.groups())), []).append(block)
    used, waiting = set[str](), {*names, "operator"}
    while waiting:
        word = waiting.pop()
        used.add(word)
        for block in definitions[word]:
            waiting |= definitions.keys() & set(re.findall(r"\w+", block)) - used
    blocks = ["".join(block.split()) for word in sorted(used) for block in definitions[word]]
    return hashlib.sha256("\n".join(blocks).encode()).hexdigest()
