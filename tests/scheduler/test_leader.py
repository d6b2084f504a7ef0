"""Leader election by a Lease, by client-go's rules."""

import asyncio
from typing import Any

import pytest
from tests.scheduler.fake_cluster import LOST, NODE, POD, FakeCluster
from tests.scheduler.live import EPOCH, make_scheduler, until
from tests.scheduler.virtual_time import in_virtual_time

from roost.api.kinds import LEASE
from roost.errors import ApiError, Unreachable
from roost.scheduler.leader import LeaderElector, LeaseLost, run_as_leader
from roost.testing.builders import node, pod

KEY = "roost-system/roost"


def elector(cluster: FakeCluster, identity: str, **settings: Any) -> LeaderElector:
    clock = asyncio.get_running_loop().time
    return LeaderElector(
        cluster,
        name="roost",
        namespace="roost-system",
        identity=identity,
        clock=clock,
        wall=lambda: EPOCH + clock(),
        dice=lambda: 0.5,
        **settings,
    )


def spec(cluster: FakeCluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.objects[LEASE.plural][KEY]["spec"]
    return found


async def cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@in_virtual_time
async def test_the_first_makes_the_lease_and_renews_it_every_two_seconds() -> None:
    cluster = FakeCluster()
    first = elector(cluster, "first")
    holding = asyncio.create_task(first.hold())
    await first.leading.wait()
    assert spec(cluster) == {
        "holderIdentity": "first",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:16:40.000000Z",
        "renewTime": "2026-01-01T00:16:40.000000Z",
        "leaseTransitions": 0,
    }
    await asyncio.sleep(101)
    assert spec(cluster)["acquireTime"] == "2026-01-01T00:16:40.000000Z"
    assert spec(cluster)["renewTime"] == "2026-01-01T00:18:20.000000Z"
    assert cluster.asked("update", LEASE) == 50
    assert cluster.asked("get", LEASE) == 1
    await cancelled(holding)
    assert not first.leading.is_set()


@in_virtual_time
async def test_the_second_waits_until_the_first_has_been_silent_for_fifteen_seconds() -> None:
    cluster, loop = FakeCluster(), asyncio.get_running_loop()
    first, second = elector(cluster, "first"), elector(cluster, "second")
    holding, waiting = asyncio.create_task(first.hold()), asyncio.create_task(second.hold())
    await asyncio.sleep(100)
    assert not second.leading.is_set()
    assert second.leader == "first"
    await cancelled(holding)
    died = loop.time()
    await second.leading.wait()
    assert 13 <= loop.time() - died <= 15 + 2 * (2 * 1.6)
    assert spec(cluster)["leaseTransitions"] == 1
    await cancelled(waiting)


@in_virtual_time
async def test_a_lease_given_back_is_taken_at_once() -> None:
    cluster, loop = FakeCluster(), asyncio.get_running_loop()
    first, second = elector(cluster, "first"), elector(cluster, "second")
    holding, waiting = asyncio.create_task(first.hold()), asyncio.create_task(second.hold())
    await asyncio.sleep(10)
    await cancelled(holding)
    await first.release()
    assert (spec(cluster)["holderIdentity"], spec(cluster)["leaseDurationSeconds"]) == ("", 1)
    ended = loop.time()
    await second.leading.wait()
    assert loop.time() - ended <= 2 * 1.6
    await cancelled(waiting)


@in_virtual_time
async def test_who_does_not_hold_it_gives_nothing_back() -> None:
    cluster = FakeCluster()
    first = elector(cluster, "first")
    holding = asyncio.create_task(first.hold())
    await first.leading.wait()
    second = elector(cluster, "second")
    await second.release()
    assert spec(cluster)["holderIdentity"] == "first"
    await cancelled(holding)


@in_virtual_time
@pytest.mark.parametrize("error", [Unreachable("connection refused"), LOST, ApiError("broken", status=500)])
async def test_trouble_shorter_than_the_deadline_is_got_over(error: ApiError) -> None:
    cluster = FakeCluster()
    first = elector(cluster, "first")
    holding = asyncio.create_task(first.hold())
    await first.leading.wait()
    cluster.fail("update", error, times=4)
    cluster.fail("get", error, times=4)
    await asyncio.sleep(100)
    assert first.leading.is_set()
    assert spec(cluster)["leaseTransitions"] == 0
    await cancelled(holding)


@in_virtual_time
@pytest.mark.parametrize("seconds", [0, 1000])
async def test_trouble_longer_than_the_deadline_loses_the_lease(seconds: float) -> None:
    cluster, loop = FakeCluster(), asyncio.get_running_loop()
    first = elector(cluster, "first")
    holding = asyncio.create_task(first.hold())
    await first.leading.wait()
    for verb in ("update", "get"):
        cluster.fail(verb, Unreachable("connection refused"), times=1000, seconds=seconds)
    began = loop.time()
    with pytest.raises(LeaseLost, match="lost the lease roost-system/roost: not renewed for 10 s"):
        await holding
    assert loop.time() - began == pytest.approx(12)
    assert LeaseLost.exit_code == 1


@in_virtual_time
async def test_a_holder_whose_lease_was_taken_does_not_take_it_back() -> None:
    cluster = FakeCluster()
    first = elector(cluster, "first")
    holding = asyncio.create_task(first.hold())
    await first.leading.wait()
    cluster.change(LEASE, KEY, spec={"holderIdentity": "second", "leaseTransitions": 1})

    async def second_renews() -> None:
        for i in range(20):
            cluster.change(LEASE, KEY, spec={"renewTime": str(i)})
            await asyncio.sleep(2)

    renewing = asyncio.create_task(second_renews())
    with pytest.raises(LeaseLost):
        await holding
    assert spec(cluster)["holderIdentity"] == "second"
    await cancelled(renewing)


@in_virtual_time
async def test_labels_and_owners_of_the_lease_are_kept() -> None:
    cluster = FakeCluster()
    cluster.add(LEASE, {"metadata": {"name": "roost", "namespace": "roost-system", "labels": {"a": "b"}}, "spec": {}})
    first = elector(cluster, "first")
    holding = asyncio.create_task(first.hold())
    await asyncio.sleep(10)
    assert cluster.objects[LEASE.plural][KEY]["metadata"]["labels"] == {"a": "b"}
    assert spec(cluster)["holderIdentity"] == "first"
    await cancelled(holding)


@in_virtual_time
async def test_two_that_begin_together_do_not_both_lead() -> None:
    cluster = FakeCluster(latency=0.1)
    both = [elector(cluster, "first"), elector(cluster, "second")]
    tasks = [asyncio.create_task(one.hold()) for one in both]
    for _ in range(200):
        await asyncio.sleep(0.5)
        assert sum(one.leading.is_set() for one in both) <= 1
    assert sum(one.leading.is_set() for one in both) == 1
    await asyncio.gather(*(cancelled(task) for task in tasks))


# ---- scheduling as the leader


@in_virtual_time
async def test_only_the_leader_schedules_and_the_next_takes_over() -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node("node-1"))
    stops = [asyncio.Event(), asyncio.Event()]
    schedulers = [make_scheduler(cluster), make_scheduler(cluster)]
    electors = [elector(cluster, "first"), elector(cluster, "second")]
    tasks = [
        asyncio.create_task(run_as_leader(electors[i], lambda may, i=i: schedulers[i].run(stops[i], may_decide=may)))
        for i in range(2)
    ]
    for i in range(10):
        cluster.add(POD, pod(f"early-{i}"))
    await until(lambda: len(cluster.placements()) == 10)
    assert [s.metrics.total("scheduled") for s in schedulers] == [10, 0]
    stops[0].set()
    await tasks[0]
    for i in range(10):
        cluster.add(POD, pod(f"late-{i}"))
    assert await until(lambda: len(cluster.placements()) == 20) < 5
    assert [s.metrics.total("scheduled") for s in schedulers] == [10, 10]
    assert set(cluster.bindings.values()) == {1}
    stops[1].set()
    await tasks[1]
    assert spec(cluster)["holderIdentity"] == ""


@in_virtual_time
async def test_losing_the_lease_ends_the_work_at_once() -> None:
    cluster = FakeCluster()
    cluster.add(NODE, node("node-1"))
    scheduler = make_scheduler(cluster)
    task = asyncio.create_task(
        run_as_leader(elector(cluster, "first"), lambda may: scheduler.run(asyncio.Event(), may_decide=may))
    )
    await asyncio.sleep(5)
    for verb in ("update", "get"):
        cluster.fail(verb, Unreachable("connection refused"), times=1000)
    with pytest.raises(LeaseLost):
        await task
    cluster.add(POD, pod("web"))
    await asyncio.sleep(10)
    assert cluster.placements() == {}
    assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_an_error_of_the_work_gives_the_lease_back() -> None:
    cluster = FakeCluster()
    cluster.fail("list", ApiError("no", status=403), times=0)

    async def work(_: asyncio.Event) -> None:
        await asyncio.sleep(5)
        raise Unreachable("broken")

    with pytest.raises(Unreachable, match="broken"):
        await run_as_leader(elector(cluster, "first"), work)
    assert spec(cluster)["holderIdentity"] == ""
