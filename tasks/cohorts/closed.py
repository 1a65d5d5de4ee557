"""The cohort that this process and those it starts may not read: a generator of it is being trained here."""

import os

from gexbench.tasks.errors import InputError

VARIABLE = "GEXBENCH_CLOSED_COHORT"


def close(name: str, fingerprint: str) -> None:
    """From now on, refuse to read a cohort of this name and one with these data, here and in child processes."""
    os.environ[VARIABLE] = f"{name} {fingerprint}"


def refuse(*known: str) -> None:
    """Refuse the closed cohort.

    Args:
        known: name or fingerprint of the cohort that is about to be read.

    Raises:
        InputError: it is the closed one.
    """
    name, _, fingerprint = os.environ.get(VARIABLE, "").partition(" ")
    if name and {name, fingerprint} & {*known}:
        raise InputError(
            f"cohort {name}: cannot be read while a generator is trained or sampled on it, because it holds test "
            "patients; use what `fit` and `sample` are given, or read another cohort"
        )
