#!/usr/bin/env bash
# Export requirements with hashes that plain pip can install; no registry address is written.
set -euo pipefail
cd "$(dirname "$0")/.."
export_to() { # file, arguments of uv pip compile
  local file=$1; shift
  uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --quiet "$@" -o "$file"
}
export_to requirements/run.txt
# hatchling builds the editable install without reaching out again.
export_to requirements/dev.txt --extra exec --group dev requirements/build.in
