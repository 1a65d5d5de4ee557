"""The card of a cohort, as `gexbench cohort info` prints it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gexbench.benchmark.commands.terminal.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console

    from gexbench.tasks.cards.card import Card


def show(console: "Console", card: "Card") -> None:
    """Print the card's facts, classes, label leakage and missing values."""
    print_table(console, ("", ""), list(_facts(card)), title=f"cohort {card.name}")
    console.print()
    _show_classes(console, card)
    if card.label_leak:
        console.print()
        _show_leak(console, card)
    console.print()
    _show_missing(console, card)


def _facts(card: "Card") -> Iterator[tuple[str, str]]:
    yield "samples", f"{card.samples:,} of {card.patients:,} patients"
    yield "genes", f"{card.genes:,}"
    yield (
        "unit",
        f"{card.unit} ({100 * card.floor_fraction:.1f} % {'zeros' if card.unit == 'other' else 'at its floor'})",
    )
    yield "sites", "not recorded" if card.sites is None else f"{card.sites:,}"
    for name, size in card.modalities.items():
        share = f"{size['samples']:,} samples, {size['rows']:,} rows × {size['width']}"
        yield name, f"{share} (median {size['median_rows']} per sample)"
    encoder = card.provenance.get("text", {}).get("encoder") if card.label_leak else None
    if encoder:
        yield "text encoder", encoder
    if not card.text_columns and encoder is None and card.provenance.get("text", {}).get("lacking"):
        yield "clinical text", f"none: no column for {', '.join(card.provenance['text']['lacking'])}"
    for variant, columns in card.text_columns.items():
        yield f"columns of {variant}", ", ".join(columns)
        if fields := card.unrecorded[variant]:
            yield f"not in {variant}", f"no sample has a value for {', '.join(fields)}"
    yield from _package_lines(card.provenance)
    yield from _public_lines(card.provenance)
    for item in card.provenance.get("dropped", ()):
        yield "note" if item.get("kept") or "kept" in item["reason"] else "left out", _dropped_line(item)
    yield "fingerprint", card.fingerprint


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
    return f"{item['count']:,}: {item['reason']}" + (f" ({listed}{more})" if listed else "")


def _show_classes(console: "Console", card: "Card") -> None:
    rows = []
    for label, sizes in card.classes.items():
        listed = ", ".join(f"{name} {size}" for name, size in list(sizes.items())[:20])
        small = ", ".join(f"{name} ({sizes[name]})" for name in card.small_classes[label]) or "–"
        rows.append((label, str(len(sizes)), listed + (", …" if len(sizes) > 20 else ""), small))
    heads = ("label", "classes", "patients", "left out (under 25)")
    print_table(console, heads, rows, title="classes (finest label first)")


def _show_leak(console: "Console", card: "Card") -> None:
    labels = list(card.classes)
    rows = [(variant, *(f"{figures[label]:.3f}" for label in labels)) for variant, figures in card.label_leak.items()]
    rows.append(("majority class", *(f"{card.chance[label]:.3f}" for label in labels)))
    title = "label leakage: balanced accuracy of labels predicted from text tokens"
    print_table(console, ("text", *labels), rows, title=title)


def _show_missing(console: "Console", card: "Card") -> None:
    counts = [(column, count) for column, count in card.missing.items() if count]
    rows = [(column, str(count), f"{100 * count / card.samples:.0f} %") for column, count in counts]
    rows.append((f"no missing values: {len(card.missing) - len(counts)} columns", "", ""))
    heads = ("clinical column", "samples without a value", "share")
    print_table(console, heads, rows)
