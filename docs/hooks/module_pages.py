"""A page for each module that users import, of its public names and their docstrings."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

LOG = logging.getLogger("mkdocs.hooks.module_pages")
FOLDER = "reference/python/"
ROOMS = ("baselines", "bench", "cluster", "errors", "export", "files", "frames", "search", "sizing", "verification")
"""Modules for users that are not names of the package itself."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add ``reference/python/MODULE.md``."""
    package = import_module("chainopt")
    rooms = {name for name in package.__all__ if isinstance(getattr(package, name), ModuleType)}
    names = [name for name in package.__all__ if name not in rooms and name != "__version__"]
    files.append(File.generated(config, f"{FOLDER}index.md", content=_page(package, names)))
    for room in sorted(rooms.union(ROOMS)):
        module = import_module(f"chainopt.{room}")
        if names := public_names(module):
            files.append(File.generated(config, f"{FOLDER}{room}.md", content=_page(module, names)))
    return files


def on_page_content(content: str, *, page: Page, config: MkDocsConfig, files: Files) -> None:
    """Warn of public names that are missing."""
    if page.file.src_uri.startswith(FOLDER):
        headings = {item.title.split()[-1] for item in page.toc for item in (item, *item.children)}
        module = str(page.title)
        for name in {*public_names(import_module(module))} - {"__version__"}:
            if name not in headings and not isinstance(getattr(import_module(module), name), ModuleType):
                LOG.warning("%s: %s.%s is missing", page.file.src_uri, module, name)


def public_names(module: ModuleType) -> list[str]:
    """What ``__all__`` lists, else what the module defines itself under a name without underscore."""
    listed: list[str] | None = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _page(module: ModuleType, names: list[str]) -> str:
    """The module's own docstring and its names; those that a file has too are taken from where they are defined."""
    module_name = module.__name__
    shadowed = [name for name in names if hasattr(module, "__path__") and find_spec(f"{module_name}.{name}")]
    lines = [f"# {module_name}", "", f"::: {module_name}", "    options:"]
    lines += ["      show_root_heading: false", "      show_root_toc_entry: false"]
    lines += [f"      members: [{', '.join(name for name in names if name not in shadowed)}]", ""]
    for name in shadowed:
        lines += [f"::: {getattr(module, name).__module__}.{name}", ""]
    return "\n".join(lines)
