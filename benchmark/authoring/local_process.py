"""What planning has to know of a generator in a file, from a process of its own that runs the file and ends.

The process that ranks and renders never runs the file: it could change what it likes there.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gexbench.models.entry import Entry
from gexbench.models.local.file import LocalFile
from gexbench.models.registry import PlannedSettings, resolve_settings
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.errors import InputError

LIMIT_S = 600
"""Of running a file; a slow machine imports torch in a minute."""
Asked = Literal["description", "resolved settings", "stated settings"]


class Answer(BaseModel):
    """What the process says of a file; `problems` alone where the file cannot be used.

    Attributes:
        class_name, conditions, summary, version: of the generator.
        settings: those that were asked for, JSON-able.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    problems: list[str] = []
    class_name: str = ""
    conditions: list[Condition] = []
    summary: str = ""
    version: str = ""
    settings: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Settings of a generator in a file, without their class."""

    version: str
    content: Mapping[str, Any]

    def model_dump(self, mode: str = "python") -> dict[str, Any]:
        """A copy of the settings, JSON-able in any mode."""
        return dict(self.content)


def planned_settings(entry: Entry, budget: str, overrides: Mapping[str, Any] | None = None) -> PlannedSettings:
    """As `registry.resolve_settings`, without running a file that the user named in this process.

    Raises:
        InputError, BrokenGenerator: as `resolve_settings`.
    """
    if entry.file is None:
        return resolve_settings(entry, budget, overrides)
    given = json.dumps(dict(overrides or {}), sort_keys=True)
    found = _answer(entry.file, entry.class_name, "resolved settings", budget, given)
    return LocalSettings(found.version, found.settings)


def stated_settings(entry: Entry, stated: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a record states, as this version of the generator takes them.

    Raises:
        InputError: the places of those that it does not take.
    """
    if entry.file is not None:
        given = json.dumps(dict(stated), sort_keys=True)
        return dict(_answer(entry.file, entry.class_name, "stated settings", given=given).settings)
    try:
        return entry.settings_class().model_validate_json(json.dumps(dict(stated))).model_dump()
    except ValidationError as error:
        raise InputError(".".join(map(str, item["loc"])) for item in error.errors()) from None


def described(file: LocalFile, wanted: str) -> Answer:
    """What a file's generator says of itself; `wanted` is its class, empty for the only one.

    Raises:
        InputError: a file that cannot be run or used; all problems at once.
    """
    return _answer(file, wanted, "description")


@cache
def _answer(file: LocalFile, wanted: str, asked: Asked, budget: str = "", given: str = "{}") -> Answer:
    request = {
        "path": str(file.path), "source": base64.b64encode(file.source).decode(), "sys.path": sys.path,
        "class": wanted, "asked": asked, "budget": budget, "given": given,
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", "gexbench.benchmark.authoring.local_answers"]
    try:
        ended = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, errors="replace", timeout=LIMIT_S
        )
        found = Answer.model_validate_json(ended.stdout)
    except subprocess.TimeoutExpired:
        raise InputError(f"{file.name}: running it takes longer than {LIMIT_S} s; move the work into `fit`") from None
    except ValidationError:
        last = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        raise InputError(
            f"{file.name}: importing it ends the process ({last}); put code that is no definition behind "
            '`if __name__ == "__main__":`'
        ) from None
    if found.problems:
        raise InputError(found.problems)
    return found
