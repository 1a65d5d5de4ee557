"""Content keys: SHA-256 of canonical JSON."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def content_key(content: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of `content`; raises ValueError on NaN."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
