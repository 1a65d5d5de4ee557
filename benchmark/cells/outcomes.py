"""How a piece of a cell's work ended: any failure is an outcome, never an exception."""

import traceback
from collections.abc import Callable

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.machine.memory import memory_is_short
from gexbench.models.contract import Diverged, Unavailable
from gexbench.models.entry import missing_package
from gexbench.tasks.files.atomic import DiskFull

SMALL = 2**20
"""Bytes that every entry of the store but kept rows stays below."""


class WroteToInputs(Exception):
    """A generator modified its input tensors, which other cells share; the worker must be replaced."""


class LostRows(Exception):
    """Kept rows to be scored are corrupt, or have been removed meanwhile."""


def outcome_of(work: Callable[[], object], writes: Callable[[], int] = lambda: SMALL) -> Outcome:
    """Do a piece of work; how it ended.

    Args:
        writes: bytes that it was writing to the store, asked when the disk is full.
    """
    try:
        work()
    except Unavailable as error:
        return Outcome("unavailable", str(error))
    except ModuleNotFoundError as error:
        if (needs := missing_package(error)) is None:
            return Outcome("failed", f"{type(error).__name__}: {error}", traceback.format_exc(limit=-12))
        return Outcome("unavailable", needs)
    except Diverged as error:
        return Outcome("diverged", str(error))
    except DiskFull as error:
        return Outcome("failed", error.strerror, unwritten=writes())
    except LostRows as error:
        return Outcome("failed", str(error), lost_rows=True)
    except (Exception, SystemExit) as error:  # a cell's failure of any kind costs this cell alone
        trace = traceback.format_exc(limit=-12)
        if memory_is_short(error):
            return Outcome("out of memory", str(error) or type(error).__name__, trace)
        return Outcome("failed", f"{type(error).__name__}: {error}", trace)
    return Outcome("ok")
