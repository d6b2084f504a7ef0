"""The rules of merging and of multiPoint, on names alone; the cases follow the documentation of kube-scheduler."""

from typing import Any

import pytest

from roost.config.configuration import PluginEntry, Plugins, PluginSet
from roost.config.decode import decode
from roost.config.plugin_sets import expand, merge


def plugins(**points: Any) -> Plugins:
    """Plugins from `point={"enabled": ["A", ("B", 2)], "disabled": ["C"]}`."""
    return decode(
        {point: {kind: [_entry(e) for e in entries] for kind, entries in s.items()} for point, s in points.items()},
        Plugins,
    )


def _entry(entry: str | tuple[str, int]) -> dict[str, Any]:
    return {"name": entry} if isinstance(entry, str) else {"name": entry[0], "weight": entry[1]}


def spelled(entries: tuple[PluginEntry, ...] | list[PluginEntry]) -> list[Any]:
    return [(entry.name, entry.weight) if entry.weight else entry.name for entry in entries]


MERGES = [
    ("no change keeps the defaults", ["D1", "D2"], {}, ["D1", "D2"]),
    ("a new plugin comes after the defaults", ["D1", "D2"], {"enabled": ["X"]}, ["D1", "D2", "X"]),
    (
        "a default one that is disabled and enabled again moves to where it is enabled",
        ["D1", "D2"],
        {"enabled": ["X", "D2"], "disabled": ["D2"]},
        ["D1", "X", "D2"],
    ),
    (
        "with all disabled, a plugin can come before the defaults",
        ["D1", "D2"],
        {"enabled": ["X", "D1", "D2"], "disabled": ["*"]},
        ["X", "D1", "D2"],
    ),
    (
        "with all disabled, the defaults can be put in another order",
        ["D1", "D2"],
        {"enabled": ["D2", "D1"], "disabled": ["*"]},
        ["D2", "D1"],
    ),
    (
        "enabling a default one again changes its weight",
        ["P1", "P2", "P3"],
        {"enabled": [("P1", 2), ("P3", 3)]},
        [("P1", 2), "P2", ("P3", 3)],
    ),
    (
        "enabling default ones again keeps their order",
        ["P1", "P2", "P3"],
        {"enabled": [("P2", 2), ("P1", 1)]},
        [("P1", 1), ("P2", 2), "P3"],
    ),
    (
        "enabling a default one again without a weight forgets its default weight",
        [("P1", 3)],
        {"enabled": ["P1"]},
        ["P1"],
    ),
    ("disabling what is not there does nothing", ["D1"], {"disabled": ["X"]}, ["D1"]),
    ("all disabled and none enabled is none", ["D1", "D2"], {"disabled": ["*"]}, []),
    ("enabled beats disabled", ["D1"], {"enabled": ["X"], "disabled": ["X"]}, ["D1", "X"]),
]


@pytest.mark.parametrize(("rule", "defaults", "custom", "expected"), MERGES, ids=[row[0] for row in MERGES])
@pytest.mark.parametrize("point", ["multiPoint", "filter", "score"])
def test_merging(point: str, rule: str, defaults: list[Any], custom: dict[str, Any], expected: list[Any]) -> None:
    merged = merge(plugins(**{point: {"enabled": defaults}}), plugins(**{point: custom}))
    assert spelled(merged.at(point).enabled) == expected


def test_merging_keeps_what_is_disabled_for_the_sake_of_multi_point() -> None:
    merged = merge(plugins(score={"disabled": ["A"]}), plugins(score={"disabled": ["B"]}))
    assert spelled(merged.score.disabled) == ["B", "A"]


SCORERS = {"Every", "Score1", "Score2", "Score3"}
EXPANSIONS = [
    ("a plugin of multiPoint is asked at the point it implements", {"enabled": [("Every", 5)]}, {}, [("Every", 5)]),
    ("a plugin that does not implement the point is left out", {"enabled": ["Bind", "Score1"]}, {}, ["Score1"]),
    ("a plugin of multiPoint can be disabled at the point", {"enabled": ["Every"]}, {"disabled": ["Every"]}, []),
    ("'*' at the point disables those of multiPoint", {"enabled": ["Every", "Score1"]}, {"disabled": ["*"]}, []),
    (
        "'*' at the point leaves its own",
        {"enabled": ["Every", "Score1"]},
        {"enabled": ["Score2"], "disabled": ["*"]},
        ["Score2"],
    ),
    (
        "what both name comes first, in the point's order",
        {"enabled": ["Score3", "Every", "Score1"]},
        {"enabled": ["Score1", "Every"]},
        ["Score1", "Every", "Score3"],
    ),
    (
        "what only the point names comes last, wherever it stands",
        {"enabled": ["Every", "Score1"]},
        {"enabled": ["Score3", "Score1", "Every"]},
        ["Score1", "Every", "Score3"],
    ),
    (
        "the point's weights win",
        {"enabled": ["Every", "Score1"]},
        {"enabled": [("Score1", 5), ("Every", 3)]},
        [("Score1", 5), ("Every", 3)],
    ),
    (
        "the point's weights win also beside a plugin that only the point names",
        {"enabled": ["Every", "Score1"]},
        {"enabled": [("Score1", 5), ("Score2", 5), ("Every", 3)]},
        [("Score1", 5), ("Every", 3), ("Score2", 5)],
    ),
    (
        "disabled for multiPoint and enabled by the point is the point's alone, hence last",
        {"enabled": ["Score1", "Score2"]},
        {"enabled": ["Score1"], "disabled": ["Score1"]},
        ["Score2", "Score1"],
    ),
]


@pytest.mark.parametrize(("rule", "multi_point", "own", "expected"), EXPANSIONS, ids=[row[0] for row in EXPANSIONS])
def test_expanding(rule: str, multi_point: dict[str, Any], own: dict[str, Any], expected: list[Any]) -> None:
    together = plugins(multiPoint=multi_point, score=own)
    assert spelled(expand(together, "score", lambda name: name in SCORERS)) == expected


def test_multi_point_says_nothing_of_a_point_where_nobody_implements_it() -> None:
    assert expand(plugins(multiPoint={"enabled": ["Bind"]}), "score", lambda name: name in SCORERS) == []


def test_disabled_and_enabled_in_multi_point_is_enabled() -> None:
    custom = plugins(multiPoint={"enabled": ["Bind", "Score1"], "disabled": ["Score1"]})
    assert spelled(expand(merge(plugins(), custom), "score", lambda name: name in SCORERS)) == ["Score1"]


def test_plugin_sets_are_values() -> None:
    assert PluginSet(enabled=(PluginEntry(name="A"),)) == PluginSet(enabled=(PluginEntry(name="A"),))
