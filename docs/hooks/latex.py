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
    r'<span class="arithmatex">\\\((?P<inline>.*?)\\\)</span>|<div class="arithmatex">\s*\\\[(?P<display>.*?)\\\]\s*</div>',
    re.DOTALL,
)
_TAG = re.compile(r"<pre.*?</pre>|<code.*?</code>|<math.*?</math>|<[^>]*>", re.DOTALL)


def on_page_content(content: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace what arithmatex has found; warn of formulas that are not understood, or not found."""

    def mathml(found: re.Match[str]) -> str:
        inline = found["inline"] is not None
        latex = html.unescape(found["inline"] if inline else found["display"]).strip()
        result = convert(latex.replace(r"\textstyle", ""), display="inline" if inline else "block")
        if "\\" in result:
            LOG.warning("%s: a command that is not known in the formula %s", page.file.src_uri, latex)
        return result if inline else f'<div class="formula">{result}</div>'

    content = _FORMULA.sub(mathml, content)
    for left in re.finditer(r".{0,40}(\$|\\\(|\\\[).{0,40}", _TAG.sub("", content)):
        LOG.warning("%s: not taken for a formula: %s", page.file.src_uri, left[0])
    return content
