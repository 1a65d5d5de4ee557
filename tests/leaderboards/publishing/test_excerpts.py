"""Tables of leaderboards within pages: drawn from the records, current in the committed pages, refused when unclear."""

import re
from pathlib import Path

import pytest

from gexbench.leaderboards.publishing import excerpts
from gexbench.leaderboards.publishing.excerpts import ExcerptError, redrawn

ROOT = Path(__file__).parents[3]
PAGES = ("README.md", "docs/leaderboards/what-conditions-add.md", "docs/leaderboards/tcga.md")
OPEN, END = "<!-- excerpt {} -->", "<!-- end of excerpt -->"


@pytest.mark.skipif(not (ROOT / PAGES[1]).is_file(), reason="needs the source tree")
@pytest.mark.parametrize("name", PAGES)
def test_the_committed_pages_show_what_the_records_give(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert page.count(END) >= 1
    assert redrawn(page, ROOT) == page


@pytest.mark.skipif(not (ROOT / PAGES[1]).is_file(), reason="needs the source tree")
def test_a_typed_number_is_drawn_over_and_the_words_around_stay() -> None:
    page = (ROOT / PAGES[1]).read_text(encoding="utf-8")
    typed = re.sub(r"-?0\.\d{3} ± 0\.\d{3}", "9.999 ± 0.001", page, count=3)
    assert typed != page
    assert redrawn(typed, ROOT) == page


def test_what_cannot_be_drawn_is_named_all_at_once(tmp_path: Path) -> None:
    page = "\n".join(
        (OPEN.format("mian none"), END, OPEN.format("tracks none"), END, OPEN.format("main none"), "no end of this one")
    )
    with pytest.raises(ExcerptError) as raised:
        redrawn(page, tmp_path)
    text = "\n".join(raised.value.problems)
    assert "has no end" in text
    assert "'mian': there is none; one of main" in text
    assert "tracks: needs 2 folders of leaderboards, got 1" in text
    assert "none/records: no such folder" in text


def test_a_page_with_a_fault_leaves_every_page_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("good.md", "no excerpt"), ("bad.md", f"{OPEN.format('main none')}\n{END}")):
        (tmp_path / name).write_text(text)
    assert excerpts.main([str(tmp_path / "good.md"), str(tmp_path / "bad.md")]) == 2
    assert "error: excerpt main none" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.md", "good.md"]
    assert excerpts.main([str(tmp_path / "absent.md")]) == 2
    assert excerpts.main([]) == 2
