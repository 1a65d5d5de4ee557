#!/usr/bin/env bash
# prdc 0.2
# Guess: an exact copy of the real rows has precision, recall and coverage 1.
# Truth: distances are compared with "<". A profile that stands more than k times in the data (cells in which no gene of
#        the panel was found, for one) has a ball of radius 0 that does not even hold its own centre.
# Seen:  200 sparse count profiles against themselves: precision, recall and coverage .395; 200 continuous ones: 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check prdc==0.2 numpy==2.4.6
cd "$folder"
environment/bin/python -W ignore - <<'PYTHON'
import numpy as np
from prdc import compute_prdc

rng = np.random.default_rng(0)
counts = rng.poisson(0.02, (200, 30)).astype(float)
sparse = compute_prdc(counts, counts.copy(), nearest_k=5)
values = rng.normal(size=(200, 30))
dense = compute_prdc(values, values.copy(), nearest_k=5)
print("sparse counts:", sparse)
print("continuous:", dense)
assert max(sparse[name] for name in ("precision", "recall", "coverage")) < 0.5, "changed: equal profiles count"
assert min(dense[name] for name in ("precision", "recall", "coverage")) == 1.0, "changed: continuous profiles"
PYTHON
