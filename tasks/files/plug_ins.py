"""What other installed packages add through entry points, loaded so that a broken package costs itself alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from gexbench.tasks.files.plain_text import plain


@dataclass(frozen=True, slots=True)
class PlugIn:
    """One entry point: its name and target, the distribution that it comes from, and what it gives.

    loaded: the object, or what a function returned; None when `broken` says why it cannot be loaded.
    """

    name: str
    target: str
    distribution: str
    loaded: Any = None
    broken: str = ""

    @property
    def prefix(self) -> str:
        """The distribution's name as a Python identifier, which names of its metrics begin with."""
        return re.sub(r"[-_.]+", "_", self.distribution).lower()


def plug_ins(group: str, noun: str) -> Iterator[PlugIn]:
    """The entry points of a group by name; `noun` says in messages what they are."""
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        distribution = getattr(point, "dist", None)
        owner = distribution.name if distribution else point.value.partition(":")[0].partition(".")[0]
        try:
            loaded = point.load()
            made = loaded() if callable(loaded) and not isinstance(loaded, type) else loaded
        except (Exception, SystemExit) as error:  # another package's code may raise anything, or end the program
            broken = not_imported(noun, point.name, owner, error)
            yield PlugIn(point.name, point.value, owner, broken=broken)
            continue
        yield PlugIn(point.name, point.value, owner, made)


def not_imported(noun: str, name: str, distribution: str, error: BaseException) -> str:
    """Says of a plug-in that it cannot be imported, the cause and the fix."""
    cause = plain(f"{type(error).__name__}: {error}".splitlines()[0])
    owner = f"the package {distribution}" if distribution else "its package"
    return f"{noun} {name}: {owner} cannot be imported ({cause}); fix or uninstall the package"
