"""Small worlds: two zones of two nodes each, and a node that has no zone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from msgspec import convert

from roost.api.kinds import AnyObject
from roost.api.node import Node
from roost.api.pod import Pod
from roost.cache import Cache
from roost.errors import ConfigError
from roost.framework.cycle import Cycle
from roost.framework.decision import Table
from roost.framework.plugin import Context
from roost.framework.profile import Profile
from roost.framework.status import Code
from roost.plugins.intree.inter_pod_affinity import InterPodAffinity, InterPodAffinityArgs
from roost.testing import node, pod

Fields = dict[str, Any]
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
FAR, HATED, HATING = (
    "node(s) didn't match pod affinity rules",
    "node(s) didn't match pod anti-affinity rules",
    "node(s) didn't satisfy existing pods anti-affinity rules",
)
NODES = [
    node("a1", labels={"zone": "a", "host": "a1"}),
    node("a2", labels={"zone": "a", "host": "a2"}),
    node("b1", labels={"zone": "b", "host": "b1"}),
    node("b2", labels={"zone": "b", "host": "b2"}),
    node("none", labels={"host": "none"}),
]
ALL = {one.name for one in NODES}


def web(key: str = "zone", **more: Any) -> Fields:
    """Return a term: near pods with the label app=web."""
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "web"}}, **more}


def near(*terms: Fields) -> Fields:
    return {"podAffinity": {REQUIRED: list(terms)}}


def away(*terms: Fields) -> Fields:
    return {"podAntiAffinity": {REQUIRED: list(terms)}}


def rather(side: str, *terms: Fields, weight: int = 10) -> Fields:
    return {side: {PREFERRED: [{"weight": weight, "podAffinityTerm": term} for term in terms]}}


def ruled(name: str, affinity: Fields, node_name: str = "", *, app: str = "api", **how: Any) -> Pod:
    return pod(name, node_name=node_name, labels={"app": app}, spec={"affinity": affinity}, **how)


def plain(name: str, node_name: str, app: str = "web", **how: Any) -> Pod:
    return pod(name, node_name=node_name, labels={"app": app}, **how)


def decided(
    incoming: Pod,
    pods: Iterable[Pod] = (),
    *,
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
    nodes: Sequence[Node] = NODES,
    **args: Any,
) -> Table:
    cache = Cache()
    for name, labels in (namespaces or {}).items():
        cache.set_namespace(convert({"metadata": {"name": name, "labels": labels}}, AnyObject))
    for one in nodes:
        cache.set_node(one)
    for placed in pods:
        cache.set_pod(placed)
    plugin = InterPodAffinity(InterPodAffinityArgs(**args))
    decision = Cycle(Profile.of([plugin])).decide(cache.pod_info(incoming), cache.view, Context())
    assert decision.outcome != "error", decision.message
    return decision.freeze()


def fitting(*args: Any, **how: Any) -> set[str]:
    return {name for name, verdict in decided(*args, **how).verdicts.items() if verdict.feasible}


def reasons(*args: Any, **how: Any) -> dict[str, str]:
    verdicts = decided(*args, **how).verdicts
    return {name: verdict.status.message for name, verdict in verdicts.items() if not verdict.feasible}


def scores(*args: Any, **how: Any) -> dict[str, int] | None:
    """Return raw scores; None if the plugin skips the pod."""
    rows = decided(*args, **how).scores
    if not any(row.raw for row in rows.values()):
        return None
    return {name: row.raw["InterPodAffinity"] for name, row in rows.items()}


@pytest.mark.parametrize(
    ("affinity", "pods", "fits"),
    [
        pytest.param(near(web()), [plain("w", "a1")], {"a1", "a2"}, id="a zone with such a pod will do"),
        pytest.param(near(web("host")), [plain("w", "a1")], {"a1"}, id="near can be the same node"),
        pytest.param(near(web()), [], set(), id="without such a pod nothing will do"),
        pytest.param(near(web()), [plain("w", "none")], set(), id="a pod on a node without the label counts nowhere"),
        pytest.param(near(web()), [plain("w", "gone")], set(), id="a pod on an unknown node counts nowhere"),
        pytest.param(near(web(), web("host")), [plain("w", "a1"), plain("v", "b2")], {"a1", "b2"}, id="all terms hold"),
        pytest.param(
            near(web(), {"topologyKey": "host", "labelSelector": {"matchLabels": {"tier": "front"}}}),
            [plain("w", "a1"), pod("f", node_name="a1", labels={"tier": "front"})],
            set(),
            id="one and the same pod has to match all terms",
        ),
        pytest.param(away(web()), [plain("w", "a1")], {"b1", "b2", "none"}, id="a zone with such a pod is avoided"),
        pytest.param(away(web("host")), [plain("w", "none")], {"a1", "a2", "b1", "b2"}, id="away from one node"),
        pytest.param(away(web("rack")), [plain("w", "a1")], ALL, id="a label that no node has avoids nothing"),
        pytest.param(away(web(), web("host")), [plain("w", "a1"), plain("v", "none")], {"b1", "b2"}, id="any term"),
        pytest.param(away({"topologyKey": "zone"}), [plain("w", "a1")], ALL, id="no selector selects nothing"),
        pytest.param(
            away({"topologyKey": "zone", "labelSelector": {}}),
            [plain("w", "a1")],
            {"b1", "b2", "none"},
            id="an empty selector selects everything",
        ),
        pytest.param(
            away(web()),
            [plain("w", "a1", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})],
            {"b1", "b2", "none"},
            id="a pod that is being deleted counts",
        ),
        pytest.param(
            near(web(matchLabelKeys=["rev"], labelSelector={"matchLabels": {"app": "web"}})),
            [plain("w", "a1"), pod("n", node_name="b1", labels={"app": "web", "rev": "2"})],
            {"b1", "b2"},
            id="matchLabelKeys ask for the pod's own values",
        ),
    ],
)
def test_a_pod_with_required_rules_fits(affinity: Fields, pods: list[Pod], fits: set[str]) -> None:
    incoming = pod("new", labels={"app": "api", "rev": "2"}, spec={"affinity": affinity})
    assert fitting(incoming, pods) == fits


@pytest.mark.parametrize(
    ("affinity", "app", "pods", "fits"),
    [
        pytest.param(near(web()), "web", [], {"a1", "a2", "b1", "b2"}, id="it fits its own term and no pod does"),
        pytest.param(near(web()), "web", [plain("w", "none")], {"a1", "a2", "b1", "b2"}, id="or only one in no zone"),
        pytest.param(near(web()), "web", [plain("w", "b1")], {"b1", "b2"}, id="not once there is one"),
        pytest.param(near(web()), "api", [], set(), id="not if it does not fit its own term"),
        pytest.param(near(web(), web("host")), "web", [plain("w", "none")], set(), id="not if a term has found one"),
        pytest.param(near(web(namespaces=["shop"])), "web", [], set(), id="not if its namespace is not meant"),
    ],
)
def test_the_first_of_pods_that_want_to_be_together_fits_where_the_labels_are(
    affinity: Fields, app: str, pods: list[Pod], fits: set[str]
) -> None:
    assert fitting(ruled("new", affinity, app=app), pods) == fits


@pytest.mark.parametrize(
    ("placed", "incoming", "fits"),
    [
        pytest.param(ruled("p", away(web()), "a1"), plain("new", ""), {"b1", "b2", "none"}, id="its zone is closed"),
        pytest.param(
            ruled("p", away(web()), "a1"), plain("new", "", "api"), ALL, id="not to pods that it does not mean"
        ),
        pytest.param(ruled("p", away(web()), "none"), plain("new", ""), ALL, id="a node without the label has no zone"),
        pytest.param(
            ruled("p", rather("podAntiAffinity", web()), "a1"), plain("new", ""), ALL, id="a wish closes none"
        ),
        pytest.param(ruled("p", near(web()), "a1"), plain("new", ""), ALL, id="affinity closes none"),
        pytest.param(
            ruled("p", away(web()), "a1"), plain("new", "", namespace="shop"), ALL, id="another namespace is not meant"
        ),
        pytest.param(
            ruled("p", away(web(namespaces=["shop"])), "a1"),
            plain("new", "", namespace="shop"),
            {"b1", "b2", "none"},
            id="a namespace that is named is meant",
        ),
    ],
)
def test_required_anti_affinity_of_a_pod_that_is_there(placed: Pod, incoming: Pod, fits: set[str]) -> None:
    assert fitting(incoming, [placed]) == fits


NAMESPACES = {"default": {"team": "x"}, "shop": {"team": "y"}, "bare": {}}


@pytest.mark.parametrize(
    ("selector", "near_it"),
    [
        pytest.param({"matchLabels": {"team": "y"}}, {"shop"}, id="labels that a namespace has"),
        pytest.param({}, {"default", "shop", "bare", "unknown"}, id="an empty selector means all"),
        pytest.param(
            {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["y"]}]},
            {"default", "shop", "bare", "unknown"},
            id="one that selects no labels at all means all, as kube-scheduler has it",
        ),
        pytest.param({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, {"default", "shop"}, id="any team"),
    ],
)
def test_which_namespaces_an_incoming_pod_means(selector: Fields, near_it: set[str]) -> None:
    incoming = ruled("new", away(web("host", namespaceSelector=selector)))
    pods = [plain(f"w{at}", at, namespace=space) for at, space in zip(
        ("a1", "a2", "b1", "b2"), ("default", "shop", "bare", "unknown"), strict=True
    )]  # fmt: skip
    rejected = reasons(incoming, pods, namespaces=NAMESPACES)
    assert {one.namespace for one in pods if one.spec.node_name in rejected} == near_it


@pytest.mark.parametrize(
    ("namespace", "closed"),
    [
        pytest.param("default", False, id="with the label"),
        pytest.param("shop", True, id="with another value"),
        pytest.param("bare", True, id="without it"),
        pytest.param("unknown", True, id="not known, so without it"),
    ],
)
def test_a_placed_pod_s_selector_of_namespaces_goes_by_their_labels(namespace: str, closed: bool) -> None:
    selector = {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["x"]}]}
    placed = ruled("p", away(web("host", namespaceSelector=selector)), "a1")
    fits = fitting(plain("new", "", namespace=namespace), [placed], namespaces=NAMESPACES)
    assert ("a1" not in fits) is closed


def test_affinity_is_told_before_anti_affinity_and_that_before_what_placed_pods_want() -> None:
    incoming = ruled(
        "new", {**near(web("host")), **away({"topologyKey": "host", "labelSelector": {"matchLabels": {"app": "db"}}})}
    )
    keeps_api_away = away({"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "api"}}})
    pods = [
        ruled("hates", keeps_api_away, "a2", app="web"),
        plain("w", "a1"),
        plain("d", "a1", "db"),
        plain("w2", "b1"),
    ]
    assert reasons(incoming, pods) == {"a1": HATED, "a2": HATING, "b2": FAR, "none": FAR}
    verdicts = decided(incoming, pods).verdicts
    assert [verdicts[name].status.code for name in ("b2", "a1", "a2")] == [
        Code.UnschedulableAndUnresolvable,
        Code.Unschedulable,
        Code.Unschedulable,
    ]


@pytest.mark.parametrize(
    ("incoming", "pods", "expected"),
    [
        pytest.param(
            ruled("new", rather("podAffinity", web())),
            [plain("w", "a1"), plain("v", "a1"), plain("u", "b1")],
            {"a1": 20, "a2": 20, "b1": 10, "b2": 10, "none": 0},
            id="its wishes count for every pod",
        ),
        pytest.param(
            ruled("new", rather("podAntiAffinity", web("host"), weight=7)),
            [plain("w", "a1")],
            {"a1": -7, "a2": 0, "b1": 0, "b2": 0, "none": 0},
            id="what it avoids counts negative",
        ),
        pytest.param(
            plain("new", ""),
            [ruled("p", rather("podAffinity", web()), "a1"), ruled("q", rather("podAntiAffinity", web("host")), "b1")],
            {"a1": 10, "a2": 10, "b1": -10, "b2": 0, "none": 0},
            id="the wishes of pods that are there count too",
        ),
        pytest.param(
            plain("new", ""),
            [ruled("p", near(web()), "a1", app="web")],
            {"a1": 1, "a2": 1, "b1": 0, "b2": 0, "none": 0},
            id="what they require counts as one",
        ),
        pytest.param(
            plain("new", ""),
            [ruled("p", rather("podAffinity", web("host")), "a1"), ruled("q", rather("podAntiAffinity", web()), "a2")],
            {"a1": 0, "a2": -10, "b1": 0, "b2": 0, "none": 0},
            id="all of it is added up",
        ),
        pytest.param(ruled("new", rather("podAffinity", web())), [plain("d", "a1", "db")], None, id="nobody is meant"),
        pytest.param(ruled("new", rather("podAffinity", web())), [plain("w", "none")], None, id="somebody in no zone"),
        pytest.param(plain("new", ""), [plain("w", "a1")], None, id="nobody has wishes"),
        pytest.param(ruled("new", near(web())), [plain("w", "a1")], None, id="it only has requirements"),
    ],
)
def test_scores(incoming: Pod, pods: list[Pod], expected: dict[str, int] | None) -> None:
    found = scores(incoming, pods)
    assert found == (expected and {name: expected[name] for name in found or expected})


@pytest.mark.parametrize(
    ("args", "affinity", "expected"),
    [
        pytest.param({"hard_pod_affinity_weight": 5}, {}, 10 - 5 + 5, id="requirements of placed pods have the weight"),
        pytest.param({"hard_pod_affinity_weight": 0}, {}, 10 - 5, id="or count nothing"),
        pytest.param({"ignore_preferred_terms_of_existing_pods": True}, {}, None, id="placed pods can be ignored"),
        pytest.param(
            {"ignore_preferred_terms_of_existing_pods": True},
            rather("podAffinity", {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "none"}}}),
            10 - 5 + 1,
            id="unless the pod has wishes itself",
        ),
    ],
)
def test_arguments(args: Fields, affinity: Fields, expected: int | None) -> None:
    pods = [
        ruled("p", rather("podAffinity", web()), "a1"),
        ruled("q", rather("podAntiAffinity", web(), weight=5), "a1"),
        ruled("r", near(web()), "a2", app="web"),
    ]
    found = scores(ruled("new", affinity, app="web"), pods, **args)
    assert (found and found["a1"]) == expected


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_that_kube_scheduler_refuses(weight: int) -> None:
    with pytest.raises(ConfigError, match=f"hardPodAffinityWeight: must be from 0 to 100, not {weight}"):
        InterPodAffinity(InterPodAffinityArgs(hard_pod_affinity_weight=weight))


WISHES = rather("podAffinity", web("host"), weight=1) | rather(
    "podAntiAffinity", {"topologyKey": "host", "labelSelector": {"matchLabels": {"app": "db"}}}, weight=1
)


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param(
            [plain("1", "a1"), plain("2", "a1"), plain("3", "b1", "db")],
            {"a1": 100, "a2": 33, "b1": 0, "b2": 33, "none": 33},
            id="the span of -1 to 2 is brought to 100, truncated",
        ),
        pytest.param([plain(at, at) for at in ALL], dict.fromkeys(ALL, 0), id="no difference is nothing"),
    ],
)
def test_scores_are_spread_over_0_to_100(pods: list[Pod], expected: dict[str, int]) -> None:
    rows = decided(ruled("new", WISHES), pods).scores
    assert {name: row.total for name, row in rows.items()} == {name: 2 * score for name, score in expected.items()}
