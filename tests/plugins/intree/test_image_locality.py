from collections.abc import Callable

import pytest
from msgspec.structs import replace

from roost.api.node import ContainerImage, NodeStatus
from roost.plugins.intree.image_locality import ImageLocality
from roost.testing import node, pod

MIB = 1 << 20
Rate = Callable[..., dict[str, int]]


def expected(total: int, containers: int = 1) -> int:
    """The score of a sum of spread-scaled sizes, as kube-scheduler works it out."""
    least, most = 23 * MIB, 1000 * MIB * containers
    return 100 * (min(max(total, least), most) - least) // (most - least)


@pytest.mark.parametrize(
    ("mebibytes", "score"),
    [
        pytest.param(1, 0, id="a small image is not worth it"),
        pytest.param(23, 0, id="23 MiB is the threshold"),
        pytest.param(33, 1, id="10 MiB more are one per cent"),
        pytest.param(511, 49, id="half way is truncated"),
        pytest.param(999, 99, id="almost 1000 MiB"),
        pytest.param(1000, 100, id="1000 MiB are all there is to gain"),
        pytest.param(50_000, 100, id="beyond that nothing is gained"),
    ],
)
def test_the_size_of_an_image_that_is_everywhere(rate: Rate, mebibytes: int, score: int) -> None:
    nodes = [node("a", images={"app:1": mebibytes * MIB}), node("b", images={"app:1": mebibytes * MIB})]
    assert rate(ImageLocality(), pod(image="app:1"), nodes) == {"a": score, "b": score}


def test_an_image_on_few_nodes_counts_less(rate: Rate) -> None:
    holder = node("a", images={"app:1": 900 * MIB})
    others = [node(name) for name in "bcd"]
    assert rate(ImageLocality(), pod(image="app:1"), [holder, *others])["a"] == expected(900 * MIB // 4)
    assert rate(ImageLocality(), pod(image="app:1"), [holder])["a"] == expected(900 * MIB)


def test_the_share_of_nodes_is_a_float_as_in_kube_scheduler(rate: Rate) -> None:
    """5 of 39 nodes hold 7800 MiB: that is 1000 MiB in whole numbers, and a byte less by way of 5/39."""
    nodes = [node(f"n{number}", images={"app:1": 7800 * MIB} if number < 5 else None) for number in range(39)]
    scores = rate(ImageLocality(), pod(image="app:1"), nodes)
    assert (scores["n0"], scores["n38"]) == (99, 0)


@pytest.mark.parametrize(
    ("wanted", "held", "found"),
    [
        pytest.param("app", "app:latest", True, id="no tag means latest"),
        pytest.param("app:latest", "app:latest", True, id="latest by name"),
        pytest.param("app:1", "app:2", False, id="another tag"),
        pytest.param("registry:5000/app", "registry:5000/app:latest", True, id="a port is no tag"),
        pytest.param("registry:5000/app:2", "registry:5000/app:2", True, id="a port and a tag"),
        pytest.param("app@sha256:ab", "app@sha256:ab", True, id="a digest stays as it is"),
        pytest.param("app", "app", False, id="what nodes hold is not completed"),
        pytest.param("app", "other/app:latest", False, id="another repository"),
    ],
)
def test_names(rate: Rate, wanted: str, held: str, found: bool) -> None:
    scores = rate(ImageLocality(), pod(image=wanted), [node("a", images={held: 2000 * MIB})])
    assert scores == {"a": 100 if found else 0}


def containers(*images: str, init: tuple[str, ...] = ()) -> dict[str, object]:
    return {
        "containers": [{"name": f"c{i}", "image": image} for i, image in enumerate(images)],
        "initContainers": [{"name": f"i{i}", "image": image} for i, image in enumerate(init)],
    }


@pytest.mark.parametrize(
    ("spec", "total", "count"),
    [
        pytest.param(containers("big:1", "small:1"), 800 + 100, 2, id="the images of all containers add up"),
        pytest.param(containers("big:1", "none:1"), 800, 2, id="each container raises what there is to gain"),
        pytest.param(containers("big:1", "big:1"), 800 + 800, 2, id="one image in two containers counts twice"),
        pytest.param(containers("small:1", init=("big:1",)), 800 + 100, 2, id="init containers count"),
    ],
)
def test_several_containers(rate: Rate, spec: dict[str, object], total: int, count: int) -> None:
    nodes = [node("a", images={"big:1": 800 * MIB, "small:1": 100 * MIB})]
    assert rate(ImageLocality(), pod(spec=spec), nodes) == {"a": expected(total * MIB, count)}


def test_an_image_volume_counts_but_does_not_raise_what_there_is_to_gain(rate: Rate) -> None:
    volumes = [{"name": "data", "image": {"reference": "data"}}, {"name": "empty", "emptyDir": {}}]
    nodes = [node("a", images={"data:latest": 400 * MIB, "app:latest": 100 * MIB})]
    assert rate(ImageLocality(), pod(spec={"volumes": volumes}), nodes) == {"a": expected(500 * MIB)}


def test_images_that_are_nowhere_score_nothing(rate: Rate) -> None:
    assert rate(ImageLocality(), pod(image="app:1"), [node("a"), node("b", images={"other:1": 900 * MIB})]) == {
        "a": 0,
        "b": 0,
    }


def test_all_names_of_an_image_are_known(rate: Rate) -> None:
    held = ContainerImage(names=("app@sha256:ab", "app:1"), size_bytes=1000 * MIB)
    named_twice = replace(node("a"), status=NodeStatus(images=(held,)))
    assert rate(ImageLocality(), pod(image="app:1"), [named_twice]) == {"a": 100}
    assert rate(ImageLocality(), pod(image="app@sha256:ab"), [named_twice]) == {"a": 100}
