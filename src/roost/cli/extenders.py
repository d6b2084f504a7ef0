"""The webhooks that a configuration's extenders stand for: connections that are closed at the end."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit, urlunsplit

from roost.client.extender import HttpWebhook
from roost.client.target import Anonymous, Basic, ConnectionInfo, Login, Pem, Tls
from roost.config import configuration
from roost.config.configuration import ExtenderTLS
from roost.framework.extenders import Extender

TIMEOUT = 5.0
"""Seconds for an extender that says 0, as in kube-scheduler."""


@asynccontextmanager
async def open_webhooks(extenders: Sequence[configuration.Extender]) -> AsyncIterator[list[HttpWebhook]]:
    """Lend a webhook for each extender; raises ConfigError if one could never work."""
    webhooks = [_webhook(extender, f"extenders[{i}]") for i, extender in enumerate(extenders)]
    try:
        yield webhooks
    finally:
        await asyncio.gather(*(webhook.close() for webhook in webhooks))


def _webhook(written: configuration.Extender, origin: str) -> HttpWebhook:
    url, login = _address(written.url_prefix)
    extender = Extender(
        url=url,
        filter_verb=written.filter_verb,
        preempt_verb=written.preempt_verb,
        prioritize_verb=written.prioritize_verb,
        bind_verb=written.bind_verb,
        weight=written.weight,
        node_cache_capable=written.node_cache_capable,
        managed_resources=frozenset(resource.name for resource in written.managed_resources),
        ignorable=written.ignorable,
    )
    info = ConnectionInfo(server=url, tls=_tls(written, origin), login=login, origin=origin)
    return HttpWebhook(extender, info, written.http_timeout or TIMEOUT)


def _address(url: str) -> tuple[str, Login]:
    """Return a URL without the slash at its end and without the user it names, and the login of that user."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    login = Basic(unquote(name), unquote(password)) if at else Anonymous()
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")), login


def _tls(written: configuration.Extender, origin: str) -> Tls:
    """Return how to trust an extender; one that is to use HTTPS and names no authority is trusted as it is."""
    tls = written.tls_config
    authority = _pem(tls, "ca", origin)
    return Tls(
        authority=authority,
        verify=not tls.insecure and (authority is not None or not written.enable_https),
        server_name=tls.server_name,
        certificate=_pem(tls, "cert", origin),
        key=_pem(tls, "key", origin),
    )


def _pem(tls: ExtenderTLS, what: str, origin: str) -> Pem | None:
    """Return PEM text or its file; the text wins."""
    data, path = getattr(tls, f"{what}_data"), getattr(tls, f"{what}_file")
    if data:
        return Pem(f"{origin}.tlsConfig.{what}Data", text=b64decode(data).decode("utf-8", "replace"))
    return Pem(f"{origin}.tlsConfig.{what}File", path=path) if path else None
