import json

import pytest

from roost.client import find
from roost.client.find import connection_info, in_cluster, kubeconfig_files
from roost.client.target import Anonymous, TokenFile, parse_address
from roost.errors import ConfigError


def write(path, server):
    path.parent.mkdir(exist_ok=True)
    clusters = [{"name": "c", "cluster": {"server": server}}]
    contexts = [{"name": "x", "context": {"cluster": "c"}}]
    path.write_text(json.dumps({"clusters": clusters, "contexts": contexts, "current-context": "x"}))
    return str(path)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(find, "SERVICE_ACCOUNT", tmp_path / "absent")
    return tmp_path


def test_the_most_explicit_choice_wins(home, monkeypatch):
    write(home / ".kube" / "config", "https://default")
    assert connection_info().server == "https://default"
    monkeypatch.setenv("KUBECONFIG", write(home / "env", "https://env"))
    assert connection_info().server == "https://env"
    explicit = write(home / "explicit", "https://explicit")
    assert connection_info(kubeconfig=explicit).server == "https://explicit"
    assert connection_info(kubeconfig=explicit, server="http://localhost:8001/").server == "http://localhost:8001"
    assert connection_info(server="http://localhost:8001").login == Anonymous()


def test_an_explicit_kubeconfig_may_begin_with_a_tilde(home):
    write(home / "mine", "https://mine")
    assert connection_info(kubeconfig="~/mine").server == "https://mine"


def test_of_the_files_in_kubeconfig_those_that_exist_are_merged(tmp_path):
    file = tmp_path / "b"
    file.touch()
    named = {"KUBECONFIG": f"{tmp_path / 'a'}:{file}:"}
    assert kubeconfig_files(None, named, tmp_path) == [file]


NOTHING = [
    ({"server": "localhost:8001"}, {}, "server 'localhost:8001' is not a URL with http:// or https://"),
    ({"server": "https://k:port"}, {}, "server 'https://k:port' is not a URL"),
    ({"kubeconfig": "/absent/config"}, {}, "cannot read the kubeconfig /absent/config: No such file"),
    ({}, {"KUBECONFIG": "/absent/a:/absent/b"}, "KUBECONFIG names /absent/a, /absent/b, which does not exist"),
    ({"context": "prod"}, {}, "--context prod needs a kubeconfig; name one with --kubeconfig or KUBECONFIG"),
    ({}, {}, "no cluster to talk to: name a kubeconfig with --kubeconfig or KUBECONFIG, a server with --server"),
    (
        {},
        {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"},
        "this pod has no ",
    ),
]


@pytest.mark.parametrize(("arguments", "environ", "sentence"), NOTHING)
def test_what_is_missing_is_one_sentence(home, monkeypatch, arguments, environ, sentence):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        connection_info(**arguments)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_in_a_pod_the_service_account_is_used(tmp_path, host, server):
    (tmp_path / "token").write_text("t")
    info = in_cluster({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}, tmp_path)
    assert (info.server, info.login) == (server, TokenFile(str(tmp_path / "token")))
    assert info.tls.authority.path == str(tmp_path / "ca.crt")
    assert info.origin == "the service account of this pod"


ADDRESSES = [
    ("https://k", "k", "k", 443, ""),
    ("https://k:6443/", "k", "k:6443", 6443, ""),
    ("http://k", "k", "k", 80, ""),
    ("https://[fd00::1]:6443", "fd00::1", "[fd00::1]:6443", 6443, ""),
    ("https://k/k8s/clusters/c-1/", "k", "k", 443, "/k8s/clusters/c-1"),
]


@pytest.mark.parametrize(("server", "host", "header", "port", "path"), ADDRESSES)
def test_addresses(server, host, header, port, path):
    address = parse_address(server)
    assert (address.host, address.host_header, address.port, address.path) == (host, header, port, path)
