"""Reading a configuration file: what is accepted, what the defaults are, and the exact sentence about each mistake."""

from pathlib import Path

import pytest

from roost.config.configuration import Configuration, Duration
from roost.config.load import load_configuration
from roost.errors import ConfigError

HEADER = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

EVERY_FIELD = (
    HEADER
    + """
parallelism: 8
percentageOfNodesToScore: 50
podInitialBackoffSeconds: 2
podMaxBackoffSeconds: 20
enableProfiling: true
enableContentionProfiling: true
delayCacheUntilActive: true
clientConnection:
  kubeconfig: /etc/kubernetes/scheduler.conf
  acceptContentTypes: application/json
  contentType: application/vnd.kubernetes.protobuf
  qps: 50
  burst: 100
leaderElection:
  leaderElect: true
  leaseDuration: 1m30s
  renewDeadline: 10s
  retryPeriod: 500ms
  resourceLock: leases
  resourceName: mine
  resourceNamespace: kube-system
extenders: []
profiles:
- schedulerName: packing
  percentageOfNodesToScore: 0
  tieBreak: spread
  plugins:
    multiPoint: {enabled: [{name: A}], disabled: [{name: "*"}]}
    preEnqueue: {enabled: [{name: A}]}
    queueSort: {enabled: [{name: A}]}
    preFilter: {enabled: [{name: A}]}
    filter: {enabled: [{name: A}]}
    postFilter: {enabled: [{name: A}]}
    preScore: {enabled: [{name: A}]}
    score: {enabled: [{name: A, weight: 5}]}
    reserve: {enabled: [{name: A}]}
    permit: {enabled: [{name: A}]}
    preBind: {enabled: [{name: A}]}
    bind: {enabled: [{name: A}]}
    postBind: {enabled: [{name: A}]}
    placementGenerate: {}
    placementScore: {}
  pluginConfig:
  - name: A
    args: {kind: AArgs, anything: [1, 2]}
"""
)


def loaded(text: str) -> Configuration:
    return load_configuration(HEADER + text)


def test_every_field_of_kube_scheduler_is_read() -> None:
    found = load_configuration(EVERY_FIELD)
    election, (profile,) = found.leader_election, found.profiles
    assert (found.parallelism, found.pod_initial_backoff_seconds, found.pod_max_backoff_seconds) == (8, 2, 20)
    assert found.client_connection.kubeconfig == "/etc/kubernetes/scheduler.conf"
    assert (election.leader_elect, election.resource_name, election.resource_namespace) == (True, "mine", "kube-system")
    assert (election.lease_duration, election.renew_deadline, election.retry_period) == (90, 10, 0.5)
    assert (profile.scheduler_name, profile.tie_break) == ("packing", "spread")
    assert (profile.plugins.score.enabled[0].name, profile.plugins.score.enabled[0].weight) == ("A", 5)
    assert profile.plugins.multi_point.disabled[0].name == "*"
    assert profile.plugin_config[0].args == {"kind": "AArgs", "anything": [1, 2]}


def test_what_is_not_said_has_kube_scheduler_s_default_except_for_the_lease() -> None:
    found = loaded("")
    assert (found.pod_initial_backoff_seconds, found.pod_max_backoff_seconds) == (1, 10)
    assert found.profiles == ()
    assert not found.leader_election.leader_elect
    assert (found.leader_election.lease_duration, found.leader_election.renew_deadline) == (15, 10)
    assert found.leader_election.resource_name == "roost"


def test_null_is_as_good_as_absent() -> None:
    assert loaded("profiles:\nparallelism: null\nleaderElection:\n  leaseDuration:\n") == loaded("")


def test_json_is_yaml_too() -> None:
    text = '{"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration", "parallelism": 3}'
    assert load_configuration(text).parallelism == 3


def test_a_timing_error_in_a_lease_that_nobody_wants_does_not_matter() -> None:
    assert loaded("leaderElection: {leaseDuration: 1s}").leader_election.lease_duration == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("1m30s", 90), ("1h", 3600), ("500ms", 0.5), ("1.5s", 1.5), (".5s", 0.5), ("2us", 2e-6)],
)
def test_durations_are_written_as_in_go(text: str, seconds: float) -> None:
    assert Duration.parse(text) == pytest.approx(seconds)


MISTAKES = [
    ("paralellism: 4", "paralellism: unknown field; did you mean parallelism?"),
    ("parallelism: '4'", "parallelism: is a text, not a whole number"),
    ("parallelism: 1.5", "parallelism: is a number, not a whole number"),
    ("parallelism: 0", "parallelism: must be greater than 0"),
    ("percentageOfNodesToScore: 101", "percentageOfNodesToScore: must be from 0 to 100"),
    ("clientConnection: {burst: -1}", "clientConnection.burst: must not be negative"),
    ("clientConnection: {qps: fast}", "clientConnection.qps: is a text, not a number"),
    ("clientConnection: here", "clientConnection: is a text, not a mapping"),
    ("podInitialBackoffSeconds: 0", "podInitialBackoffSeconds: must be greater than 0"),
    (
        "podInitialBackoffSeconds: 5\npodMaxBackoffSeconds: 4",
        "podMaxBackoffSeconds: must not be less than podInitialBackoffSeconds",
    ),
    ("leaderElection: {leaderElect: 1}", "leaderElection.leaderElect: is a whole number, not true or false"),
    (
        "leaderElection: {leaseDuration: 15}",
        "leaderElection.leaseDuration: 15 is not a duration such as 15s or 1m30s",
    ),
    (
        "leaderElection: {leaseDuration: 15 s}",
        "leaderElection.leaseDuration: '15 s' is not a duration such as 15s or 1m30s",
    ),
    (
        "leaderElection: {leaderElect: true, leaseDuration: 10s}",
        "leaderElection.leaseDuration: must be greater than renewDeadline",
    ),
    (
        "leaderElection: {leaderElect: true, retryPeriod: 10s}",
        "leaderElection.renewDeadline: must be greater than retryPeriod",
    ),
    ("leaderElection: {leaderElect: true, retryPeriod: 0s}", "leaderElection.retryPeriod: must be greater than 0"),
    ("leaderElection: {leaderElect: true, resourceLock: endpoints}", "leaderElection.resourceLock: must be leases"),
    ("leaderElection: {leaderElect: true, resourceName: ''}", "leaderElection.resourceName: must not be empty"),
    ("profiles: {}", "profiles: is a mapping, not a list"),
    ("profiles: [roost]", "profiles[0]: is a text, not a mapping"),
    ("profiles: [{schedulerName: ''}]", "profiles[0].schedulerName: must not be empty"),
    (
        "profiles: [{schedulerName: a}, {}]",
        "profiles[1].schedulerName: is missing; where there are several profiles each needs a name of its own",
    ),
    (
        "profiles: [{schedulerName: a}, {schedulerName: b}, {schedulerName: a}]",
        "profiles[2].schedulerName: a is the name of profiles[0] already",
    ),
    ("profiles: [{percentageOfNodesToScore: -1}]", "profiles[0].percentageOfNodesToScore: must be from 0 to 100"),
    ("profiles: [{tieBreak: last}]", "profiles[0].tieBreak: 'last' is none of first, spread, random"),
    (
        "profiles: [{plugins: {scores: {}}}]",
        "profiles[0].plugins.scores: unknown field; did you mean score or preScore?",
    ),
    (
        "profiles: [{plugins: {score: {enabled: [{name: A}, {nme: B}]}}}]",
        "profiles[0].plugins.score.enabled[1].nme: unknown field; did you mean name?",
    ),
    (
        "profiles: [{plugins: {score: {enabled: [{weight: 1}]}}}]",
        "profiles[0].plugins.score.enabled[0].name: is missing",
    ),
    (
        "profiles: [{plugins: {score: {enabled: [A]}}}]",
        "profiles[0].plugins.score.enabled[0]: is a text, not a mapping",
    ),
    ("profiles: [{pluginConfig: [{args: {}}]}]", "profiles[0].pluginConfig[0].name: is missing"),
    ("profiles: [{on: 1}]", "profiles[0]: a name in this mapping is not a text; put it in quotes"),
    ("extenders: [{urlprefix: 'http://localhost'}]", "extenders[0].urlprefix: unknown field; did you mean urlPrefix?"),
    ("parallelism: 1\nparallelism: 2", "line 4, column 1: no valid YAML: parallelism stands here twice"),
    (
        "profiles: [unfinished\n  - : {",
        "line 4, column 5: no valid YAML: while parsing a flow sequence, did not find expected ',' or ']'",
    ),
    (
        "---\na: 1",
        "line 3, column 1: no valid YAML: expected a single document in the stream, but found another document",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence_that_starts_with_the_field(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    assert str(caught.value) == sentence


def test_a_field_of_an_older_version_is_answered_with_the_fields_there_are() -> None:
    with pytest.raises(ConfigError, match=r"^healthzBindAddress: unknown field; known are apiVersion, kind, "):
        loaded("healthzBindAddress: 0.0.0.0:10251")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no KubeSchedulerConfiguration: a mapping with apiVersion, kind and profiles is expected"),
        ("- 1", "no KubeSchedulerConfiguration: a mapping with apiVersion, kind and profiles is expected"),
        ("profiles: []", "apiVersion: is missing; it must be kubescheduler.config.k8s.io/v1"),
        (
            "apiVersion: kubescheduler.config.k8s.io/v1beta3",
            "apiVersion: is kubescheduler.config.k8s.io/v1beta3, not kubescheduler.config.k8s.io/v1",
        ),
        ("apiVersion: kubescheduler.config.k8s.io/v1", "kind: is missing; it must be KubeSchedulerConfiguration"),
    ],
)
def test_another_document_is_told_from_a_configuration(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_configuration(text)
    assert str(caught.value) == sentence


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(HEADER + "parallelism: 0")
    with pytest.raises(ConfigError) as caught:
        load_configuration(file)
    assert str(caught.value) == f"{file}: parallelism: must be greater than 0"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "absent.yaml"
    with pytest.raises(ConfigError) as caught:
        load_configuration(file)
    assert str(caught.value) == f"cannot read the configuration file {file}: No such file or directory"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"config\.yaml: not UTF-8 text$"):
        load_configuration(file)
