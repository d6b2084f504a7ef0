"""Extenders in a configuration: what is accepted, the exact sentence about each mistake, and what they change."""

import json
from typing import Any

import pytest

from roost.config.configuration import Configuration, Extender, PluginConfig, ProfileConfiguration
from roost.config.extenders import ignored_resources, ignoring, is_extended_resource_name
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles, policy_profile
from roost.errors import ConfigError

HEADER = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nextenders:\n"
FULL = """
- urlPrefix: http://127.0.0.1:8080/scheduler/
  filterVerb: filter
  preemptVerb: preempt
  prioritizeVerb: prioritize
  weight: 5
  bindVerb: bind
  enableHTTPS: true
  httpTimeout: 250ms
  nodeCacheCapable: true
  ignorable: true
  managedResources:
  - {name: example.com/gpu, ignoredByScheduler: true}
  - {name: example.com/fpga}
  tlsConfig: {serverName: x, caData: YQ==, certFile: /c, keyFile: /k}
- urlPrefix: https://extender.example.com
"""


def loaded(text: str) -> tuple[Extender, ...]:
    return load_configuration(HEADER + text).extenders


def test_every_field_is_read() -> None:
    one, other = loaded(FULL)
    assert (one.filter_verb, one.preempt_verb, one.prioritize_verb, one.bind_verb) == (
        "filter", "preempt", "prioritize", "bind",
    )  # fmt: skip
    assert (one.weight, one.http_timeout, one.node_cache_capable, one.ignorable) == (5, 0.25, True, True)
    assert (one.enable_https, one.tls_config.server_name, one.tls_config.ca_data) == (True, "x", "YQ==")
    assert (other.http_timeout, other.weight) == (5, 0)


URL = "is not a URL such as http://127.0.0.1:8080/scheduler"
WEIGHT = "must be greater than 0 where there is a prioritizeVerb"
GPU = {"name": "a.b/c"}
MISTAKES = [
    ([{"filterVerb": "x"}], "[0].urlPrefix", "is missing"),
    ([{"urlPrefix": ""}], "[0].urlPrefix", f"'' {URL}"),
    ([{"urlPrefix": "host:80"}], "[0].urlPrefix", f"'host:80' {URL}"),
    ([{"urlPrefix": "ftp://a"}], "[0].urlPrefix", f"'ftp://a' {URL}"),
    ([{"urlPrefix": "http://a:b"}], "[0].urlPrefix", f"'http://a:b' {URL}"),
    ([{"urlPrefix": "http://a?b"}], "[0].urlPrefix", "must end before any ? or #, since the verbs are put behind it"),
    ([{"urlprefix": "http://a"}], "[0].urlprefix", "unknown field; did you mean urlPrefix?"),
    ([{"prioritizeVerb": "x"}], "[0].weight", WEIGHT),
    ([{"prioritizeVerb": "x", "weight": -1}], "[0].weight", WEIGHT),
    ([{"prioritizeVerb": "x", "weight": 2**63}], "[0].weight", "must fit into 64 bits"),
    ([{"bindVerb": "x"}, {}, {"bindVerb": "y"}], "[2].bindVerb", "only one extender can bind, and extenders[0] does"),
    (
        [{"managedResources": [GPU]}, {"managedResources": [GPU]}],
        "[1].managedResources[0].name",
        "a.b/c is managed by extenders[0] already",
    ),
    (
        [{"managedResources": [GPU, {"name": "cpu"}]}],
        "[0].managedResources[1].name",
        "'cpu' is not the name of an extended resource, such as example.com/gpu",
    ),
    ([{"httpTimeout": 5}], "[0].httpTimeout", "5 is not a duration such as 15s or 1m30s"),
    ([{"tlsConfig": {"caData": "%"}}], "[0].tlsConfig.caData", "must be PEM text in base64"),
    (
        [{"tlsConfig": {"certFile": "/c"}}],
        "[0].tlsConfig",
        "needs both a certificate (certFile or certData) and its key (keyFile or keyData), or neither",
    ),
    (
        [{"tlsConfig": {"insecure": True, "caFile": "/c"}}],
        "[0].tlsConfig.insecure",
        "must not be true where caFile or caData says whom to trust",
    ),
]


@pytest.mark.parametrize(("extenders", "field", "problem"), MISTAKES)
def test_a_mistake_is_one_sentence_that_starts_with_the_field(extenders: Any, field: str, problem: str) -> None:
    needs_url = field != "[0].urlprefix" and problem != "is missing"
    written = [({"urlPrefix": "http://a"} if needs_url else {}) | one for one in extenders]
    with pytest.raises(ConfigError) as raised:
        loaded("\n".join(f"- {json.dumps(one)}" for one in written))
    assert str(raised.value) == f"extenders{field}: {problem}"


def test_a_weight_without_a_prioritize_verb_does_not_matter() -> None:
    assert loaded("- {urlPrefix: 'http://a', filterVerb: x, weight: -1}")[0].weight == -1


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("example.com/gpu", True),
        ("a/b.c_d-E", True),
        ("cpu", False),
        ("kubernetes.io/x", False),
        ("sub.kubernetes.io/x", False),
        ("requests.example.com/x", False),
        ("Example.com/x", False),
        ("example.com/", False),
        ("example.com/-x", False),
        ("example.com/x/y", False),
        ("/x", False),
        (f"example.com/{'x' * 63}", True),
        (f"example.com/{'x' * 64}", False),
        (f"{'x' * 244}/x", True),
        (f"{'x' * 245}/x", False),
    ],
)
def test_names_of_extended_resources(name: str, is_one: bool) -> None:
    assert is_extended_resource_name(name) is is_one


def test_only_resources_that_are_left_to_extenders_are_ignored() -> None:
    assert ignored_resources(loaded(FULL)) == ("example.com/gpu",)


def fit_of(profile: Any) -> Any:
    return next(plugin for plugin in profile.filter if plugin.name == "NodeResourcesFit").args


def test_every_profile_ignores_what_is_left_to_extenders() -> None:
    own = PluginConfig(name="NodeResourcesFit", args={"ignoredResources": ["a.b/c"]})
    profiles = (
        ProfileConfiguration(scheduler_name="plain"),
        ProfileConfiguration(scheduler_name="own", plugin_config=(own,)),
    )
    plain, mine = build_profiles(Configuration(profiles=profiles, extenders=loaded(FULL)))
    assert fit_of(plain).ignored_resources == ("example.com/gpu",)
    assert fit_of(mine).ignored_resources == ("a.b/c", "example.com/gpu")
    policy = policy_profile(["RandomNode"], ignored_resources=("example.com/gpu",))
    assert fit_of(policy).ignored_resources == ("example.com/gpu",)


def test_nothing_to_ignore_changes_nothing() -> None:
    profile = ProfileConfiguration()
    assert ignoring(profile, ()) is profile
