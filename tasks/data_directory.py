"""Where cohorts live: `$GEXBENCH_DATA`, else the user's data directory; and loading them by name."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gexbench.tasks.cohorts.closed import refuse
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import checked_name, unknown

if TYPE_CHECKING:
    from gexbench.tasks.cohorts.cohort import Cohort

VARIABLE = "GEXBENCH_DATA"
SIMULATED = "simulated"
_TABLE = "cohort.h5ad"


def data_directory() -> Path:
    """`$GEXBENCH_DATA` where it is set, else the user's data directory of the platform.

    Raises:
        InputError: a loop of symbolic links, or the home of a user that is not known.
    """
    named = os.environ.get(VARIABLE)
    if named:
        try:
            return Path(named).expanduser().resolve()
        except RuntimeError as error:
            raise InputError(f"{VARIABLE}={named}: not a valid folder ({error}); set another") from None
    import platformdirs

    return Path(platformdirs.user_data_dir("gexbench", appauthor=False))


def cohort_folder(name: str) -> Path:
    """The folder of a cohort, existing or not.

    Raises:
        InputError: an invalid name, or the name of the built-in cohort.
    """
    if checked_name(name, "cohort") == SIMULATED:
        raise InputError(f"cohort name {name!r} is reserved for the built-in cohort; choose another")
    return data_directory() / "cohorts" / name


def list_cohorts() -> list[tuple[str, str]]:
    """Name and place of every cohort: the built-in one first. Reads no data."""
    folder = data_directory() / "cohorts"
    names = sorted(path.parent.name for path in folder.glob(f"*/{_TABLE}") if not path.parent.name.startswith("."))
    return [(SIMULATED, "built in"), *((name, str(folder / name)) for name in names)]


def load_cohort(name: str, *, verify: bool = True, conditions: bool = True) -> "Cohort":
    """A cohort by name: `simulated` is built in, others were built with `gexbench cohort build`.

    Args:
        name: its name.
        verify: compare the fingerprint of a stored cohort with its data.
        conditions: also read text and patches (`read_cohort`).

    Raises:
        InputError: an unknown cohort, a damaged folder, or a cohort that is closed here (`cohorts.closed`).
    """
    refuse(name)
    if name == SIMULATED:
        from gexbench.tasks.simulated.cohort import simulated_cohort

        made = simulated_cohort()
        return made if conditions else made.without_conditions()
    known = [found for found, _ in list_cohorts()]
    if name not in known:
        error = unknown(name, known, "cohort")
        raise InputError(f"{error} (in {data_directory()}; build one with `gexbench cohort build`)")
    from gexbench.tasks.cohorts.cohort_folder import read_cohort

    return read_cohort(cohort_folder(name), verify=verify, conditions=conditions)
