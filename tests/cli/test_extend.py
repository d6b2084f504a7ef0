"""`roost extend` from start to end: what it says, what it answers, how it stops, and what it refuses to start with."""

import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.cli.small_api_server import SmallApiServer, pending

from roost import __version__
from roost.cli import start as cli

SECONDS = 20.0
NOBODY_LISTENS = "http://127.0.0.1:1"
Start = Callable[..., "Running"]

FULL = {"Pod": pending("web"), "Nodes": {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}}
NAMES = {"Pod": pending("web"), "Nodes": None, "NodeNames": ["node-1", "node-9"]}


class Running:
    """A running `roost extend`."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: Any = None, url: str = "", context: Any = None) -> tuple[int, str]:
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen((url or self.url) + path, data, SECONDS, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def wait(self, path: str = "/readyz", **how: Any) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if self.ask(path, **how)[0] == 200:
                    return
            except (OSError, urllib.error.URLError):
                pass
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0
        return err


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """The variables of a machine without a cluster."""
    named = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTP_PORT", "LOG_LEVEL")
    return {key: text for key, text in os.environ.items() if key not in named} | {"HOME": str(tmp_path)}


@pytest.fixture
def start(alone: dict[str, str], free_port: int) -> Iterator[Start]:
    """Start `roost extend` with arguments, and with variables."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, port: str = "--port", **variables: str) -> Running:
        chosen = [port, str(free_port)] if port else []
        command = [sys.executable, "-m", "roost", "extend", "--address", "127.0.0.1", *chosen, *arguments]
        environ = alone | {key: text.replace("PORT", str(free_port)) for key, text in variables.items()}
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ))
        return Running(started[-1], free_port)

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_a_cluster_nodes_in_full_are_answered(start: Start, number: signal.Signals) -> None:
    extender = start("--policy", "NodeIndex,Foo", "--compat", "original")
    extender.wait()
    assert extender.ask("/version") == (200, __version__)
    status, text = extender.ask("/scheduler/priorities/node_index", FULL)
    assert (status, json.loads(text)) == (200, [{"Host": "b", "Score": 10}, {"Host": "a", "Score": 9}])
    assert json.loads(extender.ask("/filter", FULL)[1])["Nodes"]["items"] == FULL["Nodes"]["items"]
    assert "runs without a cluster" in json.loads(extender.ask("/filter", NAMES)[1])["Error"]
    err = extender.stop(number)
    assert "INFO no cluster: requests with nodes in full are answered, those with names only are not" in err
    assert f"roost {__version__} answers for Foo,NodeIndex on {extender.url}" in err
    assert "INFO prioritize default/web by NodeIndex: 2 nodes, best b with 10, " in err
    assert err.endswith("INFO ended\n")


def test_with_a_cluster_names_are_answered_and_pods_bound(start: Start) -> None:
    with SmallApiServer(pending("web")) as api:
        extender = start("--policy", "Foo", "--server", api.url, "--log-format", "json")
        extender.wait()
        kept = json.loads(extender.ask("/filter", NAMES)[1])
        assert kept["NodeNames"] == ["node-1"]
        assert kept["FailedNodes"] == {"node-9": "node is not known (yet) to the extender"}
        binding = {"PodName": "web", "PodNamespace": "default", "PodUID": "web", "Node": "node-1"}
        assert extender.ask("/bind", binding) == (200, '{"Error":""}')
        assert api.bound == {"web": "node-1"}
        assert 'roost_extender_cache_size{type="nodes"} 1.0' in extender.ask("/metrics")[1]
        lines = [json.loads(line) for line in extender.stop().splitlines()]
    assert {"in sync: 1 nodes", f"connected to {api.url}, Kubernetes v1.36.2"} < {line["message"] for line in lines}
    filtered = next(line for line in lines if line.get("verb") == "filter")
    assert filtered.items() >= {"policy": "Foo", "pod": "default/web", "nodes": 2, "fitting": 1}.items()


def test_a_configuration_enables_policies_and_nothing_else(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "extender.yaml"
    file.write_text(CONFIGURATION)
    extender = start("--config", str(file), "--no-cluster")
    extender.wait()
    assert json.loads(extender.ask("/prioritize", FULL)[1]) == [{"Host": "a", "Score": 7}, {"Host": "b", "Score": 6}]
    assert "/scheduler/priorities/node_index" in extender.ask("/")[1]
    assert "NodeResourcesFit" not in extender.ask("/")[1]


def test_the_variables_of_the_replaced_extenders_are_heard(start: Start) -> None:
    extender = start("--policy", "Foo", port="", HTTP_PORT="PORT", LOG_LEVEL="Warn")
    extender.wait()
    assert 'WARNING LOG_LEVEL="WARN" is empty or invalid, fallling back to "INFO".' in extender.stop()


def test_b10_the_level_of_the_log_is_that_of_the_variable_in_any_case_unless_the_option_says_more(start: Start) -> None:
    extender = start("--policy", "Foo", LOG_LEVEL="Trace")
    extender.wait()
    extender.ask("/prioritize", FULL)
    assert "\n  b: 1\n" in extender.stop()
    extender = start("--policy", "Foo", "--log-level", "alert", LOG_LEVEL="trace")
    extender.wait()
    extender.ask("/prioritize", {})
    assert extender.stop() == ""


def test_probes_have_an_address_of_their_own_beside_tls(start: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    server = authority.issue_cert("127.0.0.1")
    server.private_key_pem.write_to_path(tmp_path / "tls.key")
    server.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        health = f"127.0.0.1:{probe.getsockname()[1]}"
    files = ("--tls-cert-file", str(tmp_path / "tls.crt"), "--tls-private-key-file", str(tmp_path / "tls.key"))
    extender = start("--policy", "Foo", *files, "--health-address", health)
    extender.wait(url=f"http://{health}")
    url = extender.url.replace("http://", "https://")
    assert extender.ask("/prioritize", FULL, url=url, context=context)[0] == 200
    assert "roost_extender_requests_total" in extender.ask("/metrics", url=f"http://{health}")[1]


@pytest.fixture
def end(
    alone: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Run a command that cannot start in this process; returns its exit code and what it said."""

    def run(*arguments: str, **variables: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["roost", "extend", *arguments])
        for name in os.environ.keys() - alone.keys():
            monkeypatch.delenv(name)
        for name, text in (alone | variables).items():
            monkeypatch.setenv(name, text)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "sentence"),
    [
        ((), {}, 2, "name policies with --policy, or a file that enables some with --config; one of the two"),
        (("--policy", "Fo"), {}, 2, "--policy: unknown plugin Fo; did you mean Foo?"),
        (("--policy", "Foo,Foo"), {}, 2, "--policy: each policy must be named once, not Foo, Foo"),
        (("--policy", "PrioritySort"), {}, 2, "--policy: PrioritySort neither filters nor scores, so"),
        (("--policy", "Foo"), {"HTTP_PORT": "abc"}, 2, "HTTP_PORT: 'abc' is not a port from 0 to 65535"),
        (("--policy", "Foo", "--body-limit", "big"), {}, 2, "--body-limit: quantity 'big' is not a number"),
        (("--policy", "Foo", "--body-limit", "0"), {}, 2, "--body-limit: must be more than 0, not 0"),
        (("--policy", "Foo", "--stale-after", "soon"), {}, 2, "--stale-after: 'soon' is not a duration"),
        (("--policy", "Foo", "--health-address", "here"), {}, 2, "--health-address: address 'here'"),
        (("--policy", "Foo", "--tls-cert-file", "x"), {}, 2, "--tls-cert-file and --tls-private-key-file go together"),
        (("--policy", "Foo", "--client-ca-file", "x"), {}, 2, "--client-ca-file: needs --tls-cert-file"),
        (("--policy", "Foo", "--no-cluster", "--server", "http://x"), {}, 2, "--no-cluster: leave it out, or what"),
        (("--policy", "Foo", "--kubeconfig", "/no/such"), {}, 2, "cannot read the kubeconfig /no/such"),
        (("--policy", "Foo", "--config", "/no/such"), {}, 2, "name policies with --policy, or a file"),
        (("--config", "/no/such"), {}, 2, "cannot read the configuration file /no/such"),
        (("--policy", "Foo"), {"KUBECONFIG": "/no/such"}, 2, "KUBECONFIG names /no/such, which does not exist"),
        (("--policy", "Foo", "--server", NOBODY_LISTENS), {}, 1, f"cannot reach {NOBODY_LISTENS}"),
    ],
)
def test_a_mistake_ends_with_one_sentence_and_an_exit_code(
    end: Callable[..., tuple[int, str]],
    arguments: tuple[str, ...],
    variables: dict[str, str],
    code: int,
    sentence: str,
) -> None:
    ended, told = end(*arguments, **variables)
    assert told.splitlines()[-1].startswith(f"roost: {sentence}"), told
    assert ended == code


def test_a_port_that_is_taken_is_told(end: Callable[..., tuple[int, str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, told = end("--policy", "Foo", "--address", "127.0.0.1", "--port", port)
    assert f"roost: cannot listen on 127.0.0.1:{port}: " in told
    assert code == 2


CONFIGURATION = """
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
  - plugins:
      score: {enabled: [{name: NodeIndex, weight: 1}, {name: ZeroScore}, {name: Foo}]}
    pluginConfig:
      - name: NodeIndex
        args: {maxScore: 6}
"""
