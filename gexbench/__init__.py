"""Benchmark suite for generative models of tumour gene expression: what a Python program needs of it.

- `run(specification)`: run a sweep, or resume it, and write its leaderboard.
- `load_leaderboard(folder)`: the main table of a leaderboard as a pandas frame.
- `build_cohort(name, ...)`: build a cohort from files.
- `InputError`: what all three raise on bad input; `problems` lists every one.
- `__version__`: of the installed package.

Importing this package imports neither pandas nor torch: names are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gexbench.cohorts import build_cohort
    from gexbench.leaderboard_frames import load_leaderboard
    from gexbench.sweep_runs import SweepRun, run
    from gexbench.tasks.errors import InputError

    __version__: str

__all__ = ["InputError", "SweepRun", "__version__", "build_cohort", "load_leaderboard", "run"]

_MODULES = {
    "InputError": "gexbench.tasks.errors",
    "SweepRun": "gexbench.sweep_runs",
    "build_cohort": "gexbench.cohorts",
    "load_leaderboard": "gexbench.leaderboard_frames",
    "run": "gexbench.sweep_runs",
}

if not TYPE_CHECKING:  # a type checker would take every misspelt name for one of these

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return import_module("importlib.metadata").version("gexbench")
        if name in _MODULES:
            return getattr(import_module(_MODULES[name]), name)
        raise AttributeError(f"module 'gexbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
