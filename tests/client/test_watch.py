import msgspec
import pytest

from roost.api.kinds import NODE, POD, AnyObject, Kind
from roost.client.watch import WatchDecoder
from roost.errors import ApiError, Gone

CONFIG_MAP = Kind(plural="configmaps", name="ConfigMap", type=AnyObject)


def line(type_, name="p", version="7", namespace="default", **fields):
    metadata = {"name": name, "namespace": namespace, "resourceVersion": version}
    return msgspec.json.encode({"type": type_, "object": {"kind": "Pod", "metadata": metadata, **fields}}) + b"\n"


def told(events):
    return [(event.type, event.object.name if event.object else None, event.resource_version) for event in events]


THREE = (
    line("ADDED", "a", "1") + line("MODIFIED", "żółw-🐢", "2", status={"phase": "Running"}) + line("DELETED", "c", "3")
)
TOLD = [("ADDED", "a", "1"), ("MODIFIED", "żółw-🐢", "2"), ("DELETED", "c", "3")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_events_are_the_same_wherever_the_bytes_are_cut(size):
    decoder = WatchDecoder(POD)
    pieces = [THREE[start : start + size] for start in range(0, len(THREE), size)]
    assert told([event for piece in pieces for event in decoder.feed(piece)]) == TOLD


def test_events_that_come_together_are_given_together():
    assert told(WatchDecoder(POD).feed(THREE)) == TOLD


def test_blank_lines_and_carriage_returns_are_passed_over():
    assert told(WatchDecoder(POD).feed(b"\n\r\n" + THREE.replace(b"\n", b"\r\n"))) == TOLD


def test_an_event_is_typed():
    (event,) = WatchDecoder(POD).feed(line("ADDED", spec={"nodeName": "n", "priority": 5}))
    assert (event.object.spec.node_name, event.object.spec.priority) == ("n", 5)


def test_what_a_watch_brings_shares_its_parts_with_what_was_there():
    spec = {"containers": [{"name": "web", "image": "web:1"}]}
    first, second = (WatchDecoder(POD).feed(line("ADDED", name, spec=spec))[0].object for name in "ab")
    assert first.spec.containers is second.spec.containers


def test_a_line_may_be_of_any_length():
    decoder = WatchDecoder(POD)
    long = line("ADDED", "long", metadata_=["x" * 1000] * 10_000)
    assert len(long) > 10_000_000
    pieces = [long[start : start + 16_384] for start in range(0, len(long), 16_384)]
    assert told([event for piece in pieces for event in decoder.feed(piece)]) == [("ADDED", "long", "7")]


BOOKMARKS = {
    "as the API server writes it": {"kind": "Pod", "metadata": {"resourceVersion": "99", "creationTimestamp": None}},
    "of an object that is all null": {
        "metadata": {"resourceVersion": "99"},
        "spec": {"containers": None},
        "status": {},
    },
    "of an object that cannot be read": {"metadata": {"resourceVersion": "99"}, "spec": "?"},
}


@pytest.mark.parametrize("object_", BOOKMARKS.values(), ids=BOOKMARKS)
def test_a_bookmark_is_only_a_version(object_):
    (event,) = WatchDecoder(POD).feed(msgspec.json.encode({"type": "BOOKMARK", "object": object_}) + b"\n")
    assert (event.type, event.object, event.resource_version) == ("BOOKMARK", None, "99")


MALFORMED = {
    "a field of the wrong type": (
        line("MODIFIED", "bad", "8", spec={"priority": "high"}),
        ("default/bad", "8", "Pod default/bad cannot be read: Expected `int | null`, got `str` - at `$.spec.priority`"),
    ),
    "a type of event that does not exist": (
        line("RENAMED", "odd", "9"),
        ("default/odd", "9", "Pod default/odd cannot be read: an event of the unknown type 'RENAMED'"),
    ),
    "text that is not UTF-8": (
        line("ADDED", "p", "10").replace(b'"p"', b'"\xff"'),
        (
            "",
            "",
            "Pod (unnamed) cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ),
    "a line that is not JSON": (
        b'{"type":"ADDED","object":{"metadata":\n',
        ("", "", "Pod (unnamed) cannot be read: Input data was truncated"),
    ),
    "brackets without end": (
        b'{"type":"ADDED","object":{"x":' + b"[" * 100_000 + b"\n",
        ("", "", "Pod (unnamed) cannot be read: maximum recursion depth exceeded while deserializing an object"),
    ),
}


@pytest.mark.parametrize(("data", "expected"), MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_read_is_reported_and_the_others_go_on(data, expected):
    before, event, after = WatchDecoder(POD).feed(line("ADDED", "a") + data + line("ADDED", "b"))
    assert (before.object.name, after.object.name) == ("a", "b")
    assert (event.type, event.object) == ("MALFORMED", None)
    assert (event.malformed.key, event.resource_version, event.malformed.problem) == expected


def test_the_key_of_an_object_without_namespace_is_its_name():
    (event,) = WatchDecoder(NODE).feed(line("ADDED", "n1", namespace="", spec={"unschedulable": "yes"}))
    assert event.malformed.key == "n1"


ERRORS = [
    (410, Gone, "410: too old resource version: 1 (9)"),
    (500, ApiError, "500: too old resource version: 1 (9)"),
]


@pytest.mark.parametrize("kind", [POD, NODE, CONFIG_MAP], ids=lambda kind: kind.name)
@pytest.mark.parametrize(("code", "error", "sentence"), ERRORS)
def test_an_error_of_the_server_ends_the_watch(kind, code, error, sentence):
    status = {"kind": "Status", "status": "Failure", "message": "too old resource version: 1 (9)", "code": code}
    with pytest.raises(error) as caught:
        WatchDecoder(kind).feed(msgspec.json.encode({"type": "ERROR", "object": status}) + b"\n")
    assert (type(caught.value), str(caught.value), caught.value.status) == (error, sentence, code)
