"""Names that would do harm in a page if they were anything but names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.model import Instance, Placement, Server, Service, Solution, Workload
from tests.export.hostile import HOSTILE as ELSEWHERE
from tests.report.systems import solved

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKUP = [
    "<img src=x onerror=attack()>",
    '"><img src=x onerror=attack()>',
    "'><svg onload=attack()>",
    "</script><script>attack()</script>",
    "</SCRIPT ><script>attack()</script>",
    "<!--<script>",
    "-->",
    "</style><style>*{display:none}</style>",
    "</title><script>attack()</script>",
    "</svg><script>attack()</script>",
    "</li></ol><h1>x",
    "</bdi>",
    '" onmouseover="attack()',
    "' onfocus='attack()' autofocus='",
    '" style="position:fixed',
    "x onclick=attack()",
    "javascript:attack()",
    "&lt;b&gt;",
    "&quot;",
    "&#x3c;script&#x3e;",
    "&amp",
    "\\u003cscript\\u003e",
    "\\",
    "\\\\",
    '\\"',
    "${attack()}",
    "`${attack()}`",
    "{% include 'x' %}",
    "{{ facts }}",
    "{{ ''.__class__ }}",
    "{# comment",
    "{% raw %}",
    "<![CDATA[x]]>",
    "<?php attack() ?>",
    "url(http://attack.example/x)",
    "http://attack.example/",
    "//attack.example/x.js",
    "@import 'x'",
    "__proto__",
    "constructor",
    "toString",
    "data:text/html,<script>attack()</script>",
    "<a href=javascript:attack()>x</a>",
    "<iframe srcdoc='<script>attack()</script>'>",
    "אבג",
    "مرحبا",
    "<plaintext>",
    "W" * 200,
]
HOSTILE = [*dict.fromkeys([*MARKUP, *ELSEWHERE])]


def system(names: Sequence[str], text: str, note: str) -> tuple[Instance, Solution]:
    """A chain through servers of these names, one block each, and a few of them that host nothing; texts elsewhere."""
    idle = [f"{name[:190]} idle" for name in names[:5]]
    instance = Instance(
        name=text,
        note=note,
        service=Service(name=text, blocks=len(names), block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=0.0001),
        servers=[
            Server(id=name, memory_gb=3, comm_s=0.5, comp_s_per_block=0.01, tags={text: text})
            for name in [*names, *idle]
        ],
    )
    start = [*range(len(names)), *([0] * len(idle))]
    stop = [*range(1, len(names) + 1), *([0] * len(idle))]
    solution = solved(instance, Placement(start, stop), [range(len(names))], [1])
    return instance, solution.replace(method=text, version=text, parameters={text: note, "list": [text]})
