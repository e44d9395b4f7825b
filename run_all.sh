#!/usr/bin/env bash
# One command to everything: makes its own environment, then regenerates the paper, opens the notebooks, or runs the tests.
#
#   ./run_all.sh                       the demo profile: every figure and table on embedded data
#   ./run_all.sh --profile quick       CIFAR with a short schedule (needs the data, see --data)
#   ./run_all.sh --only table1,table2  some artefacts; --help lists them all
#   ./run_all.sh lab                   JupyterLab on the index of the notebooks
#   ./run_all.sh test                  the tests and the notebooks' stored outputs
#   ./run_all.sh lint                  format, rules and types, as .ci/run checks them
#   ./run_all.sh COMMAND               one of csqcfs: bench, publish, sync, readme
#
# PYTHON chooses the interpreter (default: python3, 3.11 or later); CSQCFS_VENV the environment's folder.
set -euo pipefail
cd "$(dirname "$0")"

python=${PYTHON:-python3}
venv=${CSQCFS_VENV:-.venv}

setup() { # extras of pyproject.toml; installs what is missing, all of it again when the versions or the place change
    local stamp="$venv/.csqcfs" want have="" extras=""
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "error: $("$python" --version) found, expected Python 3.11 or later; set PYTHON" >&2; exit 2; }
    want=$({ cat pyproject.toml requirements.lock; pwd -P; } | cksum | cut -d' ' -f1)
    [ -x "$venv/bin/python" ] && [ -r "$stamp" ] && read -r have extras < "$stamp"
    for extra in "$@"; do
        [[ ",$extras," == *",$extra,"* ]] || { extras=${extras:+$extras,}$extra; have=""; }
    done
    if [ "$have" != "$want" ]; then
        echo "setting up $venv (once, some minutes) ..."
        [ -x "$venv/bin/python" ] || "$python" -m venv --clear "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c requirements.lock -e ".[$extras]"
        echo "$want $extras" > "$stamp"
    fi
}

case "${1:-}" in
test)
    shift
    setup paper test
    # Stored outputs come from the reference records: no records of this machine, no output into the checkout.
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    export CSQCFS_HOME="$scratch/home" CSQCFS_FIGURES="$scratch/figures"
    if [ $# -gt 0 ]; then
        "$venv/bin/python" -m pytest "$@"
    else # two files at a time, one thread each: twice as fast as two threads on most tests
        export OMP_NUM_THREADS=1
        "$venv/bin/python" -m pytest -n 2 --dist loadfile -p no:nbval
        unset CSQCFS_DATA # the outputs do not depend on it, and each page would read thousands of images
        PYTHONPATH=tests "$venv/bin/python" -m pytest -n 2 --dist loadfile -p one_kernel --nbval-lax \
            --nbval-cell-timeout=900 --nbval-kernel-startup-timeout=900 -p no:cacheprovider notebooks
    fi
    ;;
lint)
    setup paper test
    "$venv/bin/ruff" check
    "$venv/bin/ruff" format --check
    "$venv/bin/python" -m mypy
    ;;
lab)
    shift
    setup paper
    exec "$venv/bin/python" -m jupyter lab notebooks/index.ipynb "$@"
    ;;
"" | -*)
    case " $* " in *" --dask"*) setup paper dask ;; *) setup paper ;; esac
    exec "$venv/bin/python" -m csqcfs run "$@"
    ;;
*)
    setup paper
    exec "$venv/bin/python" -m csqcfs "$@"
    ;;
esac
