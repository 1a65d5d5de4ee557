"""Types of the values in a record: strict, finite, and no text that UTF-8 cannot hold."""

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from gexbench.tasks.panel.protocols import known_key

LONGEST_TEXT = 2**20
_INTEGERS = 2**64
_GATE = re.compile(r"[a-z0-9][a-z0-9_ -]{0,63}(/[a-z0-9][a-z0-9_ -]{0,63}){0,4}")
_Place = tuple[str | int, ...]


class Part(BaseModel):
    """An object of a record: every field has the type that it states, and there is no other field."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        str_max_length=LONGEST_TEXT,  # a bound of any size makes pydantic refuse lone surrogates too
    )


def _known(key: str) -> str:
    try:
        known_key(key)
    except (KeyError, ValueError) as error:
        raise PydanticCustomError("metric", "{text}", {"text": str(error.args[0])}) from None
    return key


def _gate(key: str) -> str:
    if not _GATE.fullmatch(key):
        raise PydanticCustomError("gate", "{text}", {"text": f"{key[:60]!r} is not words between slashes"})
    return key


def _json(value: Any) -> Any:
    problems = list(_ill_json(value, ()))
    if problems:
        raise ValidationError.from_exception_data("JSON", problems)
    return value


def _ill_json(value: Any, place: _Place) -> Iterator[InitErrorDetails]:
    kind = type(value)
    if kind is dict:
        for name, each in value.items():
            yield from _ill_json(name, (*place, str(name)))
            yield from _ill_json(each, (*place, str(name)))
    elif kind is list:
        for at, each in enumerate(value):
            yield from _ill_json(each, (*place, at))
    elif not (value is None or _sound(value)):
        problem = PydanticCustomError("json", "Input should be finite, below 2^64 and Unicode, as JSON is exchanged")
        yield InitErrorDetails(type=problem, loc=place, input=value)


def _sound(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    return math.isfinite(value) if isinstance(value, float) else isinstance(value, int) and abs(value) < _INTEGERS


Json = Annotated[Any, AfterValidator(_json)]
"""Any JSON value: settings and facts of a generator."""

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""SHA-256 as 64 hexadecimal digits."""

Count = Annotated[int, Field(ge=0, lt=_INTEGERS)]
Positive = Annotated[int, Field(ge=1, lt=_INTEGERS)]
Seconds = Annotated[float, Field(ge=0)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]
"""A list of text; JSON has no tuples, so that a list is taken for one."""

Curve = Annotated[tuple[float | None, ...], Field(strict=False)]
"""Values over a training, null where one was not finite."""

MetricKey = Annotated[str, AfterValidator(_known)]
"""`name` or `name[label]` of a metric of any protocol."""

GateKey = Annotated[str, AfterValidator(_gate)]
"""Name of a figure that a gate judges, such as `copies/one/test`."""

ClusterSum = Annotated[tuple[Positive, float], Field(strict=False)]
"""Rows of a cluster and the sum of a patient-level value over them."""
