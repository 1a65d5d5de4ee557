#!/usr/bin/env bash
# cmapPy 4.0.1
# Guess: write_gct followed by parse returns the matrix that was written.
# Truth: write_gct prints four decimals unless data_float_format says otherwise, so that a TPM of 0.00002 becomes 0, and
#        parse reads single precision. Zeros appear, and the logarithm of a rare transcript changes from -15.6 to -inf.
# Seen:  0.00002 -> 0.0; 123456.789012 -> 123456.789062
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check cmapPy==4.0.1
cd "$folder"
environment/bin/python -W ignore - <<'PYTHON'
import pandas as pd
from cmapPy.pandasGEXpress import parse_gct, write_gct
from cmapPy.pandasGEXpress.GCToo import GCToo

written = pd.DataFrame([[0.00002, 1.5], [123456.789012, 3.0]], index=["TP53", "MYC"], columns=["s1", "s2"])
write_gct.write(GCToo(written), "small.gct")
read = parse_gct.parse("small.gct").data_df
print(read)
assert read.loc["TP53", "s1"] == 0.0, "changed: small values are kept"
assert abs(float(read.loc["MYC", "s1"]) - 123456.789012) > 1e-6, "changed: double precision is kept"
write_gct.write(GCToo(written), "exact.gct", data_float_format="%.17g")
assert parse_gct.parse("exact.gct").data_df.loc["TP53", "s1"] > 0, "changed: data_float_format is ignored"
PYTHON
