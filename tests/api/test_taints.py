import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.taints import Taint, Toleration

GPU = Taint(key="gpu", value="a100", effect="NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        pytest.param(Toleration(key="gpu", operator="Equal", value="a100", effect="NoSchedule"), True, id="all equal"),
        pytest.param(Toleration(key="gpu", value="a100", effect="NoSchedule"), True, id="no operator means Equal"),
        pytest.param(Toleration(key="gpu", value="h100", effect="NoSchedule"), False, id="another value"),
        pytest.param(Toleration(key="gpu", effect="NoSchedule"), False, id="no value is the empty value"),
        pytest.param(Toleration(key="tpu", value="a100", effect="NoSchedule"), False, id="another key"),
        pytest.param(Toleration(key="gpu", value="a100", effect="NoExecute"), False, id="another effect"),
        pytest.param(Toleration(key="gpu", value="a100"), True, id="an empty effect matches every effect"),
        pytest.param(Toleration(key="gpu", operator="Exists"), True, id="Exists matches every value"),
        pytest.param(Toleration(key="gpu", operator="Exists", effect="NoExecute"), False, id="Exists heeds the effect"),
        pytest.param(Toleration(key="tpu", operator="Exists"), False, id="Exists heeds the key"),
        pytest.param(Toleration(operator="Exists"), True, id="an empty key with Exists tolerates everything"),
        pytest.param(
            Toleration(operator="Exists", effect="PreferNoSchedule"), False, id="everything, but of one effect only"
        ),
        pytest.param(Toleration(key="gpu", operator="Gt", value="1"), False, id="comparisons are off by default"),
        pytest.param(Toleration(key="gpu", operator="exists"), False, id="operators heed capitals"),
    ],
)
def test_toleration(toleration: Toleration, tolerates: bool) -> None:
    assert toleration.tolerates(GPU) is tolerates


def test_a_taint_without_a_value_is_tolerated_without_one() -> None:
    assert Toleration(key="gpu", operator="Equal").tolerates(Taint(key="gpu", effect="NoSchedule"))


def test_the_time_a_toleration_lasts_does_not_matter_for_scheduling() -> None:
    assert Toleration(key="gpu", operator="Exists", toleration_seconds=0).tolerates(GPU)


taints = st.builds(
    Taint,
    key=st.text(min_size=1, max_size=5),
    value=st.text(max_size=5),
    effect=st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
)


@given(taints)
def test_exists_without_key_and_effect_tolerates_every_taint(taint: Taint) -> None:
    assert Toleration(operator="Exists").tolerates(taint)


@given(taints)
def test_a_toleration_that_repeats_the_taint_tolerates_it(taint: Taint) -> None:
    assert Toleration(key=taint.key, operator="Equal", value=taint.value, effect=taint.effect).tolerates(taint)
