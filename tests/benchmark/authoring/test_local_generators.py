"""Generators from a file that the user names, and from another package's entry point."""

import json
import os
import subprocess
import sys

import pytest

from gexbench.benchmark import cli
from gexbench.benchmark.authoring.local_generators import local_entry, with_local
from gexbench.benchmark.authoring.local_process import planned_settings
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.models import registry
from gexbench.models.local.file import key_of
from gexbench.models.registry import Registry
from gexbench.tasks.errors import InputError

SOURCE = '''"""Normal rows."""
import torch
from gexbench.models.contract import Generator, Samples
from gexbench.models.settings import GeneratorSettings

class Settings(GeneratorSettings):
    shift: float = 0.0

class MyModel(Generator):
    """One normal distribution."""
    Settings = Settings
    def fit(self, train, validation, *, budget, seed, progress=None):
        if self.settings.shift < 0: raise RuntimeError(f"no shift below 0, says {__file__}")
        self.genes, self.mean = train.genes, train.expression.mean(0)
    def sample(self, conditions, draws=1, *, seed):
        noise = torch.randn(len(conditions) * draws, len(self.genes), generator=torch.Generator().manual_seed(seed))
        return Samples.of((self.mean + noise + self.settings.shift).clamp(min=0), conditions, draws, self.genes)
    def state(self): return {"mean": self.mean}, {"genes": list(self.genes)}
    def restore(self, tensors, facts, device):
        self.mean, self.genes = tensors["mean"].to(device), tuple(facts["genes"])
'''


@pytest.fixture
def file(tmp_path):
    """`my_model.py` in a folder whose name must not get into records."""
    path = tmp_path / "secret folder" / "my_model.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("MyModel", "my-model"),
        ("CVAEGemm", "cvae-gemm"),
        ("MyVAE", "my-vae"),
        ("Gan2Layers", "gan2-layers"),
        ("A_b", "a-b"),
        ("A", "a"),
    ],
)
def test_the_key_is_the_class_name_with_hyphens(name, key):
    assert key_of(name) == key


def test_an_entry_says_what_the_class_says(file):
    file.write_text(f"{SOURCE}print('loud')\n")
    for text in (f"{file}:MyModel", str(file)):
        entry = local_entry(text)
        assert (entry.name, entry.family, entry.conditions, entry.local) == ("my-model", "local", (), True)
        assert entry.summary == "One normal distribution."
        assert entry.load().__name__ == "MyModel"
    assert not any(entry.local for entry in registry().values())
    assert list(file.parent.iterdir()) == [file]


def test_the_process_that_ranks_never_runs_the_file(file, workbench, monkeypatch, tmp_path):
    """It could replace a metric there, or another generator's record."""
    monkeypatch.setenv("GEXBENCH_TEST_PIDS", str(tmp_path / "pids"))
    noting = "import os\nwith open(os.environ['GEXBENCH_TEST_PIDS'], 'a') as pids: pids.write(f'{os.getpid()}\\n')\n"
    file.write_text(noting + SOURCE)
    before = {name for name in sys.modules if name.startswith("gexbench_local")}
    entries, names = with_local(Registry((*workbench.registry.values(),)), (str(file),))
    workbench.registry = entries
    workbench.runner({names[0]: {"shift": 0.5}}).run(1, workbench.display())
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 3, "one asks the class, one the settings, one trains"
    assert str(os.getpid()) not in pids
    assert {name for name in sys.modules if name.startswith("gexbench_local")} <= before


def test_settings_of_a_file_are_resolved_as_those_of_a_registered_generator(file):
    file.write_text(
        SOURCE.replace("shift: float = 0.0", "shift: float = 0.0\n    sizes: tuple[int, ...] = (1, 2)")
        .replace("class Settings(GeneratorSettings):", "class Settings(GeneratorSettings):\n    version = '7'")
        .replace("    shift:", "    presets = {'cpu': {'shift': 2.0, 'sizes': (5,)}}\n    shift:")
    )  # fmt: skip
    entry = local_entry(str(file))
    assert planned_settings(entry, "quick").model_dump() == {"shift": 0.0, "sizes": [1, 2]}
    assert planned_settings(entry, "cpu", {"sizes": [3]}).model_dump() == {"shift": 2.0, "sizes": [3]}
    assert planned_settings(entry, "cpu").version == "7"
    with pytest.raises(InputError) as caught:
        planned_settings(entry, "quick", {"shfit": 1.0, "sizes": "x"})
    assert caught.value.problems[0].startswith("generator my-model: setting sizes: 'x' is not a list")
    assert caught.value.problems[1] == "generator my-model: unknown setting 'shfit'; did you mean 'shift'?"


def test_files_join_the_registry_and_names_stay(file):
    entries, names = with_local(registry(), (f"{file}:MyModel", "class-gaussian"))
    assert names == ("my-model", "class-gaussian")
    assert list(entries) == [*registry(), "my-model"]
    assert with_local(registry(), ("all",))[1] == tuple(registry())


def test_the_content_of_the_file_is_part_of_its_keys_alone(file, small_cohort):
    def keys():
        entries, names = with_local(registry(), (f"{file}:MyModel",))
        sweep = sweep_of(entries, generators=names, cohort="small", folds=(0,))
        return {cell.entry.name: cell.train_key for cell in plan(sweep, entries, small_cohort, "0" * 64).cells}

    before = keys()
    file.write_text(SOURCE + "# another\n")
    after = keys()
    assert {name for name in before if before[name] != after[name]} == {"my-model"}


def test_keys_of_registered_generators_stay_what_they_were(small_cohort):
    sweep = sweep_of(registry(), generators=("mixup",), cohort="small", folds=(0,))
    keys = {cell.entry.name: cell.train_key for cell in plan(sweep, registry(), small_cohort, "0" * 64).cells}
    assert keys["mixup"] == "ca5af01645886da8aaca8ecf2e30aaf9830cff26e9d00f294fb3e99694fc9a34"


@pytest.mark.parametrize(
    ("change", "asked", "message"),
    [
        (("import torch", "import torchh"), ":MyModel", r"my_model.py line 2: ModuleNotFoundError.*installed packages"),
        (("import torch", "import torch +"), ":MyModel", r"my_model.py line 2: SyntaxError"),
        (("import torch", "1 / 0"), ":MyModel", r"my_model.py line 2: ZeroDivisionError"),
        (("import torch", "import os; os._exit(3)"), ":MyModel", r"importing it ends the process \(exit code 3"),
        (("import torch", "raise SystemExit(0)"), ":MyModel", r"my_model.py line 2: SystemExit: 0; .*__main__"),
        (("", ""), ":MyModle", r"unknown generator class 'MyModle'; did you mean 'MyModel'"),
        (("", ""), ":torch", r"my_model.py:torch is not a generator"),
        (("", ""), ":Generator", r"my_model.py:Generator is not a generator"),
        (("def state", "def stat"), ":MyModel", r"no method `state`"),
        (("GeneratorSettings)", "object)"), ":MyModel", r"Settings is not a subclass"),
        (("shift: float = 0.0", "shift: float"), ":MyModel", r"give every setting a default"),
        (("Settings = Settings", "Settings, needs = Settings, {'label'}"), "", r"unknown condition 'label'; did you"),
        (("class MyModel(Generator)", "class Cvae(Generator)"), "", r"'cvae' is a registered generator"),
        (("class MyModel(Generator)", "class MyModel"), "", r"there: none; make a subclass"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_one_clear_error(file, change, asked, message):
    file.write_text(SOURCE.replace(*change))
    with pytest.raises(InputError, match=message) as caught:
        with_local(registry(), (f"{file}{asked}",))
    if "registered" not in message:
        assert "secret" not in str(caught.value)


def test_a_missing_file_and_a_bad_name_are_told_at_once(file):
    with pytest.raises(InputError) as caught:
        with_local(registry(), ("nowhere.py:Model", f"{file}:Nothing"))
    assert len(caught.value.problems) == 2
    assert "nowhere.py: cannot be read (No such file" in caught.value.problems[0]


def records(folder):
    return {
        (record := json.loads(path.read_text()))["generator"]["name"]: record
        for path in (folder / "records").glob("*.json")
    }


def test_workers_run_the_file_and_the_record_says_local_without_its_folder(workbench, file):
    entries, names = with_local(Registry((*workbench.registry.values(),)), (f"{file}:MyModel",))
    workbench.registry = entries
    runner = workbench.runner({names[0]: {}})
    file.unlink()  # workers run what was read and hashed
    runner.run(1, workbench.display())
    found = records(runner.folder)
    record = found["my-model"]
    assert record["state"] == "ok", record["reason"]
    assert record["generator"]["local"]
    assert record["generator"]["file"] == {
        "name": "my_model.py",
        "class": "MyModel",
        "sha256": entries["my-model"].file.sha256,
    }
    assert len(record["generator"]["source_hash"]) == 64
    assert found["class-gaussian"]["generator"]["file"] is None
    assert not found["class-gaussian"]["generator"]["local"]
    file.write_text(SOURCE)
    failing = workbench.runner({"my-model": {"shift": -1.0}}, repeats=1)
    failing.replace = True
    failing.run(1, workbench.display())
    record = records(failing.folder)["my-model"]
    assert record["state"] == "failed"
    assert 'File "my_model.py", line 13' in record["traceback"]
    for each in (*found.values(), record):
        assert "secret" not in json.dumps(each)


@pytest.mark.slow  # trains and scores five cells in processes of their own: fifteen seconds on a free machine
def test_a_specification_with_a_file_that_the_command_line_names(file, workbench, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "cohort: small\nfolds: [0]\ngenerators: [mixup]\nsettings: {mixup: {}}\nname: mine\nnote: of a file\n"
    )
    command = ("run", "mine.yaml", "--generators", f"{file}:MyModel", "--settings", "my-model.shift=0.25")
    ended = gexbench(*command, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = records(tmp_path / "gexbench-results" / "leaderboards" / "mine")
    assert found["my-model"]["state"] == "ok"
    assert found["my-model"]["generator"]["settings"]["shift"] == 0.25
    assert found["my-model"]["generator"]["file"]["class"] == "MyModel"
    assert "mixup" not in found, "the option takes the place of the file's generators"
    (tmp_path / "theirs.yaml").write_text(f"generators: ['{file}:MyModel']\n")
    ended = gexbench("run", "theirs.yaml", cwd=tmp_path)
    assert ended.returncode == 2
    assert "named on the command line" in ended.stderr
    assert "Traceback" not in ended.stderr


PACKAGE = {
    "my_package/__init__.py": "",
    "my_package/model.py": SOURCE,
    "my_package/entry.py": "from gexbench.models.registry import Entry\n"
    "ENTRY = Entry('my-model', 'my_package.model:MyModel', 'mine', (), 'from a package')\n",
    "my_package-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n",
    "my_package-1.0.dist-info/entry_points.txt": "[gexbench.generators]\nmy-model = my_package.entry:ENTRY\n",
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the path of new processes, with an installed package."""
    for name, text in PACKAGE.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    return tmp_path / "site"


def gexbench(*arguments, cwd):
    command = [sys.executable, "-m", "gexbench.benchmark.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_an_installed_package_joins_the_list_and_the_plan(site, tmp_path):
    listed = gexbench("ls", "generators", cwd=tmp_path)
    assert "my-model" in listed.stdout, listed.stderr
    assert "from a package" in listed.stdout
    planned = gexbench("run", "--generators", "my-model", "--folds", "0", "--dry-run", cwd=tmp_path)
    assert "my-model.random-0.0" in planned.stdout, planned.stderr


def test_a_broken_package_costs_its_own_generator_alone(site, tmp_path):
    (site / "my_package" / "entry.py").write_text("import nothing_of_this_name\n")
    listed = gexbench("ls", "generators", cwd=tmp_path)
    assert listed.returncode == 0
    assert "cannot be imported (ModuleNotFoundError" in " ".join(listed.stdout.split())
    assert "class-gaussian" in listed.stdout
    planned = gexbench("run", "--generators", "my-model,class-gaussian", "--folds", "0", "--dry-run", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "cannot be imported" in " ".join(planned.stdout.split())
    assert "Traceback" not in listed.stderr + planned.stderr


@pytest.mark.slow  # trains and scores five cells in processes of their own: about half a minute
def test_an_installed_package_is_trained_and_scored(site, workbench, tmp_path):
    ended = gexbench(
        "run", "--cohort", "small", "--folds", "0", "--generators", "my-model", "--name", "mine", cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    record = records(tmp_path / "gexbench-results" / "leaderboards" / "mine")["my-model"]
    assert (record["state"], record["generator"]["local"]) == ("ok", False)


def test_scoring_a_leaderboard_of_a_generator_that_is_not_here_is_one_clear_error(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "gexbench-results" / "leaderboards" / "mine"
    (folder / "records").mkdir(parents=True)
    (folder / "sweep.json").write_text(json.dumps({"generators": ["my-model", "mixup"]}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gexbench", "score", "mine"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert (
        "my-model is not installed here; install its package, or score a generator of a file" in capsys.readouterr().err
    )
