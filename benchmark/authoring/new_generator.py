"""Template of a new generator and of its test; imports no torch."""

import keyword
import re
from importlib.util import find_spec
from pathlib import Path

from gexbench.models.local.file import key_of
from gexbench.models.registry import Registry
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import write_text

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")

GENERATOR = '''\
"""$name: independent normal genes per class, a working start; replace it with your own model."""

import torch

from gexbench.models.contract import Generator, Samples, silent
from gexbench.models.settings import GeneratorSettings


class Settings(GeneratorSettings):
    version = "1"  # raise it when the same settings and seed give different numbers
    spread: float = 1.0


class $class(Generator):
    Settings = Settings
    needs = frozenset({"labels"})  # exactly those of labels, text and patches that `sample` reads

    def fit(self, train, validation, *, seed, progress=silent):
        self.genes, self.floor = train.genes, train.cohort.unit.floor
        rows, codes = train.expression, train.conditions.finest
        classes = len(train.conditions.classes[train.conditions.label_columns[0]])
        self.means, self.sds = rows.mean(0).repeat(classes, 1), rows.std(0).repeat(classes, 1)
        for code in codes.unique().tolist():
            of_class = rows[codes == code]
            self.means[code] = of_class.mean(0)
            self.sds[code] = of_class.std(0) if len(of_class) > 1 else rows.std(0)
        progress(1, 1)

    def sample(self, conditions, draws=1, *, seed):
        codes = conditions.finest.repeat_interleave(draws)
        noise = torch.randn((len(codes), len(self.genes)), generator=torch.Generator().manual_seed(seed), device="cpu")
        rows = self.means[codes] + self.settings.spread * self.sds[codes] * noise.to(codes.device)
        return Samples.of(rows.clamp(min=self.floor) if self.floor is not None else rows, conditions, draws, self.genes)

    def state(self):
        return {"means": self.means, "sds": self.sds}, {"genes": list(self.genes), "floor": self.floor}

    def restore(self, tensors, facts, device):
        self.means, self.sds = tensors["means"].to(device), tensors["sds"].to(device)
        self.genes, self.floor = tuple(facts["genes"]), facts["floor"]
'''

TEST = '''\
"""Tests of $name: `python -m pytest test_$module.py` (pip install pytest)."""

from pathlib import Path

import numpy as np
import pytest

from gexbench.benchmark.conformance import CHECKS, Subject, check_fold, checked
from gexbench.benchmark.authoring.local_generators import local_entry


@pytest.fixture(scope="module")
def subject():
    return Subject(local_entry(f"{Path(__file__).with_name('$module.py')}:$class"), check_fold())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_the_contract(subject, check):
    finding = checked(check, subject)
    assert finding.state != "broken", finding.lesson


def test_rows_of_a_class_have_its_mean(subject):
    train = subject.data.train
    rows = subject.fitted.sample(train.conditions, 50, seed=0).expression
    codes = train.conditions.finest.numpy()
    of_class = train.expression.numpy()[codes == codes[0]]
    drawn = rows[np.repeat(codes, 50) == codes[0]]
    np.testing.assert_allclose(drawn.mean(0), of_class.mean(0), atol=0.5)
'''


def write_generator(name: str, folder: Path, known: Registry) -> tuple[Path, Path]:
    """Write `MODULE.py` and `test_MODULE.py` into a folder: both or, with an error, neither.

    Args:
        name: registry key of the new generator, for example `my-model`.
        folder: created if missing.
        known: the registered generators, whose names are taken.

    Returns:
        The generator's file and its test.

    Raises:
        InputError: an invalid name, a name already in use, or existing files.
    """
    class_name = "".join(part.capitalize() for part in name.split("-"))
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or key_of(class_name) != name:
        raise InputError(
            f"generator name {name!r}: use words of a-z and 0-9 that begin with a letter, joined by hyphens: my-model"
        )
    if name in known:
        raise InputError(f"{name!r} is a registered generator; choose another name")
    files = folder / f"{module}.py", folder / f"test_{module}.py"
    problems = [f"{path} already exists; choose another name or --folder" for path in files if path.exists()]
    if not problems and (keyword.iskeyword(module) or find_spec(module) is not None):
        problems.append(f"a file {module}.py would hide the module {module!r}; choose another name")
    if problems:
        raise InputError(problems)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be created ({error.strerror}); choose another --folder") from None
    for path, text in zip(files, (GENERATOR, TEST), strict=True):
        for mark, value in (("$name", name), ("$module", module), ("$class", class_name)):
            text = text.replace(mark, value)
        write_text(path, text)
    return files
