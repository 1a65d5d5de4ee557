"""Records hold no path, user or host; the source hash follows the import closure."""

import platform
import sys
from pathlib import Path

from gexbench.benchmark.machine import environment


def test_traces_are_scrubbed():
    here = Path(environment.__file__).resolve()
    text = f'File "{here}", line 3; {sys.prefix}/lib/x.py; /home/someone/secret/file.py on {platform.node()}'
    clean = environment.scrubbed(text)
    assert "<gexbench>" in clean
    assert "someone" not in clean
    assert str(here.parent) not in clean
    assert sys.prefix not in clean


def test_versions_and_hardware_are_there():
    assert environment.versions()["torch"].startswith("2.")
    assert environment.hardware()["cores"] >= 1


def test_source_hash_covers_what_a_generator_imports():
    label = environment.source_hash("gexbench.models.contract:Generator")
    assert label == environment.source_hash("gexbench.models.contract:Generator")
    assert label != environment.source_hash("gexbench.models.settings:GeneratorSettings")
    contract = Path(environment.__file__).resolve().parents[2] / "models" / "contract.py"
    assert "gexbench.tasks.cohorts.split" in environment._imports(contract.read_bytes())
