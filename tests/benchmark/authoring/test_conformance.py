"""`gexbench new` writes what passes; every broken generator fails at its check, with the way to fix it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gexbench.benchmark import cli
from gexbench.benchmark.authoring.local_generators import local_entry
from gexbench.benchmark.authoring.new_generator import GENERATOR, write_generator
from gexbench.benchmark.conformance import CHECKS, Subject, behaviour, check_fold, checked
from gexbench.benchmark.conformance.rows import with_other
from gexbench.models import registry
from gexbench.tasks.errors import InputError

ROWS = "rows = self.means[codes] + self.settings.spread * self.sds[codes] * noise.to(codes.device)"
FIT = "progress(1, 1)"
RETURN = (
    "return Samples.of(rows.clamp(min=self.floor) if self.floor is not None else rows, conditions, draws, self.genes)"
)

BROKEN = {
    "an error in fit": (FIT, "raise RuntimeError('no luck')", "fit", r"RuntimeError: no luck \(my_model.py, line 27\)"),
    "Unavailable for nothing": (
        FIT, "from gexbench.models.contract import Unavailable; raise Unavailable('x')", "fit", "raised Unavailable: x",
    ),
    "bare array": (RETURN, "return rows.numpy()", "rows", "returned ndarray.*return gexbench.models.contract.Samples"),
    "a row too few": ("Samples.of(rows.", "Samples.of(rows[1:].", "rows", r"rows of shape .* expected"),
    "genes reversed": ("draws, self.genes)", "draws, self.genes[::-1])", "rows", "training split in order"),
    "ids in another order": (
        RETURN, "return Samples(rows.clamp(min=0).numpy(), conditions.ids[::-1].repeat(draws), self.genes)",
        "rows", "id of its condition",
    ),
    "NaN": (ROWS, ROWS + "; rows[0, 0] = float('nan')", "rows", "non-finite"),
    "double precision": (
        RETURN, "made = Samples.of(rows.clamp(min=0), conditions, draws, self.genes)\n"
        "        return Samples(made.expression.astype('float64'), made.ids, made.genes)",
        "rows", "rows of ndarray, float64",
    ),
    "below the floor": ("rows.clamp(min=self.floor) if self.floor is not None else rows", "rows - 9", "rows", "clamp"),
    "one draw repeated": (
        ROWS, ROWS.replace("noise", "noise[::draws].repeat_interleave(draws, 0)"), "draws", "new noise for every row",
    ),
    "no conditions": (ROWS, ROWS + "; rows[0]", "no conditions", "IndexError"),
    "global randomness": ("generator=torch.Generator().manual_seed(seed), ", "", "seeds", "second time"),
    "global randomness, state": (
        "generator=torch.Generator().manual_seed(seed), ", "", "global state", "torch's random state.*torch.Generator",
    ),
    "global seed": ("codes = conditions.finest.rep", "torch.manual_seed(seed); codes = conditions.finest.rep",
                    "global state", "torch's random state"),
    "NumPy's global seed": (FIT, "import numpy; numpy.random.seed(seed); " + FIT, "global state", "NumPy's random"),
    "a fixed global seed": (FIT, "torch.manual_seed(0); " + FIT, "global state", "torch's random state"),
    "a fixed number of threads": (FIT, "torch.set_num_threads(1); " + FIT, "global state", "torch's number of threads"),
    "another working folder": (FIT, FIT + "; import os; os.chdir('/')", "global state", "the working folder"),
    "an environment variable": (FIT, FIT + "; import os; os.environ['X_Y'] = '1'", "global state", "environment"),
    "a masked array": (
        RETURN, "import numpy\n        made = Samples.of(rows.clamp(min=0), conditions, draws, self.genes)\n"
        "        return Samples(numpy.ma.masked_equal(made.expression, 0), made.ids, made.genes)",
        "rows", "rows of MaskedArray",
    ),
    "a small seed": (FIT, "assert seed < 2**24; " + FIT, "fit", r"AssertionError: +\(my_model.py, line 27\)"),
    "a missing import": (FIT, "import no_such_package; " + FIT, "fit", "needs the package no_such_package"),
    "a program that ends": (FIT, "raise SystemExit(3)", "fit", "SystemExit: 3 .*in place of ending"),
    "other arguments": ("validation, *, seed", "validation, rate, *, seed", "fit", "contract's arguments"),
    "a log without steps": (FIT, FIT + "; self.report.log = {'loss': [1.0]}", "report", "no column 'step'"),
    "global dtype": (FIT, FIT + "; torch.set_default_dtype(torch.float64)", "global state", "default dtype"),
    "a fit of the clock": (FIT, FIT + "; import time; self.means += time.time_ns() % 1000", "seeds", "two fits"),
    "a sampling seed without effect": ("manual_seed(seed)", "manual_seed(0)", "seeds", "another seed of `sample`"),
    "a condition not declared": ('frozenset({"labels"})', "frozenset()", "conditions", "rows depend on .* labels"),
    "a condition not read": (
        'frozenset({"labels"})', 'frozenset({"labels", "text"})', "conditions", "declares text, but rows stay the same",
    ),
    "written inputs": (FIT, FIT + "; train.expression.sub_(1)", "inputs", "copy before changing"),
    "written labels": (FIT, FIT + "; train.conditions.labels[0] = 1", "inputs", "modified the tensors"),
    "half a state": ('{"means": self.means, "sds": self.sds}', '{"means": self.means}', "saving", "KeyError: 'sds'"),
    "a rounded state": ('"sds": self.sds}', '"sds": self.sds.half().float()}', "saving", "full precision"),
    "a state of objects": ('"genes": list(self.genes)', '"genes": {*self.genes}', "saving", "cannot be saved"),
    "settings that take anything": (
        'version = "1"', 'model_config = {"extra": "allow"}; version = "1"', "settings", "unknown names",
    ),
    "no device": (', device="cpu")', ")", "device", r"torch.randn \(my_model.py, line 31\)"),
    "text that is not there": (
        FIT, "train.conditions.text['full']; " + FIT, "absent conditions", "KeyError.*has.kind.*Unavailable",
    ),
    "an undeclared need": (
        FIT, "from gexbench.models.contract import Unavailable\n        if not train.conditions.has('text'):\n"
        "            raise Unavailable('no text')\n        " + FIT,
        "absent conditions", "declares no other needs",
    ),
    "a variance of one": (" if len(of_class) > 1 else rows.std(0)", "", "small classes", "non-finite values"),
    "no progress": (FIT, "pass", "progress", "never called"),
    "progress that stops": (FIT, "progress(1, 2)", "progress", "step 1 of 2"),
    "progress that goes back": (FIT, "progress(1, 1); progress(0, 1); progress(1, 1)", "progress", "went back"),
    "progress of tensors": (FIT, "progress(1, 1, loss=rows.mean())", "progress", r"float\(loss\)"),
    "a report of objects": (FIT, FIT + "; self.report.facts['m'] = self", "report", "report.facts.'m'. was left out"),
    "a file": (FIT, FIT + "; open('weights.bin', 'w').close()", "left behind", "weights.bin"),
    "a temporary file": (FIT, FIT + "; import tempfile; tempfile.mkstemp('.pt')", "left behind", "left files behind"),
    "a thread": (
        FIT, FIT + "; import threading; threading.Timer(3, print).start()", "left behind", "left running",
    ),
    "a process": (
        FIT, FIT + "; import subprocess; subprocess.Popen(['sleep', '5'])", "left behind", "left running: sleep",
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def written(tmp_path):
    return write_generator("my-model", tmp_path, registry())


@pytest.fixture(scope="module")
def data():
    return check_fold()


def check_of(name):
    return next(check for check in CHECKS if check.name == name)


@pytest.mark.parametrize("example", BROKEN)
def test_a_broken_generator_fails_at_its_check_and_learns_why(example, written):
    old, new, name, lesson = BROKEN[example]
    source = written[0].read_text()
    assert old in source
    written[0].write_text(source.replace(old, new))
    finding = checked(check_of(name), Subject(local_entry(str(written[0])), check_fold()))
    assert finding.state == "broken", finding
    assert re.search(lesson, finding.lesson.replace("\n", " ")), finding.lesson
    for part in ("why it matters:", "how to fix it:", "models/contract.py:"):
        assert part in finding.lesson
    assert finding.fix


@pytest.mark.parametrize(
    ("limit", "value", "lesson"), [("CPU_SECONDS", 0.0, "presets"), ("GROWTH_BYTES", -1, "batches")]
)
def test_an_expensive_fit_is_told(limit, value, lesson, written, data, monkeypatch):
    monkeypatch.setattr(behaviour, limit, value)
    finding = checked(check_of("cost"), Subject(local_entry(str(written[0])), data))
    assert (finding.state, lesson in finding.fix) == ("broken", True)


def test_after_a_failed_fit_the_other_checks_are_skipped(written, data):
    written[0].write_text(GENERATOR.replace("$name", "x").replace("$class", "X").replace(FIT, "1 / 0"))
    subject = Subject(local_entry(str(written[0])), data)
    states = {check.name: checked(check, subject).state for check in CHECKS}
    assert states.pop("fit") == "broken"
    assert {*states.values()} == {"skipped"}


GOOD = {
    "a module": "before = torch.get_rng_state(); torch.nn.Linear(3, 4).to('cpu'); torch.set_rng_state(before)",
    "numbers of NumPy in the report": "import numpy; self.report.facts |= {'n': numpy.int64(3), 'm': rows.mean()}",
    "threads that are set back": "n = torch.get_num_threads(); torch.set_num_threads(1); torch.set_num_threads(n)",
    "a pool": "import multiprocessing\n        with multiprocessing.Pool(1) as pool: pool.map(abs, [1])",
    "a seeded library": "from gexbench.models.local.seeding import seeded\n"
    "        with seeded(seed): torch.randn(3, device='cpu')",
}


@pytest.mark.parametrize("example", GOOD)
def test_what_a_run_takes_passes(example, written, data):
    source = written[0].read_text()
    written[0].write_text(source.replace(FIT, f"{GOOD[example]}\n        {FIT}"))
    subject = Subject(local_entry(str(written[0])), data)
    broken = [found.lesson for check in CHECKS if (found := checked(check, subject)).state == "broken"]
    assert broken == []


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (ROWS, ROWS + "; 1 / 0", "rows"),
        ("Samples.of(rows.", "Samples.of(rows[1:].", "rows"),
        (FIT, "pass", "progress"),
        ('"genes": list(self.genes)', '"genes": {*self.genes}', "saving"),
    ],
)
def test_one_fault_is_one_finding(old, new, name, written, data):
    written[0].write_text(written[0].read_text().replace(old, new))
    subject = Subject(local_entry(str(written[0])), data)
    assert [check.name for check in CHECKS if checked(check, subject).state == "broken"] == [name]


def test_every_check_quotes_one_line_of_the_contract():
    from gexbench.models import contract

    lines = Path(contract.__file__).read_text().splitlines()
    for check in CHECKS:
        number = int(check.place.partition(":")[2])
        assert check.clause in lines[number - 1], check.name
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("kind", ["labels", "text", "patches"])
def test_other_conditions_of_one_kind_are_those_of_other_patients(kind, data):
    before = data.test_conditions
    after = with_other(before, kind)
    moved = [(at - len(before) // 2 - 1) % len(before) for at in range(len(before))]
    wanted = before.take(moved)
    for other in ("labels", "text", "patches"):
        like = wanted if other == kind else before
        if other == "labels":
            assert torch.equal(after.labels, like.labels)
        elif other == "text":
            for name in before.text:
                assert torch.equal(after.text_tokens(name)[0], like.text_tokens(name)[0])
        else:
            assert torch.equal(after.image_patches()[0], like.image_patches()[0])
    assert after.ids.tolist() == before.ids.tolist()
    assert with_other(before, kind, ids=True).ids.tolist() == wanted.ids.tolist()


def test_what_new_writes_is_short_and_passes_everything(written, data):
    assert len(written[0].read_text().splitlines()) <= 40
    assert "$" not in written[0].read_text() + written[1].read_text()
    subject = Subject(local_entry(f"{written[0]}:MyModel"), data)
    states = {check.name: (finding := checked(check, subject)).state + finding.what for check in CHECKS}
    assert {name for name, state in states.items() if not state.startswith("passed")} == {"training seed"}


@pytest.mark.slow  # runs pytest twice in processes of their own
def test_the_written_test_passes_and_notices_a_fault(written):
    def run():
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", written[1].name]
        return subprocess.run(command, cwd=written[1].parent, capture_output=True, text=True, check=False)

    ended = run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    written[0].write_text(written[0].read_text().replace("rows = self.means", "rows = 2 + self.means"))
    ended = run()
    assert ended.returncode == 1
    assert "1 failed" in ended.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cvae", "'cvae' is a registered generator"),
        ("My_Model", "joined by hyphens"),
        ("../up", "joined by hyphens"),
        ("model-2", "joined by hyphens"),
        ("torch", "would hide the module 'torch'"),
        ("class", "would hide the module 'class'"),
    ],
)
def test_a_name_that_cannot_be_used_writes_nothing(name, message, tmp_path):
    with pytest.raises(InputError, match=message):
        write_generator(name, tmp_path / "new", registry())
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kept", [0, 1])
def test_files_that_exist_are_left_as_they_are(kept, written):
    written[kept].write_text("mine")
    written[1 - kept].unlink()
    with pytest.raises(InputError, match=f"{written[kept].name} already exists"):
        write_generator("my-model", written[0].parent, registry())
    assert written[kept].read_text() == "mine"
    assert not written[1 - kept].exists()


@pytest.fixture
def gexbench(capsys, monkeypatch, tmp_path):
    """`gexbench(*arguments)` runs the command line in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gexbench", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


def test_new_then_check_on_the_command_line(gexbench, tmp_path):
    code, output, _ = gexbench("new", "my-model")
    assert (code, output.splitlines()[-1]) == (0, "written: my_model.py and test_my_model.py")
    assert gexbench("new", "my-model")[0] == 2
    code, output, _ = gexbench("check", "my_model.py:MyModel")
    assert code == 0, output
    assert "✗" not in output
    assert output.strip().splitlines()[-1].startswith("my-model: 17 checks passed")
    file = tmp_path / "my_model.py"
    file.write_text(file.read_text().replace("manual_seed(seed)", "manual_seed(0)"))
    code, output, _ = gexbench("check", "my_model.py")
    assert code == 1
    assert "✗ seeds: another seed of `sample` gave the same rows" in output
    assert "1 broken" in output.strip().splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my_model.py", "test_my_model.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cvea"], "did you mean 'cvae'"),
        (["nowhere.py:Model"], "cannot be read"),
        (["some/folder"], "not a Python file"),
        (["cvae,vae"], "unknown generator"),
        (["all"], "give one generator"),
        (["cvae", "--settings", "cvae.hiden=3"], "unknown setting 'hiden'; did you mean"),
        (["cvae", "--settings", "vae.hidden=3"], "the generator to check is 'cvae'"),
        (["cvae", "--device", "tpu"], "--device 'tpu'"),
    ],
)
def test_bad_input_of_check_is_one_clear_error(arguments, message, gexbench):
    code, _, errors = gexbench("check", *arguments)
    assert code == 2
    assert message in errors
