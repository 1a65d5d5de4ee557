"""Golden numbers: a generator whose numbers change needs a new declared version.

After a wanted change raise the generator's version in its settings and write the numbers anew:
`GEXBENCH_WRITE_GOLDEN=1 python -m pytest tests/models/test_golden.py`
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from gexbench.models import BUILT_IN, registry
from gexbench.models.registry import create
from gexbench.tasks.cohorts.device_fold import DeviceFold

VALUES = Path(__file__).parent / "golden_values.json"


@pytest.mark.parametrize("name", [entry.name for entry in BUILT_IN])
def test_numbers_are_those_of_the_declared_version(name: str, data: DeviceFold) -> None:
    entry = registry()[name]
    steps = {"steps": 20} if "steps" in entry.settings_class().model_fields else {}
    generator = create(entry, "quick", steps)
    generator.fit(data.train, data.validation, seed=11)
    rows = generator.sample(data.test_conditions.take([0, 7]), 2, seed=12).expression
    found = {"version": entry.settings_class().version, "values": rows[:, ::13].round(6).tolist()}
    if os.environ.get("GEXBENCH_WRITE_GOLDEN"):
        known = json.loads(VALUES.read_text()) if VALUES.exists() else {}
        VALUES.write_text(json.dumps({**known, name: found}, indent=1, sort_keys=True) + "\n")
    golden = json.loads(VALUES.read_text())[name]
    assert found["version"] == golden["version"], "write the numbers of the new version"
    np.testing.assert_allclose(found["values"], golden["values"], atol=1e-5, rtol=0)
