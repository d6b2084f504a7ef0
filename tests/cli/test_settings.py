"""Options and a configuration file together: options win, and what cannot be is said."""

from pathlib import Path
from typing import Any

import pytest

from roost.cli.settings import Settings, settle
from roost.errors import ConfigError

HEADER = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

NOTHING_SAID: dict[str, Any] = dict.fromkeys(
    (
        "kubeconfig",
        "context",
        "server",
        "config",
        "policy",
        "scheduler_name",
        "tie",
        "leader_elect",
        "health_address",
    )
)


def settled(**options: Any) -> Settings:
    return settle(**{**NOTHING_SAID, **options})


def names(settings: Settings) -> list[str]:
    return [profile.scheduler_name for profile in settings.profiles]


def scorers(settings: Settings) -> list[str]:
    return [scorer.plugin.name for profile in settings.profiles for scorer in profile.score]


@pytest.fixture
def config(tmp_path: Path) -> Any:
    def write(text: str) -> str:
        file = tmp_path / "config.yaml"
        file.write_text(HEADER + text)
        return str(file)

    return write


def test_with_nothing_said_it_is_the_default_profile_for_roost() -> None:
    settings = settled()
    assert names(settings) == ["roost"]
    assert "NodeResourcesFit" in scorers(settings)
    assert (settings.initial_backoff, settings.max_backoff) == (1, 10)
    assert not settings.election.leader_elect
    assert settings.health_address is None


def test_policies_are_named_with_commas() -> None:
    assert scorers(settled(policy="RandomNode, ImageLocality")) == ["RandomNode", "ImageLocality"]


def test_name_and_tie_are_overridden_by_options(config: Any) -> None:
    settings = settled(config=config("profiles: [{schedulerName: a}]"), scheduler_name="b", tie="spread")
    assert [(profile.scheduler_name, profile.tie) for profile in settings.profiles] == [("b", "spread")]


def test_a_tie_option_is_for_all_profiles(config: Any) -> None:
    settings = settled(
        config=config("profiles: [{schedulerName: a, tieBreak: random}, {schedulerName: b}]"), tie="spread"
    )
    assert [profile.tie for profile in settings.profiles] == ["spread", "spread"]


def test_the_kubeconfig_of_the_configuration_is_used_unless_one_is_named(config: Any) -> None:
    file = config("clientConnection: {kubeconfig: /etc/a}")
    assert settled(config=file).kubeconfig == "/etc/a"
    assert settled(config=file, kubeconfig="/etc/b").kubeconfig == "/etc/b"


@pytest.mark.parametrize(("option", "elects"), [(None, True), (False, False), (True, True)])
def test_leader_election_is_overridden_by_the_option(config: Any, option: bool | None, elects: bool) -> None:
    file = config("leaderElection: {leaderElect: true, leaseDuration: 30s}")
    election = settled(config=file, leader_elect=option).election
    assert (election.leader_elect, election.lease_duration) == (elects, 30)


def test_backoffs_come_from_the_configuration(config: Any) -> None:
    settings = settled(config=config("podInitialBackoffSeconds: 2\npodMaxBackoffSeconds: 60"))
    assert (settings.initial_backoff, settings.max_backoff) == (2, 60)


def test_a_policy_and_a_configuration_without_profiles_go_together(config: Any) -> None:
    settings = settled(config=config("podMaxBackoffSeconds: 60"), policy="RandomNode")
    assert (scorers(settings), settings.max_backoff) == (["RandomNode"], 60)


def test_a_policy_and_profiles_do_not(config: Any) -> None:
    with pytest.raises(ConfigError, match="--policy makes a profile of its own; leave it out, or the profiles of "):
        settled(config=config("profiles: [{}]"), policy="RandomNode")


def test_one_name_for_several_profiles_is_refused(config: Any) -> None:
    with pytest.raises(ConfigError, match=r"--scheduler-name is for one profile, but .* has 2; name them there"):
        settled(config=config("profiles: [{schedulerName: a}, {schedulerName: b}]"), scheduler_name="c")


def test_an_address_for_health_is_checked_before_anything_starts() -> None:
    assert settled(health_address=":10251").health_address == ":10251"
    with pytest.raises(ConfigError, match=r"^--health-address: .*10251:http"):
        settled(health_address="10251:http")
