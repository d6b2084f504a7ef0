"""Paths that are not quite right, and what each path serves."""

import pytest
from tests.extender.asking import Warm, Zone, make_webhook, serving

from roost.config.extender_profile import extender_profile
from roost.extender.originals import manners_of


@pytest.mark.parametrize(
    ("method", "path", "status", "location"),
    [
        pytest.param("GET", "/version/", 301, "/version", id="a slash at the end"),
        pytest.param("GET", "/VERSION", 301, "/version", id="another letter case"),
        pytest.param("GET", "//version", 301, "/version", id="a slash too many"),
        pytest.param("GET", "/Healthz/", 301, "/healthz", id="both"),
        pytest.param("POST", "/Filter/", 307, "/filter", id="other methods keep their body"),
        pytest.param("POST", "/scheduler/predicates/ZONE", 307, "/scheduler/predicates/zone", id="a policy"),
        pytest.param("POST", "/version/", 404, None, id="not for a method that is not known there"),
        pytest.param("GET", "/filter/", 404, None, id="nor the other way round"),
        pytest.param("GET", "/fil", 404, None, id="no such path"),
        pytest.param("GET", "/<script>", 404, None, id="nonsense"),
    ],
)
async def test_a_path_that_is_nearly_right_is_redirected(
    method: str, path: str, status: int, location: str | None
) -> None:
    async with serving(Zone) as ask:
        answer = await ask(method, path)
    assert (answer.status, answer.headers.get("location")) == (status, location)
    assert (location is None) == (answer.body == b"404 page not found\n")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/metrics"])
async def test_probes_answer_get_and_head(path: str) -> None:
    async with serving("Foo") as ask:
        for method in ("GET", "HEAD"):
            assert (await ask(method, path)).status == 200


def test_each_policy_has_the_paths_of_what_it_does() -> None:
    _, routes = make_webhook([Zone, Warm, "Foo"])
    assert sorted(path for path in routes.paths if path.startswith("/scheduler/pr")) == [
        "/scheduler/predicates/Foo",
        "/scheduler/predicates/Zone",
        "/scheduler/predicates/foo",
        "/scheduler/predicates/zone",
        "/scheduler/preemption",
        "/scheduler/priorities/Foo",
        "/scheduler/priorities/Warm",
        "/scheduler/priorities/foo",
    ]


@pytest.mark.parametrize(
    ("policies", "older", "options", "welcomes"),
    [
        (["SafeOverload"], False, False, False),
        (["NodeIndex"], True, True, False),
        (["AlwaysTrue", "ZeroScore"], True, False, False),
        (["Lucky"], False, True, True),
        (["Lucky", "SafeOverload"], False, False, True),
    ],
)
def test_manners_are_those_of_the_program_that_is_replaced(
    policies: list[str], older: bool, options: bool, welcomes: bool
) -> None:
    manners = manners_of(policies, is_original=True)
    assert manners.refusal.startswith("This extender") == older
    assert manners.answers_options == options
    assert (manners.welcome is not None) == welcomes
    assert manners_of(policies, is_original=False).welcome is None


def test_a_profile_of_an_extender_has_nothing_but_what_is_named() -> None:
    profile = extender_profile(["Foo"])
    assert [plugin.name for plugin in profile.filter] == ["Foo"]
    assert [(scorer.plugin.name, scorer.weight) for scorer in profile.score] == [("Foo", 1)]
    assert (profile.pre_filter, profile.pre_score, profile.bind, profile.queue_sort) == ((), (), (), None)
