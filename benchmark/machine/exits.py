"""How every command ends: bad input, a full or closed disk and a signal with one clear message; imports little."""

import contextlib
import errno
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.plain_text import plain_lines

STOPPED = 130
"""Exit code of a command ended by Ctrl-C."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def clear_exits() -> Iterator[None]:
    """Exit code 2 with every problem of bad input and on places that may not be written to, 1 on a full disk, 130 on
    Ctrl-C, 128 + its number on another signal that ends the command; other errors keep their traceback."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)  # a KeyboardInterrupt would be turned into exit code 1 on its way here
    try:
        yield
    except InputError as error:
        for problem in error.problems:
            _say(f"error: {problem}")
        sys.exit(2)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        if error.errno in _CLOSED:
            _say(f"error: {error.strerror}{place}; fix its permissions, or choose another place")
            sys.exit(2)
        if error.errno not in _FULL:
            raise
        _say(
            f"error: the disk is full{place}; complete files are kept: free some space, then run the same command to "
            "resume"
        )
        sys.exit(1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    """End the command after cleaning up."""
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    with contextlib.suppress(OSError):  # a terminal that is closed hears nothing
        _say(f"stopped{by}; run the same command to resume")
    sys.exit(128 + number)


def _say(text: str) -> None:
    """Print to standard error; a terminal gets lines that break between words."""
    text = plain_lines(text)
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print(text, file=sys.stderr)
