"""What was recorded of the replaced extenders, asked again over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.extender.asking import said, scores, serving

GOLDEN = Path(__file__).parents[1] / "golden"
BASE = json.loads((GOLDEN / "http_base.json").read_text())
INDEX = json.loads((GOLDEN / "node_index.json").read_text())
SAMPLE = json.loads((GOLDEN / "sample_extender.json").read_text())
SAMPLES = json.loads((GOLDEN / "wire_samples.json").read_text())

SERVED = {"safe": ("SafeOverload", "SafeBalance"), "foo": ("Foo",)}
OURS = {
    "root": "a page that lists the routes",
    "preemption (not registered)": "the route that its users configured and that was forgotten",
}
"""Where we answer by default what they did not, and what that is; under compat it is not there."""

FILTER_KEYS = ["Nodes", "NodeNames", "FailedNodes", "Error"]


def cases(exchanges: list[dict[str, Any]]) -> list[Any]:
    """Return exchanges as parameters, each by default and under compat; by default without what is `OURS`."""
    modes = (None, "original")
    return [
        pytest.param(one, compat, id=f"{one['note']}, {compat or 'default'}")
        for one in exchanges
        for compat in modes
        if compat or one["note"] not in OURS
    ]


@pytest.mark.parametrize(("case", "compat"), cases(BASE))
async def test_the_common_base_of_the_replaced_extenders(case: dict[str, Any], compat: str | None) -> None:
    asked, recorded = case["request"], case["response"]
    async with serving(*SERVED[case["server"]], compat=compat) as ask:
        answer = await ask(asked["method"], asked["path"], asked["body"] or "")
    if "error" in recorded:  # it panicked and hung up
        assert is_an_error(asked["path"], answer, compat)
        return
    assert (answer.status, answer.headers.get("location")) == (recorded["status"], recorded["headers"].get("Location"))
    if asked["path"] == "/version":
        assert answer.headers["content-type"] == recorded["headers"]["Content-Type"]
    elif recorded["headers"].get("Content-Type") == "application/json":
        same_shape(said(answer), json.loads(recorded["body"]), same_scores=bool(compat))
    elif asked["method"] != "HEAD":
        assert answer.body.decode() == recorded["body"]


def is_an_error(path: str, answer: Any, compat: str | None) -> bool:
    if "predicates" in path:
        return answer.status == 200 and bool(said(answer)["Error"]) and list(said(answer)) == FILTER_KEYS
    return (answer.status, said(answer)) == (200, []) if compat else answer.status == 400 and bool(said(answer))


def same_shape(ours: Any, theirs: Any, *, same_scores: bool) -> None:
    """Compare keys, names, reasons and scores; nodes are given back as they came, errors say more."""
    if isinstance(theirs, list):
        assert [one["Host"] for one in ours] == [one["Host"] for one in theirs]
        assert ours == theirs or not same_scores
        return
    assert list(ours) == list(theirs)
    assert bool(ours["Error"]) == bool(theirs["Error"])
    if theirs.get("Nodes"):
        assert ours["FailedNodes"] == theirs["FailedNodes"]
        assert [one["metadata"]["name"] for one in ours["Nodes"]["items"]] == [
            one["metadata"]["name"] for one in theirs["Nodes"]["items"]
        ]


@pytest.mark.parametrize("case", [pytest.param(one, id=one["note"]) for one in INDEX["cases"] if "input_nodes" in one])
async def test_n6_node_index_answers_as_recorded_in_the_same_order(case: dict[str, Any]) -> None:
    nodes = [{"metadata": {"name": name}} for name in case["input_nodes"]]
    async with serving("NodeIndex", compat="original") as ask:
        answer = await ask("POST", "/scheduler/priorities/node_index", {"Pod": {}, "Nodes": {"items": nodes}})
    assert (answer.status, said(answer)) == (200, case["response"])


@pytest.mark.parametrize(
    ("note", "method", "path"),
    [
        ("bind", "POST", "/scheduler/bind"),
        ("options", "OPTIONS", "/scheduler/priorities/node_index"),
        ("GET on POST route", "GET", "/scheduler/priorities/node_index"),
    ],
)
async def test_node_index_keeps_its_manners(note: str, method: str, path: str) -> None:
    recorded = next(one for one in INDEX["cases"] if one["note"] == note)["response"]
    async with serving("NodeIndex", compat="original") as ask:
        answer = await ask(method, path, "{}" if method == "POST" else "")
    assert (answer.status, answer.body.decode()) == (recorded["status"], recorded["body"])
    assert answer.headers.get("allow") == recorded["headers"].get("Allow")


@pytest.mark.parametrize("case", [pytest.param(one, id=one["note"]) for one in SAMPLE["http"]])
async def test_the_sample_extender(case: dict[str, Any]) -> None:
    recorded = case["response"]
    async with serving("Lucky", compat="original") as ask:
        answer = await ask(case["method"], case["path"], case["body"] or "")
    if "error" in recorded:
        assert said(answer) == [] if "prio" in case["path"] else said(answer)["Error"]
        return
    assert answer.status == recorded["status"]
    assert answer.headers.get("allow") == recorded["headers"].get("Allow")
    if case["path"] == "/filter" and answer.status == 200:
        ours, theirs = said(answer), json.loads(recorded["body"])
        assert list(ours) == list(theirs)
        assert bool(ours["Error"]) == bool(theirs["Error"])
    elif case["path"] == "/prioritize" and answer.status == 200:
        assert [one["Host"] for one in said(answer)] == [one["Host"] for one in json.loads(recorded["body"])]
    else:
        assert answer.body.decode() == recorded["body"]


@pytest.mark.parametrize("version", ["k8s_1_13", "v0_20"])
async def test_messages_as_kube_scheduler_itself_writes_them_are_answered_as_it_reads_them(version: str) -> None:
    samples = SAMPLES[version]
    async with serving("AlwaysTrue", "ZeroScore") as ask:
        in_full = samples["filter_or_prioritize_request_nodeCacheCapable_false"]
        kept = said(await ask("POST", "/filter", in_full))
        assert list(kept) == list(samples["filter_result_nodes"])
        assert kept == {"Nodes": in_full["Nodes"], "NodeNames": None, "FailedNodes": {}, "Error": ""}
        assert scores(await ask("POST", "/prioritize", in_full)) == {"n1": 0}
        for form in ("false", "true"):
            preempted = await ask("POST", "/preempt", samples[f"preemption_args_nodeCacheCapable_{form}"])
            (victims,) = said(preempted)["NodeNameToMetaVictims"].values()
            assert list(victims) == ["Pods", "NumPDBViolations"]
            assert victims["NumPDBViolations"] == 1
        assert list(said(await ask("POST", "/bind", samples["binding_args"]))) == ["Error"]
