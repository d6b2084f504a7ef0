"""The API over HTTP: verbs, status codes, shapes and refusals, as kube-apiserver has them."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.apiserver.building import pod
from tests.apiserver.serving import Answer, Served, served

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
PODS = "/api/v1/namespaces/default/pods"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
THINGS = "/apis/things.dev/v1alpha1/namespaces/default/things"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Served]:
    with served() as server:
        yield server


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def refused(answer: Answer, code: int, reason: str) -> str:
    """Check that an answer is a Status with this code; return its message."""
    status = answer.json
    assert (answer.status, status["code"], status["reason"]) == (code, code, reason), status
    assert (status["kind"], status["status"]) == ("Status", "Failure")
    return answer.message


class TestDiscovery:
    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/api", "APIVersions"),
            ("/apis", "APIGroupList"),
            ("/apis/apps", "APIGroup"),
            ("/api/v1", "APIResourceList"),
            ("/apis/apps/v1", "APIResourceList"),
        ],
    )
    def test_plain(self, cluster: Served, path: str, kind: str) -> None:
        assert cluster.ask("GET", path).json["kind"] == kind

    def test_resources_of_a_group(self, cluster: Served) -> None:
        found = {one["name"]: one for one in cluster.ask("GET", "/apis/apps/v1").json["resources"]}
        assert found["deployments"]["shortNames"] == ["deploy"]
        assert found["deployments/scale"]["kind"] == "Scale"
        assert found["deployments/status"]["verbs"] == ["get", "patch", "update"]

    def test_aggregated(self, cluster: Served) -> None:
        answer = cluster.ask("GET", "/apis", accept=AGGREGATED)
        assert "as=APIGroupDiscoveryList" in answer.headers["content-type"]
        groups = {one["metadata"]["name"]: one for one in answer.json["items"]}
        resources = {one["resource"]: one for one in groups["apps"]["versions"][0]["resources"]}
        assert resources["deployments"]["scope"] == "Namespaced"
        assert resources["deployments"]["responseKind"]["kind"] == "Deployment"
        core = cluster.ask("GET", "/api", accept=AGGREGATED).json["items"]
        assert [one["metadata"] for one in core] == [{}]

    @pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
    def test_health(self, cluster: Served, path: str) -> None:
        assert cluster.ask("GET", path).body == b"ok"

    def test_version(self, cluster: Served) -> None:
        assert cluster.ask("GET", "/version").json["gitVersion"].startswith("v1.36")

    def test_openapi(self, cluster: Served) -> None:
        paths = cluster.ask("GET", "/openapi/v3").json["paths"]
        document = cluster.ask("GET", paths["apis/apps/v1"]["serverRelativeURL"]).json
        patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
        assert {"dryRun", "fieldValidation"} <= {one["name"] for one in patch["parameters"]}
        assert patch["x-kubernetes-group-version-kind"]["kind"] == "Deployment"

    @pytest.mark.parametrize("path", ["/nope", "/openapi/v2", "/apis/nope.dev/v1", "/apis/apps/v2"])
    def test_what_is_not_there(self, cluster: Served, path: str) -> None:
        assert cluster.ask("GET", path).status == 404


class TestVerbs:
    def test_create_get_update_delete(self, cluster: Served) -> None:
        created = cluster.ask("POST", CONFIG_MAPS, config("one", a="1"))
        assert created.status == 201
        assert created.json["metadata"]["uid"]
        path = f"{CONFIG_MAPS}/one"
        changed = {**created.json, "data": {"a": "2"}}
        assert cluster.ask("PUT", path, changed).status == 200
        assert cluster.ask("GET", path).json["data"] == {"a": "2"}
        gone = cluster.ask("DELETE", path)
        assert (gone.status, gone.json["status"], gone.json["details"]["kind"]) == (200, "Success", "configmaps")
        assert refused(cluster.ask("GET", path), 404, "NotFound") == 'configmaps "one" not found'

    def test_of_two_writers_one_is_refused(self, cluster: Served) -> None:
        first = cluster.ask("POST", CONFIG_MAPS, config("two", a="1")).json
        path = f"{CONFIG_MAPS}/two"
        assert cluster.ask("PUT", path, {**first, "data": {"a": "2"}}).status == 200
        message = refused(cluster.ask("PUT", path, {**first, "data": {"a": "3"}}), 409, "Conflict")
        assert "the object has been modified; please apply your changes to the latest version" in message

    def test_a_name_is_taken(self, cluster: Served) -> None:
        cluster.ask("POST", CONFIG_MAPS, config("taken"))
        message = refused(cluster.ask("POST", CONFIG_MAPS, config("taken")), 409, "AlreadyExists")
        assert message == 'configmaps "taken" already exists'

    @pytest.mark.parametrize(
        ("media", "patch"),
        [
            ("application/merge-patch+json", {"data": {"b": "2", "a": None}}),
            ("application/strategic-merge-patch+json", {"data": {"b": "2", "a": None}}),
            (
                "application/json-patch+json",
                [{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/b", "value": "2"}],
            ),
        ],
    )
    def test_patch(self, cluster: Served, media: str, patch: Any) -> None:
        cluster.ask("PUT", f"{CONFIG_MAPS}/patched", config("patched", a="1"))
        cluster.ask("DELETE", f"{CONFIG_MAPS}/patched")
        cluster.ask("POST", CONFIG_MAPS, config("patched", a="1"))
        answer = cluster.ask("PATCH", f"{CONFIG_MAPS}/patched", patch, content_type=media)
        assert (answer.status, answer.json["data"]) == (200, {"b": "2"})

    def test_apply_in_yaml(self, cluster: Served) -> None:
        text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: {a: '1'}\n"
        path = f"{CONFIG_MAPS}/yaml?fieldManager=me"
        answer = cluster.ask("PATCH", path, text, content_type="application/apply-patch+yaml")
        assert (answer.status, answer.json["metadata"]["managedFields"][0]["manager"]) == (201, "me")
        assert cluster.ask("PATCH", path, text, content_type="application/apply-patch+yaml").status == 200

    def test_dry_run(self, cluster: Served) -> None:
        assert cluster.ask("POST", f"{CONFIG_MAPS}?dryRun=All", config("dry")).status == 201
        assert cluster.ask("GET", f"{CONFIG_MAPS}/dry").status == 404
        refused(cluster.ask("POST", f"{CONFIG_MAPS}?dryRun=Some", config("dry")), 422, "Invalid")

    def test_delete_a_collection(self, cluster: Served) -> None:
        for name in ("c1", "c2"):
            body = config(name)
            body["metadata"]["labels"] = {"group": "c"}
            cluster.ask("POST", CONFIG_MAPS, body)
        deleted = cluster.ask("DELETE", f"{CONFIG_MAPS}?labelSelector=group%3Dc").json
        assert [one["metadata"]["name"] for one in deleted["items"]] == ["c1", "c2"]
        assert cluster.ask("GET", f"{CONFIG_MAPS}?labelSelector=group%3Dc").json["items"] == []

    def test_deletion_has_conditions(self, cluster: Served) -> None:
        cluster.ask("POST", CONFIG_MAPS, config("kept"))
        body = {"preconditions": {"uid": "another"}}
        refused(cluster.ask("DELETE", f"{CONFIG_MAPS}/kept", body), 409, "Conflict")

    def test_orphaning_by_query(self, cluster: Served) -> None:
        cluster.ask("POST", CONFIG_MAPS, config("orphaning"))
        held = cluster.ask("DELETE", f"{CONFIG_MAPS}/orphaning?propagationPolicy=Orphan").json
        assert held["metadata"]["finalizers"] == ["orphan"]


class TestLists:
    def test_pages(self, cluster: Served) -> None:
        first = cluster.ask("GET", "/api/v1/nodes?limit=2").json
        assert len(first["items"]) == 2
        assert first["metadata"]["remainingItemCount"] == 1
        token = first["metadata"]["continue"]
        rest = cluster.ask("GET", f"/api/v1/nodes?limit=2&continue={token}").json
        assert [one["metadata"]["name"] for one in rest["items"]] == ["node-2"]
        assert "continue" not in rest["metadata"]

    def test_selectors(self, cluster: Served) -> None:
        found = cluster.ask("GET", "/api/v1/nodes?fieldSelector=metadata.name%3Dnode-1").json["items"]
        assert [one["metadata"]["name"] for one in found] == ["node-1"]
        assert cluster.ask("GET", "/api/v1/nodes?labelSelector=no%3Dbody").json["items"] == []

    def test_a_table(self, cluster: Served) -> None:
        found = cluster.ask("GET", "/api/v1/nodes", accept=TABLE).json
        assert found["kind"] == "Table"
        assert [row["cells"][0] for row in found["rows"]] == ["node-0", "node-1", "node-2"]
        one = cluster.ask("GET", "/api/v1/nodes/node-0?includeObject=Object", accept=TABLE).json
        assert one["rows"][0]["object"]["kind"] == "Node"

    def test_metadata_alone(self, cluster: Served) -> None:
        found = cluster.ask("GET", "/api/v1/nodes", accept=PARTIAL).json
        assert found["kind"] == "PartialObjectMetadataList"
        assert set(found["items"][0]) == {"kind", "apiVersion", "metadata"}

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("limit=x", 400),
            ("labelSelector=a%3D%3D%3Db", 400),
            ("fieldSelector=spec.nobody%3D1", 400),
            ("resourceVersion=x", 400),
            ("watch=maybe", 400),
            ("resourceVersionMatch=Exact", 422),
            ("resourceVersionMatch=Some&resourceVersion=1", 422),
            ("resourceVersionMatch=Exact&resourceVersion=0", 422),
            ("sendInitialEvents=true", 422),
            ("watch=1&sendInitialEvents=true", 422),
            ("watch=1&resourceVersionMatch=NotOlderThan", 422),
            ("resourceVersion=999999", 504),
        ],
    )
    def test_queries_without_sense(self, cluster: Served, query: str, code: int) -> None:
        assert cluster.ask("GET", f"/api/v1/pods?{query}").status == code


class TestRefusals:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("PUT", CONFIG_MAPS), ("PATCH", CONFIG_MAPS), ("POST", f"{CONFIG_MAPS}/x"), ("POST", "/api/v1/configmaps")],
    )
    def test_methods(self, cluster: Served, method: str, path: str) -> None:
        refused(cluster.ask(method, path, config("x")), 405, "MethodNotAllowed")

    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/nopes",
            "/apis/apps/v2/deployments",
            "/api/v1/namespaces/default/nodes",
            "/api/v1/configmaps/x",
            f"{CONFIG_MAPS}/x/status",
            "/apis/autoscaling/v1/horizontalpodautoscalers",
        ],
    )
    def test_paths(self, cluster: Served, path: str) -> None:
        message = refused(cluster.ask("GET", path), 404, "NotFound")
        assert message == "the server could not find the requested resource"

    @pytest.mark.parametrize(
        "body", [b"{bad", b"[]", b'{"metadata": []}', b'{"metadata": {"name": "x"}, "spec": 1}', b"\xff"]
    )
    def test_bodies(self, cluster: Served, body: bytes) -> None:
        refused(cluster.ask("POST", PODS, body), 400, "BadRequest")

    def test_a_body_of_another_kind(self, cluster: Served) -> None:
        refused(cluster.ask("POST", PODS, config("x")), 400, "BadRequest")

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_protobuf_bodies_name_the_setting(self, cluster: Served, method: str) -> None:
        path = PODS if method == "POST" else f"{PODS}/x"
        answer = cluster.ask(method, path, b"k8s\0", content_type=PROTOBUF)
        message = refused(answer, 415, "UnsupportedMediaType")
        assert "contentType: application/json" in message or method == "PATCH"

    def test_protobuf_alone_is_not_acceptable(self, cluster: Served) -> None:
        message = refused(cluster.ask("GET", PODS, accept=PROTOBUF), 406, "NotAcceptable")
        assert "contentType: application/json" in message
        assert cluster.ask("GET", PODS, accept=f"{PROTOBUF}, */*").status == 200

    def test_too_large(self, cluster: Served) -> None:
        body = config("large", a="x" * (3 * 1024 * 1024))
        refused(cluster.ask("POST", CONFIG_MAPS, body), 413, "RequestEntityTooLarge")

    def test_other_hosts(self, cluster: Served) -> None:
        refused(cluster.ask("GET", "/api", host="evil.example"), 403, "Forbidden")
        assert cluster.ask("GET", "/api", host="localhost:1").status == 200

    @pytest.mark.parametrize("part", ["log", "exec", "attach", "portforward"])
    def test_what_needs_a_kubelet(self, cluster: Served, part: str) -> None:
        message = refused(cluster.ask("GET", f"{PODS}/x/{part}"), 501, "NotImplemented")
        assert message.startswith("no containers run here: the embedded cluster has no kubelet")


class TestParts:
    def test_binding(self, cluster: Served) -> None:
        cluster.ask("POST", PODS, pod("bound"))
        body = {"metadata": {"name": "bound"}, "target": {"kind": "Node", "name": "node-1"}}
        answer = cluster.ask("POST", f"{PODS}/bound/binding", body)
        assert (answer.status, answer.json["status"]) == (201, "Success")
        assert cluster.ask("GET", f"{PODS}/bound").json["spec"]["nodeName"] == "node-1"
        message = refused(cluster.ask("POST", f"{PODS}/bound/binding", body), 409, "Conflict")
        assert 'pod bound is already assigned to node "node-1"' in message

    def test_status(self, cluster: Served) -> None:
        cluster.ask("POST", PODS, pod("told"))
        patch = {"status": {"nominatedNodeName": "node-1"}, "spec": {"nodeName": "ignored"}}
        media = "application/strategic-merge-patch+json"
        told = cluster.ask("PATCH", f"{PODS}/told/status", patch, content_type=media).json
        assert told["status"]["nominatedNodeName"] == "node-1"
        assert "nodeName" not in told["spec"]
        told["status"]["phase"] = "Failed"
        assert cluster.ask("PUT", f"{PODS}/told/status", told).json["status"]["phase"] == "Failed"
        assert cluster.ask("GET", f"{PODS}/told/status").status == 200

    def test_eviction(self, cluster: Served) -> None:
        cluster.ask("POST", PODS, pod("evicted"))
        answer = cluster.ask("POST", f"{PODS}/evicted/eviction", {"metadata": {"name": "evicted"}})
        assert answer.status == 201
        assert cluster.ask("GET", f"{PODS}/evicted").status == 404

    def test_scale(self, cluster: Served) -> None:
        labels = {"app": "scaled"}
        template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
        spec = {"selector": {"matchLabels": labels}, "template": template, "replicas": 0}
        deployments = "/apis/apps/v1/namespaces/default/deployments"
        cluster.ask("POST", deployments, {"metadata": {"name": "scaled"}, "spec": spec})
        scale = cluster.ask("GET", f"{deployments}/scaled/scale").json
        assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 0)
        patch = {"spec": {"replicas": 2}}
        media = "application/merge-patch+json"
        assert cluster.ask("PATCH", f"{deployments}/scaled/scale", patch, content_type=media).status == 200
        assert cluster.ask("GET", f"{deployments}/scaled").json["spec"]["replicas"] == 2

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "allowed"),
            ("/apis/authentication.k8s.io/v1/selfsubjectreviews", "userInfo"),
            ("/apis/authentication.k8s.io/v1/tokenreviews", "authenticated"),
        ],
    )
    def test_reviews(self, cluster: Served, path: str, place: str) -> None:
        answer = cluster.ask("POST", path, b"k8s\0", content_type=PROTOBUF)
        assert answer.status == 201
        assert answer.json["status"][place]


class TestUnknownKinds:
    def test_are_kept_as_they_come(self, cluster: Served) -> None:
        assert cluster.ask("GET", THINGS).status == 404
        body = {"apiVersion": "things.dev/v1alpha1", "kind": "Thing", "metadata": {"name": "t"}, "any": [{"x": {}}]}
        assert cluster.ask("POST", THINGS, body).status == 201
        assert cluster.ask("GET", f"{THINGS}/t").json["any"] == [{"x": {}}]
        assert cluster.ask("GET", THINGS).json["kind"] == "ThingList"
        found = cluster.ask("GET", "/apis/things.dev/v1alpha1").json["resources"]
        assert [one["name"] for one in found] == ["things", "things/status"]

    def test_have_no_strategic_merge(self, cluster: Served) -> None:
        body = {"apiVersion": "things.dev/v1alpha1", "kind": "Thing", "metadata": {"name": "s"}}
        cluster.ask("POST", THINGS, body)
        media = "application/strategic-merge-patch+json"
        refused(cluster.ask("PATCH", f"{THINGS}/s", {}, content_type=media), 415, "UnsupportedMediaType")
