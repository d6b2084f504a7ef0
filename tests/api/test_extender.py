import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.extender import (
    ExtenderArgs,
    ExtenderBindingArgs,
    ExtenderBindingResult,
    ExtenderFilterResult,
    ExtenderPreemptionArgs,
    ExtenderPreemptionResult,
    HostPriority,
    MetaPod,
    NodeList,
    read_message,
)
from roost.api.node import Node
from roost.api.pod import Pod
from roost.errors import InvalidObject

SAMPLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "golden" / "wire_samples.json").read_text()
)
KINDS: dict[str, Any] = {
    "filter_or": ExtenderArgs,
    "filter_result": ExtenderFilterResult,
    "host": list[HostPriority],
    "preemption_args": ExtenderPreemptionArgs,
    "preemption_result": ExtenderPreemptionResult,
    "binding_args": ExtenderBindingArgs,
    "binding_result": ExtenderBindingResult,
}
EVERY_SAMPLE = [
    pytest.param(sample, next(kind for start, kind in KINDS.items() if name.startswith(start)), id=f"{version} {name}")
    for version in ("k8s_1_13", "v0_20")
    for name, sample in SAMPLES[version].items()
]


def respelled(data: Any, spell: Callable[[str], str]) -> Any:
    if isinstance(data, dict):
        return {spell(key): respelled(value, spell) for key, value in data.items()}
    return [respelled(item, spell) for item in data] if isinstance(data, list) else data


def text(data: Any) -> bytes:
    return json.dumps(data).encode()


def plain(message: Any) -> Any:
    """The message as data, nodes in full read: Raw values are compared by what they say."""
    if isinstance(message, ExtenderArgs | ExtenderFilterResult) and message.nodes:
        nodes = [read_message(item, Node) for item in message.nodes.items or ()]
        return msgspec.structs.replace(message, nodes=None), nodes
    return message


@pytest.mark.parametrize(("sample", "kind"), EVERY_SAMPLE)
def test_what_go_writes_is_read_and_written_with_the_same_keys_in_the_same_order(sample: Any, kind: Any) -> None:
    written = json.loads(msgspec.json.encode(read_message(text(sample), kind)))
    if isinstance(sample, dict):
        assert list(written) == list(sample)
        written, sample = ({key: data[key] for key in data if key != "Pod"} for data in (written, sample))
    if kind is not ExtenderPreemptionArgs:  # its pods are written as far as they are read
        assert written == (sample or written)


@pytest.mark.parametrize("spell", [str.lower, str.upper, str.swapcase, str.title])
@pytest.mark.parametrize(("sample", "kind"), EVERY_SAMPLE)
def test_keys_are_read_in_any_case(sample: Any, kind: Any, spell: Callable[[str], str]) -> None:
    # Names of nodes are keys too, in maps; those are not ours to respell.
    kept = {"n1", "n2"}
    other = respelled(sample, lambda key: key if key in kept else spell(key))
    assert plain(read_message(text(other), kind)) == plain(read_message(text(sample), kind))


@given(st.data())
def test_each_key_may_have_a_case_of_its_own(data: st.DataObject) -> None:
    sample = SAMPLES["v0_20"]["filter_or_prioritize_request_nodeCacheCapable_false"]
    spelling = st.sampled_from([str.lower, str.upper, str.swapcase, str])
    other = respelled(sample, lambda key: data.draw(spelling)(key))
    assert plain(read_message(text(other), ExtenderArgs)) == plain(read_message(text(sample), ExtenderArgs))


def test_what_follows_the_first_value_is_ignored() -> None:
    assert read_message(b'{"NodeNames":["a"]} {"NodeNames":', ExtenderArgs).node_names == ["a"]
    assert read_message(b'[{"host":"a","score":3}]]', list[HostPriority]) == [HostPriority(host="a", score=3)]


def test_the_old_word_for_the_victims_is_understood() -> None:
    body = b'{"nodeToVictims":{"n1":{"pods":[{"metadata":{"name":"a"}},null]},"n2":null}}'
    victims = read_message(body, ExtenderPreemptionArgs).node_name_to_victims
    assert victims is not None
    assert [pod.name for pod in (victims["n1"].pods or ())] == ["a", ""]  # type: ignore[union-attr]
    assert victims["n2"] is None


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        pytest.param(b"null", list[HostPriority], [], id="no list of scores is an empty one"),
        pytest.param(b'[{"Host":null,"Score":null}]', list[HostPriority], [HostPriority()], id="null is nothing"),
        pytest.param(b'{"Error":null}', ExtenderBindingResult, ExtenderBindingResult(), id="null is no error"),
        pytest.param(b"[null]", list[HostPriority], [HostPriority()], id="a null item is a message without fields"),
        pytest.param(b'{"UID":"u","other":1}', MetaPod, MetaPod(uid="u"), id="keys nobody knows are ignored"),
        pytest.param(b'{"\\u0055id":"u"}', MetaPod, MetaPod(uid="u"), id="a key may be escaped"),
        pytest.param('{"ho\u017ft":"a"}'.encode(), HostPriority, HostPriority(host="a"), id="a long s folds to s"),
        pytest.param(
            b'{"Nodes":{"items":null}}', ExtenderFilterResult, ExtenderFilterResult(nodes=NodeList()), id="no items"
        ),
        pytest.param(
            b'{"Error":"a","error":"b"}',
            ExtenderBindingResult,
            ExtenderBindingResult(error="b"),
            id="the last one counts",
        ),
        pytest.param(
            b'{"spec":null,"metadata":{"name":"a"}}',
            Pod,
            read_message(b'{"metadata":{"name":"a"}}', Pod),
            id="a spec of null",
        ),
    ],
)
def test_reads(body: bytes, kind: Any, expected: object) -> None:
    assert read_message(body, kind) == expected


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        pytest.param(b"", ExtenderArgs, "the message is empty", id="nothing"),
        pytest.param(b'{"Pod":{', ExtenderArgs, "the message is JSON that ends too early", id="half of it"),
        pytest.param(b"null", ExtenderArgs, "the message is null, not an object", id="null"),
        pytest.param(b"{}", list[HostPriority], "the message is an object, not a list", id="another type"),
        pytest.param(b"ouch", ExtenderArgs, "the message is not JSON: invalid character (byte 0)", id="no JSON"),
        pytest.param(b'{"Score":NaN}', HostPriority, "the message is not JSON: invalid character (byte 9)", id="NaN"),
        pytest.param(b'{"Pod":7}', ExtenderArgs, "Pod: is a whole number, not an object", id="a pod that is a number"),
        pytest.param(
            b'{"pod":{"SPEC":{"nodename":true}}}',
            ExtenderArgs,
            "Pod.spec.nodeName: is true or false, not a text",
            id="a field deep inside",
        ),
        pytest.param(
            b'{"NodeNames":["a",5]}', ExtenderArgs, "NodeNames[1]: is a whole number, not a text", id="a name"
        ),
        pytest.param(b'[{"Score":"5"}]', list[HostPriority], "[0].Score: is a text, not a whole number", id="score"),
        pytest.param(
            b'[{"Score":%d}]' % 2**63, list[HostPriority], "[0].Score: is a number beyond 64 bits", id="large"
        ),
        pytest.param(
            b'[{"Host":"\\ud800"}]',
            list[HostPriority],
            "the message has a text that is not valid Unicode",
            id="half a surrogate pair",
        ),
        pytest.param(
            b'[{"Host":"\xff"}]', list[HostPriority], "[0].Host: has a text that is not valid Unicode", id="not UTF-8"
        ),
        pytest.param(
            b'{"Pod":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            ExtenderArgs,
            "the message is nested too deeply",
            id="deeply",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(body: bytes, kind: Any, sentence: str) -> None:
    with pytest.raises(InvalidObject) as raised:
        read_message(body, kind)
    assert str(raised.value) == sentence


@given(st.binary(max_size=60), st.sampled_from(list(KINDS.values())))
def test_bytes_never_raise_anything_else(body: bytes, kind: Any) -> None:
    with suppress(InvalidObject):
        read_message(body, kind)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "n1", "items"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from([row.values for row in EVERY_SAMPLE]), JSON_VALUES, st.data())
def test_a_message_with_anything_in_any_place_never_raises_anything_else(
    row: tuple[Any, Any], value: Any, data: st.DataObject
) -> None:
    sample, kind = row

    def replaced(inside: Any) -> Any:
        if isinstance(inside, dict) and inside and data.draw(st.integers(0, 4)):
            key = data.draw(st.sampled_from(sorted(inside)))
            return inside | {key: replaced(inside[key])}
        return value

    with suppress(InvalidObject):
        read_message(text(replaced(sample)), kind)


@given(st.sampled_from([row.values for row in EVERY_SAMPLE]), st.binary(max_size=8), st.integers(0, 2000))
def test_garbage_within_never_raises_anything_else(row: tuple[Any, Any], garbage: bytes, place: int) -> None:
    body, kind = text(row[0]), row[1]
    with suppress(InvalidObject):
        read_message(body[:place] + garbage + body[place:], kind)


def test_a_pod_with_its_own_json_in_an_annotation_is_read_in_time_linear_in_its_length() -> None:
    inner = json.dumps({f"Name{row}": "x" for row in range(20_000)})
    body = text({"metadata": {"name": "a", "annotations": {"last": inner}}})
    assert read_message(body, Pod).annotations["last"] == inner
