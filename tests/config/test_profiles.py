"""Profiles as they come out: which plugins, in which order, with which weights and arguments; and what is refused."""

from typing import Any, ClassVar

import pytest

from roost.api.node import Node
from roost.api.pod import Pod
from roost.config.default_plugins import DEFAULT_PLUGINS, KUBE_SCHEDULER_PLUGINS
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles, default_profile, policy_profile, profile_from_fragment
from roost.errors import ConfigError
from roost.framework.plugin import Args, Plugin
from roost.framework.profile import Profile
from roost.framework.simple import lift
from roost.plugins.registry import IN_TREE, REGISTRY

HEADER = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
GUARD = ["NotYetSupported"]


def built(text: str) -> tuple[Profile, ...]:
    return build_profiles(load_configuration(HEADER + text))


def with_plugins(**points: Any) -> Profile:
    return profile_from_fragment({"plugins": points})


def enabled(*names: str, disabled: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"enabled": [{"name": name} for name in names], "disabled": [{"name": name} for name in disabled]}


def names(plugins: tuple[Any, ...]) -> list[str]:
    return [plugin.name for plugin in plugins]


def weights(profile: Profile) -> dict[str, int]:
    return {scorer.plugin.name: scorer.weight for scorer in profile.score}


def first(mapping: dict[str, int]) -> tuple[str, int]:
    return next(iter(mapping.items()))


def sentence(fragment: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        profile_from_fragment(fragment)
    return str(caught.value)


class TestDefaults:
    def test_the_default_profile_asks_in_kube_scheduler_s_order(self) -> None:
        profile = default_profile()
        order = [name for name in DEFAULT_PLUGINS if name in REGISTRY]
        for asked in (names(profile.filter), names(profile.pre_filter), list(weights(profile))):
            assert [name for name in asked if name not in GUARD] == [name for name in order if name in asked]
        assert names(profile.filter)[:2] == ["NodeUnschedulable", "NodeName"]

    def test_the_default_profile_has_kube_scheduler_s_weights(self) -> None:
        expected = {"TaintToleration": 3, "NodeAffinity": 2, "NodeResourcesFit": 1, "ImageLocality": 1}
        assert expected.items() <= weights(default_profile()).items()

    def test_the_default_weights_are_those_of_the_plugins_themselves(self) -> None:
        assert {name: plugin.weight for name, plugin in IN_TREE.items()} == {
            name: DEFAULT_PLUGINS.get(name) or 1 for name in IN_TREE
        }

    def test_every_plugin_in_tree_is_one_of_kube_scheduler_or_the_guard(self) -> None:
        assert IN_TREE.keys() - set(GUARD) <= KUBE_SCHEDULER_PLUGINS

    def test_a_configuration_without_profiles_has_the_default_one(self) -> None:
        (profile,) = built("")
        assert profile.scheduler_name == "roost"
        assert weights(profile) == weights(default_profile())

    def test_a_single_profile_without_a_name_is_roost(self) -> None:
        assert [profile.scheduler_name for profile in built("profiles: [{}]")] == ["roost"]

    def test_several_profiles_have_their_own_plugins(self) -> None:
        text = """
profiles:
- schedulerName: default
- schedulerName: plain
  tieBreak: random
  plugins: {score: {disabled: [{name: "*"}]}}
"""
        whole, plain = built(text)
        assert [(profile.scheduler_name, profile.tie) for profile in (whole, plain)] == [
            ("default", "first"),
            ("plain", "random"),
        ]
        assert weights(whole)
        assert not weights(plain)


class TestMerging:
    def test_a_weight_in_multi_point_keeps_the_place(self) -> None:
        fragment = {"plugins": {"multiPoint": {"enabled": [{"name": "TaintToleration", "weight": 8}]}}}
        assert first(weights(profile_from_fragment(fragment))) == ("TaintToleration", 8)

    def test_enabling_again_without_a_weight_is_a_weight_of_one(self) -> None:
        assert weights(with_plugins(multiPoint=enabled("TaintToleration")))["TaintToleration"] == 1

    def test_a_weight_at_score_comes_first(self) -> None:
        fragment = {"plugins": {"score": {"enabled": [{"name": "ImageLocality", "weight": 4}]}}}
        assert first(weights(profile_from_fragment(fragment))) == ("ImageLocality", 4)

    def test_a_plugin_disabled_at_one_point_is_asked_at_the_others(self) -> None:
        profile = with_plugins(score=enabled(disabled=("TaintToleration",)))
        assert "TaintToleration" not in weights(profile)
        assert "TaintToleration" in names(profile.filter)

    def test_a_plugin_disabled_in_multi_point_is_asked_nowhere(self) -> None:
        profile = with_plugins(multiPoint=enabled(disabled=("TaintToleration",)))
        assert "TaintToleration" not in {*weights(profile), *names(profile.filter)}

    def test_disabling_all_leaves_what_is_enabled(self) -> None:
        profile = with_plugins(multiPoint=enabled("PrioritySort", "DefaultBinder", "NodeName", disabled=("*",)))
        assert (names(profile.filter), weights(profile), names(profile.bind)) == (["NodeName"], {}, ["DefaultBinder"])

    def test_a_plugin_is_made_once_and_shared_by_its_points(self) -> None:
        profile = default_profile()
        (fit,) = (plugin for plugin in profile.filter if plugin.name == "NodeResourcesFit")
        assert any(scorer.plugin is fit for scorer in profile.score)

    @pytest.mark.parametrize("lacking", sorted(KUBE_SCHEDULER_PLUGINS - REGISTRY.keys()))
    def test_disabling_a_plugin_that_roost_lacks_changes_nothing(self, lacking: str) -> None:
        assert names(with_plugins(multiPoint=enabled(disabled=(lacking,))).filter) == names(default_profile().filter)


class TestGuard:
    """Pods that Roost cannot judge stay refused unless somebody says by name that they may be bound."""

    @pytest.mark.parametrize("point", ["preFilter", "filter"])
    def test_disabling_all_does_not_disable_the_guard(self, point: str) -> None:
        assert names(with_plugins(**{point: enabled(disabled=("*",))}).pre_filter)[:1] == GUARD

    def test_disabling_all_in_multi_point_does_not_disable_the_guard(self) -> None:
        profile = with_plugins(multiPoint=enabled("PrioritySort", "DefaultBinder", disabled=("*",)))
        assert names(profile.pre_filter) == GUARD

    @pytest.mark.parametrize("point", ["multiPoint", "preFilter"])
    def test_its_name_disables_it(self, point: str) -> None:
        assert GUARD[0] not in names(with_plugins(**{point: enabled(disabled=("NotYetSupported",))}).pre_filter)

    def test_enabling_it_does_not_ask_it_twice(self) -> None:
        assert names(with_plugins(multiPoint=enabled("NotYetSupported")).pre_filter).count("NotYetSupported") == 1

    def test_it_guards_policies_too(self) -> None:
        assert names(policy_profile(["RandomNode"]).pre_filter)[:1] == GUARD


class TestDynamicResources:
    FRAGMENT: ClassVar[dict[str, Any]] = {
        "plugins": {
            "multiPoint": {
                "enabled": [{"name": "DynamicResources", "weight": 5}, {"name": "ImageLocality", "weight": 7}]
            }
        },
        "pluginConfig": [{"name": "DynamicResources", "args": {"filterTimeout": "3s"}}],
    }

    def test_what_never_scores_has_a_weight_in_vain(self) -> None:
        profile = profile_from_fragment(self.FRAGMENT)
        weights = {scorer.plugin.name: scorer.weight for scorer in profile.score}
        assert weights["ImageLocality"] == 7
        assert "DynamicResources" not in weights


class TestRefusals:
    @pytest.mark.parametrize(
        ("plugins", "expected"),
        [
            (
                {"score": enabled("NodeResourcesFit", "NodResourcesFit")},
                "plugins.score.enabled[1].name: unknown plugin NodResourcesFit; did you mean NodeResourcesFit?",
            ),
            (
                {"score": enabled("Nothing")},
                "plugins.score.enabled[0].name: unknown plugin Nothing; name one of your own as module:Class",
            ),
            (
                {"filter": enabled(disabled=("NodeNam",))},
                "plugins.filter.disabled[0].name: unknown plugin NodeNam; did you mean NodeName?",
            ),
            (
                {"multiPoint": enabled("GangScheduling")},
                "plugins.multiPoint.enabled[0].name: plugin GangScheduling is not supported yet",
            ),
            (
                {"score": enabled("NodeName")},
                "plugins.score.enabled[0].name: plugin NodeName does not implement score",
            ),
            (
                {"score": enabled("ImageLocality", "ImageLocality")},
                "plugins.score.enabled[1].name: ImageLocality stands in this list twice",
            ),
            (
                {"placementScore": enabled("ImageLocality")},
                "plugins.placementScore.enabled[0].name: the extension point placementScore is not supported yet",
            ),
            (
                {"queueSort": enabled(disabled=("*",))},
                "plugins.queueSort: one plugin must sort the queue, not none",
            ),
            ({"bind": enabled(disabled=("*",))}, "plugins.bind: at least one plugin must bind"),
        ],
    )
    def test_plugins_that_cannot_be(self, plugins: dict[str, Any], expected: str) -> None:
        assert sentence({"plugins": plugins}) == expected

    def test_a_profile_of_a_file_is_named_by_its_number(self) -> None:
        with pytest.raises(ConfigError, match=r"^profiles\[1\]\.plugins\.score\.enabled\[0\]\.name: unknown plugin X;"):
            built("profiles: [{schedulerName: a}, {schedulerName: b, plugins: {score: {enabled: [{name: X}]}}}]")

    def test_profiles_that_sort_the_queue_differently(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Backwards(REGISTRY["PrioritySort"]):  # type: ignore[misc]
            name = "Backwards"

        monkeypatch.setitem(REGISTRY, "Backwards", Backwards)
        text = """
profiles:
- schedulerName: a
- schedulerName: b
  plugins: {queueSort: {enabled: [{name: Backwards}], disabled: [{name: "*"}]}}
"""
        with pytest.raises(ConfigError) as caught:
            built(text)
        assert str(caught.value) == "profiles[1].plugins.queueSort: must be the same in all profiles"

    def test_two_plugins_that_sort_the_queue(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(REGISTRY, "Other", REGISTRY["PrioritySort"])
        expected = "plugins.queueSort: one plugin must sort the queue, not PrioritySort and Other"
        assert sentence({"plugins": {"queueSort": enabled("Other")}}) == expected


class SpreadArgs(Args):
    """Arguments of the plugin below."""

    percent: int = 10


class Spread(Plugin):
    """A plugin with arguments that it checks."""

    name = "Spread"
    args_type = SpreadArgs

    def __init__(self, args: SpreadArgs | None = None) -> None:
        super().__init__(args)
        if self.args.percent > 100:
            raise ConfigError("percent: must not be greater than 100")
        if self.args.percent == 66:
            raise ConfigError("nobody can say why")
        self.share = 100 // self.args.percent

    def score(self, *_: object) -> int:
        return 0


class TestArguments:
    @pytest.fixture(autouse=True)
    def _registered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(REGISTRY, "Spread", Spread)

    @staticmethod
    def fragment(args: dict[str, Any] | None, *on: str) -> dict[str, Any]:
        return {"plugins": {"score": enabled(*on)}, "pluginConfig": [{"name": "Spread", "args": args}]}

    @pytest.mark.parametrize(
        ("args", "percent"),
        [
            ({"percent": 50}, 50),
            ({"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "SpreadArgs", "percent": 50}, 50),
            ({}, 10),
            (None, 10),
            ({"percent": None}, 10),
        ],
    )
    def test_a_plugin_is_made_with_its_arguments(self, args: dict[str, Any] | None, percent: int) -> None:
        profile = profile_from_fragment(self.fragment(args, "Spread"))
        (spread,) = (scorer.plugin for scorer in profile.score if scorer.plugin.name == "Spread")
        assert spread.args == SpreadArgs(percent=percent)

    @pytest.mark.parametrize(
        ("args", "expected"),
        [
            ({"percnt": 1}, "args.percnt: unknown field; did you mean percent?"),
            ({"percent": "1"}, "args.percent: is a text, not a whole number"),
            ({"kind": "OtherArgs"}, "args.kind: is OtherArgs, not SpreadArgs"),
            ({"apiVersion": "v1"}, "args.apiVersion: is v1, not kubescheduler.config.k8s.io/v1"),
            ({"percent": 101}, "args.percent: must not be greater than 100"),
            ({"percent": 66}, "args: nobody can say why"),
        ],
    )
    def test_arguments_that_cannot_be(self, args: dict[str, Any], expected: str) -> None:
        assert sentence(self.fragment(args, "Spread")) == f"pluginConfig[0].{expected}"

    def test_an_exception_in_a_constructor_is_told_with_its_line(self) -> None:
        told = sentence(self.fragment({"percent": 0}, "Spread"))
        assert told.startswith("pluginConfig[0].args: Spread cannot be made: ZeroDivisionError: ")
        assert "test_profiles.py, line " in told

    def test_arguments_of_a_plugin_that_is_not_enabled_are_checked_all_the_same(self) -> None:
        assert sentence(self.fragment({"percnt": 1})).startswith("pluginConfig[0].args.percnt: unknown field")

    def test_arguments_that_are_no_mapping(self) -> None:
        assert sentence({"pluginConfig": [{"name": "Spread", "args": [1]}]}) == (
            "pluginConfig[0].args: is a list, not a mapping"
        )

    def test_arguments_for_a_plugin_nobody_knows(self) -> None:
        expected = "pluginConfig[0].name: unknown plugin Spred; did you mean Spread?"
        assert sentence({"pluginConfig": [{"name": "Spred"}]}) == expected

    def test_arguments_given_twice(self) -> None:
        twice = {"pluginConfig": [{"name": "Spread"}, {"name": "Spread"}]}
        assert sentence(twice) == "pluginConfig[1].name: Spread stands in this list twice"

    def test_kube_scheduler_s_own_arguments_are_read(self) -> None:
        args = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "NodeResourcesFitArgs",
            "scoringStrategy": {"type": "MostAllocated", "resources": [{"name": "cpu", "weight": 3}]},
        }
        profile = profile_from_fragment({"pluginConfig": [{"name": "NodeResourcesFit", "args": args}]})
        (fit,) = (plugin for plugin in profile.filter if plugin.name == "NodeResourcesFit")
        assert fit.args.scoring_strategy.type == "MostAllocated"


class Refusing:
    """A simple policy that only filters."""

    def filter(self, pod: Pod, node: Node) -> bool:
        return False


class TestPolicies:
    def test_policies_are_the_only_scorers_with_a_weight_of_one_each(self) -> None:
        assert weights(policy_profile(["RandomNode", "TaintToleration"])) == {"RandomNode": 1, "TaintToleration": 1}

    def test_the_default_filters_stay(self) -> None:
        assert names(policy_profile(["RandomNode"]).filter) == names(default_profile().filter)

    def test_pre_score_is_asked_of_the_policies_only(self) -> None:
        assert names(policy_profile(["NodeAffinity"]).pre_score) == ["NodeAffinity"]
        assert names(policy_profile(["RandomNode"]).pre_score) == []

    def test_a_policy_that_filters_does_so_and_leaves_the_default_scorers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(REGISTRY, "Refusing", lift(Refusing))
        profile = policy_profile(["Refusing"])
        assert names(profile.filter)[0] == "Refusing"
        assert weights(profile) == weights(default_profile())

    def test_a_policy_may_be_for_another_scheduler_name_and_tie(self) -> None:
        profile = policy_profile(["RandomNode"], "mine", tie="spread")
        assert (profile.scheduler_name, profile.tie) == ("mine", "spread")

    @pytest.mark.parametrize(
        ("policies", "expected"),
        [
            ([], "each policy must be named once, not none"),
            (["RandomNode", "RandomNode"], "each policy must be named once, not RandomNode, RandomNode"),
            (["RandomNod"], "unknown plugin RandomNod; did you mean RandomNode?"),
            (["ImageLocaliti"], "unknown plugin ImageLocaliti; did you mean ImageLocality?"),
        ],
    )
    def test_policies_that_cannot_be(self, policies: list[str], expected: str) -> None:
        with pytest.raises(ConfigError) as caught:
            policy_profile(policies)
        assert str(caught.value) == expected
