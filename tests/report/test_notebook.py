"""How a solution shows in a notebook: a plain table, names escaped."""

from __future__ import annotations

from tests.report import hostile
from tests.report.html import read
from tests.report.systems import many, two_chains


def test_table() -> None:
    """Figures and chains are there."""
    _, solution = two_chains()
    shown = read(solution._repr_html_())
    assert shown.mistakes == []
    cells = [e.text.strip() for e in shown.all("td")]
    assert cells[0] == "feasible"
    assert cells[-8:] == ["0", "2", "3", "a → b", "1", "1", "2", "c"]


def test_without_evaluation() -> None:
    """What is unknown is a dash; without chains there is no table of them."""
    _, solution = two_chains()
    shown = read(solution.replace(evaluation=None, chains=())._repr_html_())
    assert len(shown.all("table")) == 1
    assert [e.text.strip() for e in shown.all("td")][-2:] == ["–", "–"]


def test_many_chains() -> None:
    """The first twenty chains are listed, the others counted."""
    assert "<p>and 30 chains more</p>" in many(100)[1]._repr_html_()


def test_hostile_names() -> None:
    """Names are text, and no two dollar signs make a formula."""
    for text in hostile.HOSTILE:
        _, solution = hostile.system(["a", text, "$x$"], text, text)
        html = solution._repr_html_()
        shown = read(html)
        assert shown.mistakes == []
        assert {e.tag for e in shown.elements} <= {
            "table", "caption", "thead", "tbody", "tr", "th", "td", "span",
        }  # fmt: skip
        assert shown.all("caption")[0].text == text
        assert f"a → {text} → $x$" in {e.text.strip() for e in shown.all("td")} | {e.text[:-1] for e in shown.all("td")}
        assert html.count("$") == html.count("<span>$</span>")
