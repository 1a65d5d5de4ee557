"""Foreign text without what a terminal, an editor or a browser would act on."""

import re

_ESCAPES = re.compile(r"\x1b\[[0-9:;<=>?]*[ -/]*[@-~]|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


def plain(text: str) -> str:
    """One line without control or text-direction characters, escape sequences, or half characters."""
    return text.strip() if text.isprintable() else _without_controls(text).strip()


def plain_lines(text: str) -> str:
    """The lines of a text, each as `plain` but with the spaces at its ends."""
    return "\n".join(line if line.isprintable() else _without_controls(line) for line in text.split("\n"))


def _without_controls(line: str) -> str:
    return _CONTROLS.sub(" ", _ESCAPES.sub("", line))
