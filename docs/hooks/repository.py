"""Files of the repository outside docs/ become pages too, and links between all of them keep working.

A page links to files by their place in the repository, as on GitHub. What is linked, directly or through other pages,
is on the site: PATH outside docs/ stands at project/PATH there. A folder is its README.md, or a list of its pages.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
ALWAYS = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/results/**/*.md",
    "instances/*/README.md",
    "examples/*/README.md",
)
"""Pages outside docs/ that are on the site even if nobody links to them."""

_CODE = re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)`*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to."""
    wanted = deque(path.relative_to(ROOT).as_posix() for pattern in ALWAYS for path in sorted(ROOT.glob(pattern)))
    for file in files.documentation_pages():
        wanted.extend(_targets(file.content_string, _in_repository(file.src_uri)))
    while wanted:
        path = _page_of(wanted.popleft())
        there = ROOT / path
        uri = _on_site(path)
        if files.get_file_from_path(uri) or there.is_relative_to(ROOT / "docs" / "hooks"):
            continue
        if there.is_file():
            files.append(File.generated(config, uri, abs_src_path=str(there)))
            if path.endswith(".md"):
                wanted.extend(_targets(there.read_text(encoding="utf-8"), path))
        elif path.endswith("/index.md") and there.parent.is_dir():
            files.append(File.generated(config, uri, content=_list_of_pages(there.parent)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at where their targets are on the site; MkDocs reports those that lead nowhere."""
    here = _in_repository(page.file.src_uri)

    def on_site(link: re.Match[str]) -> str:
        path = link["path"]
        if "://" in path or path.startswith(("mailto:", "/")):
            return link[0]
        target = _on_site(_page_of(_resolve(path, here)))
        return posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".") + (link["anchor"] or "")

    return _outside_code(markdown, lambda text: _LINK.sub(on_site, text))


def _targets(markdown: str, here: str) -> Iterator[str]:
    for link in _LINK.finditer(_CODE.sub("", markdown)):
        if "://" not in link["path"] and not link["path"].startswith(("mailto:", "/")):
            yield _resolve(link["path"], here)


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for code in _CODE.finditer(markdown):
        parts += [change(markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, change(markdown[end:])])


def _resolve(link: str, here: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(here), link))


def _page_of(path: str) -> str:
    if not (ROOT / path).is_dir():
        return path
    return f"{path}/README.md" if (ROOT / path / "README.md").is_file() else f"{path}/index.md"


def _on_site(path: str) -> str:
    return path.removeprefix("docs/") if path.startswith("docs/") else f"project/{path}"


def _in_repository(uri: str) -> str:
    return uri.removeprefix("project/") if uri.startswith("project/") else f"docs/{uri}"


def _list_of_pages(folder: Path) -> str:
    lines = [f"# {folder.name.replace('-', ' ').capitalize()}", ""]
    for page in sorted(folder.glob("*.md")):
        title = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        lines.append(f"- [{title[1] if title else page.stem}]({page.name})")
    return "\n".join(lines) + "\n"
