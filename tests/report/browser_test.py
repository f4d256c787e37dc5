"""Pages as a browser shows them: they ask for nothing, and all can be read and reached."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import Report, load_report
from estimator_slim.report import Problem, overview_of, page_of
from tests.report.document_test import DOCUMENTS
from tests.report.page_test import hostile
from tests.support.browser import PROGRAM, Browser

pytestmark = [pytest.mark.long, pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")]
PHONE = 360  # pixels

# Every text that is shown, with its contrast, as WCAG counts it, and whether it is large.
CONTRASTS = """(() => {
  const parsed = text => [...text.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = color => { const [r, g, b] = color.map(c => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = element => { const layers = [];
    for (let one = element; one; one = one.parentElement)
      layers.push(parsed(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]); };
  document.querySelectorAll('details').forEach(one => one.open = true);
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), back = behind(element);
    const front = over(parsed(element.closest('svg') ? style.fill : style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    found.push({text: text.slice(0, 40), ratio: (a + 0.05) / (b + 0.05),
                large: size >= 24 || size >= 18.66 && style.fontWeight >= 700});
  }
  return found; })()"""
REACHABLE = """[...document.querySelectorAll('a[href], summary, [tabindex], button, input')].filter(
  one => one.checkVisibility({contentVisibilityAuto: true})).map(one => one.outerHTML.slice(0, 80))"""


def records() -> dict[str, Report]:
    """Name → a record: published, refused, failed, of an old version, and full of hostile names."""
    known = {name: load_report(DOCUMENTS / f"{name}.json")
             for name in ("published", "refused", "version_0")}
    known["hostile"] = hostile(60)
    known["failed"] = Report("export/best/1", "export/best-slim/1", outcome="failed",
                             error=Problem("TransformError", "transform fuse failed\nLeave it out"))
    known["hostile and published"] = dataclasses.replace(
        known["hostile"], outcome="published", error=None)
    return known


@pytest.fixture(scope="module")
def pages(tmp_path_factory: Any) -> list[Path]:
    """A page of each record, and one of all together."""
    folder, known = tmp_path_factory.mktemp("pages"), records()
    shown = {f"{name}.html": page_of(report) for name, report in known.items()}
    links = {name: f"{name.replace(' ', '%20')}.html" for name in known}
    for name, text in {**shown, "overview.html": overview_of("a model", known, links)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


def test_nothing_is_asked_for_and_nothing_goes_wrong(browser: Browser, pages: list[Path]) -> None:
    for page in pages:
        browser.open(page)
        browser.value("document.querySelectorAll('details').forEach(one => one.open = true)")
        browser.screenshot(page.with_suffix(".png"))  # so that everything was drawn
        asked = [one["request"]["url"] for one in browser.told("Network.requestWillBeSent")]
        assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
        for event in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded",
                      "Page.javascriptDialogOpening"):
            assert browser.told(event) == [], page.name


def test_every_text_can_be_read_in_light_and_dark_and_on_paper(
        browser: Browser, pages: list[Path]) -> None:
    for page in pages:
        for look in ({"dark": False}, {"dark": True}, {"media": "print"}):
            browser.open(page)
            browser.show(**look)
            found = browser.value(CONTRASTS)
            assert len(found) > 5
            faint = [one for one in found if one["ratio"] < (3 if one["large"] else 4.5)]
            assert faint == [], f"{page.name}, {look}"


def test_light_and_dark_are_two_looks(browser: Browser, pages: list[Path]) -> None:
    color = "getComputedStyle(document.body).backgroundColor"
    looks = []
    for dark in (False, True):
        browser.open(pages[0], dark=dark)
        looks.append(browser.value(color))
    assert looks == ["rgb(255, 255, 255)", "rgb(20, 23, 26)"]


def test_a_narrow_screen_is_not_scrolled_sideways(browser: Browser, pages: list[Path]) -> None:
    for page in pages:
        browser.open(page, width=PHONE)
        for _ in ("as it is loaded", "with all that is folded"):
            assert browser.value("document.documentElement.scrollWidth") == PHONE, page.name
            browser.value("document.querySelectorAll('details').forEach(one => one.open = true)")


def test_the_keyboard_reaches_and_opens_everything(browser: Browser, pages: list[Path]) -> None:
    for page in pages:
        browser.open(page)
        reachable = browser.value(REACHABLE)
        reached = []
        for _ in reachable:
            browser.press("Tab", 9)
            reached.append(browser.value("document.activeElement.outerHTML.slice(0, 80)"))
            outline = browser.value("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid", reached[-1]
        assert sorted(reached) == sorted(reachable), page.name
        if browser.value("document.querySelector('details') !== null"):
            browser.value("document.querySelector('summary').focus()")
            browser.press("Enter", 13, "\r")
            assert browser.value("document.querySelector('details').open")


def test_on_paper_nothing_stays_folded(browser: Browser, pages: list[Path]) -> None:
    [page] = [page for page in pages if page.name == "published.html"]
    browser.open(page)
    hidden = "document.querySelector('details dl, details table').checkVisibility()"
    assert not browser.value(hidden)
    browser.show(media="print")
    assert browser.value(hidden)
