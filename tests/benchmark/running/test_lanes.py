"""Which cells share a GPU: decisions on devices that are made up, and what the workers of a pool then see."""

import json
import os
from dataclasses import replace

import pytest

from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.cells.record import record_of
from gexbench.benchmark.running.cell_pool import cell_pool
from gexbench.benchmark.running.devices import CONTEXT_BYTES, GB, SLACK, USABLE, Device, DeviceNeeds, devices_of
from gexbench.benchmark.running.lanes import MOST_ON_A_DEVICE, Lanes, lanes_for
from gexbench.benchmark.running.pool import Pool
from gexbench.benchmark.running.schedule import Schedule
from gexbench.benchmark.running.worker import work
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.models import registry

LISTED = """0, GPU-aaaa, 81920
1, GPU-bbbb, 81920
2, GPU-cccc, [N/A]
"""
USED = int(USABLE * 81920 * 2**20)
OUT = Outcome("out of memory", "CUDA")


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, [("GPU-aaaa", USED), ("GPU-bbbb", USED), ("GPU-cccc", None)]),
        ("GPU-bb", [("GPU-bb", USED)]),
        ("MIG-x", [("MIG-x", None)]),
        ("1,1", [("1", None)]),  # CUDA may count in another order, and the memory of the three is not alike
        ("0,-1,1", [("0", None)]),
        ("", []),
        ("-1", []),
    ],
)
def test_the_devices_that_a_user_lets_be_seen(visible, found):
    assert [(device.name, device.usable) for device in devices_of(LISTED, visible)] == found


def test_of_a_divided_gpu_the_first_part_is_used_alone():
    divided = "0, GPU-aaaa, 81920, Enabled\n1, GPU-bbbb, 81920, Disabled\n"
    assert devices_of(divided, None) == (Device("0", None),)
    assert devices_of(divided, "MIG-1,MIG-2") == (Device("MIG-1", None), Device("MIG-2", None))
    assert devices_of(divided, "GPU-b") == (Device("GPU-b", USED),)


def test_devices_that_are_alike_keep_their_memory_under_their_index():
    alike = "".join(LISTED.splitlines(keepends=True)[:2])
    assert devices_of(alike, "1") == (Device("1", USED),)
    assert devices_of("", None) == ()
    assert devices_of("nonsense\n,\n", None) == ()


@pytest.fixture
def trainings(small_cohort):
    made = sweep_of(registry(), generators=("vae", "cvae"), cohort="small", folds=(0, 1), repeats=3)
    found = plan(made, registry(), small_cohort, "print")
    return {cell.slot: Job("train", cell.fold, cell) for cell in found.cells}


class Card:
    """Two devices of 16 GB, one of unknown memory, two scorers; needs by generator, in GB."""

    def __init__(self, **needs):
        self.needs, self.learned = needs, []
        devices = (Device("a", 16 * GB), Device("b", 16 * GB), Device("c", None))
        self.lanes = Lanes(lanes_for(devices, 2), self._of, self.learned.append)

    def _of(self, cell):
        need = self.needs.get(cell.entry.name.replace("-", "_"))
        return None if need is None else need * GB

    def on(self, device):
        return [n for n, lane in enumerate(self.lanes.lanes) if (lane.device and lane.device.name) == device]


def test_a_device_has_a_worker_first_and_further_ones_where_its_memory_is_known():
    card = Card()
    assert [card.on(name)[0] for name in "abc"] == [0, 1, 2]
    assert [len(card.on(name)) for name in "abc"] == [MOST_ON_A_DEVICE, MOST_ON_A_DEVICE, 1]
    seen = [card.lanes.environment(number)["CUDA_VISIBLE_DEVICES"] for number in range(len(card.lanes.lanes))]
    assert seen[:3] == ["a", "b", "c"]
    assert seen[-2:] == ["", ""], "what scores sees no device"
    assert card.lanes.side_by_side == 5


def test_trainings_go_to_the_devices_and_all_else_to_the_cpu(trainings):
    card, job = Card(), trainings["vae.random-0.0"]
    scorer = len(card.lanes.lanes) - 1
    for kind, takers in (("train", {0, 1, 2}), ("score", {scorer}), ("prepare", {scorer})):
        takes = {n for n in range(len(card.lanes.lanes)) if card.lanes.takes(n, replace(job, kind=kind))}
        assert takers <= takes
        assert (scorer in takes) == (kind != "train")


def test_small_trainings_share_a_device_until_it_is_full(trainings):
    card = Card(vae=5, cvae=7)
    first, second, third, fourth = card.on("a")
    lanes = card.lanes
    for number, slot in ((first, "vae.random-0.0"), (second, "vae.random-0.1")):
        assert lanes.takes(number, trainings[slot])
        assert lanes.in_the_way(number, trainings[slot]) == []
        lanes.started(number, trainings[slot])
    assert not lanes.takes(third, trainings["cvae.random-0.0"]), "5 + 5 + 7 GB"
    assert lanes.takes(third, trainings["vae.random-0.2"]), "5 + 5 + 5 GB"
    assert lanes.takes(card.on("b")[0], trainings["cvae.random-0.0"])
    assert not lanes.ended(second, trainings["vae.random-0.1"], Outcome("ok"))
    assert [cell.slot for cell in card.learned] == ["vae.random-0.1"]
    assert lanes.takes(third, trainings["cvae.random-0.0"])
    assert lanes.takes(fourth, trainings["cvae.random-0.0"])


def test_a_training_of_unknown_need_has_a_device_to_itself(trainings):
    card = Card(vae=1)
    first, second, *_ = card.on("a")
    unknown, small = trainings["cvae.random-0.0"], trainings["vae.random-0.0"]
    card.lanes.started(first, small)
    assert not card.lanes.takes(second, unknown)
    card.lanes.ended(first, small, Outcome("ok"))
    assert card.lanes.takes(second, unknown)
    assert card.lanes.in_the_way(second, unknown) == [first], "its worker still holds the data"
    assert card.lanes.in_the_way(second, unknown) == []
    card.lanes.started(second, unknown)
    assert not card.lanes.takes(first, small)


def test_idle_workers_leave_when_a_large_training_needs_their_room(trainings):
    card = Card(vae=3, cvae=14)
    first, second, third, _ = card.on("a")
    for number, slot in ((first, "vae.random-0.0"), (second, "vae.random-0.1")):
        card.lanes.started(number, trainings[slot])
    for number, slot in ((first, "vae.random-0.0"), (second, "vae.random-0.1")):
        card.lanes.ended(number, trainings[slot], Outcome("ok"))
    assert card.lanes.in_the_way(third, trainings["vae.random-0.2"]) == [], "3 + 3 + 3 GB"
    assert card.lanes.in_the_way(first, trainings["cvae.random-0.0"]) == [second], "3 + 14 GB"


def test_out_of_memory_on_a_shared_device_is_tried_again_alone_and_once(trainings):
    card = Card(vae=1)
    first, second, *_ = card.on("a")
    one, two = trainings["vae.random-0.0"], trainings["vae.random-0.1"]
    card.lanes.started(first, one)
    card.lanes.started(second, two)
    assert card.lanes.ended(second, two, OUT), "the other cell may have taken the memory"
    assert not card.lanes.takes(second, two)
    assert not card.lanes.ended(first, one, Outcome("ok"))
    assert card.lanes.takes(second, two)
    card.lanes.started(second, two)
    assert not card.lanes.takes(first, one)
    assert not card.lanes.ended(second, two, OUT), "it had the device to itself"
    card.lanes.started(first, one)
    assert not card.lanes.ended(first, one, OUT)


def test_needs_are_stated_or_those_of_earlier_records_of_the_same_training(trainings, small_cohort, tmp_path):
    store = Store(tmp_path / "store")
    store.make()
    cell = trainings["vae.random-0.0"].cell

    def record(device, fingerprint="print", **settings):
        of_plan, of_cell = replace(made, fingerprint=fingerprint), replace(cell, settings={**cell.settings, **settings})
        peak = {"device": device, "host": 1}
        return record_of(of_cell, of_plan, small_cohort, state="ok", peak_memory_bytes=peak).content()

    made = plan(
        sweep_of(registry(), generators=("vae", "cvae"), cohort="small", folds=(0,)), registry(), small_cohort, "print"
    )
    for key, content in {
        "a": record(2 * GB),
        "b": record(3 * GB),
        "c": record(9 * GB, "another"),
        "d": record(9 * GB, batch=7),
        "e": {"state": "failed"},
        "f": record(0),
    }.items():
        store.write_json("records", key, content)
    needs = DeviceNeeds(made, store)
    assert needs.of(cell) == int(SLACK * 3 * GB) + CONTEXT_BYTES
    other = trainings["cvae.random-0.0"].cell
    assert needs.of(other) is None
    store.write_rows(other.train_key, {}, {"peak_memory_bytes": {"device": GB, "host": 1}})
    needs.learn(other)
    assert needs.of(other) == int(SLACK * GB) + CONTEXT_BYTES
    needs.learn(trainings["cvae.random-1.2"].cell)  # whose rows have gone meanwhile
    stated = replace(made, sweep=made.sweep.model_copy(update={"gpu_memory_gb": 2.5}))
    assert DeviceNeeds(stated, store).of(other) == int(2.5 * GB)


def test_the_schedule_hands_out_what_a_worker_takes(trainings, small_cohort, tmp_path):
    made = plan(
        sweep_of(registry(), generators=("vae",), cohort="small", folds=(0, 1)), registry(), small_cohort, "print"
    )
    store = Store(tmp_path / "store")
    store.make()
    schedule = Schedule.of(made, store, made.cells)
    assert schedule.next_job(lambda job: job.kind == "score") is None
    assert schedule.next_job(lambda job: job.kind == "train").kind == "train"
    later = schedule.next_job(lambda job: job.kind == "train" and job.fold.index == 1)
    assert (later.kind, later.fold.index) == ("train", 1)
    assert schedule.next_job().kind == "prepare"


def _tell_device(connection):
    def do(job, report):
        seen = os.environ["CUDA_VISIBLE_DEVICES"]
        return (
            Outcome("ok", f"{job.cell.slot} on {seen}") if job.kind == "train" else Outcome("ok", f"score on {seen!r}")
        )

    work(connection, do)


def test_workers_of_a_pool_see_one_device_each(trainings, monkeypatch):
    """Real processes, as on a machine with two GPUs."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "a,b")
    card = Card(vae=1)
    jobs = [trainings[f"vae.random-0.{seed}"] for seed in range(3)]
    jobs += [replace(job, kind="score") for job in jobs]
    seen = []

    def next_job(takes):
        job = next((job for job in jobs if takes(job)), None)
        if job is not None:
            jobs.remove(job)
        return job

    pool = Pool(lambda job: _tell_device, (), len(card.lanes.lanes), threads=1, time_limit_s=60.0, places=card.lanes)
    pool.run(next_job, lambda job, outcome: seen.append(outcome.reason), lambda *_: None, lambda: False)
    assert sorted(seen) == [
        "score on ''", "score on ''", "score on ''",
        "vae.random-0.0 on a", "vae.random-0.1 on b", "vae.random-0.2 on c",
    ]  # fmt: skip
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "a,b"


@pytest.mark.slow  # starts five workers that import torch each: half a minute
def test_a_sweep_on_two_devices_gives_the_records_of_a_sweep_without(workbench, monkeypatch):
    """The whole way of a sweep on GPUs, with tensors on the CPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "a,b")
    generators = {name: {"shift": 0.5} for name in ("one", "two", "three", "four")}

    def metrics(runner):
        assert runner.run(2, workbench.display()).states == {"ok": len(runner.plan.cells)}
        return {
            path.name: json.loads(path.read_text())["metrics"] for path in (runner.folder / "records").glob("*.json")
        }

    expected = metrics(workbench.runner(generators))
    elsewhere = replace(workbench, results=workbench.results.parent / "devices").runner(generators)
    needs = DeviceNeeds(elsewhere.plan, elsewhere.store)
    learned, running = [], []

    def learn(cell):
        learned.append(elsewhere.store.read_facts(cell.train_key)["peak_memory_bytes"])

    class Watched(Lanes):
        def started(self, number, job):
            super().started(number, job)
            running.append((job.kind, self.environment(number)["CUDA_VISIBLE_DEVICES"]))

    lanes = Watched(lanes_for([Device("a", 8 * GB), Device("b", None)], 2), needs.of, learn)
    monkeypatch.setattr(
        elsewhere,
        "_executor",
        lambda workers, jobs, display, development: cell_pool(
            elsewhere.plan,
            elsewhere.results,
            development.folder,
            len(lanes.lanes),
            fork=False,
            places=lanes,
            side_by_side=2,
        ),
    )
    assert metrics(elsewhere) == expected
    assert {kind for kind, seen in running if not seen} == {"prepare", "score"}
    assert {(kind, seen) for kind, seen in running if seen} == {("train", "a"), ("train", "b")}
    assert len(learned) == len(elsewhere.plan.cells)
