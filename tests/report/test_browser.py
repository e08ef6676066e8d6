"""The page in a real Chromium: it opens without errors or requests, and answers to pointer, finger and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chainopt.report import write_report
from chainopt.report.facts import Facts, facts
from tests.report import hostile
from tests.report.browser import Visit, launched, visited
from tests.report.systems import many, two_chains

SIZES = {"phone": 360, "desk": 1100}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def shown() -> Facts:
    """What is on the page of two chains."""
    return facts(*two_chains())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two chains: 0 through servers 0 and 1 (a, b), 1 through server 2 (c); none through d and e."""
    target = tmp_path_factory.mktemp("report") / "two chains.html"
    write_report(*two_chains(), target)
    return target


@pytest.fixture(scope="module")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page full of hostile names."""
    target = tmp_path_factory.mktemp("report") / "hostile.html"
    write_report(*hostile.system(hostile.HOSTILE, hostile.MARKUP[1], hostile.MARKUP[3]), target)
    return target


@pytest.fixture
def visit(browser: Any, file: Path) -> Iterator[Visit]:
    """The page of two chains, open; afterwards it must have done nothing unasked."""
    with visited(browser, file) as visit:
        yield visit
        assert (visit.console, visit.errors, visit.requests) == ([], [], [file.as_uri()])


def overflow(visit: Visit) -> int:
    """Pixels by which the page is wider than the window."""
    wider: int = visit.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wider


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("which", ["file", "hostile_file"])
def test_opens(which: str, size: str, scheme: str, browser: Any, request: pytest.FixtureRequest) -> None:
    """No error, no request but for the file, no script of a name, nothing wider than the window."""
    target: Path = request.getfixturevalue(which)
    with visited(browser, target, SIZES[size], color_scheme=scheme) as visit:
        assert visit.page.evaluate("document.documentElement.dataset.ready") == "1"
        visit.page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
        visit.page.locator("#servers li").first.click()
        assert overflow(visit) <= 0
        assert visit.page.evaluate("window.attacks") == 0
        assert (visit.console, visit.errors, visit.requests) == ([], [], [target.as_uri()])


def test_policy_holds(browser: Any, file: Path) -> None:
    """A script or a picture that got into the page after all would not run or load: the policy stops it."""
    with visited(browser, file) as visit:
        failed: list[str | None] = []
        visit.page.on("requestfailed", lambda request: failed.append(request.failure))
        visit.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.attack()";
                document.body.append(script);
                document.body.insertAdjacentHTML("beforeend", "<img src='http://127.0.0.1/x' onerror='attack()'>");
            }"""
        )
        visit.page.wait_for_timeout(100)
        assert visit.page.evaluate("window.attacks") == 0
        assert len(visit.requests) == 1 + len(failed)
        assert set(failed) <= {"csp"}
        assert len(visit.console) >= 3  # the script, the picture, its handler
        assert all("Content Security Policy" in line for line in visit.console), visit.console


def test_pointer(visit: Visit) -> None:
    """Pointing at a chain shows its servers, at a server its chains; leaving shows all again; a click keeps."""
    page = visit.page
    page.locator("#chips [data-chain='0']").hover()
    assert (visit.lit("rect.hosted"), visit.lit("path.chain")) == ([0, 1], [0])
    assert visit.said.startswith("Chain 0: a (4) → b (6). 2 jobs at once, 3 s each; ")
    page.locator("h1").hover()
    assert (visit.lit("rect.hosted"), visit.lit("path.chain")) == ([], [])
    page.locator("rect.hosted[data-server='2']").hover(position={"x": 30, "y": 2})
    assert (visit.lit("rect.hosted"), visit.lit("path.chain")) == ([2], [1])
    assert visit.said.startswith("Server c: blocks 0–9, 0 GB free. Chain 1 passes: ")
    page.locator("#servers [data-server='3']").click()
    page.locator("h1").hover()
    assert (visit.lit("rect.hosted"), visit.lit("path.chain")) == ([3], [])
    assert visit.said == "Server d: blocks 0–1, 10 GB free. No chain passes."
    page.locator("#servers [data-server='3']").click()
    page.locator("h1").hover()
    assert visit.said == "No chain or server is chosen."


def test_pointer_on_a_line(visit: Visit) -> None:
    """Pointing at the line of a chain in the map shows it."""
    visit.page.locator("#map").scroll_into_view_if_needed()
    box = visit.page.locator("path.chain[data-chain='1']").bounding_box()
    visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert (visit.lit("rect.hosted"), visit.lit("path.chain")) == ([2], [1])


def test_finger(browser: Any, file: Path) -> None:
    """A tap keeps a choice, another tap drops it."""
    with visited(browser, file, 360, 740, has_touch=True, is_mobile=True) as visit:
        visit.page.locator("#chips [data-chain='1']").tap()
        assert (visit.lit("rect.hosted"), visit.lit("path.chain")) == ([2], [1])
        visit.page.locator("#servers [data-server='0']").tap()
        assert (visit.lit("rect.hosted"), visit.lit("path.chain")) == ([0], [0])
        visit.page.locator("#servers [data-server='0']").tap()
        visit.page.locator("h1").tap()
        assert visit.page.locator("[aria-selected=true]").count() == 0
        assert (visit.errors, visit.console) == ([], [])


def test_keyboard(visit: Visit) -> None:
    """Tab reaches the lists, arrows move in them and show, Enter keeps, Escape drops; focus can be seen."""
    page = visit.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(20):
        if page.evaluate("document.activeElement.dataset.chain !== undefined"):
            break
        page.keyboard.press("Tab")
    assert visit.lit("path.chain") == [0]
    page.keyboard.press("ArrowRight")
    assert (visit.lit("path.chain"), visit.lit("rect.hosted")) == ([1], [2])
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # the list of servers, where the first is focused
    assert visit.lit("rect.hosted") == [3]
    page.keyboard.press("End")
    assert (visit.lit("rect.hosted"), visit.lit("path.chain")) == ([1], [0])
    page.evaluate("document.activeElement.blur()")
    assert (visit.lit("path.chain"), visit.lit("rect.hosted")) == ([1], [2])
    assert page.locator("[aria-selected=true]").inner_text().startswith("Chain")
    page.keyboard.press("Escape")
    assert visit.lit("path.chain") == []
    assert page.locator("[aria-selected=true]").count() == 0


def test_names_and_roles(visit: Visit) -> None:
    """What a screen reader gets: parts with headings, lists with options, pictures with names, what is chosen."""
    tree = visit.page.locator("body").aria_snapshot()
    for line in (
        '- heading "two-chains" [level=1]',
        "- main:",
        '- region "Composition":',
        '- listbox "Chains":',
        '- option "Chain 0"',
        '- listbox "Servers":',
        '- option "d"',
        '- img "Map of 4 servers and 2 chains; the tables under Numbers have the same in text."',
        "- status: No chain or server is chosen.",
        '- slider "Read off at another arrival rate"',
        '- columnheader "rate, jobs/s"',
    ):
        assert line in tree, tree


def test_slider(visit: Visit, shown: Facts) -> None:
    """The slider starts at the arrival rate, and reads off the points of the curve."""
    page = visit.page
    slider = page.locator("#rate")
    at = next(i for i, point in enumerate(shown.curve) if point.arrival_rate == shown.arrival_rate)
    assert slider.input_value() == str(at)
    slider.focus()
    for i, key in ((at + 1, "ArrowRight"), (0, "Home"), (len(shown.curve) - 1, "End")):
        page.keyboard.press(key)
        point = shown.curve[i]
        text = page.locator("#read").inner_text()
        assert text.startswith(f"{point.arrival_rate:.4g} jobs/s, load {point.load:.3g}: {point.mean_s:.4g} s, ")
        assert slider.get_attribute("aria-valuetext") == text
        assert page.locator("#reader").get_attribute("visibility") == "visible"


def test_print(visit: Visit) -> None:
    """On paper all numbers are there, and what only a screen can do is not."""
    page = visit.page
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.eval_on_selector_all("details", "all => all.every(details => details.open)")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("nav").is_hidden()
    assert page.locator("#chips").is_hidden()
    assert page.locator("#map").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert not page.eval_on_selector_all("details", "all => all.some(details => details.open)")
    page.emulate_media(media="screen")
    assert page.pdf(format="A4").startswith(b"%PDF-")


def test_without_scripts(browser: Any, file: Path) -> None:
    """Where scripts are off, pictures, tables and numbers are there, and nothing that would not work."""
    with visited(browser, file, 360, java_script_enabled=False) as visit:
        assert visit.page.locator("path.chain").count() == 2
        assert visit.page.locator("#chips").is_hidden()
        assert visit.page.locator("#rate").is_hidden()
        visit.page.locator("summary").first.click()
        assert "jobs/s without it" in visit.page.locator("details").first.inner_text()


def test_large(browser: Any, tmp_path: Path) -> None:
    """A page of 1000 servers opens, fits, and shows what is chosen."""
    write_report(*many(1000), tmp_path / "large.html")
    with visited(browser, tmp_path / "large.html", 360) as visit:
        visit.page.locator("#chips li").last.click()
        assert visit.lit("path.chain") == [499]
        assert visit.lit("rect.hosted") == [998, 999]
        assert overflow(visit) <= 0
        assert (visit.console, visit.errors) == ([], [])


CONTRAST = """([foreground, background]) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const luminance = (name) => {
        canvas.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => {
            const share = part / 255;
            return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [low, high] = [luminance(foreground), luminance(background)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str, browser: Any, file: Path) -> None:
    """WCAG 2.2 AA: 4.5 for text on whatever it stands on, 3 for the lines and edges that carry meaning."""
    text = [(name, ground) for name in ("text", "quiet", "link") for ground in ("ground", "raised")]
    text += [("text", "warn-ground"), ("text", "bar")]
    marks = [(name, "ground") for name in ("bar-edge", "chain", "edge", "cache", "mean", "limit", "now", "warn-edge")]
    marks += [("chain", "bar"), ("bar-edge", "band"), ("mean", "band")]
    with visited(browser, file, color_scheme=scheme) as visit:
        for least, pairs in ((4.5, text), (3.0, marks)):
            for pair in pairs:
                ratio = visit.page.evaluate(CONTRAST, [f"--{name}" for name in pair])
                assert ratio >= least, (pair, ratio)
