"""The page: structure, foreign text, policy, data, the same bytes from the same records."""

import base64
import dataclasses
import hashlib
import json
import math
import random
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gexbench.leaderboards.comparing.judging import BELOW
from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard
from gexbench.leaderboards.pages.html import to_html
from gexbench.leaderboards.pages.html_data import LONGEST_CURVE
from gexbench.leaderboards.pages.html_labels import readable
from gexbench.leaderboards.pages.rendering import write
from gexbench.leaderboards.publishing.folders import differences
from gexbench.leaderboards.records import Record, read_records
from gexbench.leaderboards.records.logs import read_logs
from gexbench.tasks.panel.protocols import FIRST

Make = Callable[..., dict[str, Any]]
VALUES = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0,
}  # fmt: skip
EVIL = "</script><img src=x onerror=alert(1)>"
NASTY = [EVIL, '"><svg onload=alert(1)>', "<!--", "]]>&amp;\u2028x", "javascript:alert(1)", "__proto__"]
SEED = 2**63 - 1
VOID = {"meta", "input", "br", "wbr", "col"}
PUBLISHED = Path(__file__).resolve().parents[3] / "leaderboards" / "published"


class Page(HTMLParser):
    """Elements with their attributes and text, and whether they nest as they should."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[dict[str, Any]] = []
        self.elements: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parents = [one["tag"] for one in self.open]
        made = {"tag": tag, "attributes": dict(attrs), "text": "", "parents": parents, "at": len(self.elements)}
        self.elements.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop()["tag"] != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        for one in self.open:
            one["text"] += data

    def found(self, tag: str, **attributes: str) -> list[dict[str, Any]]:
        return [
            one
            for one in self.elements
            if one["tag"] == tag and all(one["attributes"].get(name) == value for name, value in attributes.items())
        ]


@pytest.fixture
def records(make: Make, references: Callable[[int], list[dict[str, Any]]], parsed: Callable[..., Any]) -> list[Record]:
    made = references(3)
    for at, name in enumerate(("vae", "cvae", *NASTY)):
        for fold in range(3):
            more = {
                "settings": {"width": 8, EVIL: EVIL},
                "curves": {"validation_score": [0.5 - 0.001 * step for step in range(500)], EVIL: [1, None, 2]},
                "per_class": {"tstr_lr_recall[project]": {"A": 0.5 + 0.1 * fold, EVIL: 0.25}},
                "seeds": {"fit": SEED},
                "warnings": [EVIL],
            }
            generator = {"settings": more.pop("settings")}
            values = {**VALUES, "recall_genes": 0.4 + 0.01 * at + 0.002 * fold}
            made.append(make(name, fold, values, generator={**made[0]["generator"], **generator, **_of(name)}, **more))
    made += [make("mixup", fold, {**VALUES, "copy_share": 0.5}) for fold in range(3)]
    found: list[Record] = parsed(made)
    return found


def _of(name: str) -> dict[str, Any]:
    return {"name": name, "family": "vae", "reference": False, "returns_real_rows": False}


@pytest.fixture
def board(records: list[Record]) -> Leaderboard:
    return leaderboard(records, note=f"a note {EVIL}")


@pytest.fixture
def text(board: Leaderboard, records: list[Record]) -> str:
    return to_html(board, records)


@pytest.fixture
def page(text: str) -> Page:
    return Page(text)


def data_of(page: Page) -> Any:
    (found,) = page.found("script", id="data")
    return json.loads(found["text"])


def test_the_elements_nest_and_the_page_states_its_language_and_encoding(page: Page) -> None:
    assert page.faults == []
    assert page.open == []
    assert page.found("html", lang="en")
    assert page.elements[2]["attributes"] == {"charset": "utf-8"}
    assert page.found("title")[0]["text"].startswith("tiny, budget quick")


def test_one_main_table_whose_cells_all_have_their_heads(page: Page, board: Leaderboard) -> None:
    (main,) = page.found("table", id="board")
    heads = [one for one in page.found("th") if one["attributes"].get("data-column")]
    assert [one["attributes"]["data-column"] for one in heads[:5]] == [
        "rank", "generator", "overall", "with_leader", "mean_rank",
    ]  # fmt: skip
    assert {one["attributes"].get("scope") for one in page.found("th")} <= {"col", "row", "colgroup", "rowgroup"}
    rows = [one for one in page.found("tr") if "data-row" in one["attributes"]]
    assert len(rows) == len(board.rows)
    spans = [int(one["attributes"]["colspan"]) for one in page.found("th") if "data-group" in one["attributes"]]
    assert sum(spans) == len(heads) - 2
    for row, following in zip(rows, [*(one["at"] for one in rows[1:]), None], strict=True):
        inside = [one for one in page.elements[row["at"] : following] if one["parents"][-1] == "tr"]
        cells = inside[: len(heads)]
        assert [one["tag"] for one in cells] == ["td", "th", *["td"] * (len(heads) - 2)]
        assert "table" in row["parents"]
    assert main["text"].count("vae") >= 2


def test_rows_below_the_line_have_a_body_of_their_own(page: Page, board: Leaderboard) -> None:
    kinds = [one["attributes"]["data-standing"] for one in page.found("tr") if "data-row" in one["attributes"]]
    assert kinds == [kind.split()[0] for kind in board.rows["standing"]]
    assert BELOW in set(board.rows["standing"])
    (body,) = page.found("tbody", **{"class": "below"})
    assert "Below the line" in body["text"]
    assert "mixup" in body["text"]


def test_every_value_and_score_is_there_without_a_script(page: Page, board: Leaderboard) -> None:
    shown = page.found("table", id="board")[0]["text"]
    for text in ("0.450", "380.0 ± 0.0", "0.0270", "gene-shuffle", "Fréchet ↓", "host memory"):
        assert text in shown, text
    for text in ("f" * 64, "folds 0, 1, 2"[6:], "a note </script>", "width=8", "Bengio 2003"):
        assert text in page.found("html")[0]["text"], text
    assert "against class-gaussian" in page.found("section", id="comparisons")[0]["text"]
    hidden = [one["attributes"] for one in page.elements if "hidden" in one["attributes"]]
    assert [attributes.get("class") or attributes["id"] for attributes in hidden] == ["theme", "controls"]


def test_foreign_text_makes_no_element_and_no_attribute(page: Page, text: str) -> None:
    assert page.found("img") == []
    assert not [one for one in page.elements if any(name.startswith("on") for name in one["attributes"])]
    assert len(page.found("script")) == 2
    names = [one["text"] for one in page.found("span", **{"class": "generator"})]
    assert EVIL in names
    assert "]]>&amp; x" in names
    assert text.count("<!--") == 0
    assert "\u2028" not in text


def test_nothing_is_loaded_linked_or_styled_from_outside(page: Page, text: str) -> None:
    for one in page.elements:
        for name in ("src", "srcset", "action", "data", "poster", "background", "style"):
            assert name not in one["attributes"], one
        assert one["attributes"].get("href", "#").startswith("#")
        assert one["tag"] not in {"link", "base", "iframe", "object", "embed", "form", "a:href"}
    (style,) = page.found("style")
    assert not re.search(r"@import|url\(", style["text"])
    script = page.found("script")[0]["text"]
    addresses = set(re.findall(r"https?://[^\"'\s]+", script))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch|XMLHttp|import\(", script)


def test_the_policy_allows_nothing_but_the_digests_of_style_and_script(page: Page) -> None:
    (meta,) = page.found("meta", **{"http-equiv": "Content-Security-Policy"})
    policy = dict(part.strip().split(" ", 1) for part in meta["attributes"]["content"].split(";"))
    digests = {
        kind: "'sha256-" + base64.b64encode(hashlib.sha256(found["text"].encode()).digest()).decode() + "'"
        for kind, found in (("style-src", page.found("style")[0]), ("script-src", page.found("script")[0]))
    }
    assert policy == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", **digests}
    assert meta["at"] < page.found("style")[0]["at"]


def test_the_data_are_the_frames(page: Page, board: Leaderboard) -> None:
    data = data_of(page)
    for name, column in data["rows"].items():
        if board.rows[name].dtype == np.float64:
            np.testing.assert_allclose(np.array(column, dtype=float), board.rows[name], rtol=1e-5)
        elif name not in ("generator", "rank"):
            assert column == board.rows[name].tolist()
    assert [rank or 0 for rank in data["rows"]["rank"]] == board.rows["rank"].fillna(0).tolist()
    for key, mine in board.metrics.groupby("key"):
        for name in ("value", "half_width", "score", "score_half_width", "folds"):
            np.testing.assert_allclose(np.array(data["metrics"][key][name], dtype=float), mine[name], rtol=1e-5)
    for frame, pairs in ((board.comparisons, data["comparisons"]), (board.ablations, data["ablations"])):
        for measure, mine in frame.groupby("measure"):
            stored = pairs["measures"][measure]
            assert len(pairs["pairs"]["generator"]) == len(mine)
            for name in ("difference", "half_width", "p", "p_holm"):
                np.testing.assert_allclose(np.array(stored[name], dtype=float), mine[name], rtol=1e-5)
    assert data["header"]["fingerprint"] == board.header.fingerprint
    assert data["notes"] == list(board.notes)


def test_a_row_leads_to_its_records(page: Page, board: Leaderboard, records: list[Record]) -> None:
    data = data_of(page)
    detail = data["details"][board.rows["generator"].tolist().index("vae")]
    mine = [record for record in records if record.generator.full_name == "vae"]
    assert [cell["record"] for cell in detail["cells"]] == [record.place for record in mine]
    assert {cell["seeds"]["fit"] for cell in detail["cells"]} == {str(SEED)}
    assert detail["settings"] == {"width": "8", EVIL: EVIL}
    assert detail["per_class"] == {"tstr_lr_recall[project]": {EVIL: 0.25, "A": pytest.approx(0.6)}}
    curve = detail["curves"]["validation_score"][0]
    assert (curve["fold"], len(curve["values"])) == (0, LONGEST_CURVE)
    assert (curve["values"][0], curve["values"][-1]) == (0.5, pytest.approx(0.001))
    assert detail["curves"][EVIL][0]["values"] == [1, None, 2]


def test_training_logs_become_thinned_curves_with_their_steps(board: Leaderboard, records: list[Record]) -> None:
    steps = [float(step) for step in range(10, 2010, 10)]
    log = pd.DataFrame({"step": steps, "fold": 1, "seed": 0, "state": "diverged", "loss": [1 / 3] * 199 + [math.nan]})
    log["validation_score"] = [0.25 if step % 100 == 0 else math.nan for step in steps]
    data = data_of(Page(to_html(board, records, {"vae": log})))
    curves = data["details"][board.rows["generator"].tolist().index("vae")]["curves"]
    (loss,) = curves["loss"]
    assert (loss["fold"], loss["seed"], loss["state"]) == (1, 0, "diverged")
    assert len(loss["values"]) == len(loss["steps"]) == LONGEST_CURVE
    assert (loss["steps"][0], loss["steps"][-1]) == (10, 1990), "the step without a value is left out"
    assert set(loss["values"]) == {0.3333}
    of_records, of_log = curves["validation_score"][0], curves["validation_score"][1]
    assert "steps" not in of_records
    assert (of_log["steps"][:2], of_log["values"][:2]) == ([100, 200], [0.25, 0.25])
    assert [curve["fold"] for curve in curves["validation_score"]] == [0, 1, 2]
    others = data["details"][board.rows["generator"].tolist().index("cvae")]["curves"]
    assert "loss" not in others


def test_scores_point_upwards_whatever_the_direction_of_their_metric(page: Page) -> None:
    heads = {one["attributes"].get("data-column"): one["text"] for one in page.found("th")}
    assert heads["frechet"] == "Fréchet ↓ ↑", "the raw and the scaled arrow, of which one is shown"
    assert heads["recall_genes"].startswith("recall ↑")
    assert heads["fit_cpu_s"] == "fitCPU s"
    ways = {(one["attributes"].get("class"), one["text"]) for one in page.found("span") if one["text"] in (" ↓", " ↑")}
    assert ways == {("raw", " ↓"), ("scaled", " ↑")}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("tstr_lr_recall[project]", "TSTR recall (LR), project"),
        ("mmd", "MMD"),
        ("ks_max", "KS max"),
        ("recall_pcs", "recall, components"),
        ("trts_lr_macro_f1[site]", "TRTS macro F1 (LR), site"),
        ("detection_lr", "detection AUC (LR)"),
        ("a[", "a["),
    ],
)
def test_metrics_have_readable_names(key: str, text: str) -> None:
    assert readable(FIRST, key) == text


def test_the_bytes_depend_on_the_records_alone(
    text: str, board: Leaderboard, records: list[Record], tmp_path: Path
) -> None:
    shuffled = records.copy()
    random.Random(1).shuffle(shuffled)
    again = leaderboard(shuffled, note=board.header.note)
    assert to_html(again, shuffled) == text
    write(again, tmp_path, shuffled)
    assert (tmp_path / "leaderboard.html").read_bytes() == text.encode()


def test_tables_without_anchors_scores_or_comparisons_make_a_page(make: Make, parsed: Callable[..., Any]) -> None:
    made = parsed([make("vae", 0, VALUES), make("cvae", 0, VALUES, state="failed", reason=EVIL, metrics={})])
    page = Page(to_html(leaderboard(made), made))
    assert page.faults == []
    assert not page.found("section", id="comparisons")
    assert "No scores and no ranks" in page.found("main")[0]["text"]
    assert data_of(page)["details"][0]["cells"][0]["state"] in ("failed", "ok")


def test_few_patients_have_a_section(
    make: Make, references: Callable[[int], list[dict[str, Any]]], parsed: Callable[..., Any]
) -> None:
    made = references(2)
    made += [make("vae", fold, VALUES) for fold in range(2)]
    made += [
        {**make("vae", fold, VALUES), "train_fraction": 0.1, "extra": {"scarce_real_only_accuracy": 0.5}, "fitted": 24}
        for fold in range(2)
    ]
    records = parsed(made)
    page = Page(to_html(leaderboard(records), records))
    assert "10.0 %" in page.found("section", id="few-patients")[0]["text"]
    place = data_of(page)["rows"]["generator"].index("vae")
    assert len(data_of(page)["details"][place]["cells"]) == 2


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the source tree")
def test_pages_of_published_records_are_drawn_and_those_that_were_published_hold() -> None:
    """A later version may draw another page: of a published one the checksum holds (`verify`)."""
    folders = sorted(path.parent for path in PUBLISHED.glob("*/*/leaderboard.html"))
    assert folders
    for folder in folders:
        records = read_records(folder / "records")
        stored = folder / "note.json"
        note = json.loads(stored.read_text())["note"] if stored.exists() else None
        page = to_html(leaderboard(records, note), records, read_logs(folder, records)).encode()
        assert max(len(page), (folder / "leaderboard.html").stat().st_size) < 2_000_000
        assert "leaderboard.html" not in differences(folder)


def test_another_note_makes_another_page(board: Leaderboard, records: list[Record], text: str) -> None:
    other = dataclasses.replace(board, header=dataclasses.replace(board.header, note="another"))
    assert to_html(other, records) != text
