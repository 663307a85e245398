#!/usr/bin/env bash
# Deploy, follow, verify, and keep it or roll back. Exit codes: docs/operations.md.
set -euo pipefail

usage="usage: scripts/deploy.sh ENVIRONMENT [--image REFERENCE] [--dry-run] [...]"
case ${1:-} in
    "") echo "$usage" >&2; exit 2 ;;
    -h | --help) echo "$usage"; exit 0 ;;
esac

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
command -v uvx >/dev/null || { echo "uv is missing: pip install uv" >&2; exit 2; }
# exec, so that a signal reaches the stage itself and its clean-up runs.
exec uvx nox -s deploy -- "$@"
