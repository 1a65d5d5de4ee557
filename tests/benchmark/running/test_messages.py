"""What workers tell the pool: JSON messages, and nothing else that comes out of their pipe is taken for one."""

import multiprocessing
import os
import pickle

import numpy as np
import pytest

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.running import messages
from gexbench.benchmark.running.messages import Inbox, Malformed, send


@pytest.fixture
def pipe():
    ours, theirs = multiprocessing.Pipe()
    return Inbox(ours), theirs


def test_messages_come_back_in_order_also_in_parts(pipe):
    inbox, worker = pipe
    outcome = Outcome("failed", "why", "Trace", ("last", "lines"), unwritten=3, value=float("nan"))
    for message in (("ready",), ("progress", "fit", 1, 2, {"loss": float("inf")}), ("ask", 0.5), ("done", outcome)):
        send(worker, *message)
    ready, progress, ask, done = inbox.messages()
    assert (ready, progress, ask) == (("ready",), ("progress", "fit", 1, 2, {"loss": float("inf")}), ("ask", 0.5))
    assert repr(done[1]) == repr(outcome)
    frame = b'\x00\x00\x00\x09["ready"]'
    os.write(worker.fileno(), frame[:6])
    assert list(inbox.messages()) == []
    os.write(worker.fileno(), frame[6:])
    assert list(inbox.messages()) == [("ready",)]
    worker.close()
    with pytest.raises(EOFError):
        list(inbox.messages())


@pytest.mark.parametrize(
    "sent",
    [
        b"abcdefgh",
        b"\xff\xff\xff\xff" + b"\x00" * 8,
        b"\x00\x00\x00\x02{}",
        b'\x00\x00\x00\x08["done"]',
        b'\x00\x00\x00\x17["done",{"state":"won"}]',
        b"\x00\x00\x00\x04\xff\xfe\x00\x01",
    ],
)
def test_anything_else_is_malformed_at_once(pipe, sent):
    inbox, worker = pipe
    os.write(worker.fileno(), sent)
    with pytest.raises(Malformed):
        list(inbox.messages())


def test_nothing_is_unpickled(pipe, tmp_path):
    class Touch:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    inbox, worker = pipe
    worker.send_bytes(pickle.dumps(Touch()))
    with pytest.raises(Malformed):
        list(inbox.messages())
    assert list(tmp_path.iterdir()) == []


def test_what_json_cannot_hold_is_made_sendable(pipe):
    inbox, worker = pipe
    send(
        worker, *messages.progress("fit", np.int64(3), float("nan"), {"loss": np.float32(0.5), "odd": [1], 7: 10**400})
    )
    send(worker, "done", Outcome("failed", "half \ud800", output=("\udcff",)))
    progress, done = inbox.messages()
    assert progress == ("progress", "fit", 3, 0, {"loss": 0.5})
    assert done == ("done", Outcome("failed", r"half \ud800", output=(r"\udcff",)))
