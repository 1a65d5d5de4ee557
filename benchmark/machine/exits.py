"""How every command ends: bad input, a full disk and Ctrl-C with one clear message; imports nothing heavy."""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gexbench.tasks.errors import InputError

STOPPED = 130
"""Exit code of a command that was ended by Ctrl-C."""


@contextmanager
def clear_exits() -> Iterator[None]:
    """Exit code 2 with every problem of bad input, 1 on a full disk, 130 on Ctrl-C; others keep their traceback."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, _stop)  # a KeyboardInterrupt would be turned into exit code 1 on its way here
    try:
        yield
    except InputError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        place = f" ({error.filename})" if error.filename else ""
        print(
            f"error: the disk is full{place}; what was written whole is kept: free some space, then the same command "
            "resumes",
            file=sys.stderr,
        )
        sys.exit(1)
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(number: int, frame: FrameType | None) -> None:
    """End the command on Ctrl-C; what must be put away on the way out is."""
    print("stopped; the same command resumes where it stopped", file=sys.stderr)
    sys.exit(STOPPED)
