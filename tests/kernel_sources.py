# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel is made of: a measurement is stale when that changes, and only then."""

import hashlib
import re
from functools import cache
from pathlib import Path

from fastloss.families import Loss

CPP = Path(__file__).resolve().parent.parent / "cpp"

INCLUDED = re.compile(r'#include "(?:\.\./)?([\w/]+\.hpp)"')
DEFINITIONS = re.compile(
    r"^(?=template )|(?<!>\n)^(?=(?:INLINE|struct|class|using|constexpr) )", flags=re.MULTILINE
)
DEFINED = re.compile(
    r"^(?:INLINE [^(]*?(\w+)\W*\(|(?:struct|class) (\w+)|using (\w+)|constexpr \w+ (\w+))",
    flags=re.MULTILINE,
)


@cache
def headers(root: str) -> dict[str, str]:
    """Return the texts of the headers that a file includes, and of what these include."""
    texts: dict[str, str] = {}
    names = set(INCLUDED.findall((CPP / root).read_text(encoding="utf-8"))) - {"kernels.hpp"}
    while names:
        name = names.pop()
        texts[name] = (CPP / name).read_text(encoding="utf-8")
        names |= set(INCLUDED.findall(texts[name])) - texts.keys() - {"kernels.hpp"}
    return texts


def struct_of(root: str, loss: str) -> str:
    """Return the name of the struct that is a loss's formula."""
    pattern = rf'struct (\w+) {{\n  static constexpr auto name = "{loss}";'
    found = [str(x) for text in headers(root).values() for x in re.findall(pattern, text)]
    assert len(found) == 1, loss
    return found[0]


def sources_of(loss: Loss) -> str:
    """Hash what the kernel of a loss is made of."""
    root = f"{loss.family}_kernels.cpp"
    return digest(root, struct_of(root, loss.__name__))


def digest(root: str, name: str) -> str:
    """Hash the definitions that one is made of, without comments and white space."""
    definitions: dict[str, list[str]] = {}
    for _, text in sorted(headers(root).items()):
        for block in DEFINITIONS.split(re.sub(r"//.*", "", text)):
            if found := DEFINED.search(block):
                definitions.setdefault(next(filter(None, found.groups())), []).append(block)
    used, waiting = set[str](), {name, "operator"}
    while waiting:
        word = waiting.pop()
        used.add(word)
        for block in definitions[word]:
            waiting |= definitions.keys() & set(re.findall(r"\w+", block)) - used
    blocks = ["".join(block.split()) for word in sorted(used) for block in definitions[word]]
    return hashlib.sha256("\n".join(blocks).encode()).hexdigest()
