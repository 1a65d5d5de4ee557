"""Pages of the documentation site that are made when it is built.

They are the cards of the generators, the changelog, and the tables and figures of the latest published leaderboards. A
page that the navigation names and that does not exist yet is left out of it.
"""

import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
GENERATORS, CHANGELOG, PUBLISHED = "reference/generators.md", "reference/changelog.md", "leaderboards/published.md"
SOURCES = tempfile.TemporaryDirectory(prefix="gexbench-docs-")
"""Holds the package `gexbench` for mkdocstrings, which does not see through an editable install's mapping."""

SHOWN = ("overall", "scores", "time", "recall", "calibration")


_INTRODUCTION = """# Published leaderboards

For readers of the numbers: the latest version of every published leaderboard, sortable, with its citation and figures.

Records, tables and checksums are in `leaderboards/published/`; `gexbench verify` checks them, and
`gexbench figures --out FOLDER` draws these figures.
"""


@event_priority(100)
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Show mkdocstrings the sources, and leave pages out of the navigation that are neither written nor made."""
    config.nav = _existing(config.nav, Path(config.docs_dir))
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(_sources())]
    return config


def _sources() -> Path:
    """A folder in which every package of pyproject.toml lies under its full name."""
    folder = Path(SOURCES.name)
    with (ROOT / "pyproject.toml").open("rb") as file:
        packages = tomllib.load(file)["tool"]["setuptools"]["package-dir"]
    for name, source in packages.items():
        package = folder.joinpath(*name.split("."))
        package.mkdir(parents=True, exist_ok=True)
        for entry in (ROOT / source).iterdir():
            if not (package / entry.name).exists():
                (package / entry.name).symlink_to(entry)
    return folder


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    from gexbench.models import BUILT_IN
    from gexbench.models.cards.page import generators_page

    files.append(File.generated(config, GENERATORS, content=generators_page(BUILT_IN)))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    reader = "\n\nFor users who upgrade: what changed.\n\n"
    files.append(File.generated(config, CHANGELOG, content=changes.replace("\n\n", reader, 1)))
    text = _INTRODUCTION
    for folder in latest(ROOT / "leaderboards" / "published"):
        page = f"published/{folder.parent.name}-{folder.name}.html"
        files.append(File.generated(config, f"leaderboards/{page}", content=(folder / "leaderboard.html").read_bytes()))
        cite = (folder / "CITE.txt").read_text(encoding="utf-8").strip()
        text += (
            f"\n## {folder.parent.name} {folder.name}\n\n[The table]({page}), to sort, filter and open.\n\n> {cite}\n"
        )
        for name, image, caption in drawn(folder):
            path = f"published/{folder.parent.name}-{folder.name}-{name}.svg"
            files.append(File.generated(config, f"leaderboards/{path}", content=image))
            text += f"\n![{name}]({path})\n\n{caption}\n"
    files.append(File.generated(config, PUBLISHED, content=text))
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
        title, target = next(iter(entry.items())) if isinstance(entry, dict) else ("", entry)
        if isinstance(target, list):
            kept.append({title: _existing(target, folder)})
        elif target in (GENERATORS, CHANGELOG, PUBLISHED) or (folder / target).is_file():
            kept.append(entry)
    return kept
