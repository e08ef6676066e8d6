"""Pages with code: their blocks, and how to run them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from chainopt.cli import main

ROOT = Path(__file__).parents[2]
SHELLS = ("bash", "console", "sh", "fish")
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n+)?^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    code: str
    title: str | None
    """Name of the file that it is."""
    reason: str | None
    """Why it is not run."""


def blocks(page: Path) -> list[Block]:
    """Blocks of a page with a language, in order."""
    found = []
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        title = re.search(r'title="([^"]+)"', block["info"])
        found.append(Block(block["language"], block["code"], title[1] if title else None, block["reason"]))
    return found


def commands(block: Block) -> list[tuple[list[str], int]]:
    """Command lines of a block and their exit codes; those of a console follow a dollar sign."""
    lines = re.sub(r"\\\n\s*", "", block.code).splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    codes = [re.search(r"# exit code (\d+)$", line) for line in lines]
    words = [shlex.split(line, comments=True) for line in lines]
    return [(each, int(code[1]) if code else 0) for each, code in zip(words, codes, strict=True) if each]


def run_command(words: list[str]) -> tuple[int, str, str]:
    """Exit code and outputs of a command of chainopt, its patterns of files expanded as a shell does."""
    arguments = [name for word in words for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    result = CliRunner().invoke(main, arguments, prog_name="chainopt")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def run_python(code: str, name: str, names: dict[str, Any]) -> None:
    """Run a block; blocks of a page share their names."""
    exec(compile(code, name, "exec"), names)
