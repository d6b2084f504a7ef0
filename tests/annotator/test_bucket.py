"""The pace of writes."""

from hypothesis import given
from hypothesis import strategies as st

from roost.annotator.bucket import TokenBucket


def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate() -> None:
    bucket = TokenBucket(10, 3)
    assert [round(bucket.take(0.0), 6) for _ in range(6)] == [0, 0, 0, 0.1, 0.2, 0.3]


def test_tokens_come_back_up_to_the_burst() -> None:
    bucket = TokenBucket(10, 2)
    for _ in range(2):
        bucket.take(0.0)
    assert bucket.take(0.1) == 0
    assert [bucket.take(99.0) > 0 for _ in range(3)] == [False, False, True]


@given(pauses=st.lists(st.floats(0, 2), max_size=60), rate=st.floats(0.5, 50), burst=st.integers(1, 10))
def test_never_more_than_the_burst_and_what_the_rate_gives(pauses: list[float], rate: float, burst: int) -> None:
    bucket, now, sent = TokenBucket(rate, burst), 0.0, []
    for pause in pauses:
        now += pause
        sent.append(now + bucket.take(now))
    for i, start in enumerate(sent):
        within = [time for time in sent[i:] if time <= start + 1]
        assert len(within) <= burst + rate * 1 + 1 + 1e-6
