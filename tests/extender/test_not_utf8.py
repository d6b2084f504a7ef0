"""Nodes go back byte for byte, so what is no UTF-8 must not come in: it becomes U+FFFD, as kube-scheduler reads it."""

import json

import pytest
from tests.extender.asking import serving

GOOD = '{"Pod":{"metadata":{"name":"p"}},"Nodes":{"items":[{"metadata":{"name":"n1","labels":{"a":"é%s"}}}]}}'


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        pytest.param("ü".encode(), "éü", id="UTF-8 goes back as it is"),
        pytest.param(b"\xff", "é\ufffd", id="a byte that is none is replaced"),
        pytest.param(b"\xc3", "é\ufffd", id="a character that is cut is replaced"),
    ],
)
async def test_the_answer_is_utf8_whatever_was_asked(label: bytes, shown: str) -> None:
    body = GOOD.encode().replace(b"%s", label)
    async with serving("Foo") as ask:
        answer = await ask("POST", "/filter", body)
    node = json.loads(answer.body.decode())["Nodes"]["items"][0]
    assert node["metadata"]["labels"]["a"] == shown
