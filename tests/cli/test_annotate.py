"""`roost annotate` from start to end on an embedded cluster, and what options and variables mean."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tests.annotator.building import annotated_node
from tests.apiserver.serving import Served, served
from typer.main import get_command

from roost.annotator.allocation import annotations as allocation_annotations
from roost.annotator.price import HIGHTOWER_KEY, PRICE_KEY, read_prices
from roost.annotator.prometheus import Queries
from roost.annotator.usage import FORECAST_WORDS
from roost.annotator.window import RESOURCES
from roost.apiserver.resources import NODE, POD
from roost.cli.annotate import annotate
from roost.cli.settings import settle_usage
from roost.cli.usage_source import UsageOptions, connection, interval_from, is_on, seconds, usage_options
from roost.client.target import TokenFile
from roost.errors import ConfigError
from roost.framework.measure import ALLOCATION_AT, USAGE_AT

SECONDS = 20.0
NOBODY_LISTENS = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Served]:
    requests = {"cpu": "1", "memory": "1Gi"}
    spec = {"nodeName": "node-0", "containers": [{"name": "c", "image": "i", "resources": {"requests": requests}}]}
    with served(lives=True, scheduler=False) as server:
        server.call(lambda: server.store.create(POD, {"metadata": {"name": "p"}, "spec": spec}, "default"))
        wait_for(lambda: all(_is_ready(node.object) for node in server.store.all(NODE)))
        yield server


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


def annotations(cluster: Served, node: str = "node-0") -> dict[str, str]:
    return dict(cluster.ask("GET", f"/api/v1/nodes/{node}").json["metadata"].get("annotations") or {})


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "roost", *arguments]


def roost(cluster: Served | None, *arguments: str, code: int = 0) -> tuple[str, str]:
    server = [] if cluster is None else ["--server", cluster.url]
    ended = subprocess.run(command(*arguments, *server), capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout, ended.stderr


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_allocation_once(cluster: Served) -> None:
    _, told = roost(cluster, "annotate", "allocation", "--once")
    said = annotations(cluster)
    assert (said["requested-cpu"], said["requested-pods"], said["requested-memory"]) == ("1000", "1", str(2**30))
    assert "roost.dev/allocation-at" in said
    assert "3 nodes patched; 3 annotated, 0 not ready, 0 no data" in told


def test_usage_once_from_metrics_server(cluster: Served) -> None:
    roost(cluster, "annotate", "usage", "--once")
    said = annotations(cluster)
    assert 0 < int(said["mean-free-cpu"]) < 4000
    assert "std-free-cpu" not in said, "one sample has no deviation"
    assert "forecasted-free-cpu" not in said
    assert "roost.dev/usage-at" in said


def test_h6_prices_are_written_and_listed(cluster: Served, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("nodes: {node-1: 0.40}\nselectors: [{selector: kubernetes.io/hostname=node-2, price: 0.8}]\n")
    roost(cluster, "annotate", "price", str(path), "--once", "--hightower")
    assert annotations(cluster, "node-1")["hightower.com/cost"] == "0.4"
    listed, _ = roost(cluster, "annotate", "price", "--list")
    assert [line for line in listed.splitlines() if "node-0" not in line] == ["node-1 0.4", "node-2 0.8"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["usage", "--once", "--prometheus", NOBODY_LISTENS], 1, f"cannot reach {NOBODY_LISTENS}: connection refused"),
        (["usage", "--prometheus", "ftp://x"], 2, "--prometheus: server 'ftp://x' is not a URL"),
        (["usage", "--source", "metrics-server", "--prometheus", "http://x"], 2, "--prometheus is not asked when"),
        (["usage", "--prometheus", "http://me:pw@x"], 2, "--prometheus: leave the user out of the URL"),
        (["usage", "--window", "1d"], 2, "--window: '1d' is not a duration such as 15s or 1m30s"),
        (["usage", "--window", "90s"], 2, "--window: 90 s is less than two steps of 60 s"),
        (["usage", "--interval", "0"], 2, "--interval: 0 is no time; write one above 0, such as 60s"),
        (["usage", "--instance-label", "a b"], 2, "--instance-label: 'a b' is not the name of a label"),
        (["allocation", "--health-address", "here"], 2, "--health-address: address 'here'"),
        (["price"], 2, "name the file with the prices, or ask with --list for those that nodes have"),
        (["price", "/no/such"], 2, "cannot read the prices of /no/such: No such file or directory"),
    ],
)
def test_a_mistake_is_one_sentence(cluster: Served, arguments: list[str], code: int, sentence: str) -> None:
    _, told = roost(cluster, "annotate", *arguments, code=code)
    assert told.splitlines()[-1].startswith(f"roost: {sentence}")


def test_an_api_server_that_is_not_there_is_told() -> None:
    _, told = roost(None, "annotate", "allocation", "--server", NOBODY_LISTENS, code=1)
    assert told.startswith(f"roost: cannot reach {NOBODY_LISTENS}")


def test_it_runs_until_it_is_told_to_stop_and_says_how_it_goes(cluster: Served, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    arguments = ["--server", cluster.url, "--interval", "0.1", "--health-address", f"127.0.0.1:{free_port}"]
    process = subprocess.Popen(command("annotate", "usage", *arguments), stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: get(f"{url}/readyz") == b"ok")
        wait_for(lambda: rounds(get(f"{url}/metrics")) >= 2)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert told.splitlines()[-1].endswith("INFO ended")
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param([], "node-0", id="nothing is known of any node"),
        pytest.param(["--usage-source", "metrics-server"], "node-1", id="node-0 is known to be busy"),
    ],
)
def test_roost_run_can_be_fed_without_annotations(arguments: list[str], expected: str) -> None:
    with served(lives=True, scheduler=False) as server:
        busy(server)
        waiting = {"schedulerName": "roost", "containers": [{"name": "c", "image": "i"}]}
        server.call(lambda: server.store.create(POD, {"metadata": {"name": "new"}, "spec": waiting}, "default"))
        roost(server, "run", "--once", "--policy", "SafeBalance", *arguments)
        assert server.store.get(POD, "new", "default").object["spec"]["nodeName"] == expected
        assert "mean-free-cpu" not in annotations(server)


def test_roost_extend_can_be_fed_without_annotations(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    with served(lives=True, scheduler=False) as server:
        busy(server)
        arguments = ["--policy", "SafeBalance", "--port", str(free_port), "--usage-source", "metrics-server"]
        process = subprocess.Popen(command("extend", *arguments, "--server", server.url), stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: get(f"{url}/readyz") == b"ok")
            question = {"Pod": {"metadata": {"name": "new"}, "spec": {}}, "NodeNames": ["node-0", "node-1", "node-2"]}
            scores = post(f"{url}/scheduler/priorities/safe-balance", question)
        finally:
            process.terminate()
            process.wait(SECONDS)
    by_name = {one["Host"]: one["Score"] for one in scores}
    assert by_name["node-0"] < by_name["node-1"] == by_name["node-2"]


def test_usage_for_an_extender_without_a_cluster_is_refused() -> None:
    _, told = roost(None, "extend", "--policy", "SafeBalance", "--no-cluster", "--usage-source", "prometheus", code=2)
    assert told == "roost: --usage-source prometheus: needs a cluster to know its nodes; name one\n"


def busy(server: Served) -> None:
    """Have a pod use much of node-0."""
    requests = {"cpu": "3", "memory": "12Gi"}
    spec = {"nodeName": "node-0", "containers": [{"name": "c", "image": "i", "resources": {"requests": requests}}]}
    server.call(lambda: server.store.create(POD, {"metadata": {"name": "busy"}, "spec": spec}, "default"))
    wait_for(lambda: server.ask("GET", "/apis/metrics.k8s.io/v1beta1/pods").json["items"])


def post(url: str, body: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=SECONDS) as answer:
        return json.loads(answer.read())


def rounds(metrics: bytes) -> float:
    lines = (
        line for line in metrics.decode().splitlines() if line.startswith('roost_annotator_rounds_total{result="ok"')
    )
    return float(next(lines, "x 0").split()[-1])


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> bytes:
    try:
        with urlopen(url) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


# ---- options and variables


def options(environ: dict[str, str] | None = None, **given: Any) -> UsageOptions:
    return usage_options(environ or {}, **given)


@pytest.mark.parametrize(
    ("environ", "given", "source", "url"),
    [
        pytest.param({}, {}, "metrics-server", "http://127.0.0.1:9090", id="nothing is said"),
        pytest.param({}, {"source": "prometheus"}, "prometheus", "http://127.0.0.1:9090", id="a Prometheus somewhere"),
        pytest.param({"PROM_IP": "10.0.0.1"}, {}, "prometheus", "http://10.0.0.1:9090", id="PROM_IP"),
        pytest.param({"PROM_PORT": "80"}, {}, "prometheus", "http://127.0.0.1:80", id="PROM_PORT"),
        pytest.param({"PROM_IP": "::1"}, {}, "prometheus", "http://[::1]:9090", id="IPv6"),
        pytest.param({"PROM_IP": "x"}, {"prometheus": "https://y"}, "prometheus", "https://y", id="the option wins"),
        pytest.param(
            {"PROM_IP": "x"}, {"source": "metrics-server"}, "metrics-server", "http://x:9090", id="the source"
        ),
    ],
)
def test_where_usage_comes_from(environ: dict[str, str], given: dict[str, str], source: str, url: str) -> None:
    found = options(environ, **given)
    assert (found.source, found.url) == (source, url)


def test_the_window_is_short_where_it_is_in_memory_alone() -> None:
    assert (options().window, options(prometheus="http://x").window) == (3600, 86_400)
    assert (options(window="2h", step="30").window, options(window="2h", step="30").step) == (7200, 30)


@pytest.mark.parametrize(
    ("port", "expected", "is_told"),
    [("8445", 8445, False), ("", 9100, False), ("0", 9100, True), ("99999", 9100, True), ("x", 9100, True)],
)
def test_the_port_of_node_exporters(port: str, expected: int, is_told: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert options({"NODE_EXP_PORT": port}).queries.exporter_port == expected
    assert options({"NODE_EXP_PORT": "8445"}, exporter_port=1).queries.exporter_port == 1
    assert ("NODE_EXP_PORT: must be a whole number from 1 to 65535" in caplog.text) is is_told


@pytest.mark.parametrize(
    ("text", "expected"), [("30", 30), ("", 60), ("0", 60), ("-5", 60), ("1.5", 60), ("soon", 60), ("+5", 5)]
)
def test_annotate_freq(text: str, expected: float, caplog: pytest.LogCaptureFixture) -> None:
    assert interval_from({"ANNOTATE_FREQ": text}) == expected
    assert bool(caplog.records) == (expected == 60 and bool(text))


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("True ", True), ("1", False), ("", False)])
def test_only_true_is_true(text: str, expected: bool) -> None:
    assert is_on({"USE_FORECAST": text}, "USE_FORECAST") is expected


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("1m30s", 90), ("1.5h", 5400), (None, 7)])
def test_times(text: str | None, expected: float) -> None:
    assert seconds("--x", text, 7.0) == expected


def test_how_prometheus_is_reached() -> None:
    info = connection(options(prometheus="https://p/x/", token_file="/t", ca_file="/c"))
    assert (info.server, info.login) == ("https://p/x", TokenFile("/t"))
    assert info.tls.authority is not None
    assert info.tls.authority.path == "/c"


def test_queries_are_those_asked_for() -> None:
    found = options(prometheus="http://p", instance_label="node", matchers='job="x"', rate="90s").queries
    assert found == Queries(label="node", matchers='job="x"', rate_seconds=90.0)


def test_annotations_are_where_usage_comes_from_unless_told() -> None:
    assert settle_usage("annotations", None) is None
    with pytest.raises(ConfigError, match="--prometheus: is not asked without --usage-source prometheus; add that"):
        settle_usage("annotations", "http://x")


# ---- what the documentation says

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = (DOCS / "how-to" / "annotate-nodes.md").read_text()


@pytest.mark.parametrize("name", ["allocation", "usage", "price"])
def test_every_option_is_described(name: str) -> None:
    options = get_command(annotate).commands[name].params  # type: ignore[attr-defined]
    spelled = {text for one in options for text in (*one.opts, *one.secondary_opts) if text.startswith("--")}
    assert {option for option in spelled - {"--help"} if f"`{option}" not in HOW_TO} == set()


def test_the_prices_in_the_documentation_can_be_read() -> None:
    as_yaml, as_csv = re.findall(r"^```(?:yaml)?\n((?:nodes:|node,).*?)^```$", HOW_TO, re.DOTALL | re.MULTILINE)
    spot = annotated_node(
        labels={"karpenter.sh/capacity-type": "spot", "node.kubernetes.io/instance-type": "m7i.large"}
    )
    assert read_prices(as_yaml, is_csv=False).of(spot) == read_prices(as_csv, is_csv=True).of(spot) == "0.0381"


def test_every_annotation_that_is_written_is_described() -> None:
    reference = (DOCS / "reference" / "annotations.md").read_text()
    written = {*allocation_annotations([0] * 5, [0] * 5), USAGE_AT, ALLOCATION_AT, PRICE_KEY, HIGHTOWER_KEY}
    written |= {f"{word}-free-{resource}" for word in ("mean", "std", *FORECAST_WORDS) for resource in RESOURCES}
    assert {key for key in written if f"`{key}`" not in reference} == set()
