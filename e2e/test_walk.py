"""The walk through a page fails where the page is wrong, and only there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import walk as walks
from e2e.load import wait_until
from e2e.walk import Command, File, Shell, Stumble, matches, read_steps, section, walk

PAGE = """
# A page

Save this as
`folder/greeting.yaml`:

```yaml
hello: world
```

This is for the eye only:

```yaml
not: saved
```

```console
$ cat folder/greeting.yaml
hello: ...
$ cat > list <<END
> one
> two
> END
$ echo done
done
```
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    folder = tmp_path / "page"
    folder.mkdir()
    with Shell(folder, os.environ) as opened:
        yield opened


def console(*lines: str) -> str:
    return "\n".join(["```console", *lines, "```"])


def test_a_page_is_files_to_save_and_commands_with_what_they_print() -> None:
    assert list(read_steps(PAGE)) == [
        File(7, "folder/greeting.yaml", "hello: world\n"),
        Command(18, "cat folder/greeting.yaml", ("hello: ...",)),
        Command(20, "cat > list <<END\none\ntwo\nEND"),
        Command(24, "echo done", ("done",)),
    ]


def test_a_section_keeps_its_line_numbers() -> None:
    page = "# A\n## One\n```console\n$ a\n```\n## Two\n```console\n$ b\n```"
    assert list(read_steps(section(page, after="## Two"))) == [Command(8, "b")]
    assert list(read_steps(section(page, until="## Two"))) == [Command(4, "a")]


@pytest.mark.parametrize(
    ("shown", "printed", "is_so"),
    [
        pytest.param("a  b", "a b\n", True, id="the number of blanks does not count"),
        pytest.param("a ... c", "a b c\n", True, id="dots in a line stand for any text"),
        pytest.param("a\n...\nd", "a\nb\nc\nd\n", True, id="a line of dots stands for lines"),
        pytest.param("a\n...\nd", "a\nd\n", True, id="or for none"),
        pytest.param("a", "a\nb\n", False, id="a line too many"),
        pytest.param("a\nb", "a\n", False, id="a line too few"),
        pytest.param("b\na", "a\nb\n", False, id="another order"),
        pytest.param("a.c", "abc\n", False, id="one dot is a dot"),
        pytest.param("x ...\n...", "y z\n", False, id="something else before the dots"),
    ],
)
def test_what_a_page_shows_is_compared_with_what_is_printed(shown: str, printed: str, is_so: bool) -> None:
    assert matches(shown.splitlines(), printed) is is_so


def test_commands_share_a_shell_its_variables_folder_and_jobs(shell: Shell) -> None:
    commands = ("$ X=5; mkdir sub; cd sub", "$ echo $X; basename $PWD", "5", "sub", "$ sleep 60 &", "$ kill %1")
    assert walk(PAGE + console(*commands), shell, name="page") == 7


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("$ echo one", "two"), id="another output"),
        pytest.param(("$ false",), id="a failure where the page shows nothing"),
        pytest.param(("$ echo text; false", "..."), id="a failure where the page shows only that there is something"),
        pytest.param(("$ no-such-program",), id="a program that is not there"),
        pytest.param(("$ if",), id="half a command"),
    ],
)
def test_a_page_that_is_wrong_is_found_out(shell: Shell, lines: tuple[str, ...]) -> None:
    with pytest.raises(Stumble, match=r"page:2: "):
        walk(console(*lines), shell, name="page")


def test_a_failure_that_the_page_shows_is_none(shell: Shell) -> None:
    assert walk(console("$ echo no; false", "no"), shell, name="page") == 1


def test_a_command_that_only_looks_looks_again_but_not_for_ever(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    late = console("$ (sleep 0.5; echo here > late) &", "$ cat late", "here")
    assert walk(late, shell, name="page") == 2
    monkeypatch.setattr(walks, "LOOK_SECONDS", 0.5)
    with pytest.raises(Stumble, match="the page shows"):
        walk(console("$ cat late", "there"), shell, name="page")


@pytest.mark.parametrize(
    ("text", "only_looks"),
    [
        ("kubectl get pods", True),
        ("kubectl -n kube-system logs deploy/my-scheduler", True),
        ("curl --silent http://localhost/metrics", True),
        ("kubectl apply -f x.yaml", False),
        ("kubectl get pods > pods.txt", False),
        ("curl --silent --data '{}' http://localhost/filter", False),
        ("cat > list <<END", False),
    ],
)
def test_what_changes_something_is_done_once(text: str, only_looks: bool) -> None:
    assert Command(1, text).only_looks is only_looks


def test_the_shell_ends_its_jobs_with_their_children(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    with Shell(tmp_path / "page", os.environ) as opened:
        opened.run("bash -c 'sleep 60 & echo $! > child; wait' &")
        opened.run("until test -s child; do sleep 0.05; done")
        child = int((tmp_path / "page" / "child").read_text())
        assert runs(child)
    wait_until(lambda: not runs(child), "the child of a job has ended", seconds=5)


def runs(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
