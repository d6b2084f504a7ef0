from collections.abc import Sequence

import pytest

from roost.framework.status import Code
from roost.plugins.intree.scheduling_gates import SchedulingGates
from roost.testing import pod


@pytest.mark.parametrize(
    ("gates", "reason"),
    [
        pytest.param(["acme.io/wait"], "waiting for scheduling gates: [acme.io/wait]", id="one gate is named"),
        pytest.param(["b", "a"], "waiting for scheduling gates: [b a]", id="several are named in the pod's order"),
    ],
)
def test_a_pod_with_gates_is_held_back(gates: Sequence[str], reason: str) -> None:
    status = SchedulingGates().pre_enqueue(pod(gates=gates))
    assert status is not None
    assert (status.code, status.reasons) == (Code.UnschedulableAndUnresolvable, (reason,))


def test_a_pod_without_gates_enters_the_queue() -> None:
    assert SchedulingGates().pre_enqueue(pod()) is None


def test_a_pod_whose_last_gate_was_removed_enters_the_queue() -> None:
    assert SchedulingGates().pre_enqueue(pod(gates=[], spec={"schedulingGates": None})) is None
