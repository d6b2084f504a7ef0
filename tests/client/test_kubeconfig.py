import json
from base64 import b64encode
from pathlib import Path

import pytest

from roost.client.kubeconfig import load, merge, parse, select
from roost.client.target import Anonymous, Basic, ExecPlugin, Token, TokenFile
from roost.errors import ConfigError

PATH = Path("/home/me/.kube/config")
PEM = "-----BEGIN CERTIFICATE-----\n"


def written(cluster=None, user=None, **others):
    """One cluster `c`, one user `u`, one context `x` of both."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://k:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "ignored"}}],
        "current-context": "x",
        **others,
    }


def selected(cluster=None, user=None, context=None, **others):
    return select(parse(json.dumps(written(cluster, user, **others)), PATH), context)


def test_yaml_and_json_are_read():
    text = "clusters:\n- {name: c, cluster: {server: 'https://k'}}\ncontexts:\n- name: x\n  context: {cluster: c}\n"
    info = select(parse(text + "current-context: x\n", PATH))
    assert (info.server, info.login) == ("https://k", Anonymous())
    assert info.origin == "context 'x' of the kubeconfig /home/me/.kube/config"


def test_the_context_asked_for_wins_over_the_current_one():
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("x", "y")]
    assert selected(context="y", contexts=contexts).origin.startswith("context 'y'")


LOGINS = [
    ({}, Anonymous()),
    ({"token": "t"}, Token("t")),
    ({"token": "t", "tokenFile": "/abs/t"}, TokenFile("/abs/t")),
    ({"tokenFile": "rel/t"}, TokenFile("/home/me/.kube/rel/t")),
    ({"username": "me", "password": "p"}, Basic("me", "p")),
    ({"token": None, "username": "me"}, Basic("me", "")),
    ({"token": "t", "exec": {"command": "aws", "apiVersion": "v1"}}, Token("t")),
]


@pytest.mark.parametrize(("user", "login"), LOGINS)
def test_how_a_user_logs_in(user, login):
    assert selected(user=user).login == login


@pytest.mark.parametrize(
    ("command", "resolved"), [("aws", "aws"), ("./bin/login", "/home/me/.kube/bin/login"), ("/opt/login", "/opt/login")]
)
def test_an_exec_plugin_keeps_its_section_and_knows_its_cluster(command, resolved):
    section = {"command": command, "apiVersion": "client.authentication.k8s.io/v1", "args": ["token"]}
    login = selected({"tls-server-name": "k8s"}, {"exec": section}).login
    assert isinstance(login, ExecPlugin)
    assert login.config == {**section, "command": resolved}
    assert login.cluster == {"server": "https://k:6443", "tls-server-name": "k8s"}


def test_certificates_are_read_from_data_first_then_from_files_beside_the_kubeconfig():
    data = b64encode(PEM.encode()).decode()
    cluster = {"certificate-authority": "ca.crt", "certificate-authority-data": data}
    info = selected(cluster, {"client-certificate": "me.crt", "client-key": "/abs/me.key"})
    assert (info.tls.authority.text, info.tls.authority.path) == (PEM, "")
    assert info.tls.authority.name == "certificate-authority-data of cluster 'c' in the kubeconfig"
    assert (info.tls.certificate.path, info.tls.key.path) == ("/home/me/.kube/me.crt", "/abs/me.key")


def test_how_the_server_is_verified():
    assert selected().tls.verify is True
    tls = selected({"insecure-skip-tls-verify": True, "tls-server-name": "k8s"}).tls
    assert (tls.verify, tls.server_name) == (False, "k8s")


def test_of_several_files_the_first_wins():
    one = written(user={"token": "one"}, contexts=None, **{"current-context": None})
    two = written({"server": "https://other"}, {"token": "two"})
    info = select(merge([parse(json.dumps(config), PATH) for config in (one, two)]))
    assert (info.server, info.login) == ("https://k:6443", Token("one"))


def test_each_file_keeps_its_own_folder():
    one = written(users=None)
    two = written(user={"tokenFile": "t"}, clusters=None, contexts=None)
    info = select(merge([parse(json.dumps(one), Path("/a/x")), parse(json.dumps(two), Path("/b/y"))]))
    assert info.login == TokenFile("/b/t")


WRONG = {
    "no current context": (
        {"current-context": ""},
        "/home/me/.kube/config has no current-context; name one with --context: x",
    ),
    "a context that is not there": (
        {"current-context": "prod"},
        "context 'prod' is not in the kubeconfig /home/me/.kube/config; it has: x",
    ),
    "a cluster that is not there": (
        {"clusters": []},
        "cluster 'c' is not in the kubeconfig /home/me/.kube/config; it has: none",
    ),
    "a user that is not there": (
        {"users": [{"name": "a"}, {"name": "b"}]},
        "user 'u' is not in the kubeconfig /home/me/.kube/config; it has: a, b",
    ),
    "no server": (
        {"cluster": {"server": ""}},
        "cluster 'c' in /home/me/.kube/config has no server; write its URL there",
    ),
    "a proxy": (
        {"cluster": {"proxy-url": "http://proxy"}},
        "proxy-url of cluster 'c' in the kubeconfig is not supported; remove it and reach https://k:6443 directly",
    ),
    "an auth-provider": (
        {"user": {"auth-provider": {"name": "gcp"}}},
        "user 'u' logs in by auth-provider 'gcp', gone since kubectl 1.26; use an exec plugin instead",
    ),
    "a certificate without its key": (
        {"user": {"client-certificate": "me.crt"}},
        "client-certificate and client-key of user 'u' in the kubeconfig belong together: one of them is missing",
    ),
    "data that is not base64": (
        {"cluster": {"certificate-authority-data": "%%%"}},
        "certificate-authority-data of cluster 'c' in the kubeconfig is not base64 of a PEM file: ",
    ),
    "an exec section without a command": (
        {"user": {"exec": {"apiVersion": "v1"}}},
        "exec of user 'u' in the kubeconfig needs a command and an apiVersion",
    ),
    "a field of the wrong type": (
        {"user": {"token": 5}},
        "/home/me/.kube/config is not a kubeconfig: Expected `str | null`, got `int` - at `$.users[0].user.token`",
    ),
}


@pytest.mark.parametrize(("fields", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_sentence(fields, sentence):
    with pytest.raises(ConfigError) as caught:
        selected(**fields)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_bad_yaml_is_told_with_its_place():
    with pytest.raises(ConfigError) as caught:
        parse("clusters:\n- name: [\n", PATH)
    assert str(caught.value).startswith("/home/me/.kube/config is not valid YAML at line 3, column 1: ")


@pytest.mark.parametrize("text", ["just words", "- a\n- b\n", "clusters: 5\n"])
def test_yaml_that_is_no_kubeconfig_is_told(text):
    with pytest.raises(ConfigError, match=r"^/home/me/\.kube/config is not a kubeconfig: Expected "):
        parse(text, PATH)


def test_an_empty_file_has_no_context():
    with pytest.raises(ConfigError, match="has no current-context; name one with --context: none"):
        select(parse("", PATH))


def test_files_are_loaded_and_missing_ones_told(tmp_path):
    file = tmp_path / "config"
    file.write_text(json.dumps(written(user={"token": "t"})))
    assert load([file]).login == Token("t")
    with pytest.raises(ConfigError, match=r"cannot read the kubeconfig .*/absent: No such file or directory"):
        load([tmp_path / "absent"])


def test_secrets_do_not_show():
    info = selected(user={"token": "hidden-token"})
    basic = selected(user={"username": "me", "password": "hidden"})
    section = {"command": "login", "apiVersion": "v1", "env": [{"name": "SECRET", "value": "hidden"}]}
    plugin = selected(user={"exec": section})
    key = selected(user={"client-certificate-data": "aGlkZGVu", "client-key-data": "aGlkZGVu"})
    assert "hidden" not in f"{info!r}{basic!r}{plugin!r}{key!r}"
