import asyncio

import pytest

from roost.api.kinds import POD
from roost.api.meta import ObjectMeta
from roost.api.pod import Pod
from roost.errors import ApiError, Forbidden, Gone, NotFound, TooManyRequests, Unauthorized, Unreachable
from roost.framework.cluster import Listing, Malformed, WatchEvent
from roost.watch.reflector import Timing, reflect


class Done(Exception):
    """The script is at its end."""


def pod(name, version):
    return Pod(metadata=ObjectMeta(name=name, namespace="default", resource_version=version))


def added(name, version):
    return WatchEvent("ADDED", pod(name, version), version)


def bookmark(version):
    return WatchEvent("BOOKMARK", None, version)


class Scripted:
    """A cluster that gives the steps of a script in turn: listings, and watches as lists of batches and an end."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.asked = []
        self.now = 0.0
        self.slept = []
        self.seen = []
        self.trouble = []

    def next(self, asked):
        self.asked.append(asked)
        if not self.steps:
            raise Done
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def list(self, kind, *, field_selector=""):
        return self.next("list")

    async def watch(self, kind, *, resource_version, field_selector=""):
        for batch in self.next(f"watch {resource_version}"):
            if isinstance(batch, Exception):
                raise batch
            if isinstance(batch, float):
                self.now += batch
            else:
                yield batch

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    async def run(self, **options):
        with pytest.raises(Done):
            await reflect(
                self,
                POD,
                on_replace=lambda listing: self.seen.append([item.name for item in listing.items]),
                on_events=lambda events: self.seen.append([event.object.name for event in events if event.object]),
                on_trouble=self.trouble.append,
                timing=Timing(self.sleep, lambda: self.now, lambda: 1.0),
                **options,
            )
        return self


def listing(*names, version="10"):
    return Listing([pod(name, "1") for name in names], version)


async def test_it_lists_once_and_hands_on_what_changes():
    run = await Scripted(listing("a"), [[added("b", "11")], [added("c", "12"), added("d", "13")]]).run()
    assert run.seen == [["a"], ["b"], ["c", "d"]]
    assert run.asked == ["list", "watch 10", "watch 13"]
    assert (run.slept, run.trouble) == ([], [])


async def test_a_bookmark_only_moves_the_version():
    run = await Scripted(listing(), [[added("b", "11"), bookmark("20")], [bookmark("30")]]).run()
    assert run.seen == [[], ["b"]]
    assert run.asked == ["list", "watch 10", "watch 30"]


async def test_a_cut_watch_goes_on_where_it_was():
    run = await Scripted(listing(), [[added("b", "11")], Unreachable("cut")], [[added("c", "12")]]).run()
    assert run.seen == [[], ["b"], ["c"]]
    assert run.asked == ["list", "watch 10", "watch 11", "watch 12"]
    assert (run.slept, run.trouble) == ([0.2], ["cut"])


async def test_events_that_were_not_taken_over_come_again():
    class Full(Exception):
        pass

    cluster = Scripted(listing(), [[added("b", "11")]])

    def refuse(events):
        raise Full

    with pytest.raises(Full):
        await reflect(cluster, POD, on_replace=lambda listing: None, on_events=refuse)


@pytest.mark.parametrize("batches", [[Gone("old")], [[added("b", "11")], Gone("old")]])
async def test_when_its_version_is_gone_it_lists_again(batches):
    run = await Scripted(listing("a"), batches, listing("a", "b", version="50"), [[added("c", "51")]]).run()
    assert run.asked == ["list", "watch 10", "list", "watch 50", "watch 51"]
    assert run.trouble == []


async def test_a_server_that_forgets_at_once_is_not_asked_without_pause():
    run = await Scripted(*[listing(), [Gone("old")]] * 4).run()
    assert run.slept == [0.2, 0.4, 0.8, 1.6]


async def test_a_watch_that_ends_at_once_is_not_asked_without_pause():
    run = await Scripted(listing(), [], [], []).run()
    assert run.slept == [0.2, 0.4, 0.8]
    assert run.asked == ["list", *["watch 10"] * 4]


async def test_a_quiet_watch_that_ends_in_order_is_taken_up_again_at_once():
    run = await Scripted(listing(), [450.0], [450.0]).run()
    assert run.slept == []


async def test_it_waits_longer_each_time_up_to_ten_seconds_and_begins_anew_after_success():
    down = [Unreachable("down")] * 8
    run = await Scripted(*down, listing(), [[added("b", "11")]], *down[:2]).run()
    assert run.slept == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 0.2, 0.4]


@pytest.mark.parametrize(("dice", "wait"), [(0.0, 0.1), (0.5, 0.15), (1.0, 0.2)])
async def test_dice_shorten_a_wait_by_up_to_half(dice, wait):
    cluster = Scripted(Unreachable("down"))
    timing = Timing(cluster.sleep, lambda: 0.0, lambda: dice)
    with pytest.raises(Done):
        await reflect(cluster, POD, on_replace=lambda _: None, on_events=lambda _: None, timing=timing)
    assert cluster.slept == [pytest.approx(wait)]


async def test_a_server_that_asks_for_more_patience_gets_it():
    run = await Scripted(TooManyRequests("busy", retry_after=7.0), TooManyRequests("busy", retry_after=0.1)).run()
    assert run.slept == [7.0, 0.4]


async def test_trouble_is_told_once_until_it_changes_or_ends():
    a, b = Unreachable("a"), ApiError("b")
    run = await Scripted(a, a, b, b, listing(), [450.0], b, b).run()
    assert run.trouble == ["a", "b", "b"]


async def test_a_connection_that_keeps_breaking_is_told_once():
    run = await Scripted(listing(), *[[[added("x", "11")], Unreachable("cut")]] * 5).run()
    assert run.trouble == ["cut"]
    assert run.slept == [0.2] * 5


async def test_a_kind_that_the_server_lacks_is_no_trouble_to_who_can_do_without_and_is_asked_for_again_later():
    cluster = Scripted(NotFound("no such kind"), listing("a"), [[added("b", "11")]], NotFound("gone"))
    run = await cluster.run(on_lacking=lambda: cluster.seen.append("lacking"))
    assert run.seen == ["lacking", ["a"], ["b"], "lacking"]
    assert (run.slept, run.trouble) == ([300.0, 300.0], [])


@pytest.mark.parametrize("error", [Unauthorized("401"), Forbidden("403")])
async def test_who_may_not_list_at_first_is_told_by_an_error(error):
    cluster = Scripted(error)
    with pytest.raises(type(error)):
        await reflect(cluster, POD, on_replace=lambda _: None, on_events=lambda _: None)


@pytest.mark.parametrize("error", [Unauthorized("no"), Forbidden("no"), NotFound("no")])
async def test_who_may_no_longer_is_told_and_goes_on(error):
    run = await Scripted(listing("a"), [Gone("old")], error, listing("b")).run()
    assert run.trouble == ["no"]
    assert run.seen == [["a"], ["b"]]


async def test_objects_that_cannot_be_read_are_handed_on():
    seen = []
    malformed = WatchEvent("MALFORMED", None, "11", Malformed("default/bad", "Pod default/bad cannot be read"))
    cluster = Scripted(listing(), [[malformed]])
    with pytest.raises(Done):
        await reflect(cluster, POD, on_replace=lambda _: None, on_events=seen.extend)
    assert seen == [malformed]
    assert cluster.asked[-1] == "watch 11"


async def test_it_asks_only_for_what_is_selected():
    asked = []

    class Selective(Scripted):
        async def list(self, kind, *, field_selector=""):
            asked.append(field_selector)
            return self.next("list")

        async def watch(self, kind, *, resource_version, field_selector=""):
            asked.append(field_selector)
            raise Done
            yield

    await Selective(listing()).run(field_selector="status.phase!=Failed")
    assert asked == ["status.phase!=Failed"] * 2


async def test_cancelling_it_closes_the_watch():
    closed = asyncio.Event()

    class Endless(Scripted):
        async def watch(self, kind, *, resource_version, field_selector=""):
            try:
                yield [added("b", "11")]
                await asyncio.sleep(10)
            finally:
                closed.set()

    task = asyncio.create_task(reflect(Endless(listing()), POD, on_replace=lambda _: None, on_events=lambda _: None))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
