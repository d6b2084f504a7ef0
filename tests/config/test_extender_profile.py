"""The profile of an extender: what is named, on the scale of extenders, and nothing else."""

import pytest

from roost.config.extender_profile import extender_profile
from roost.config.load import load_configuration
from roost.errors import ConfigError
from roost.framework.profile import Profile

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n"


class Even:
    """A policy of the simple form."""

    def filter(self, pod: object, node: object) -> bool:
        return True


def names(profile: Profile) -> tuple[list[str], list[tuple[str, int]]]:
    return [one.name for one in profile.filter], [(one.plugin.name, one.weight) for one in profile.score]


def from_text(text: str) -> Profile:
    return extender_profile(load_configuration(HEAD + text))


def test_policies_are_asked_in_their_order_wherever_they_take_part() -> None:
    assert names(extender_profile(["ZeroScore", "Foo", "AlwaysTrue", Even])) == (
        ["Foo", "AlwaysTrue", "Even"],
        [("ZeroScore", 1), ("Foo", 1)],
    )


def test_policies_score_on_the_scale_of_extenders_unless_told_otherwise() -> None:
    (scorer,) = extender_profile(["Foo"]).score
    assert (scorer.plugin.scale, scorer.plugin.args.highest) == ("extender", 10)
    (scorer,) = from_text(
        "- plugins: {score: {enabled: [{name: Foo}]}}\n  pluginConfig: [{name: Foo, args: {scale: percent}}]"
    ).score
    assert (scorer.plugin.scale, scorer.plugin.args.highest) == ("percent", 100)


def test_compat_goes_to_those_who_take_it() -> None:
    profile = extender_profile(["NodeIndex", "ZeroScore", "Congestion"], compat="original")
    assert [getattr(one.plugin.args, "compat", None) for one in profile.score] == ["original", None, "original"]


def test_a_configuration_enables_at_the_points_it_names_with_its_weights() -> None:
    profile = from_text(
        "- plugins:\n"
        "    multiPoint: {enabled: [{name: SafeOverload, weight: 3}, {name: NodeAffinity}]}\n"
        "    filter: {disabled: [{name: NodeAffinity}]}\n"
        "    score: {enabled: [{name: ZeroScore}]}\n"
    )
    assert names(profile) == (["SafeOverload"], [("SafeOverload", 3), ("NodeAffinity", 1), ("ZeroScore", 1)])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- {schedulerName: a}\n- {schedulerName: b}", "profiles: an extender serves one profile, not 2"),
        ("- {schedulerName: a}", "profiles[0].plugins: no plugin is enabled; an extender has none but those"),
        (
            "- plugins: {multiPoint: {enabled: [{name: Fo}]}}",
            "profiles[0].plugins.multiPoint.enabled[0].name: unknown plugin Fo; did you mean Foo?",
        ),
        (
            "- plugins: {multiPoint: {enabled: [{name: DefaultBinder}]}}",
            "profiles[0].plugins: DefaultBinder neither filters nor scores, so an extender has no use for it",
        ),
        (
            "- plugins: {score: {enabled: [{name: Foo}]}}\n  pluginConfig: [{name: Foo, args: {scale: big}}]",
            "profiles[0].pluginConfig[0].args.scale: ",
        ),
    ],
)
def test_what_cannot_be_served_is_told_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        from_text(text)
    assert str(told.value).startswith(sentence)
