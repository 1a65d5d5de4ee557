"""Entries of a store with their key and a checksum over both, so that none passes for another."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SCHEMA = 2
_DIGITS = 64


class Broken(ValueError):
    """An entry that was changed, cut off, or made for another key."""


def sealed(content: Mapping[str, Any], key: str) -> str:
    """The text of an entry; raises ValueError on NaN."""
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return f"{_HEAD}{text}{_tail(key, _digest(key, text.encode()))}"


def unsealed(entry: bytes, key: str) -> dict[str, Any]:
    """The content of an entry, in any layout of its JSON.

    Raises:
        Broken: otherwise than `sealed` made it for this key.
    """
    try:
        text = entry.decode()
        wrapped = json.loads(text)
        digest, stated = str(wrapped["sha256"]), (wrapped["schema"], wrapped["key"])
        if stated != (SCHEMA, key) or digest != _digest(key, _content_text(text, wrapped, key, digest).encode()):
            raise Broken("checksum")
        content: dict[str, Any] = wrapped["content"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Broken(str(error)) from None
    return content


def sealed_bytes(content: bytes, key: str) -> bytes:
    """The bytes of an entry that is no JSON: its checksum, a line break, the content."""
    return f"{_digest(key, content)}\n".encode() + content


def unsealed_bytes(entry: bytes, key: str) -> bytes:
    """The content of an entry that `sealed_bytes` made; raises Broken for any other."""
    content = entry[_DIGITS + 1 :]
    if sealed_bytes(content, key) != entry:
        raise Broken("checksum")
    return content


_HEAD = '{"content": '


def _tail(key: str, digest: str) -> str:
    return f', "key": {json.dumps(key)}, "schema": {SCHEMA}, "sha256": "{digest}"}}'


def _content_text(text: str, wrapped: Mapping[str, Any], key: str, digest: str) -> str:
    """The text that an entry's checksum is of; cut out of an entry as it was written, which spares making it again."""
    tail = _tail(key, digest)
    if text.startswith(_HEAD) and text.endswith(tail):
        return text[len(_HEAD) : -len(tail)]
    return json.dumps(wrapped["content"], sort_keys=True, allow_nan=False)


def _digest(key: str, content: bytes) -> str:
    return hashlib.sha256(b"%s\n%s" % (key.encode(), content)).hexdigest()
