"""A page for each command, made from what its ``--help`` is made of, and links to all generated pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

from chainopt.cli.manual import Manual, manuals

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add ``reference/commands/NAME.md``; subcommands stand on the page of their command."""
    known = list(manuals())
    for top in (manual for manual in known if len(manual.words) <= 2):
        parts = [part for part in known if part.words[:2] == top.words[:2]] if len(top.words) == 2 else [top]
        page = "\n".join(_section(part, len(part.words) - len(top.words) + 1) for part in parts)
        name = "index" if len(top.words) == 1 else top.words[1]
        files.append(File.generated(config, f"reference/commands/{name}.md", content=page))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Link the pages of commands and modules from the overview, which has no links to them outside the site."""
    if page.file.src_uri != "reference/README.md":
        return markdown
    for title, folder in (("Commands", "commands"), ("Python", "python")):
        names = [
            file.name for file in files if file.src_uri.startswith(f"reference/{folder}/") and file.name != "index"
        ]
        links = [f"[{name}]({folder}/{name}.md)" for name in names]
        markdown += f"\n## {title}\n\n[all]({folder}/index.md) · {' · '.join(links)}\n"
    return markdown


def _section(manual: Manual, level: int) -> str:
    name = " ".join(manual.words)
    lines = [f"{'#' * level} {name}", "", f"```text\n{name} {manual.usage}\n```", ""]
    for paragraph in (manual.summary, *manual.paragraphs):
        lines += [_text(paragraph), ""]
    if manual.examples:
        lines += ["```bash", *manual.examples, "```", ""]
    if manual.commands:
        lines += ["| command | |", "|---|---|"]
        lines += [f"| {_link(manual, name)} | {_cell(text)} |" for name, text in manual.commands] + [""]
    lines += ["| option | |", "|---|---|"]
    lines += [f'| <code class="option">{_cell(names)}</code> | {_cell(text)} |' for names, text in manual.options]
    return "\n".join([*lines, ""])


def _link(manual: Manual, name: str) -> str:
    return f"[{name}]({name}.md)" if len(manual.words) == 1 else f"[{name}](#{'-'.join((*manual.words, name))})"


def _text(text: str) -> str:
    """Text as it is, not as Markdown."""
    return re.sub(r"(?<!`)([\\*_<>\[\]$])(?!`)", lambda found: f"&#{ord(found[0])};", text)


def _cell(text: str) -> str:
    return _text(text).replace("|", "&#124;")
