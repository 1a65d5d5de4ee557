#!/usr/bin/env bash
# mlcroissant 1.1.1
# Guess: a field whose data type is sc:Text comes out of Dataset.records as str, as it stands in the CSV.
# Truth: it comes out as bytes. Genes read in this way match no name of another table, and a join is empty.
# Seen:  {'genes/gene': b'TP53', 'genes/value': 1.5}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check mlcroissant==1.1.1
cd "$folder"
environment/bin/python -W ignore - <<'PYTHON'
import hashlib
import json
from pathlib import Path

import mlcroissant as mlc

Path("genes.csv").write_text("gene,value\nTP53,1.5\nMYC,3\n")
file = mlc.FileObject(
    id="genes.csv",
    name="genes.csv",
    content_url="genes.csv",
    encoding_formats=["text/csv"],
    sha256=hashlib.sha256(Path("genes.csv").read_bytes()).hexdigest(),
)
fields = [
    mlc.Field(
        id=f"genes/{column}",
        name=column,
        data_types=kind,
        source=mlc.Source(file_object="genes.csv", extract=mlc.Extract(column=column)),
    )
    for column, kind in (("gene", mlc.DataType.TEXT), ("value", mlc.DataType.FLOAT))
]
described = mlc.Metadata(
    name="genes", url="https://example.org", distribution=[file], record_sets=[mlc.RecordSet(id="genes", fields=fields)]
)
Path("croissant.json").write_text(json.dumps(described.to_json(), default=str))
first = next(iter(mlc.Dataset("croissant.json").records("genes")))
print(first)
assert first["genes/gene"] == b"TP53", "changed: text is str"
PYTHON
