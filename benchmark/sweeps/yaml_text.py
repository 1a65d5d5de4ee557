"""The YAML of specifications: safe, without repeated keys, and with numbers such as 1e-3 read as numbers."""

import re
from typing import Any, ClassVar

import yaml

from gexbench.tasks.errors import InputError

LARGEST_SPECIFICATION = 2**20
"""Characters of the largest file that is read."""

DEEPEST = 20
"""Brackets and indents within each other; the parser takes quadratic time over deep ones."""

_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    """Plain words are read as in JSON; else 1e-3 is text, 010 is 8, 1:30 is 90, yes is true and a date no text.

    The last of two equal keys would be taken for the only one.
    """

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {}

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


for _tag, _pattern, _first in (
    ("bool", r"true|false|True|False|TRUE|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), [*_first])
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^$"), [""])


def parsed(text: str, place: str) -> dict[str, Any]:
    """The mapping that a YAML text holds; an empty text is an empty mapping.

    Args:
        text: of the file; place: its name, for messages.

    Raises:
        InputError: no YAML, no mapping, repeated keys, aliases, tags.
    """
    if len(text) > LARGEST_SPECIFICATION:
        raise InputError(f"{place}: {len(text):,} characters is no specification of a sweep")
    try:
        _plain(text, place)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise InputError(f"{place}{line}: {error.problem or 'no YAML'}; fix the file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{place}: no YAML ({str(error).splitlines()[0]}); fix the file") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{place}: holds {type(content).__name__}; write keys and values, for example budget: quick")
    return content


def _plain(text: str, place: str) -> None:
    """Refuse what a specification never needs and a parser stumbles over: aliases, tags, and deep structures.

    Raises:
        InputError: one of them; YAMLError as it comes.
    """
    depth = 0
    for token in yaml.scan(text, Loader=_Loader):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if isinstance(token, yaml.AliasToken):
            raise InputError(f"{place}: holds an alias (*name); write the value out")
        if isinstance(token, yaml.TagToken):
            tag = "".join(part or "" for part in token.value)
            raise InputError(f"{place}, line {token.start_mark.line + 1}: holds a tag ({tag}); write the plain value")
        if depth > DEEPEST:
            line = token.start_mark.line + 1
            raise InputError(f"{place}, line {line}: more than {DEEPEST} levels deep, which no specification is")
