"""`roost run` is told the same with Typer and without."""

import sys
from typing import Any

import pytest
import typer.main

from roost.cli import run as run_command
from roost.cli import start
from roost.cli.main import app
from roost.cli.run_options import RunOptions, plain_options

COMMAND: Any = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]


def read_by_typer(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> RunOptions:
    told: list[RunOptions] = []
    monkeypatch.setattr(run_command, "start", told.append)
    COMMAND.main(arguments, standalone_mode=False)
    return told[0]


def test_both_know_the_same_options() -> None:
    spelled = {option for parameter in COMMAND.params for option in (*parameter.opts, *parameter.secondary_opts)}
    names = {"--" + name.replace("_", "-") for name in RunOptions.__struct_fields__} | {"--no-leader-elect"}
    assert spelled - {"--help", "-h"} == names


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--kubeconfig", "/a b", "--context=c", "--server", "https://x:6443/y=z"],
        ["--policy", "RandomNode,Spread", "--scheduler-name", "mine", "--tie", "spread"],
        ["--once", "--leader-elect", "--log-level", "debug", "--log-format=json"],
        ["--no-leader-elect", "--config", "c.yaml", "--health-address", ":10259"],
        ["--usage-source", "metrics-server", "--prometheus", "http://p:9090"],
        ["--policy", ""],
        ["--policy="],
    ],
    ids=" ".join,
)
def test_both_read_plain_options_alike(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert plain_options(arguments) == read_by_typer(arguments, monkeypatch)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["-h"],
        ["--no-such-option"],
        ["--server"],
        ["--server", "--once"],
        ["--once", "--once"],
        ["--once=yes"],
        ["--once", "further"],
        ["--tie", "last"],
        ["--leader-elect", "--no-leader-elect"],
    ],
    ids=" ".join,
)
def test_what_is_not_plain_is_left_to_typer(arguments: list[str]) -> None:
    assert plain_options(arguments) is None


def test_only_a_run_is_read_without_typer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["roost", "version"])
    with pytest.raises(SystemExit):
        start.main()
    assert capsys.readouterr().out.startswith("roost ")
