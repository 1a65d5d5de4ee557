"""The checks of `gexbench check`, in their order."""

from gexbench.benchmark.conformance import behaviour, rows
from gexbench.benchmark.conformance.check import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "fit",
        "it fits on a small cohort",
        "nothing can be said of a generator that does not train",
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
        "a class without patients in a fold asks for no rows, and must not end the cell",
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
        "same seeds, same bits; another seed, other rows",
        "a number that cannot be made again cannot be quoted, and cached cells would not be what a rerun gives",
        "the same seeds give the same bits",
        rows.seeds,
    ),
    Check(
        "training seed",
        "another training seed, another model",
        "intervals over seeds would be 0 although the training has randomness",
        "the same seeds give the same bits",
        rows.training_seed,
    ),
    Check(
        "conditions",
        "rows react to exactly the declared conditions",
        "the table says what a generator was shown; ablations and the utility family rest on it",
        "Samples react to exactly these, one by one.",
        rows.conditions,
    ),
    Check(
        "global state",
        "global random state and settings stay as they are",
        "a worker does many cells one after another: the numbers of the next would depend on this one",
        "Global random state is neither read nor left changed.",
        behaviour.global_state,
    ),
    Check(
        "inputs",
        "inputs are not written to",
        "a fold's tensors are shared by all generators: the next would learn from spoilt data",
        "Inputs are never written to.",
        behaviour.inputs,
    ),
    Check(
        "saving",
        "saved and loaded, it samples the same bits",
        "a kept model must give the rows that were scored",
        "Everything `sample` needs, as tensors and JSON-able facts.",
        rows.saving,
    ),
    Check(
        "settings",
        "settings are typed and refuse unknown names",
        "settings are part of a cell's key: a misspelt one would be ignored, and the row would claim it",
        "Settings: the settings' model, which also declares the version and the budgets' presets.",
        rows.settings,
    ),
    Check(
        "device",
        "tensors are made on the split's device",
        "on a GPU it would fail, or copy between devices at every step",
        "New tensors are made on the device of the split.",
        behaviour.device,
    ),
    Check(
        "absent conditions",
        "a cohort without text and patches: Unavailable with the reason, or rows",
        "cohorts differ; a generator that cannot work there is listed with its reason and not as failed",
        "Unavailable: when the cohort lacks what the generator needs.",
        behaviour.absent_conditions,
    ),
    Check(
        "small classes",
        "classes of one and of two training patients",
        "rare cancer types and small shares of the patients leave classes this small",
        "A class may have a single training patient.",
        behaviour.small_classes,
    ),
    Check(
        "progress",
        "progress is reported and ends at the last step",
        "the display and the time left come from it; a silent training looks hung",
        "Called by `fit` a few times a second at most; `values` are floats such as losses.",
        behaviour.progress,
    ),
    Check(
        "report",
        "the report can be written into a record",
        "records are JSON without NaN; a tensor in them would lose the cell",
        "What a fit leaves for the record.",
        behaviour.report,
    ),
    Check(
        "left behind",
        "no files, processes or threads are left",
        "a sweep runs thousands of cells in a few processes: leftovers fill the disk and the memory",
        "Nothing is left behind: no files, processes or threads.",
        behaviour.left_behind,
    ),
    Check(
        "cost",
        "a fit at budget quick stays small",
        "budgets make rows comparable: each family does about the same work under one budget",
        "`quick` 5 CPU-seconds",
        behaviour.cost,
    ),
)
"""Each can be run on its own; the first one makes the fit that the others look at."""
