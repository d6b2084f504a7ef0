"""From the extenders of a configuration file to webhooks that can be asked."""

import json
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.scheduler.extender_server import ExtenderServer, serving

from roost.cli.extenders import open_webhooks
from roost.cli.settings import Settings, settle
from roost.config.configuration import Extender
from roost.errors import ConfigError, ExtenderError

HEADER = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}


def settled(folder: Path, policy: str | None = None, **fields: Any) -> Settings:
    file = folder / "config.yaml"
    file.write_text(json.dumps(HEADER | {"extenders": [{"urlPrefix": "http://127.0.0.1:1/scheduler/"} | fields]}))
    nothing = dict.fromkeys(
        ("kubeconfig", "context", "server", "scheduler_name", "tie", "leader_elect", "health_address")
    )
    return settle(config=str(file), policy=policy, **nothing)  # type: ignore[arg-type]


def extenders(folder: Path, **fields: Any) -> Any:
    return settled(folder, **fields).extenders


async def test_a_configuration_becomes_a_webhook(tmp_path: Path) -> None:
    resources = [{"name": "example.com/gpu"}]
    fields = {"filterVerb": "f", "prioritizeVerb": "p", "bindVerb": "b", "weight": 3, "managedResources": resources}
    async with open_webhooks(extenders(tmp_path, nodeCacheCapable=True, ignorable=True, **fields)) as (webhook,):
        found = webhook.extender
    assert found.name("f") == "extender http://127.0.0.1:1/scheduler/f"
    assert (found.filter_verb, found.prioritize_verb, found.bind_verb, found.weight) == ("f", "p", "b", 3)
    assert (found.node_cache_capable, found.ignorable) == (True, True)
    assert found.managed_resources == {"example.com/gpu"}


async def test_a_password_shows_in_no_message(tmp_path: Path) -> None:
    async with open_webhooks(extenders(tmp_path, urlPrefix="http://me:secret@127.0.0.1:1")) as (webhook,):
        with pytest.raises(ExtenderError, match=r"^extender http://127\.0\.0\.1:1/x: connection refused$"):
            await webhook.post("x", b"{}", again=True)


@pytest.mark.parametrize("policy", [None, "RandomNode"])
def test_what_is_left_to_extenders_is_not_checked_by_any_profile(tmp_path: Path, policy: str | None) -> None:
    resources = [{"name": "example.com/gpu", "ignoredByScheduler": True}]
    (profile,) = settled(tmp_path, policy, managedResources=resources).profiles
    (fit,) = (plugin for plugin in profile.filter if plugin.name == "NodeResourcesFit")
    assert fit.args.ignored_resources == ("example.com/gpu",)


def test_an_extender_that_cannot_be_is_told_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config.yaml: extenders\[0\].weight: must be greater than 0"):
        settled(tmp_path, prioritizeVerb="x")


async def test_certificates_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    fields = {"urlPrefix": "https://127.0.0.1:1", "tlsConfig": {"caFile": str(tmp_path / "none.pem")}}
    with pytest.raises(ConfigError, match=r"^cannot read extenders\[0\].tlsConfig.caFile: "):
        async with open_webhooks(extenders(tmp_path, **fields)):
            pass


# ---- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def on_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def ask(server: ExtenderServer, folder: Path, **fields: Any) -> bytes:
    configured: list[Extender] = extenders(folder, urlPrefix=server.url, **fields)
    async with open_webhooks(configured) as (webhook,):
        return await webhook.post("filter", b"{}", again=True)


async def test_https_is_verified_with_an_authority_given_as_data_or_as_a_file(
    authority: trustme.CA, tmp_path: Path
) -> None:
    pem = authority.cert_pem.bytes()
    (tmp_path / "ca.pem").write_bytes(pem)
    async with serving(on_tls(authority), filter=lambda args: args) as server:
        for tls in ({"caData": b64encode(pem).decode(), "caFile": "/nowhere"}, {"caFile": str(tmp_path / "ca.pem")}):
            assert await ask(server, tmp_path, enableHTTPS=True, tlsConfig=tls) == b"{}"
        other = b64encode(trustme.CA().cert_pem.bytes()).decode()
        with pytest.raises(ExtenderError, match="not trusted"):
            await ask(server, tmp_path, enableHTTPS=True, tlsConfig={"caData": other})


async def test_https_without_an_authority_is_not_verified_where_it_is_enabled(
    authority: trustme.CA, tmp_path: Path
) -> None:
    async with serving(on_tls(authority), filter=lambda args: args) as server:
        assert await ask(server, tmp_path, enableHTTPS=True) == b"{}"
        assert await ask(server, tmp_path, tlsConfig={"insecure": True}) == b"{}"
        with pytest.raises(ExtenderError, match="not trusted"):
            await ask(server, tmp_path)
