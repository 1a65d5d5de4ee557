#!/usr/bin/env bash
# pyarrow 26.0.1
# Guess: pyarrow.csv reads a table of samples x genes of any width, and names the line if it cannot.
# Truth: the header has to fit into the first block of 1 MiB. With the 60,660 versioned Ensembl ids of GENCODE v36 as
#        columns it does not, and a table of three samples is said to be empty. A larger block_size helps.
# Seen:  ArrowInvalid: CSV parse error: Empty CSV file or block: cannot infer number of columns
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1
cd "$folder"
environment/bin/python -W ignore - <<'PYTHON'
import io

import pyarrow as pa
from pyarrow import csv

genes = [f"ENSG{i:011d}.{i % 20 + 1}" for i in range(60_660)]
lines = [",".join(["sample", *genes])] + [",".join([f"s{i}", *["1.5"] * len(genes)]) for i in range(3)]
table = "\n".join(lines).encode()
try:
    csv.read_csv(io.BytesIO(table))
except pa.ArrowInvalid as error:
    print(f"a table of {len(table) / 1e6:.1f} MB, 3 samples:", error)
    assert "cannot infer number of columns" in str(error), "changed: another message"
else:
    raise SystemExit("changed: the table is read")
read = csv.read_csv(io.BytesIO(table), read_options=csv.ReadOptions(block_size=2**24))
assert (read.num_rows, read.num_columns) == (3, 60_661), "changed: block_size does not help"
PYTHON
