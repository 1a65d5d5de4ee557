#!/usr/bin/env bash
# scikit-survival 0.28.0, lifelines 0.30.3
# Guess: a concordance index depends on the order of the predicted risks alone, and both libraries agree on it.
# Truth: scikit-survival takes risks that differ by at most 1e-8 for equal (tied_tol). Hazards per day, or per hour, of a
#        good model are that small: its index falls to chance while that of lifelines stays.
# Seen:  the true order as hazards of up to 1.6e-7: lifelines 1.000, scikit-survival 0.518
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check scikit-survival==0.28.0 lifelines==0.30.3
cd "$folder"
environment/bin/python -W ignore - <<'PYTHON'
import numpy as np
from lifelines.utils import concordance_index
from sksurv.metrics import concordance_index_censored

rng = np.random.default_rng(0)
days = rng.exponential(500, 200)
died = rng.random(200) < 0.6
for hazard in (1e-4 / days, 1e-7 / days):
    other = concordance_index(days, -hazard, died)
    index, *_ = concordance_index_censored(died, days, hazard)
    print(f"largest hazard {hazard.max():.1e}: lifelines {other:.3f}, scikit-survival {index:.3f}")
assert other == 1.0, "changed: lifelines"
assert index < 0.6, "changed: scikit-survival tells small risks apart"
index, *_ = concordance_index_censored(died, days, hazard, tied_tol=0.0)
assert index == 1.0, "changed: tied_tol=0"
PYTHON
