"""The command line as a user meets it: help, sentences, exit codes, and what it does not load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from roost import __version__
from roost.cli import start as cli

NOBODY_LISTENS = "http://127.0.0.1:1"


@pytest.fixture
def roost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run the command in this process; returns exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["roost", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


def test_version(roost) -> None:  # type: ignore[no-untyped-def]
    assert roost("version") == (0, f"roost {__version__}\n", "")


def test_help_lists_the_commands_and_gives_examples(roost) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = roost("--help")
    assert code == 0
    assert "Schedule pods until told to stop." in out
    code, out, _ = roost("run", "--help")
    assert code == 0
    assert "roost run --policy RandomNode" in out
    assert "Exit codes: 0 ended as asked, 1 failure, 2 wrong usage or configuration." in out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--no-such-option"], 2, "No such option"),
        (["--tie", "last"], 2, "--tie"),
        (["--kubeconfig", "/no/such/file"], 2, "roost: cannot read the kubeconfig /no/such/file: No such file"),
        (["--config", "/no/such/file"], 2, "roost: cannot read the configuration file /no/such/file: No such file"),
        (["--policy", "RandomNod"], 2, "roost: --policy: unknown plugin RandomNod; did you mean RandomNode?"),
        (["--policy", ","], 2, "roost: --policy: each policy must be named once, not none"),
        (["--health-address", "here"], 2, "roost: --health-address: "),
        (["--server", NOBODY_LISTENS], 1, f"roost: cannot reach {NOBODY_LISTENS}"),
    ],
)
def test_a_mistake_ends_with_one_sentence_and_an_exit_code(arguments: list[str], code: int, sentence: str) -> None:
    ended = subprocess.run([sys.executable, "-m", "roost", "run", *arguments], capture_output=True, text=True)
    *_, last = ended.stderr.splitlines()
    assert ended.returncode == code
    assert sentence in last
    assert "Traceback" not in ended.stderr


def test_a_mistake_in_a_configuration_names_file_and_field(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "profiles: [{plugins: {score: {enabled: [{name: Nothing}]}}}]\n"
    )
    command = [sys.executable, "-m", "roost", "run", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.stderr == (
        f"roost: {config}: profiles[0].plugins.score.enabled[0].name: unknown plugin Nothing; "
        "name one of your own as module:Class\n"
    )
    assert ended.returncode == 2


def _loaded_by(arguments: list[str]) -> set[str]:
    """Run the command; return the top-level modules that were loaded when it ended."""
    program = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted({m.split('.')[0] for m in sys.modules}))))\n"
        f"sys.argv = ['roost', *{arguments!r}]\n"
        "from roost.cli.start import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return set(json.loads(ended.stdout.splitlines()[-1]))


def test_a_run_loads_nothing_that_it_does_not_need() -> None:
    loaded = _loaded_by(["run", "--server", NOBODY_LISTENS])
    assert {"numpy", "msgspec", "httptools"} <= loaded
    assert not loaded & {"rich", "yaml", "kubernetes", "prometheus_client", "aiohttp", "requests", "typer", "pydantic"}


def test_the_version_needs_no_numpy() -> None:
    assert not _loaded_by(["version"]) & {"numpy", "asyncio", "msgspec.json", "yaml", "rich"}
