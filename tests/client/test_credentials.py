import asyncio
import json
import sys

import pytest

from roost.client.credentials import Credentials
from roost.client.exec_plugin import read
from roost.client.target import Anonymous, Basic, ExecPlugin, Token, TokenFile
from roost.errors import ConfigError, Unauthorized

V1 = "client.authentication.k8s.io/v1"


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


async def shown(credentials):
    if credentials.stale:
        await credentials.refresh()
    return credentials.current.authorization


@pytest.mark.parametrize(
    ("login", "header"),
    [
        (Anonymous(), ""),
        (Token("abc"), "Bearer abc"),
        (Token("abc\n"), "Bearer abc"),
        (Basic("me", "pä"), "Basic bWU6cMOk"),
    ],
)
async def test_what_never_changes_is_read_once(login, header, clock):
    credentials = Credentials(login, clock)
    assert await shown(credentials) == header
    clock.now += 1e9
    assert not credentials.stale
    assert await credentials.replace(credentials.current) is False


@pytest.mark.parametrize("token", ["", " \n", "a b", "a\nb", "ä", "a\r\nX-Injected: 1"])
async def test_a_token_that_is_none_is_told(token, clock):
    with pytest.raises(ConfigError, match="is empty or not a bearer token"):
        await Credentials(Token(token), clock).refresh()


async def test_a_token_file_is_read_once_a_minute(tmp_path, clock):
    file = tmp_path / "token"
    file.write_text("one\n")
    credentials = Credentials(TokenFile(str(file)), clock)
    assert await shown(credentials) == "Bearer one"
    file.write_text("two\n")
    clock.now += 59
    assert await shown(credentials) == "Bearer one"
    clock.now += 1
    assert await shown(credentials) == "Bearer two"


async def test_a_token_file_is_read_when_the_token_is_refused(tmp_path, clock):
    file = tmp_path / "token"
    file.write_text("one")
    credentials = Credentials(TokenFile(str(file)), clock)
    await credentials.refresh()
    refused = credentials.current
    assert await credentials.replace(refused) is False
    file.write_text("two")
    assert await credentials.replace(credentials.current) is True
    assert await credentials.replace(refused) is True, "somebody else has renewed it meanwhile"


async def test_a_token_file_must_be_there_at_first_and_may_be_missing_later(tmp_path, clock):
    file = tmp_path / "token"
    credentials = Credentials(TokenFile(str(file)), clock)
    with pytest.raises(ConfigError, match=r"cannot read the token file .*/token: No such file or directory"):
        await credentials.refresh()
    file.write_text("one")
    await credentials.refresh()
    file.unlink()
    clock.now += 61
    assert await shown(credentials) == "Bearer one"
    assert not credentials.stale


# Exec plugins.


@pytest.fixture
def plugin(tmp_path):
    """A login plugin that counts its runs, and prints the status in a file beside it."""
    script = tmp_path / "login.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "runs = here / 'runs'\n"
        "runs.write_text(str(int(runs.read_text()) + 1 if runs.exists() else 1))\n"
        "asked = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "(here / 'asked').write_text(json.dumps({**asked, 'mode': os.environ.get('MODE')}))\n"
        "if os.environ.get('MODE') == 'broken':\n"
        "    sys.exit('sso session expired')\n"
        "status = json.loads((here / 'status').read_text())\n"
        f"print(json.dumps({{'apiVersion': {V1!r}, 'kind': 'ExecCredential', 'status': status}}))\n"
    )

    def make(status, mode="", **fields):
        (tmp_path / "status").write_text(json.dumps(status))
        section = {"command": sys.executable, "args": [str(script), str(tmp_path)], "apiVersion": V1}
        env = [{"name": "MODE", "value": mode}]
        return ExecPlugin("u", {**section, "env": env, **fields}, {"server": "https://k"})

    make.runs = lambda: int((tmp_path / "runs").read_text())
    make.asked = lambda: json.loads((tmp_path / "asked").read_text())
    return make


async def test_a_plugin_runs_once_for_many(plugin, clock):
    credentials = Credentials(plugin({"token": "abc"}, provideClusterInfo=True), clock)
    await asyncio.gather(*(credentials.refresh() for _ in range(5)))
    assert credentials.current.authorization == "Bearer abc"
    assert plugin.runs() == 1
    assert plugin.asked()["spec"]["cluster"] == {"server": "https://k"}


async def test_a_plugin_runs_again_before_its_token_expires(plugin, clock):
    credentials = Credentials(plugin({"token": "a", "expirationTimestamp": "2027-01-15T08:10:00Z"}), clock)
    await credentials.refresh()
    clock.now += 589
    assert not credentials.stale
    clock.now += 1
    assert credentials.stale
    plugin({"token": "b"})
    assert await shown(credentials) == "Bearer b"
    assert plugin.runs() == 2


async def test_a_plugin_runs_again_when_its_token_is_refused_but_not_all_the_time(plugin, clock):
    credentials = Credentials(plugin({"token": "a"}), clock)
    await credentials.refresh()
    clock.now += 5
    assert await credentials.replace(credentials.current) is False
    assert plugin.runs() == 1
    clock.now += 5
    plugin({"token": "b"})
    assert await credentials.replace(credentials.current) is True
    assert plugin.runs() == 2


async def test_a_plugin_may_give_a_client_certificate(plugin, clock):
    status = {"clientCertificateData": "CRT", "clientKeyData": "KEY"}
    credentials = Credentials(plugin(status), clock)
    await credentials.refresh()
    assert credentials.current.authorization == ""
    assert [pem.text for pem in credentials.current.certificate] == ["CRT", "KEY"]
    assert "KEY" not in repr(credentials.current)


async def test_a_plugin_that_fails_is_told(plugin, clock):
    with pytest.raises(Unauthorized, match=r"the login plugin .* of user 'u' failed: .*sso session expired") as caught:
        await Credentials(plugin({}, mode="broken"), clock).refresh()
    assert caught.value.status == 401


async def test_a_plugin_that_is_not_installed_is_told_with_its_hint(clock):
    section = {"command": "/absent/aws", "apiVersion": V1, "installHint": "Install it from example.org"}
    with pytest.raises(ConfigError, match=r"^the login plugin '/absent/aws' of user 'u' is not installed: Install it"):
        await Credentials(ExecPlugin("u", section, {}), clock).refresh()


async def test_without_the_extra_the_fix_is_named(monkeypatch, clock):
    monkeypatch.setitem(sys.modules, "kubernetes.config.exec_provider", None)
    with pytest.raises(ConfigError, match=r"pip install 'roost\[exec\]'"):
        await Credentials(ExecPlugin("u", {"command": "aws", "apiVersion": V1}, {}), clock).refresh()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({}, "printed neither a token nor a client certificate"),
        ({"clientCertificateData": "CRT"}, "printed neither a token nor a client certificate"),
        ({"token": 5}, r"printed a status that cannot be read: Expected `str`, got `int`"),
        ({"token": "a", "expirationTimestamp": "tomorrow"}, "printed a status that cannot be read: Invalid isoformat"),
        ("words", "printed a status that cannot be read"),
    ],
)
def test_what_a_plugin_printed_may_be_of_no_use(status, sentence):
    with pytest.raises(Unauthorized, match=sentence):
        read(status, ExecPlugin("u", {"command": "aws"}, {}))
