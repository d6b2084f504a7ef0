"""The controller on an embedded cluster: what it writes, what it leaves, what goes on when something fails."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

import numpy as np
import pytest
from tests.annotator.building import NOON

from roost.annotator.allocation import AllocationAnnotator
from roost.annotator.controller import Controller, Pace
from roost.annotator.exposition import Exposition
from roost.annotator.feeder import UsageFeeder
from roost.annotator.nodes import AnnotatedNode
from roost.annotator.plan import Wanted
from roost.annotator.usage import Samples, Usage
from roost.annotator.window import Window
from roost.apiserver.in_process import InProcessCluster, OnRequest
from roost.apiserver.nodes import build_nodes
from roost.apiserver.resources import NODE, POD
from roost.apiserver.standins import settle
from roost.apiserver.store import Store
from roost.errors import ApiError, Forbidden, NotFound, RoostError, SourceError, TooManyRequests, Unreachable
from roost.framework.cluster import Cluster

AT = "example.com/at"


class Fixed:
    """Wants the same of every node, unless it has trouble."""

    at_key = AT
    in_sync = True
    malformed = 0

    def __init__(self, text: str = "1") -> None:
        self.text = text
        self.trouble: RoostError | None = None
        self.rounds = 0

    def follow(self, cluster: Cluster, notify: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        return []

    async def gather(self, nodes: Collection[AnnotatedNode], now: float) -> None:
        self.rounds += 1
        if self.trouble is not None:
            raise self.trouble

    def wanted(self, nodes: Collection[AnnotatedNode], now: float) -> Mapping[str, Wanted]:
        return {node.name: Wanted({"load": self.text}, now) for node in nodes}


class World:
    """An embedded cluster with ready nodes, at a time of its own, and the verbs that it was asked."""

    def __init__(self, count: int = 3) -> None:
        self.now = NOON
        self.store = Store(lambda: self.now)
        for node in build_nodes(count):
            self.store.create(NODE, node)
        settle(self.store, NOON)
        self.asked: list[tuple[str, str]] = []
        self.refuse: OnRequest | None = None
        self.cluster = InProcessCluster(self.store, on_request=self._on_request)

    async def _on_request(self, verb: str, plural: str) -> None:
        self.asked.append((verb, plural))
        if self.refuse is not None:
            await self.refuse(verb, plural)

    def controller(self, annotator: Any, **pace: float) -> Controller:
        return Controller(
            self.cluster, annotator, Pace(**{"interval": 0.02, "burst": 1000, **pace}), wall=lambda: self.now
        )

    def said(self, key: str) -> dict[str, str | None]:
        return {node.name: (node.metadata.get("annotations") or {}).get(key) for node in self.store.all(NODE)}

    @property
    def patches(self) -> int:
        return self.asked.count(("patch", "nodes"))


async def test_once_writes_every_node_and_ends() -> None:
    world = World()
    await world.controller(Fixed()).run_once()
    assert set(world.said("load").values()) == {"1"}
    assert set(world.said(AT).values()) == {"2026-01-01T12:00:00Z"}


async def test_nodes_that_say_it_already_are_not_patched_until_the_time_is_old() -> None:
    world = World()
    for seconds, expected in ((0, 3), (60, 3), (240, 3), (300, 6)):
        world.now = NOON + seconds
        await world.controller(Fixed()).run_once()
        assert world.patches == expected, seconds


async def test_rounds_go_on_until_it_is_stopped() -> None:
    world, fixed = World(), Fixed()
    controller = world.controller(fixed)
    task = asyncio.create_task(controller.run())
    await until(lambda: fixed.rounds >= 3)
    fixed.text = "2"
    await until(lambda: set(world.said("load").values()) == {"2"})
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.patches == 6
    assert controller.is_ready


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - polled for a moment
            await asyncio.sleep(0.005)


async def test_a2_nodes_that_are_not_ready_are_left_alone_and_counted() -> None:
    world = World()

    def fail(node: dict[str, Any]) -> None:
        for condition in node["status"]["conditions"]:
            condition["status"] = "Unknown"

    world.store.modify(NODE, "node-1", fail, subresource="status")
    controller = world.controller(Fixed())
    await controller.run_once()
    assert world.said("load") == {"node-0": "1", "node-1": None, "node-2": "1"}
    assert controller.counts.nodes == {"annotated": 2, "not ready": 1, "no data": 0}


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (Forbidden("403: no"), "error"),
        (Unreachable("cut off"), "error"),
        (TooManyRequests("429: slow down", retry_after=0.01), "error"),
        (NotFound("404: gone"), "gone"),
    ],
)
async def test_one_nodes_failure_does_not_stop_the_others(
    error: ApiError, counted: str, caplog: pytest.LogCaptureFixture
) -> None:
    world, fixed = World(6), Fixed()
    left = [error]

    async def refuse_once(verb: str, plural: str) -> None:
        if verb == "patch" and left:
            raise left.pop()

    world.refuse = refuse_once
    controller = world.controller(fixed)
    task = asyncio.create_task(controller.run())
    await until(lambda: fixed.rounds >= 2 and None not in world.said("load").values())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert controller.counts.patches[counted] == 1
    assert controller.counts.patches["ok"] == 6
    assert [record.levelname for record in caplog.records if record.levelname == "WARNING"] == (
        [] if counted == "gone" else ["WARNING"]
    )


async def test_once_a_failed_patch_is_the_sentence_it_ends_with() -> None:
    world = World()

    async def refuse(verb: str, plural: str) -> None:
        if verb == "patch":
            raise Forbidden("403: nodes is forbidden")

    world.refuse = refuse
    with pytest.raises(RoostError, match=r"^3 nodes could not be annotated: node node-\d: 403: nodes is forbidden$"):
        await world.controller(Fixed()).run_once()


async def test_a_source_in_trouble_is_told_once_and_nothing_is_written(caplog: pytest.LogCaptureFixture) -> None:
    world, fixed = World(), Fixed()
    fixed.trouble = SourceError("no answer")
    controller = world.controller(fixed)
    task = asyncio.create_task(controller.run())
    await until(lambda: fixed.rounds >= 3)
    assert (world.patches, controller.is_ready) == (0, False)
    assert [record.message for record in caplog.records] == ["no answer"]
    fixed.trouble = None
    await until(lambda: set(world.said("load").values()) == {"1"})
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_once_a_source_in_trouble_is_raised() -> None:
    world, fixed = World(), Fixed()
    fixed.trouble = SourceError("no answer")
    with pytest.raises(SourceError, match=r"^no answer$"):
        await world.controller(fixed).run_once()


async def test_rights_that_lack_are_one_sentence() -> None:
    world = World()

    async def refuse(verb: str, plural: str) -> None:
        raise Forbidden("403: nodes is forbidden")

    world.refuse = refuse
    with pytest.raises(Forbidden, match=r"^403: nodes is forbidden$"):
        await world.controller(Fixed()).run()


async def test_patches_keep_the_pace() -> None:
    world = World(8)
    began = asyncio.get_running_loop().time()
    await world.controller(Fixed(), burst=2, patches_per_second=50.0).run_once()
    assert asyncio.get_running_loop().time() - began >= 6 / 50 * 0.9


async def test_allocation_follows_pods_that_come_and_go() -> None:
    world = World()
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "500m"}}}
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "node-1", "containers": [container]}}
    controller = world.controller(AllocationAnnotator(), refresh=0.0)
    task = asyncio.create_task(controller.run())
    await until(lambda: world.said("requested-cpu")["node-1"] == "0")
    world.store.create(POD, pod, "default")
    await until(lambda: world.said("requested-cpu")["node-1"] == "500")
    world.store.modify(POD, "p", lambda it: {**it, "status": {"phase": "Succeeded"}}, "default", subresource="status")
    await until(lambda: world.said("requested-cpu")["node-1"] == "0")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_counts_are_rendered_for_prometheus() -> None:
    world = World()
    controller = world.controller(Fixed())
    await controller.run_once()
    text = Exposition(controller).render().decode()
    for line in (
        'roost_annotator_patches_total{result="ok"} 3.0',
        'roost_annotator_rounds_total{result="ok"} 1.0',
        'roost_annotator_nodes{state="annotated"} 3.0',
        'roost_annotator_nodes{state="not_ready"} 0.0',
        "roost_annotator_round_seconds_count 1.0",
        "roost_annotator_last_success_timestamp_seconds 1.7672688e+09",
        'roost_malformed_objects_total{kind="pod"} 0.0',
    ):
        assert line in text


class Measured:
    """A source of one number for every node, or of trouble."""

    def __init__(self) -> None:
        self.cpu = 1000.0
        self.trouble: RoostError | None = None

    async def samples(self, nodes: Collection[AnnotatedNode], now: float) -> list[Samples]:
        if self.trouble is not None:
            raise self.trouble
        return [Samples(node.name, "cpu", np.array([now]), np.array([self.cpu])) for node in nodes]


async def test_a_feeder_gives_before_it_runs_and_again(caplog: pytest.LogCaptureFixture) -> None:
    world, source = World(2), Measured()
    given: list[tuple[str, float | None, float]] = []
    feeder = UsageFeeder(
        world.cluster,
        source,
        Usage(Window(600, 60)),
        lambda name, numbers, at: given.append((name, numbers["mean-free-cpu"], at)),
        interval=0.01,
        wall=lambda: world.now,
    )
    await feeder.start()
    assert given == [("node-0", 2920.0, NOON), ("node-1", 2920.0, NOON)]
    task = asyncio.create_task(feeder.run())
    world.now += 60
    source.cpu = 2000.0
    await until(lambda: ("node-1", 2420.0, NOON + 60) in given)
    source.trouble = SourceError("no answer")
    count = len(given)
    await asyncio.sleep(0.05)
    assert len(given) - count <= 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [record.message for record in caplog.records] == ["no usage: no answer"]
    assert world.patches == 0
