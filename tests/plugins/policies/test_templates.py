"""Foo, AlwaysTrue and ZeroScore: they change nothing, and a policy of one's own is as short as they are."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

import roost
from roost.api.node import Node
from roost.api.pod import Pod
from roost.framework.plugin import Plugin
from roost.framework.status import Status
from roost.plugins.policies.always_true import AlwaysTrue
from roost.plugins.policies.foo import Foo, FooArgs
from roost.plugins.policies.zero_score import ZeroScore
from roost.testing import node, pod

Rate = Callable[..., dict[str, int]]
Judge = Callable[..., Mapping[str, Status]]
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "http_base.json").read_text())
RECORDED = {row["note"]: row for row in GOLDEN if row["server"] == "foo"}


def asked(note: str) -> tuple[Pod, list[Node]]:
    body = json.loads(RECORDED[note]["request"]["body"])
    return msgspec.convert(body["Pod"], Pod), msgspec.convert(body["Nodes"]["items"], list[Node])


# ---- Foo


def test_f1_the_recorded_filter_reply_is_reproduced(judge: Judge) -> None:
    pod, nodes = asked("foo predicate")
    reply = json.loads(RECORDED["foo predicate"]["response"]["body"])
    assert reply["FailedNodes"] == judge(Foo(), pod, nodes) == {}
    assert [item["metadata"]["name"] for item in reply["Nodes"]["items"]] == [one.name for one in nodes]


@pytest.mark.parametrize("args", [FooArgs(compat="original"), FooArgs(scale="extender")])
def test_f1_the_recorded_scores_are_reproduced(rate: Rate, args: FooArgs) -> None:
    pod, nodes = asked("foo priority")
    reply = json.loads(RECORDED["foo priority"]["response"]["body"])
    assert rate(Foo(args), pod, nodes) == {row["Host"]: row["Score"] for row in reply}


def test_f1_in_our_own_scheduler_that_is_a_tenth_of_the_highest_whatever_the_scale(weigh: Rate) -> None:
    for args in (FooArgs(), FooArgs(scale="extender"), FooArgs(compat="original")):
        assert weigh(Foo(args), pod(), [node("a"), node("b")]) == {"a": 10, "b": 10}


PACKAGE = {
    "fewest.py": """
        class FewestLabels:
            webhook = "fewest-labels"

            def filter(self, pod, node):
                return "banned" not in node.labels or "node(s) are banned"

            def score(self, pod, node):
                return 100 - len(node.labels)
    """,
    "agents/__init__.py": "from .tall import Tall",
    "agents/tall.py": """
        from roost.framework.plugin import Plugin
        from roost.framework.resources import CPU


        class Tall(Plugin):
            name = "Tall"
            reads = frozenset({"node"})
            pod_reads = ()
            webhook = "tall"
            scale = "rank"

            def score(self, ctx, pod, view, rows):
                return view.allocatable[CPU][rows].copy()
    """,
}
WORLD = [
    node("banned", cpu="1", labels={"banned": "yes"}),
    node("plain", cpu="2"),
    node("tall", cpu="8", labels={f"l{i}": "" for i in range(9)}),
]


@pytest.mark.parametrize(
    ("policy", "chosen"),
    [
        pytest.param("fewest:FewestLabels", "plain", id="a file of its own, alone"),
        pytest.param("agents:Tall", "tall", id="a package, alone"),
        pytest.param(["fewest:FewestLabels", "agents:Tall", "Foo"], "tall", id="together, with one of ours"),
    ],
)
def test_f2_a_new_agent_is_one_file_or_package_named_where_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str | list[str], chosen: str
) -> None:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(dedent(text))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for module in ("fewest", "agents", "agents.tall"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert roost.decide(pod(), WORLD, policy=policy).node == chosen


# ---- AlwaysTrue and ZeroScore


def test_always_true_rejects_no_node(judge: Judge) -> None:
    nodes = [node("a"), node("full", cpu="0"), node("cordoned", unschedulable=True)]
    assert judge(AlwaysTrue(), pod(cpu="1"), nodes) == {}


def test_zero_score_gives_every_node_0(rate: Rate) -> None:
    assert rate(ZeroScore(), pod(), [node("a"), node("b", cpu="0")]) == {"a": 0, "b": 0}


def test_with_zero_score_alone_the_first_name_is_chosen() -> None:
    assert roost.decide(pod(), [node("b"), node("a")], policy="ZeroScore").node == "a"


@pytest.mark.parametrize("policy", ["AlwaysTrue", ["AlwaysTrue", "NodeResourcesFit"]])
def test_always_true_leaves_the_choice_to_the_scores(policy: str | list[str]) -> None:
    assert roost.decide(pod(cpu="1"), [node("a", cpu="2"), node("b", cpu="8")], policy=policy).node == "b"


@pytest.mark.parametrize(
    ("plugin", "routes"),
    [
        (Foo(), ("foo", True, True)),
        (AlwaysTrue(), ("always_true", True, False)),
        (ZeroScore(), ("zero_score", False, True)),
    ],
)
def test_what_the_originals_answered_to(plugin: Plugin, routes: tuple[str, bool, bool]) -> None:
    assert (plugin.webhook, hasattr(plugin, "filter"), hasattr(plugin, "score")) == routes
    assert plugin.idle_at == frozenset()
