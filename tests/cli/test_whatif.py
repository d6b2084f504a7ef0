"""`roost whatif`: the page about it, the embedded cluster, JSON, exit codes, and what it says to wrong options.

`python tests/cli/test_whatif.py` writes what the commands of the page print now into it: read the difference.
"""

import contextlib
import io
import json
import os
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import typer
from tests.apiserver.serving import Served, served
from typer.testing import CliRunner

from roost.apiserver.resources import DEPLOYMENT, POD, POD_DISRUPTION_BUDGET
from roost.cli.main import app
from roost.errors import ConfigError

SECONDS = 30
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "what-if.md"
SHOWN = re.compile(r"^```console\n\$ (roost whatif .* dump\.yaml)\n((?:.*\n)*?)```$", re.MULTILINE)
FILES = ("dump.yaml", "deploy.yaml")


def roost(command: str) -> tuple[str, int]:
    """Run a command of ours in this process; return what it prints and its exit code."""
    done = CliRunner().invoke(app, shlex.split(command), catch_exceptions=False)
    return done.stdout, done.exit_code


def blocks(language: str) -> list[str]:
    return [dedent(block) for block in re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.S | re.M)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, to work in."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


def write_files(folder: Path) -> None:
    for name, block in zip(FILES, blocks("yaml"), strict=True):
        (folder / name).write_text(block)


# ---- the page


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("command", "output"), SHOWN.findall(PAGE.read_text()))
def test_a_command_of_the_page_prints_what_it_says(command: str, output: str) -> None:
    assert roost(command.removeprefix("roost ")) == (output, 0)


@pytest.mark.usefixtures("folder")
def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(block, names)
    names["test_any_node_can_be_drained"]()
    assert capsys.readouterr().out.splitlines()[0] == "shop/web-1 node-1 node-3"


def test_every_option_is_described() -> None:
    commands = typer.main.get_command(app).commands["whatif"].commands  # type: ignore[attr-defined]
    declared = {name for command in commands.values() for one in command.params for name in one.opts}
    options = {name for name in declared if name.startswith("-")}
    page = PAGE.read_text()
    assert [option for option in sorted(options) if f"`{option}" not in page] == []
    assert set(re.findall(r"(?<=`)--[a-z-]+", page)) <= options


# ---- the embedded cluster


NODES = tuple(f"node-{i}" for i in range(4))
LARGE = "node-3"
"""Has room for two of the pods; the others for one."""


@pytest.fixture
def shop() -> Iterator[Served]:
    """Three pods of a Deployment, running on three nodes, under a budget that allows one to go."""
    container = {"name": "app", "image": "nginx:1", "resources": {"requests": {"cpu": "3"}}}
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "shop"}}, "template": template}
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "shop"}}}
    with served(4, lives=True) as server:
        server.call(lambda: server.store.create(DEPLOYMENT, {"metadata": {"name": "shop"}, "spec": spec}, "default"))
        create = {"metadata": {"name": "shop"}, "spec": budget}
        server.call(lambda: server.store.create(POD_DISRUPTION_BUDGET, create, "default"))
        wait_for(lambda: [it.object["status"]["phase"] for it in server.store.all(POD)] == ["Running"] * 3)
        yield server


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def places(server: Served) -> dict[str, str]:
    return {it.name: it.object["spec"]["nodeName"] for it in server.store.all(POD)}


def test_a_live_cluster_is_asked_and_not_changed(shop: Served, tmp_path: Path) -> None:
    before = places(shop)
    (free,) = set(NODES) - set(before.values())
    name, node = next((name, node) for name, node in before.items() if node != LARGE)
    text, code = roost(f"whatif drain {node} --server {shop.url} -o json --fail-on-pending")
    told = json.loads(text)
    assert code == 0
    assert [(one["pod"], one["from"], one["to"]) for one in told["moves"]] == [(f"default/{name}", node, free)]
    assert told["emptied"] == [node]
    assert (told["holds"], told["notes"]) == ([], [])

    others = sorted(set(NODES) - {node})
    text, code = roost(f"whatif drain {' '.join(others)} --server {shop.url} --fail-on-pending")
    assert code == 1
    assert "drained: 0 of 2 pods find a place elsewhere, 2 stay pending." in text
    assert "PodDisruptionBudget default/shop allows 1 eviction at a time, and 2 pods of it are to go." in text

    text, code = roost(f"whatif policy SpotFirst --server {shop.url}")
    assert code == 0
    assert text.startswith("Placed by SpotFirst, the oldest first: ")

    manifest = tmp_path / "more.json"
    manifest.write_text(json.dumps(pod_asking(cpu="1")))
    text, code = roost(f"whatif add -f {manifest} --server {shop.url} --policy RandomNode -o json")
    assert (code, json.loads(text)["counts"]["moves"]) == (0, 1)
    assert places(shop) == before


def pod_asking(cpu: str, name: str = "new") -> dict[str, Any]:
    container = {"name": "app", "resources": {"requests": {"cpu": cpu}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


# ---- what is printed


@pytest.mark.usefixtures("folder")
def test_an_answer_as_json() -> None:
    told = json.loads(roost("whatif drain node-1 -f dump.yaml -o json")[0])
    assert told["question"] == {"drain": ["node-1"]}
    assert told["counts"] == {"moves": 1, "unmoved": 0, "pending": 1, "stays": 1, "waiting": 0, "emptied": 1}
    assert [(one["pod"], one["from"], one["to"]) for one in told["moves"]] == [("shop/web-1", "node-1", "node-3")]
    assert told["pending"][0]["message"].startswith("0/3 nodes are available: ")
    assert told["stays"] == [{"pod": "kube-system/proxy-x", "node": "node-1", "why": "it belongs to a DaemonSet"}]
    assert [(one["kind"], one["name"]) for one in told["holds"]] == [("PodDisruptionBudget", "shop/db")]
    cpu = told["resources"][0]
    assert (cpu["before"]["requested"], cpu["after"]["allocatable"]) == (5.6, 6.0)
    assert [node["name"] for node in told["nodes"]] == ["node-1", "node-2", "node-3"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("command", "headline"),
    [
        pytest.param("drain node-3 -f dump.yaml", "node-3 has no pods to move.", id="an empty node"),
        pytest.param(
            "drain node-1 node-2 -f dump.yaml",
            "node-1 and node-2 drained: 2 of 4 pods find a place elsewhere, 2 stay pending.",
            id="two nodes",
        ),
        pytest.param(
            "drain node-2 -f dump.yaml", "node-2 drained: all 2 pods find a place elsewhere.", id="all find a place"
        ),
        pytest.param(
            "policy --config one.yaml -f dump.yaml --scheduler-name nobody",
            "Placed by one.yaml, the oldest first: 0 of 0 pods would be elsewhere.",
            id="nobody is placed anew",
        ),
        pytest.param(
            "add -f nothing.yaml --file dump.yaml", "nothing.yaml has no pods to add.", id="a manifest without pods"
        ),
        pytest.param(
            "add -f one.json --file dump.yaml", "one.json added: its 1 pod finds a place.", id="a manifest with one pod"
        ),
    ],
)
def test_the_headline(folder: Path, command: str, headline: str) -> None:
    (folder / "nothing.yaml").write_text("kind: Service\napiVersion: v1\nmetadata: {name: s}")
    (folder / "one.json").write_text(json.dumps(pod_asking(cpu="1")))
    (folder / "one.yaml").write_text(CONFIGURATION)
    assert roost(f"whatif {command}")[0].splitlines()[0] == headline


CONFIGURATION = """
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
extenders: [{urlPrefix: "http://127.0.0.1:1", filterVerb: filter}]
"""


def test_what_is_left_out_is_said(folder: Path) -> None:
    (folder / "one.yaml").write_text(CONFIGURATION)
    (folder / "nodes.yaml").write_text(blocks("yaml")[0].split("  - apiVersion: v1\n    kind: Pod")[0])
    text, _ = roost("whatif drain node-1 -f nodes.yaml --config one.yaml")
    assert text.splitlines()[-3:] == [
        "No disruption budgets are known; roost dump prints them, and kubectl get nodes,pods,pdb -A -o json.",
        "The extenders of one.yaml are not asked.",
        "No pods are known: the nodes count as empty.",
    ]


def test_long_lists_are_cut_and_say_so(folder: Path) -> None:
    nodes = [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n{i:02}"}, "status": {"allocatable": {"pods": "2"}}}
        for i in range(30)
    ]
    (folder / "nodes.json").write_text(json.dumps({"kind": "List", "items": nodes}))
    (folder / "pods.json").write_text(
        json.dumps({"kind": "List", "items": [pod_asking("0", f"p{i}") for i in range(101)]})
    )
    text, code = roost("whatif add -f pods.json --file nodes.json --fail-on-pending")
    assert code == 1
    assert [line for line in text.splitlines() if "…" in line] == [
        "  … and 20 more; -o json has all.",
        "  … and 1 more; -o json has all.",
        "  … and 10 more; -o json has all.",
    ]


@pytest.mark.usefixtures("folder")
def test_pods_that_use_claims_which_are_not_in_the_dump_are_told(folder: Path) -> None:
    pod = pod_asking("1")
    pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    (folder / "pod.json").write_text(json.dumps(pod))
    text, _ = roost("whatif add -f pod.json --file dump.yaml")
    assert "No claims on volumes are known, so pods that use them stay pending; roost dump prints them." in text


# ---- wrong options


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param("drain node-9 -f dump.yaml", "there is no node node-9; did you mean node-3?", id="no such node"),
        pytest.param("policy -f dump.yaml", "name a policy: roost whatif policy NAME, or --config", id="no policy"),
        pytest.param("policy NoSuch -f dump.yaml", "--policy: ", id="no such policy"),
        pytest.param("drain node-1 -f none.yaml", "cannot read none.yaml: No such file", id="no such dump"),
        pytest.param("add -f none.yaml --file dump.yaml", "cannot read none.yaml: No such file", id="no such manifest"),
        pytest.param("add -f - --file -", "--file and --manifest are both -", id="standard input twice"),
        pytest.param(
            "add -f twice.json --file dump.yaml", "--manifest: Pod shop/db-0 exists already: add takes", id="not new"
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(folder: Path, command: str, told: str) -> None:
    twice = pod_asking("1", "db-0")
    twice["metadata"]["namespace"] = "shop"
    (folder / "twice.json").write_text(json.dumps(twice))
    with pytest.raises(ConfigError) as error:
        app(["whatif", *shlex.split(command)], standalone_mode=False)
    assert told in str(error.value)


def _write_page() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_files(Path(folder))

        def shown(found: re.Match[str]) -> str:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
                app(shlex.split(found[1])[1:])
            return f"```console\n$ {found[1]}\n{printed.getvalue()}```"

        PAGE.write_text(SHOWN.sub(shown, PAGE.read_text()))


if __name__ == "__main__":
    _write_page()
