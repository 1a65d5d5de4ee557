"""The card of a cohort as `gexbench cohort` shows it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gexbench.tasks.cards.card import Card


def rendered(card: "Card") -> "Iterator[RenderableType]":
    """The card's facts, classes, label leak and missing values, one renderable each."""
    from rich.table import Table

    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    facts.title, facts.title_justify = f"cohort {card.name}", "left"
    facts.add_row("samples", f"{card.samples:,} of {card.patients:,} patients")
    facts.add_row("genes", f"{card.genes:,}")
    facts.add_row("unit", f"{card.unit} ({100 * card.zero_fraction:.1f} % zeros)")
    facts.add_row("sites", "not recorded" if card.sites is None else f"{card.sites:,}")
    for name, size in card.modalities.items():
        share = f"{size['samples']:,} samples, {size['rows']:,} rows × {size['width']}"
        facts.add_row(name, f"{share} (median {size['median_rows']} per sample)")
    encoder = card.provenance.get("text", {}).get("encoder") if card.label_leak else None
    if encoder:
        facts.add_row("text encoder", encoder)
    for variant, columns in card.text_columns.items():
        facts.add_row(f"columns of {variant}", ", ".join(columns))
        if fields := card.unrecorded[variant]:
            facts.add_row(f"not in {variant}", f"no sample has a value for {', '.join(fields)}")
    for title, line in (*_package_lines(card.provenance), *_public_lines(card.provenance)):
        facts.add_row(title, line)
    for item in card.provenance.get("dropped", ()):
        facts.add_row("left out" if "kept" not in item["reason"] else "note", _dropped_line(item))
    facts.add_row("fingerprint", card.fingerprint)
    yield facts
    yield ""
    yield _classes(card)
    if card.label_leak:
        yield ""
        yield _leak(card)
    yield ""
    yield _missing(card)


def _package_lines(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Where a cohort came from: its package, with the licence and what was kept of its samples; public files."""
    package = provenance.get("package")
    if package:
        yield "source", f"data files of the package {package['name']} {package['version']}, {package['licence']}"
    for project, types in provenance.get("kept", {}).items():
        yield "kept", f"{project}: {', '.join(f'{count:,} {name}' for name, count in types.items())}"


def _public_lines(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The public files a cohort was built from, the recipe, and the encoder of its slides."""
    inputs = provenance.get("inputs", ())
    if inputs:
        size = sum(item["bytes"] for item in inputs) / 1e6
        recipe = provenance["selection"]["recipe"]
        said = f", recipe {recipe}" if recipe else ""
        yield "source", f"public files ({provenance['source']}): {len(inputs):,} inputs, {size:,.1f} MB{said}"
    encoder = provenance.get("image_encoder")
    if encoder:
        version = f" {encoder['version']}" if encoder["version"] else ", version not stated"
        yield "image encoder", f"{encoder['name'] or 'not stated'}{version}, width {encoder['width']}"


def _dropped_line(item: dict[str, object]) -> str:
    ids = item["examples"]
    listed = ", ".join(map(str, ids)) if isinstance(ids, list) else ""
    more = ", …" if isinstance(ids, list) and isinstance(item["count"], int) and item["count"] > len(ids) else ""
    return f"{item['count']}: {item['reason']} ({listed}{more})"


def _classes(card: "Card") -> "RenderableType":
    from rich.table import Table

    table = Table("label", "classes", "patients", "under 25, left out", box=None, pad_edge=False, padding=(0, 2))
    table.title, table.title_justify = "classes (finest label first)", "left"
    for label, sizes in card.classes.items():
        listed = ", ".join(f"{name} {size}" for name, size in list(sizes.items())[:20])
        small = ", ".join(f"{name} ({sizes[name]})" for name in card.small_classes[label]) or "–"
        table.add_row(label, str(len(sizes)), listed + (", …" if len(sizes) > 20 else ""), small)
    return table


def _leak(card: "Card") -> "RenderableType":
    from rich.table import Table

    labels = list(card.classes)
    table = Table("text", *labels, box=None, pad_edge=False, padding=(0, 2))
    table.title, table.title_justify = "label leak: balanced accuracy from the tokens of a text", "left"
    for variant, figures in card.label_leak.items():
        table.add_row(variant, *(f"{figures[label]:.3f}" for label in labels))
    table.add_row("majority class", *(f"{card.chance[label]:.3f}" for label in labels))
    return table


def _missing(card: "Card") -> "RenderableType":
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.title, table.title_justify = "samples without a value, by clinical column", "left"
    cells = [
        f"{column} {count} ({100 * count / card.samples:.0f} %)" for column, count in card.missing.items() if count
    ]
    for start in range(0, len(cells), 3):
        table.add_row(*cells[start : start + 3])
    complete = sum(1 for count in card.missing.values() if not count)
    table.add_row(f"complete: {complete} columns")
    return table
