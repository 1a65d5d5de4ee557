"""What workers tell whoever started them, as JSON: nothing that they send is unpickled, and nothing makes one wait."""

import dataclasses
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from multiprocessing.connection import Connection
from typing import Any, Literal

from gexbench.benchmark.cells.jobs import Outcome

LONGEST_BYTES = 2**24
_CHUNK = 2**16
_LENGTH = struct.Struct("!i")
"""Before every message, as `Connection.send_bytes` writes it; -1 stands for lengths that no message has."""

Message = (
    tuple[Literal["ready"]]
    | tuple[Literal["progress"], str, int, int, dict[str, float]]
    | tuple[Literal["ask"], float]
    | tuple[Literal["done"], Outcome]
)


class Malformed(Exception):
    """A worker sent something else than a message."""


class Inbox:
    """Messages that have arrived over a connection, read without waiting for the end of one.

    Args:
        connection: whose other end calls `send`.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._held = b""

    def messages(self) -> Iterator[Message]:
        """The messages that are there.

        Raises:
            EOFError: the other end is closed.
            Malformed: what was sent is no message.
        """
        while self.connection.poll():
            chunk = os.read(self.connection.fileno(), _CHUNK)
            if not chunk:
                raise EOFError
            self._held += chunk
            yield from self._whole()

    def _whole(self) -> Iterator[Message]:
        while len(self._held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held)
            if not 0 <= length <= LONGEST_BYTES:
                raise Malformed(f"a message of {length} bytes")
            end = _LENGTH.size + length
            if len(self._held) < end:
                return
            content, self._held = self._held[_LENGTH.size : end], self._held[end:]
            yield _read(content)


def send(connection: Connection, *message: Any) -> None:
    """Send a message; what a generator reports as progress becomes numbers, or is left out."""
    connection.send_bytes(json.dumps([_sendable(part) for part in message]).encode())


def progress(phase: str, step: Any, steps: Any, values: Mapping[Any, Any]) -> tuple[str, str, int, int, Any]:
    """The message of a training's progress, whatever types its generator gives."""
    numbers = {str(name): _number(value) for name, value in values.items()}
    known = {name: value for name, value in numbers.items() if value is not None}
    return "progress", phase, _whole_number(step), _whole_number(steps), known


def _sendable(part: Any) -> Any:
    if not isinstance(part, Outcome):
        return part
    content = dataclasses.asdict(part)
    texts = {name: _unicode(value) for name, value in content.items() if isinstance(value, str)}
    return {**content, **texts, "output": [_unicode(line) for line in part.output]}


def _unicode(text: str) -> str:
    """The text with half characters written out, which JSON cannot hold."""
    return text.encode(errors="backslashreplace").decode()


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except Exception:  # whatever a generator's own type raises
        return None


def _whole_number(value: Any) -> int:
    number = _number(value)
    return int(number) if number is not None and math.isfinite(number) and abs(number) < 2**53 else 0


@cache
def _reader() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Message)


def _read(content: bytes) -> Message:
    from pydantic import ValidationError

    try:
        message: Message = _reader().validate_json(content, strict=True)
    except ValidationError as error:
        raise Malformed(str(error).splitlines()[0]) from None
    return message
