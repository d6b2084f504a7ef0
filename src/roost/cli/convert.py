"""What `roost config convert` does: reads files, has them converted, and writes the result with what differs on top."""

import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from roost.config.documents import read_documents
from roost.config.legacy.convert import Converted, convert, numbered
from roost.config.legacy.find import is_current
from roost.config.load import load_configuration
from roost.errors import ConfigError

WIDTH = 110


def convert_files(files: Sequence[str], scheduler_name: str) -> Converted:
    """Return what files hold as v1; raises ConfigError if they hold nothing of the kind, or nothing of use."""
    several = len(files) > 1
    documents: list[tuple[str, Any]] = []
    for file in files:
        with _named(file):
            documents += numbered(read_documents(_text(file)), _title(file) if several else "")
    with _named("" if several else files[0]):
        converted = convert(documents, scheduler_name)
        if converted is None:
            raise ConfigError(_nothing_in(documents))
        load_configuration(json.dumps(converted.data))
        return converted


def as_yaml(converted: Converted, files: Sequence[str]) -> str:
    """Return a configuration as YAML, with comments on top: where it is from, and what differs."""
    import yaml

    origin = " and ".join(_title(file) for file in files)
    comments = [f"KubeSchedulerConfiguration v1, which roost config convert made of {origin}."]
    comments += [f"Weights: {converted.weights}"] if converted.weights else []
    header = "\n#\n".join(_comment(text) for text in [*comments, *converted.notes])
    body: str = yaml.safe_dump(converted.data, sort_keys=False, default_flow_style=False, width=WIDTH)
    return f"{header}\n\n{body}".rstrip()


def as_json(converted: Converted) -> str:
    """Return a configuration as JSON, which has no comments."""
    return json.dumps(converted.data, indent=2)


def _nothing_in(documents: Sequence[tuple[str, Any]]) -> str:
    if any(is_current(data) for _, data in documents):
        return "has a configuration of kubescheduler.config.k8s.io/v1 already; there is nothing to convert"
    return (
        "no scheduler Policy here; a Policy, a ConfigMap with policy.cfg or a KubeSchedulerConfiguration of v1alpha1 "
        "is expected"
    )


def _text(file: str) -> str:
    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError("not UTF-8 text") from error


@contextmanager
def _named(file: str) -> Iterator[None]:
    """Let errors start with the name of a file."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{_title(file)}: {error}" if file else str(error)) from error


def _title(file: str) -> str:
    return "standard input" if file == "-" else file


def _comment(text: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
    )
