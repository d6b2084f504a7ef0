"""What the common base of the replaced extenders promised, line by line, and what ours promises beyond it."""

import json
from typing import Any

import pytest
from tests.extender.asking import Rooms, Zone, about, in_sync, make_webhook, said, scores, serving

from roost import __version__
from roost.errors import ConfigError
from roost.testing import node, pod

TWO = [node("n1"), node("n2")]
KEYS = ["Nodes", "NodeNames", "FailedNodes", "Error"]
BAD_BODIES = {
    "nothing": b"",
    "half a message": b'{"Pod": ',
    "no JSON": b"not json",
    "null": b"null",
    "a list": b"[]",
    "a pod that is a number": b'{"Pod": 5}',
    "neither nodes nor names": b'{"Pod": {}}',
    "no pod": json.dumps({**about(nodes=TWO), "Pod": None}).encode(),
    "an unreadable quantity": json.dumps(about(pod(cpu="1 core"), nodes=TWO)).encode(),
    "a node without sense": b'{"Pod": {}, "Nodes": {"items": [7]}}',
    "bytes that are no text": b'{"Pod": {"metadata": {"name": "\xff"}}}',
    "nesting without end": b'{"Pod":' + b"[" * 100_000,
}


async def test_b1_get_version_answers_the_version() -> None:
    async with serving("Foo") as ask:
        answer = await ask("GET", "/version")
        assert (answer.status, answer.body.decode()) == (200, __version__)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("spell", [str, str.lower, str.upper, str.swapcase], ids=["as is", "lower", "upper", "mixed"])
async def test_b2_keys_are_read_in_any_case_and_written_in_one(spell: Any) -> None:
    asked = about(nodes=TWO)
    asked = {spell("Pod"): asked["Pod"], spell("Nodes"): {spell("Items"): asked["Nodes"]["items"]}}
    async with serving("Foo") as ask:
        answer = said(await ask("POST", "/scheduler/predicates/foo", asked))
    assert list(answer) == KEYS
    assert [one["metadata"]["name"] for one in answer["Nodes"]["items"]] == ["n1", "n2"]


async def test_b2_the_keys_of_nodes_may_be_in_another_case_too() -> None:
    odd = {"METADATA": {"Name": "odd", "LABELS": {"zone": "a"}}, "Status": {"ALLOCATABLE": {"cpu": "4"}}}
    async with serving(Zone) as ask:
        answer = said(await ask("POST", "/filter", {"Pod": {}, "Nodes": {"items": [odd]}}))
    assert answer["Nodes"]["items"] == [odd]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in BAD_BODIES.items()])
async def test_b3_a_body_that_makes_no_sense_gets_a_sentence_and_the_server_goes_on(body: bytes) -> None:
    async with serving("Foo") as ask:
        for path in ("/filter", "/scheduler/predicates/foo", "/bind", "/scheduler/bind"):
            answer = await ask("POST", path, body)
            assert answer.status == 200
            assert said(answer)["Error"]
        for path in ("/prioritize", "/preempt", "/scheduler/preemption"):
            answer = await ask("POST", path, body)
            assert answer.status == 400
            assert said(answer)["Error"]
        assert (await ask("GET", "/healthz")).body == b"ok"


async def test_b3_the_original_extenders_answer_a_bad_prioritize_with_an_empty_list() -> None:
    async with serving("Foo", compat="original") as ask:
        answer = await ask("POST", "/scheduler/priorities/foo", b"{")
    assert (answer.status, said(answer)) == (200, [])


@pytest.mark.parametrize("at", ["the pod", "a node"])
async def test_b3_an_unreadable_quantity_is_told_with_the_object_that_has_it(at: str) -> None:
    asked = about(
        pod(cpu="x" if at == "the pod" else "1"), nodes=[node("n1"), node("n2", cpu="4" if at == "the pod" else "y")]
    )
    async with serving("SafeOverload") as ask:
        told = said(await ask("POST", "/filter", asked))["Error"]
    assert told.startswith(
        "container 'app' requests cpu: " if at == "the pod" else "node 'n2' has an unreadable status.allocatable: "
    )


async def test_b4_names_are_answered_with_names_and_one_score_each() -> None:
    live = in_sync(nodes=[node("n1", labels={"zone": "a"}), node("n2", labels={"zone": "b"})])
    async with serving(Zone, Rooms, live=live) as ask:
        kept = said(await ask("POST", "/filter", about(names=["n2", "n1"])))
        assert (kept["Nodes"], kept["NodeNames"]) == (None, ["n1"])
        assert scores(await ask("POST", "/prioritize", about(names=["n2", "n1"]))) == {"n2": 10, "n1": 10}


async def test_b5_no_nodes_are_an_empty_list_and_not_null() -> None:
    async with serving("Foo", Zone) as ask:
        nothing = {"Nodes": {"metadata": {}, "items": []}, "NodeNames": None, "FailedNodes": {}, "Error": ""}
        assert said(await ask("POST", "/filter", about(nodes=[]))) == nothing
        assert said(await ask("POST", "/prioritize", about(nodes=[]))) == []
        none_left = said(await ask("POST", "/filter", about(nodes=TWO)))
        assert none_left["Nodes"] == {"metadata": {}, "items": []}


async def test_b6_a_rejected_node_is_named_with_the_reason() -> None:
    nodes = [node("n1"), node("n2", labels={"zone": "a"}), node("n3", labels={"zone": "b"})]
    async with serving(Zone) as ask:
        answer = said(await ask("POST", "/filter", about(nodes=nodes)))
        assert [one["metadata"]["name"] for one in answer["Nodes"]["items"]] == ["n2"]
        assert answer["FailedNodes"] == {"n1": "node(s) have no zone", "n3": "node(s) are elsewhere, and stay there"}
        assert answer["FailedAndUnresolvableNodes"] == {"n3": "node(s) are elsewhere, and stay there"}
    async with serving(Zone, compat="original") as ask:
        answer = said(await ask("POST", "/scheduler/predicates/zone", about(nodes=nodes)))
        assert list(answer) == KEYS
        assert answer["FailedNodes"] == {"n1": "node(s) have no zone", "n3": "node(s) are elsewhere, and stay there"}


@pytest.mark.parametrize(
    ("policies", "text"),
    [
        (("SafeOverload",), "Extender doesn't support Bind: make 'BindVerb' be empty in your ExtenderConfig"),
        (
            ("NodeIndex", "AlwaysTrue", "ZeroScore"),
            "This extender doesn't support Bind.  Please make 'BindVerb' be empty in your ExtenderConfig.",
        ),
    ],
)
async def test_b7_bind_without_a_cluster_is_refused_in_the_original_words(policies: tuple[str, ...], text: str) -> None:
    asked = {"PodName": "p", "PodNamespace": "default", "PodUID": "u", "Node": "n1"}
    async with serving(*policies) as ask:
        answer = await ask("POST", "/scheduler/bind", asked)
    assert (answer.status, said(answer)) == (200, {"Error": text})


@pytest.mark.parametrize("key", ["NodeNameToVictims", "nodeToVictims"])
async def test_b8_preemption_gives_back_the_victims_by_uid(key: str) -> None:
    victims = {
        "n1": {"Pods": [{"metadata": {"uid": "v1"}}, {"metadata": {"uid": "v2"}}], "NumPDBViolations": 1},
        "n2": {"Pods": [{"metadata": {"uid": "v3"}}], "NumPDBViolations": 0},
    }
    async with serving("Foo") as ask:
        answer = said(await ask("POST", "/scheduler/preemption", {"Pod": {}, key: victims}))
        nothing = said(await ask("POST", "/preempt", {"Pod": {}, key: {}}))
    assert answer == {
        "NodeNameToMetaVictims": {
            "n1": {"Pods": [{"UID": "v1"}, {"UID": "v2"}], "NumPDBViolations": 1},
            "n2": {"Pods": [{"UID": "v3"}], "NumPDBViolations": 0},
        }
    }
    assert nothing == {"NodeNameToMetaVictims": {}}


async def test_b9_other_methods_are_refused_and_other_paths_unknown() -> None:
    async with serving("Foo") as ask:
        answer = await ask("GET", "/scheduler/predicates/foo")
        assert (answer.status, answer.body, answer.headers["allow"]) == (405, b"Method Not Allowed\n", "POST")
        answer = await ask("POST", "/version", "{}")
        assert (answer.status, answer.headers["allow"]) == (405, "GET")
        for path in ("/nope", "/scheduler/predicates/congestion", "/scheduler"):
            answer = await ask("POST", path, "{}")
            assert (answer.status, answer.body) == (404, b"404 page not found\n")


# B10, LOG_LEVEL, is in tests/cli/test_extend.py.


def test_b11_two_policies_for_one_path_are_refused() -> None:
    # Bind and preemption were registered by hand there, perhaps twice. Ours are there once; policies may clash.
    class Foo:
        def score(self, pod: object, node: object) -> float:
            return 1

    with pytest.raises(ConfigError, match="two policies answer /scheduler/priorities/Foo; leave one of them out"):
        make_webhook(["Foo", Foo])


# Of the sample extender, Lucky.

LUCKY = [node(f"n{number:03}") for number in range(200)]


async def test_l1_every_node_is_kept_or_fails_with_the_reason() -> None:
    async with serving("Lucky", compat="original") as ask:
        answer = said(await ask("POST", "/filter", about(nodes=LUCKY)))
    kept = [one["metadata"]["name"] for one in answer["Nodes"]["items"]]
    assert sorted([*kept, *answer["FailedNodes"]]) == [one.name for one in LUCKY]
    assert set(answer["FailedNodes"].values()) == {"Well, you're not lucky"}


async def test_l2_half_of_the_nodes_pass_and_all_scores_are_as_likely() -> None:
    passed, drawn = 0, []
    async with serving("Lucky", compat="original") as ask:
        for _ in range(10):
            passed += len(said(await ask("POST", "/filter", about(nodes=LUCKY)))["Nodes"]["items"])
            drawn += scores(await ask("POST", "/prioritize", about(nodes=LUCKY))).values()
    assert 900 < passed < 1100
    assert all(130 < drawn.count(score) < 235 for score in range(11))
    assert len(drawn) == 2000


async def test_l3_the_same_seed_throws_the_same_dice() -> None:
    async def draw(seed: int) -> list[dict[str, int]]:
        async with serving("Lucky", compat="original", seed=seed) as ask:
            return [scores(await ask("POST", "/prioritize", about(nodes=LUCKY))) for _ in range(3)]

    first = await draw(7)
    assert await draw(7) == first
    assert await draw(8) != first
    assert first[0] != first[1]


async def test_l4_the_root_says_welcome_where_the_sample_extender_is_replaced() -> None:
    async with serving("Lucky", compat="original") as ask:
        assert (await ask("GET", "/")).body == b"Welcome to sample-scheduler-extender!\n"
    async with serving("Lucky") as ask:
        page = (await ask("GET", "/")).body.decode()
        assert "POST      /scheduler/predicates/Lucky\n" in page


async def test_l5_a_bad_body_is_an_error_of_filter_and_an_empty_list_of_prioritize() -> None:
    async with serving("Lucky", compat="original") as ask:
        assert said(await ask("POST", "/filter", "{"))["Error"]
        assert said(await ask("POST", "/prioritize", "{")) == []


async def test_l6_an_empty_list_is_a_list() -> None:
    async with serving("Lucky", compat="original") as ask:
        answer = said(await ask("POST", "/filter", about(nodes=[])))
    assert answer["Nodes"]["items"] == []
