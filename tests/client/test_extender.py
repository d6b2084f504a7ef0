"""The wire to an extender, against a small server that does as a test tells it."""

import asyncio
import ssl

import pytest

from roost.client.extender import HttpWebhook
from roost.client.target import Basic, ConnectionInfo, Pem, Tls
from roost.errors import ConfigError, ExtenderError
from roost.framework.extenders import Extender


def webhook(url: str, *, tls: Tls = Tls(), login=None, timeout: float = 5.0) -> HttpWebhook:  # noqa: B008 - frozen
    info = ConnectionInfo(server=url, tls=tls, origin="extenders[0]")
    if login is not None:
        info = ConnectionInfo(server=url, tls=tls, login=login, origin="extenders[0]")
    return HttpWebhook(Extender(url=url), info, timeout)


async def echo(request, wire) -> None:
    await wire.reply(200, request.body)


async def test_a_verb_is_a_post_of_json_on_a_connection_that_is_kept(serve) -> None:
    server = await serve(echo)
    hook = webhook(f"{server.url}/scheduler")
    assert await hook.post("predicates/ä b", b'{"a":1}', again=True) == b'{"a":1}'
    assert await hook.post("filter", b"[]", again=True) == b"[]"
    await hook.close()
    first, second = server.requests
    assert (first.method, first.path) == ("POST", "/scheduler/predicates/%C3%A4%20b")
    assert first.headers["content-type"] == "application/json"
    assert "authorization" not in first.headers
    assert first.connection == second.connection


async def test_questions_go_out_side_by_side_and_bodies_may_be_large(serve) -> None:
    server = await serve(echo)
    hook = webhook(server.url)
    body = b'"%b"' % (b"x" * 8_000_000)
    assert await asyncio.gather(*(hook.post("filter", body, again=True) for _ in range(3))) == [body] * 3
    await hook.close()
    assert server.connections == 3


@pytest.mark.parametrize("status", [201, 204, 301, 404, 500])
async def test_any_status_but_200_is_a_failure(serve, status: int) -> None:
    server = await serve(lambda request, wire: wire.reply(status, b" what\n it says " if status != 204 else b""))
    hook = webhook(server.url)
    with pytest.raises(ExtenderError) as raised:
        await hook.post("filter", b"{}", again=True)
    await hook.close()
    said = ": what it says" if status != 204 else ""
    assert str(raised.value) == f"extender {server.url}/filter: answered {status}{said}"


async def test_who_is_too_slow_is_hung_up_on_and_asked_anew_on_another_connection(serve) -> None:
    async def slow_at_first(request, wire) -> None:
        await asyncio.sleep(10 if len(server.requests) == 1 else 0)
        await wire.reply()

    server = await serve(slow_at_first)
    hook = webhook(server.url, timeout=0.05)
    with pytest.raises(ExtenderError, match=r"/filter: no answer within 0.05 s$"):
        await hook.post("filter", b"{}", again=True)
    assert await hook.post("filter", b"{}", again=True) == b"{}"
    await hook.close()
    assert server.connections == 2


@pytest.mark.parametrize(
    ("again", "times"),
    [pytest.param(True, 3, id="a question is asked again"), pytest.param(False, 2, id="a binding is not")],
)
async def test_a_connection_that_the_server_closed_while_it_was_idle(serve, again: bool, times: int) -> None:
    async def hang_up_second(request, wire) -> None:
        if len(server.requests) == 2:
            wire.hang_up()
        else:
            await wire.reply()

    server = await serve(hang_up_second)
    hook = webhook(server.url)
    await hook.post("filter", b"{}", again=True)
    if again:
        assert await hook.post("filter", b"{}", again=True) == b"{}"
    else:
        with pytest.raises(ExtenderError, match="the server hung up"):
            await hook.post("bind", b"{}", again=False)
    await hook.close()
    assert len(server.requests) == times


async def test_nobody_there(serve) -> None:
    server = await serve(echo)
    await server.stop()
    hook = webhook(server.url)
    with pytest.raises(ExtenderError) as raised:
        await hook.post("filter", b"{}", again=True)
    await hook.close()
    assert str(raised.value) == f"extender {server.url}/filter: connection refused"


async def test_what_is_no_http_is_a_failure(serve) -> None:
    server = await serve(lambda request, wire: wire.send(b"ouch\r\n\r\n"))
    hook = webhook(server.url)
    with pytest.raises(ExtenderError, match=r"the answer is not HTTP/1\.1"):
        await hook.post("filter", b"{}", again=True)
    await hook.close()


async def test_a_user_in_the_url_logs_in(serve) -> None:
    server = await serve(echo)
    hook = webhook(server.url, login=Basic("me", "secret"))
    await hook.post("filter", b"{}", again=True)
    await hook.close()
    assert server.requests[0].headers["authorization"] == "Basic bWU6c2VjcmV0"


async def test_https_with_an_authority_a_server_name_or_without_any_check(serve, certificates) -> None:
    server = await serve(echo, certificates.server)
    authority = Pem("caData", certificates.pem)
    trusting = [
        Tls(authority=authority),
        Tls(authority=authority, server_name="kubernetes.default"),
        Tls(verify=False, server_name="anything"),
    ]
    for tls in trusting:
        hook = webhook(server.url, tls=tls)
        assert await hook.post("filter", b"{}", again=True) == b"{}"
        await hook.close()


async def test_a_certificate_that_nobody_trusts_is_a_failure(serve, certificates) -> None:
    server = await serve(echo, certificates.server)
    hook = webhook(server.url)
    with pytest.raises(ExtenderError, match=r"its certificate is not trusted"):
        await hook.post("filter", b"{}", again=True)
    await hook.close()


async def test_a_certificate_of_ours_is_shown(serve, certificates, issue_certificates) -> None:
    mine = issue_certificates("127.0.0.1")
    mine.server.verify_mode = ssl.CERT_REQUIRED
    mine.authority.configure_trust(mine.server)
    server = await serve(echo, mine.server)
    text, key = mine.client_pair()
    tls = Tls(authority=Pem("ca", mine.pem), certificate=Pem("cert", text), key=Pem("key", key))
    hook = webhook(server.url, tls=tls)
    assert await hook.post("filter", b"{}", again=True) == b"{}"
    await hook.close()


def test_certificates_that_cannot_be_used_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"^extenders\[0\].tlsConfig.caData is not a PEM certificate"):
        webhook("https://127.0.0.1:1", tls=Tls(authority=Pem("extenders[0].tlsConfig.caData", "nonsense")))
