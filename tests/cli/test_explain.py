"""`roost explain` and `roost dump`: files and live clusters in, tables, JSON, YAML and HTML out."""

import json
import re
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.apiserver.serving import served
from typer.testing import CliRunner

from roost.apiserver.resources import POD
from roost.cli.main import app
from roost.cli.progress import Progress
from roost.cli.read_dump import STEP, read_dumps

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PENDING = HOW_TO / "pending.yaml"
PAGE = (HOW_TO / "why-is-my-pod-pending.md").read_text()
ASKED = re.findall(r"^```console\n\$ roost (explain .*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)


def roost(*arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, [*arguments], input=stdin)


def explain(*arguments: str) -> Any:
    answer = roost("explain", *arguments, "-o", "json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def objects() -> list[Any]:
    found: list[Any] = yaml.safe_load(PENDING.read_text())["items"]
    return found


def written(path: Path, items: list[Any], **more: Any) -> str:
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items, **more}))
    return str(path)


# ---- what the documentation says


@pytest.mark.parametrize(("command", "printed"), ASKED, ids=[command for command, _ in ASKED])
def test_the_page_shows_what_the_command_prints(command: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOW_TO)
    answer = roost(*shlex.split(command))
    assert answer.exit_code == 0
    assert answer.stdout == printed


def test_the_page_asks_five_questions() -> None:
    assert len(ASKED) == 5


# ---- the answer


def test_json_has_the_shape_of_recorded_decisions_and_more() -> None:
    answer = explain("-f", str(PENDING), "--pod", "shop/web-7d9f-x2x4")
    recorded = ["result", "preEnqueue", "preFilter", "nodes", "scores", "best", "fitError", "error", "preemption"]
    assert [key for key in answer if key in recorded] == recorded
    assert answer["result"] == "unschedulable"
    assert answer["nodes"]["node-a"] == {
        "feasible": False, "code": "Unschedulable", "plugin": "NodeResourcesFit", "reasons": ["Insufficient cpu"],
    }  # fmt: skip
    assert answer["groups"][1]["nodes"][0]["missing"]["cpu"]["missing"] == 500
    assert answer["suggestions"][0]["evict"] == ["shop/cart-0"]
    assert answer["suggestions"][-1]["newNode"]["metadata"]["name"] == "node-a-new"


def test_yaml_says_the_same_as_json() -> None:
    arguments = ("explain", "-f", str(PENDING), "--pod", "shop/mail", "-o")
    assert yaml.safe_load(roost(*arguments, "yaml").stdout) == json.loads(roost(*arguments, "json").stdout)


def test_html_is_one_file_that_asks_nobody() -> None:
    page = roost("explain", "-f", str(PENDING), "--pod", "shop/mail", "-o", "html").stdout
    assert page.startswith("<!doctype html>")
    assert not re.search(r"(src|href)=|https?://|@import|url\(", page)
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert [line[0] for line in data["lines"]] == ["node-a", "node-b", "node-c"]
    assert "TaintToleration" in data["rules"]


def test_names_cannot_break_out_of_the_html() -> None:
    evil = [{**one, "metadata": {**one["metadata"], "name": "</script><b>"}} for one in objects()[:1]]
    page = roost("explain", "-f", "-", "--manifest", "-", "-o", "html", stdin=json.dumps(evil[0]))
    assert "</script><b>" not in page.stdout


def test_the_profile_of_a_configuration_decides(tmp_path: Path) -> None:
    config = tmp_path / "scheduler.yaml"
    config.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n"
        "- schedulerName: default-scheduler\n  plugins: {multiPoint: {disabled: [{name: TaintToleration}]}}\n"
    )
    answer = explain("-f", str(PENDING), "--pod", "shop/mail", "--config", str(config))
    assert answer["node"] == "node-c"
    assert answer["profile"] == f"Decided with the profile default-scheduler of {config}."
    other = explain("-f", str(PENDING), "--pod", "shop/report", "--config", str(config))
    assert other["profile"].endswith("which has none for default-schedular.")


def test_a_bound_pod_is_decided_again_as_if_it_were_new() -> None:
    answer = explain("-f", str(PENDING), "--pod", "shop/cart-1", "--prefer", "node-a")
    assert [one["matter"] for one in answer["preconditions"]] == ["bound"]
    assert (answer["node"], answer["prefer"]["place"]) == ("node-b", 2)
    assert answer["nodes"]["node-a"] == {"feasible": True}


def test_a_pod_whose_priority_suffices_is_told_whom_the_scheduler_evicts(tmp_path: Path) -> None:
    items = objects()
    for one in items:
        if one["metadata"]["name"] == "web-7d9f-x2x4":
            one["spec"]["priority"] = 9
    file = written(tmp_path / "dump.json", items)
    answer = roost("explain", "-f", file, "--pod", "shop/web-7d9f-x2x4")
    assert "the scheduler evicts shop/cart-0 from node-a by itself" in answer.stdout


# ---- files


def test_a_dump_may_be_in_several_files_and_in_yaml_or_json(tmp_path: Path) -> None:
    nodes = written(tmp_path / "nodes.json", [one for one in objects() if one["kind"] == "Node"])
    rest = tmp_path / "rest.yaml"
    rest.write_text("---\n".join(yaml.safe_dump(one) for one in objects() if one["kind"] != "Node"))
    whole = explain("-f", str(PENDING), "--pod", "shop/web-7d9f-x2x4")
    assert explain("-f", nodes, "-f", str(rest), "--pod", "shop/web-7d9f-x2x4") == whole


def test_a_list_of_pods_as_the_api_answers_it_needs_no_kinds(tmp_path: Path) -> None:
    pods = [{key: value for key, value in one.items() if key != "kind"} for one in objects() if one["kind"] == "Pod"]
    listed = tmp_path / "pods.json"
    listed.write_text(json.dumps({"kind": "PodList", "apiVersion": "v1", "items": pods}))
    nodes = written(tmp_path / "nodes.json", [one for one in objects() if one["kind"] == "Node"])
    assert explain("-f", str(listed), "-f", nodes, "--pod", "shop/mail")["node"] == "node-b"


def test_what_cannot_be_read_is_left_out_and_said(tmp_path: Path) -> None:
    broken = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "odd", "namespace": "shop"},
        "spec": {"nodeName": 5},
    }
    amount = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "much"}}}
    file = written(tmp_path / "dump.json", [*objects(), broken, amount])
    first, second = explain("-f", file, "--pod", "shop/mail")["unreadable"]
    assert first.startswith("node n is left out: node 'n' has an unreadable status.allocatable")
    assert second.startswith("Pod odd is left out: Expected `str`, got `int`")


def test_dump_keeps_the_decision_and_no_secret(tmp_path: Path) -> None:
    secret = {"name": "PASSWORD", "value": "s3cret"}
    items = objects()
    for one in items:
        one["metadata"]["managedFields"] = [{"manager": "s3cret"}]
        one["metadata"]["annotations"] = {"example.com/note": "s3cret", "roost.dev/price-per-hour": "0.5", "mine": "1"}
        for container in one.get("spec", {}).get("containers", ()):
            container.update(
                env=[secret], command=["run", "--token=s3cret"], envFrom=[{"secretRef": {"name": "s3cret"}}]
            )
    items.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3cret"}, "data": {"x": "s3cret"}})
    full = written(tmp_path / "full.json", items)
    dumped = roost("dump", "-f", full, "--annotation", "mine")
    assert dumped.exit_code == 0
    assert "s3cret" not in dumped.stdout
    assert '"roost.dev/price-per-hour":"0.5"' in dumped.stdout
    assert '"mine":"1"' in dumped.stdout
    small = tmp_path / "small.json"
    small.write_text(dumped.stdout)
    for pod in ("web-7d9f-x2x4", "report", "db-0", "mail"):
        before, after = (explain("-f", file, "--pod", f"shop/{pod}") for file in (full, str(small)))
        for one in (*before["suggestions"], *after["suggestions"]):
            one["newNode"] = (
                one["newNode"] and one["newNode"]["metadata"]["name"]
            )  # the annotations of the node are not there
        assert after == before


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_reading_shows_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = objects()[3]
    pods = [{**shape, "metadata": {"name": f"p{i}", "namespace": "shop"}} for i in range(2 * STEP + 1)]
    file = written(tmp_path / "dump.json", pods)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Progress() as progress:
        read_dumps([file], progress.show)
    assert terminal.getvalue().split("\r\x1b[K")[1:] == [
        f"reading dump.json: {STEP} of {2 * STEP + 1} objects …",
        f"reading dump.json: {2 * STEP} of {2 * STEP + 1} objects …",
        "",
    ]


# ---- manifests


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "template": {"spec": {"containers": [{"name": "app", "resources": {"limits": {"cpu": "3", "memory": "1Gi"}}}]}}
    },
}


def test_a_manifest_is_taken_as_the_api_server_would_store_it(tmp_path: Path) -> None:
    manifest = tmp_path / "web.yaml"
    manifest.write_text(yaml.safe_dump(DEPLOYMENT))
    answer = explain("-f", str(PENDING), "--manifest", str(manifest), "-n", "shop")
    assert (answer["pod"], answer["schedulerName"], answer["node"]) == ("shop/web", "default-scheduler", "node-b")
    assert answer["nodes"]["node-a"]["reasons"] == ["Insufficient cpu"]


# ---- a live cluster


def test_a_live_cluster_is_asked_and_can_be_dumped(tmp_path: Path) -> None:
    container = {"name": "app", "image": "nginx:1", "resources": {"requests": {"cpu": "9"}}}
    pod = {"metadata": {"name": "big", "namespace": "default"}, "spec": {"containers": [container]}}
    with served(3) as server:
        server.call(lambda: server.store.create(POD, pod, "default"))
        command = [sys.executable, "-m", "roost"]
        live = subprocess.run(
            [*command, "explain", "pod/big", "--server", server.url, "-o", "json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        dumped = subprocess.run(
            [*command, "dump", "--server", server.url], capture_output=True, text=True, timeout=60, check=True
        )
    answer = json.loads(live.stdout)
    assert answer["result"] == "unschedulable"
    assert answer["suggestions"]
    assert [one["matter"] for one in answer["preconditions"]] == ["scheduler"]
    assert (
        "No running scheduler seems to answer to its schedulerName default-scheduler"
        in answer["preconditions"][0]["says"]
    )
    file = tmp_path / "dump.json"
    file.write_text(dumped.stdout)
    again = explain("-f", str(file), "--pod", "default/big")
    assert {key: again[key] for key in ("nodes", "suggestions", "preconditions")} == {
        key: answer[key] for key in ("nodes", "suggestions", "preconditions")
    }


# ---- mistakes


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            [],
            "name a pod: roost explain pod/NAME -n NAMESPACE, or --pod NAMESPACE/NAME, or --manifest FILE",
            id="no pod is named",
        ),
        pytest.param(["pod/a", "--pod", "b"], "name the pod once: pod/a, or --pod b", id="two pods are named"),
        pytest.param(
            ["service/a"],
            "service/a: a pod or what makes pods is expected, such as pod/NAME or deployment/NAME",
            id="a kind that makes no pods",
        ),
        pytest.param(
            ["--pod", "shop/a", "-n", "other"],
            "--pod shop/a and --namespace other name two namespaces",
            id="two namespaces",
        ),
        pytest.param(
            ["--pod", "shop/nobody"],
            "could not be created; pending are shop/db-0, shop/mail, shop/report, shop/web-7d9f-x2x4",
            id="no such pod",
        ),
        pytest.param(
            ["deployment/nothing", "-n", "shop"],
            "there is no pod of Deployment shop/nothing, and no event says that one could not be created",
            id="no such Deployment",
        ),
        pytest.param(
            ["--pod", "shop/mail", "--prefer", "x"], "--prefer x: there is no node of this name", id="no such node"
        ),
        pytest.param(
            ["--pod", "shop/mail", "--config", "/none.yaml"],
            "cannot read the configuration file /none.yaml: No such file or directory",
            id="no such configuration",
        ),
        pytest.param(
            ["--manifest", "/none.yaml"], "cannot read /none.yaml: No such file or directory", id="no such manifest"
        ),
        pytest.param(
            ["--manifest", str(PENDING.parent / "why-is-my-pod-pending.md")],
            "no valid YAML",
            id="a manifest that is none",
        ),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments: list[str], sentence: str) -> None:
    done = roost("explain", "-f", str(PENDING), *arguments)
    assert done.exit_code != 0
    assert sentence in str(done.exception)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("{", "dump: no valid JSON: Input data was truncated", id="JSON that ends early"),
        pytest.param(
            '{"items": 3}',
            "dump: is no list of Kubernetes objects: Expected `array | null`, got `int`",
            id="items that are none",
        ),
        pytest.param('{"items": [3]}', "dump: has an item that is no Kubernetes object", id="an item that is a number"),
        pytest.param(
            '{"kind": "List", "items": []}',
            "dump: has no objects that matter; kubectl get nodes,pods",
            id="an empty list",
        ),
        pytest.param("a: [", "dump: line 2, column 1: no valid YAML", id="YAML that ends early"),
        pytest.param("- 3", "dump: is no Kubernetes object", id="YAML that is a list of numbers"),
        pytest.param("", "dump: has no objects that matter", id="nothing at all"),
    ],
)
def test_files_that_are_none_are_told_in_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "dump").write_text(text)
    for command in (["explain", "--pod", "a/b"], ["dump"]):
        done = roost(*command, "-f", str(tmp_path / "dump"))
        assert done.exit_code != 0
        assert sentence in str(done.exception)
