"""The manual of every command, made from its ``--help``: ``python -m chainopt.cli.manual FOLDER`` writes man pages."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainopt.cli import main
from chainopt.errors import ChainoptError
from chainopt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXIT_STATUS = (
    ("0", "done"),
    ("1", "a negative answer: invalid, infeasible or unstable"),
    ("2", "bad input or usage"),
    ("130", "interrupted"),
)


@dataclass(frozen=True)
class Manual:
    """What ``--help`` says of one command, in parts."""

    words: tuple[str, ...]
    """Its name, such as ``("chainopt", "catalog", "gpus")``."""
    usage: str
    """What follows the name."""
    summary: str
    """The first paragraph."""
    paragraphs: tuple[str, ...]
    """The others."""
    options: tuple[tuple[str, str], ...]
    """How they are written, and what they do."""
    examples: tuple[str, ...]
    """Command lines."""
    commands: tuple[tuple[str, str], ...]
    """Names of its own commands, and what they do."""

    @property
    def name(self) -> str:
        """Name as a file has it, such as ``chainopt-catalog-gpus``."""
        return "-".join(self.words)


def manuals() -> Iterator[Manual]:
    """Manuals of ``chainopt`` and all its commands, each before its own commands."""
    return _below(main, click.Context(main, info_name="chainopt", **main.context_settings))


def _below(command: click.Command, context: click.Context) -> Iterator[Manual]:
    names = command.list_commands(context) if isinstance(command, click.Group) else []
    known = [(name, command.get_command(context, name)) for name in names if isinstance(command, click.Group)]
    own = [(name, child) for name, child in known if child is not None and not child.hidden]
    texts, examples = _text_and_examples(command.help or "")
    yield Manual(
        words=tuple(context.command_path.split()),
        usage=" ".join(command.collect_usage_pieces(context)),
        summary=texts[0] if texts else "",
        paragraphs=tuple(texts[1:]),
        options=tuple(
            record
            for item in command.get_params(context)
            if isinstance(item, click.Option) and (record := item.get_help_record(context))
        ),
        examples=examples,
        commands=tuple((name, child.get_short_help_str(limit=1000)) for name, child in own),
    )
    for name, child in own:
        yield from _below(child, click.Context(child, info_name=name, parent=context))


def _text_and_examples(text: str) -> tuple[list[str], tuple[str, ...]]:
    """Paragraphs, and the command lines under ``Examples:``, long ones joined."""
    texts: list[str] = []
    examples: tuple[str, ...] = ()
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text).replace("\b\n", "")):
        title, _, rest = paragraph.partition("\n")
        if title in ("Example:", "Examples:"):
            examples = tuple(line.strip() for line in re.sub(r"\\\n\s*", "", rest).splitlines())
        else:
            texts.append(" ".join(paragraph.split()))
    return texts, examples


def man_page(manual: Manual) -> str:
    """The page in the language of man, section 1."""
    summary = manual.summary.rstrip(".").split(". ")[0]
    parts = [
        f'.TH "{manual.name.upper()}" "1" "" "chainopt {__version__}" "chainopt"',
        *_section("NAME", f"{_plain(manual.name)} \\- {_plain(summary)}"),
        *_section("SYNOPSIS", f"\\fB{_plain(' '.join(manual.words))}\\fR {_plain(manual.usage)}"),
        *_section("DESCRIPTION", "\n.PP\n".join(map(_plain, (manual.summary, *manual.paragraphs)))),
        *_list("COMMANDS", manual.commands),
        *_list("OPTIONS", manual.options),
        *_list("EXIT STATUS", _EXIT_STATUS),
    ]
    if manual.examples:
        parts += [".SH EXAMPLES", ".nf", *map(_plain, manual.examples), ".fi"]
    above = [manual.words[:end] for end in range(1, len(manual.words))]
    related = ["-".join(words) for words in (*above, *((*manual.words, name) for name, _ in manual.commands))]
    if related:
        parts += _section("SEE ALSO", ", ".join(f"\\fB{_plain(name)}\\fR(1)" for name in related))
    return "\n".join(parts) + "\n"


def _section(title: str, text: str) -> list[str]:
    return [f".SH {title}", text]


def _list(title: str, entries: tuple[tuple[str, str], ...]) -> list[str]:
    items = [line for head, text in entries for line in (".TP", f"\\fB{_plain(head)}\\fR", _plain(text))]
    return [f".SH {title}", *items] if items else []


def _plain(text: str) -> str:
    """Text that man shows as it is: hyphens that can be copied, no commands at the beginning of a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


@click.command(epilog="Then `man chainopt-solve` shows a page, if FOLDER is man1 in a folder of MANPATH.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write the man pages of all commands into FOLDER, such as ~/.local/share/man/man1."""
    from chainopt.files.text import write_text

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for manual in manuals():
            write_text(man_page(manual), folder / f"{manual.name}.1")
    except (ChainoptError, OSError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    command(prog_name="python -m chainopt.cli.manual")
