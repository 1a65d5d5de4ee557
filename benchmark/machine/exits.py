"""How every command ends: bad input, a full disk and Ctrl-C with one clear message; imports nothing heavy."""

import errno
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gexbench.tasks.errors import InputError

STOPPED = 130
"""Exit code of a command ended by Ctrl-C."""


@contextmanager
def clear_exits() -> Iterator[None]:
    """Exit code 2 with every problem of bad input, 1 on a full disk, 130 on Ctrl-C; others keep their traceback."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, _stop)  # a KeyboardInterrupt would be turned into exit code 1 on its way here
    try:
        yield
    except InputError as error:
        for problem in error.problems:
            _say(f"error: {problem}")
        sys.exit(2)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        place = f" ({error.filename})" if error.filename else ""
        _say(
            f"error: the disk is full{place}; complete files are kept: free some space, then run the same command to "
            "resume"
        )
        sys.exit(1)
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(number: int, frame: FrameType | None) -> None:
    """End the command on Ctrl-C, after cleaning up."""
    _say("stopped; run the same command to resume")
    sys.exit(STOPPED)


def _say(text: str) -> None:
    """Print to standard error; a terminal gets lines that break between words."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print(text, file=sys.stderr)
