#!/usr/bin/env bash
# sdmetrics 0.32.0
# Guess: NewRowSynthesis, the share of synthetic rows that are no copies, works on a table of 680 genes.
# Truth: it joins one comparison per column into a single pandas query, whose parser descends into the expression: from
#        about 400 columns on it ends in a RecursionError.
# Seen:  300 genes: 0.0 (all rows are copies, right); 680 genes: RecursionError: maximum recursion depth exceeded
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check sdmetrics==0.32.0
cd "$folder"
environment/bin/python -W ignore - <<'PYTHON'
import numpy as np
import pandas as pd
from sdmetrics.single_table import NewRowSynthesis


def share(genes):
    rows = np.random.default_rng(0).normal(8, 1, (20, genes))
    table = pd.DataFrame(rows, columns=[f"G{i}" for i in range(genes)])
    return NewRowSynthesis.compute(table, table.copy(), {"columns": {name: {"sdtype": "numerical"} for name in table}})


print("300 genes:", share(300))
assert share(300) == 0.0, "changed: copies are new rows"
try:
    share(680)
except RecursionError as error:
    print("680 genes: RecursionError:", error)
else:
    raise SystemExit("changed: 680 genes work")
PYTHON
