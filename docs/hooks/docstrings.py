"""Docstrings in Markdown: roles become code, examples are fenced, and fields of records are listed."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:[a-z]+:)?(?:func|class|mod|meth|attr|data|exc|obj):`~?(?P<name>[^`]+)`")
_DOCTEST = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)
_LIST = re.compile(r"^(Attributes|Parameters)\n-+$", re.MULTILINE)


class MarkdownDocstrings(griffe.Extension):
    """Changes each docstring when it is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is None:
            return
        text = _ROLE.sub(r"`\g<name>`", obj.docstring.value)
        text = _DOCTEST.sub(r"```pycon\n\g<0>\n```", text)
        if isinstance(obj, griffe.Class) and not _LIST.search(text):
            text += _fields(obj)
        obj.docstring.value = text


def _fields(cls: griffe.Class) -> str:
    """A list of the fields that have no docstrings of their own: names, types and values."""
    fields = [
        f"{name} : {field.annotation or cls.name}\n    {'No default.' if field.value is None else f'`{field.value}`'}"
        for name, field in cls.members.items()
        if isinstance(field, griffe.Attribute)
        and field.docstring is None
        and not name.startswith("_")
        and name != "model_config"
        and (field.annotation is not None or any("Enum" in str(base) for base in cls.bases))
        and "property" not in field.labels
    ]
    return "\n\nAttributes\n----------\n" + "\n".join(fields) if fields else ""
