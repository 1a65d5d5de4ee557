#!/usr/bin/env bash
# archs4py 1.0.4
# Guess: data.samples(file, ids) and data.index(file, places) return one column per request, in the order of the request.
# Truth: columns come in the order of the file, and an id that the file does not hold is left out without a word. Labels
#        kept in the order of the request are then those of other samples.
# Seen:  asked for GSM4, GSM1, GSM99 -> columns GSM1, GSM4
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check archs4py==1.0.4 "numpy<2"
cd "$folder"
environment/bin/python -W ignore - <<'PYTHON'
import h5py
import numpy as np
from archs4py import data

text = h5py.string_dtype()
with h5py.File("small.h5", "w") as file:
    file["data/expression"] = np.arange(24, dtype=np.uint32).reshape(4, 6)
    file.create_dataset("meta/samples/geo_accession", data=[f"GSM{i}" for i in range(6)], dtype=text)
    file.create_dataset("meta/genes/symbol", data=["TP53", "MYC", "EGFR", "PTEN"], dtype=text)
    file.create_dataset("meta/genes/gene_symbol", data=["TP53", "MYC", "EGFR", "PTEN"], dtype=text)
by_name = list(data.samples("small.h5", ["GSM4", "GSM1", "GSM99"], silent=True).columns)
by_place = list(data.index("small.h5", [4, 1], silent=True).columns)
print("asked for GSM4, GSM1, GSM99:", by_name, "| asked for places 4, 1:", by_place)
assert by_name == ["GSM1", "GSM4"], "changed: samples()"
assert by_place == ["GSM1", "GSM4"], "changed: index()"
PYTHON
