"""Names of cohorts, generators and leaderboards; suggestions for misspelt ones."""

import difflib
import re
from collections.abc import Iterable

from gexbench.tasks.errors import InputError, examples

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def is_name(text: str) -> bool:
    """Whether a text may name a cohort, a generator or a leaderboard."""
    return _NAME.fullmatch(text) is not None


def checked_name(name: str, kind: str) -> str:
    """`name` itself when it matches `[a-z0-9][a-z0-9._-]{0,63}`.

    Raises:
        InputError: otherwise; the message names the kind of thing and the rule.
    """
    if not is_name(name):
        raise InputError(
            f"{kind} name {name!r}: use 1 to 64 of the characters a-z, 0-9, '.', '_', '-'; begin with a letter or digit"
        )
    return name


def unknown(name: str, known: Iterable[str], kind: str) -> InputError:
    """The error for a name that is not among `known`, with the nearest spelling."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {examples(choices, 20) or 'none'}"
    return InputError(f"unknown {kind} {name!r}; {hint}")
