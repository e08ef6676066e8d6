"""The page: sound HTML, nothing from elsewhere, names that stay names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from chainopt.model import Instance, Solution
from chainopt.report import contents, write_report
from chainopt.report.facts import facts
from chainopt.report.layout import MOST_CHAINS, MOST_SERVERS
from chainopt.report.page import render
from tests.report import hostile
from tests.report.html import Page, read
from tests.report.systems import many, one_chain, two_chains

URLS = {"href", "src", "srcset", "action", "formaction", "data", "poster", "background", "xlink:href", "srcdoc", "ping"}


def page(system: tuple[Instance, Solution], rate: float | None = None) -> Page:
    """The page of a system, read."""
    return read(render(facts(*system, rate)))


SYSTEMS: dict[str, tuple[Any, float | None]] = {
    "two chains": (two_chains, None),
    "one chain": (one_chain, None),
    "unstable": (two_chains, 2.0),
    "many": (lambda: many(80), None),
    "hostile": (lambda: hostile.system(hostile.HOSTILE, hostile.MARKUP[3], "</script>\u2028\u2029\x00\x1b<b>"), None),
}


@pytest.fixture(params=SYSTEMS, scope="module")
def read_page(request: pytest.FixtureRequest) -> Page:
    """Each of these pages."""
    make, rate = SYSTEMS[request.param]
    return page(make(), rate)


def test_well_formed(read_page: Page) -> None:
    """Every element is closed where it was opened, ids are unique, and what refers to an id finds it."""
    assert read_page.mistakes == []
    ids = [e.attributes["id"] for e in read_page.elements if "id" in e.attributes]
    assert len(set(ids)) == len(ids)
    for element in read_page.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            if name in element.attributes:
                assert element.attributes[name] in ids, element
        if element.tag == "a":
            assert element.attributes["href"].removeprefix("#") in ids


def test_nothing_from_elsewhere(read_page: Page) -> None:
    """No element loads anything, no attribute is a handler or a style, links stay on the page."""
    tags = {element.tag for element in read_page.elements}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "image", "use"}
    for element in read_page.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), element
            assert name != "style", element
            if name in URLS:
                assert value.startswith("#"), element
    (style,) = read_page.all("style")
    assert re.findall(r"url\(([^)]*)\)", style.text) == ["#hatch", "#dots"]
    assert "@import" not in style.text


def test_policy(read_page: Page) -> None:
    """The content security policy allows the style and the script by their hashes, and nothing else at all."""
    (meta,) = [e for e in read_page.all("meta") if "http-equiv" in e.attributes]
    policy = dict(part.split(" ", 1) for part in meta.attributes["content"].split("; "))

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    data, script = read_page.all("script")
    assert data.attributes == {"type": "application/json", "id": "data"}
    assert policy == {
        "default-src": "'none'",
        "style-src": digest(read_page.all("style")[0].text),
        "script-src": digest(script.text),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_for_those_who_do_not_see(read_page: Page) -> None:
    """Pictures have a text or are hidden, tables have headings, sections a name; headings do not skip a level."""
    assert read_page.all("html", lang="en")
    for svg in read_page.all("svg"):
        inner = "viewbox" in svg.attributes and "aria-label" not in svg.attributes
        assert (
            inner
            or "aria-hidden" in svg.attributes
            or (svg.attributes["role"] == "img" and svg.attributes["aria-label"])
        )
    assert all(th.attributes.get("scope") in ("row", "col") for th in read_page.all("th"))
    assert all("aria-labelledby" in section.attributes for section in read_page.all("section"))
    levels = [int(e.tag[1]) for e in read_page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert set(levels) == {1, 2}
    for slider in read_page.all("input"):
        assert read_page.all("label", **{"for": slider.attributes["id"]})
    for region in read_page.all("div", role="region"):
        assert region.attributes["tabindex"] == "0"
        assert region.attributes.keys() & {"aria-label", "aria-labelledby"}


def test_hostile_names_stay_names() -> None:
    """With at least 40 hostile names the page has the same elements as with harmless ones, and the names as texts."""
    assert len(hostile.HOSTILE) == len(set(hostile.HOSTILE)) >= 40
    for names, texts in ((hostile.HOSTILE, hostile.MARKUP[:1]), (hostile.HOSTILE[:2], hostile.MARKUP)):
        plain = page(hostile.system([f"n{i}" for i in range(len(names))], "plain", "note"))
        for text in texts:
            shown = page(hostile.system(names, text, f"{text}\u2028{text}"))
            assert [e.tag for e in shown.elements] == [e.tag for e in plain.elements]
            assert [set(e.attributes) for e in shown.elements] == [set(e.attributes) for e in plain.elements]
            assert {e.text for e in shown.all("bdi")} >= {*names, text}
            assert shown.all("title")[0].text == f"{text} – chainopt report"
            labels = shown.by_id("servers").text.split("\n")
            assert {label for label in labels if label} == set(names)


def test_data_cannot_leave_its_element() -> None:
    """The data is JSON in ASCII without what could end the element, and says the names as they are."""
    instance, solution = hostile.system(hostile.HOSTILE, "x", "x")
    text = render(facts(instance, solution))
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert data.isascii()
    assert not set(data) & set("<>&\u2028\u2029")
    document = json.loads(data)
    for j, name in enumerate(hostile.HOSTILE):
        assert document["server"][str(j)][0].startswith(f"Server {name}: blocks {j}, ")
        assert document["server"][str(j)][1] == [0]
    assert document["chain"]["0"][1] == list(range(len(hostile.HOSTILE)))


def test_unprintable_text() -> None:
    """A note may hold any character; what cannot be printed is not passed on."""
    text = render(facts(*hostile.system(["a", "b"], "x", "one\u2028two\x00three\x1b[0m\u202efour\nfive")))
    assert "one two?three?[0m?four five" in text
    assert all(c.isprintable() or c == "\n" for c in text)


def cells(shown: Page, section: str) -> str:
    """Text of a section, white space collapsed."""
    (element,) = shown.all("section", **{"aria-labelledby": section})
    return " ".join(element.text.split())


def test_what_is_said() -> None:
    """Figures, warnings, chains and numbers of the two chains are in the page."""
    shown = page(two_chains())
    mean = facts(*two_chains()).evaluation.mean_response_time_s
    assert f"mean response time {mean:.4g} s" in cells(shown, "summary")
    assert "load 0.429 0.5 of 1.167 jobs/s" in cells(shown, "summary")
    assert "Hosting nothing: 1 of 5 servers" in cells(shown, "warnings")
    assert "0 0.6667 2 3" in cells(shown, "chains")
    assert "a (4) → b (6)" in cells(shown, "chains")
    assert "all 1.167 3 100 %" in cells(shown, "chains")
    assert "The queue is stable below 1.167 jobs/s." in cells(shown, "response")
    assert "c 0–9 10 13 0.5 10 2.5 0 10 10 1" in cells(shown, "numbers")
    assert "Nothing is hosted on e." in cells(shown, "composition")
    assert len(shown.all("circle", **{"class": "operating"})) == 2  # in the picture and in the legend


def test_bound_is_shown() -> None:
    """The gap stands with the bound; without one a dash."""
    instance, solution = one_chain()
    assert "gap to the bound –" in cells(page((instance, solution)), "summary")
    mean = facts(instance, solution).evaluation.mean_response_time_s or 0
    assert "gap to the bound 20 % bound" in cells(page((instance, solution.replace(bound=0.8 * mean))), "summary")


def test_unstable() -> None:
    """An unstable load is said wherever times would stand, and no operating point is drawn."""
    shown = page(two_chains(), 2.0)
    assert "mean response time unstable" in cells(shown, "summary")
    assert "Unstable: the load is not below 1" in cells(shown, "warnings")
    assert "grows without limit" in cells(shown, "response")
    assert len(shown.all("circle", **{"class": "operating"})) == 1  # in the legend
    assert "Jobs that end within a time" not in cells(shown, "response")


def test_pictures() -> None:
    """A bar for each server that hosts, memory that adds up to the width, a line and an option for each chain."""
    shown = page(two_chains())
    assert [e.attributes["data-server"] for e in shown.all("rect", **{"class": "hosted"})] == ["3", "0", "2", "1"]
    assert [e.attributes["data-chain"] for e in shown.all("path", **{"class": "chain"})] == ["0", "1"]
    assert [e.attributes["data-chain"] for e in shown.all("li") if "data-chain" in e.attributes] == ["0", "1"]
    widths = [
        float(e.attributes["width"].rstrip("%"))
        for kind in ("reserve", "blocks", "cache", "free")
        for e in shown.all("rect", **{"class": kind})
        if e.attributes.get("data-server") == "2"
    ]
    assert widths == pytest.approx([100 * part / 13 for part in (0.5, 10, 2.5)], abs=0.01)


def test_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what can be drawn or listed, the page says what it leaves out, and the sums stay whole."""
    monkeypatch.setattr(contents, "MOST_ROWS", 150)
    count = 2 * (150 + 10)
    shown = page(many(count))
    assert shown.mistakes == []
    assert len(shown.all("rect", **{"class": "hosted"})) == MOST_SERVERS
    assert len(shown.all("path", **{"class": "chain"})) == min(MOST_CHAINS, MOST_SERVERS // 2)
    text = cells(shown, "composition")
    chains = count // 2 - MOST_SERVERS // 2
    assert f"{count - MOST_SERVERS} servers and {chains} chains that carry less are not drawn" in text
    assert "10 more" in cells(shown, "chains")
    assert f"{count - 150} servers more are in the files." in cells(shown, "numbers")


def test_write(tmp_path: Path) -> None:
    """The page is written whole, the same bytes every time."""
    for name in ("a.html", "b.html"):
        write_report(*two_chains(), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]
