"""The page in a real browser: it sorts, filters, folds and opens rows, and nothing leaves it.

Needs a Chromium of the system, for example Debian's package `chromium`; skipped without one.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.pages.rendering import write
from gexbench.leaderboards.records import Record

EVIL = "</script><img src=x onerror=alert(1)>"
VALUES = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0,
}  # fmt: skip


@pytest.fixture
def records(
    make: Callable[..., Any], references: Callable[[int], list[dict[str, Any]]], parsed: Callable[..., Any]
) -> list[Record]:
    made = references(3)
    for at, name in enumerate(("cvae", "vae", EVIL)):
        for fold in range(3):
            more = {
                "curves": {"validation_score": [0.5, 0.4, 0.3 + 0.01 * fold], EVIL: [1, None, 2]},
                "per_class": {"tstr_lr_recall[project]": {"A": 0.5, EVIL: 0.25}},
                "warnings": [EVIL],
                "hardware": {"memory_bytes": 25_274_793_984},
            }
            made.append(make(name, fold, {**VALUES, "recall_genes": 0.5 - 0.1 * at, "frechet": 300 + 9 * at}, **more))
    made += [make("mixup", fold, {**VALUES, "copy_share": 0.5}) for fold in range(3)]
    found: list[Record] = parsed(made)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of the system."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium on this machine: install the system's package, for example `apt-get install chromium`")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, records: list[Record], tmp_path: Path) -> Iterator[Any]:
    """The page, opened; afterwards it must have logged nothing, asked for nothing and shown no dialogue."""
    log = pd.DataFrame({"step": [10.0, 20.0, 30.0], "fold": 0, "seed": 0, "state": "ok", "loss": [900.0, 2.0, 1.0]})
    write(leaderboard(records, note=EVIL), tmp_path, records, logs={EVIL: log})
    address = (tmp_path / "leaderboard.html").as_uri()
    seen: list[str] = []
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.on("console", lambda message: seen.append(f"console: {message.text}"))
    opened.on("pageerror", lambda error: seen.append(f"error: {error}"))
    opened.on("dialog", lambda dialog: (seen.append(f"dialogue: {dialog.message}"), dialog.dismiss()))
    opened.on("request", lambda request: seen.append(request.url) if request.url != address else None)
    opened.goto(address)
    yield opened
    assert opened.locator("img").count() == 0
    opened.close()
    assert seen == []


def shown(page: Any) -> list[str]:
    found: list[str] = page.locator("#board tr[data-row]:visible .generator").all_inner_texts()
    return found


def head(page: Any, name: str) -> Any:
    return page.locator(f'th[data-column="{name}"]')


def test_columns_sort_best_first_then_reversed_and_rows_below_the_line_stay_below(page: Any) -> None:
    assert shown(page)[-1] == "mixup"
    assert head(page, "overall").get_attribute("aria-sort") == "descending"
    button = head(page, "frechet").locator("button")
    button.click()
    assert shown(page) == ["real-holdout", "class-gaussian", "cvae", "vae", EVIL, "class-mean", "gene-shuffle", "mixup"]
    assert head(page, "frechet").get_attribute("aria-sort") == "ascending"
    button.press("Enter")
    assert shown(page)[:2] == ["gene-shuffle", "class-mean"]
    assert shown(page)[-1] == "mixup"
    assert head(page, "frechet").get_attribute("aria-sort") == "descending"
    head(page, "variance_ratio").locator("button").click()
    assert shown(page)[:2] == ["real-holdout", "class-gaussian"]
    assert page.locator("th[aria-sort]").count() == 1
    head(page, "rank").locator("button").click()
    assert shown(page)[0] == "cvae"


def test_rows_are_found_by_text_kind_and_standing(page: Any) -> None:
    page.locator("#find").fill("CVAE width=8")
    assert shown(page) == ["cvae"]
    assert page.locator("#shown").inner_text().startswith("1 of 8 generators")
    page.locator("#find").fill("")
    page.locator('input[value="reference"]').uncheck()
    assert "real-holdout" not in shown(page)
    page.locator('input[value="below"]').uncheck()
    assert page.locator("tr.line:visible").count() == 0
    page.locator("#kind").select_option("vae")
    assert set(shown(page)) == {"cvae", "vae", EVIL}


def test_families_fold(page: Any) -> None:
    family = page.locator('th[data-group="cost"]')
    assert head(page, "fit_cpu_s").is_visible()
    assert not head(page, "sample_cpu_s").is_visible()
    family.locator("button").press("Enter")
    assert head(page, "sample_cpu_s").is_visible()
    assert family.get_attribute("colspan") == "9"
    page.locator("#unfold").click()
    assert page.locator("#board thead tr:nth-child(2) th:not(:visible)").count() == 0
    page.locator("#unfold").click()
    assert not head(page, "mean_rank").is_visible()


def test_values_become_scores_and_intervals_become_bars(page: Any) -> None:
    cell = page.locator('#board tr[data-row] td:has-text("300.0")').first
    assert cell.inner_text() == "300.0"
    page.locator('input[name="interval"][value="half"]').check(force=True)
    assert cell.inner_text() == "300.0 ± 0.0"
    page.locator('input[name="scale"][value="scaled"]').check(force=True)
    assert cell.inner_text().startswith("0.6")
    assert head(page, "frechet").inner_text() == "Fréchet ↑"
    page.locator('input[name="interval"][value="bar"]').check(force=True)
    assert cell.locator("svg").count() == 1
    assert page.locator("#board circle.beyond").count() > 0
    assert "hollow" in page.locator("#shown").inner_text()
    page.locator('input[name="interval"][value="none"]').check(force=True)
    assert cell.locator("svg").count() == 0


def test_a_row_opens_with_what_its_records_say(page: Any) -> None:
    place = shown(page).index(EVIL)
    button = page.locator("#board .open").nth(place)
    button.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    detail = page.locator("tr.opened")
    assert detail.get_attribute("id") == button.get_attribute("aria-controls")
    text = detail.inner_text()
    for said in ("width", "Cells", "validation score", EVIL, "python", "a processor", "25.3 GB", "2.00", "256"):
        assert said in text, said
    assert detail.locator("figure svg.spark[role=img]").count() == 3
    loss = detail.locator("figure", has_text="loss")
    assert loss.locator("svg.spark[role=img]").get_attribute("aria-label") == "loss; fold 0 seed 0: 900 to 1"
    assert loss.locator(".step-labels").inner_text().split() == ["10", "step", "30"]
    assert detail.locator("[role=region]").first.get_attribute("aria-label") == f"details of {EVIL}"
    head(page, "generator").locator("button").click()
    row = page.locator("#board tbody tr", has=page.locator('.open[aria-expanded="true"]'))
    assert row.evaluate("row => row.nextElementSibling.id") == detail.get_attribute("id")
    page.locator('.open[aria-expanded="true"]').click()
    assert page.locator("tr.opened").count() == 0


def test_a_narrow_screen_scrolls_the_table_and_not_the_page(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    assert not page.locator("details.facts").evaluate("facts => facts.open")
    page.locator("#unfold").click()
    page.locator("#board .open").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("tr.opened .detail").bounding_box()["width"] < 390


def test_names_and_marks_do_not_overlap_on_a_narrow_screen(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    marks = page.locator("#board .named sup")
    assert marks.count() > 0
    for mark in marks.all():
        numbers = [link.bounding_box() for link in mark.locator("a").all()]
        assert all(a["x"] + a["width"] <= b["x"] + 1 for a, b in itertools.pairwise(numbers))
        assert mark.bounding_box()["height"] < 24, "on two lines"


def test_the_keyboard_reaches_the_table_at_once_and_sees_where_it_is(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.locator("#board .open").first.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate("document.activeElement.className") == "open"
    assert page.evaluate(outline) == "solid"


def test_colours_change_and_print_is_light(page: Any) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.locator("#theme").click()
    assert page.evaluate(colour) != light
    page.emulate_media(media="print")
    assert page.evaluate(colour) == light
    assert not page.locator(".controls").is_visible()
