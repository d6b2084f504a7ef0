"""`roost plugins` tells what can be named, with arguments and their defaults."""

import json

import pytest

from roost.cli.plugins import Output, plugins
from roost.errors import ConfigError
from roost.plugins.registry import REGISTRY


def as_json(capsys: pytest.CaptureFixture[str], *names: str) -> list[dict[str, object]]:
    plugins(list(names), Output.json)
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


def test_every_plugin_is_listed_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    rows = as_json(capsys)
    assert [row["name"] for row in rows] == list(REGISTRY)
    assert all(str(row["does"]).endswith(".") for row in rows)


def test_arguments_come_with_their_types_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    [row] = as_json(capsys, "RandomNode")
    assert row["args"] == [{"name": "seed", "type": "whole number", "default": 0}]
    assert (row["origin"], row["extensionPoints"]) == ("policy", ["score"])


def test_lists_and_types_of_their_own_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    [row] = as_json(capsys, "NodeResourcesFit")
    assert [(arg["name"], arg["type"]) for arg in row["args"]] == [  # type: ignore[attr-defined]
        ("ignoredResources", "list of text"),
        ("ignoredResourceGroups", "list of text"),
        ("scoringStrategy", "ScoringStrategy"),
    ]


def test_people_get_paragraphs(capsys: pytest.CaptureFixture[str]) -> None:
    plugins(["TaintToleration"], Output.table)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "TaintToleration  (default, weight 3)"
    assert "  at: filter, score" in rest


def test_an_unknown_name_is_answered_with_what_could_be_meant() -> None:
    with pytest.raises(ConfigError, match="unknown plugin RandomNod; did you mean RandomNode"):
        plugins(["RandomNod"])
