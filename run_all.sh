#!/usr/bin/env bash
# One command to everything: makes its own environment, then regenerates the paper, or runs the tests.
#
#   ./run_all.sh                       the demo profile: every figure and table on embedded data
#   ./run_all.sh --profile quick       CIFAR with a short schedule (needs the data, see --data)
#   ./run_all.sh --only table1         one artefact; --help lists them all
#   ./run_all.sh test                  the tests and the notebooks' stored outputs
#
# PYTHON chooses the interpreter (default: python3, 3.11 or later); CSQCFS_VENV the environment's folder.
set -euo pipefail
cd "$(dirname "$0")"

python=${PYTHON:-python3}
venv=${CSQCFS_VENV:-.venv}

setup() { # $1: extras of pyproject.toml; done again when the pins change
    local extras=$1 want
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "error: $("$python" --version) found, expected Python 3.11 or later; set PYTHON" >&2; exit 2; }
    want=$(cksum pyproject.toml | cut -d' ' -f1)
    if [ "$(cat "$venv/.csqcfs-$extras" 2>/dev/null)" != "$want" ]; then
        echo "setting up $venv (once, some minutes) ..."
        [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[$extras]"
        echo "$want" > "$venv/.csqcfs-$extras"
    fi
}

if [ "${1:-}" = test ]; then
    shift
    setup test
    # Stored outputs come from the reference records: no records of this machine, no output into the checkout.
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    export CSQCFS_HOME="$scratch/home" CSQCFS_FIGURES="$scratch/figures"
    "$venv/bin/python" -m pytest "$@"
    [ $# -gt 0 ] || "$venv/bin/python" -m pytest --nbval-lax --nbval-cell-timeout=300 -p no:cacheprovider notebooks
else
    setup test
    exec "$venv/bin/python" -m csqcfs run "$@"
fi
