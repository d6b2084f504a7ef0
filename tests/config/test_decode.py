"""Sentences about data that does not fit a type, of whatever kinds a plugin's arguments are made."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Optional

import pytest
from msgspec import Meta, field

from roost.config.decode import at, decode, nearest
from roost.errors import ConfigError
from roost.framework.plugin import Args


class Colour(StrEnum):
    red = "red"
    blue = "blue"


class Inner(Args):
    deep_value: int = 0


@dataclass
class Plain:
    value: int = 0


class Everything(Args):
    number: Annotated[int, Meta(ge=0)] = 0
    colour: Colour = Colour.red
    kind: Literal["a", "b"] = "a"
    inner: Optional[Inner] = None  # noqa: UP045 - users write it
    inners: dict[str, Inner] = field(default_factory=dict)
    several: list[Inner] = field(default_factory=list)
    plain: Plain = Plain()
    either: int | str = 0

    def __post_init__(self) -> None:
        if self.number == 13:
            raise ValueError("number: brings bad luck - at least here")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"number": -1}, "args.number: Expected `int` >= 0"),
        ({"colour": "green"}, "args.colour: 'green' is none of red, blue"),
        ({"kind": "c - at `$.number`"}, "args.kind: 'c - at `$.number`' is none of a, b"),
        ({"inner": {"depvalue": 1}}, "args.inner.depvalue: unknown field; did you mean deepValue?"),
        ({"inners": {"x": {"other": 1}}}, "args.inners[...].other: unknown field; known are deepValue"),
        ({"several": [{}, {"deepValue": "1"}]}, "args.several[1].deepValue: is a text, not a whole number"),
        ({"several": [{}, {"deepValu": 1}]}, "args.several[1].deepValu: unknown field; did you mean deepValue?"),
        ({"plain": {"value": "x"}}, "args.plain.value: is a text, not a whole number"),
        ({"either": 1.5}, "args.either: is a number, not a whole number or a text"),
        ({"inners": {1: {}}}, "args.inners: a name in this mapping is not a text; put it in quotes"),
        ({"number": 13}, "args.number: brings bad luck - at least here"),
        ([], "args: is a list, not a mapping"),
    ],
)
def test_sentences(data: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(data, Everything, "args")
    assert str(caught.value) == sentence


def test_nulls_are_left_out_at_every_depth() -> None:
    found = decode({"inner": {"deepValue": None}, "several": [{"deepValue": None}], "kind": None}, Everything)
    assert found == Everything(inner=Inner(), several=[Inner()])


@pytest.mark.parametrize(
    ("path", "problem", "sentence"),
    [
        ("args", "must be 1", "args: must be 1"),
        ("args", "strategy.type: must be a", "args.strategy.type: must be a"),
        ("args", "resources[0]: must be a", "args.resources[0]: must be a"),
        ("args", "Nothing: is right", "args: Nothing: is right"),
        ("", "must be 1", "must be 1"),
    ],
)
def test_a_problem_joins_the_path_if_it_names_a_field(path: str, problem: str, sentence: str) -> None:
    assert str(at(path, problem)) == sentence


def test_the_nearest_names_are_found_in_any_case() -> None:
    assert nearest("noderesourcesfit", ["NodeResourcesFit", "NodeName"]) == "; did you mean NodeResourcesFit?"
    assert nearest("x", ["NodeResourcesFit"]) == ""
