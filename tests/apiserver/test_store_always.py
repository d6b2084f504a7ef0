"""Whatever is written in whatever order: watches from any version end where lists are, and pages show one moment."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from tests.apiserver.building import Watcher, add_node, bind_pod, label, new_store, pod

from roost.apiserver.resources import DEPLOYMENT, EVENT, NODE, POD, POD_DISRUPTION_BUDGET, PRIORITY_CLASS
from roost.apiserver.standins import settle
from roost.apiserver.store import DeleteOptions, Selection, select
from roost.errors import ApiError, Conflict, Gone, NotFound

NAMES = st.sampled_from(["a", "b", "c", "d"])
APPS = st.sampled_from(["x", "y"])
SELECTORS = [
    {},
    {"label_selector": "app=x"},
    {"field_selector": "spec.nodeName="},
    {"label_selector": "app!=y", "field_selector": "spec.nodeName=node-0"},
]
LOG_SIZE = 12

FIELDS = st.sampled_from(["name", "metadata", "labels", "spec", "containers", "requests", "matchLabels", "replicas"])
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "zone",
    "labelSelector": {"matchLabels": {"app": "web"}},
    "matchLabelKeys": ["app"],
}
FULL = pod(
    containers=[
        {
            "name": "app",
            "image": "nginx:1",
            "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
            "ports": [{"containerPort": 80}],
        }
    ],
    labels={"app": "web"},
    spec={
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "labelSelector": {"matchLabels": {"app": "web"}},
                "matchLabelKeys": ["app"],
            }
        ],
        "schedulingGates": [{"name": "wait"}],
        "hostNetwork": True,
    },
)
SELECTOR = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": FULL["spec"]}
BODIES = [
    (POD, FULL),
    (NODE, {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "a"}]}, "status": {"allocatable": {"cpu": "1"}}}),
    (
        DEPLOYMENT,
        {
            "metadata": {"name": "d", "annotations": {"a": "b"}},
            "spec": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE, "strategy": ROLLING},
        },
    ),
    (POD_DISRUPTION_BUDGET, {"metadata": {"name": "b"}, "spec": {"selector": SELECTOR, "minAvailable": "50%"}}),
    (PRIORITY_CLASS, {"metadata": {"name": "p"}, "value": 3, "globalDefault": True}),
    (EVENT, {"metadata": {"name": "e"}, "involvedObject": {"name": "x"}, "series": {"count": 1}}),
]


def by_name(items: list[Any]) -> dict[str, Any]:
    return {item.name: item.object for item in items}


class Writing(RuleBasedStateMachine):
    """Writers, watchers that begin in the past, and readers of pages."""

    pages = Bundle("pages")

    def __init__(self) -> None:
        super().__init__()
        self.store = new_store(log_size=LOG_SIZE)
        add_node(self.store)
        self.past: dict[int, list[dict[str, Any]]] = {}
        self.watchers: list[tuple[Selection, Watcher]] = []
        self.pod_versions: list[int] = []
        self._remember()

    def _remember(self) -> None:
        self.past[self.store.version] = [by_name(self.store.list(select(POD, **s)).items) for s in SELECTORS]

    def _write(self, change: Any, *allowed: type[Exception]) -> None:
        before = self.store.version
        try:
            change()
        except allowed:
            assert self.store.version == before
        if self.store.version > before:
            self.pod_versions.append(self.store.version)
        self._remember()

    @rule(name=NAMES, app=APPS)
    def create(self, name: str, app: str) -> None:
        self._write(lambda: self.store.create(POD, pod(name, labels={"app": app}), "default"), Conflict)

    @rule(name=NAMES, app=APPS)
    def relabel(self, name: str, app: str) -> None:
        self._write(lambda: label(self.store, name, app=app), NotFound)

    @rule(name=NAMES)
    def place(self, name: str) -> None:
        self._write(lambda: bind_pod(self.store, name), NotFound, Conflict)

    @rule(name=NAMES, grace=st.sampled_from([None, 0]))
    def delete(self, name: str, grace: int | None) -> None:
        options = DeleteOptions(grace_seconds=grace)
        self._write(lambda: self.store.delete(POD, name, "default", options), NotFound)

    @rule(name=NAMES, app=APPS)
    def two_writers_at_once(self, name: str, app: str) -> None:
        item = self.store.find(POD, name, "default")
        if item is None:
            return
        outcomes = []
        for writer in ("one", "two"):
            body = item.copy()
            body["metadata"]["labels"] = {"app": app, "writer": writer, "version": str(self.store.version)}
            try:
                self._write(lambda body=body: self.store.update(POD, body, name, "default"))
                outcomes.append("written")
            except Conflict:
                outcomes.append("conflict")
        assert outcomes == ["written", "conflict"]

    @rule(data=st.data(), which=st.integers(0, len(SELECTORS) - 1))
    def watch_from_the_past(self, data: st.DataObject, which: int) -> None:
        version = data.draw(st.sampled_from(sorted(self.past)))
        selection, watcher = select(POD, **SELECTORS[which]), Watcher()
        watcher.state = dict(self.past[version][which])
        since = sum(written > version for written in self.pod_versions)
        if since > LOG_SIZE:
            with pytest.raises(Gone):
                self.store.subscribe(selection, watcher, since=str(version))
        else:
            self.store.subscribe(selection, watcher, since=str(version))
            self.watchers.append((selection, watcher))

    @rule(target=pages, limit=st.integers(1, 3), which=st.integers(0, len(SELECTORS) - 1))
    def first_page(self, limit: int, which: int) -> Any:
        page = self.store.list(select(POD, **SELECTORS[which]), limit=limit)
        return (which, limit, page.resource_version, page.continue_token, by_name(page.items))

    @rule(page=pages)
    def other_pages(self, page: Any) -> None:
        which, limit, version, token, found = page
        found = dict(found)
        try:
            while token:
                more = self.store.list(select(POD, **SELECTORS[which]), limit=limit, continue_token=token)
                found |= by_name(more.items)
                token = more.continue_token
        except Gone:
            assert sum(written > version for written in self.pod_versions) > LOG_SIZE
        else:
            assert found == self.past[version][which]

    @invariant()
    def every_watcher_has_what_a_list_shows(self) -> None:
        for selection, watcher in self.watchers:
            listed = by_name(self.store.list(selection).items)
            assert watcher.state == listed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def mutated(body: Any, path: list[int], value: Any) -> Any:
    """Return a body with the part at the end of a path replaced."""
    if not path or not isinstance(body, dict | list) or not body:
        return value
    here = path[0] % len(body)
    if isinstance(body, list):
        return [mutated(part, path[1:], value) if i == here else part for i, part in enumerate(body)]
    return {key: mutated(part, path[1:], value) if i == here else part for i, (key, part) in enumerate(body.items())}


@given(which=st.integers(0, len(BODIES) - 1), path=st.lists(st.integers(0, 9), min_size=1, max_size=8), value=JSON)
@settings(max_examples=300, deadline=None)
def test_whatever_is_sent_is_stored_or_refused_in_the_api_s_words(which: int, path: list[int], value: Any) -> None:
    store = new_store()
    resource, body = BODIES[which]
    body = mutated(body, path, value)
    if not isinstance(body, dict):
        return
    with contextlib.suppress(ApiError):
        store.create(resource, body)
    with contextlib.suppress(ApiError):
        stored = store.create(resource, BODIES[which][1])
        store.update(resource, body, stored.name, stored.namespace)
    settle(store, store.clock())


TestWriting = Writing.TestCase
TestWriting.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
