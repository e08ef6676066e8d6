"""Entries of the navigation that end with a star stand for the pages of a folder."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Fill in the stars: all pages whose path fits, in alphabetical order, the overview of a folder first."""
    pages = sorted(
        (file.src_uri for file in files.documentation_pages()),
        key=lambda uri: uri.replace("/README.md", "/").replace("/index.md", "/"),
    )

    def expand(entry: Any) -> list[Any]:
        if isinstance(entry, str):
            return [uri for uri in pages if fnmatch(uri, entry)] if entry.endswith("*") else [entry]
        ((title, content),) = entry.items()
        if isinstance(content, str) and not content.endswith("*"):
            return [entry]
        parts = content if isinstance(content, list) else [content]
        return [{title: [page for part in parts for page in expand(part)]}]

    config.nav = [page for entry in config.nav or [] for page in expand(entry)]
    return files
