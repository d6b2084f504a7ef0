import asyncio
import socket
import ssl
import time

import pytest
from cryptography.hazmat.primitives import serialization

from roost.client.target import Basic, ConnectionInfo, Pem, Tls, Token, TokenFile
from roost.client.transport import Transport
from roost.errors import (
    ApiError,
    ConfigError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)


@pytest.fixture
async def transport_to():
    made = []

    def make(url, **options):
        info = {name: options.pop(name) for name in ("tls", "login", "origin") if name in options}
        made.append(Transport(ConnectionInfo(url, **info), **options))
        return made[-1]

    yield make
    for transport in made:
        await transport.close()


async def ok(request, wire):
    await wire.reply(200, b'{"ok":true}')


async def test_one_connection_serves_requests_that_follow_each_other(serve, transport_to):
    server = await serve(ok)
    transport = transport_to(server.url)
    for _ in range(5):
        answer = await transport.request("GET", "/version")
    assert answer.body == b'{"ok":true}'
    assert server.connections == 1


async def test_a_request_says_who_asks_and_what_it_sends(serve, transport_to):
    server = await serve(ok)
    await transport_to(server.url + "/base/", login=Token("secret")).request("POST", "/api/v1/pods", b"{}")
    request = server.requests[0]
    assert (request.method, request.path, request.body) == ("POST", "/base/api/v1/pods", b"{}")
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["host"] == server.url.removeprefix("http://")
    assert request.headers["content-type"] == request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("roost/")
    assert "accept-encoding" not in request.headers


async def test_a_user_name_and_password_are_shown(serve, transport_to):
    server = await serve(ok)
    await transport_to(server.url, login=Basic("me", "pass")).request("GET", "/")
    assert server.requests[0].headers["authorization"] == "Basic bWU6cGFzcw=="


async def test_a_connection_that_was_idle_for_long_is_not_used_again(serve, transport_to, monkeypatch):
    monkeypatch.setattr("roost.client.pool.IDLE_LIFE", 0.0)
    server = await serve(ok)
    transport = transport_to(server.url, connections=1)
    for _ in range(3):
        await transport.request("POST", "/", b"{}")
    assert server.connections == 3


async def test_no_more_connections_than_allowed_are_opened(serve, transport_to):
    async def slow(request, wire):
        await asyncio.sleep(0.005)
        await wire.reply()

    server = await serve(slow)
    transport = transport_to(server.url, connections=3)
    await asyncio.gather(*(transport.request("GET", f"/{number}") for number in range(20)))
    assert server.connections == 3
    assert len(server.requests) == 20


BODIES = {
    "with a length": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    "byte by byte": [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    "in chunks": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n"],
    "after an interim answer": [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    "until the connection ends": [b"HTTP/1.1 200 OK\r\n\r\nhe", b"llo", None],
    "of HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\nhello", None],
    "and the connection closes": [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", None],
}


@pytest.mark.parametrize("pieces", BODIES.values(), ids=BODIES)
async def test_an_answer_is_read_however_it_is_sent(serve, transport_to, pieces):
    async def script(request, wire):
        for piece in pieces:
            if piece is None:
                wire.writer.close()
                return
            await wire.send(piece)
            await asyncio.sleep(0)

    server = await serve(script)
    transport = transport_to(server.url)
    assert [(await transport.request("GET", "/")).body for _ in range(2)] == [b"hello", b"hello"]


async def test_after_connection_close_the_next_request_opens_another(serve, transport_to):
    async def script(request, wire):
        await wire.reply(Connection="close")

    server = await serve(script)
    transport = transport_to(server.url)
    await transport.request("POST", "/", b"{}")
    await transport.request("POST", "/", b"{}")
    assert server.connections == 2


STATUSES = [
    (400, ApiError),
    (401, Unauthorized),
    (403, Forbidden),
    (404, NotFound),
    (409, Conflict),
    (410, Gone),
    (429, TooManyRequests),
    (500, ApiError),
    (503, ApiError),
]


@pytest.mark.parametrize(("status", "error"), STATUSES)
async def test_a_refusal_is_an_error_with_the_servers_words(serve, transport_to, status, error):
    async def script(request, wire):
        await wire.reply(status, b'{"kind":"Status","message":"because of the moon","reason":"Moon"}')

    with pytest.raises(error, match=f"^{status}: because of the moon") as caught:
        await transport_to((await serve(script)).url).request("GET", "/")
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.reason) == (status, "Moon")


async def test_a_refusal_leaves_the_connection_in_use(serve, transport_to):
    async def script(request, wire):
        await wire.reply(409)

    server = await serve(script)
    transport = transport_to(server.url)
    for _ in range(3):
        with pytest.raises(Conflict):
            await transport.request("POST", "/", b"{}")
    assert server.connections == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_passed_on_and_not_waited_for(serve, transport_to, status):
    async def script(request, wire):
        await wire.reply(status, b"too busy", Retry_After="7")

    began = time.monotonic()
    with pytest.raises(TooManyRequests) as caught:
        await transport_to((await serve(script)).url).request("POST", "/", b"{}")
    assert caught.value.retry_after == 7
    assert time.monotonic() - began < 3


async def test_a_gateway_that_gave_up_on_a_write_leaves_its_outcome_unknown(serve, transport_to):
    async def script(request, wire):
        await wire.reply(504, b"upstream timed out")

    transport = transport_to((await serve(script)).url)
    with pytest.raises(OutcomeUnknown):
        await transport.request("POST", "/", b"{}")
    with pytest.raises(ApiError) as caught:
        await transport.request("GET", "/")
    assert type(caught.value) is ApiError


# Connections that break.


async def test_a_get_that_meets_a_connection_closed_by_the_server_is_asked_again(serve, transport_to):
    async def script(request, wire):
        if len(server.requests) == 2:
            wire.hang_up()
        else:
            await wire.reply()

    server = await serve(script)
    transport = transport_to(server.url)
    await transport.request("GET", "/1")
    await transport.request("GET", "/2")
    assert [(request.path, request.connection) for request in server.requests] == [("/1", 1), ("/2", 1), ("/2", 2)]


async def test_a_get_is_asked_again_only_once(serve, transport_to):
    async def script(request, wire):
        if len(server.requests) == 1:
            await wire.reply()
        else:
            wire.hang_up()

    server = await serve(script)
    transport = transport_to(server.url)
    await transport.request("GET", "/1")
    with pytest.raises(Unreachable, match="hung up"):
        await transport.request("GET", "/2")
    assert len(server.requests) == 3


async def test_a_get_on_a_new_connection_is_not_asked_again(serve, transport_to):
    async def script(request, wire):
        wire.hang_up()

    server = await serve(script)
    with pytest.raises(Unreachable) as caught:
        await transport_to(server.url).request("GET", "/")
    assert not isinstance(caught.value, OutcomeUnknown)
    assert len(server.requests) == 1


async def test_a_write_that_was_sent_and_not_answered_has_an_unknown_outcome(serve, transport_to):
    async def script(request, wire):
        if request.method == "POST":
            wire.hang_up()
        else:
            await wire.reply()

    server = await serve(script)
    transport = transport_to(server.url)
    await transport.request("GET", "/")
    with pytest.raises(OutcomeUnknown, match="may or may not have happened"):
        await transport.request("POST", "/bind", b"{}")
    assert len([request for request in server.requests if request.method == "POST"]) == 1


async def test_an_idle_connection_that_the_server_closed_is_not_used_for_a_write(serve, transport_to):
    server = await serve(ok)
    transport = transport_to(server.url)
    await transport.request("POST", "/1", b"{}")
    server.writers[0].close()
    await asyncio.sleep(0.02)
    await transport.request("POST", "/2", b"{}")
    assert [request.connection for request in server.requests] == [1, 2]


async def test_an_answer_cut_in_the_middle_is_not_taken_for_whole(serve, transport_to):
    async def script(request, wire):
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await asyncio.sleep(0.01)
        wire.writer.close()

    transport = transport_to((await serve(script)).url)
    with pytest.raises(Unreachable, match="hung up"):
        await transport.request("GET", "/")
    with pytest.raises(OutcomeUnknown):
        await transport.request("POST", "/", b"{}")


async def test_an_answer_that_is_not_http_is_an_error_of_ours(serve, transport_to):
    async def script(request, wire):
        await wire.send(b"SSH-2.0-OpenSSH\r\n")

    with pytest.raises(Unreachable, match="not HTTP"):
        await transport_to((await serve(script)).url).request("GET", "/")


async def test_bytes_that_nobody_asked_for_close_the_connection(serve, transport_to):
    async def script(request, wire):
        await wire.reply()
        await asyncio.sleep(0.01)
        await wire.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    server = await serve(script)
    transport = transport_to(server.url)
    await transport.request("POST", "/1", b"{}")
    await asyncio.sleep(0.05)
    await transport.request("POST", "/2", b"{}")
    assert server.connections == 2


async def test_silence_ends_a_request_and_its_connection(serve, transport_to):
    async def script(request, wire):
        await asyncio.sleep(10)

    server = await serve(script)
    transport = transport_to(server.url, timeout=0.05)
    with pytest.raises(Unreachable, match=r"no answer within 0.05 s"):
        await transport.request("GET", "/")
    with pytest.raises(OutcomeUnknown, match=r"no answer within 0.05 s"):
        await transport.request("POST", "/", b"{}")
    assert server.connections == 2


async def test_an_answer_in_time_is_not_hurt_by_the_timer_of_an_earlier_one(serve, transport_to):
    async def script(request, wire):
        await asyncio.sleep(0.03)
        await wire.reply()

    server = await serve(script)
    transport = transport_to(server.url, timeout=0.05)
    for _ in range(4):
        await transport.request("GET", "/")
    assert server.connections == 1


async def test_cancelling_a_request_closes_its_connection_and_frees_its_place(serve, transport_to):
    async def script(request, wire):
        if request.path == "/slow":
            await asyncio.sleep(10)
        await wire.reply()

    server = await serve(script)
    transport = transport_to(server.url, connections=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await transport.request("GET", "/slow")
    await transport.request("GET", "/")
    assert server.connections == 2


async def test_cancelling_those_who_wait_in_line_loses_no_connection(serve, transport_to):
    async def script(request, wire):
        await asyncio.sleep(0.02)
        await wire.reply()

    server = await serve(script)
    transport = transport_to(server.url, connections=1)
    tasks = [asyncio.create_task(transport.request("GET", f"/{number}")) for number in range(5)]
    await asyncio.sleep(0.03)
    for task in tasks[1:4]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await transport.request("GET", "/last")
    assert [request.path for request in server.requests][-1] == "/last"


async def test_closing_ends_what_is_under_way_and_refuses_more(serve, transport_to):
    async def script(request, wire):
        await asyncio.sleep(10)

    server = await serve(script)
    transport = transport_to(server.url, connections=1)
    tasks = [asyncio.create_task(transport.request("GET", "/")) for _ in range(3)]
    await asyncio.sleep(0.05)
    await transport.close()
    assert all(isinstance(end, Unreachable) for end in await asyncio.gather(*tasks, return_exceptions=True))
    with pytest.raises(Unreachable, match="closed on this side"):
        await transport.request("GET", "/")


# Connections that are not made.


async def test_a_refused_port_is_told(serve, transport_to):
    server = await serve(ok)
    await server.stop()
    with pytest.raises(Unreachable) as caught:
        await transport_to(server.url, origin="the kubeconfig").request("POST", "/", b"{}")
    assert str(caught.value) == (
        f"cannot reach {server.url}: connection refused; is the API server running, "
        "and is the address in the kubeconfig right?"
    )
    assert not isinstance(caught.value, OutcomeUnknown)


async def test_an_unknown_host_is_told(transport_to):
    with pytest.raises(Unreachable, match=r"host 'nowhere\.invalid' is unknown"):
        await transport_to("http://nowhere.invalid").request("GET", "/")


async def test_a_server_that_does_not_shake_hands_is_given_up(serve, transport_to):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable, match=f"cannot reach {url}: no answer in time"):
            await transport_to(url, connect_timeout=0.1).request("GET", "/")


# TLS.


def trusting(certificates, **options):
    return Tls(Pem("certificate-authority-data of cluster 'x' in the kubeconfig", text=certificates.pem), **options)


async def test_a_trusted_certificate_opens_the_door(serve, transport_to, certificates):
    server = await serve(ok, certificates.server)
    transport = transport_to(server.url, tls=trusting(certificates))
    await asyncio.gather(*(transport.request("POST", "/", b"{}") for _ in range(8)))
    assert len(server.requests) == 8


async def test_a_certificate_of_another_authority_is_told(serve, transport_to, certificates, issue_certificates):
    server = await serve(ok, certificates.server)
    transport = transport_to(server.url, tls=trusting(issue_certificates("127.0.0.1")))
    with pytest.raises(Unreachable) as caught:
        await transport.request("GET", "/")
    assert str(caught.value).startswith(
        f"the certificate of {server.url} is not trusted by certificate-authority-data of cluster 'x' in the kubeconfig"
    )


async def test_a_certificate_unknown_to_this_machine_is_told(serve, transport_to, certificates):
    server = await serve(ok, certificates.server)
    with pytest.raises(Unreachable, match="is not trusted by this machine"):
        await transport_to(server.url).request("GET", "/")


async def test_a_certificate_for_another_name_is_told(serve, transport_to, issue_certificates):
    other = issue_certificates("example.org")
    server = await serve(ok, other.server)
    with pytest.raises(Unreachable, match="is for other names"):
        await transport_to(server.url, tls=trusting(other)).request("GET", "/")


async def test_tls_server_name_is_the_name_that_is_verified(serve, transport_to, certificates):
    server = await serve(ok, certificates.server)
    await transport_to(server.url, tls=trusting(certificates, server_name="kubernetes.default")).request("GET", "/")
    with pytest.raises(Unreachable, match="is for other names"):
        await transport_to(server.url, tls=trusting(certificates, server_name="elsewhere")).request("GET", "/")


async def test_an_authority_in_a_file_may_rotate(serve, transport_to, certificates, issue_certificates, tmp_path):
    file = tmp_path / "ca.crt"
    file.write_text(certificates.pem)
    tls = Tls(Pem("certificate-authority of cluster 'x' in the kubeconfig", path=str(file)))
    server = await serve(ok, certificates.server)
    transport = transport_to(server.url, tls=tls, connections=1)
    await transport.request("GET", "/")
    await server.stop()
    other = issue_certificates("127.0.0.1")
    await serve(ok, other.server, port=int(server.url.rpartition(":")[2]))
    with pytest.raises(Unreachable, match="is not trusted"):
        await transport.request("GET", "/")
    file.unlink()
    with pytest.raises(Unreachable, match="is not trusted"):
        await transport.request("GET", "/")
    file.write_text(other.pem)
    await transport.request("GET", "/")


@pytest.mark.parametrize(
    ("tls", "sentence"),
    [
        (Tls(Pem("THE CA", text="words")), "^THE CA is not a PEM certificate: "),
        (Tls(Pem("THE CA", path="/absent/ca.crt")), "^cannot read THE CA: /absent/ca.crt: no such file or directory$"),
        (
            Tls(certificate=Pem("THE CERTIFICATE", text="words"), key=Pem("THE KEY", text="words")),
            "^THE CERTIFICATE and its key are not a PEM pair: ",
        ),
    ],
)
async def test_a_bad_certificate_of_ours_is_told(transport_to, tls, sentence):
    with pytest.raises(ConfigError, match=sentence):
        await transport_to("https://127.0.0.1:1", tls=tls).request("GET", "/")


async def test_an_encrypted_key_is_told_and_nobody_is_asked_for_a_password(transport_to, certificates):
    certificate, key = certificates.client_pair()
    loaded = serialization.load_pem_private_key(key.encode(), None)
    secret = loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    ).decode()
    tls = Tls(certificate=Pem("crt", text=certificate), key=Pem("key", text=secret))
    with pytest.raises(ConfigError, match="is encrypted; decrypt it"):
        await transport_to("https://127.0.0.1:1", tls=tls).request("GET", "/")


async def test_verification_can_be_skipped(serve, transport_to, certificates):
    server = await serve(ok, certificates.server)
    await transport_to(server.url, tls=Tls(verify=False)).request("GET", "/")


async def test_https_to_a_plain_server_is_told(transport_to):
    def refuse(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    with pytest.raises(Unreachable, match="does not speak TLS"):
        await transport_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}").request("GET", "/")
    server.close()
    await asyncio.sleep(0.01)


@pytest.fixture
def asking_for_certificates(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    certificates.authority.configure_trust(context)
    return context


async def test_a_client_certificate_is_shown(serve, transport_to, certificates, asking_for_certificates, tmp_path):
    certificate, key = certificates.client_pair()
    (tmp_path / "key.pem").write_text(key)
    server = await serve(ok, asking_for_certificates)
    pair = {"certificate": Pem("crt", text=certificate), "key": Pem("key", path=str(tmp_path / "key.pem"))}
    await transport_to(server.url, tls=trusting(certificates, **pair)).request("GET", "/")
    assert len(server.requests) == 1


async def test_a_missing_client_certificate_is_told(serve, transport_to, certificates, asking_for_certificates):
    server = await serve(ok, asking_for_certificates)
    with pytest.raises(Unreachable, match=r"certificate.required|hung up"):
        await transport_to(server.url, tls=trusting(certificates)).request("GET", "/")


# Credentials.


async def test_a_refused_token_is_read_again_once(serve, transport_to, tmp_path):
    token = tmp_path / "token"
    token.write_text("old\n")

    async def script(request, wire):
        token.write_text("new")
        await wire.reply(200 if request.headers["authorization"] == "Bearer new" else 401)

    server = await serve(script)
    transport = transport_to(server.url, login=TokenFile(str(token)))
    await transport.request("POST", "/", b"{}")
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer old", "Bearer new"]


async def test_a_token_refused_for_good_is_unauthorized(serve, transport_to, tmp_path):
    (tmp_path / "token").write_text("old")

    async def script(request, wire):
        await wire.reply(401, b'{"message":"Unauthorized"}')

    server = await serve(script)
    with pytest.raises(Unauthorized, match="does not accept the credentials of the command line"):
        await transport_to(server.url, login=TokenFile(str(tmp_path / "token"))).request("GET", "/")
    assert len(server.requests) == 1


async def test_many_refused_at_once_share_one_renewal(serve, transport_to, tmp_path):
    token, other = tmp_path / "token", tmp_path / "other"
    token.write_text("old")

    async def script(request, wire):
        await asyncio.sleep(0.01)
        other.write_text("new")
        other.replace(token)
        await wire.reply(200 if request.headers["authorization"] == "Bearer new" else 401)

    server = await serve(script)
    transport = transport_to(server.url, login=TokenFile(str(token)))
    await asyncio.gather(*(transport.request("GET", f"/{number}") for number in range(10)))
    assert len(server.requests) == 20
