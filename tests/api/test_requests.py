import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.api.meta import Condition, QuantityText, Resources
from roost.api.pod import Container, ContainerStatus, Pod, PodSpec, PodStatus
from roost.api.requests import (
    balanced_score_requests,
    fit_score_requests,
    pod_requests,
    request_items,
    scoring_requests,
)
from roost.errors import InvalidObject

MI = 2**20
GI = 2**30
INFEASIBLE = (Condition(type="PodResizePending", status="True", reason="Infeasible"),)
DEFERRED = (Condition(type="PodResizePending", status="True", reason="Deferred"),)


def asks(**requests: QuantityText) -> Resources:
    return Resources(requests={name.replace("_", "-"): quantity for name, quantity in requests.items()})


def container(name: str = "app", **requests: QuantityText) -> Container:
    return Container(name=name, resources=asks(**requests))


def sidecar(name: str = "proxy", **requests: QuantityText) -> Container:
    return Container(name=name, resources=asks(**requests), restart_policy="Always")


def pod(
    *containers: Container,
    init: tuple[Container, ...] = (),
    overhead: dict[str, QuantityText] | None = None,
    resources: Resources | None = None,
    status: PodStatus | None = None,
) -> Pod:
    spec = PodSpec(containers=containers, init_containers=init, overhead=overhead, resources=resources)
    return Pod(spec=spec, status=status or PodStatus())


def granted(
    name: str = "app", *, allocated: dict[str, QuantityText] | None = None, **actual: QuantityText
) -> ContainerStatus:
    return ContainerStatus(name=name, resources=asks(**actual), allocated_resources=allocated)


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        pytest.param(Pod(), {}, id="a pod without containers asks for nothing"),
        pytest.param(pod(container()), {}, id="a container without requests asks for nothing"),
        pytest.param(
            pod(container(cpu="0.5", memory="1Gi")),
            {"cpu": 500, "memory": GI},
            id="CPU in milli-cores, memory in bytes",
        ),
        pytest.param(pod(container(cpu="0")), {"cpu": 0}, id="a request of zero is a request"),
        pytest.param(
            pod(container("a", cpu=1, memory="1Gi"), container("b", cpu="250m", ephemeral_storage="1G")),
            {"cpu": 1250, "memory": GI, "ephemeral-storage": 10**9},
            id="containers add up",
        ),
        pytest.param(
            pod(container("a", cpu="500u"), container("b", cpu="500u")),
            {"cpu": 1},
            id="parts of a milli-core add up before they round",
        ),
        pytest.param(
            pod(container(cpu=1, memory="1Gi"), init=(container("i", cpu=2, memory="512Mi"),)),
            {"cpu": 2000, "memory": GI},
            id="an init container raises each resource to its own need",
        ),
        pytest.param(
            pod(container(cpu=1), init=(container("i", cpu=2), container("j", cpu=3))),
            {"cpu": 3000},
            id="init containers run one after the other",
        ),
        pytest.param(
            pod(container(cpu=1), init=(sidecar(cpu=2),)), {"cpu": 3000}, id="a sidecar stays beside the containers"
        ),
        pytest.param(
            pod(container(cpu=1), init=(sidecar(cpu=2), container("i", cpu=4))),
            {"cpu": 6000},
            id="an init container runs beside the sidecar started before it",
        ),
        pytest.param(
            pod(container(cpu=1), init=(container("i", cpu=4), sidecar(cpu=2))),
            {"cpu": 4000},
            id="an init container does not run beside a sidecar started after it",
        ),
        pytest.param(
            pod(container(cpu=1), init=(sidecar("a", cpu=1), sidecar("b", cpu=2), container("i", cpu=1))),
            {"cpu": 4000},
            id="sidecars add up",
        ),
        pytest.param(
            pod(container(cpu=1), init=(container("i", cpu=2),), overhead={"cpu": "250m", "memory": "120Mi"}),
            {"cpu": 2250, "memory": 120 * MI},
            id="overhead comes on top of everything",
        ),
        pytest.param(
            pod(container(cpu=1, memory="1Gi"), resources=asks(cpu="3")),
            {"cpu": 3000, "memory": GI},
            id="a pod-level request takes the place of its containers' sum",
        ),
        pytest.param(
            pod(container(cpu=2), init=(container("i", cpu=9),), resources=asks(cpu="500m"), overhead={"cpu": "100m"}),
            {"cpu": 600},
            id="a pod-level request also takes the place of a larger sum, overhead still on top",
        ),
        pytest.param(
            pod(container(), resources=asks(hugepages_2Mi="4Mi", ephemeral_storage="1Gi")),
            {"hugepages-2Mi": 4 * MI},
            id="pod-level requests exist for CPU, memory and huge pages only",
        ),
        pytest.param(
            pod(container(cpu=1), resources=Resources(limits={"cpu": "4"})),
            {"cpu": 1000},
            id="pod-level limits ask for nothing",
        ),
        pytest.param(
            pod(container("a", memory="8Ei"), container("b", memory="8Ei")),
            {"memory": 2**63 - 1},
            id="a sum beyond int64 saturates",
        ),
    ],
)
def test_effective_requests(asking: Pod, expected: dict[str, int]) -> None:
    assert pod_requests(asking) == expected
    assert pod_requests(asking, placed=True) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(PodStatus(), {"cpu": 1000}, id="no status: the spec counts"),
        pytest.param(
            PodStatus(container_statuses=(granted(cpu=2),)), {"cpu": 2000}, id="shrinking: what is in use still counts"
        ),
        pytest.param(
            PodStatus(container_statuses=(granted(cpu="500m"),)), {"cpu": 1000}, id="growing: what is asked for counts"
        ),
        pytest.param(
            PodStatus(container_statuses=(granted(cpu="500m", allocated={"cpu": "3", "memory": "1Gi"}),)),
            {"cpu": 3000, "memory": GI},
            id="what is allocated counts",
        ),
        pytest.param(
            PodStatus(container_statuses=(ContainerStatus(name="app", allocated_resources={"cpu": "3"}),)),
            {"cpu": 1000},
            id="a status without resources is ignored, its allocation too",
        ),
        pytest.param(
            PodStatus(container_statuses=(granted("other", cpu=9),)), {"cpu": 1000}, id="statuses go by container name"
        ),
        pytest.param(
            PodStatus(container_statuses=(granted(cpu="500m"),), conditions=INFEASIBLE),
            {"cpu": 500},
            id="an infeasible resize leaves the spec out",
        ),
        pytest.param(
            PodStatus(container_statuses=(granted(cpu="500m"),), conditions=DEFERRED),
            {"cpu": 1000},
            id="a deferred resize still counts the spec",
        ),
        pytest.param(
            PodStatus(container_statuses=(granted(cpu="500m"),), conditions=DEFERRED + INFEASIBLE),
            {"cpu": 1000},
            id="the first condition of that type decides",
        ),
        pytest.param(
            PodStatus(conditions=INFEASIBLE), {"cpu": 1000}, id="an infeasible resize without a status counts the spec"
        ),
    ],
)
def test_placed_pod_counts_what_the_kubelet_granted(status: PodStatus, expected: dict[str, int]) -> None:
    placed = pod(container(cpu=1), status=status)
    assert pod_requests(placed, placed=True) == expected
    assert pod_requests(placed) == {"cpu": 1000}
    assert balanced_score_requests(placed) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(PodStatus(), {"cpu": 2000}, id="no status: the spec counts"),
        pytest.param(
            PodStatus(resources=asks(cpu=3), allocated_resources={"cpu": "4"}), {"cpu": 4000}, id="the largest counts"
        ),
        pytest.param(PodStatus(allocated_resources={"cpu": "4"}), {"cpu": 2000}, id="an allocation alone is ignored"),
        pytest.param(
            PodStatus(resources=asks(cpu=1, memory="1Gi"), conditions=INFEASIBLE),
            {"cpu": 1000},
            id="an infeasible resize leaves the spec out, and only resources of the spec count",
        ),
        pytest.param(
            PodStatus(resources=Resources(), conditions=INFEASIBLE),
            {"cpu": 0},
            id="an infeasible resize of a pod that was granted nothing counts nothing",
        ),
    ],
)
def test_placed_pod_with_pod_level_requests(status: PodStatus, expected: dict[str, int]) -> None:
    placed = pod(container(cpu=1), resources=asks(cpu=2), status=status)
    assert pod_requests(placed, placed=True) == expected
    assert pod_requests(placed) == {"cpu": 2000}


def test_only_sidecars_of_the_init_containers_have_a_status_that_counts() -> None:
    statuses = (granted("proxy", cpu=3), granted("setup", cpu=9))
    init = (sidecar("proxy", cpu=1), container("setup", cpu=1))
    placed = pod(container(cpu=1), init=init, status=PodStatus(init_container_statuses=statuses))
    assert pod_requests(placed, placed=True) == {"cpu": 4000}


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        pytest.param(pod(container(cpu=1, memory="1Gi")), (1000, GI), id="what is asked for counts"),
        pytest.param(pod(container()), (100, 200 * MI), id="what is missing counts with the default"),
        pytest.param(pod(container(cpu="0", memory="0")), (0, 0), id="a request of zero is not missing"),
        pytest.param(pod(container(memory="1Gi")), (100, GI), id="each resource has its own default"),
        pytest.param(pod(container("a", cpu=1), container("b")), (1100, 400 * MI), id="each container has its own"),
        pytest.param(
            pod(container(cpu="50m"), init=(container("i"),)), (100, 200 * MI), id="init containers have defaults too"
        ),
        pytest.param(
            pod(container(cpu="50m"), init=(sidecar(),)), (150, 400 * MI), id="sidecars have defaults, and stay"
        ),
        pytest.param(
            pod(container(cpu=1), overhead={"cpu": "250m", "memory": "1Gi"}),
            (1250, GI + 200 * MI),
            id="overhead comes on top of the defaults",
        ),
        pytest.param(
            pod(container(), container("b"), resources=asks(cpu=1)),
            (1000, 400 * MI),
            id="a pod-level request leaves the defaults of the other resource",
        ),
        pytest.param(
            pod(container(memory="1Gi"), container("b"), resources=asks(cpu=1)),
            (1000, GI),
            id="beside a pod-level request, one container's request keeps the defaults off the others",
        ),
        pytest.param(
            pod(container(), resources=asks(cpu=1), overhead={"memory": "64Mi"}),
            (1000, 64 * MI),
            id="beside a pod-level request, overhead keeps the defaults off",
        ),
        pytest.param(Pod(), (0, 0), id="without containers there is nothing to default"),
    ],
)
def test_requests_that_usage_counts_for_scores(asking: Pod, expected: tuple[int, int]) -> None:
    assert scoring_requests(asking) == expected
    assert scoring_requests(asking, placed=True) == expected


def test_usage_of_a_placed_pod_counts_what_the_kubelet_granted() -> None:
    placed = pod(container(cpu=1), status=PodStatus(container_statuses=(granted(cpu=2, memory="1Gi"),)))
    assert scoring_requests(placed, placed=True) == (2000, GI)
    assert scoring_requests(placed) == (1000, 200 * MI)


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        pytest.param(pod(container()), {"cpu": 100, "memory": 200 * MI}, id="defaults for what is missing"),
        pytest.param(pod(container(cpu="0", memory="0")), {"cpu": 0, "memory": 0}, id="zero is not missing"),
        pytest.param(
            pod(container(cpu=2), resources=asks(cpu=1, memory="1Gi", hugepages_2Mi="2Mi")),
            {"cpu": 2000, "memory": 200 * MI},
            id="pod-level requests are ignored, for every resource",
        ),
        pytest.param(
            pod(container(cpu=1, memory="1Gi", ephemeral_storage="1Gi"), overhead={"cpu": "1"}),
            {"cpu": 2000, "memory": GI, "ephemeral-storage": GI},
            id="other resources are what they are, overhead counts",
        ),
    ],
)
def test_requests_that_fit_scores_by(asking: Pod, expected: dict[str, int]) -> None:
    assert fit_score_requests(asking) == expected


def test_fit_scores_by_the_spec_alone() -> None:
    resized = pod(container(cpu=1, memory="1Gi"), status=PodStatus(container_statuses=(granted(cpu=4),)))
    assert fit_score_requests(resized) == {"cpu": 1000, "memory": GI}


def test_balanced_allocation_scores_by_pod_level_requests_and_without_defaults() -> None:
    assert balanced_score_requests(pod(container(memory="1Gi"), resources=asks(cpu=1))) == {"cpu": 1000, "memory": GI}
    assert balanced_score_requests(pod(container())) == {}


@pytest.mark.parametrize(
    ("asking", "beginning"),
    [
        pytest.param(pod(container(cpu="abc")), "container 'app' requests cpu: ", id="a container"),
        pytest.param(
            pod(container("a", cpu="1"), container("b", cpu="1", memory="1gb")),
            "container 'b' requests memory: ",
            id="the second container",
        ),
        pytest.param(
            pod(init=(container("i", cpu="abc"),)), "init container 'i' requests cpu: ", id="an init container"
        ),
        pytest.param(pod(overhead={"cpu": "abc"}), "the pod's overhead has cpu: ", id="the overhead"),
        pytest.param(pod(resources=asks(memory="abc")), "the pod itself requests memory: ", id="the pod itself"),
        pytest.param(
            pod(container(), status=PodStatus(container_statuses=(granted(cpu="abc"),))),
            "the status of container 'app' has cpu: ",
            id="a container's status",
        ),
        pytest.param(
            pod(container(), status=PodStatus(container_statuses=(granted(allocated={"cpu": "abc"}),))),
            "the status of container 'app' allocates cpu: ",
            id="a container's allocation",
        ),
        pytest.param(
            pod(resources=asks(cpu="1"), status=PodStatus(resources=asks(cpu="abc"))),
            "the pod's status has cpu: ",
            id="the pod's status",
        ),
        pytest.param(
            pod(resources=asks(cpu="1"), status=PodStatus(resources=asks(), allocated_resources={"cpu": "abc"})),
            "the pod's status allocates cpu: ",
            id="the pod's allocation",
        ),
    ],
)
def test_malformed_quantity_is_reported_with_its_place(asking: Pod, beginning: str) -> None:
    with pytest.raises(InvalidObject) as caught:
        pod_requests(asking, placed=True)
    assert str(caught.value).startswith(f"{beginning}quantity '")
    with pytest.raises(InvalidObject, match=beginning):
        scoring_requests(asking, placed=True)


def test_malformed_quantity_is_reported_every_time() -> None:
    for _ in range(2):
        with pytest.raises(InvalidObject, match=r"^container 'app' requests cpu: quantity '1x' is not a number"):
            fit_score_requests(pod(container(cpu="1x")))


def test_a_malformed_status_does_not_matter_before_the_pod_is_placed() -> None:
    waiting = pod(container(cpu=1), status=PodStatus(container_statuses=(granted(cpu="abc"),)))
    assert pod_requests(waiting) == {"cpu": 1000}


def test_the_answer_belongs_to_the_caller() -> None:
    asking = pod(container(cpu=1))
    pod_requests(asking)["cpu"] = 0
    assert pod_requests(asking) == {"cpu": 1000}


def test_items_are_one_sorted_tuple_for_all_pods_of_a_shape() -> None:
    items = request_items(pod(container("a", memory="1Gi", cpu=1)))
    assert items == (("cpu", 1000), ("memory", GI))
    assert request_items(pod(container("b", memory="1Gi", cpu=1))) is items


quantities = st.sampled_from(["0", "1", "100m", "500u", "1500m", "2", "64Mi", "1e3"])
resources = st.builds(
    lambda requests: Resources(requests=requests),
    st.dictionaries(st.sampled_from(["cpu", "memory", "nvidia.com/gpu", "hugepages-2Mi"]), quantities),
)
containers = st.lists(st.builds(Container, name=st.sampled_from("abc"), resources=resources), max_size=3).map(tuple)
init_containers = st.lists(
    st.builds(Container, resources=resources, restart_policy=st.sampled_from([None, "Always"])), max_size=3
).map(tuple)
specs = st.builds(PodSpec, containers=containers, init_containers=init_containers)


@given(specs)
def test_the_order_of_containers_does_not_matter(spec: PodSpec) -> None:
    turned = PodSpec(containers=spec.containers[::-1], init_containers=spec.init_containers)  # type: ignore[index]
    assert request_items(Pod(spec=turned)) == request_items(Pod(spec=spec))


@given(specs)
def test_init_containers_and_overhead_never_lower_a_request(spec: PodSpec) -> None:
    bare = pod_requests(Pod(spec=PodSpec(containers=spec.containers)))
    whole = pod_requests(Pod(spec=spec))
    loaded = PodSpec(containers=spec.containers, init_containers=spec.init_containers, overhead={"cpu": "1"})
    assert all(whole[name] >= amount for name, amount in bare.items())
    assert pod_requests(Pod(spec=loaded)) == {**whole, "cpu": whole.get("cpu", 0) + 1000}


@given(specs)
def test_defaults_only_ever_add(spec: PodSpec) -> None:
    plain, scored = pod_requests(Pod(spec=spec)), fit_score_requests(Pod(spec=spec))
    assert all(scored[name] >= amount for name, amount in plain.items())
    assert {name: scored[name] for name in plain if name not in ("cpu", "memory")} == {
        name: amount for name, amount in plain.items() if name not in ("cpu", "memory")
    }


@given(specs)
def test_without_pod_level_requests_scores_agree_with_usage(spec: PodSpec) -> None:
    scored = fit_score_requests(Pod(spec=spec))
    assert scoring_requests(Pod(spec=spec)) == (scored.get("cpu", 0), scored.get("memory", 0))


@given(containers, resources)
def test_a_status_that_repeats_the_spec_changes_nothing(spec: tuple[Container, ...], pod_level: Resources) -> None:
    named = tuple(Container(name=str(number), resources=one.resources) for number, one in enumerate(spec))
    statuses = tuple(ContainerStatus(name=one.name, resources=one.resources) for one in named)
    settled = pod(*named, resources=pod_level, status=PodStatus(container_statuses=statuses, resources=pod_level))
    assert pod_requests(settled, placed=True) == pod_requests(settled)
