"""The YAML of specifications: safe, without repeated keys, and with numbers such as 1e-3 read as numbers."""

import re
from typing import Any

import yaml

from gexbench.tasks.errors import InputError

LARGEST_SPECIFICATION = 2**20
"""Characters of the largest file that is read."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    """YAML 1.1 takes 1e-3 for text, and the last of two equal keys for the only one."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise yaml.constructor.ConstructorError(None, None, "a key is no plain word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return dict(super().construct_mapping(node, deep))


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parsed(text: str, place: str) -> dict[str, Any]:
    """The mapping that a YAML text holds; an empty text is an empty mapping.

    Args:
        text: of the file; place: its name, for messages.

    Raises:
        InputError: no YAML, no mapping, repeated keys, aliases.
    """
    if len(text) > LARGEST_SPECIFICATION:
        raise InputError(f"{place}: {len(text):,} characters is no specification of a sweep")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=_Loader)):
            raise InputError(f"{place}: holds an alias (*name); write the value out")
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise InputError(f"{place}{line}: {error.problem or 'no YAML'}; mend the file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{place}: no YAML ({str(error).splitlines()[0]}); mend the file") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{place}: holds {type(content).__name__}; write keys and values, for example budget: quick")
    return content
