"""HTTPS: the same server behind certificates, who may ask it, and certificates that are renewed while it runs."""

import asyncio
import logging
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from tests.extender.http_wire import connected, request

from roost.errors import ConfigError
from roost.extender.http_server import HttpServer, Request, Response
from roost.extender.server_tls import server_context

AUTHORITY, OTHER_AUTHORITY = trustme.CA(), trustme.CA()
PAIR, OTHER_PAIR = (AUTHORITY.issue_cert("127.0.0.1", "localhost", common_name=name) for name in ("one", "two"))


async def echo(asked: Request) -> Response:
    return Response(body=[asked.body])


class Files:
    """The files of a server's options, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key, self.client_ca = (str(folder / name) for name in ("tls.crt", "tls.key", "ca.crt"))
        self.write(PAIR)
        self.trust(AUTHORITY)

    def trust(self, authority: trustme.CA) -> None:
        Path(self.client_ca).write_bytes(authority.cert_pem.bytes())

    def write(self, pair: trustme.LeafCert) -> None:
        self.write_cert(pair)
        Path(self.key).write_bytes(pair.private_key_pem.bytes())

    def lose_key(self) -> None:
        Path(self.key).unlink()

    def write_cert(self, pair: trustme.LeafCert) -> None:
        Path(self.cert).write_bytes(b"".join(pem.bytes() for pem in pair.cert_chain_pems))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
async def serve():
    started: list[HttpServer] = []

    async def start(context: ssl.SSLContext, handler=echo) -> HttpServer:
        started.append(await HttpServer("127.0.0.1", 0, handler, ssl_context=context).__aenter__())
        return started[-1]

    yield start
    for server in started:
        await server.close(0.0)


def trusting(shown: trustme.LeafCert | None = None) -> dict[str, object]:
    """Return how a client connects that trusts our authority, and shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(context)
    if shown is not None:
        shown.configure_cert(context)
    return {"ssl": context, "server_hostname": "127.0.0.1"}


async def name_shown(server: HttpServer) -> str:
    """Return the common name in the certificate that a new connection is shown."""
    async with connected(server, **trusting()) as wire:
        assert (await wire.ask(request(body=b"hello"))).body == b"hello"
        subject = wire.writer.get_extra_info("peercert")["subject"]
        return dict(pair for names in subject for pair in names)["commonName"]


async def test_requests_and_big_bodies_go_through_tls(files, serve):
    server = await serve(server_context(files.cert, files.key))
    async with connected(server, **trusting()) as wire:
        for size in (0, 5, 3 << 20):
            writing = asyncio.create_task(wire.send(request(body=bytes(size))))
            assert len((await wire.answer()).body) == size
            await writing
        assert wire.writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        assert (await wire.ask(request(Connection="close"))).status == 200
        assert await wire.rest() == b""


async def test_who_is_refused_over_tls_sees_why(files, serve):
    server = await serve(server_context(files.cert, files.key))
    async with connected(server, **trusting()) as wire:
        assert (await wire.ask(request(Content_Length=str(1 << 40)), bytes(1 << 20))).status == 413
    async with connected(server, **trusting()) as wire:
        assert (await wire.ask(b"nonsense")).status == 400


async def test_who_does_not_take_an_answer_over_tls_does_not_stop_the_server_from_closing(files, serve):
    async def handler(asked):
        return Response(body=[bytes(20 << 20)])

    server = await serve(server_context(files.cert, files.key), handler)
    async with connected(server, receive_buffer=4096, **trusting()) as wire:
        await wire.send(request())
        await asyncio.sleep(0.05)
        async with asyncio.timeout(3):
            await server.close(0.0)
        assert server.connections == 0


async def test_a_handshake_that_ends_after_the_server_has_closed_ends_there(files, serve):
    server = await serve(server_context(files.cert, files.key))
    async with connected(server) as wire:
        await asyncio.sleep(0.02)
        await server.close(0.0)
        options = trusting()
        await wire.writer.start_tls(options["ssl"], server_hostname="127.0.0.1")
        assert await wire.rest() == b""


async def test_who_speaks_no_tls_is_turned_away_without_noise(files, serve, caplog):
    server = await serve(server_context(files.cert, files.key))
    async with connected(server) as wire:
        await wire.send(request())
        assert b"200" not in await wire.rest()
    assert await name_shown(server) == "one"
    assert not caplog.records


async def test_older_than_tls_1_2_is_not_spoken(files):
    context = server_context(files.cert, files.key)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("shown", "welcome"),
    [
        pytest.param(AUTHORITY.issue_cert("scheduler@example.org"), True, id="is ours"),
        pytest.param(OTHER_AUTHORITY.issue_cert("scheduler@example.org"), False, id="is of another authority"),
        pytest.param(None, False, id="is missing"),
    ],
)
async def test_with_a_client_ca_a_client_is_let_in_if_its_certificate(files, serve, shown, welcome, caplog):
    server = await serve(server_context(files.cert, files.key, files.client_ca))
    try:
        async with connected(server, **trusting(shown)) as wire:
            assert (await wire.ask(request(body=b"hello"))).body == b"hello"
            assert welcome
    except (OSError, asyncio.IncompleteReadError):
        assert not welcome
    assert not caplog.records


# Renewal.


async def test_new_connections_get_a_renewed_certificate_and_old_ones_stay(files, serve):
    server = await serve(server_context(files.cert, files.key))
    async with connected(server, **trusting()) as wire:
        await wire.ask(request())
        assert await name_shown(server) == "one"
        files.write(OTHER_PAIR)
        assert await name_shown(server) == "two"
        assert await name_shown(server) == "two"
        assert (await wire.ask(request())).status == 200


async def test_a_renewed_client_ca_decides_who_is_let_in(files, serve):
    server = await serve(server_context(files.cert, files.key, files.client_ca))
    files.trust(OTHER_AUTHORITY)
    async with connected(server, **trusting(OTHER_AUTHORITY.issue_cert("scheduler@example.org"))) as wire:
        assert (await wire.ask(request())).status == 200
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        async with connected(server, **trusting(AUTHORITY.issue_cert("scheduler@example.org"))) as wire:
            await wire.ask(request())


async def test_in_the_middle_of_a_renewal_the_old_certificate_serves_and_one_warning_is_logged(files, serve, caplog):
    caplog.set_level(logging.INFO, logger="roost.extender")
    server = await serve(server_context(files.cert, files.key))
    files.write_cert(OTHER_PAIR)
    for _ in range(3):
        assert await name_shown(server) == "one"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "does not belong to the certificate" in record.getMessage()
    files.write(OTHER_PAIR)
    assert await name_shown(server) == "two"
    assert caplog.records[-1].getMessage() == f"the TLS certificate was read again from {files.cert}"


async def test_a_file_that_is_gone_for_a_moment_is_no_end(files, serve, caplog):
    server = await serve(server_context(files.cert, files.key))
    files.lose_key()
    assert [await name_shown(server) for _ in range(2)] == ["one", "one"]
    assert len(caplog.records) == 1
    files.write(PAIR)
    assert await name_shown(server) == "one"
    assert len(caplog.records) == 1


# Mistakes.


def garbled(pem: bytes) -> bytes:
    first, *_, last = pem.splitlines(keepends=True)
    return first + b"AAAA\n" + last


def encrypted() -> bytes:
    key = serialization.load_pem_private_key(PAIR.private_key_pem.bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)


CERT, KEY = PAIR.cert_chain_pems[0].bytes(), PAIR.private_key_pem.bytes()
MISTAKES = {
    "a certificate that is not there": ("cert", None, "--tls-cert-file: cannot read {}: no such file or directory"),
    "a key that is not there": ("key", None, "--tls-private-key-file: cannot read {}: no such file"),
    "an authority that is not there": ("client_ca", None, "--client-ca-file: cannot read {}: no such file"),
    "a key for a certificate": ("cert", KEY, "--tls-cert-file: {} is not a certificate in PEM form"),
    "a certificate for a key": ("key", CERT, "--tls-private-key-file: {} is not a private key in PEM form"),
    "a key for an authority": ("client_ca", KEY, "--client-ca-file: {} is not a certificate in PEM form"),
    "binary for a certificate": ("cert", bytes(range(256)), "--tls-cert-file: {} is not a certificate in PEM form"),
    "a garbled certificate": ("cert", garbled(CERT), "--tls-cert-file: {} is not a certificate in PEM form"),
    "a garbled key": ("key", garbled(KEY), "--tls-private-key-file: {} is not a private key in PEM form"),
    "a garbled authority": ("client_ca", garbled(CERT), "--client-ca-file: {} is not a certificate in PEM form"),
    "the key of another certificate": (
        "key",
        OTHER_PAIR.private_key_pem.bytes(),
        "--tls-private-key-file: the key in {} does not belong to the certificate in",
    ),
    "a key with a password": ("key", encrypted(), "--tls-private-key-file: the key in {} is encrypted; decrypt it"),
}


@pytest.mark.parametrize(("name", "content", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_is_told_with_the_option(files, name, content, sentence):
    path = Path(getattr(files, name))
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        server_context(files.cert, files.key, files.client_ca)
    assert str(caught.value).startswith(sentence.format(path))


def test_a_folder_is_no_certificate(files):
    with pytest.raises(ConfigError, match=r"--tls-cert-file: cannot read .*: is a directory"):
        server_context(str(Path(files.cert).parent), files.key)
