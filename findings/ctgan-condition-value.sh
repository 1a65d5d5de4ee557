#!/usr/bin/env bash
# ctgan 0.12.1
# Guess: CTGAN.sample(n, condition_column="type", condition_value="LUAD") returns n rows whose type is LUAD.
# Truth: the condition raises the chance of the value and no more; rows of other types come back among those asked for,
#        without a warning. Who wants rows of a class must draw until there are enough and drop the others.
# Seen:  of 1,000 rows asked for as LUAD about half are LUAD, with two types and 20 epochs
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 ctgan==0.12.1
cd "$folder"
environment/bin/python -W ignore - <<'PYTHON'
import numpy as np
import pandas as pd
from ctgan import CTGAN

rng = np.random.default_rng(0)
kind = rng.choice(["LUAD", "LUSC"], 500)
table = pd.DataFrame({"TP53": rng.normal(8, 1, 500) + 3 * (kind == "LUAD"), "MYC": rng.normal(7, 1, 500), "type": kind})
model = CTGAN(epochs=20)
model.set_random_state(0)
model.fit(table, ["type"])
asked = model.sample(1000, condition_column="type", condition_value="LUAD")
share = (asked["type"] == "LUAD").mean()
print(f"{len(asked)} rows asked for as LUAD, share that is LUAD: {share:.2f}")
assert share < 0.95, "changed: the condition is kept"
PYTHON
