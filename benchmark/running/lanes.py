"""Which jobs of a sweep on CUDA run side by side: trainings on the devices, scores on the CPU beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.running.devices import Device, DeviceNeeds, found_devices
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan

MOST_ON_A_DEVICE = 4
"""Trainings that share a device: beyond these, the device's arithmetic is shared out, too."""

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Lane:
    """A place for one worker, which trains on one device or, without one, does everything else."""

    device: Device | None = None


def lanes_for(devices: Sequence[Device], scorers: int) -> tuple[Lane, ...]:
    """A lane per device first, then further ones of devices that may be shared, last those of the CPU."""
    shared = [device for device in devices if device.usable is not None]
    trainers = [*devices, *(device for _ in range(MOST_ON_A_DEVICE - 1) for device in shared)]
    return (*map(Lane, trainers), *(Lane() for _ in range(scorers)))


class Lanes:
    """Decides which worker takes which job.

    A training joins others on a device only when what all of them need is known and fits. One that runs out of the
    memory of a device that it shared is done again with the device to itself.

    Args:
        lanes: one per worker.
        needs: bytes of device memory of a cell's training, None when nothing is known of it.
        learn: called with the cell of a training that ended well.
    """

    def __init__(
        self, lanes: Sequence[Lane], needs: Callable[[Cell], int | None], learn: Callable[[Cell], None]
    ) -> None:
        self.lanes, self.needs, self.learn = tuple(lanes), needs, learn
        self._running: dict[int, int | None] = {}
        self._holds: dict[int, int] = {}
        self._shared: set[int] = set()
        self._alone: set[str] = set()

    @classmethod
    def of(cls, plan: Plan, store: Store, scorers: int) -> "Lanes":
        """Of this machine's devices, and so many workers that score."""
        needs = DeviceNeeds(plan, store)
        return cls(lanes_for(found_devices(), scorers), needs.of, needs.learn)

    @property
    def side_by_side(self) -> int:
        """Cells that share the host's memory: one per device and those that are scored; only small ones are more."""
        return len({lane.device for lane in self.lanes if lane.device}) + sum(not lane.device for lane in self.lanes)

    def environment(self, number: int) -> dict[str, str]:
        """What a worker's environment says: its device alone, or none."""
        device = self.lanes[number].device
        return {VISIBLE: "" if device is None else device.name}

    def takes(self, number: int, job: Job) -> bool:
        """Whether an idle worker can start a job now."""
        device = self.lanes[number].device
        if device is None or job.kind != "train" or job.cell is None:
            return device is None and job.kind != "train"
        others = self._others(number)
        busy = [self._running[other] for other in others if other in self._running]
        if not busy:
            return True
        need = self._need(job.cell)
        if need is None or None in busy or device.usable is None:
            return False
        return need + sum(self._running[other] or 0 for other in others if other in self._running) <= device.usable

    def in_the_way(self, number: int, job: Job) -> list[int]:
        """Idle workers whose data leave no room on the device for a job that this one is about to start."""
        idle = [other for other in self._others(number) if other not in self._running and other in self._holds]
        usable = getattr(self.lanes[number].device, "usable", None)
        need = None if job.cell is None else self._need(job.cell)
        held = sum(self._holds[other] for other in idle)
        held += sum(self._running[other] or 0 for other in self._others(number) if other in self._running)
        if need is not None and usable is not None and need + held <= usable:
            return []
        for other in idle:
            del self._holds[other]
        return idle

    def started(self, number: int, job: Job) -> None:
        """Take note that a worker does a job."""
        if self.lanes[number].device is None or job.cell is None:
            return
        self._running[number] = self._need(job.cell)
        beside = {other for other in self._others(number) if other in self._running}
        self._shared |= {number, *beside} if beside else set()

    def ended(self, number: int, job: Job, outcome: Outcome) -> bool:
        """Take note of a job's end; whether it is to be done again, with the device to itself."""
        if number not in self._running or job.cell is None:
            return False
        need, shared = self._running.pop(number), number in self._shared
        self._shared.discard(number)
        if outcome.state == "ok":
            self.learn(job.cell)
            known = [each for each in (need, *self._holds.values()) if each is not None]
            self._holds[number] = min(known, default=0)
        else:
            self._holds.pop(number, None)  # its worker is replaced
        if outcome.state != "out of memory" or not shared or job.name in self._alone:
            return False
        self._alone.add(job.name)
        return True

    def _need(self, cell: Cell) -> int | None:
        return None if f"train {cell.slot}" in self._alone else self.needs(cell)

    def _others(self, number: int) -> list[int]:
        """Further workers on the same device."""
        device = self.lanes[number].device
        return [other for other, lane in enumerate(self.lanes) if other != number and lane.device == device]
