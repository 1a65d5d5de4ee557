"""The documentation page of the generators, made from the registry; imports no torch."""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from gexbench.models.cards.parameter_counts import PARAMETERS
from gexbench.models.registry import Entry, resolve_settings
from gexbench.models.settings import BudgetName, GeneratorSettings

_INTRODUCTION = """# Generators

For users who choose generators or change their settings: every generator of the registry.

`gexbench ls generators --markdown` prints this page. Conditions: what a generator may see of a patient; without any it
is unconditional. Parameters: trained parameters at budget `cpu` for a cohort of TCGA's shape (680 genes); for a WGAN-GP
those of its generator, without the critic. Version: a change makes new records. Pass settings as
`--settings GENERATOR.SETTING=VALUE`; each family has its own, and the budget changes some of them. References take no
rank: they set floors, ceilings and the baseline.
"""
_NOTHING = "–"


def generators_page(entries: Iterable[Entry]) -> str:
    """Markdown: a section per family with its settings, and a card per generator.

    Args:
        entries: in the order to be shown; generators that cannot be used here stand with their card alone.
    """
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.family, []).append(entry)
    parts = [_INTRODUCTION.strip()]
    for family, members in families.items():
        parts += [f"## {_title(family)}", *(_card(entry) for entry in members)]
        parts += [_family_settings(cls) for cls in dict.fromkeys(_settings_class(entry) for entry in members) if cls]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(family: str) -> str:
    return "References" if family == "reference" else family


def _settings_class(entry: Entry) -> type[GeneratorSettings] | None:
    """The class of an entry's settings; None where a package that it needs is not there."""
    return None if entry.unavailable and not entry.settings_target else entry.settings_class()


def _card(entry: Entry) -> str:
    cls = _settings_class(entry)
    facts = {
        "conditions": ", ".join(entry.conditions) or "none",
        "version": cls.version if cls else _NOTHING,
        "parameters": f"{PARAMETERS[entry.name]:,}" if entry.name in PARAMETERS else _NOTHING,
        "source": _cell(entry.source) or _NOTHING,
    }
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    if entry.returns_real_rows:
        lines.append("- returns rows of real patients")
    summary = f"{entry.summary[:1].upper()}{entry.summary[1:]}."
    return "\n\n".join([f"### {entry.name}", _cell(summary), "\n".join(lines), _own_settings(entry, cls)]).rstrip()


def _own_settings(entry: Entry, cls: type[GeneratorSettings] | None) -> str:
    """Settings that differ from the family's defaults, by budget."""
    if cls is None or not cls.model_fields:
        return ""
    defaults = {name: field.get_default(call_default_factory=True) for name, field in cls.model_fields.items()}
    budgets = get_args(BudgetName)
    resolved = {budget: resolve_settings(entry, budget).model_dump() for budget in budgets}
    names = [name for name in defaults if any(resolved[budget][name] != defaults[name] for budget in budgets)]
    if not names:
        return ""
    rows = [[f"`{name}`", *(_value(resolved[budget][name]) for budget in budgets)] for name in names]
    return _table(["setting", *(f"at {budget}" for budget in budgets)], rows)


def _family_settings(cls: type[GeneratorSettings]) -> str:
    """Every setting of a class with its default, what it is, and the values that `gexbench tune` searches."""
    if not cls.model_fields:
        return ""
    texts = _documented(cls)
    rows = [
        [
            f"`{name}`",
            _value(field.get_default(call_default_factory=True)),
            _cell(str(cls.search_space[name])) if name in cls.search_space else _NOTHING,
            _cell(texts.get(name, "")) or _NOTHING,
        ]
        for name, field in cls.model_fields.items()
    ]
    return f"**Settings** (`{cls.__name__}`)\n\n" + _table(["setting", "default", "searched", "what it is"], rows)


def _documented(cls: type[GeneratorSettings]) -> Mapping[str, str]:
    """Setting → its line in the docstrings of the class and of those it inherits from, its own first."""
    found: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        text = inspect.cleandoc(each.__dict__.get("__doc__") or "")
        _, _, attributes = text.partition("Attributes:\n")
        for names, meaning in re.findall(r"^    (\w[\w, ]*): ((?:.|\n(?=     ))+)", attributes, re.MULTILINE):
            found |= dict.fromkeys((name.strip() for name in names.split(",")), " ".join(meaning.split()))
    return found


def _value(value: Any) -> str:
    return _cell(f"`{value:g}`" if isinstance(value, float) else f"`{value}`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
