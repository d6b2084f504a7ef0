"""`roost config convert`: what is printed, where what differs is said, and how it ends when something is wrong."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from roost.cli import start as cli
from roost.config.legacy.names import PREDICATES, PRIORITIES
from roost.config.load import load_configuration
from roost.config.profiles import build_profiles

PAGE = Path(__file__).parents[2] / "docs/how-to/convert-a-policy.md"
POLICY = {
    "kind": "Policy",
    "apiVersion": "v1",
    "priorities": [{"name": "LeastRequestedPriority", "weight": 1}, {"name": "EqualPriority", "weight": 1}],
    "extenders": [{"urlPrefix": "http://localhost/scheduler", "prioritizeVerb": "priorities/node_index", "weight": 10}],
}
CONFIGURATION = {
    "apiVersion": "kubescheduler.config.k8s.io/v1alpha1",
    "kind": "KubeSchedulerConfiguration",
    "schedulerName": "my-scheduler",
    "algorithmSource": {"policy": {"file": {"path": "/etc/kubernetes/policy.json"}}},
}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; returns exit code, output and errors."""

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["roost", "config", "convert", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


@pytest.fixture
def policy(tmp_path: Path) -> str:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(POLICY))
    return str(file)


@pytest.fixture
def configuration(tmp_path: Path) -> str:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(CONFIGURATION))
    return str(file)


def test_the_output_is_a_configuration_with_comments_on_top(convert: Run, policy: str) -> None:
    code, out, err = convert(policy)
    header, body = out.split("\n\n", 1)
    assert (code, err) == (0, "")
    assert all(line.startswith("#") for line in header.splitlines())
    in_one_line = header.replace("\n# ", " ")
    assert in_one_line.startswith(f"# KubeSchedulerConfiguration v1, which roost config convert made of {policy}.")
    assert "Weights: an extender answers 0 to 10 for a node." in in_one_line
    assert "EqualPriority: the same for every node; left out." in in_one_line
    assert body.startswith("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n")
    assert build_profiles(load_configuration(out))


def test_what_is_printed_is_what_a_run_makes_of_the_policy(convert: Run, policy: str) -> None:
    _, out, _ = convert(policy)
    assert load_configuration(out) == load_configuration(Path(policy))


def test_json_has_no_comments_so_they_go_to_standard_error(convert: Run, policy: str) -> None:
    code, out, err = convert(policy, "-o", "json")
    assert code == 0
    assert json.loads(out)["extenders"][0]["weight"] == 10
    assert "roost: EqualPriority: the same for every node; left out.\n" in err


def test_standard_input_is_a_dash(convert: Run) -> None:
    code, out, _ = convert("-", stdin=b"\xef\xbb\xbf" + json.dumps(POLICY).encode())
    assert code == 0
    assert "convert made of standard input." in out.replace("\n# ", " ")


def test_a_scheduler_name_can_be_given(convert: Run, policy: str) -> None:
    code, out, _ = convert(policy, "--scheduler-name", "mine")
    assert code == 0
    assert yaml.safe_load(out)["profiles"][0]["schedulerName"] == "mine"
    assert "No scheduler name" not in out


def test_a_configuration_and_its_policy_may_be_two_files(convert: Run, configuration: str, policy: str) -> None:
    for files in ((configuration, policy), (policy, configuration)):
        code, out, _ = convert(*files)
        assert code == 0
        found = yaml.safe_load(out)
        assert (found["profiles"][0]["schedulerName"], found["extenders"][0]["weight"]) == ("my-scheduler", 10)


def _mistake(convert: Run, *arguments: str, stdin: bytes = b"") -> str:
    code, out, err = convert(*arguments, stdin=stdin)
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err.removeprefix("roost: ").strip()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            b'{"kind": "Policy", "predicates": [{"name": "HostNam"}]}',
            "standard input: predicates[0].name: unknown predicate HostNam; did you mean HostName?",
            id="an unknown name",
        ),
        pytest.param(
            b'{"kind": "Policy", "extenders": [{"urlPrefix": "localhost"}]}',
            "standard input: extenders[0].urlPrefix: 'localhost' is not a URL such as http://127.0.0.1:8080/scheduler",
            id="an extender that would not work today",
        ),
        pytest.param(
            b"apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n",
            "standard input: has a configuration of kubescheduler.config.k8s.io/v1 already; there is nothing to ",
            id="a configuration of today",
        ),
        pytest.param(
            b"kind: Deployment",
            "standard input: no scheduler Policy here; a Policy, a ConfigMap with policy.cfg or a "
            "KubeSchedulerConfiguration of v1alpha1 is expected",
            id="something else",
        ),
        pytest.param(b"a: [", "standard input: line 2, column 1: no valid YAML: ", id="no YAML"),
        pytest.param(b"\xff", "standard input: not UTF-8 text", id="no text"),
        pytest.param(b"", "standard input: no scheduler Policy here; ", id="nothing"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(convert: Run, text: bytes, sentence: str) -> None:
    assert _mistake(convert, "-", stdin=text).startswith(sentence)


def test_a_file_that_is_not_there_is_named(convert: Run) -> None:
    assert _mistake(convert, "/no/such/file") == "/no/such/file: cannot be read: No such file or directory"


def test_of_several_files_the_one_with_the_mistake_is_named(convert: Run, configuration: str, tmp_path: Path) -> None:
    wrong = tmp_path / "policy.json"
    wrong.write_text('{"kind": "Policy", "predicates": {}}')
    assert _mistake(convert, configuration, str(wrong)) == f"{wrong}: predicates: is a mapping, not a list"


def test_a_policy_that_is_missing_is_asked_for(convert: Run, configuration: str) -> None:
    assert _mistake(convert, configuration) == (
        f"{configuration}: algorithmSource.policy.file: /etc/kubernetes/policy.json is not here; name both files: "
        "roost config convert CONFIGURATION policy.json"
    )


def test_help_has_examples(convert: Run) -> None:
    code, out, _ = convert("--help")
    assert code == 0
    assert "roost config convert policy.json > scheduler.yaml" in out


def test_a_run_takes_the_policy_itself(policy: str) -> None:
    command = [sys.executable, "-m", "roost", "run", "--config", policy, "--server", "http://127.0.0.1:1"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert "WARNING" in ended.stderr
    assert "`roost config convert FILE` prints it as kubescheduler.config.k8s.io/v1, to keep" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("roost: cannot reach http://127.0.0.1:1")
    assert ended.returncode == 1


def test_the_example_in_the_documentation_is_what_comes_out(
    convert: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, printed = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)[:2]
    monkeypatch.chdir(tmp_path)
    Path("extender.yaml").write_text(manifest)
    assert convert("extender.yaml") == (0, printed, "")


def test_the_documentation_names_every_predicate_and_priority() -> None:
    text = PAGE.read_text()
    assert [name for name in (*PREDICATES, *PRIORITIES) if f"`{name}`" not in text] == []
