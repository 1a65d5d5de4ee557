"""Fetching files over HTTP: resumed where they stopped, checked, tried again with growing pauses."""

import errno
import hashlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gexbench.tasks.errors import InputError

PART = ".part"
"""Ending of an unfinished file; beside it `.part.tag` names the version that it is the beginning of."""
CONNECTIONS = 4
_CHUNK = 256 * 1024
_RETRIED = frozenset((408, 425, 429, 500, 502, 503, 504))
_DISK_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_GONE = frozenset((403, 404, 410))
Progress = Callable[[int], None]
"""Called with the number of bytes that have just arrived; negative where an unfinished file was thrown away."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file to fetch: where from, where to, and what it must be, as far as that is known.

    `optional` files that the server does not have are skipped.
    """

    url: str
    path: Path
    md5: str | None = None
    size: int | None = None
    optional: bool = False

    @property
    def there(self) -> bool:
        """Whether the complete file exists, by its size."""
        return self.path.is_file() and self.size in (None, self.path.stat().st_size)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a file is tried, the pause after the first failure (doubled each time) and the silence allowed."""

    attempts: int = 6
    first_wait_s: float = 2.0
    longest_wait_s: float = 60.0
    timeout_s: float = 60.0

    def wait_s(self, failures: int, asked: str | None = None) -> float:
        """The pause after so many failures, or as requested by the server (`Retry-After`, in seconds)."""
        pause = self.first_wait_s * 2.0 ** (failures - 1)
        if asked and asked.isdigit():
            pause = max(pause, float(asked))
        return min(pause, self.longest_wait_s)


class _Gone(InputError):
    """The server does not have the file."""


class _Again(Exception):
    """A failure after which another attempt may help."""

    def __init__(self, problem: str, asked: str | None = None) -> None:
        super().__init__(problem)
        self.asked = asked


class Stopped(Exception):
    """The download was told to stop; what has arrived stays."""


def fetch_all(
    remotes: Sequence[Remote],
    progress: Progress | None = None,
    patience: Patience | None = None,
    connections: int = CONNECTIONS,
) -> int:
    """Download missing files, several at a time; returns the number downloaded.

    Finished files are not fetched again; unfinished ones go on where they stopped. An interrupt leaves both.

    Raises:
        InputError: files that could not be fetched, the first ten with their reason.
    """
    wanted = [remote for remote in remotes if not remote.there]
    stopping = threading.Event()
    problems: list[str] = []
    fetched = 0
    with ThreadPoolExecutor(max_workers=connections) as pool:
        running = [pool.submit(fetch, remote, progress, patience, stopping) for remote in wanted]
        try:
            for done in as_completed(running):
                try:
                    fetched += done.result()
                except InputError as error:
                    problems += error.problems
        except BaseException:
            stopping.set()
            pool.shutdown(cancel_futures=True)
            raise
    if problems:
        more = [f"and {len(problems) - 10} more files"] if len(problems) > 10 else []
        again = "run the same command to resume"
        raise InputError([*problems[:10], *more, again])
    return fetched


def fetch(
    remote: Remote,
    progress: Progress | None = None,
    patience: Patience | None = None,
    stopping: threading.Event | None = None,
) -> bool:
    """Fetch one file; it takes its name only when it is whole and its checksum, where known, is right.

    Returns:
        Whether it is there now: False for an optional file that the server does not have.

    Raises:
        InputError: an invalid address, a file that the server does not have, or failure of all attempts.
        Stopped: `stopping` was set.
    """
    patient, stop = patience or Patience(), stopping or threading.Event()
    _check_url(remote.url)
    remote.path.parent.mkdir(parents=True, exist_ok=True)
    problem = ""
    for attempt in range(1, patient.attempts + 1):
        try:
            return _attempt(remote, progress or (lambda arrived: None), patient, stop)
        except _Again as failure:
            problem = str(failure)
            if attempt < patient.attempts and stop.wait(patient.wait_s(attempt, failure.asked)):
                raise Stopped from None
    raise InputError(f"{remote.url}: {problem} (tried {patient.attempts} times)")


def get(url: str, patience: Patience | None = None) -> bytes:
    """The content of a small response, whole.

    Raises:
        InputError: as for `fetch`.
    """
    patient = patience or Patience()
    _check_url(url)
    problem = ""
    for attempt in range(1, patient.attempts + 1):
        try:
            with _opened(url, {}, patient) as response:
                content: bytes = response.read()
                length = response.headers.get("Content-Length")
                if length is not None and len(content) != int(length):
                    raise _Again(f"{len(content)} of {length} bytes arrived")
                return content
        except (_Again, http.client.HTTPException, OSError) as failure:
            problem = str(failure) or type(failure).__name__
            if attempt < patient.attempts:
                time.sleep(patient.wait_s(attempt, getattr(failure, "asked", None)))
    raise InputError(f"{url}: {problem} (tried {patient.attempts} times)")


def _check_url(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise InputError(f"{url}: addresses must begin with https://")


def _opened(url: str, headers: dict[str, str], patience: Patience) -> Any:
    """The open response; redirects are followed.

    Raises:
        InputError: the server does not have it or refuses.
        _Again: a failure that may pass.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "gexbench", **headers})  # noqa: S310
    try:
        return urllib.request.urlopen(request, timeout=patience.timeout_s)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code in _RETRIED:
            raise _Again(f"the server returned {error.code}", error.headers.get("Retry-After")) from None
        if error.code == 416:
            return error
        refused = _Gone if error.code in _GONE else InputError
        raise refused(f"{url}: the server returned {error.code} ({error.reason})") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise _Again(f"no connection ({getattr(error, 'reason', error)})") from None


def _attempt(remote: Remote, progress: Progress, patience: Patience, stop: threading.Event) -> bool:
    part, tag = (remote.path.with_name(remote.path.name + ending) for ending in (PART, PART + ".tag"))
    held = part.stat().st_size if part.is_file() else 0
    version = tag.read_text() if held and tag.is_file() else None
    headers = {"Range": f"bytes={held}-"} if held else {}
    if held and version:
        headers["If-Range"] = version
    try:
        response = _opened(remote.url, headers, patience)
    except _Gone:
        if remote.optional:
            return False
        raise
    with response:
        if response.status == 416 and held != remote.size:
            _discard(part, tag, progress)
            raise _Again("the server has a different version of the unfinished file")
        if response.status != 416:
            _write(response, part, tag, held, progress, stop)
    _finish(remote, part, tag, progress)
    return True


def _write(response: Any, part: Path, tag: Path, held: int, progress: Progress, stop: threading.Event) -> None:
    """Append to the unfinished file, or start over if the server sends the whole file."""
    resumed = response.status == 206 and str(response.headers.get("Content-Range", "")).startswith(f"bytes {held}-")
    if not resumed and held:
        _discard(part, tag, progress)
    if response.status == 206 and not resumed:
        raise _Again("the server sent a different range from the one requested")
    version = response.headers.get("ETag")
    if version and not version.startswith("W/"):
        tag.write_text(version)
    length = response.headers.get("Content-Length")
    arrived = 0
    try:
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                arrived += len(chunk)
                progress(len(chunk))
                if stop.is_set():
                    raise Stopped
            file.flush()
            os.fsync(file.fileno())
    except (http.client.HTTPException, OSError) as error:
        if getattr(error, "errno", None) in _DISK_FULL:
            raise
        raise _Again(f"the connection failed ({error or type(error).__name__})") from None
    if length is not None and arrived != int(length):
        raise _Again(f"the connection ended after {arrived:,} of {int(length):,} bytes")


def _finish(remote: Remote, part: Path, tag: Path, progress: Progress) -> None:
    """Check the whole file and give it its name."""
    size = part.stat().st_size
    if remote.size is not None and size != remote.size:
        if size > remote.size:
            _discard(part, tag, progress)
        raise _Again(f"{size:,} of {remote.size:,} bytes arrived")
    if remote.md5 is not None:
        with part.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != remote.md5:
            _discard(part, tag, progress)
            raise _Again(f"its MD5 is {found}, not {remote.md5}")
    part.replace(remote.path)
    tag.unlink(missing_ok=True)


def _discard(part: Path, tag: Path, progress: Progress) -> None:
    progress(-part.stat().st_size)
    part.unlink()
    tag.unlink(missing_ok=True)
