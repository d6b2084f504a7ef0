import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from roost.api.kinds import EVENT, LEASE, NODE, POD
from roost.client import connect
from roost.client.kube_cluster import KubeCluster
from roost.client.target import ConnectionInfo, Pem, Tls, TokenFile
from roost.client.transport import Transport
from roost.errors import ApiError, Conflict, Forbidden, Gone, InvalidObject, NotFound, TooManyRequests, Unreachable
from roost.framework.cluster import Cluster


@pytest.fixture
async def cluster_at():
    made = []

    def make(url, **options):
        info = ConnectionInfo(url, **{name: options.pop(name) for name in ("tls", "login") if name in options})
        made.append(KubeCluster(Transport(info, **options), page_size=2, dice=lambda: 0.5))
        return made[-1]

    yield make
    for cluster in made:
        await cluster.close()


def pod(name, version="1", **spec):
    metadata = {"name": name, "namespace": "default", "resourceVersion": version}
    return {"kind": "Pod", "metadata": metadata, "spec": spec}


def line(type_, object_):
    return msgspec.json.encode({"type": type_, "object": object_}) + b"\n"


def replying(*answers):
    """A script that gives these (status, body) in turn, and the last one for ever."""
    left = list(answers)

    async def script(request, wire):
        status, body = left.pop(0) if len(left) > 1 else left[0]
        await wire.reply(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    return script


def test_it_fits_the_protocol():
    fitting: type[Cluster] = KubeCluster
    assert all(hasattr(fitting, name) for name in vars(Cluster) if not name.startswith("_"))


async def test_it_is_closed_at_the_end_of_the_block(serve):
    server = await serve(replying((200, {"gitVersion": "v1.36.2"})))
    async with connect(ConnectionInfo(server.url), connections=2) as cluster:
        assert await cluster.version() == "v1.36.2"
    with pytest.raises(Unreachable):
        await cluster.version()


async def test_a_server_that_is_none_is_told(serve, cluster_at):
    server = await serve(replying((200, b"<html>")))
    with pytest.raises(ApiError, match=r"GET /version cannot be read: .*; is this a Kubernetes API server\?"):
        await cluster_at(server.url).version()


# Requests: what goes out for each verb.

VERBS = {
    "get": (lambda c: c.get(POD, "a", "ns"), "GET", "/api/v1/namespaces/ns/pods/a", None),
    "create": (
        lambda c: c.create(LEASE, b'{"x":1}', "ns"),
        "POST", "/apis/coordination.k8s.io/v1/namespaces/ns/leases", {"x": 1},
    ),
    "post": (
        lambda c: c.post(EVENT, b'{"x":1}', "ns"),
        "POST", "/apis/events.k8s.io/v1/namespaces/ns/events", {"x": 1},
    ),
    "update": (lambda c: c.update(NODE, "n", b'{"x":1}'), "PUT", "/api/v1/nodes/n", {"x": 1}),
    "patch": (lambda c: c.patch(POD, "a", {"x": 1}, "ns"), "PATCH", "/api/v1/namespaces/ns/pods/a", {"x": 1}),
    "patch a subresource": (
        lambda c: c.patch(POD, "a", {"x": 1}, "ns", subresource="status"),
        "PATCH", "/api/v1/namespaces/ns/pods/a/status", {"x": 1},
    ),
    "delete": (
        lambda c: c.delete(POD, "a", "ns", uid="u", resource_version="7"),
        "DELETE", "/api/v1/namespaces/ns/pods/a",
        {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u", "resourceVersion": "7"}},
    ),
    "bind": (
        lambda c: c.bind("ns", "a", "u", "n"),
        "POST", "/api/v1/namespaces/ns/pods/a/binding",
        {
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "a", "namespace": "ns", "uid": "u"},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "n"},
        },
    ),
    "evict": (
        lambda c: c.evict("ns", "a", "u"),
        "POST", "/api/v1/namespaces/ns/pods/a/eviction",
        {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a", "namespace": "ns"},
            "deleteOptions": {"preconditions": {"uid": "u"}},
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "method", "path", "body"), VERBS.values(), ids=VERBS)
async def test_each_verb_is_a_method_a_path_and_a_body(serve, cluster_at, act, method, path, body):
    server = await serve(replying((201, pod("a", "9"))))
    result = await act(cluster_at(server.url))
    (request,) = server.requests
    assert (request.method, request.path) == (method, path)
    assert (json.loads(request.body) if request.body else None) == body
    assert result is None or result.metadata.resource_version == "9"


async def test_a_patch_is_a_strategic_merge(serve, cluster_at):
    server = await serve(replying((200, pod("a"))))
    await cluster_at(server.url).patch(POD, "a", {"status": {"phase": None}}, "ns")
    assert server.requests[0].headers["content-type"] == "application/strategic-merge-patch+json"
    assert server.requests[0].body == b'{"status":{"phase":null}}'


REFUSALS = [(403, Forbidden), (404, NotFound), (409, Conflict), (429, TooManyRequests)]


@pytest.mark.parametrize(("status", "error"), REFUSALS)
async def test_a_refused_binding_is_an_error(serve, cluster_at, status, error):
    server = await serve(replying((status, {"message": "no"})))
    with pytest.raises(error):
        await cluster_at(server.url).bind("ns", "a", "u", "n")


async def test_an_object_that_cannot_be_read_is_told(serve, cluster_at):
    server = await serve(replying((200, pod("a", priority="high"))))
    with pytest.raises(InvalidObject, match="Pod default/a cannot be read"):
        await cluster_at(server.url).get(POD, "a", "default")


async def test_the_plural_names_of_a_group_are_discovered(serve, cluster_at):
    resources = {"resources": [{"name": "pods"}, {"name": "pods/binding"}, {"name": "nodes"}]}
    server = await serve(replying((200, resources), (404, b"404 page not found")))
    cluster = cluster_at(server.url)
    assert await cluster.discover("v1") == {"pods", "nodes"}
    assert await cluster.discover("resource.k8s.io/v1") == set()
    assert [request.path for request in server.requests] == ["/api/v1", "/apis/resource.k8s.io/v1"]


# Lists.


def page(*names, version="5", token=""):
    return {"metadata": {"resourceVersion": version, "continue": token}, "items": [pod(name) for name in names]}


async def test_a_list_is_read_page_by_page(serve, cluster_at):
    server = await serve(replying((200, page("a", "b", token="t 1")), (200, page("c"))))
    listing = await cluster_at(server.url).list(POD, namespace="ns", field_selector="spec.nodeName=")
    assert [item.name for item in listing.items] == ["a", "b", "c"]
    assert (listing.resource_version, listing.malformed) == ("5", [])
    asked = [parse_qs(urlsplit(request.path).query) for request in server.requests]
    selector = {"fieldSelector": ["spec.nodeName="], "limit": ["2"]}
    assert asked == [selector, {**selector, "continue": ["t 1"]}]
    assert server.requests[0].path.startswith("/api/v1/namespaces/ns/pods?")


async def test_a_list_whose_pages_expire_is_read_at_once(serve, cluster_at):
    first, whole = page("a", "b", token="t"), page("a", "b", "c", version="8")
    server = await serve(replying((200, first), (410, {"message": "expired"}), (200, whole)))
    listing = await cluster_at(server.url).list(POD)
    assert (len(listing.items), listing.resource_version) == (3, "8")
    assert server.requests[-1].path == "/api/v1/pods"


async def test_a_later_page_that_is_refused_ends_the_list(serve, cluster_at):
    server = await serve(replying((200, page("a", token="t")), (200, page("b", token="u")), (403, {"message": "no"})))
    with pytest.raises(Forbidden):
        await cluster_at(server.url).list(POD)
    assert len(server.requests) == 3


async def test_a_list_that_is_no_longer_wanted_leaves_nothing_under_way(serve, cluster_at):
    arrived, released = asyncio.Event(), asyncio.Event()

    async def script(request, wire):
        if "continue" in request.path:
            arrived.set()
            await released.wait()
        await wire.reply(body=msgspec.json.encode(page("a", token="t")))

    server = await serve(script)
    before = asyncio.all_tasks()
    listing = asyncio.create_task(cluster_at(server.url).list(POD))
    await arrived.wait()
    listing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listing
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before - server.tasks == set()
    released.set()


async def test_objects_that_cannot_be_read_are_listed_apart(serve, cluster_at):
    first = {"metadata": {"continue": "t"}, "items": [pod("a"), pod("bad", priority="high")]}
    server = await serve(replying((200, first), (200, page("c"))))
    listing = await cluster_at(server.url).list(POD)
    assert [item.name for item in listing.items] == ["a", "c"]
    assert [problem.key for problem in listing.malformed] == ["default/bad"]


# Watches.


def streaming(*chunks, end=True):
    async def script(request, wire):
        await wire.start_stream()
        for chunk in chunks:
            await wire.chunk(chunk)
            await asyncio.sleep(0.005)
        if end:
            await wire.end_stream()
        else:
            wire.writer.close()

    return script


async def seen(watch):
    return [(event.type, event.object and event.object.name) async for events in watch for event in events]


async def test_a_watch_asks_for_changes_since_a_version_for_some_minutes(serve, cluster_at):
    server = await serve(streaming())
    assert await seen(cluster_at(server.url).watch(POD, resource_version="7", label_selector="a=b")) == []
    url = urlsplit(server.requests[0].path)
    assert url.path == "/api/v1/pods"
    assert parse_qs(url.query) == {
        "watch": ["true"],
        "allowWatchBookmarks": ["true"],
        "resourceVersion": ["7"],
        "timeoutSeconds": ["450"],
        "labelSelector": ["a=b"],
    }


async def test_a_watch_gives_what_has_arrived_together(serve, cluster_at):
    together = line("ADDED", pod("a")) + line("MODIFIED", pod("b"))
    server = await serve(streaming(together, line("DELETED", pod("c"))))
    batches = [len(events) async for events in cluster_at(server.url).watch(POD, resource_version="1")]
    assert batches == [2, 1]


async def test_a_line_may_be_cut_anywhere(serve, cluster_at):
    data = line("ADDED", pod("żółw-🐢")) + line("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    server = await serve(streaming(*(data[start : start + 9] for start in range(0, len(data), 9))))
    assert await seen(cluster_at(server.url).watch(POD, resource_version="1")) == [
        ("ADDED", "żółw-🐢"),
        ("BOOKMARK", None),
    ]


async def test_a_version_that_is_gone_is_told_at_once_or_in_the_middle(serve, cluster_at):
    gone = {"kind": "Status", "status": "Failure", "code": 410, "message": "too old"}
    server = await serve(streaming(line("ADDED", pod("a")), line("ERROR", gone)))
    watch = cluster_at(server.url).watch(POD, resource_version="1")
    assert [event.type for event in await anext(watch)] == ["ADDED"]
    with pytest.raises(Gone):
        await anext(watch)
    server = await serve(replying((410, gone)))
    with pytest.raises(Gone):
        await anext(cluster_at(server.url).watch(POD, resource_version="1"))


async def test_a_watch_that_is_cut_is_unreachable_after_its_last_events(serve, cluster_at):
    server = await serve(streaming(line("ADDED", pod("a")), b'{"type":"ADD', end=False))
    watch = cluster_at(server.url).watch(POD, resource_version="1")
    assert [event.object.name for event in await anext(watch)] == ["a"]
    with pytest.raises(Unreachable, match="hung up"):
        await anext(watch)


async def test_a_silent_watch_is_dropped(serve):
    async def silent(request, wire):
        await wire.start_stream()
        await asyncio.sleep(10)

    transport = Transport(ConnectionInfo((await serve(silent)).url))
    with pytest.raises(Unreachable, match=r"no answer within 0\.05 s"):
        await anext(transport.stream("/", 0.05))
    await transport.close()


async def test_a_watch_lives_longer_than_its_patience_as_long_as_something_comes(serve):
    transport = Transport(ConnectionInfo((await serve(streaming(*[b"x"] * 20))).url))
    data = b"".join([data async for data in transport.stream("/", 0.06)])
    assert data == b"x" * 20
    await transport.close()


async def test_a_watch_left_early_closes_its_connection(serve, cluster_at):
    closed = asyncio.Event()

    async def endless(request, wire):
        await wire.start_stream()
        try:
            while True:
                await wire.chunk(line("ADDED", pod("a")))
                await asyncio.sleep(0.005)
        finally:
            closed.set()

    server = await serve(endless)
    watch = cluster_at(server.url).watch(POD, resource_version="1")
    await anext(watch)
    await watch.aclose()
    async with asyncio.timeout(2):
        await closed.wait()


async def test_a_slow_reader_holds_the_server_back(serve, cluster_at):
    sent = 0

    async def flood(request, wire):
        nonlocal sent
        await wire.start_stream()
        for _ in range(80):
            await wire.chunk(line("ADDED", pod("a", nodeName="x" * 1_000_000)))
            sent += 1
        await wire.end_stream()

    server = await serve(flood)
    watch = cluster_at(server.url).watch(POD, resource_version="1")
    count = len(await anext(watch))
    await asyncio.sleep(0.3)
    assert sent < 60
    assert count + len(await seen(watch)) == 80


async def test_watches_do_not_take_the_places_of_requests(serve, cluster_at):
    async def script(request, wire):
        if "watch=true" in request.path:
            await wire.start_stream()
            await wire.chunk(line("ADDED", pod("a")))
            await asyncio.sleep(10)
        await wire.reply(200, json.dumps(pod("b")).encode())

    server = await serve(script)
    cluster = cluster_at(server.url, connections=1)
    watches = [cluster.watch(POD, resource_version="1") for _ in range(3)]
    for watch in watches:
        await anext(watch)
    assert (await cluster.get(POD, "b", "default")).name == "b"
    for watch in watches:
        await watch.aclose()


async def test_a_watch_over_tls_renews_a_refused_token(serve, cluster_at, certificates, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")

    async def script(request, wire):
        if request.headers["authorization"] == "Bearer old":
            token.write_text("new")
            await wire.reply(401)
            return
        await streaming(line("ADDED", pod("a")), line("ADDED", pod("b", nodeName="x" * 300_000)))(request, wire)

    server = await serve(script, certificates.server)
    tls = Tls(Pem("ca", text=certificates.pem))
    watch = cluster_at(server.url, tls=tls, login=TokenFile(str(token))).watch(POD, resource_version="1")
    assert await seen(watch) == [("ADDED", "a"), ("ADDED", "b")]


async def test_closing_ends_a_watch(serve, cluster_at):
    async def script(request, wire):
        await wire.start_stream()
        await asyncio.sleep(10)

    cluster = cluster_at((await serve(script)).url)
    waiting = asyncio.create_task(anext(cluster.watch(POD, resource_version="1")))
    await asyncio.sleep(0.05)
    await cluster.close()
    with pytest.raises(Unreachable):
        await waiting
