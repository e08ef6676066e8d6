"""A strict reader of pages: every element closed where it was opened, everything that it holds at hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "input", "br", "link", "img", "hr", "base"}


@dataclass
class Element:
    """An element, its attributes, and all the text inside."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page:
    """Elements in the order in which they open, and what is wrong."""

    elements: list[Element] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements of a tag with these attributes."""
        return [e for e in self.elements if e.tag == tag and attributes.items() <= e.attributes.items()]

    def by_id(self, name: str) -> Element:
        """The element of an id."""
        (element,) = [e for e in self.elements if e.attributes.get("id") == name]
        return element


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page, self.open = Page(), list[Element]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = self._add(tag, attrs)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs)

    def _add(self, tag: str, attrs: list[tuple[str, str | None]]) -> Element:
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.page.mistakes.append(f"{tag}: an attribute twice in {names}")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.page.elements.append(element)
        return element

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            self.page.mistakes.append(f"</{tag}> at {self.getpos()} inside {[e.tag for e in self.open]}")
        else:
            if tag in ("dt", "dd", "th", "td"):
                self.handle_data(" ")
            self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def handle_comment(self, data: str) -> None:
        self.page.mistakes.append(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        self.page.mistakes.append(f"a declaration: {data}")

    def handle_pi(self, data: str) -> None:
        self.page.mistakes.append(f"an instruction: {data}")


def read(text: str) -> Page:
    """Read a page."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.page.mistakes += [f"<{element.tag}> is never closed" for element in reader.open]
    return reader.page
