from roost.bench.run import cut
from roost.bench.steps import Barrier, Churn, CreateNodes, CreatePods, Sleep

NODES = CreateNodes(count=1, template={})
BEFORE = CreatePods(count=1, template={}, prefix="before")
MEASURED = CreatePods(count=1, template={}, prefix="measured", measured=True)
ALSO = CreatePods(count=1, template={}, prefix="also", measured=True)
CHURN = Churn(mode="create", templates=[{}])
REST = (Barrier(), Sleep(seconds=1))


def test_all_pods_in_a_row_from_the_first_measured_are_created_ahead() -> None:
    act = cut([NODES, BEFORE, MEASURED, ALSO, *REST, MEASURED], defer_churn=True)
    assert (act.before, act.ahead, act.rest) == ((NODES, BEFORE), (MEASURED, ALSO), (*REST, MEASURED))
    assert act.needs_scheduler_before


def test_churn_waits_for_the_scheduler_where_pods_do() -> None:
    assert cut([NODES, CHURN, MEASURED, *REST], defer_churn=True).rest == (CHURN, *REST)
    assert cut([NODES, CHURN, MEASURED, *REST], defer_churn=False).before == (NODES, CHURN)


def test_without_pods_before_no_scheduler_is_needed_before() -> None:
    nobody = CreatePods(count=0, template={})
    assert not cut([NODES, nobody, MEASURED], defer_churn=True).needs_scheduler_before
