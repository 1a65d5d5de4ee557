"""Main module of the process that runs a user's file to answer `local_process`."""

import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gexbench.models.entry import Entry
from gexbench.models.local.classes import class_in, conditions_of
from gexbench.models.local.file import LocalFile, key_of
from gexbench.models.registry import resolve_settings
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.errors import InputError


def _serve(request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one request, in the process that runs the file."""
    sys.path[:] = request["sys.path"]
    file = LocalFile(Path(request["path"]), base64.b64decode(request["source"]))
    try:
        cls = class_in(file, request["class"])
        conditions = conditions_of(file, cls)
        lines = (cls.__doc__ or file.module().__doc__ or "").strip().splitlines()
        entry = Entry(key_of(cls.__name__), f"{file.path.stem}:{cls.__name__}", "local", conditions, "", file=file)
        settings: GeneratorSettings | None = None
        if request["asked"] == "resolved settings":
            settings = resolve_settings(entry, request["budget"], json.loads(request["given"]))
        elif request["asked"] == "stated settings":
            settings = cls.Settings.model_validate_json(request["given"])
    except InputError as error:
        return {"problems": list(error.problems)}
    except ValidationError as error:
        return {"problems": [".".join(map(str, item["loc"])) for item in error.errors()]}
    return {
        "class_name": cls.__name__,
        "conditions": conditions,
        "summary": lines[0] if lines else f"from {file.name}",
        "version": str(cls.Settings.version),
        "settings": {} if settings is None else settings.model_dump(mode="json"),
    }


def _main() -> None:
    """Read a request from standard input and write the answer where standard output was; the file prints elsewhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answers.write(json.dumps(_serve(json.load(sys.stdin))))
    answers.flush()
    os._exit(0)  # threads that the file started do not keep the process


if __name__ == "__main__":
    _main()
