"""What measured usage says of nodes."""

from collections.abc import Collection, Mapping

import numpy as np
import pytest
from tests.annotator.building import NOON, annotated_node

from roost.annotator.allocation import Requested
from roost.annotator.nodes import AnnotatedNode
from roost.annotator.usage import Samples, Usage, UsageAnnotator
from roost.annotator.window import Window
from roost.framework.cluster import Listing
from roost.framework.measured_usage import FREE
from roost.testing import pod

GIB = 2**30


class Told:
    """A source of what it is told."""

    def __init__(self, *samples: Samples) -> None:
        self.new = list(samples)

    async def samples(self, nodes: Collection[AnnotatedNode], now: float) -> list[Samples]:
        new, self.new = self.new, []
        return new


def used(name: str, resource: str, values: list[float], *, ago: float = 0.0) -> Samples:
    times = NOON - ago - 60 * np.arange(len(values))[::-1]
    return Samples(name, resource, times, np.array(values, dtype=float))


def annotator(*samples: Samples, forecasts: bool = False, requested: Requested | None = None) -> UsageAnnotator:
    return UsageAnnotator(Told(*samples), Usage(Window(3600, 60), forecasts=forecasts), requested=requested)


async def said(one: UsageAnnotator, *nodes: AnnotatedNode) -> Mapping[str, Mapping[str, str | None]]:
    await one.gather(nodes, NOON)
    return {
        name: {key: text for key, text in wanted.annotations.items() if text is not None}
        for name, wanted in one.wanted(nodes, NOON).items()
    }


async def test_mean_and_deviation_of_what_is_free_as_whole_numbers() -> None:
    one = annotator(used("a", "cpu", [1000, 2000, 3000.4]), used("a", "memory", [GIB, 3 * GIB]))
    assert await said(one, annotated_node()) == {
        "a": {
            "mean-free-cpu": "2000",
            "std-free-cpu": "1000",
            "mean-free-memory": str(6 * GIB),
            "std-free-memory": str(round(2**0.5 * GIB)),
        }
    }


async def test_a_single_sample_has_no_deviation() -> None:
    assert await said(annotator(used("a", "cpu", [1000])), annotated_node()) == {"a": {"mean-free-cpu": "3000"}}


async def test_u2_without_forecasting_there_is_none_and_one_of_before_is_removed() -> None:
    one = annotator(used("a", "cpu", [1000] * 60))
    await one.gather([annotated_node()], NOON)
    wanted = one.wanted([annotated_node()], NOON)["a"].annotations
    assert {key for key, text in wanted.items() if text is None} >= {"forecasted-free-cpu", "forcasted-free-cpu"}


async def test_u2_a_forecast_of_too_few_samples_is_none() -> None:
    assert (
        "forecasted-free-cpu"
        not in (await said(annotator(used("a", "cpu", [1, 2]), forecasts=True), annotated_node()))["a"]
    )


async def test_a_forecast_is_written_in_both_spellings_and_stays_within_allocatable() -> None:
    rising = used("a", "memory", np.linspace(0, 8 * GIB, 60).tolist())
    texts = (await said(annotator(used("a", "cpu", [1000] * 60), rising, forecasts=True), annotated_node()))["a"]
    assert texts["forecasted-free-cpu"] == texts["forcasted-free-cpu"] == "3000"
    assert 0 <= int(texts["forecasted-free-memory"]) < 0.1 * 8 * GIB


async def test_u3_a_node_without_data_is_left_out_and_the_others_go_on() -> None:
    assert set(await said(annotator(used("b", "cpu", [1])), annotated_node("a"), annotated_node("b"))) == {"b"}


async def test_a_node_that_cannot_be_read_is_left_out() -> None:
    one = annotator(used("a", "cpu", [1]), used("b", "cpu", [1]))
    assert set(await said(one, annotated_node("a", cpu="lots"), annotated_node("b"))) == {"b"}


async def test_samples_of_strangers_are_not_kept() -> None:
    one = annotator(used("gone", "cpu", [1]))
    await one.gather([annotated_node()], NOON)
    assert one.wanted([annotated_node("gone")], NOON) == {}


async def test_what_is_used_beyond_allocatable_leaves_nothing_free() -> None:
    texts = (await said(annotator(used("a", "cpu", [5000, 5000])), annotated_node()))["a"]
    assert texts == {"mean-free-cpu": "0", "std-free-cpu": "0"}


async def test_the_time_is_that_of_the_newest_sample_not_of_the_round() -> None:
    one = annotator(used("a", "cpu", [1], ago=240))
    await one.gather([annotated_node()], NOON)
    assert one.wanted([annotated_node()], NOON)["a"].at == NOON - 240


async def test_with_requests_nothing_counts_as_used_that_was_not_requested() -> None:
    requested = Requested()
    requested._pods.replace_pods(Listing([pod("p", node_name="a", cpu="1")], "1"))
    one = annotator(used("a", "cpu", [500, 3000]), requested=requested)
    texts = (await said(one, annotated_node()))["a"]
    assert texts == {"mean-free-cpu": "3250", "std-free-cpu": str(round(250 * 2**0.5))}


async def test_a_hundredth_of_allocatable_is_no_reason_to_write() -> None:
    one = annotator(used("a", "cpu", [1000]))
    await one.gather([annotated_node()], NOON)
    slack = one.wanted([annotated_node()], NOON)["a"].slack
    assert (slack["mean-free-cpu"], slack["std-free-memory"]) == (40, pytest.approx(0.08 * GIB, rel=0.1))


async def test_the_policies_read_what_is_written() -> None:
    one = annotator(used("a", "cpu", [1] * 60), used("a", "memory", [1] * 60), forecasts=True)
    texts = (await said(one, annotated_node()))["a"]
    read = {measure for free in FREE.values() for measure in (free.mean, free.spread, *free.forecasts)}
    assert {measure.annotation for measure in read} == set(texts)
    assert all(measure.read(texts[measure.annotation]) is not None for measure in read)
    assert {measure.written_at for measure in read} == {one.at_key}


async def test_many_nodes_are_computed_some_at_a_time() -> None:
    names = [f"n{i}" for i in range(600)]
    one = annotator(*(used(name, "cpu", [i]) for i, name in enumerate(names)))
    texts = await said(one, *(annotated_node(name) for name in names))
    assert [texts[name]["mean-free-cpu"] for name in names] == [str(4000 - i) for i in range(600)]
