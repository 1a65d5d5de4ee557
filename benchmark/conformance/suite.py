"""The checks of `gexbench check`, in their order."""

from gexbench.benchmark.conformance import behaviour, rows
from gexbench.benchmark.conformance.check import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "fit",
        "it fits on a small cohort",
        "nothing can be checked on a generator that does not train",
        "Learn from the training patients; the validation patients serve early stopping and checkpoints.",
        behaviour.fit,
    ),
    Check(
        "rows",
        "one finite float32 row per condition and draw, with its id and the fold's genes",
        "every metric aligns rows by id and columns by name; a wrong one would score another patient or gene",
        "one float32 row per condition and draw, finite, not below the unit's floor",
        rows.rows,
    ),
    Check(
        "no conditions",
        "no conditions, no rows",
        "a class without patients in a fold requests no rows, and must not fail the cell",
        "No conditions give no rows.",
        rows.no_conditions,
    ),
    Check(
        "draws",
        "draws of one patient differ",
        "the paired metrics measure the spread of 19 draws of each patient",
        "The draws of a patient stand together, and differ unless the class is `deterministic`.",
        rows.draws,
    ),
    Check(
        "seeds",
        "same seeds, same bits; another seed, different rows",
        "numbers that cannot be reproduced cannot be cited, and cached cells would differ from a rerun",
        "the same seeds give the same bits",
        rows.seeds,
    ),
    Check(
        "training seed",
        "another training seed, another model",
        "intervals over seeds would be 0 although training is random",
        "the same seeds give the same bits",
        rows.training_seed,
    ),
    Check(
        "conditions",
        "rows depend on exactly the declared conditions",
        "the table states what a generator sees; ablations and the utility family rely on it",
        "Samples react to exactly these, one by one.",
        rows.conditions,
    ),
    Check(
        "global state",
        "global random state and settings stay as they are",
        "a worker runs many cells in turn: the numbers of the next would depend on this one",
        "Global random state is neither read nor left changed.",
        behaviour.global_state,
    ),
    Check(
        "inputs",
        "inputs are not modified",
        "a fold's tensors are shared by all generators: the next would learn from altered data",
        "Inputs are never written to.",
        behaviour.inputs,
    ),
    Check(
        "saving",
        "saved and loaded, it samples the same bits",
        "a kept model must reproduce the rows that were scored",
        "Everything `sample` needs, as tensors and JSON-able facts.",
        rows.saving,
    ),
    Check(
        "settings",
        "settings are typed and refuse unknown names",
        "settings are part of a cell's key: a misspelt setting would be ignored, yet the row would state it",
        "Settings: the settings' model, which also declares the version and the budgets' presets.",
        rows.settings,
    ),
    Check(
        "device",
        "tensors are made on the split's device",
        "on a GPU it would fail or copy between devices at every step",
        "New tensors are made on the device of the split.",
        behaviour.device,
    ),
    Check(
        "absent conditions",
        "a cohort without text and patches: Unavailable with the reason, or rows",
        "cohorts differ; a generator that cannot run on one is listed with the reason instead of as failed",
        "Unavailable: when the cohort lacks what the generator needs.",
        behaviour.absent_conditions,
    ),
    Check(
        "small classes",
        "classes of one and of two training patients",
        "rare cancer types and small training fractions leave classes this small",
        "A class may have a single training patient.",
        behaviour.small_classes,
    ),
    Check(
        "progress",
        "progress is reported and ends at the last step",
        "the progress display and time estimate rely on it; a silent training looks stuck",
        "Called by `fit` a few times a second at most; `values` are floats such as losses.",
        behaviour.progress,
    ),
    Check(
        "report",
        "the report can be written into a record",
        "what a record cannot hold is left out of it, with a warning in the row",
        "What a fit leaves for the record.",
        behaviour.report,
    ),
    Check(
        "left behind",
        "no files, processes or threads are left",
        "a sweep runs thousands of cells in a few processes: leftovers fill disk and memory",
        "Nothing is left behind: no files, processes or threads.",
        behaviour.left_behind,
    ),
    Check(
        "cost",
        "a fit at budget quick stays small",
        "budgets make rows comparable: every family does about the same work at a given budget",
        "`quick` 5 CPU-seconds",
        behaviour.cost,
    ),
)
"""Each can be run on its own; the first one makes the fit that the others look at."""
