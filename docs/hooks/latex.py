"""Formulas become MathML when the site is built, which browsers show without any script or font."""

from __future__ import annotations

import html
import logging
import re
from typing import TYPE_CHECKING

from latex2mathml.converter import convert

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

LOG = logging.getLogger("mkdocs.hooks.latex")

_FORMULA = re.compile(
    r'<span class="arithmatex">\\\((?P<inline>.*?)\\\)</span>'
    r'|<div class="arithmatex">\s*\\\[(?P<display>.*?)\\\]\s*</div>',
    re.DOTALL,
)
_NO_TEXT = re.compile(r"<pre.*?</pre>|<code.*?</code>|<math.*?</math>|<[^>]*>", re.DOTALL)

# What the converter does not know, in words that it knows; browsers ignore its double-struck and upright variants.
_REWRITTEN = (
    (r"\\textstyle\b", ""),
    (r"\\mathbb\s*\{?E\b\}?", "𝔼"),
    (r"\\mathbb\s*\{?P\b\}?", "ℙ"),
    (r"\\mathrm\{", r"\\text{"),
    (r"\\arg\s*\\(min|max)\b", r"\\operatorname{arg\1}"),
    (r"(\\[bB]ig+[lr]?)\s*\\lfloor\b", r"\1⌊"),
    (r"(\\[bB]ig+[lr]?)\s*\\rfloor\b", r"\1⌋"),
    (r"(\\[bB]ig+[lr]?)\s*\\lceil\b", r"\1⌈"),
    (r"(\\[bB]ig+[lr]?)\s*\\rceil\b", r"\1⌉"),
    (r"(?:\\[bB]ig+[lr]?)\s*\\(?:\{|lbrace\b)", r"\\lbrace "),
    (r"(?:\\[bB]ig+[lr]?)\s*\\(?:\}|rbrace\b)", r"\\rbrace "),
)


def on_page_content(content: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace what arithmatex has found, and warn of formulas that are not understood, or not found."""

    def shown(found: re.Match[str]) -> str:
        inline = found["inline"] is not None
        latex = html.unescape(found["inline"] if inline else found["display"]).strip()
        result = mathml(latex, inline=inline)
        if "\\" in result:
            LOG.warning("%s: a command that is not known in the formula %s", page.file.src_uri, latex)
        return result if inline else f'<div class="formula">{result}</div>'

    content = _FORMULA.sub(shown, content)
    for left in re.finditer(r".{0,40}(\$|\\\(|\\\[).{0,40}", _NO_TEXT.sub("", content)):
        LOG.warning("%s: not taken for a formula: %s", page.file.src_uri, left[0])
    return content


def mathml(latex: str, *, inline: bool) -> str:
    """MathML of a formula, in a line of text or in one of its own."""
    for pattern, replacement in _REWRITTEN:
        latex = re.sub(pattern, replacement, latex)
    result = str(convert(latex, display="inline" if inline else "block"))
    return result.replace("<mo>&#x0221E;</mo>", "<mi>&#x0221E;</mi>")  # infinity is no operator, with space around it
