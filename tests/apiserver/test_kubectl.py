"""Stock kubectl, verb by verb, on an embedded cluster with stand-ins and a scheduler."""

import json
from collections.abc import Iterator

import pytest
from tests.apiserver.serving import Kubectl, Served, kubectl_for, needs_kubectl, rows, served

pytestmark = needs_kubectl

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
      - name: main
        image: {image}
        ports: [{{containerPort: 80}}]
        env:
        - {{name: FIRST, value: "1"}}
        - {{name: SECOND, value: "2"}}
        resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}
"""


def deployment(name: str, replicas: int = 2, image: str = "nginx:1.29") -> str:
    return DEPLOYMENT.format(name=name, replicas=replicas, image=image)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Served]:
    with served(lives=True) as server:
        yield server


@pytest.fixture(scope="module")
def session(cluster: Served, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    return kubectl_for(cluster, tmp_path_factory.mktemp("kubectl"))


@pytest.fixture
def kubectl(session: Kubectl) -> Iterator[Kubectl]:
    yield session
    session.stop()


def apply_and_wait(kubectl: Kubectl, name: str, replicas: int = 2) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(name, replicas))
    kubectl("wait", "--for=condition=Available", f"deployment/{name}", "--timeout=20s")


def pods_of(kubectl: Kubectl, name: str) -> list[str]:
    return kubectl("get", "pods", "-l", f"app={name}", "-o", "name").split()


def env_of(kubectl: Kubectl, name: str) -> dict[str, str]:
    found = json.loads(kubectl("get", "deployment", name, "-o", "json"))
    return {one["name"]: one["value"] for one in found["spec"]["template"]["spec"]["containers"][0].get("env", [])}


class TestGet:
    def test_nodes_wide(self, kubectl: Kubectl) -> None:
        head, *nodes = rows(kubectl("get", "nodes", "-o", "wide"))
        assert " ".join(head) == (
            "NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME"
        )
        assert [(node[0], node[1], node[2]) for node in nodes] == [(f"node-{i}", "Ready", "<none>") for i in range(3)]

    def test_pods_wide(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "wide")
        head, *pods = rows(kubectl("get", "pods", "-l", "app=wide", "-o", "wide"))
        assert " ".join(head) == "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
        assert len(pods) == 2
        assert all(pod[1:4] == ["1/1", "Running", "0"] and pod[6].startswith("node-") for pod in pods)

    def test_all_and_deployments(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "all")
        assert "replicaset.apps/all-" in kubectl("get", "all")
        head, row = rows(kubectl("get", "deployment", "all"))
        assert head == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
        assert row[:4] == ["all", "2/2", "2", "2"]

    def test_watch_shows_pods_come_and_go(self, kubectl: Kubectl) -> None:
        watch = kubectl.start("get", "pods", "-l", "app=seen", "-w", "--request-timeout=15s")
        apply_and_wait(kubectl, "seen", 1)
        kubectl("delete", "deployment", "seen")
        assert watch.stdout is not None
        seen: list[str] = []
        while "Terminating" not in seen:
            seen.append(watch.stdout.readline().split()[2])
        assert seen[0] == "STATUS"
        assert [one for i, one in enumerate(seen) if i == 0 or one != seen[i - 1]][1:] == [
            "Pending",
            "Running",
            "Terminating",
        ]
        assert seen.count("STATUS") == 1

    def test_what_is_not_there(self, kubectl: Kubectl) -> None:
        printed = kubectl("get", "pod", "nobody", fails=True)
        assert printed == 'Error from server (NotFound): pods "nobody" not found\n'

    def test_other_outputs(self, kubectl: Kubectl) -> None:
        assert kubectl("get", "node", "node-0", "-o", "jsonpath={.metadata.name}") == "node-0"
        assert "kind: Node" in kubectl("get", "node", "node-0", "-o", "yaml")
        assert "node-1" in kubectl("get", "nodes", "--chunk-size=1")


class TestApply:
    def test_again_changes_nothing(self, kubectl: Kubectl) -> None:
        assert kubectl("apply", "-f", "-", stdin=deployment("again")) == "deployment.apps/again created\n"
        assert kubectl("apply", "-f", "-", stdin=deployment("again")) == "deployment.apps/again unchanged\n"

    def test_a_change_rolls_out(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "rolls")
        before = set(pods_of(kubectl, "rolls"))
        assert "configured" in kubectl("apply", "-f", "-", stdin=deployment("rolls", image="nginx:2"))
        assert "successfully rolled out" in kubectl("rollout", "status", "deployment/rolls", "--timeout=20s")
        kubectl("wait", "--for=delete", *before, "--timeout=20s")
        assert before.isdisjoint(pods_of(kubectl, "rolls"))

    def test_what_is_left_out_goes(self, kubectl: Kubectl) -> None:
        kubectl("apply", "-f", "-", stdin=deployment("left"))
        assert env_of(kubectl, "left") == {"FIRST": "1", "SECOND": "2"}
        text = deployment("left").replace('        - {name: FIRST, value: "1"}\n', "")
        kubectl("apply", "-f", "-", stdin=text)
        assert env_of(kubectl, "left") == {"SECOND": "2"}

    def test_server_side(self, kubectl: Kubectl) -> None:
        apply = ("apply", "--server-side", "-f", "-")
        assert kubectl(*apply, stdin=deployment("server")) == "deployment.apps/server serverside-applied\n"
        text = deployment("server").replace('        - {name: FIRST, value: "1"}\n', "")
        kubectl(*apply, stdin=text)
        assert env_of(kubectl, "server") == {"SECOND": "2"}
        kubectl("wait", "--for=condition=Available", "deployment/server", "--timeout=20s")

    def test_server_side_conflict(self, kubectl: Kubectl) -> None:
        apply = ("apply", "--server-side", "-f", "-")
        kubectl(*apply, stdin=deployment("mine"))
        other = (*apply, "--field-manager=other")
        printed = kubectl(*other, stdin=deployment("mine", replicas=3), fails=True)
        assert 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas' in printed
        kubectl(*other, "--force-conflicts", stdin=deployment("mine", replicas=3))
        assert kubectl("get", "deployment", "mine", "-o", "jsonpath={.spec.replicas}") == "3"

    def test_from_client_side_to_server_side(self, kubectl: Kubectl) -> None:
        kubectl("apply", "-f", "-", stdin=deployment("moved"))
        kubectl("apply", "--server-side", "-f", "-", stdin=deployment("moved", replicas=3))
        assert kubectl("get", "deployment", "moved", "-o", "jsonpath={.spec.replicas}") == "3"

    def test_dry_run_stores_nothing(self, kubectl: Kubectl) -> None:
        assert "(server dry run)" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=deployment("dry"))
        kubectl("get", "deployment", "dry", fails=True)

    def test_a_mistake_is_named(self, kubectl: Kubectl) -> None:
        text = deployment("wrong").replace("matchLabels: {app: wrong}", "matchLabels: {app: right}")
        assert "`selector` does not match template `labels`" in kubectl("apply", "-f", "-", stdin=text, fails=True)

    def test_an_unknown_kind_is_named(self, kubectl: Kubectl) -> None:
        text = "apiVersion: things.dev/v1\nkind: Thing\nmetadata: {name: x}\n"
        printed = kubectl("apply", "-f", "-", stdin=text, fails=True)
        assert 'no matches for kind "Thing" in version "things.dev/v1"' in printed


class TestChange:
    def test_scale(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "scaled", 1)
        assert kubectl("scale", "deployment/scaled", "--replicas=3") == "deployment.apps/scaled scaled\n"
        kubectl("wait", "--for=jsonpath={.status.readyReplicas}=3", "deployment/scaled", "--timeout=20s")
        assert len(pods_of(kubectl, "scaled")) == 3

    def test_delete_takes_the_pods_along(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "gone")
        pods = pods_of(kubectl, "gone")
        assert kubectl("delete", "deployment", "gone") == 'deployment.apps "gone" deleted from default namespace\n'
        kubectl("wait", "--for=delete", *pods, "--timeout=20s")
        assert pods_of(kubectl, "gone") == []

    def test_delete_a_pod_and_wait(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "replaced", 1)
        pod = pods_of(kubectl, "replaced")[0]
        kubectl("delete", pod)
        assert pod not in pods_of(kubectl, "replaced")

    def test_cordon(self, kubectl: Kubectl) -> None:
        assert kubectl("cordon", "node-2") == "node/node-2 cordoned\n"
        assert rows(kubectl("get", "node", "node-2"))[1][1] == "Ready,SchedulingDisabled"
        apply_and_wait(kubectl, "elsewhere", 3)
        nodes = kubectl("get", "pods", "-l", "app=elsewhere", "-o", "jsonpath={.items[*].spec.nodeName}").split()
        assert "node-2" not in nodes
        assert kubectl("uncordon", "node-2") == "node/node-2 uncordoned\n"
        assert rows(kubectl("get", "node", "node-2"))[1][1] == "Ready"

    def test_taint(self, kubectl: Kubectl) -> None:
        kubectl("taint", "node", "node-1", "gpu=yes:NoSchedule", "gpu=yes:NoExecute")
        effects = kubectl("get", "node", "node-1", "-o", "jsonpath={.spec.taints[*].effect}").split()
        assert sorted(effects) == ["NoExecute", "NoSchedule"]
        kubectl("taint", "node", "node-1", "gpu:NoExecute-")
        kubectl("taint", "node", "node-1", "gpu-")
        assert kubectl("get", "node", "node-1", "-o", "jsonpath={.spec.taints}") == ""

    def test_drain(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "drained", 3)
        assert "node/node-0 drained" in kubectl("drain", "node-0", "--timeout=20s")
        kubectl("uncordon", "node-0")

    def test_label(self, kubectl: Kubectl) -> None:
        kubectl("label", "node", "node-0", "disk=ssd")
        assert kubectl("get", "nodes", "-l", "disk=ssd", "-o", "name") == "node/node-0\n"
        kubectl("label", "node", "node-0", "disk-")
        assert kubectl("get", "nodes", "-l", "disk", "-o", "name") == ""


class TestTell:
    def test_describe_a_pod(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "told", 1)
        pod = pods_of(kubectl, "told")[0]
        printed = kubectl("describe", pod)
        assert "Controlled By:  ReplicaSet/told-" in printed
        assert "Successfully assigned default/told-" in printed

    def test_describe_a_node(self, kubectl: Kubectl) -> None:
        printed = kubectl("describe", "node", "node-0")
        assert "Non-terminated Pods:" in printed
        assert "Allocated resources:" in printed

    def test_events(self, kubectl: Kubectl) -> None:
        apply_and_wait(kubectl, "eventful", 1)
        head, *events = rows(kubectl("get", "events"))
        assert " ".join(head) == "LAST SEEN TYPE REASON OBJECT MESSAGE"
        assert any(event[1:3] == ["Normal", "Scheduled"] and "pod/eventful-" in event[3] for event in events)
        assert "Successfully assigned" in kubectl("events")

    def test_rollout_status(self, kubectl: Kubectl) -> None:
        kubectl("apply", "-f", "-", stdin=deployment("rolled"))
        printed = kubectl("rollout", "status", "deployment/rolled", "--timeout=20s")
        assert 'deployment "rolled" successfully rolled out' in printed

    def test_api_resources(self, kubectl: Kubectl) -> None:
        listed = rows(kubectl("api-resources"))
        found = {row[0]: row[1:] for row in listed if not row[-3].startswith("metrics.k8s.io/")}
        assert found["deployments"] == ["deploy", "apps/v1", "true", "Deployment"]
        assert found["nodes"] == ["no", "v1", "false", "Node"]
        assert "apps/v1" in kubectl("api-versions").split()

    def test_who_and_what_may_i(self, kubectl: Kubectl) -> None:
        assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
        assert "admin" in kubectl("auth", "whoami")


class TestRefusals:
    @pytest.mark.parametrize(
        "arguments", [("logs", "{pod}"), ("exec", "{pod}", "--", "ls"), ("port-forward", "{pod}", "8080:80")]
    )
    def test_what_needs_a_kubelet(self, kubectl: Kubectl, arguments: tuple[str, ...]) -> None:
        apply_and_wait(kubectl, "mute", 1)
        pod = pods_of(kubectl, "mute")[0]
        printed = kubectl(*(one.format(pod=pod) for one in arguments), fails=True)
        assert "no containers run here: the embedded cluster has no kubelet" in printed

    def test_protobuf_names_the_way_round(self, kubectl: Kubectl) -> None:
        printed = kubectl("create", "deployment", "x", "--image=y", fails=True)
        assert "--dry-run=client -o yaml | kubectl apply -f -" in printed

    def test_the_way_round_works(self, kubectl: Kubectl) -> None:
        text = kubectl("create", "deployment", "round", "--image=y", "--dry-run=client", "-o", "yaml")
        assert kubectl("apply", "-f", "-", stdin=text) == "deployment.apps/round created\n"
