"""Pages of the documentation site that are made when it is built: the generators' cards and the changelog.

A page that the navigation names and that is not written yet is left out of it.
"""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
MADE = ("generators.md", "changelog.md")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave pages out of the navigation that are neither written nor made."""
    config.nav = _existing(config.nav, Path(config.docs_dir))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    from gexbench.models import BUILT_IN
    from gexbench.models.page import generators_page

    files.append(File.generated(config, "generators.md", content=generators_page(BUILT_IN)))
    files.append(File.generated(config, "changelog.md", content=(ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    return files


def _existing(entries: Any, folder: Path) -> list[Any]:
    kept = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            kept.append({title: _existing(target, folder)})
        elif target in MADE or (folder / target).is_file():
            kept.append(entry)
    return kept
