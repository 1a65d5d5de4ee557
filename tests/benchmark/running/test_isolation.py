"""Cells that go wrong in every way, with real processes: each costs its own cell, and nothing of it stays."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.machine import processes
from gexbench.benchmark.machine.processes import (
    OUTPUT_BYTES,
    OUTPUT_LINES,
    Family,
    OutputTail,
    capped_workers,
    memory_share,
)
from gexbench.benchmark.running.forked import forked
from gexbench.benchmark.running.pool import _thread_limits
from gexbench.benchmark.sweeps.sweep import ANCHORS
from gexbench.models.registry import Entry, Registry, registry

BAD = {
    "raise": ("failed", "RuntimeError: no luck"),
    "sys-exit": ("failed", "SystemExit: 3"),
    "exit": ("failed", "worker process ended (exit code 7)"),
    "segfault": ("failed", "worker process ended (signal 11)"),
    "orphans": ("failed", "worker process ended (exit code 7)"),
    "nan": ("diverged", "non-finite values"),
    "few": ("failed", "rows of shape"),
    "shape": ("failed", "rows of shape"),
    "type": ("failed", "returned Tensor"),
    "genes": ("failed", "different gene names"),
    "write": ("failed", "modified its inputs"),
    "unavailable": ("unavailable", "needs something else"),
    "hang": ("timeout", "longer than 20 s"),
    "allocate": ("out of memory", "the limit is 1.80 GB"),
    "print": ("failed", "printed a gigabyte"),
    "no-message": ("failed", "wrote into the pipe that the worker speaks through"),
    "file-limit": ("failed", "the results cannot be written: File too large"),
    "full-elsewhere": ("failed", "full-elsewhere cannot write …/scratch: No space left on device"),
    "half-character": ("failed", r"RuntimeError: \ud800 is half a character"),
}
HEAVY = ("hang", "allocate")


def records(runner):
    found = {}
    for path in (runner.folder / "records").glob("*.json"):
        record = json.loads(path.read_text())
        found[record["generator"]["name"]] = record
    return found


def plainly(*names):
    return {name: {} for name in names}


def alive(pids):
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def faults(workbench_of_module):
    """Records of a sweep in which every generator but one goes wrong, and the ids of the processes they started."""
    names = (*(name for name in BAD if name not in HEAVY), "children", "odd-progress", "one")
    runner = workbench_of_module.runner(plainly(*names), memory_gb=1.8)
    runner.run(2, workbench_of_module.display())
    pids = (workbench_of_module.results.parent / "pids").read_text().split()
    return records(runner), [int(pid) for pid in pids]


@pytest.fixture(scope="module")
def over_limits(workbench_of_module):
    """Records of a sweep whose bad cells stop at a limit of time or memory."""
    runner = workbench_of_module.runner(plainly(*HEAVY, "one"), time_limit_s=20.0, memory_gb=1.8)
    runner.replace = True
    runner.run(2, workbench_of_module.display())
    return records(runner)


@pytest.mark.slow  # one sweep for all of them, in which sixteen workers are lost: half a minute, more on a busy machine
@pytest.mark.parametrize("fault", [name for name in BAD if name not in HEAVY])
def test_a_generator_that_goes_wrong_costs_its_own_cell(faults, fault):
    check(faults[0], fault)


@pytest.mark.slow  # waits for a limit of 20 s and fills 1.8 GB
@pytest.mark.parametrize("fault", HEAVY)
def test_a_generator_that_does_not_end_costs_its_own_cell(over_limits, fault):
    check(over_limits, fault)


@pytest.mark.slow  # the sweep of the tests above
def test_children_that_stay_are_ended_with_their_cell(faults):
    found, pids = faults
    assert found["children"]["state"] == "ok"
    assert any("left 2 processes running" in warning for warning in found["children"]["warnings"])
    assert len(pids) == 4, "two of a cell that ends well, two of one that does not"
    assert alive(pids) == []


def check(found, fault):
    state, reason = BAD[fault]
    record = found[fault]
    assert (record["state"], reason in record["reason"]) == (state, True), record["reason"]
    assert record["metrics"] == {}
    assert "someone" not in json.dumps(record)
    assert len(record["output"]) <= OUTPUT_LINES
    if fault != "print":
        assert f"the last words of {fault} in …/data" in record["output"]
    for name in (*ANCHORS, "one"):
        assert found[name]["state"] == "ok", found[name]["reason"]


@pytest.mark.slow  # the sweep of the tests above
def test_progress_of_any_type_costs_nothing(faults):
    assert faults[0]["odd-progress"]["state"] == "ok", faults[0]["odd-progress"]["reason"]


def test_failures_are_no_results_and_the_named_states_are_tried_again(workbench):
    runner = workbench.runner(plainly("raise", "nan", "unavailable"))
    first = runner.run(2, workbench.display())
    assert first.states == {"ok": len(ANCHORS), "failed": 1, "diverged": 1, "unavailable": 1}
    assert {runner.state_of(cell) for cell in runner.plan.cells if cell.entry.name in ("raise", "nan")} == {
        "failed",
        "diverged",
    }
    for retry, states in [
        (("diverged",), {"diverged": 1}),
        (("failed", "timeout"), {"failed": 1}),
        (("unavailable",), {"unavailable": 1}),
        (("timeout",), {}),
    ]:
        summary = runner.run(1, workbench.display(), retry=retry)
        assert summary.states == states
        assert summary.cached >= len(ANCHORS)


@pytest.mark.slow  # fifteen to thirty seconds: two sweeps, and workers that are started anew
@pytest.mark.parametrize("fork", [True, False])
def test_what_a_foreign_generator_does_to_its_process_spoils_no_other_cell(workbench, fork):
    alone = workbench.runner({"three": {}})
    alone.run(1, workbench.display())
    expected = records(alone)["three"]["metrics"]
    for path in (workbench.results / "store").glob("*/*"):
        if path.is_file():
            path.unlink()
    for path in (workbench.results / "store" / "rows").iterdir():
        (path / "cell.json").unlink()
    runner = workbench.runner({"one": {"how": "write"}, "two": {"how": "patch"}, "three": {}})
    runner.fork = fork
    runner.run(1, workbench.display())
    found = records(runner)
    assert {name: found[name]["state"] for name in ("one", "two", "three")} == {
        "one": "failed",
        "two": "ok",
        "three": "ok",
    }
    assert found["three"]["metrics"] == expected


class Point:
    """Stands in for an installed package's entry point."""

    name, value, group = "broken-plug-in", "nowhere.at.all:ENTRY", "gexbench.generators"

    def load(self):
        raise ImportError("No module named 'nowhere'")


def test_a_broken_plug_in_is_skipped_with_its_reason(workbench, monkeypatch):
    monkeypatch.setattr("gexbench.tasks.files.plug_ins.entry_points", lambda group: [Point()])
    entry = registry()["broken-plug-in"]
    assert "No module named 'nowhere'" in entry.unavailable
    late = Entry("late", "nowhere.at.all:Model", "test", (), "its settings cannot be imported")
    missing = Entry("lacks", "gexbench_test_generators:Behaved", "test", (), "", modules=("nowhere",), install="do it")
    workbench.registry = Registry((*workbench.registry.values(), entry, late, missing))
    runner = workbench.runner(plainly("broken-plug-in", "late", "lacks"))
    assert runner.run(1, workbench.display()).states == {"ok": len(ANCHORS), "skipped": 3}
    found = records(runner)
    for name, reason in (("broken-plug-in", "nowhere"), ("late", "nowhere"), ("lacks", "install with: do it")):
        assert found[name]["state"] == "skipped"
        assert reason in found[name]["reason"]
    assert not any(
        (workbench.results / "store" / "records" / f"{cell.score_key}.json").exists()
        for cell in runner.plan.cells
        if cell.skip
    )
    assert runner.run(1, workbench.display()).states == {"skipped": 3}


def test_a_forked_copy_leaves_nothing_and_tells_how_it_ended():
    held, seen = [], []

    def fine(report):
        held.append(1)
        report("fit", 1, 2, {"loss": 0.5})
        return Outcome("ok")

    assert forked(fine, lambda *progress: seen.append(progress)) == Outcome("ok")
    assert held == []
    assert seen == [("fit", 1, 2, {"loss": 0.5})]
    for work, reason in (
        (lambda report: os._exit(7), "exit code 7"),
        (lambda report: os.kill(os.getpid(), signal.SIGKILL), "signal 9; the system kills"),
        (lambda report: sys.exit(3), "exit code 1"),
    ):
        ended = forked(work, lambda *progress: None)
        assert ended.state == "failed"
        assert reason in ended.reason


def test_libraries_are_preloaded_without_a_thread():
    code = "import os, gexbench.benchmark.running.preload; print(len(os.listdir('/proc/self/task')))"
    with _thread_limits(1):
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "1"


def test_the_tail_of_an_output_is_bounded_and_clean():
    read, write = multiprocessing.Pipe(duplex=False)
    tail = OutputTail(read)
    os.write(write.fileno(), b"old\n")
    tail.clear()
    assert tail.lines() == ()
    for number in range(OUTPUT_LINES + 5):
        os.write(write.fileno(), f"\x1b[31m{number}\x1b[0m %\rdone \xff {number}\n".encode("latin-1"))
    assert len(tail.lines()) == OUTPUT_LINES
    assert tail.lines()[-2:] == ("44 %", "done \ufffd 44")
    os.write(write.fileno(), b"y" * (OUTPUT_BYTES + 100))
    assert tail.lines() == ("y" * OUTPUT_BYTES,)
    assert tail.open
    write.close()
    tail.read()
    assert not tail.open, "a pipe that nobody writes to would wake the pool all the time"


HEAD = """
import os, subprocess, sys, time
os.setsid()
child = subprocess.Popen([sys.executable, "-c", {!r}], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
CHILD = """
import time
held = bytearray(300_000_000)
held[::4096] = b"x" * len(held[::4096])
print(flush=True)
time.sleep(600)
"""


def test_a_family_holds_processes_that_have_left_their_group():
    head = subprocess.Popen([sys.executable, "-c", HEAD.format(CHILD)], stdout=subprocess.PIPE, text=True)
    child = int(head.stdout.readline())
    head.stdout.readline()
    family = Family(head.pid)
    assert family.resident_bytes() < 200_000_000
    family.look()
    assert family.resident_bytes() > 300_000_000
    family.kill()
    head.wait(timeout=10)
    head.stdout.close()
    deadline = time.monotonic() + 10
    while alive([child]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive([child]) == []


def test_memory_that_processes_share_is_split_among_them():
    code = """
import os, time
held = b"x" * 200_000_000
if os.fork() == 0: time.sleep(600)
print(flush=True)
time.sleep(600)
"""
    head = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    head.stdout.readline()
    family = Family(head.pid)
    family.look()
    assert family.resident_bytes() > 400_000_000
    assert 200_000_000 < family.resident_bytes(split=True) < 300_000_000
    family.kill()
    head.wait(timeout=10)
    head.stdout.close()


def test_an_absurd_number_of_workers_is_lowered_and_said(monkeypatch):
    said = []
    monkeypatch.setattr(processes, "_usable_bytes", lambda: 5 * processes.WORKER_BYTES)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert [capped_workers(wanted, 100, said.append) for wanted in (1, 5, 6, 10**9)] == [1, 5, 5, 5]
    assert said[0] == "5 workers instead of 6: the memory of this machine holds no more (1 GB each)"
    assert len(said) == 2
    assert [capped_workers(wanted, 3, said.append) for wanted in (2, 4, 10**9)] == [2, 3, 3]
    assert said[2:] == ["3 workers instead of 1000000000: there are no more jobs"]
    monkeypatch.setattr(processes, "_usable_bytes", lambda: 10)
    assert capped_workers(3, 0, said.append) == 1


def test_workers_share_the_memory_of_the_machine():
    total = psutil.virtual_memory().total
    assert memory_share(3) <= 0.9 * total / 3 + 1
    assert memory_share(1) == pytest.approx(2 * memory_share(2), abs=2)
