"""Runs exported scripts with stand-ins for the engines, which write down how they were called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

COMMANDS = ("vllm", "python", "llama-server", "rpc-server", "ray", "serve")
_STUB = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" >> "$CALLS.argv"
env -0 >> "$CALLS.env"
printf '%s\\0' "$PWD" >> "$CALLS.cwd"
"""
_ALL = """for script; do
  name="${script##*/}"
  CALLS="$PWD/${name%.sh}" "$script" || { echo "$script failed" >&2; exit 1; }
done"""


class Call(NamedTuple):
    """One command that a script became."""

    argv: list[str]
    env: dict[str, str]
    cwd: str

    def value(self, option: str) -> str:
        """What stands after an option, which has to be there once."""
        assert self.argv.count(option) == 1, (option, self.argv)
        return self.argv[self.argv.index(option) + 1]


def run_scripts(folder: Path, tools: Path, **environment: str) -> dict[str, Call]:
    """Run each script of an exported folder with stand-ins in `tools`; the calls by name of the process."""
    tools.mkdir()
    for name in COMMANDS:
        stub = tools / name
        stub.write_text(_STUB)
        stub.chmod(0o755)
    env = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tools), **environment}
    scripts = sorted((folder / "scripts").iterdir())
    done = subprocess.run(
        ["/bin/sh", "-c", _ALL, "sh", *map(str, scripts)],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tools,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = {}
    for script in scripts:
        log = tools / script.stem
        (cwd,) = _items(log, "cwd")  # one command, once
        variables = dict(item.split("=", 1) for item in _items(log, "env"))
        found[script.stem] = Call(_items(log, "argv"), variables, cwd)
    return found


def _items(log: Path, kind: str) -> list[str]:
    """What a stand-in wrote, each item ended by a null."""
    *items, end = log.with_name(f"{log.name}.{kind}").read_text("utf-8").split("\0")
    assert end == ""
    return items


def tree(folder: Path) -> set[str]:
    """All that is in a folder, hidden files too."""
    return {str(Path(where, name).relative_to(folder)) for where, _, names in os.walk(folder) for name in names}
