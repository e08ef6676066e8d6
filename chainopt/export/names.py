"""Names that are safe in files, DNS and Kubernetes: any id maps to one, and no two to the same."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 50
"""Characters: a StatefulSet's name, its revision and the number of a pod have to fit a label of 63."""

_HEXADECIMAL = re.compile("0x[0-9a-f]*")
_OTHER = re.compile("[^a-z0-9]+")


def label(text: str, otherwise: str, most: int = MOST) -> str:
    """`text` as a label of DNS (RFC 1123), `otherwise` if nothing of it can stay."""
    cleaned = _OTHER.sub("-", text.lower()).strip("-")[:most].strip("-")
    return cleaned or otherwise


def host_name(text: str) -> str:
    """A label of DNS that no resolver takes for an IP address: 1 is 0.0.0.1, and 0x7f000001 is 127.0.0.1."""
    numeric = _HEXADECIMAL.fullmatch(text) or not re.search("[a-z]", text)
    return f"server-{text}" if numeric else text


def labels(texts: Sequence[str], prefix: str, most: int = MOST) -> list[str]:
    """A label for each text, all different; those that would be the same get the number of their place."""
    wanted = [label(text, f"{prefix}-{i}", most) for i, text in enumerate(texts)]
    often = {name for name, times in Counter(wanted).items() if times > 1}
    taken = {name for name in wanted if name not in often}
    result = []
    for i, name in enumerate(wanted):
        if name in often:
            name = _numbered(name, i, taken, most)
            taken.add(name)
        result.append(name)
    return result


def _numbered(name: str, number: int, taken: set[str], most: int) -> str:
    """The name with the number, and with more of them as long as it is taken."""
    suffix = f"-{number}"
    while True:
        candidate = name[: most - len(suffix)].strip("-") + suffix
        if candidate not in taken:
            return candidate
        suffix += f"-{number}"
