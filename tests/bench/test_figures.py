import pytest

from roost.bench.figures import Mark, Noted, clocks, other_cores, processes


def at(time: float, scheduler: float, apiserver: float, load: float, machine: float) -> Mark:
    return Mark(time=time, cpu={"load": load, "kube-apiserver": apiserver, "scheduler": scheduler}, machine=machine)


def noted(*, is_stream: bool = False, in_sync: Mark | None = None) -> Noted:
    """Two pods, created at 90 and 101; the scheduler started at 100; bound at 102 and 104, told of at 103 and 108."""
    return Noted(
        is_stream=is_stream,
        process_start=100.0,
        began=at(100.0, 0.0, 5.0, 1.0, 50.0),
        ended=at(110.0, 3.0, 9.0, 1.5, 60.0),
        in_sync=in_sync,
        startup_cpu=0.7,
        peaks={"scheduler": 80.0},
        sent={"x/a": 90.0, "x/b": 101.0},
        bound={"x/a": 102.0, "x/b": 104.0},
        told={"x/b": 108.0, "x/a": 103.0},
    )


def test_the_clocks_count_from_the_first_bind_and_from_the_start() -> None:
    read = clocks(noted(in_sync=at(101.5, 1.0, 6.0, 1.0, 52.0)))
    assert (read.first_to_last_bind, read.first_bind_to_last_event) == (2.0, 6.0)
    assert (read.start_to_first_bind, read.start_to_in_sync) == (2.0, 1.5)
    assert (read.start_to_last_bind, read.start_to_last_event) == (4.0, 8.0)


def test_in_a_stream_nothing_waits_for_the_schedulers_start() -> None:
    read = clocks(noted(is_stream=True))
    assert (read.first_to_last_bind, read.start_to_last_bind, read.start_to_last_event) == (2.0, None, None)


def test_times_are_sorted_and_relative_to_the_first_bind() -> None:
    assert (noted().bind_times, noted().event_times) == ((0.0, 2.0), (1.0, 6.0))


def test_latency_is_from_creation_or_from_the_start_if_that_came_later() -> None:
    waiting, stream = noted().latencies, noted(is_stream=True).latencies
    assert waiting is not None
    assert stream is not None
    assert (waiting.p50, waiting.maximum) == (2.0, 3.0)
    assert (stream.p50, stream.maximum) == (3.0, 12.0)


def test_the_backlog_is_each_events_delay_behind_its_own_bind() -> None:
    backlog = noted().backlog
    assert backlog is not None
    assert (backlog.p50, backlog.maximum) == (1.0, 4.0)


@pytest.mark.parametrize(
    ("is_stream", "in_sync", "counted", "milliseconds"),
    [
        pytest.param(False, True, "in sync", 1000.0, id="from in sync, if the scheduler says so"),
        pytest.param(False, False, "its start", 1500.0, id="else from its start"),
        pytest.param(True, True, "the first pod's creation", 1500.0, id="in a stream from the first pod"),
    ],
)
def test_the_schedulers_cpu_is_counted_from_where_it_says(
    is_stream: bool, in_sync: bool, counted: str, milliseconds: float
) -> None:
    sync = at(101.0, 1.0, 6.0, 1.0, 52.0) if in_sync else None
    scheduler, *others = processes(noted(is_stream=is_stream, in_sync=sync))
    assert (scheduler.name, scheduler.counted, scheduler.cpu_ms_per_pod) == ("scheduler", counted, milliseconds)
    assert (scheduler.startup_cpu_seconds, scheduler.peak_rss_mib) == (0.7, 80.0)
    assert [(one.name, one.cpu_ms_per_pod) for one in others] == [("kube-apiserver", 2000.0), ("load", 250.0)]


def test_what_others_took_is_what_the_machine_did_besides() -> None:
    assert other_cores(noted()) == pytest.approx((10.0 - 7.5) / 10.0)


def test_all_is_done_not_before_the_last_bind_even_if_an_events_watch_is_ahead() -> None:
    ahead = noted()
    ahead.told = {"x/a": 103.0, "x/b": 103.9}
    assert clocks(ahead).first_bind_to_last_event == clocks(ahead).first_to_last_bind == 2.0
    ahead.told = {}
    assert clocks(ahead).first_bind_to_last_event is None
