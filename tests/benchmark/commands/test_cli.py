"""The command line as a user meets it."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib.metadata import version

import pandas as pd
import psutil
import pytest

from gexbench.benchmark import cli

LIMIT_S = 600
"""Of what ends at once on a free machine; it only ends a test that hangs."""
COMMAND = [sys.executable, "-m", "gexbench.benchmark.cli"]


def gexbench(*arguments, cwd, check=None):
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=cwd, check=False)
    if check is not None:
        assert ended.returncode == check, ended.stdout + ended.stderr
    return ended


def test_help_has_examples(tmp_path):
    for verb in ("run", "tune", "report", "score", "status", "ls"):
        assert "Example" in gexbench(verb, "--help", cwd=tmp_path, check=0).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--generators", "gem-gan"], "did you mean 'gemm-gan'"),
        (["run", "--cohort", "nowhere"], "nowhere"),
        (["run", "--settings", "batch=3"], "GENERATOR.SETTING=VALUE"),
        (["run", "--settings", "gemm-gan.bach=3"], "did you mean 'batch'"),
        (["run", "--budget", "big"], "budget"),
        (["run", "--folds", "0,9"], "folds 0 to 4"),
        (["run", "--folds", "missing.json"], "missing.json"),
        (["run", "--name", "../up"], "leaderboard name"),
        (["run", "--device", "tpu"], "device"),
        (["run", "--settings", "tuned"], "no tuned settings in gexbench-results/tuning/simulated-quick.json"),
        (["run", "--settings", "tuned:none.json"], "no tuned settings in none.json"),
        (["tune", "cvea"], "did you mean 'cvae'"),
        (["tune", "mixup"], "generator mixup has nothing to tune"),
        (["tune", "cvae", "--folds", "7"], "folds 0 to 4"),
        (["tune", "cvae", "--budget", "big"], "budget"),
        (["report", "nothing"], "no leaderboard 'nothing'"),
        (["status", "nothing"], "no leaderboard 'nothing'"),
        (["ls", "generator"], "did you mean 'generators'"),
    ],
)
def test_bad_input_is_one_clear_error(tmp_path, arguments, message):
    ended = gexbench(*arguments, cwd=tmp_path, check=2)
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def numbers(results):
    found = {}
    for path in sorted((results / "leaderboards" / "test" / "records").glob("*.json")):
        record = json.loads(path.read_text())
        found[path.name] = (record["state"], record["metrics"], record["per_class"], record["reference_values"])
    return found


RUN = ["run", "--cohort", "small", "--folds", "0", "--generators", "class-diagonal,mixup", "--name", "test"]


def test_a_run_ends_with_the_table_and_the_place_of_the_files(workbench, tmp_path):
    ended = gexbench(*RUN, "--note", "for tests", cwd=tmp_path, check=0)
    folder = tmp_path / "gexbench-results" / "leaderboards" / "test"
    last = ended.stdout.strip().splitlines()[-1]
    assert "leaderboard.md" in last
    assert "class-diagonal" in ended.stdout
    assert "for tests" in (folder / "leaderboard.md").read_text()
    before = {name: (folder / name).read_bytes() for name in ("leaderboard.md", "leaderboard.csv")}
    for name in before:
        (folder / name).unlink()
    gexbench("report", "test", cwd=tmp_path, check=0)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert "6 of 6 cells" in gexbench("status", "test", cwd=tmp_path, check=0).stdout
    assert '"ok": 6' in gexbench("score", "test", "--force", cwd=tmp_path, check=0).stdout


def test_a_dry_run_of_a_tuning_shows_the_space_and_writes_nothing(tmp_path):
    shown = gexbench("tune", "cvae", "--folds", "0,1", "--trials", "3", "--dry-run", cwd=tmp_path, check=0).stdout
    assert "learning_rate" in shown
    assert "logarithmic" in shown
    assert "6 trials to do" in shown
    assert list(tmp_path.iterdir()) == []


def table(results):
    """The leaderboard's files without the columns of times and memory."""
    folder = results / "leaderboards" / "test"
    frame = pd.read_csv(folder / "leaderboard.csv")
    measured = [name for name in frame.columns if name.endswith(("_cpu_s", "_wall_s", "_memory_bytes"))]
    assert len(measured) == 8
    return frame.drop(columns=measured).to_csv(index=False).encode()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])  # twenty take up to ten minutes
def test_killed_at_any_moment_the_same_command_gives_the_same_table(workbench, tmp_path, kills):
    run = [*RUN, "--seeds", "1" if kills == 3 else "4"]
    began = time.perf_counter()
    gexbench(*run, "--results", str(tmp_path / "undisturbed"), cwd=tmp_path, check=0)
    seconds = time.perf_counter() - began
    disturbed = tmp_path / "disturbed"
    chance = random.Random(os.urandom(8))
    ended = 0
    for attempt in range(kills):
        process = subprocess.Popen([*COMMAND, *run, "--results", str(disturbed)], cwd=tmp_path, stdout=subprocess.PIPE)
        while attempt == 0 and process.poll() is None and not (disturbed / "store").exists():
            time.sleep(0.02)  # the first one is killed at work, however fast the machine has become
        time.sleep(0 if attempt == 0 else seconds * chance.uniform(0.1, 0.8))
        ended += process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert ended < kills, "the sweep was never killed"
    gexbench(*run, "--results", str(disturbed), cwd=tmp_path, check=0)
    assert numbers(disturbed) == numbers(tmp_path / "undisturbed")
    assert table(disturbed) == table(tmp_path / "undisturbed")
    assert not list((disturbed / "store").glob("*/.writing-*"))
    assert not [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(disturbed) in " ".join(process.info["cmdline"] or ())
    ]


def test_an_interrupt_lets_running_cells_end_and_resumes(workbench, tmp_path):
    process = subprocess.Popen([*COMMAND, *RUN], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    records = tmp_path / "gexbench-results" / "leaderboards" / "test" / "records"
    while process.poll() is None and not list(records.glob("*.json")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "to resume" in output
    gexbench(*RUN, cwd=tmp_path, check=0)
    assert all(state == "ok" for state, *_ in numbers(tmp_path / "gexbench-results").values())


@pytest.mark.slow  # waits for a training that takes long: fifteen seconds on a free machine
def test_a_second_interrupt_ends_the_sweep_at_once_and_it_resumes(workbench, tmp_path):
    long = ["run", "--cohort", "small", "--folds", "0", "--generators", "cvae", "--budget", "cpu", "--name", "test"]
    process = subprocess.Popen(
        [*COMMAND, *long], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    shown = tmp_path / "gexbench-results" / "leaderboards" / "test" / "progress.json"
    while process.poll() is None and not (shown.exists() and '"fit", "step"' in shown.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert any("press Ctrl-C again" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=LIMIT_S)
    assert not list(shown.parent.glob("records/cvae.*")), "the training was not waited for"
    assert process.returncode == 130
    assert "stopped immediately; run the same command to resume" in output
    assert "Traceback" not in output
    gexbench(*long, cwd=tmp_path, check=0)
    assert all(state == "ok" for state, *_ in numbers(tmp_path / "gexbench-results").values())


@pytest.mark.slow  # starts and interrupts a sweep four times
def test_ctrl_c_at_any_moment_ends_without_a_traceback_and_resumes(workbench, tmp_path):
    for delay in (1.0, 4.0, 7.0, 10.0):
        process = subprocess.Popen(
            [*COMMAND, *RUN],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        time.sleep(delay)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group gets it
        output, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode in (0, 130), output
        assert "Traceback" not in output
    gexbench(*RUN, cwd=tmp_path, check=0)
    assert all(state == "ok" for state, *_ in numbers(tmp_path / "gexbench-results").values())


LONG = ["run", "--cohort", "small", "--folds", "0", "--generators", "cvae", "--budget", "cpu", "--name", "test"]


@pytest.mark.slow  # waits for a training that takes long: fifteen seconds on a free machine
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_sweep_with_a_line_and_leaves_no_file_of_the_run(workbench, tmp_path, number):
    process = subprocess.Popen(
        [*COMMAND, *LONG], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    results = tmp_path / "gexbench-results"
    shown = results / "leaderboards" / "test" / "progress.json"
    while process.poll() is None and not (shown.exists() and '"fit", "step"' in shown.read_text()):
        time.sleep(0.05)
    assert len(list((results / "store" / "running").glob("*.json"))) == 1
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + number
    assert said.splitlines()[-1] == f"stopped by {number.name}; run the same command to resume"
    assert not shown.exists()
    assert list((results / "store" / "running").iterdir()) == []
    assert not list(results.rglob(".writing-*"))
    _, alive = psutil.wait_procs(workers, timeout=LIMIT_S)
    assert alive == []


def test_a_place_that_may_not_be_written_to_is_one_clear_error(monkeypatch, capsys):
    def closed():
        raise PermissionError(errno.EROFS, "Read-only file system", "results/store")

    monkeypatch.setattr(cli, "app", closed)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    said = "error: Read-only file system (results/store); fix its permissions, or choose another place\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("verb", [RUN, ["report", "test"], ["new", "my-model", "--folder", "gexbench-results"]])
def test_a_read_only_folder_is_one_error(workbench, tmp_path, verb):
    results = tmp_path / "gexbench-results"
    records = results / "leaderboards" / "test" / "records"
    records.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "none", str(results)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system here")
    try:
        ended = gexbench(*verb, cwd=tmp_path, check=2)
    finally:
        subprocess.run(["umount", str(results)], check=True)
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_smaller_sweep_does_not_shrink_a_leaderboard_unasked(workbench, tmp_path):
    gexbench(*RUN, cwd=tmp_path, check=0)
    records = tmp_path / "gexbench-results" / "leaderboards" / "test" / "records"
    before = sorted(path.name for path in records.iterdir())
    smaller = ["run", "--cohort", "small", "--folds", "0", "--generators", "mixup", "--name", "test"]
    assert "--name" in gexbench(*smaller, cwd=tmp_path, check=2).stderr
    assert sorted(path.name for path in records.iterdir()) == before
    gexbench(*smaller, "--replace", cwd=tmp_path, check=0)
    assert len(list(records.iterdir())) == len(before) - 1
    (records / before[0]).write_text("{")
    for verb in ("status", "report"):
        assert before[0] in gexbench(verb, "test", cwd=tmp_path, check=2).stderr
    (records.parent / "sweep.json").write_text("{")
    for verb in ("status", "score"):
        assert "sweep.json" in gexbench(verb, "test", cwd=tmp_path, check=2).stderr


def test_a_full_disk_is_one_clear_error(monkeypatch, capsys):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device", "results/store")

    monkeypatch.setattr(cli, "app", full)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "the disk is full (results/store); complete files are kept" in capsys.readouterr().err


def test_the_version_is_printed(tmp_path):
    assert gexbench("--version", cwd=tmp_path, check=0).stdout == f"gexbench {version('gexbench')}\n"


def test_a_device_that_is_not_here_is_refused_before_any_cell(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    refused = gexbench("run", "smoke", "--device", "cuda", cwd=tmp_path, check=2)
    assert refused.stderr.startswith("error: --device cuda: torch")
    assert not (tmp_path / "gexbench-results").exists()
    gexbench("run", "smoke", "--device", "cuda", "--dry-run", cwd=tmp_path, check=0)
