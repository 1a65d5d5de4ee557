"""Pages of the documentation site that are made when it is built.

They are the cards of the generators, the changelog, and the tables and figures of the latest published leaderboards. A
page that the navigation names and that is not written yet is left out of it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
MADE = ("generators.md", "changelog.md", "published.md")
SHOWN = ("overall", "scores", "time", "recall", "calibration")


_INTRODUCTION = """# Published leaderboards

Their records, tables and checksums lie in `leaderboards/published/`; `gexbench verify` checks them, and
`gexbench figures --out FOLDER` draws these figures.
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave pages out of the navigation that are neither written nor made."""
    config.nav = _existing(config.nav, Path(config.docs_dir))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    from gexbench.models import BUILT_IN
    from gexbench.models.cards.page import generators_page

    files.append(File.generated(config, "generators.md", content=generators_page(BUILT_IN)))
    files.append(File.generated(config, "changelog.md", content=(ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    text = _INTRODUCTION
    for folder in latest(ROOT / "leaderboards" / "published"):
        page = f"published/{folder.parent.name}-{folder.name}.html"
        files.append(File.generated(config, page, content=(folder / "leaderboard.html").read_bytes()))
        cite = (folder / "CITE.txt").read_text(encoding="utf-8").strip()
        text += (
            f"\n## {folder.parent.name} {folder.name}\n\n[The table]({page}), to sort, filter and open.\n\n> {cite}\n"
        )
        for name, image, caption in drawn(folder):
            path = f"published/{folder.parent.name}-{folder.name}-{name}.svg"
            files.append(File.generated(config, path, content=image))
            text += f"\n![{name}]({path})\n\n{caption}\n"
    files.append(File.generated(config, "published.md", content=text))
    return files


def latest(published: Path) -> list[Path]:
    """The newest version of every published leaderboard."""
    folders = sorted(path.parent for path in published.glob("*/v*/SHA256SUMS"))
    newest = {folder.parent: folder for folder in sorted(folders, key=lambda each: int(re.sub(r"\D", "", each.name)))}
    return sorted(newest.values())


def drawn(folder: Path) -> Iterator[tuple[str, bytes, str]]:
    """Name, SVG and caption of every figure of a published leaderboard that its records allow."""
    from gexbench.leaderboards.comparing.table import leaderboard
    from gexbench.leaderboards.figures.catalogue import drawings
    from gexbench.leaderboards.figures.writing import figure_bytes
    from gexbench.leaderboards.records import read_records

    records = read_records(folder / "records")
    found, _ = drawings(leaderboard(records), records, SHOWN)
    for drawing in sorted(found, key=lambda each: SHOWN.index(each.name)):
        yield drawing.name, figure_bytes(drawing.draw(), "svg"), drawing.caption


def _existing(entries: Any, folder: Path) -> list[Any]:
    kept = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            kept.append({title: _existing(target, folder)})
        elif target in MADE or (folder / target).is_file():
            kept.append(entry)
    return kept
